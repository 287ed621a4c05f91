//! DPoP proofs (RFC 9449).

mod builder;
mod check;
mod claims;
mod cors;
mod header;
mod key_cache;
mod nonces;
mod public_url;
#[cfg(test)]
mod tests;
mod time;

use std::{fmt, sync::Arc, time::SystemTime};

use http::HeaderValue;

pub(crate) use self::check::{SpentProof, UnspentProof};
pub use self::{
    builder::{DPoPBuilder, DangerousDPoPBuilder},
    cors::{cors_allowed_headers, cors_exposed_headers},
    nonces::Nonces,
};
use self::{check::Expected, key_cache::KeyCache, public_url::PublicUrls, time::Window};
use crate::{
    alg::AlgorithmSet, clock::unix_seconds, digest::Thumbprint, error::Error,
    maybe_ready::MaybeReady, observe::Outage, proof::ReplayStore, request_head::RequestHead,
};

/// How the proofs of a token's sender are checked (RFC 9449); cheap to clone.
///
/// # Example
/// ```
/// use tower_jwt_auth::proof::{DPoP, Nonces};
///
/// let dpop = DPoP::optional()
///     .public_url("https://api.example.com")
///     .nonces(Nonces::new([7; 32])?)
///     .build()?;
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct DPoP(Arc<Inner>);

struct Inner {
    required: bool,
    urls: PublicUrls,
    algorithms: AlgorithmSet,
    /// As a challenge has them.
    algorithm_names: Box<str>,
    window: Window,
    store: Option<Arc<dyn ReplayStore>>,
    nonces: Option<Nonces>,
    service_name: Option<Box<str>>,
    keys: KeyCache,
    outage: Outage,
}

impl DPoP {
    /// Accepts tokens that are bound to a key with a proof of that key, and tokens that are not bound
    /// as before. A bound token without its proof is refused, and so is a proof that is not valid.
    pub fn optional() -> DPoPBuilder {
        DPoPBuilder::new(false)
    }

    /// Accepts only tokens that are bound to a key, with a proof of that key.
    ///
    /// Together with [`MutualTls::required`](crate::proof::MutualTls::required), every token must be bound to
    /// both, and every request needs both proofs. To accept either, make both optional, and require one
    /// of them with [`sender_constrained`](crate::authorize::sender_constrained).
    pub fn required() -> DPoPBuilder {
        DPoPBuilder::new(true)
    }

