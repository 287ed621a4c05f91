//! Keys from an identity provider, which rotate while the service runs (feature
//! `remote`).
//!
//! # Rules
//!
//! 1. The keys come from a JWK set (RFC 7517 §5), either at a given URL or at the
//!    `jwks_uri` of the issuer's metadata (OpenID Connect Discovery 1.0 §4, else RFC 8414
//!    §3). The metadata's `issuer` must equal the configured one, byte for byte.
//! 2. URLs are `https`, or `http` to loopback and to hosts that
//!    [`http_host`](DangerousRemoteKeysBuilder::http_host) names. Metadata that came over
//!    `https` never leads to `http`. Redirects are not followed, and a token never influences
//!    which URL is fetched.
//! 3. A background task refreshes the keys well before they are too old. Requests verify
//!    with the present keys: they take no lock and do not wait for a refresh.
//! 4. A new document replaces all keys at once, and a removed key is refused from then
//!    on. A document that cannot be read or has no usable key changes nothing. One
//!    unusable key in a document does not affect the others.
//! 5. A token with an unknown key that passes every check which needs no key causes one
//!    fetch, and all requests that wait share it. The next such fetch begins after a
//!    cool-down. So the first token after a rotation is verified within its own request,
//!    and made-up key ids cause few fetches. During the cool-down, a token with an unknown
//!    key waits for the next fetch or is answered 503 with `Retry-After`. It is refused
//!    with 401 only if a fetch did not bring the key, and that fetch began at most 5 s ago
//!    and after another token had named the same key.
//! 6. While the provider cannot be reached, the present keys remain valid until they are
//!    too old. A token that cannot be decided is answered 503 with `Retry-After` and not
//!    401, because a client that gets 401 logs its user out.
//! 7. The keys verify only tokens of their issuer.
//!
//! [`RemoteKeysBuilder`] lists the defaults and sets them.
//!
//! # Example: by discovery
//! ```no_run
//! use tower_jwt_auth::{RemoteKeys, Verifier};
//!
//! # async fn start() -> Result<(), tower_jwt_auth::ConfigError> {
//! let keys = RemoteKeys::discover("https://login.example.com").build().await?;
//! let verifier = Verifier::builder()
//!     .audience("https://api.example.com")
//!     .keys(keys.clone()) // the keys also set the issuer
//!     .build()?;
//! println!("{:?}", keys.status());
//! # Ok(()) }
//! ```
//!
//! # Example: from a URL, without waiting for the provider
//! ```no_run
//! use std::time::Duration;
//! use tower_jwt_auth::RemoteKeys;
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
//! One `RemoteKeys` serves a whole process: clone it. It needs a tokio runtime with time
//! and I/O, such as that of `#[tokio::main]`, or one that is built with `enable_all`: with
//! `panic = "abort"`, the process ends on a runtime without a timer. If its runtime ends or is no longer driven,
//! the next request that needs a key starts the task again on the request's runtime.
//!
//! Plain `http` to other machines is refused, because anybody who can change the keys can
//! sign tokens. If a provider in a cluster or a compose file has no TLS, name its host with
//! [`http_host`](DangerousRemoteKeysBuilder::http_host), or put a proxy on loopback.
//!
//! HTTPS uses rustls with aws-lc-rs, even if this crate verifies with RustCrypto, and
//! trusts the certificate authorities of the system.
//!
//! A key that the provider has removed remains valid for at most the longest
//! [`refresh_interval`](RemoteKeysBuilder::refresh_interval). While the provider cannot be
//! reached, it remains valid for [`max_stale`](RemoteKeysBuilder::max_stale).

mod authorization;
mod builder;
mod discover;
mod events;
mod fetch;
mod history;
mod http;
mod http_hosts;
mod own_client;
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
    builder::{DangerousRemoteKeysBuilder, RemoteKeysBuilder},
    http::{HttpClient, ResponseBody},
    status::{KeyState, KeyStatus, RemovedKey, Rotation},
};
use super::answer::{Deadline, KeyAnswer};
use crate::{
    error::{FetchError, FetchErrorKind},
    observe::Observers,
    runtime::runtime_with_timer,
};

