//! Several issuers, each with keys, audience and rules of its own.

mod builder;
mod known;
mod pattern;
mod peek;
mod resolve;
mod table;

use std::{fmt, sync::Arc};

use serde::de::DeserializeOwned;

pub use self::{builder::IssuersBuilder, pattern::IssuerPattern};
use self::{
    known::Known,
    resolve::Resolver,
    table::{Found, Loaded, Table},
};
use super::{Claims, Kind, Verifier};
use crate::{
    claims::RegisteredClaims,
    clock::{Clock, unix_seconds},
    error::{ConfigError, Error, ErrorKind},
    hotset::HotSet,
    step::Step,
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
pub struct Issuers<C = RegisteredClaims>(Arc<Shared<C>>);

struct Shared<C> {
    table: Table<C>,
    resolver: Option<Resolver<C>>,
    max_token_len: usize,
    clock: Box<dyn Clock>,
    /// The tokens of all of them.
    cache: Option<HotSet<Known<C>>>,
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
        let issuers = verifier.issuers().ok_or(ConfigError::InvalidName(
            "a verifier among several is picked by its issuer, name it with `.issuer(…)`",
        ))?;
        self.0.table.add(issuers, &verifier);
        Ok(())
    }

    /// Removes an issuer, and says whether it was there. From then on its tokens are
    /// refused; where there is a resolver, it is asked again.
    pub fn remove(&self, issuer: &str) -> bool {
        if let Some(resolver) = &self.0.resolver {
            resolver.forget(issuer);
        }
        self.0.table.remove(issuer)
    }

    /// The issuers that are there, in no order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.0.table.names()
    }

    /// The verifier of one issuer, such as for the status of its keys.
    #[must_use]
    pub fn get(&self, issuer: &str) -> Option<Verifier<C>> {
        self.0.table.load(issuer)?.as_ref().map(|entry| entry.verifier.clone())
    }

    /// One verifier for all of them, for a [`JwtAuthLayer`](crate::JwtAuthLayer): it
    /// sees those that come and go later, too.
    #[must_use]
    pub fn verifier(&self) -> Verifier<C> {
        Verifier(Arc::new(Kind::Many(self.clone())))
    }
}

impl<C: DeserializeOwned + Send + Sync + 'static> Issuers<C> {
    /// Hands the token to the verifier of its issuer.
    fn route(&self, token: &str) -> Step<Result<Claims<C>, Error>> {
        let issuer = match peek::issuer(token, self.0.max_token_len) {
            Ok(issuer) => issuer,
            Err(error) => return Step::Ready(Err(error)),
        };
        let entry = self.0.table.load(&issuer);
        match self.0.found(&entry) {
            Found::Fresh(verifier) => self.verify_by(verifier, token),
            Found::Old(verifier) => {
                self.renew(&issuer);
                self.verify_by(verifier, token)
            }
            Found::Missing => self.resolve(&issuer, token),
        }
    }
}

impl<C> Shared<C> {
    fn now(&self) -> i64 {
        unix_seconds(self.clock.now())
    }

    fn found<'t>(&self, entry: &'t Option<Loaded<C>>) -> Found<'t, C> {
        let entry = entry.as_ref().and_then(|entry| entry.as_deref());
        entry.map_or(Found::Missing, |entry| entry.found(|| self.now()))
    }
}

impl<C> Verifier<C> {
    /// The issuers that are trusted; none where any is, or where there are several
    /// verifiers.
    pub(super) fn issuers(&self) -> Option<&[Arc<str>]> {
        self.config()?.rules.issuers.as_deref()
    }
}

impl<C> Default for Issuers<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> Clone for Issuers<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C> fmt::Debug for Issuers<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuers")
            .field("names", &self.names())
            .field("resolver", &self.0.resolver)
            .finish_non_exhaustive()
    }
}

impl<C> Issuers<C> {
    /// What is said of an issuer that nobody trusts.
    #[cold]
    fn unknown() -> Error {
        ErrorKind::Issuer.into()
    }
}
