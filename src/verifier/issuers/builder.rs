//! The builder of a table of issuers.

use std::{error::Error as StdError, fmt, future::Future, time::Duration};

use super::{
    Issuers,
    engines::IssuerEngines,
    pattern::IssuerPattern,
    resolve::{Answer, IsKnown, Resolver, ResolverLimits},
};
use crate::{
    clock::{Clock, SystemClock},
    error::ConfigError,
    maybe_ready::MaybeReady,
    observe::{Observer, Observers},
    proof::{DPoP, MutualTls},
    verifier::{Cache, Proofs, Verifier, limits::check_token_len},
};

/// Builds [`Issuers`], which can be resolved on demand.
///
/// # Defaults
///
/// - resolver: none
/// - resolved issuers: kept for 1 h, at most 10,000
/// - length of a token: at most 8 KiB, and at most the limit of the issuer's verifier
/// - cache of verified tokens: at most 16 MiB for all issuers
/// - clock: that of the system
/// - observers: none
#[must_use = "a builder does nothing until it is built"]
pub struct IssuersBuilder<C> {
    resolver: Result<Option<Resolver<C>>, ConfigError>,
    known: Option<IsKnown>,
    limits: ResolverLimits,
    max_token_len: usize,
    clock: Box<dyn Clock>,
    cache: Cache,
    log_unverified: bool,
    observers: Observers,
    proofs: Proofs,
}

impl<C> IssuersBuilder<C> {
    fn new() -> Self {
        Self {
            resolver: Ok(None),
            known: None,
            limits: ResolverLimits::default(),
            max_token_len: 8 * 1024,
            clock: Box::new(SystemClock),
            cache: Cache::default(),
            log_unverified: false,
            observers: Observers::default(),
            proofs: Proofs::default(),
        }
    }

    /// Resolves issuers that are not in the table with this function, if they match one of
    /// the `allowed` patterns (see [`IssuerPattern`]).
    ///
    /// The function returns one of these within 5 s:
    ///
    /// - A verifier that trusts the issuer.
    /// - `None` if the issuer is unknown. Its tokens are refused, and the function is not
    ///   asked again for a minute. After a sign-up, call [`Issuers::remove`] with the issuer
    ///   to have it asked at once.
    /// - An error. The request is answered 503.
    ///
    /// It runs on the tokio runtime of the request, which must have a timer (`enable_all` or
    /// `enable_time`). Without one, the request is answered 503; with `panic = "abort"`, the
    /// process ends.
    ///
    /// # Security
    ///
    /// Anybody can make up issuers that match a pattern with braces. At most 16 issuers that
    /// are not in the table are resolved at a time, and at most 20 in vain within 5 s: the
    /// function does not know them, or fails. Tokens of others are then answered 503. So a
    /// flood of made-up issuers keeps new ones out, unless [`known`](Self::known) rejects them;
    /// the issuers that it accepts do not count. In the function, look up the issuer among your
    /// customers before you fetch anything for it.
    ///
    /// If a pattern has braces in the host, as in `https://{tenant}.example.com`, set `known`, too.
    /// Otherwise a fetch for a made-up issuer asks the DNS, and connects to a host that a
    /// stranger has named.
    pub fn resolve<P, F, Fut, E>(mut self, allowed: P, resolve: F) -> Self
    where
        P: IntoIterator<Item: Into<String>>,
        F: Fn(String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<Verifier<C>>, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>> + 'static,
    {
        let allowed: Result<Vec<_>, _> = allowed.into_iter().map(IssuerPattern::new).collect();
        // The table keeps engines and not verifiers: the conversion is here.
        let function = move |issuer| {
            let answer = resolve(issuer);
            MaybeReady::pending(async move {
                match answer.await {
                    Ok(Some(verifier)) => Answer::Verifier(verifier.engine().cloned()),
                    Ok(None) => Answer::Unknown,
                    Err(cause) => Answer::Failed(cause.into()),
                }
            })
        };
        self.resolver = allowed.map(|allowed| Some(Resolver::new(allowed, Box::new(function))));
        self
    }

    /// Refuses issuers for which this function returns `false`, before the
    /// [resolver](Self::resolve) is asked. Use it with a set of customers in memory. A refused
    /// issuer is answered 401 and does not count among those that are resolved. Default: no
    /// filter.
    ///
    /// # Example: customers by name
    /// ```
    /// # use std::{collections::HashSet, sync::{Arc, RwLock}};
    /// # use tower_jwt_auth::{Verifier, verifier::Issuers};
    /// # async fn resolve(_: String) -> std::io::Result<Option<Verifier>> { Ok(None) }
    /// let customers = Arc::new(RwLock::new(HashSet::from(["https://login.example.com/a".to_owned()])));
    /// let issuers = Issuers::builder()
    ///     .resolve(["https://login.example.com/{tenant}"], resolve)
    ///     .known(move |issuer| customers.read().is_ok_and(|all| all.contains(issuer)))
    ///     .build()?;
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn known(mut self, known: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.known = Some(Box::new(known));
        self
    }

    /// Sets how long a resolved issuer is kept before it is resolved again. An issuer that
    /// the resolver no longer knows remains valid for up to this time. Default: 1 h.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.limits.lifetime = lifetime;
        self
    }