    /// Verifies the proof of a request for a token, at a token endpoint of your own (RFC 9449 §5), and
    /// gives the thumbprint of its key: bind the token to it by
    /// [`Grant::jkt`](crate::issue::Grant::jkt). The proof has no `ath`, because there is no token yet.
    /// All other rules are those of a request with a token, see the [module](crate::proof).
    ///
    /// `None` if the request has no header `DPoP` and proofs are [optional](Self::optional): the token is
    /// then a bearer token. `now` is the time of the clock that the issuer uses, usually
    /// `SystemTime::now()`. [`Sessions`](crate::sessions::Sessions) do this by themselves.
    ///
    /// Call it last, after the client, its grant and all parameters were checked: the proof is spent
    /// then, and whoever has not authenticated must not fill the replay store.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::DpopProof`](crate::ErrorKind::DpopProof): the proof is not valid, or it is missing
    ///   and [required](Self::required). Answer 400 `invalid_dpop_proof` (RFC 9449 §5).
    /// - [`ErrorKind::DpopNonce`](crate::ErrorKind::DpopNonce): the proof lacks a nonce of these
    ///   [`Nonces`]. Answer 400 `use_dpop_nonce` with the nonce in the header `DPoP-Nonce` (§8).
    /// - [`ErrorKind::TooManyProofs`](crate::ErrorKind::TooManyProofs) (429) and
    ///   [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) (503) of the replay store.
    ///
    /// [`Rejection::to_response`](crate::response::Rejection::to_response) sets `DPoP-Nonce` and
    /// `Retry-After`. The guide [sender-constrained
    /// tokens](crate::guides::sender_constrained#a-token-endpoint-of-your-own) has a whole endpoint.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped half way, the proof may be spent.
    ///
    /// # Example
    /// ```
    /// # #[cfg(feature = "issue")]
    /// # mod endpoint {
    /// use std::time::SystemTime;
    /// use http::request::Parts;
    /// use tower_jwt_auth::{Error, issue::{AccessToken, Grant, TokenIssuer}, proof::DPoP};
    ///
    /// async fn issue(
    ///     issuer: &TokenIssuer,
    ///     dpop: &DPoP,
    ///     request: &Parts,
    ///     client: &str, // which has authenticated
    /// ) -> Result<AccessToken, Error> {
    ///     let mut grant = Grant::new(client).client_id(client);
    ///     if let Some(key) = dpop.verify_token_request(request, SystemTime::now()).await? {
    ///         grant = grant.jkt(key);
    ///     }
    ///     issuer.issue(grant)
    /// }
    /// # }
    /// ```
    pub async fn verify_token_request<'r>(
        &self,
        request: impl Into<RequestHead<'r>>,
        now: SystemTime,
    ) -> Result<Option<Thumbprint>, Error> {
        let request = request.into();
        if !self.is_required() && !request.headers().contains_key("dpop") {
            return Ok(None);
        }
        self.check_without_token(request, unix_seconds(now)).await.map(Some)
    }

    /// The value of the header `DPoP-Nonce` for the answer to a request whose proof was
    /// [verified](Self::verify_token_request): a nonce for the next proof, because that of this one is
    /// soon too old (RFC 9449 §8.2). `None` if the client needs no other nonce yet. Layers and
    /// [`Sessions`](crate::sessions::Sessions) add it by themselves.
    ///
    /// An answer with this header must not be cached: `Cache-Control: no-store`.
    #[must_use]
    pub fn next_nonce<'r>(
        &self,
        request: impl Into<RequestHead<'r>>,
        now: SystemTime,
    ) -> Option<HeaderValue> {
        self.fresh_nonce(request.into(), unix_seconds(now))
    }

    /// Whether both are clones of one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether every token must be bound.
    pub(crate) fn is_required(&self) -> bool {
        self.0.required
    }

    /// Whether proofs may be older than 300 s.
    pub(crate) fn has_long_max_age(&self) -> bool {
        self.0.window.is_long()
    }

    /// Whether the address may be that of the request's `Host`.
    pub(crate) fn trusts_host(&self) -> bool {
        self.0.urls.trusts_host()
    }

    /// Whether each proof is accepted only once.
    pub(crate) fn has_store(&self) -> bool {
        self.0.store.is_some()
    }

    /// Whether proofs must have a nonce of this server.
    #[cfg(feature = "utoipa")]
    pub(crate) fn has_nonces(&self) -> bool {
        self.0.nonces.is_some()
    }

    /// The algorithms of proofs, as the parameter `algs` of a challenge has them (RFC 9449 §7.1).
    pub(crate) fn algorithms(&self) -> &str {
        &self.0.algorithm_names
    }

    /// Checks the proof of a request for a token that is bound to the key `jkt`, up to the replay. The
    /// token must have passed its own checks.
    pub(crate) fn check(
        &self,
        request: RequestHead<'_>,
        token: &str,
        jkt: &Thumbprint,
        now: i64,
    ) -> Result<UnspentProof, Error> {
        let expected = Expected { jkt: Some(jkt), token: Some(token) };
        check::check_but_replay(&self.0, request, expected, now)
    }

    /// The mark that a layer leaves in a request whose proof it has accepted, so that the layers within
    /// accept it, too.
    pub(crate) fn spent(&self, request: RequestHead<'_>) -> Option<SpentProof> {
        SpentProof::of(&self.0, request)
    }

    /// Checks the proof of a request for a session that is bound to the key `jkt` (RFC 9449 §5). A proof
    /// of another key is not spent: its holder could fill the store with new keys.
    #[cfg(feature = "issue")]
    pub(crate) fn check_key(
        &self,
        request: RequestHead<'_>,
        jkt: &Thumbprint,
        now: i64,
    ) -> MaybeReady<Result<Thumbprint, Error>> {
        check::check(&self.0, request, Expected { jkt: Some(jkt), token: None }, now)
    }

    /// Checks the proof of a request that wants a token, and gives the key that the token is to be
    /// bound to (RFC 9449 §5). It is spent then, so all other checks of the request come before.
    pub(crate) fn check_without_token(
        &self,
        request: RequestHead<'_>,
        now: i64,
    ) -> MaybeReady<Result<Thumbprint, Error>> {
        check::check(&self.0, request, Expected::default(), now)
    }

    /// The same as [`check_key`](Self::check_key) for a request whose proof a layer has accepted with an
    /// access token, and so spent. All other checks are made again.
    #[cfg(feature = "issue")]
    pub(crate) fn check_spent(
        &self,
        request: RequestHead<'_>,
        jkt: &Thumbprint,
        now: i64,
    ) -> Result<Thumbprint, Error> {
        let expected = Expected { jkt: Some(jkt), token: None };
        check::check_but_replay(&self.0, request, expected, now).map(|proof| proof.key())
    }

    /// The nonce that the answer to a request brings, because that of its proof, which was accepted, is
    /// soon too old (RFC 9449 §8.2).
    pub(crate) fn fresh_nonce(&self, request: RequestHead<'_>, now: i64) -> Option<HeaderValue> {
        let nonces = self.0.nonces.as_ref()?;
        let used = check::nonce_of(&self.0, request, now)?;
        used.is_old.then(|| nonces.header(now)).flatten()
    }
}

impl fmt::Debug for DPoP {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DPoP")
            .field("required", &self.0.required)
            .field("public_urls", &self.0.urls)
            .field("algorithms", &self.0.algorithms)
            .field("window", &self.0.window)
            .field("replay_store", &self.0.store.is_some())
            .field("nonces", &self.0.nonces)
            .field("service_name", &self.0.service_name)
            .field("keys", &self.0.keys)
            .finish()
    }
}
