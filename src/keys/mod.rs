//! Keys that verify signatures, and the algorithms that each key allows.
//!
//! # Rules
//!
//! 1. A key states its algorithms: those of its JWK `alg` (RFC 7517 §4.4), else
//!    all that its type and curve allow. The token's header only picks among
//!    them (RFC 8725 §3.1). An RSA key without `alg` serves RS256 to PS512;
//!    [`Key::with_algorithms`] narrows it.
//! 2. `use` and `key_ops` are honoured (RFC 7517 §4.2, §4.3): a key that is not
//!    for verifying signatures is refused.
//! 3. A token's `kid` selects the keys of that id. If no key has that
//!    id, the keys without an id are tried, because a key file has no id. If the
//!    token has no `kid`, all keys whose algorithms fit are tried. At most four
//!    are tried; if more fit, the error says so. With [`by_id`], only the key
//!    of exactly that id is used.
//! 4. RSA has 2048 to 8192 bits (4096 with only `rust_crypto`) and an odd
//!    exponent of at least 3; an HMAC secret is at least as long as its hash
//!    (RFC 7518 §3.2, §3.3); an EC point lies on its curve; an Ed25519 key is in
//!    canonical form and not of small order.
//! 5. A shared secret or a private key never comes from a document of public
//!    keys, unless it is read by a name that says so.
//! 6. Several keys in one PEM text are refused. Of a chain of certificates, each
//!    followed by that of its issuer, the first one counts.
//! 7. A key that is bound to an issuer ([`Key::with_issuer`]) verifies only
//!    tokens of that issuer (RFC 8725 §3.8).
//!
//! # Example: one key
//! ```
//! use tower_jwt_auth::Key;
//!
//! let key = Key::hs256([7; 32])?;
//! assert_eq!(key.algorithms().count(), 1);
//! assert!(Key::hs256("too short").is_err());
//! # Ok::<(), tower_jwt_auth::ConfigError>(())
//! ```
//!
//! # Example: a key set, one of whose keys cannot be used
//! ```
//! use tower_jwt_auth::KeySet;
//!
//! let keys = KeySet::from_jwks(r#"{"keys":[
//!   {"kty":"OKP","crv":"Ed25519","kid":"new","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
//!   {"kty":"OKP","crv":"X25519","kid":"old","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
//! ]}"#)?;
//! assert_eq!(keys.len(), 1);
//! assert_eq!(keys.skipped()[0].kid(), Some("old"));
//! println!("{}", keys.skipped()[0]);
//! # Ok::<(), tower_jwt_auth::ConfigError>(())
//! ```
//!
//! # Security
//!
//! A certificate is only a wrapper here: its key is taken, and neither its
//! dates nor its issuer are looked at.

mod answer;
mod asked;
pub mod by_id;
mod der;
mod form;
mod index;
#[cfg(feature = "jsonwebtoken")]
mod jsonwebtoken;
mod jwk;
mod key;
#[cfg(feature = "issue")]
mod live;
mod material;
#[cfg(feature = "remote")]
mod pem_map;
mod proof_key;
mod set;
mod shared_secret;
mod signature;
mod source;
mod trusted;

#[cfg(feature = "aws_lc_rs")]
#[path = "aws_lc.rs"]
mod backend;
#[cfg(all(feature = "rust_crypto", not(feature = "aws_lc_rs")))]
#[path = "rust_crypto.rs"]
mod backend;

#[cfg(feature = "remote")]
pub mod remote;

#[cfg(feature = "issue")]
pub(crate) use self::live::LiveKeys;
pub(crate) use self::{
    answer::{Deadline, KeyAnswer, name_of},
    asked::{AskedSource, PendingKey},
    by_id::is_id,
    proof_key::ProofKey,
    set::Miss,
    signature::{Authentic, hmac_sha256},
    source::KeySources,
    trusted::{Generation, StillTrusted, Trusted},
};
#[cfg(feature = "issue")]
pub(crate) use self::{
    der::{OPENSSH, no_blocks, pem_blocks},
    form::{Form, jwk_fault},
};
pub use self::{
    key::{DangerousKey, Key},
    set::{KeySet, SkippedKey},
    source::{IntoKeySource, KeySource},
};
