//! Keys from an identity provider, which rotate while the service runs (feature
//! `remote`).
//!
//! # Rules
//!
//! 1. The keys come from a JWK set (RFC 7517 §5): at an address, or where the
//!    issuer's metadata says (OpenID Connect Discovery 1.0 §4, else RFC 8414 §3). The
//!    metadata's `issuer` is the configured one, byte for byte.
//! 2. Addresses are `https`, or `http` to loopback. Redirects are not followed, and a
//!    token never has a say in what is fetched.
//! 3. A task fetches again when the keys are due, which is well before they are too
//!    old. Requests verify with the keys that are there, without a lock and without
//!    waiting for a fetch.
//! 4. A new document replaces all keys at once: a key that is gone is refused from
//!    then on. A document that cannot be read, or has no key that can be used,
//!    changes nothing; a bad key in it does not spoil the others.
//! 5. A token whose key nobody knows, and which is good in all that can be known
//!    without the key, causes one fetch, shared by all who wait for it. The next such
//!    fetch begins when a cool-down is over. So the first token after a rotation is
//!    verified within its own request, and made-up key ids cause few fetches.
//!    In the cool-down, a token with an unknown key waits for the next fetch, or is
//!    answered 503 with `Retry-After`. It is refused with 401 only if a fetch that
//!    began after another token had named the same key, and at most 5 s ago, has not
//!    brought that key.
//! 6. While the provider cannot be reached, the keys that are there serve until they
//!    are too old. What cannot be decided is answered 503 with `Retry-After`, not
//!    401: a client that sees 401 logs its user out.
//! 7. The keys verify tokens of their issuer alone.
//!
//! The numbers, all of which can be set, stand at [`RemoteKeysBuilder`].
//!
//! # Example: by discovery
//! ```no_run
//! use tower_jwt_auth::{RegisteredClaims, RemoteKeys, Verifier};
//!
//! # async fn start() -> Result<(), tower_jwt_auth::ConfigError> {
//! let keys = RemoteKeys::discover("https://login.example.com").build().await?;
//! let verifier = Verifier::<RegisteredClaims>::builder()
//!     .audience("https://api.example.com")
//!     .keys(keys.clone()) // they bring their issuer along
//!     .build()?;
//! println!("{:?}", keys.status());
//! # Ok(()) }
//! ```
//!
//! # Example: from an address, without waiting for it
//! ```no_run
//! use std::time::Duration;
//! use tower_jwt_auth::{RegisteredClaims, RemoteKeys, Verifier};
//!
//! # fn start() -> Result<(), tower_jwt_auth::ConfigError> {
//! let minute = Duration::from_secs(60);
//! let keys = RemoteKeys::at("https://login.example.com/jwks.json")
//!     .issuer("https://login.example.com")
//!     .refresh_interval(minute..=5 * minute)
//!     .lazy()?;
//! # Ok(()) }
//! ```
//!
//! # Deployment
//!
//! One `RemoteKeys` serves a whole process: clone it. It needs a tokio runtime with
//! time and I/O, as `#[tokio::main]` makes it. When its runtime ends, or is not driven
//! any more, the next request that needs a key starts the task on its own.
//!
//! In a container network, where a provider has no TLS: put a proxy on loopback. Plain
//! `http` to other machines is not offered, for who can change keys can sign tokens.
//!
//! HTTPS is rustls with aws-lc-rs, also where this crate verifies with RustCrypto, and
//! trusts the authorities that the system does.
//!
//! How long a key still serves that the provider has taken back is the longest
//! [`refresh_interval`](RemoteKeysBuilder::refresh_interval), and while the provider
//! cannot be reached, [`max_stale`](RemoteKeysBuilder::max_stale).

mod builder;
mod discover;
mod fetch;
mod policy;
mod provider;
mod refresher;
mod schedule;
mod status;

