//! What is set of several issuers.

use std::{error::Error as StdError, fmt, future::Future, sync::Arc, time::Duration};

use super::{
    IssuerPattern, Issuers, Tenants,
    resolve::{IsKnown, Resolve, Resolver},
    table::Table,
};
use crate::{
    clock::{Clock, SystemClock},
    error::ConfigError,
    verifier::{Cache, Engines, Verifier, builder::check_token_len},
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
    resolve: Resolve,
    max_token_len: usize,
    clock: Box<dyn Clock>,
    cache: Cache,
}

impl<C> IssuersBuilder<C> {
    pub(super) fn new() -> Self {
        Self {
            resolver: Ok(None),
            known: None,
            resolve: Resolve::default(),
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
        self.resolver = allowed.map(|allowed| Some(Resolver::new(allowed, resolve)));
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
        self.resolve.lifetime = lifetime;
        self
    }

    /// How many resolved issuers are kept. Where there are as many, a new one is resolved for
    /// each of its tokens, and an event says so. None that is kept has to go before its
    /// lifetime is over.
    /// Default: 10,000.
    pub fn max_resolved(mut self, most: usize) -> Self {
        self.resolve.most = most;
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

    /// The issuers: none yet.
    ///
    /// # Errors
    ///
    /// A pattern is malformed, or a number is not sensible.
    pub fn build(mut self) -> Result<Issuers<C>, ConfigError> {
        if let Some(resolver) = std::mem::replace(&mut self.resolver, Ok(None))? {
            if resolver.allows_none() {
                return Err(ConfigError::InvalidName(
                    "no issuer may be resolved, name one such as \
                     `https://login.example.com/{tenant}`",
                ));
            }
            self.resolver = Ok(Some(resolver));
        } else if self.known.is_some() {
            return Err(ConfigError::InvalidName(
                "`.known(…)` says which issuers may be resolved, and there is no resolver: say \
                 `.resolve(…)`, too",
            ));
        }
        if self.resolve.lifetime < Duration::from_secs(1) || self.resolve.most == 0 {
            return Err(ConfigError::OutOfRange(
                "a resolved issuer is kept for at least 1 s, and at least one of them",
            ));
        }
        check_token_len(self.max_token_len)?;
        self.cache.check()?;
        Ok(self.issuers())
    }

    pub(super) fn issuers(self) -> Issuers<C> {
        let mut resolver = self.resolver.ok().flatten();
        if let Some(resolver) = &mut resolver {
            resolver.resolve = self.resolve;
            resolver.known = self.known;
        }
        let tenants = Arc::new(Tenants {
            table: Table::new(),
            resolver,
            max_token_len: self.max_token_len,
            clock: self.clock,
        });
        let verifier = Verifier::new(Engines::Tenants(Arc::clone(&tenants)), self.cache);
        Issuers { tenants, verifier }
    }
}

impl<C> fmt::Debug for IssuersBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuersBuilder")
            .field("resolver", &self.resolver)
            .field("resolve", &self.resolve)
            .finish_non_exhaustive()
    }
}
