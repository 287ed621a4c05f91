//! Several issuers, each with keys, audience and rules of its own.

mod builder;
mod engines;
mod pattern;
mod peek;
mod resolve;
mod table;

use std::{fmt, sync::Arc};

pub use self::{builder::IssuersBuilder, pattern::IssuerPattern};
pub(super) use self::{engines::IssuerEngines, table::LoadedEngine};
use super::{Cache, Engines, Verifier};
use crate::{claims::RegisteredClaims, error::ConfigError};

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
///     Verifier::<RegisteredClaims>::builder()
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
    engines: Arc<IssuerEngines<C>>,
    verifier: Verifier<C>,
}

impl<C> Issuers<C> {
    fn with(engines: IssuerEngines<C>, cache: Cache) -> Self {
        let engines = Arc::new(engines);
        let verifier = Verifier::new(Engines::ByIssuer(Arc::clone(&engines)), cache);
        Self { engines, verifier }
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
        self.engines.add(issuers, engine);
        Ok(())
    }

    /// Removes an issuer, and says whether it was there. From then on its tokens are
    /// refused; where there is a resolver, it is asked again.
    pub fn remove(&self, issuer: &str) -> bool {
        self.engines.remove(issuer)
    }

    /// The issuers that are there, in no order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.engines.names()
    }

    /// The verifier of one issuer, such as for the status of its keys. It keeps no tokens.
    #[must_use]
    pub fn get(&self, issuer: &str) -> Option<Verifier<C>> {
        let engine = self.engines.get(issuer)?;
        Some(Verifier::new(Engines::One(engine), Cache::off()))
    }

    /// One verifier for all of them, for a [`JwtAuthLayer`](crate::JwtAuthLayer): it
    /// sees those that come and go later, too.
    #[must_use]
    pub fn verifier(&self) -> Verifier<C> {
        self.verifier.clone()
    }
}

impl<C> Clone for Issuers<C> {
    fn clone(&self) -> Self {
        Self { engines: Arc::clone(&self.engines), verifier: self.verifier.clone() }
    }
}

impl<C> fmt::Debug for Issuers<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.engines.fmt(f)
    }
}
