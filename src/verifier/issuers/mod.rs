//! Several issuers, each with keys, audience and rules of its own.

mod builder;
mod known;
mod pattern;
mod peek;
mod resolve;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arc_swap::ArcSwap;
use serde::de::DeserializeOwned;

pub use self::{builder::IssuersBuilder, pattern::IssuerPattern};
use self::{
    known::Known,
    resolve::{Resolve, Resolver},
};
use super::{Claims, Kind, Verifier};
use crate::{
    claims::RegisteredClaims,
    clock::{Clock, unix_seconds},
    error::{ConfigError, Error, ErrorKind},
    hotset::HotSet,
    rules::seconds,
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
/// 3. Issuers are added and removed while requests are served: each request sees them
///    as they were at one moment, without a lock.
/// 4. Verified tokens are kept together, for all issuers ([`IssuersBuilder::cache`]), of
///    those whose verifiers have a [`Cache`](super::Cache); the verifiers' own caches stay
///    empty.
/// 5. With [a resolver](IssuersBuilder::resolve), an issuer that is not in the table and
///    is allowed by name is asked for, once for all that wait, and kept for a while. Then it
///    is asked for again, and no request waits for that: until there is an answer, the
///    issuer serves on, for 24 h at most.
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
    table: ArcSwap<HashMap<Box<str>, Entry<C>>>,
    /// Who changes the table holds this; how often it was changed by hand.
    changes: Mutex<u64>,
    resolver: Option<Resolver<C>>,
    max_token_len: usize,
    clock: Box<dyn Clock>,
    /// The tokens of all of them.
    cache: Option<HotSet<Known<C>>>,
}

struct Entry<C> {
    verifier: Verifier<C>,
    /// When it is to be resolved again, in seconds since 1970; never if it was added
    /// by hand.
    until: Option<i64>,
}

impl<C> Entry<C> {
    /// Whether it is not to be used any more, resolved again or not.
    fn is_over(&self, now: i64) -> bool {
        self.until.is_some_and(|until| now >= until.saturating_add(GRACE))
    }
}

/// How an issuer is found.
enum Found<'t, C> {
    Fresh(&'t Verifier<C>),
    /// To be resolved again.
    Old(&'t Verifier<C>),
    Missing,
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
        let issuers: Vec<Box<str>> = issuers.to_vec();
        self.change(|table| {
            for issuer in issuers {
                table.insert(issuer, Entry { verifier: verifier.clone(), until: None });
            }
        });
        Ok(())
    }

    /// Removes an issuer, and says whether it was there. From then on its tokens are
    /// refused; where there is a resolver, it is asked again.
    pub fn remove(&self, issuer: &str) -> bool {
        if let Some(resolver) = &self.0.resolver {
            resolver.forget(issuer);
        }
        self.change(|table| table.remove(issuer).is_some())
    }

    /// The issuers that are there, in no order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.0.table.load().keys().map(|issuer| issuer.to_string()).collect()
    }

    /// The verifier of one issuer, such as for the status of its keys.
    #[must_use]
    pub fn get(&self, issuer: &str) -> Option<Verifier<C>> {
        self.0.table.load().get(issuer).map(|entry| entry.verifier.clone())
    }

    /// One verifier for all of them, for a [`JwtAuthLayer`](crate::JwtAuthLayer): it
    /// sees those that come and go later, too.
    #[must_use]
    pub fn verifier(&self) -> Verifier<C> {
        Verifier(Arc::new(Kind::Many(self.clone())))
    }

    /// Changes a copy of the table, and puts it in place of the old one.
    fn change<T>(&self, change: impl FnOnce(&mut HashMap<Box<str>, Entry<C>>) -> T) -> T {
        let mut changes = self.0.changes();
        *changes = changes.wrapping_add(1);
        self.0.replace(change)
    }
}

impl<C: DeserializeOwned + Send + Sync + 'static> Issuers<C> {
    /// Hands the token to the verifier of its issuer.
    fn route(&self, token: &str) -> Step<Result<Claims<C>, Error>> {
        let issuer = match peek::issuer(token, self.0.max_token_len) {
            Ok(issuer) => issuer,
            Err(error) => return Step::Ready(Err(error)),
        };
        let table = self.0.table.load();
        match self.0.find(&table, &issuer) {
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

    /// How often the table was changed by hand.
    fn age(&self) -> u64 {
        *self.changes()
    }

    fn find<'t>(&self, table: &'t HashMap<Box<str>, Entry<C>>, issuer: &str) -> Found<'t, C> {
        let Some(entry) = table.get(issuer) else { return Found::Missing };
        // One that was added by hand asks for no time.
        let Some(until) = entry.until else { return Found::Fresh(&entry.verifier) };
        let now = self.now();
        if entry.is_over(now) {
            Found::Missing
        } else if now >= until {
            Found::Old(&entry.verifier)
        } else {
            Found::Fresh(&entry.verifier)
        }
    }

    /// Keeps what was resolved, unless an issuer was added or removed since `age`.
    fn keep(&self, issuer: &str, verifier: &Verifier<C>, resolve: &Resolve, age: u64) {
        let changes = self.changes();
        if *changes != age {
            return;
        }
        let now = self.now();
        let until = now.saturating_add(seconds(resolve.lifetime));
        self.replace(|table| {
            table.retain(|_, entry| !entry.is_over(now));
            let resolved = table.iter().filter_map(|(name, entry)| Some((entry.until?, name)));
            if !table.contains_key(issuer)
                && resolved.clone().count() >= resolve.most
                && let Some(first) = resolved.min().map(|(_, name)| name.clone())
            {
                table.remove(&first);
            }
            table.insert(issuer.into(), Entry { verifier: verifier.clone(), until: Some(until) });
        });
    }

    /// The resolver knows it no more; what was added by hand stays.
    fn drop_resolved(&self, issuer: &str, age: u64) {
        let changes = self.changes();
        if *changes == age {
            self.replace(|table| {
                if table.get(issuer).is_some_and(|entry| entry.until.is_some()) {
                    table.remove(issuer);
                }
            });
        }
    }

    fn changes(&self) -> MutexGuard<'_, u64> {
        // A number is whole, whatever happened to who held it.
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called by who holds `changes`.
    fn replace<T>(&self, change: impl FnOnce(&mut HashMap<Box<str>, Entry<C>>) -> T) -> T {
        let mut table = HashMap::clone(&self.table.load());
        let result = change(&mut table);
        self.table.store(Arc::new(table));
        result
    }
}

impl<C> Verifier<C> {
    /// The issuers that are trusted; none where any is, or where there are several
    /// verifiers.
    pub(super) fn issuers(&self) -> Option<&[Box<str>]> {
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

impl<C> Clone for Entry<C> {
    fn clone(&self) -> Self {
        Self { verifier: self.verifier.clone(), until: self.until }
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

/// Seconds for which an issuer serves on that cannot be resolved again.
const GRACE: i64 = 24 * 3600;