use std::{fmt, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

pub(crate) use self::policy::{
    DEFAULT_REFRESH, FIRST_RETRY, LAST_RETRY, LONGEST_REFRESH, SHORTEST_REFRESH,
};
pub(super) use self::refresher::LoadedKeys;
use self::refresher::{FetchTicket, Refresher};
pub use self::{
    builder::RemoteKeysBuilder,
    status::{KeyState, KeyStatus},
};
use crate::error::{FetchError, FetchErrorKind};

/// Keys that are fetched from an identity provider, and kept fresh; cheap to clone.
///
/// The task that fetches ends when the last clone, and the last verifier with one,
/// is dropped. See the [module docs](self).
#[derive(Clone)]
pub struct RemoteKeys(Arc<Owner>);

/// Stops the task when it is dropped.
struct Owner(Arc<Refresher>);

impl RemoteKeys {
    /// How the keys are: fit for a health page.
    #[must_use]
    pub fn status(&self) -> KeyStatus {
        self.refresher().status()
    }

    /// The issuer that the keys are bound to.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.refresher().issuer.as_deref()
    }

    /// Fetches now, or waits for the fetch that is under way.
    ///
    /// For operators, such as behind an endpoint of theirs: it does not heed the
    /// cool-down, so do not call it for requests of anybody.
    ///
    /// # Errors
    ///
    /// The fetch failed; the keys that were there stay.
    ///
    /// # Cancel safety
    ///
    /// Dropping it leaves the fetch to go on.
    pub async fn refresh(&self) -> Result<(), FetchError> {
        self.outcome(self.refresher().demand()).await
    }

    fn start(refresher: Arc<Refresher>) -> Self {
        refresher.ensure_running();
        Self(Arc::new(Owner(refresher)))
    }

    /// Starts, and waits for the first fetch.
    async fn start_and_wait(refresher: Arc<Refresher>) -> Result<Self, FetchError> {
        let ended = refresher.ended();
        let keys = Self::start(refresher);
        let ended = keys.refresher().ensure_running().then_some(ended);
        keys.outcome(ended).await.map(|()| keys)
    }

    /// How a fetch ends that is under way, if there is one.
    async fn outcome(&self, ended: Option<watch::Receiver<u64>>) -> Result<(), FetchError> {
        let refresher = self.refresher();
        let Some(mut ended) = ended else { return Err(refresher.error(FetchErrorKind::NoRuntime)) };
        let at_most = refresher.policy.timeout.saturating_add(GRACE);
        if !changes(&mut ended, Instant::now() + at_most).await {
            return Err(refresher.error(FetchErrorKind::Timeout));
        }
        refresher.last_error().map_or(Ok(()), Err)
    }

    fn refresher(&self) -> &Arc<Refresher> {
        &self.0.0
    }

    /// The keys of this moment.
    #[inline]
    pub(super) fn load(&self) -> LoadedKeys {
        self.refresher().load()
    }

    /// A token needs the key of this name, which is not there; whoever waits for it already
    /// does so until `deadline`.
    #[cold]
    pub(crate) fn ask(&self, name: &str, deadline: Option<Deadline>) -> KeyAnswer {
        let now = Instant::now();
        let deadline = deadline.unwrap_or(now + self.refresher().policy.max_wait);
        match self.refresher().ticket(name, deadline.saturating_duration_since(now)) {
            FetchTicket::Wait { ended, began_before } => {
                let (keys, name) = (self.clone(), name.into());
                KeyAnswer::Wait(PendingFetch { keys, name, ended, began_before, deadline })
            }
            FetchTicket::Unavailable(retry_after) => KeyAnswer::Unavailable { retry_after },
            FetchTicket::Later(retry_after) => KeyAnswer::Later { retry_after },
            FetchTicket::Unknown => KeyAnswer::Unknown,
        }
    }
}

/// The answer to a wish for keys.
pub(crate) enum KeyAnswer {
    /// Some may come.
    Wait(PendingFetch),
    /// The provider has no others.
    Unknown,
    /// Nobody knows: the provider cannot be reached.
    Unavailable { retry_after: Duration },
    /// Nobody knows yet: the provider is asked then.
    Later { retry_after: Duration },
}

/// When a request stops waiting.
pub(crate) type Deadline = Instant;

/// A fetch that is under way, or begins.
pub(crate) struct PendingFetch {
    keys: RemoteKeys,
    name: Box<str>,
    ended: watch::Receiver<u64>,
    began_before: bool,
    deadline: Deadline,
}

impl PendingFetch {
    pub(crate) fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// Whether the fetch began before this request asked for the key.
    pub(crate) fn began_before(&self) -> bool {
        self.began_before
    }

    /// Waits for its end, and says when to ask again if it brings nothing or takes too long.
    pub(crate) async fn done(&mut self) -> KeyAnswer {
        let refresher = self.keys.refresher();
        let changed = changes(&mut self.ended, self.deadline).await;
        let (failed, retry_after) = (
            refresher.last_error().is_some(),
            refresher.pause().max(*refresher.policy.retry.start()),
        );
        // A fetch that takes longer than somebody waits is no outage where there are keys:
        // anybody can make up the id of a key.
        match changed {
            _ if failed => KeyAnswer::Unavailable { retry_after },
            true => KeyAnswer::Unknown,
            false if refresher.load().trusted().is_some() => KeyAnswer::Later { retry_after },
            false => KeyAnswer::Unavailable { retry_after },
        }
    }

    /// Remembers for a moment that a fetch which succeeded did not bring the key.
    pub(crate) fn remember_missing(&self) {
        self.keys.refresher().remember_missing(&self.name);
    }
}

/// Whether the value changes in time.
async fn changes(value: &mut watch::Receiver<u64>, deadline: Instant) -> bool {
    timeout_at(deadline, value.changed()).await.is_ok_and(|changed| changed.is_ok())
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeys")
            .field("location", self.refresher().location())
            .field("issuer", &self.issuer())
            .finish_non_exhaustive()
    }
}

/// What a fetch takes beyond the time that it is given, to be ended and noted.
const GRACE: Duration = Duration::from_secs(1);
