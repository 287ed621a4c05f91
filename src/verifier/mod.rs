//! Verifies a token and returns its claims, or the reason why it is refused.
//!
//! # Rules
//!
//! A token is checked in this order, and the first failure ends the check. Until the signature is
//! verified, claims can only cause a rejection: no key is fetched for a token that is refused
//! anyway by 1, 2 or 4 to 6. The application's type and rules see only verified claims.
//!
//! 1. Size and shape: at most [`max_token_len`](VerifierBuilder::max_token_len)
//!    bytes, three parts of strict base64url (RFC 7515 §7.1).
//! 2. Header: one JSON object without repeated names, an `alg` that is allowed,
//!    a `typ` that is allowed, no `crit`, `b64` or `enc`, no nested token (RFC
//!    8725 §3.1, §3.11; RFC 7515 §4.1.11).
//! 3. Key and signature: see [`keys`](crate::keys).
//! 4. Claims: one JSON object without repeated names, registered claims of their
//!    types, `iss`, `aud`, `exp`, `nbf`, `iat`, `sub` and what else is required
//!    (RFC 7519 §4.1, RFC 8725 §3.8, §3.9). A token with `events` is refused: it is a security
//!    event, such as a logout token (RFC 8417 §2.2).
//! 5. Sender constraint: a token with `cnf` is no bearer token (RFC 7800 §3.1). It is refused, unless
//!    each member of `cnf` is one that the verifier has a check for.
//! 6. The client, if any are named: `client_id`, `azp`, `cid` or `appid`.
//! 7. The application's type.
//! 8. The proof of the sender, if the token has `cnf`: see [`proof`](crate::proof). It needs the
//!    request.
//! 9. The [denylist](crate::revocation), if there is one.
//! 10. The application's rules, then its asynchronous and [cached](CachedRule) rules.
//!
//! For a token that passed all of them, the rules in the [shadow](VerifierBuilder::shadow) are asked.
//! They decide nothing.
//!
//! A token that passed is [cached](Cache). On a cache hit, its times, its keys, and 8 to 10 are
//! rechecked. Only a cached rule answers from what it knows.
//!
//! # Example: a token without any HTTP
//! ```
//! use serde::Deserialize;
//! use tower_jwt_auth::{Key, Verifier};
//!
//! #[derive(Debug, Deserialize)]
//! struct User {
//!     sub: String,
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let verifier = Verifier::builder().claims::<User>()
//!     .issuer("https://login.example.com")
//!     .audience("https://api.example.com")
//!     .keys(Key::hs256([7; 32])?)
//!     .build()?;
//! let error = verifier.verify("no.token.atall").await.unwrap_err();
//! assert!(error.is_invalid_token());
//! # Ok(()) }
//! ```
//!
//! # Example: stricter
//! ```
//! use std::time::Duration;
//! use tower_jwt_auth::{Algorithm, Key, Verifier};
//!
//! let verifier = Verifier::builder()
//!     .issuer("https://login.example.com")
//!     .audience("https://api.example.com")
//!     .keys(Key::hs256([7; 32]))
//!     .algorithms([Algorithm::HS256])
//!     .access_tokens_only()
//!     .leeway(Duration::from_secs(5))
//!     .max_age(Duration::from_secs(3600))
//!     .required_claim("tenant")
//!     .build()?;
//! # Ok::<(), tower_jwt_auth::ConfigError>(())
//! ```
//!
//! # Security
//!
//! A verified token says that its issuer signed it and that its time has not
//! ended, not that the user may still log in: that is what a denylist or an
//! asynchronous rule is for.

mod accepted;
mod allowed_values;
#[cfg(feature = "utoipa")]
mod answers;
mod any_claims;
mod binding;
mod builder;
mod cache;
mod cached_rule;
mod claims;
mod engine;
mod explain;
mod issuers;
mod key_lookup;
mod limits;
mod lint;
mod origin;
mod pipeline;
mod rule;
mod self_test;
mod shadow;
mod verification;
mod verify_again;
mod watch;

use std::{fmt, sync::Arc, time::Instant};

use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

