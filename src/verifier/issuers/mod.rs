//! Several issuers, each with keys, audience and rules of its own.

mod builder;
mod pattern;
mod peek;
mod resolve;
mod table;

use std::{fmt, sync::Arc};

pub(super) use self::table::LoadedTenant;
pub use self::{builder::IssuersBuilder, pattern::IssuerPattern};
use self::{resolve::Resolver, table::Table};
use super::{Cache, Engines, Verifier, engine::Engine, pipeline};
use crate::{
    claims::RegisteredClaims,
    clock::{Clock, unix_seconds},
    error::{ConfigError, Error, ErrorKind},
    token::Compact,
};

/// Issuers that each have keys, audience and rules of their own, and all give the same
/// `C`; cheap to clone.
///
/// # Rules
///
/// 1. The token's `iss`, not verified yet, picks the verifier; that one then checks
///    everything, `iss` included, with its own keys alone (RFC 8725 §3.8). A key of one
///    issuer vouches for no other, whatever its `kid`.
/// 2. An issuer that is not in the table is refused, and nothing is fetched for it.
/// 3. Issuers are added and removed while requests are served. A request takes no lock, and
///    sees its issuer's verifier as it was at one moment. The cost of either does not depend
///    on the number of issuers.
/// 4. Verified tokens are kept together, for all issuers ([`IssuersBuilder::cache`]), of
///    those whose verifiers have a [`Cache`](super::Cache); the verifiers' own caches stay
///    empty.
/// 5. With [a resolver](IssuersBuilder::resolve), an issuer that is not in the table and
///    is allowed by name is asked for, once for all that wait, and kept for a while. Then it
///    is asked for again, and no request waits for that: until there is an answer, the
///    issuer serves on, for 24 h at most.
///
/// # Memory
///
/// An issuer takes about 2.1 KB with one HS256 key, of which the key takes 1.3 KB;
/// `docs/performance.md` has the measurement. Nothing is allocated for its tokens before the
/// first one comes.
///
/// # Example: two issuers
/// ```
/// use tower_jwt_auth::{JwtAuthLayer, Key, RegisteredClaims, Verifier, verifier::Issuers};
///
/// let verifier = |issuer, secret: [u8; 32]| {
///     Verifier::builder()
///         .issuer(issuer)
///         .audience("https://api.example.com")
///         .keys(Key::hs256(secret))
///         .build()
/// };
/// let issuers = Issuers::new();
/// issuers.add(verifier("https://login.example.com", [1; 32])?)?;
/// issuers.add(verifier("https://partner.example.org", [2; 32])?)?;
/// let layer = JwtAuthLayer::new(issuers.verifier());
///
/// // Later, while the layer serves:
/// assert!(issuers.remove("https://partner.example.org"));
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
///
/// # Example: a tenant for each customer
/// ```
/// use tower_jwt_auth::{RegisteredClaims, RemoteKeys, Verifier, verifier::Issuers};
///
/// # async fn is_customer(_: &str) -> Result<bool, std::io::Error> { Ok(true) }
/// type Error = Box<dyn std::error::Error + Send + Sync>;
///
/// async fn tenant(issuer: String) -> Result<Option<Verifier<RegisteredClaims>>, Error> {
///     if !is_customer(&issuer).await? {
///         return Ok(None);
///     }
///     let keys = RemoteKeys::discover(&issuer).build().await?;
///     Ok(Some(Verifier::builder().audience("my-client-id").keys(keys).build()?))
/// }
///
/// let issuers = Issuers::<RegisteredClaims>::builder()
///     .resolve(["https://login.example.com/{tenant}/v2.0"], tenant)
///     .build()?;
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
pub struct Issuers<C = RegisteredClaims> {
    tenants: Arc<Tenants<C>>,
    verifier: Verifier<C>,
}

/// The engines of several issuers.
pub(super) struct Tenants<C> {
    table: Table<C>,
    resolver: Option<Resolver<C>>,
    max_token_len: usize,
    clock: Box<dyn Clock>,
}

