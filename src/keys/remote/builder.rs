//! The builder of keys that are fetched.

use std::{fmt, future::Future, ops::RangeInclusive, sync::Arc, time::Duration};

use http::HeaderValue;
use zeroize::Zeroizing;

use super::{
    RemoteKeys,
    authorization::{Authorization, AuthorizationFn},
    fetch::Fetcher,
    http::HttpClient,
    http_hosts::{HttpHosts, is_loopback},
    own_client::{ClientSettings, OwnClient, unused_proxy},
    policy::Policy,
    provider::Location,
    refresher::Refresher,
};
use crate::{
    clock::{Clock, SystemClock},
    error::{BoxError, ConfigError},
    observe::{Observer, Observers},
};

/// Builds [`RemoteKeys`].
///
/// # Defaults
///
/// - time-outs: 2 s to connect, 5 s for a whole fetch
/// - limits: 512 KiB, 100 keys
/// - refresh interval: as `Cache-Control` or `Expires` says, from 1 min to 18 h (three
///   quarters of `max_stale`); 10 min if neither is sent; ±10 %
/// - unknown key: one fetch at once, and the next one after a cool-down of 5 s; a request
///   waits at most 5 s
/// - retry after a failure: 1 s, 2 s, … 60 s, ±10 %, without an end
/// - keys while the provider is down: valid for 24 h after the last successful fetch
/// - HTTP client: rustls, no redirects, no proxy, no compression
/// - `http`: only to loopback
/// - `Authorization` header: none
/// - old keys: not reported
/// - clock: that of the system
/// - observers: those of the first verifier that has them
#[must_use = "a builder does nothing until it is built"]
pub struct RemoteKeysBuilder {
    location: Result<Location, ConfigError>,
    issuer: Option<Box<str>>,
    policy: Policy,
    client: Option<Box<dyn HttpClient>>,
    client_settings: ClientSettings,
    http_hosts: HttpHosts,
    authorization: Option<AuthorizationFn>,
    clock: Box<dyn Clock>,
    observers: Observers,
}

impl RemoteKeysBuilder {
    fn new(location: Result<Location, ConfigError>, issuer: Option<Box<str>>) -> Self {
        Self {
            location,
            issuer,
            policy: Policy::default(),
            client: None,
            client_settings: ClientSettings::default(),
            http_hosts: HttpHosts::default(),
            authorization: None,
            clock: Box::new(SystemClock),
            observers: Observers::default(),
        }
    }

    /// Binds the keys to an issuer: they then verify only tokens whose `iss` equals it,
    /// byte for byte (RFC 8725 §3.8). Discovered keys are bound to their issuer already.
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