pub(crate) use self::accepted::Accepted;
#[cfg(feature = "utoipa")]
pub(crate) use self::answers::Answers;
#[cfg(feature = "test-util")]
pub(crate) use self::any_claims::claims_for_test;
pub(crate) use self::any_claims::{Missing, find as find_claims};
pub(crate) use self::binding::Proofs;
use self::issuers::{IssuerEngines, LoadedEngine};
pub use self::issuers::{IssuerPattern, Issuers, IssuersBuilder};
use self::key_lookup::KeyLookup;
pub(crate) use self::origin::{FreshClaims, Origin};
use self::{
    binding::Presented,
    cache::CachedToken,
    engine::{Engine, Failure},
    watch::Watch,
};
pub use self::{
    builder::{DangerousVerifierBuilder, VerifierBuilder},
    cache::Cache,
    cached_rule::CachedRule,
    claims::Claims,
    rule::RuleError,
    shadow::{ShadowRule, ShadowRules, ShadowVerdict},
    verification::Verification,
};
#[cfg(feature = "remote")]
use crate::keys::remote::RemoteKeys;
use crate::{
    claims::RegisteredClaims,
    error::Error,
    maybe_ready::MaybeReady,
    observe::{CacheLookup, Observers},
    request_head::RequestHead,
    response::DpopChallenge,
    source::RawToken,
    token_cache::{Hit, Place, TokenCache},
};

/// Verifies tokens and gives their claims as a `C`; cheap to clone.
///
/// `C` is read from the claims, which are an object: it is a struct or a map. Without a type of
/// one's own, it is [`RegisteredClaims`]. No token fits `()`.
///
/// See the [module docs](self) for what is checked, and when.
pub struct Verifier<C = RegisteredClaims>(Arc<VerifierInner<C>>);

struct VerifierInner<C> {
    engines: Engines<C>,
    /// The tokens that were verified a moment ago. None are kept beside [`timed`](Self::timed).
    cache: Option<TokenCache<CachedToken<C>>>,
    watch: Watch,
    /// The verifier that verifies in the place of this one, which measures its time.
    timed: Option<Verifier<C>>,
}

/// The place of a token in the cache.
type CachePlace<'c, C> = Place<'c, CachedToken<C>>;

/// The engines of a verifier.
enum Engines<C> {
    /// One for all tokens.
    One(Arc<Engine<C>>),
    /// One for each issuer.
    ByIssuer(Arc<IssuerEngines<C>>),
    /// One for all tokens, of which observers are told. It is known with the number of engines, so
    /// that a token that is known takes one question for both.
    ObservedOne(Arc<Engine<C>>),
    /// One for each issuer, and observers are told.
    ObservedByIssuer(Arc<IssuerEngines<C>>),
}

impl<C> Engines<C> {
    /// The same, and observers are told.
    fn observed(self) -> Self {
        match self {
            Self::One(engine) | Self::ObservedOne(engine) => Self::ObservedOne(engine),
            Self::ByIssuer(engines) | Self::ObservedByIssuer(engines) => {
                Self::ObservedByIssuer(engines)
            }
        }
    }
}

impl<C> Clone for Engines<C> {
    fn clone(&self) -> Self {
        match self {
            Self::One(engine) => Self::One(Arc::clone(engine)),
            Self::ByIssuer(engines) => Self::ByIssuer(Arc::clone(engines)),
            Self::ObservedOne(engine) => Self::ObservedOne(Arc::clone(engine)),
            Self::ObservedByIssuer(engines) => Self::ObservedByIssuer(Arc::clone(engines)),
        }
    }
}

/// The engine for a token, as it was at one moment, and whether observers are told.
enum EngineRef<'v, C> {
    One(&'v Arc<Engine<C>>),
    ObservedOne(&'v Arc<Engine<C>>),
    ByIssuer(LoadedEngine<C>),
    ObservedByIssuer(LoadedEngine<C>),
}

impl<C> EngineRef<'_, C> {
    #[inline]
    fn get(&self) -> &Arc<Engine<C>> {
        match self {
            Self::One(engine) | Self::ObservedOne(engine) => engine,
            Self::ByIssuer(loaded) | Self::ObservedByIssuer(loaded) => loaded.engine(),
        }
    }

    #[inline]
    fn is_observed(&self) -> bool {
        matches!(self, Self::ObservedOne(_) | Self::ObservedByIssuer(_))
    }
}

impl<C: Send + Sync + 'static> Verifier<C> {
    fn new(engines: Engines<C>, cache: Cache, observers: Observers) -> Self {
        any_claims::register::<C>();
        if observers.is_empty() {
            return Self::with(engines, cache, observers, None);
        }
        let engines = engines.observed();
        if !observers.times_verification() {
            return Self::with(engines, cache, observers, None);
        }
        let timed = Self::with(engines.clone(), cache, observers.clone(), None);
        Self::with(engines, Cache::off(), observers, Some(timed))
    }

    fn with(engines: Engines<C>, cache: Cache, observers: Observers, timed: Option<Self>) -> Self {
        let (cache, watch) = (cache.start(), Watch::new(observers));
        Self(Arc::new(VerifierInner { engines, cache, watch, timed }))
    }
}

