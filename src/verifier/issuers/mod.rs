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
use crate::{claims::RegisteredClaims, error::ConfigError, observe::Observers};

/// A set of issuers, each with its own keys, audience and rules, and all with the same
/// claims type `C`; cheap to clone.
///
/// # Rules
///
/// 1. The token's unverified `iss` picks the verifier. The verifier then checks everything,
///    including `iss`, with its own keys only (RFC 8725 §3.8). A key of one issuer never
///    verifies tokens of another, whatever its `kid`.
/// 2. An issuer that is not in the table is refused, and nothing is fetched for it.
/// 3. Issuers can be added and removed while requests are served. A request takes no lock,
///    and uses its issuer's verifier as it was at one moment. The cost of either does not
///    depend on the number of issuers.
/// 4. All issuers share one cache of verified tokens ([`IssuersBuilder::cache`]). A
///    verifier's tokens are cached if it has a [`Cache`](super::Cache); its own cache stays
///    empty.
/// 5. With [a resolver](IssuersBuilder::resolve), an allowed issuer that is not in the table
///    is resolved once for all requests that wait, and kept for its lifetime. Then it is
///    resolved again, and no request waits for that: until there is an answer, the issuer
///    remains valid, for 24 h at most.
///
/// # Memory
///
/// An issuer takes about 2.1 KB with one HS256 key, of which the key takes 1.3 KB;
/// `docs/performance.md` has the measurement. Memory for its tokens is allocated with the
/// first token.
///
/// # Example: two issuers
/// ```
/// use tower_jwt_auth::{JwtAuthLayer, Key, Verifier, verifier::Issuers};
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
/// # Example: one issuer for each customer
/// ```
/// use tower_jwt_auth::{Key, Verifier, verifier::Issuers};
///
/// # async fn public_key(_: &str) -> Result<Option<String>, std::io::Error> { Ok(None) }
/// type Error = Box<dyn std::error::Error + Send + Sync>;
///
/// // With the feature `remote`, the keys can be `RemoteKeys::discover(&issuer).build().await?`.
/// async fn resolve(issuer: String) -> Result<Option<Verifier>, Error> {
///     let Some(pem) = public_key(&issuer).await? else { return Ok(None) };
///     let builder = Verifier::builder().issuer(issuer).audience("my-client-id");
///     Ok(Some(builder.keys(Key::from_pem(pem)).build()?))
/// }
///
/// let issuers = Issuers::builder()
///     .resolve(["https://login.example.com/{tenant}/v2.0"], resolve)
///     .build()?;
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
pub struct Issuers<C = RegisteredClaims> {
    engines: Arc<IssuerEngines<C>>,
    verifier: Verifier<C>,
}

impl<C: Send + Sync + 'static> Issuers<C> {
    fn with(engines: IssuerEngines<C>, cache: Cache, observers: Observers) -> Self {
        let engines = Arc::new(engines);
        let verifier = Verifier::new(Engines::ByIssuer(Arc::clone(&engines)), cache, observers);
        Self { engines, verifier }
    }

    /// Adds a verifier for each issuer that it trusts, and replaces the present verifiers of
    /// these issuers.
    ///
    /// # Errors
    ///
    /// Returns an error if the verifier trusts any issuer, is itself one of several issuers, or checks
    /// other proofs of senders than [`IssuersBuilder::dpop`] and [`IssuersBuilder::mutual_tls`] say.
    pub fn add(&self, verifier: Verifier<C>) -> Result<(), ConfigError> {
        let engine = verifier.engine();
        let issuers = engine.and_then(|engine| Some((engine, engine.issuers()?)));
        let (engine, issuers) = issuers.ok_or(ConfigError::InvalidName(
            "a verifier among several is picked by its issuer, name it with `.issuer(…)`",
        ))?;
        engine.checks.bindings.check_among(self.engines.proofs())?;
        engine.observe(self.verifier.observers(), None);
        self.engines.add(issuers, engine);
        Ok(())
    }

    /// Removes an issuer, and returns whether it was present. Its tokens are then refused,
    /// unless there is a resolver, which is then called again.
    pub fn remove(&self, issuer: &str) -> bool {
        self.engines.remove(issuer)
    }

    /// Returns the present issuers, in no particular order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.engines.names()
    }

    /// Returns the verifier of one issuer, such as for the status of its keys. It caches no
    /// tokens.
    #[must_use]
    pub fn get(&self, issuer: &str) -> Option<Verifier<C>> {
        let engine = self.engines.get(issuer)?;
        let observers = self.verifier.observers().clone();
        Some(Verifier::new(Engines::One(engine), Cache::off(), observers))
    }

    /// Returns one verifier for all issuers, to pass to a [`JwtAuthLayer`](crate::JwtAuthLayer).
    /// Issuers that are added or removed later take effect in it, too.
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