    /// Sets how many resolved issuers are kept. If there are as many, a new issuer is resolved
    /// again for each of its tokens, and an event says so. No issuer is evicted before its
    /// lifetime is over. Default: 10,000.
    pub fn max_resolved(mut self, most: usize) -> Self {
        self.limits.max_resolved = most;
        self
    }

    /// Sets the maximum length of a token, in bytes. The limit of the issuer's verifier
    /// applies, too. Default: 8192; at most 65536.
    pub fn max_token_len(mut self, bytes: usize) -> Self {
        self.max_token_len = bytes;
        self
    }

    /// Sets the clock that decides how long issuers are kept.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Sets the size of the cache of verified tokens, for all issuers together, or turns it
    /// off. Default: 16 MiB.
    pub fn cache(mut self, cache: Cache) -> Self {
        self.cache = cache;
        self
    }

    /// Shows in events the issuer of a token that is refused because its issuer is unknown. Nobody
    /// has verified it: see
    /// [`VerifierBuilder::log_unverified`](crate::verifier::VerifierBuilder::log_unverified).
    /// Default: it is not shown.
    pub fn log_unverified(mut self) -> Self {
        self.log_unverified = true;
        self
    }

    /// Has layers take `Authorization: DPoP`, and ask for proofs. Give a clone to the verifier of each
    /// issuer that binds tokens to a key, too: see
    /// [`VerifierBuilder::dpop`](crate::verifier::VerifierBuilder::dpop). In the mode
    /// [`required`](DPoP::required), each verifier must have it; another one is an error. Default: none.
    pub fn dpop(mut self, dpop: DPoP) -> Self {
        self.proofs.dpop = Some(dpop);
        self
    }

    /// Has layers look at the client certificate. Give a clone to the verifier of each issuer that binds
    /// tokens to a certificate, too: see
    /// [`VerifierBuilder::mutual_tls`](crate::verifier::VerifierBuilder::mutual_tls). Default: none.
    pub fn mutual_tls(mut self, mutual_tls: MutualTls) -> Self {
        self.proofs.mutual_tls = Some(mutual_tls);
        self
    }

    /// Adds an observer of the decisions on all tokens, and of the keys of all issuers; see
    /// [`observe`](crate::observe). Give it here, and not to the verifiers of a
    /// [resolver](Self::resolve): then their keys are reported under the pattern that their issuer
    /// matches, and not under its name, so that the number of names stays small. Default: none.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers.add(observer);
        self
    }
}

impl<C: Send + Sync + 'static> IssuersBuilder<C> {
    /// Builds an empty table of issuers.
    ///
    /// # Errors
    ///
    /// Returns an error if a pattern is malformed, or a number is out of range.
    pub fn build(self) -> Result<Issuers<C>, ConfigError> {
        let Self { resolver, known, limits, max_token_len, clock, cache, .. } = self;
        let (log_unverified, observers, proofs) =
            (self.log_unverified, self.observers, self.proofs);
        let mut resolver = resolver?;
        match &resolver {
            Some(resolver) if resolver.allows_none() => {
                return Err(ConfigError::InvalidName(
                    "no issuer may be resolved, name one such as \
                     `https://login.example.com/{tenant}`",
                ));
            }
            None if known.is_some() => {
                return Err(ConfigError::InvalidName(
                    "`.known(…)` says which issuers may be resolved, and there is no resolver: say \
                     `.resolve(…)`, too",
                ));
            }
            _ => {}
        }
        if limits.lifetime < Duration::from_secs(1) || limits.max_resolved == 0 {
            return Err(ConfigError::OutOfRange(
                "a resolved issuer is kept for at least 1 s, and at least one of them",
            ));
        }
        check_token_len(max_token_len)?;
        cache.check()?;
        if let Some(resolver) = &mut resolver {
            (resolver.known, resolver.limits) = (known, limits);
            resolver.observers = observers.clone();
        }
        let engines = IssuerEngines::new(resolver, max_token_len, clock, log_unverified, proofs);
        Ok(Issuers::with(engines, cache, observers))
    }
}

impl<C: Send + Sync + 'static> Issuers<C> {
    /// Creates an empty set of issuers.
    #[must_use]
    pub fn new() -> Self {
        let IssuersBuilder { max_token_len, clock, cache, .. } = IssuersBuilder::<C>::new();
        let engines = IssuerEngines::new(None, max_token_len, clock, false, Proofs::default());
        Self::with(engines, cache, Observers::default())
    }
}

impl<C> Issuers<C> {
    /// Returns a builder, for issuers that are resolved on demand.
    pub fn builder() -> IssuersBuilder<C> {
        IssuersBuilder::new()
    }
}

impl<C: Send + Sync + 'static> Default for Issuers<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> fmt::Debug for IssuersBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuersBuilder")
            .field("resolver", &self.resolver)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
