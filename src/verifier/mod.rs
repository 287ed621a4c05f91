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

mod binding;
mod builder;
mod cache;
mod claims;
#[cfg(feature = "remote")]
mod issuers;
mod names;
mod pipeline;
mod revoked;
mod rule;
mod wait;

use std::{fmt, sync::Arc};

use serde::de::DeserializeOwned;

#[cfg(feature = "remote")]
pub use self::issuers::{IssuerPattern, Issuers, IssuersBuilder};
use self::{binding::Bindings, cache::Verdict, pipeline::Failure, rule::UserRules, wait::Look};
pub use self::{
    builder::{DangerousVerifierBuilder, VerifierBuilder},
    cache::Cache,
    claims::Claims,
    rule::RuleError,
};
#[cfg(feature = "remote")]
use crate::keys::remote::RemoteKeys;
use crate::{
    alg::AlgorithmSet,
    claims::RegisteredClaims,
    clock::Clock,
    error::Error,
    hotset::{HotSet, Place},
    keys::Sources,
    revocation::Revocations,
    rules::Rules,
    step::Step,
};

/// Verifies tokens and gives their claims as a `C`; cheap to clone.
///
/// `C` is read from the claims as an object: a struct or a map. Where the
/// application has no type of its own, [`RegisteredClaims`] is one; `()` is none,
/// and no token fits it.
///
/// See the [module docs](self) for what is checked, and when.
pub struct Verifier<C = RegisteredClaims>(Arc<Kind<C>>);

/// Whose tokens are verified.
#[allow(clippy::large_enum_variant, reason = "there is one of it, in an `Arc`")]
enum Kind<C> {
    /// Those of issuers that share keys and rules.
    One(Config<C>),
    /// Those of issuers that each have their own.
    #[cfg(feature = "remote")]
    Many(Issuers<C>),
}

struct Config<C> {
    keys: Sources,
    algorithms: AlgorithmSet,
    rules: Rules,
    /// Whose tokens are taken; of all if there are none.
    clients: Box<[String]>,
    user_rules: UserRules<C>,
    bindings: Bindings,
    revocations: Revocations,
    max_token_len: usize,
    clock: Box<dyn Clock>,
    cache: Option<HotSet<Verdict<C>>>,
}

impl<C> Verifier<C> {
    /// A builder, which asks for a key, an issuer and an audience at the least.
    pub fn builder() -> VerifierBuilder<C> {
        VerifierBuilder::new()
    }

    fn of(config: Config<C>) -> Self {
        Self(Arc::new(Kind::One(config)))
    }

    /// What is configured; of several issuers, each has its own.
    #[inline]
    fn config(&self) -> Option<&Config<C>> {
        match &*self.0 {
            Kind::One(config) => Some(config),
            #[cfg(feature = "remote")]
            Kind::Many(_) => None,
        }
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
        self.config().map_or(&[], |config| config.keys.remote())
    }
}

impl<C: DeserializeOwned + Send + Sync + 'static> Verifier<C> {
    /// Verifies one token in compact form, without a scheme in front of it.
    ///
    /// The answer is [`Step::Ready`] unless everything passed and there are
    /// asynchronous rules, or the token's key is not known and may come: then a look
    /// for it is under way.
    ///
    /// # Errors
    ///
    /// The first check that failed; see the [module docs](self).
    pub fn verify(&self, token: &str) -> Step<Result<Claims<C>, Error>> {
        self.verify_found(token.as_bytes(), || Ok(token))
    }

    /// Verifies what was found where a token is to be. What it is made of is of interest
    /// only where it is not known: then `text` looks.
    #[inline]
    pub(crate) fn verify_found<'t>(
        &self,
        found: &[u8],
        text: impl FnOnce() -> Result<&'t str, Error>,
    ) -> Step<Result<Claims<C>, Error>> {
        match &*self.0 {
            Kind::One(config) => {
                let cache = config.cache.as_ref().map(|cache| (cache, cache.place(found)));
                let known = cache.and_then(|(cache, place)| {
                    cache.find(place, found, |verdict| self.recall(config, verdict)).flatten()
                });
                known.unwrap_or_else(|| match text() {
                    Ok(token) => self.verify_unknown(config, token, cache),
                    Err(error) => Step::Ready(Err(error)),
                })
            }
            #[cfg(feature = "remote")]
            Kind::Many(issuers) => issuers.verify(found, text),
        }
    }

    /// Verifies a token that is not known, and keeps it.
    fn verify_unknown(
        &self,
        config: &Config<C>,
        token: &str,
        cache: Option<(&HotSet<Verdict<C>>, Place)>,
    ) -> Step<Result<Claims<C>, Error>> {
        let claim = || {
            let (cache, place) = cache?;
            Some((cache, (place, cache.claim(place, token)?)))
        };
        self.verify_anew(config, token, claim, |(cache, claim), verdict| {
            let (bytes, is_over) = (verdict.bytes(), |old: &_| config.is_over(old));
            cache.insert(claim, token, verdict, bytes, is_over);
        })
    }

    /// Verifies a token for whoever keeps the verified ones of several verifiers. One that
    /// keeps none by itself has none kept here either.
    #[cfg(feature = "remote")]
    fn verify_among_others<K>(
        &self,
        token: &str,
        claim: impl FnOnce() -> Option<K>,
        keep: impl FnOnce(K, Verdict<C>),
    ) -> Step<Result<Claims<C>, Error>> {
        match self.config() {
            Some(config) if config.cache.is_some() => self.verify_anew(config, token, claim, keep),
            _ => self.verify(token),
        }
    }

    /// Verifies a token that is not known; what is found of one that passes and has a `claim`
    /// to it is to `keep`.
    #[inline]
    fn verify_anew<K>(
        &self,
        config: &Config<C>,
        token: &str,
        claim: impl FnOnce() -> Option<K>,
        keep: impl FnOnce(K, Verdict<C>),
    ) -> Step<Result<Claims<C>, Error>> {
        match pipeline::verify(config, token) {
            Ok((claims, generation)) => {
                let Some(claim) = claim() else { return self.finish(config, claims) };
                let verdict = Verdict::new(&claims, generation);
                let answer = self.finish(config, claims);
                if !matches!(answer, Step::Ready(Err(_))) {
                    keep(claim, verdict);
                }
                answer
            }
            Err(Failure::Final(error)) => Step::Ready(Err(error)),
            Err(Failure::Undecided(error, places)) => {
                self.look_for_keys(config, token, Look { error, places, waited: None })
            }
        }
    }
}

impl<C> Clone for Verifier<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C> fmt::Debug for Verifier<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::One(config) => f
                .debug_struct("Verifier")
                .field("keys", &config.keys)
                .field("algorithms", &config.algorithms)
                .field("rules", &config.rules)
                .field("max_token_len", &config.max_token_len)
                .finish_non_exhaustive(),
            #[cfg(feature = "remote")]
            Kind::Many(issuers) => f.debug_tuple("Verifier").field(issuers).finish(),
        }
    }
}