#[cfg(feature = "remote")]
impl Verifier {
    /// A verifier for the tokens that this issuer makes for this audience, with the
    /// keys that its metadata names and all other [defaults](VerifierBuilder). Needs the
    /// feature `remote`.
    ///
    /// # Example
    /// ```no_run
    /// # async fn start() -> Result<(), tower_jwt_auth::ConfigError> {
    /// use tower_jwt_auth::Verifier;
    ///
    /// let verifier =
    ///     Verifier::discover("https://login.example.com", "https://api.example.com").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Example: the same with a type of one's own
    /// ```no_run
    /// # async fn start() -> Result<(), tower_jwt_auth::ConfigError> {
    /// use tower_jwt_auth::{RemoteKeys, Verifier};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct User {
    ///     tenant: String,
    /// }
    ///
    /// let verifier = Verifier::builder()
    ///     .claims::<User>()
    ///     .keys(RemoteKeys::discover("https://login.example.com").build().await?)
    ///     .audience("https://api.example.com")
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// The keys cannot be fetched, or a name is not one.
    pub async fn discover(
        issuer: impl AsRef<str>,
        audience: impl Into<String>,
    ) -> Result<Self, crate::error::ConfigError> {
        let keys = RemoteKeys::discover(issuer).build().await?;
        Self::builder().audience(audience).keys(keys).build()
    }
}

#[cfg(feature = "remote")]
impl<C> Verifier<C> {
    /// The keys that are fetched, such as for a health page. It is empty for static keys, and for
    /// the verifier of [`Issuers`]: there, each issuer has its own, see [`Issuers::get`].
    #[must_use]
    pub fn remote_keys(&self) -> &[RemoteKeys] {
        match &self.0.engines {
            Engines::One(engine) | Engines::ObservedOne(engine) => engine.keys.remote(),
            Engines::ByIssuer(_) | Engines::ObservedByIssuer(_) => &[],
        }
    }
}

impl<C> Verifier<C> {
    /// The observers, which the layers use, too.
    pub(crate) fn observers(&self) -> &Observers {
        self.0.watch.observers()
    }

    /// The scheme `DPoP` of challenges, if its proofs are checked.
    pub(crate) fn dpop_challenge(&self) -> Option<DpopChallenge> {
        let dpop = self.proofs().dpop.as_ref()?;
        let (algorithms, is_required) = (dpop.algorithms().to_owned(), dpop.is_required());
        Some(DpopChallenge { algorithms, is_required })
    }

    /// The current time, in seconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        match &self.0.engines {
            Engines::One(engine) | Engines::ObservedOne(engine) => engine.checks.now(),
            Engines::ByIssuer(engines) | Engines::ObservedByIssuer(engines) => engines.now(),
        }
    }

    /// The proofs of senders that are checked, as far as they are the same for all tokens.
    pub(crate) fn proofs(&self) -> &Proofs {
        match &self.0.engines {
            Engines::One(engine) | Engines::ObservedOne(engine) => engine.checks.bindings.proofs(),
            Engines::ByIssuer(engines) | Engines::ObservedByIssuer(engines) => engines.proofs(),
        }
    }

    /// The engine; `None` if each issuer has its own.
    fn engine(&self) -> Option<&Arc<Engine<C>>> {
        match &self.0.engines {
            Engines::One(engine) | Engines::ObservedOne(engine) => Some(engine),
            Engines::ByIssuer(_) | Engines::ObservedByIssuer(_) => None,
        }
    }
}

