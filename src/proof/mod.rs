//! Proofs that a token is in the hands of the sender to whom it was issued: DPoP (RFC 9449) and client
//! certificates (RFC 8705).
//!
//! A bearer token serves whoever has it. A *bound* token names a key in its claim `cnf` (RFC 7800), and
//! serves only requests that prove to have that key. Without this module's settings, a verifier
//! refuses every token with a `cnf`.
//!
//! # DPoP
//!
//! The token has the thumbprint of a key (`cnf.jkt`). A request brings it as `Authorization: DPoP …`,
//! and in the header `DPoP` a proof: a small JWT that the key has signed for this request. A
//! [`DPoP`] checks it.
//!
//! | mode | token without `cnf`, as `Bearer` | bound token with its proof | bound token without |
//! |---|---|---|---|
//! | [`DPoP::optional`] | accepted | accepted | refused |
//! | [`DPoP::required`] | refused | accepted | refused |
//!
//! 1. A bound token as `Bearer`, in a cookie or in the query is refused, and so is one that is not bound
//!    as `DPoP` (RFC 9449 §7.2). A proof that is not valid is never ignored.
//! 2. All checks of RFC 9449 §4.3 apply. The request has exactly one header `DPoP`. The `typ` of the
//!    proof is `dpop+jwt`; its `alg` is one of the configured ones; its `jwk` is a public
//!    key, is the one that the token is bound to, and has made the signature; `htm` is the method,
//!    `htu` the address and `ath` the SHA-256 of the token.
//! 3. `htu` must be the address of the request below a [public URL](DPoPBuilder::public_url), both
//!    normalised by RFC 3986 §6.2.2 and §6.2.3. The query and the fragment do not count. `Host` and
//!    `Forwarded` never do.
//! 4. `iat` is in the time window, whose bounds belong to it; `exp` and `nbf` hold if the proof has
//!    them. With [`Nonces`], the proof must have a current one.
//! 5. The proof is checked on each request, also if the token was verified before. The replay store is
//!    asked last, so a request that is refused does not spend its proof.
//! 6. Names are unique in the header, the key and the claims, and `crit`, `b64` and `enc` are refused,
//!    as for tokens.
//!
//! # Example
//! ```
//! use tower_jwt_auth::proof::{DPoP, Nonces};
//!
//! # let secret = [7; 32];
//! let dpop = DPoP::required()
//!     // The proxy in front of this service sends `/api/me` on as `/me`.
//!     .public_url("https://www.example.com/api")
//!     .nonces(Nonces::new(secret)?)
//!     .build()?;
//! # Ok::<(), tower_jwt_auth::ConfigError>(())
//! ```
//!
//! # Answers
//!
//! | fault | status | code |
//! |---|---|---|
//! | a fault of the proof, also if it is missing | 401; 400 where tokens are given | `invalid_dpop_proof` |
//! | no current nonce | 401, with `DPoP-Nonce`; 400 where tokens are given | `use_dpop_nonce` |
//! | a key with too many live proofs | 429, with `Retry-After` | none |
//! | the replay store does not answer, or is full | 503, with `Retry-After` | none |
//!
//! Pages of another origin need [`cors_allowed_headers`] and [`cors_exposed_headers`].
//!
//! # Security
//!
//! Of the settings that keep a proof from being used again, at least one is required:
//!
//! | setting | whoever has seen a request can repeat it |
//! |---|---|
//! | [`replay_store`](DPoPBuilder::replay_store) | never: each proof is accepted once |
//! | [`nonces`](DPoPBuilder::nonces) | as long as its nonce (at most two periods, 120 s by default) and its `iat` (70 s) are accepted |
//! | both | never; a proof also cannot be made long before it is used |
//! | [`replay_protection_elsewhere`](DangerousDPoPBuilder::replay_protection_elsewhere) | as the other thing allows |
//!
//! That a proof has a `jti` does not make it unique: only a store can tell. Such a repetition is the same
//! request only in its method, address and token: neither the query, nor the body, nor any other header
//! is signed (RFC 9449 §11.7).
//!
//! A layer inside of axum's `Router::nest` sees a shorter path than the client has signed. Without
//! [`original_uri`](DPoPBuilder::original_uri) or the prefix in the public URL, it refuses every proof.
//! Do not list the prefixes of several routers as public URLs: a proof for one would be accepted by the
//! others.
//!
//! # Deployment
//!
//! Processes that accept the same proofs share a replay store, and the secrets of the nonces. Their
//! clocks may differ by the time that a proof may be [ahead](DPoPBuilder::max_ahead): a store keeps
//! proofs for that much longer.

mod certificate;
mod dpop;
mod possession;
mod replay;

pub use self::{
    certificate::{
        ClientCertificate, DangerousMutualTlsBuilder, MutualTls, MutualTlsBuilder, ProxyHeader,
    },
    dpop::{
        DPoP, DPoPBuilder, DangerousDPoPBuilder, Nonces, cors_allowed_headers, cors_exposed_headers,
    },
    possession::ProofOfPossession,
    replay::{Insertion, MemoryReplayStore, MemoryReplayStoreBuilder, PresentedProof, ReplayStore},
};
pub use crate::digest::{Thumbprint, ThumbprintError};
