//! What is set of several issuers.

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
    verifier::{Cache, Verifier, limits::check_token_len},
};

/// Builds [`Issuers`] that are resolved when they are needed.
///
/// # Defaults
///
/// - resolver: none
/// - a resolved issuer is kept for 1 h, at most 10,000 of them
/// - length of a token: at most 8 KiB, and what the issuer's own verifier says
/// - cache of verified tokens: at most 16 MiB for all issuers
/// - clock: that of the system
#[must_use = "a builder does nothing until it is built"]
pub struct IssuersBuilder<C> {
    resolver: Result<Option<Resolver<C>>, ConfigError>,
    known: Option<IsKnown>,
    limits: ResolverLimits,
    max_token_len: usize,
    clock: Box<dyn Clock>,
    cache: Cache,
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
        }
    }

    /// Asks `resolve` for the verifier of an issuer that is not in the table, if it is one
    /// of those that are `allowed`, each as an [`IssuerPattern`] is written.
    ///
    /// It answers with a verifier that trusts the issuer; with `None` for one that it
    /// does not know, which is refused, and not asked for again for a minute, unless
    /// [`Issuers::remove`] is called with it, such as after a sign-up; or with an error,
    /// for which the answer is 503. It has 5 s.
    ///
    /// # Security
    ///
    /// Anybody can make up names that a pattern with braces allows. At most 16 names
    /// that are not in the table are asked for at a time; others are answered 503 meanwhile.
    /// So a spray of made-up names keeps new issuers out, unless [`known`](Self::known) tells
    /// them apart. Look the name up among your customers before you fetch anything for it.
    pub fn resolve<P, F, Fut, E>(mut self, allowed: P, resolve: F) -> Self
    where
        P: IntoIterator<Item: Into<String>>,
        F: Fn(String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<Verifier<C>>, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>> + 'static,
    {
        let allowed: Result<Vec<_>, _> = allowed.into_iter().map(IssuerPattern::new).collect();
        // The table keeps engines and not verifiers, so here the one becomes the other.
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

    /// Asks `known` whether an issuer may be one, such as a set of customers in memory, before
    /// the [resolver](Self::resolve) is asked. It answers at once; what it does not know is
    /// refused with 401, and takes no place from others. Default: all that are allowed may be.
    ///
    /// # Example: customers by name
    /// ```
    /// # use std::{collections::HashSet, sync::{Arc, RwLock}};
    /// # use tower_jwt_auth::{RegisteredClaims, Verifier, verifier::Issuers};
    /// # async fn tenant(_: String) -> std::io::Result<Option<Verifier<RegisteredClaims>>> { Ok(None) }
    /// let customers = Arc::new(RwLock::new(HashSet::from(["https://login.example.com/a".to_owned()])));
    /// let issuers = Issuers::<RegisteredClaims>::builder()
    ///     .resolve(["https://login.example.com/{tenant}"], tenant)
    ///     .known(move |issuer| customers.read().is_ok_and(|all| all.contains(issuer)))
    ///     .build()?;
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn known(mut self, known: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.known = Some(Box::new(known));
        self
    }

    /// For how long a resolved issuer is kept before it is asked for again: how long one
    /// still serves that the resolver does not know any more. Default: 1 h.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.limits.lifetime = lifetime;
        self
    }

    /// How many resolved issuers are kept. Where there are as many, a new one is resolved for
    /// each of its tokens, and an event says so. None that is kept has to go before its
    /// lifetime is over.
    /// Default: 10,000.
    pub fn max_resolved(mut self, most: usize) -> Self {
        self.limits.max_resolved = most;
        self
    }

    /// How long a token may be whose issuer is looked for, in bytes. Default: 8192; at
    /// most 65536.
    pub fn max_token_len(mut self, bytes: usize) -> Self {
        self.max_token_len = bytes;
        self
    }

    /// Takes the time by which issuers are kept from this clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// How much memory is taken for tokens that were verified, of all issuers together, or
    /// that none is. Default: 16 MiB.
    pub fn cache(mut self, cache: Cache) -> Self {
        self.cache = cache;
        self
    }

    /// Builds the issuers: an empty table.
    ///
    /// # Errors
    ///
    /// A pattern is malformed, or a number is not sensible.
    pub fn build(self) -> Result<Issuers<C>, ConfigError> {
        let Self { resolver, known, limits, max_token_len, clock, cache } = self;
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
        }
        Ok(Issuers::with(IssuerEngines::new(resolver, max_token_len, clock), cache))
    }
}

impl<C> Issuers<C> {
    /// No issuers yet.
    #[must_use]
    pub fn new() -> Self {
        let IssuersBuilder { max_token_len, clock, cache, .. } = IssuersBuilder::<C>::new();
        Self::with(IssuerEngines::new(None, max_token_len, clock), cache)
    }

    /// A builder, for issuers that are resolved when they are needed.
    pub fn builder() -> IssuersBuilder<C> {
        IssuersBuilder::new()
    }
}

impl<C> Default for Issuers<C> {
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