impl<C: DeserializeOwned + Send + Sync + 'static> Verifier<C> {
    /// Verifies one token in compact form, without a scheme in front of it.
    ///
    /// A token that is bound to its sender is refused: that needs the request, see
    /// [`verify_request`](Self::verify_request).
    ///
    /// The answer is known at once, unless there are asynchronous rules, a denylist that is
    /// asked elsewhere, or a key that has to be fetched.
    ///
    /// # Errors
    ///
    /// The first check that failed; see the [module docs](self).
    pub fn verify(&self, token: &str) -> Verification<C> {
        Verification::new(self.verify_raw(&RawToken::of_text(token), None))
    }

    /// Verifies one token of a request, and the sender's proof if the token is bound to one: with
    /// [`dpop`](VerifierBuilder::dpop), the header `DPoP` (RFC 9449); with
    /// [`mutual_tls`](VerifierBuilder::mutual_tls), the client certificate (RFC 8705). Use it where the
    /// token is not in a place that a [`TokenSource`](crate::TokenSource) reads; otherwise,
    /// [`JwtAuthLayer`](crate::JwtAuthLayer) calls it.
    ///
    /// The token counts as sent with the scheme `DPoP` if the request's `Authorization` has that scheme. A
    /// request with several headers `Authorization` is refused.
    ///
    /// # Errors
    ///
    /// The first check that failed; see the [module docs](self).
    ///
    /// # Example
    /// ```
    /// use http::Request;
    /// # use tower_jwt_auth::{Key, Verifier};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let verifier = Verifier::builder()
    /// #     .issuer("i").audience("a").keys(Key::hs256([7; 32])).build()?;
    /// let request = Request::get("/").header("x-token", "a.b.c").body(())?;
    /// let token = request.headers()["x-token"].to_str()?;
    /// assert!(verifier.verify_request(token, &request).await.is_err());
    /// # Ok(()) }
    /// ```
    pub fn verify_request<'r>(
        &self,
        token: &str,
        request: impl Into<RequestHead<'r>>,
    ) -> Verification<C> {
        let request = request.into();
        Verification::new(match RawToken::of_request(token, request.headers()) {
            Ok(token) => self.verify_raw(&token, Some(&request)),
            Err(error) => MaybeReady::Ready(Err(error)),
        })
    }

    /// Verifies a token that was found in a request.
    #[inline]
    pub(crate) fn verify_raw(
        &self,
        token: &RawToken<'_>,
        request: Option<&RequestHead<'_>>,
    ) -> MaybeReady<Result<Claims<C>, Error>> {
        let Some(cache) = &self.0.cache else { return self.verify_uncached(token, request) };
        let presented = Presented::new(token, request);
        let place = cache.place(token.as_bytes());
        if let Some(hit) = place.get()
            && let Some(answer) = self.verify_cached(&hit, presented)
        {
            return answer;
        }
        self.verify_unknown(token, presented, Some(place))
    }

    /// Verifies a token where none is kept, at least not here.
    #[cold]
    fn verify_uncached(
        &self,
        token: &RawToken<'_>,
        request: Option<&RequestHead<'_>>,
    ) -> MaybeReady<Result<Claims<C>, Error>> {
        match &self.0.timed {
            Some(timed) => {
                let began = Instant::now();
                self.0.watch.time(began, timed.verify_raw(token, request))
            }
            None => self.verify_unknown(token, Presented::new(token, request), None),
        }
    }

    /// Verifies a token that is not in the cache.
    #[inline]
    fn verify_unknown(
        &self,
        token: &RawToken<'_>,
        presented: Presented<'_>,
        place: Option<CachePlace<'_, C>>,
    ) -> MaybeReady<Result<Claims<C>, Error>> {
        if place.is_some() {
            self.0.watch.looked_up(CacheLookup::Miss);
        }
        self.find_engine(token, presented, place)
            .unwrap_or_else(|error| MaybeReady::Ready(Err(error)))
    }

    /// Verifies a token with the engine of its issuer.
    #[inline]
    fn find_engine(
        &self,
        token: &RawToken<'_>,
        presented: Presented<'_>,
        place: Option<CachePlace<'_, C>>,
    ) -> Result<MaybeReady<Result<Claims<C>, Error>>, Error> {
        let token = token.text()?;
        match &self.0.engines {
            Engines::One(engine) | Engines::ObservedOne(engine) => {
                self.verify_new(engine, token, presented, place)
            }
            Engines::ByIssuer(engines) | Engines::ObservedByIssuer(engines) => {
                let issuer = engines.issuer_of(token)?;
                match engines.load(&issuer) {
                    Some(loaded) => self.verify_new(loaded.engine(), token, presented, place),
                    None => self.resolve(engines, &issuer, token, presented),
                }
            }
        }
    }

    /// The answer to a token that was verified before, unless it must be verified again.
    #[inline]
    fn verify_cached(
        &self,
        hit: &Hit<'_, CachedToken<C>>,
        presented: Presented<'_>,
    ) -> Option<MaybeReady<Result<Claims<C>, Error>>> {
        let cached = hit.value()?;
        let Some(found) = self.engine_of(cached).filter(|found| cached.is_by(found.get().id))
        else {
            // Its issuer has another one now, or none.
            hit.remove();
            return None;
        };
        let engine = found.get();
        let answer = engine.verify_cached(cached, presented)?;
        if found.is_observed() {
            self.0.watch.looked_up(CacheLookup::Hit);
        }
        match &answer {
            MaybeReady::Ready(Err(_)) if engine.is_over(cached) => hit.remove(),
            MaybeReady::Ready(Err(_)) => {}
            MaybeReady::Ready(Ok(_)) | MaybeReady::Pending(_) => hit.count_use(),
        }
        Some(answer)
    }

    /// Verifies a token with the engine of its issuer, and caches it if it passes.
    #[inline]
    fn verify_new(
        &self,
        engine: &Arc<Engine<C>>,
        token: &str,
        presented: Presented<'_>,
        place: Option<CachePlace<'_, C>>,
    ) -> Result<MaybeReady<Result<Claims<C>, Error>>, Error> {
        let (claims, generation) = match engine.verify(token) {
            Ok(verified) => verified,
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::KeyMissing(missing)) => {
                return Ok(KeyLookup::new(missing).begin(engine, token, presented));
            }
        };
        let Some(place) = place.filter(|_| engine.is_cached) else {
            return Ok(engine.finish(claims, presented));
        };
        let Some(admission) = place.admit() else {
            self.0.watch.looked_up(CacheLookup::Full);
            return Ok(engine.finish(claims, presented));
        };
        let cached = CachedToken::new(&claims, generation, engine.id);
        let answer = engine.finish(claims, presented);
        if !matches!(answer, MaybeReady::Ready(Err(_))) {
            let bytes = cached.bytes();
            let kept = place.insert(admission, token, cached, bytes, |old| self.is_over(old));
            if !self.0.watch.observers().is_empty() {
                self.tell_kept(kept);
            }
        }
        Ok(answer)
    }

    /// Tells that a token was kept or was too large, and how large the cache is now.
    #[cold]
    fn tell_kept(&self, kept: bool) {
        if !kept {
            self.0.watch.looked_up(CacheLookup::Full);
        }
        self.0.watch.resized(self.0.cache.as_ref().map_or(0, TokenCache::bytes));
    }

    /// Whether a token that is kept will not pass any more.
    fn is_over(&self, cached: &CachedToken<C>) -> bool {
        let may_pass = |engine: &Engine<C>| cached.is_by(engine.id) && !engine.is_over(cached);
        match &self.0.engines {
            Engines::One(engine) | Engines::ObservedOne(engine) => !may_pass(engine),
            Engines::ByIssuer(engines) | Engines::ObservedByIssuer(engines) => {
                let engine = cached.registered().issuer().and_then(|issuer| engines.get(issuer));
                !engine.is_some_and(|engine| may_pass(&engine))
            }
        }
    }

    /// The engine that verifies the tokens of this one's issuer now.
    #[inline]
    fn engine_of(&self, cached: &CachedToken<C>) -> Option<EngineRef<'_, C>> {
        match &self.0.engines {
            Engines::One(engine) => Some(EngineRef::One(engine)),
            Engines::ObservedOne(engine) => Some(EngineRef::ObservedOne(engine)),
            Engines::ByIssuer(engines) => {
                engines.load(cached.registered().issuer()?).map(EngineRef::ByIssuer)
            }
            Engines::ObservedByIssuer(engines) => {
                engines.load(cached.registered().issuer()?).map(EngineRef::ObservedByIssuer)
            }
        }
    }

    /// Asks for the engine of an issuer that is not known, and then verifies its token.
    #[cold]
    fn resolve(
        &self,
        engines: &Arc<IssuerEngines<C>>,
        issuer: &str,
        token: &str,
        presented: Presented<'_>,
    ) -> Result<MaybeReady<Result<Claims<C>, Error>>, Error> {
        let resolving = engines.resolve(issuer, token)?;
        let (verifier, token) = (self.clone(), Zeroizing::new(token.to_owned()));
        let presented = presented.by_value();
        Ok(MaybeReady::pending(resolving.verify_with(async move |engine| {
            let place = verifier.0.cache.as_ref().map(|cache| cache.place(token.as_bytes()));
            let verified =
                presented.with(|presented| verifier.verify_new(&engine, &token, presented, place));
            verified?.await
        })))
    }
}

impl<C> Clone for Verifier<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C> fmt::Debug for Verifier<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.engines {
            Engines::One(engine) | Engines::ObservedOne(engine) => {
                let mut shown = f.debug_struct("Verifier");
                shown
                    .field("keys", &engine.keys)
                    .field("algorithms", &engine.checks.algorithms)
                    .field("rules", &engine.checks.rules)
                    .field("max_token_len", &engine.max_token_len);
                if let Some(shadow) = &engine.checks.shadow {
                    shown.field("shadow", shadow);
                }
                shown.finish_non_exhaustive()
            }
            Engines::ByIssuer(engines) | Engines::ObservedByIssuer(engines) => {
                f.debug_tuple("Verifier").field(engines).finish()
            }
        }
    }
}
