//! What is set of keys that are fetched.

use std::{fmt, ops::RangeInclusive, sync::Arc, time::Duration};

use reqwest::Client;

use super::{RemoteKeys, fetch::Fetcher, policy::Policy, provider::Location, refresher::Refresher};
use crate::{
    clock::{Clock, SystemClock},
    error::ConfigError,
};

/// Builds [`RemoteKeys`].
///
/// # Defaults
///
/// - time-outs: 2 s for a connection, 5 s for a whole fetch
/// - limits: 512 KiB, 100 keys
/// - next fetch: when `Cache-Control` or `Expires` says, within 1 min … 24 h, and 18 h
///   at the most while keys may be stale for 24 h; 10 min if they say nothing; ±10 %
/// - key that nobody knows: a fetch at once, and the next one 5 s later; a request waits
///   5 s for it at most
/// - after a failure: 1 s, 2 s, … 60 s, ±10 %, for ever
/// - keys while the provider is down: for 24 h since the last success
/// - HTTP client: rustls, no redirects, no proxy, no compression
/// - clock: that of the system
#[must_use = "a builder does nothing until it is built"]
pub struct RemoteKeysBuilder {
    location: Result<Location, ConfigError>,
    issuer: Option<Box<str>>,
    policy: Policy,
    client: Option<Client>,
    clock: Box<dyn Clock>,
}

impl RemoteKeysBuilder {
    fn new(location: Result<Location, ConfigError>, issuer: Option<Box<str>>) -> Self {
        Self {
            location,
            issuer,
            policy: Policy::default(),
            client: None,
            clock: Box::new(SystemClock),
        }
    }

