//! From a token's text to typed claims, or to the reason why not.
//!
//! # Rules
//!
//! A token is checked in this order, and the first failure ends it. Nothing of its
//! claims speaks for it before its signature is verified; against it they may speak: for
//! a key that is not known, nothing is fetched if they show that the token is refused
//! anyway.
//!
//! 1. Size and shape: at most [`max_token_len`](VerifierBuilder::max_token_len)
//!    bytes, three parts of strict base64url (RFC 7515 §7.1).
//! 2. Header: one JSON object without repeated names, an `alg` that is allowed,
//!    a `typ` that is allowed, no `crit`, `b64` or `enc`, no nested token (RFC
//!    8725 §3.1, §3.11; RFC 7515 §4.1.11).
//! 3. Key and signature: see [`keys`](crate::keys).
//! 4. Claims: one JSON object without repeated names, registered claims of their
//!    types, `iss`, `aud`, `exp`, `nbf`, `iat`, `sub` and what else is required
//!    (RFC 7519 §4.1, RFC 8725 §3.8, §3.9).
//! 5. Sender constraint: a token with `cnf` is no bearer token (RFC 7800 §3.1)
//!    and is refused.
//! 6. The client, if any are named: `client_id`, `azp`, `cid` or `appid`.
//! 7. The application's type.
//! 8. The [denylist](crate::revocation), if there is one.
//! 9. The application's rules, then its asynchronous rules.
//!
//! A token that passed is [kept](Cache) for a while: when it comes again, its times, 8 and
//! 9 are checked again, and so is that its keys are still trusted. All else is the same for
//! the same token.
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
//! let verifier = Verifier::<User>::builder()
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
//! use tower_jwt_auth::{Algorithm, Key, RegisteredClaims, Verifier};
//!
//! let verifier = Verifier::<RegisteredClaims>::builder()
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

mod allowed_values;
mod binding;
mod builder;
mod cache;
mod claims;
mod engine;
#[cfg(feature = "remote")]
mod issuers;
#[cfg(feature = "remote")]
mod key_lookup;
mod limits;
mod pipeline;
mod rule;

use std::{fmt, sync::Arc};

use serde::de::DeserializeOwned;
#[cfg(feature = "remote")]
use zeroize::Zeroizing;

#[cfg(feature = "remote")]
use self::issuers::{IssuerEngines, LoadedEngine};
#[cfg(feature = "remote")]
pub use self::issuers::{IssuerPattern, Issuers, IssuersBuilder};
pub use self::{
    builder::{DangerousVerifierBuilder, VerifierBuilder},
    cache::Cache,
    claims::Claims,
    rule::RuleError,
};
use self::{
    cache::CachedToken,
    engine::{Engine, Failure},
};
#[cfg(feature = "remote")]
use crate::keys::remote::RemoteKeys;
use crate::{
    claims::RegisteredClaims,
    error::Error,
    maybe_ready::MaybeReady,
    token_cache::{Hit, Position, TokenCache},
};

/// Verifies tokens and gives their claims as a `C`; cheap to clone.
///
/// `C` is read from the claims as an object: a struct or a map. Where the
/// application has no type of its own, [`RegisteredClaims`] is one; `()` is none,
/// and no token fits it.
///
/// See the [module docs](self) for what is checked, and when.
pub struct Verifier<C = RegisteredClaims>(Arc<VerifierInner<C>>);

struct VerifierInner<C> {
    engines: Engines<C>,
    /// The tokens that were verified a moment ago.
    cache: Option<TokenCache<CachedToken<C>>>,
}

/// The engines of a verifier.
enum Engines<C> {
    /// One for all tokens.
    One(Arc<Engine<C>>),
    /// One for each issuer.
    #[cfg(feature = "remote")]
    ByIssuer(Arc<IssuerEngines<C>>),
}

/// The engine for a token, as it was at one moment.
enum EngineRef<'v, C> {
    One(&'v Arc<Engine<C>>),
    #[cfg(feature = "remote")]
    ByIssuer(LoadedEngine<C>),
}