impl<C> Issuers<C> {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        IssuersBuilder::new().issuers()
    }

    /// A builder, for issuers that are resolved when they are needed.
    pub fn builder() -> IssuersBuilder<C> {
        IssuersBuilder::new()
    }

    /// Adds a verifier, for each of the issuers that it trusts; it takes the place of
    /// the one that was there for that issuer.
    ///
    /// # Errors
    ///
    /// It trusts any issuer, or is itself one of several.
    pub fn add(&self, verifier: Verifier<C>) -> Result<(), ConfigError> {
        let engine = verifier.engine();
        let issuers = engine.and_then(|engine| Some((engine, engine.issuers()?)));
        let (engine, issuers) = issuers.ok_or(ConfigError::InvalidName(
            "a verifier among several is picked by its issuer, name it with `.issuer(…)`",
        ))?;
        self.tenants.table.add(issuers, engine);
        Ok(())
    }

    /// Removes an issuer, and says whether it was there. From then on its tokens are
    /// refused; where there is a resolver, it is asked again.
    pub fn remove(&self, issuer: &str) -> bool {
        if let Some(resolver) = &self.tenants.resolver {
            resolver.forget(issuer);
        }
        self.tenants.table.remove(issuer)
    }

    /// The issuers that are there, in no order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.tenants.table.names()
    }

    /// The verifier of one issuer, such as for the status of its keys. It keeps no tokens.
    #[must_use]
    pub fn get(&self, issuer: &str) -> Option<Verifier<C>> {
        let engine = self.tenants.get(issuer)?;
        Some(Verifier::new(Engines::One(engine), Cache::off()))
    }

    /// One verifier for all of them, for a [`JwtAuthLayer`](crate::JwtAuthLayer): it
    /// sees those that come and go later, too.
    #[must_use]
    pub fn verifier(&self) -> Verifier<C> {
        self.verifier.clone()
    }
}

impl<C> Tenants<C> {
    fn now(&self) -> i64 {
        unix_seconds(self.clock.now())
    }

    /// The issuer that a token says it has: good to pick who verifies it, and nothing else.
    pub(super) fn issuer_of(&self, token: &str) -> Result<Box<str>, Error> {
        pipeline::unverified_issuer(Compact::parse(token, self.max_token_len)?)
    }

    /// The engine of an issuer, if it is known.
    pub(super) fn get(&self, issuer: &str) -> Option<Arc<Engine<C>>> {
        self.table.get(issuer)
    }

    /// The refusal of an issuer that is not trusted.
    #[cold]
    fn unknown() -> Error {
        ErrorKind::Issuer.into()
    }
}

impl<C: Send + Sync + 'static> Tenants<C> {
    /// The engine of an issuer, if it is known. One that is to be resolved again serves on
    /// meanwhile.
    #[inline]
    pub(super) fn load(self: &Arc<Self>, issuer: &str) -> Option<LoadedTenant<C>> {
        let found = self.table.find(issuer, || self.now())?;
        if found.is_old {
            self.renew(issuer);
        }
        Some(found.tenant)
    }
}

impl<C> Engine<C> {
    /// The issuers that are trusted; none where any is.
    pub(super) fn issuers(&self) -> Option<&[Arc<str>]> {
        self.checks.rules.issuers.as_deref()
    }

    /// An issuer by the name that it has here, if it is one of those that are named.
    fn named(&self, issuer: &str) -> Option<&Arc<str>> {
        self.issuers()?.iter().find(|own| ***own == *issuer)
    }
}

impl<C> Verifier<C> {
    /// The engine; none if each issuer has its own.
    fn engine(&self) -> Option<&Arc<Engine<C>>> {
        match &self.0.engines {
            Engines::One(engine) => Some(engine),
            Engines::Tenants(_) => None,
        }
    }
}

impl<C> Default for Issuers<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> Clone for Issuers<C> {
    fn clone(&self) -> Self {
        Self { tenants: Arc::clone(&self.tenants), verifier: self.verifier.clone() }
    }
}

impl<C> fmt::Debug for Issuers<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tenants.fmt(f)
    }
}

impl<C> fmt::Debug for Tenants<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuers")
            .field("names", &self.table.names())
            .field("resolver", &self.resolver)
            .finish_non_exhaustive()
    }
}