    /// Binds the keys to an issuer: they then verify only tokens whose `iss` is this
    /// one, byte for byte (RFC 8725 §3.8). Keys that were discovered are bound to
    /// theirs.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        let issuer = issuer.into().into_boxed_str();
        if let Ok(location) = &self.location
            && location.issuer().is_some_and(|discovered| *discovered != *issuer)
        {
            self.location = Err(ConfigError::InvalidName(
                "keys that are discovered belong to the issuer that they are discovered from, \
                 leave out `.issuer(…)`",
            ));
        }
        self.issuer = Some(issuer);
        self
    }

    /// Fetches with this client: through a proxy, with a certificate authority or a
    /// certificate of your own.
    ///
    /// # Security
    ///
    /// Build it with [`redirect::Policy::none`](reqwest::redirect::Policy::none): what
    /// a redirect leads to is refused, but would have been asked. Its connect
    /// time-out is yours to set; [`Self::timeout`] counts with every client.
    pub fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// How long it may take to connect, TLS included. Default: 2 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.policy.connect_timeout = timeout;
        self
    }

    /// How long a whole fetch may take, discovery included, to the last byte.
    /// Default: 5 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.policy.timeout = timeout;
        self
    }

    /// The longest document that is read, in bytes. Default: 524,288.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.policy.max_body = bytes;
        self
    }

    /// The most keys that a document may have. Default: 100.
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.policy.max_keys = keys;
        self
    }

    /// The shortest and the longest time from one fetch to the next, whatever the
    /// provider's `Cache-Control` says. Default: 1 min to 24 h.
    ///
    /// The longest is also how long a key that the provider has taken back still
    /// serves. Keys are fetched after three quarters of [`Self::max_stale`] at the
    /// latest, so that there is time to try again.
    pub fn refresh_interval(mut self, interval: RangeInclusive<Duration>) -> Self {
        self.policy.refresh = interval;
        self
    }

    /// The time to the next fetch where the provider does not say how long its keys
    /// are good for. Default: 10 min.
    pub fn default_refresh(mut self, interval: Duration) -> Self {
        self.policy.default_refresh = interval;
        self
    }

    /// By which part the time to the next fetch is made longer or shorter at random,
    /// from 0 to 0.5, so that machines do not fetch in step. Default: 0.1.
    pub fn jitter(mut self, part: f64) -> Self {
        self.policy.jitter = part;
        self
    }

    /// For how long no token causes another fetch, after one did: what anybody can
    /// make this service do to the provider by made-up key ids. The first token of a key that
    /// was published without notice waits for so long, if tokens with made-up key ids come at
    /// the same time. Default: 5 s.
    pub fn cooldown(mut self, cooldown: Duration) -> Self {
        self.policy.cooldown = cooldown;
        self
    }

    /// How long a request waits for keys at most; then it is answered 503. Default:
    /// 5 s.
    pub fn max_wait(mut self, wait: Duration) -> Self {
        self.policy.max_wait = wait;
        self
    }

    /// The pause after the first failure of keys that are due, and the longest one:
    /// it doubles in between. Default: 1 s to 60 s.
    pub fn retry_interval(mut self, interval: RangeInclusive<Duration>) -> Self {
        self.policy.retry = interval;
        self
    }

    /// For how long keys serve while the provider cannot be reached, since the last
    /// success; then tokens are answered 503. Default: 24 h; at least 1 s.
    pub fn max_stale(mut self, stale: Duration) -> Self {
        self.policy.max_stale = stale;
        self
    }

    /// Takes the time by which keys become stale from this clock. Pauses and
    /// time-outs are tokio's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Fetches the keys, and keeps them fresh from then on, in a task of the tokio
    /// runtime that this is called on.
    ///
    /// # Errors
    ///
    /// A setting is not safe, or the keys cannot be fetched; nothing goes on then.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it leaves nothing behind.
    pub async fn build(self) -> Result<RemoteKeys, ConfigError> {
        RemoteKeys::start_and_wait(self.refresher()?).await.map_err(ConfigError::Fetch)
    }

    /// Starts without the provider: requests are answered 503 with `Retry-After`
    /// until keys are there.
    ///
    /// Outside of a tokio runtime nothing is spawned; the first request does it then,
    /// on its own runtime.
    ///
    /// # Errors
    ///
    /// A setting is not safe.
    pub fn lazy(self) -> Result<RemoteKeys, ConfigError> {
        self.refresher().map(RemoteKeys::start)
    }

    fn refresher(self) -> Result<Arc<Refresher>, ConfigError> {
        let location = self.location?;
        if self.issuer.as_deref().is_some_and(|issuer| issuer.trim().is_empty()) {
            return Err(ConfigError::InvalidName(
                "the issuer is empty, give it the `iss` of its tokens",
            ));
        }
        self.policy.check()?;
        let fetcher = Fetcher::new(self.client, location.url(), &self.policy)?;
        Ok(Refresher::new(location, self.issuer, self.policy, fetcher, self.clock))
    }
}

impl RemoteKeys {
    /// Keys from where this issuer's metadata says: `/.well-known/openid-configuration`
    /// behind it, else `/.well-known/oauth-authorization-server` before its path
    /// (OpenID Connect Discovery 1.0 §4.1, RFC 8414 §3.1).
    ///
    /// The issuer is written as it stands in the tokens' `iss`, to the last slash; it is
    /// not the address of the metadata.
    pub fn discover(issuer: impl AsRef<str>) -> RemoteKeysBuilder {
        let issuer = issuer.as_ref();
        RemoteKeysBuilder::new(Location::discovered(issuer), Some(issuer.into()))
    }

    /// Keys from a JWK set at this address: the `jwks_uri` of the provider, and not the
    /// address of its metadata.
    ///
    /// # Security
    ///
    /// They vouch for every issuer that the verifier trusts, unless
    /// [`issuer`](RemoteKeysBuilder::issuer) binds them to theirs.
    pub fn at(jwks_url: impl AsRef<str>) -> RemoteKeysBuilder {
        RemoteKeysBuilder::new(Location::keys(jwks_url.as_ref()), None)
    }
}

impl fmt::Debug for RemoteKeysBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeysBuilder")
            .field("location", &self.location)
            .field("issuer", &self.issuer)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