/// Keys that are fetched from an identity provider and refreshed in the background; cheap
/// to clone.
///
/// The background task ends when the last clone is dropped, including those in verifiers.
/// See the [module docs](self).
#[derive(Clone)]
pub struct RemoteKeys(Arc<Owner>);

/// Stops the task on drop.
struct Owner(Arc<Refresher>);

impl RemoteKeys {
    /// Returns the state of the keys, such as for a health page.
    #[must_use]
    pub fn status(&self) -> KeyStatus {
        self.refresher().status()
    }

    /// Returns the issuer that the keys are bound to.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.refresher().issuer.as_deref()
    }

    /// The hosts besides loopback that the keys may be fetched from over plain `http`.
    pub(crate) fn http_hosts(&self) -> Vec<String> {
        self.refresher().http_hosts()
    }

    /// Fetches the keys now, or waits for the fetch that is under way.
    ///
    /// Use it for operators only, such as behind an endpoint of theirs: it ignores the
    /// cool-down.
    ///
    /// # Errors
    ///
    /// Returns an error if the fetch failed. The present keys then stay.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the fetch continues.
    pub async fn refresh(&self) -> Result<(), FetchError> {
        self.outcome(self.refresher().demand()).await
    }

    fn start(refresher: Arc<Refresher>) -> Self {
        refresher.ensure_running();
        Self(Arc::new(Owner(refresher)))
    }

    /// Starts the task, and waits for the first fetch.
    async fn start_and_wait(refresher: Arc<Refresher>) -> Result<Self, FetchError> {
        let ended = refresher.ended();
        let keys = Self::start(refresher);
        let ended = keys.refresher().ensure_running().then_some(ended);
        keys.outcome(ended).await.map(|()| keys)
    }

    /// Waits for the end of the fetch. `None` means that there is no runtime for one.
    async fn outcome(&self, ended: Option<watch::Receiver<u64>>) -> Result<(), FetchError> {
        let refresher = self.refresher();
        let Some(mut ended) = ended else { return Err(refresher.error(FetchErrorKind::NoRuntime)) };
        let at_most = refresher.policy.timeout.saturating_add(GRACE);
        if !changes(&mut ended, Instant::now() + at_most).await {
            return Err(refresher.error(FetchErrorKind::Timeout));
        }
        refresher.last_error().map_or(Ok(()), Err)
    }

    /// Reports to these observers from now on, unless others were there before.
    pub(super) fn observe(&self, observers: &Observers, issuer: Option<&str>) {
        self.refresher().observe(observers, issuer);
    }

    fn refresher(&self) -> &Arc<Refresher> {
        &self.0.0
    }

    /// Loads the present keys.
    #[inline]
    pub(super) fn load(&self) -> LoadedKeys {
        self.refresher().load()
    }

    /// Asks for the key of this name, which a token needs and which is missing. `deadline` is set
    /// if the request has already waited for the key.
    #[cold]
    pub(crate) fn ask(&self, name: &str, deadline: Option<Deadline>) -> KeyAnswer<PendingFetch> {
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

/// A fetch that is under way or begins.
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

    /// Waits for its end. The answer says when to retry if the fetch fails or takes too long.
    pub(crate) async fn done(&mut self) -> KeyAnswer {
        let refresher = self.keys.refresher();
        let changed = changes(&mut self.ended, self.deadline).await;
        let (failed, retry_after) = (
            refresher.last_error().is_some(),
            refresher.pause().max(*refresher.policy.retry.start()),
        );
        // If there are keys, a fetch that takes longer than the wait is no outage: anybody can make
        // up the id of a key.
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

/// Whether the value changes before the deadline.
async fn changes(value: &mut watch::Receiver<u64>, deadline: Instant) -> bool {
    // The request may be polled where another runtime is, or none.
    if runtime_with_timer().is_none() {
        return false;
    }
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

/// The time that it takes to end a fetch, beyond its time-out.
const GRACE: Duration = Duration::from_secs(1);