impl<C> EngineRef<'_, C> {
    #[inline]
    fn get(&self) -> &Arc<Engine<C>> {
        match self {
            Self::One(engine) => engine,
            #[cfg(feature = "remote")]
            Self::ByIssuer(loaded) => loaded.engine(),
        }
    }
}

impl<C> Verifier<C> {
    /// A builder, which asks for a key, an issuer and an audience at the least.
    pub fn builder() -> VerifierBuilder<C> {
        VerifierBuilder::new()
    }

    fn new(engines: Engines<C>, cache: Cache) -> Self {
        Self(Arc::new(VerifierInner { engines, cache: cache.start() }))
    }
}

#[cfg(feature = "remote")]
impl<C> Verifier<C> {
    /// A verifier for the tokens that this issuer makes for this audience, with the
    /// keys that its metadata names and all other [defaults](VerifierBuilder). Needs the
    /// feature `remote`.
    ///
    /// # Example
    /// ```no_run
    /// # async fn start() -> Result<(), tower_jwt_auth::ConfigError> {
    /// use tower_jwt_auth::{RegisteredClaims, Verifier};
    ///
    /// let verifier = Verifier::<RegisteredClaims>::discover(
    ///     "https://login.example.com",
    ///     "https://api.example.com",
    /// )
    /// .await?;
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

    /// The keys that are fetched, such as for a health page: none where all are given
    /// once, and none for the verifier of [`Issuers`], for there each verifier has its own:
    /// [`Issuers::get`].
    #[must_use]
    pub fn remote_keys(&self) -> &[RemoteKeys] {
        match &self.0.engines {
            Engines::One(engine) => engine.keys.remote(),
            Engines::ByIssuer(_) => &[],
        }
    }

    /// The engine; `None` if each issuer has its own.
    fn engine(&self) -> Option<&Arc<Engine<C>>> {
        match &self.0.engines {
            Engines::One(engine) => Some(engine),
            Engines::ByIssuer(_) => None,
        }
    }
}