    /// Fetches through this HTTP proxy, such as `http://proxy.example.com:3128`. A user and a
    /// password in the URL authenticate to it. Default: no proxy, whatever the environment says.
    ///
    /// # Example
    /// ```no_run
    /// # async fn start() -> Result<(), tower_jwt_auth::ConfigError> {
    /// use tower_jwt_auth::RemoteKeys;
    ///
    /// let keys = RemoteKeys::discover("https://login.example.com")
    ///     .proxy("http://proxy.example.com:3128")
    ///     .build()
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.client_settings.proxy = Some(url.into());
        self
    }

    /// Trusts only these certificate authorities (PEM, RFC 7468), instead of those of the
    /// system. A second call replaces the first.
    ///
    /// # Example: a private authority
    /// ```no_run
    /// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
    /// use tower_jwt_auth::RemoteKeys;
    ///
    /// let keys = RemoteKeys::discover("https://login.internal.example")
    ///     .root_certificates(std::fs::read("/etc/ssl/internal-ca.pem")?)
    ///     .build()
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn root_certificates(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.client_settings.root_certificates = Some(pem.as_ref().to_vec());
        self
    }

    /// Authenticates to the provider with this certificate chain, the client's own certificate
    /// first, and its private key. Both are PEM (RFC 7468). Default: none.
    pub fn client_certificate(mut self, chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        let pem = [chain.as_ref(), b"\n", key.as_ref()].concat();
        self.client_settings.client_certificate = Some(Zeroizing::new(pem));
        self
    }

    /// Sends an `Authorization` header with requests for keys and metadata. The function is
    /// called for each request, so a token that is renewed is read again. If it fails, so does
    /// the fetch, with the reason. Its time counts towards [`Self::timeout`]. Default: none.
    ///
    /// # Security
    ///
    /// The header is sent only to the origin (scheme, host and port) of the configured address:
    /// to the URL of [`RemoteKeys::at`], or to the metadata of [`RemoteKeys::discover`] and to
    /// a `jwks_uri` of the same origin. Keys at another origin are fetched without it. To a
    /// host other than loopback it is sent only over `https`: with an `http` address, building is an
    /// error. The value is marked as sensitive, and is in no
    /// event, error or `Debug` of this crate. The text of the function's error is logged, so
    /// keep the value out of it.
    ///
    /// # Example: Kubernetes, whose token file is renewed
    /// ```no_run
    /// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
    /// use http::HeaderValue;
    /// use tower_jwt_auth::RemoteKeys;
    ///
    /// const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
    ///
    /// async fn authorization() -> Result<HeaderValue, Box<dyn std::error::Error + Send + Sync>> {
    ///     let token = std::fs::read_to_string(format!("{ACCOUNT}/token"))?;
    ///     Ok(HeaderValue::try_from(format!("Bearer {}", token.trim()))?)
    /// }
    ///
    /// let keys = RemoteKeys::at("https://kubernetes.default.svc/openid/v1/jwks")
    ///     .issuer("https://kubernetes.default.svc.cluster.local")
    ///     .root_certificates(std::fs::read(format!("{ACCOUNT}/ca.crt"))?)
    ///     .authorization(authorization)
    ///     .build()
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn authorization<F, Fut, E>(mut self, value: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<HeaderValue, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let function = move || {
            let value = value();
            let boxed: std::pin::Pin<Box<dyn Future<Output = _> + Send>> =
                Box::pin(async move { value.await.map_err(Into::into) });
            boxed
        };
        self.authorization = Some(Box::new(function));
        self
    }

    /// Fetches with an HTTP client of your own: see [`HttpClient`].
    ///
    /// [`Self::timeout`] and [`Self::max_body`] apply to every client.
    /// [`Self::connect_timeout`] does not: set it on the client.
    pub fn http_client(mut self, client: impl HttpClient) -> Self {
        self.client = Some(Box::new(client));
        self
    }

    /// Sets the time-out of a connection, including TLS. Default: 2 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.policy.connect_timeout = timeout;
        self
    }

    /// Sets the time-out of a whole fetch, including discovery, up to the last byte.
    /// Default: 5 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.policy.timeout = timeout;
        self
    }

    /// Sets the maximum length of a document, in bytes. Default: 524,288.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.policy.max_body = bytes;
        self
    }

    /// Sets the maximum number of keys in a document. Default: 100.
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.policy.max_keys = keys;
        self
    }

    /// Sets the shortest and the longest time between two fetches, whatever the provider's
    /// `Cache-Control` says. Default: 1 min to 24 h; with the default of [`Self::max_stale`], the
    /// longest time is 18 h.
    ///
    /// A key that the provider has removed remains valid for at most the longest time. Keys
    /// are refreshed after three quarters of [`Self::max_stale`] at the latest, so that
    /// there is time to retry.
    pub fn refresh_interval(mut self, interval: RangeInclusive<Duration>) -> Self {
        self.policy.refresh = interval;
        self
    }

    /// Sets the time to the next fetch if the provider sends no freshness lifetime.
    /// Default: 10 min.
    pub fn default_refresh(mut self, interval: Duration) -> Self {
        self.policy.default_refresh = interval;
        self
    }

    /// Sets the part by which the time to the next fetch is lengthened or shortened at
    /// random, from 0 to 0.5, so that machines do not fetch in step. Default: 0.1.
    pub fn jitter(mut self, part: f64) -> Self {
        self.policy.jitter = part;
        self
    }

    /// Sets the time for which no token causes another fetch, after one did. Default: 5 s.
    ///
    /// It limits the load that made-up key ids put on the provider. During a flood of them,
    /// the first token of a new key waits for up to this time.
    pub fn cooldown(mut self, cooldown: Duration) -> Self {
        self.policy.cooldown = cooldown;
        self
    }

    /// Sets how long a request waits for keys before it is answered 503. Default: 5 s.
    pub fn max_wait(mut self, wait: Duration) -> Self {
        self.policy.max_wait = wait;
        self
    }

    /// Sets the pause after a refresh has failed, and the longest pause: it doubles after
    /// each failure. Default: 1 s to 60 s.
    pub fn retry_interval(mut self, interval: RangeInclusive<Duration>) -> Self {
        self.policy.retry = interval;
        self
    }

    /// Sets how long keys remain valid after the last successful fetch if the provider
    /// cannot be reached. Then tokens are answered 503. Default: 24 h; at least 1 s.
    pub fn max_stale(mut self, stale: Duration) -> Self {
        self.policy.max_stale = stale;
        self
    }

    /// Reports each key that is older than this, as an event once a day. The age is the time since
    /// this process first saw its id: after a restart, it begins anew, and a key that is replaced under
    /// the same id is not a new one. The key remains valid.
    /// Default: it is not reported.
    pub fn old_after(mut self, age: Duration) -> Self {
        self.policy.old_after = Some(age);
        self
    }

    /// Adds an observer of these keys. It is only needed if the first fetch is to be observed, too,
    /// or if the keys are in no verifier: otherwise give it to the verifier, see
    /// [`observe`](crate::observe). Observers that are given here stay the only ones.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers.add(observer);
        self
    }

    /// Sets the clock that decides when keys are stale. Intervals and time-outs use tokio's
    /// time.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Opens the settings that take protection away.
    pub fn dangerous(self) -> DangerousRemoteKeysBuilder {
        DangerousRemoteKeysBuilder(self)
    }

    /// Fetches the keys, and starts a task on the current tokio runtime that keeps them
    /// fresh.
    ///
    /// # Errors
    ///
    /// Returns an error if a setting is not safe or the keys cannot be fetched. No task is
    /// left running then.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no task is left running.
    pub async fn build(self) -> Result<RemoteKeys, ConfigError> {
        RemoteKeys::start_and_wait(self.refresher()?).await.map_err(ConfigError::Fetch)
    }

    /// Starts without waiting for the provider: requests are answered 503 with
    /// `Retry-After` until the keys are fetched.
    ///
    /// Outside of a tokio runtime, no task is started; the first request then starts it on
    /// its own runtime.
    ///
    /// # Errors
    ///
    /// Returns an error if a setting is not safe.
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
        self.http_hosts.check_names()?;
        self.http_hosts
            .check(location.url())
            .map_err(|what| ConfigError::InvalidUrl(what.into()))?;
        if self.issuer.as_deref().is_some_and(|issuer| issuer.contains('{')) {
            return Err(ConfigError::InvalidName(
                "an issuer with braces is that of many tenants, and no token has it: name the \
                 issuer of one tenant, or trust many with `Issuers::builder().resolve(…)`",
            ));
        }
        let url = location.url();
        if self.authorization.is_some() && url.scheme() == "http" && !is_loopback(url) {
            return Err(ConfigError::Conflict(
                "`.authorization(…)` would send its value over `http` to another machine, use \
                 `https`, or leave it out",
            ));
        }
        let unused_proxy = match &self.client {
            None if self.client_settings.proxy.is_none() => unused_proxy(url.scheme()),
            _ => None,
        };
        let client = match self.client {
            Some(_) if !self.client_settings.are_default() => {
                return Err(ConfigError::Settings(
                    "`.http_client(…)` replaces the built-in HTTP client, set the proxy and the \
                     certificates on it, or leave it out"
                        .into(),
                ));
            }
            Some(client) => client,
            None => {
                let timeouts = (self.policy.connect_timeout, self.policy.timeout);
                Box::new(OwnClient::new(&self.client_settings, location.url(), timeouts)?)
            }
        };
        let fetcher = Fetcher {
            client,
            max_body: self.policy.max_body,
            http_hosts: self.http_hosts,
            authorization: self.authorization.map(|value| Authorization::new(value, url)),
            unused_proxy,
        };
        let refresher = Refresher::new(location, self.issuer, self.policy, fetcher, self.clock);
        refresher.observe(&self.observers, None);
        Ok(refresher)
    }
}

impl RemoteKeys {
    /// Returns a builder of keys that are found through the issuer's metadata.
    ///
    /// The metadata is read from `/.well-known/openid-configuration` after the issuer, else
    /// from `/.well-known/oauth-authorization-server` before the issuer's path (OpenID
    /// Connect Discovery 1.0 §4.1, RFC 8414 §3.1).
    ///
    /// Write the issuer exactly as in the tokens' `iss`, including a final slash. It is not
    /// the URL of the metadata.
    pub fn discover(issuer: impl AsRef<str>) -> RemoteKeysBuilder {
        let issuer = issuer.as_ref();
        RemoteKeysBuilder::new(Location::discovered(issuer), Some(issuer.into()))
    }

    /// Returns a builder of keys that are fetched from a JWK set at this URL. It is the
    /// provider's `jwks_uri`, and not the URL of its metadata.
    ///
    /// # Security
    ///
    /// The keys verify tokens of every issuer that the verifier trusts, unless
    /// [`issuer`](RemoteKeysBuilder::issuer) binds them to one.
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

/// The settings of a [`RemoteKeysBuilder`] that take protection away.
#[derive(Debug)]
#[must_use = "call one of its methods"]
pub struct DangerousRemoteKeysBuilder(RemoteKeysBuilder);

impl DangerousRemoteKeysBuilder {
    /// Adds a host that keys and metadata may be fetched from over plain `http`, such as
    /// another container of a cluster or of a compose file: an exact host name or an IP
    /// address, on any port. Default: only loopback.
    ///
    /// Metadata that came over `https` cannot lead to `http`, not even to this host. Metadata
    /// that came over `http` can lead to this host and to `https`.
    ///
    /// # Security
    ///
    /// Anybody between this process and the host can replace the keys, and then sign tokens
    /// that are accepted here. So can anybody who answers to this name instead of the host. Use
    /// it only in a network in which you trust every machine.
    ///
    /// # Example: Keycloak in a compose file
    /// ```no_run
    /// # async fn start() -> Result<(), tower_jwt_auth::ConfigError> {
    /// use tower_jwt_auth::RemoteKeys;
    ///
    /// let keys = RemoteKeys::at("http://keycloak:8080/realms/shop/protocol/openid-connect/certs")
    ///     .issuer("https://sso.example.com/realms/shop") // the public name, as in `iss`
    ///     .dangerous()
    ///     .http_host("keycloak")
    ///     .build()
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn http_host(mut self, host: impl AsRef<str>) -> RemoteKeysBuilder {
        self.0.http_hosts.add(host.as_ref());
        self.0
    }
}