impl<C: DeserializeOwned + Send + Sync + 'static> Verifier<C> {
    /// Verifies one token in compact form, without a scheme in front of it.
    ///
    /// The answer is [`MaybeReady::Ready`] unless everything passed and there are
    /// asynchronous rules, or the token's key is not known and may come: then a look
    /// for it is under way.
    ///
    /// # Errors
    ///
    /// The first check that failed; see the [module docs](self).
    pub fn verify(&self, token: &str) -> MaybeReady<Result<Claims<C>, Error>> {
        self.verify_found(token.as_bytes(), || Ok(token))
    }

    /// Verifies what was found where a token is to be. Only a token that is not known has to be
    /// text: then `text` is called.
    #[inline]
    pub(crate) fn verify_found<'t>(
        &self,
        found: &[u8],
        text: impl FnOnce() -> Result<&'t str, Error>,
    ) -> MaybeReady<Result<Claims<C>, Error>> {
        let position = self.0.cache.as_ref().map(|cache| (cache, cache.position(found)));
        if let Some((cache, position)) = position
            && let Some(hit) = cache.get(position, found)
            && let Some(answer) = self.verify_cached(&hit)
        {
            return answer;
        }
        let token = match text() {
            Ok(token) => token,
            Err(error) => return MaybeReady::Ready(Err(error)),
        };
        match &self.0.engines {
            Engines::One(engine) => self.verify_new(engine, token, position),
            #[cfg(feature = "remote")]
            Engines::ByIssuer(engines) => {
                let issuer = match engines.issuer_of(token) {
                    Ok(issuer) => issuer,
                    Err(error) => return MaybeReady::Ready(Err(error)),
                };
                match engines.load(&issuer) {
                    Some(loaded) => self.verify_new(loaded.engine(), token, position),
                    None => self.resolve(engines, &issuer, token),
                }
            }
        }
    }

    /// The answer to a token that was verified before, unless it must be verified again.
    #[inline]
    fn verify_cached(
        &self,
        hit: &Hit<'_, CachedToken<C>>,
    ) -> Option<MaybeReady<Result<Claims<C>, Error>>> {
        let cached = hit.value()?;
        let loaded = self.engine_of(cached);
        let Some(engine) = loaded.as_ref().map(EngineRef::get).filter(|it| cached.is_by(it)) else {
            // Its issuer has another one now, or none.
            hit.remove();
            return None;
        };
        let answer = engine.verify_cached(cached)?;
        match &answer {
            MaybeReady::Ready(Err(_)) if engine.is_over(cached) => hit.remove(),
            MaybeReady::Ready(Err(_)) => {}
            MaybeReady::Ready(Ok(_)) | MaybeReady::Pending(_) => hit.count_use(),
        }
        Some(answer)
    }

    /// Verifies a token that is not known, and keeps it if it passes.
    #[inline]
    fn verify_new(
        &self,
        engine: &Arc<Engine<C>>,
        token: &str,
        position: Option<(&TokenCache<CachedToken<C>>, Position)>,
    ) -> MaybeReady<Result<Claims<C>, Error>> {
        let (claims, generation) = match engine.verify(token) {
            Ok(verified) => verified,
            Err(Failure::Final(error)) => return MaybeReady::Ready(Err(error)),
            #[cfg(feature = "remote")]
            Err(Failure::KeyMissing(lookup)) => return lookup.begin(engine, token),
        };
        let Some((cache, position)) = position.filter(|_| engine.is_cached) else {
            return engine.finish(claims);
        };
        let Some(admission) = cache.admit(position, token) else { return engine.finish(claims) };
        let cached = CachedToken::new(&claims, generation, engine);
        let answer = engine.finish(claims);
        if !matches!(answer, MaybeReady::Ready(Err(_))) {
            let bytes = cached.bytes();
            cache.insert((position, admission), token, cached, bytes, |old| self.is_over(old));
        }
        answer
    }

    /// Whether a token that is kept will not pass any more.
    fn is_over(&self, cached: &CachedToken<C>) -> bool {
        let may_pass = |engine: &Engine<C>| cached.is_by(engine) && !engine.is_over(cached);
        match &self.0.engines {
            Engines::One(engine) => !may_pass(engine),
            #[cfg(feature = "remote")]
            Engines::ByIssuer(engines) => {
                let engine = cached.registered().issuer().and_then(|issuer| engines.get(issuer));
                !engine.is_some_and(|engine| may_pass(&engine))
            }
        }
    }

    /// The engine that verifies the tokens of this one's issuer now.
    #[inline]
    #[cfg_attr(not(feature = "remote"), expect(unused_variables, reason = "there is only one"))]
    fn engine_of(&self, cached: &CachedToken<C>) -> Option<EngineRef<'_, C>> {
        match &self.0.engines {
            Engines::One(engine) => Some(EngineRef::One(engine)),
            #[cfg(feature = "remote")]
            Engines::ByIssuer(engines) => {
                engines.load(cached.registered().issuer()?).map(EngineRef::ByIssuer)
            }
        }
    }

    /// Asks for the engine of an issuer that is not known, and then verifies its token.
    #[cfg(feature = "remote")]
    #[cold]
    fn resolve(
        &self,
        engines: &Arc<IssuerEngines<C>>,
        issuer: &str,
        token: &str,
    ) -> MaybeReady<Result<Claims<C>, Error>> {
        let resolving = match engines.resolve(issuer, token) {
            Ok(resolving) => resolving,
            Err(error) => return MaybeReady::Ready(Err(error)),
        };
        let (verifier, token) = (self.clone(), Zeroizing::new(token.to_owned()));
        MaybeReady::pending(resolving.verify_with(async move |engine| {
            let position =
                verifier.0.cache.as_ref().map(|cache| (cache, cache.position(token.as_bytes())));
            verifier.verify_new(&engine, &token, position).await
        }))
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
            Engines::One(engine) => f
                .debug_struct("Verifier")
                .field("keys", &engine.keys)
                .field("algorithms", &engine.algorithms)
                .field("rules", &engine.rules)
                .field("max_token_len", &engine.max_token_len)
                .finish_non_exhaustive(),
            #[cfg(feature = "remote")]
            Engines::ByIssuer(engines) => f.debug_tuple("Verifier").field(engines).finish(),
        }
    }
}
