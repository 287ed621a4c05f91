//! A verifier and a layer from a file or the environment. Requires the feature `remote`.
//!
//! An operator writes [`Settings`]. A setting that is left out has the default of its builder.
//! Unknown names are refused, so that a typing error does not turn off a protection. So give the
//! settings a table of their own, or use `#[serde(flatten)]` in a struct whose other fields take
//! all other names.
//!
//! | setting | meaning |
//! |---|---|
//! | `issuer` | the tokens' `iss`, compared exactly, including a final slash; required |
//! | `audience` | one or several names of this service; required, unless `any_audience = true` |
//! | `client` | one or several clients whose tokens are accepted |
//! | *keys*: no setting | discovery from the issuer |
//! | `jwks_url` | the address of the keys |
//! | `http_hosts` | one or several exact host names from which keys may be fetched over plain `http`; read the [security note](crate::keys::remote::DangerousRemoteKeysBuilder::http_host) |
//! | `public_key`, `public_key_file` | a key in PEM, or a file with it |
//! | `hmac_secret` | a shared secret as base64url |
//! | `algorithms` | the only accepted algorithms |
//! | `leeway`, `max_age` | durations |
//! | `access_tokens_only`, `token_type` | only RFC 9068 access tokens; only these `typ` |
//! | `required_claim`, `without_subject`, `max_token_len` | as in the [builder](VerifierBuilder) |
//! | `cache_bytes` | memory for verified tokens, as [`Cache::of_bytes`]; 0 for none |
//! | `token_cookie` | a cookie that may carry the token |
//! | `public_url`, `trusted_origin` | for the cookie: this service's origin, and others that may send unsafe requests |
//! | `realm` | the challenge's realm |
//! | `lazy` | start even if the provider does not answer |
//! | `jwks_min_refresh`, `jwks_max_refresh`, `jwks_default_refresh`, `jwks_min_retry`, `jwks_max_retry`, `jwks_cooldown`, `jwks_timeout`, `jwks_connect_timeout`, `jwks_max_wait`, `jwks_max_stale` | durations, as in [`RemoteKeysBuilder`] |
//! | `jwks_max_body`, `jwks_max_keys`, `jwks_jitter` | numbers, as there |
//!
//! Durations are text, such as `"10m"` or `"1h 30m"`, or whole seconds. Several values are a
//! list, or one text with commas.
//!
//! # Example: from a file
//!
//! ```toml
//! [auth]
//! issuer = "https://login.example.com"
//! audience = "https://api.example.com"
//! leeway = "30s"
//! token_cookie = "__Host-at"
//! ```
//!
//! ```no_run
//! use tower_jwt_auth::{JwtAuthLayer, RegisteredClaims, settings::Settings};
//!
//! #[derive(serde::Deserialize)]
//! struct Config {
//!     auth: Settings,
//! }
//!
//! # async fn start(file: &str) -> Result<(), Box<dyn std::error::Error>> {
//! // With `toml::from_str`, or whatever reads your files or your environment.
//! let config: Config = serde_json::from_str(file)?;
//! let layer = config.auth.layer().await?;
//! # Ok(()) }
//! ```
//!
//! Proxies from the environment are not used, and the system's certificate authorities are
//! trusted. For others, set them on a [`RemoteKeys`] of your own.
//!
//! # Example: with a rule of your own
//! ```no_run
//! use tower_jwt_auth::{Claims, settings::Settings, verifier::RuleError};
//!
//! # async fn start(settings: Settings) -> Result<(), tower_jwt_auth::ConfigError> {
//! let verifier = settings
//!     .verifier_builder()
//!     .await?
//!     .rule(|claims: &Claims| match claims.session_id() {
//!         Some(_) => Ok(()),
//!         None => Err(RuleError::refuse("no session")),
//!     })
//!     .build()?;
//! let layer = settings.layer_of(verifier)?;
//! # Ok(()) }
//! ```

mod text;

use std::{fmt, path::PathBuf};

use base64_simd::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer};

use self::text::{AsMap, List, SecretText, Span};
use crate::{
    alg::Algorithm,
    error::ConfigError,
    keys::{
        IntoKeySource, Key, KeySource,
        remote::{
            DEFAULT_REFRESH, FIRST_RETRY, LAST_RETRY, LONGEST_REFRESH, RemoteKeys,
            RemoteKeysBuilder, SHORTEST_REFRESH,
        },
    },
    layer::JwtAuthLayer,
    source::TokenSource,
    verifier::{Cache, Verifier, VerifierBuilder},
};

/// The settings of a verifier and a layer. See the [module docs](self) for the names.
///
/// `Debug` does not show the secret.
#[derive(Clone)]
pub struct Settings(Variables);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Variables {
    issuer: String,
    #[serde(default)]
    audience: List,
    #[serde(default)]
    any_audience: bool,
    #[serde(default)]
    client: List,
    jwks_url: Option<String>,
    #[serde(default)]
    http_hosts: List,
    public_key: Option<String>,
    public_key_file: Option<PathBuf>,
    hmac_secret: Option<SecretText>,
    algorithms: Option<List<Algorithm>>,
    leeway: Option<Span>,
    max_age: Option<Span>,
    #[serde(default)]
    access_tokens_only: bool,
    token_type: Option<List>,
    #[serde(default)]
    required_claim: List,
    #[serde(default)]
    without_subject: bool,
    max_token_len: Option<usize>,
    cache_bytes: Option<usize>,
    token_cookie: Option<String>,
    public_url: Option<String>,
    #[serde(default)]
    trusted_origin: List,
    realm: Option<String>,
    #[serde(default)]
    lazy: bool,
    jwks_min_refresh: Option<Span>,
    jwks_max_refresh: Option<Span>,
    jwks_default_refresh: Option<Span>,
    jwks_jitter: Option<f64>,
    jwks_min_retry: Option<Span>,
    jwks_max_retry: Option<Span>,
    jwks_cooldown: Option<Span>,
    jwks_timeout: Option<Span>,
    jwks_connect_timeout: Option<Span>,
    jwks_max_wait: Option<Span>,
    jwks_max_stale: Option<Span>,
    jwks_max_body: Option<usize>,
    jwks_max_keys: Option<usize>,
}

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Variables::deserialize(AsMap(deserializer)).map(Self)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Settings {
    /// The issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The audiences. A token must have one of them.
    pub fn audiences(&self) -> impl Iterator<Item = &str> {
        self.0.audience.iter().map(String::as_str)
    }

    /// Builds the layer. It takes the token from `Authorization`, and from the cookie if one is
    /// set.
    ///
    /// # Errors
    ///
    /// See [`Self::verifier_builder`] and [`Self::layer_of`].
    pub async fn layer(&self) -> Result<JwtAuthLayer, ConfigError> {
        self.layer_of(self.verifier().await?)
    }

    /// Builds the layer with another verifier, such as one with your own rules or type of claims.
    ///
    /// # Errors
    ///
    /// The cookie's name or an origin is malformed.
    pub fn layer_of<C>(&self, verifier: Verifier<C>) -> Result<JwtAuthLayer<C>, ConfigError> {
        let mut layer = JwtAuthLayer::new(verifier);
        if let Some(realm) = &self.0.realm {
            layer = layer.realm(realm);
        }
        // The origins are checked also where there is no cookie.
        let name = self.0.token_cookie.as_deref();
        let mut cookie = TokenSource::cookie(name.unwrap_or("at"));
        cookie
            .clone()
            .build()
            .map_err(|_| ConfigError::InvalidName("`token_cookie` is not a valid cookie name"))?;
        if let Some(url) = &self.0.public_url {
            cookie = cookie.public_origin(url.strip_suffix('/').unwrap_or(url));
        }
        for origin in self.0.trusted_origin.iter() {
            cookie = cookie.trusted_origin(origin);
        }
        let cookie = cookie.build()?;
        Ok(if name.is_some() { layer.source(cookie) } else { layer })
    }

    /// Builds the verifier.
    ///
    /// # Errors
    ///
    /// See [`Self::verifier_builder`] and [`VerifierBuilder::build`].
    pub async fn verifier(&self) -> Result<Verifier, ConfigError> {
        self.verifier_builder().await?.build()
    }

    /// Starts to build a verifier with these settings, to which more can be added.
    ///
    /// # Errors
    ///
    /// Settings contradict each other, a key cannot be used, or the keys cannot be
    /// fetched.
    pub async fn verifier_builder(&self) -> Result<VerifierBuilder, ConfigError> {
        let mut builder = Verifier::builder().issuer(&*self.0.issuer);
        for audience in self.0.audience.iter() {
            builder = builder.audience(audience);
        }
        if self.0.any_audience {
            if !self.0.audience.is_empty() {
                return contradiction("`audience` and `any_audience` are both set, leave one out");
            }
            builder = builder.any_audience();
        }
        for client in self.0.client.iter() {
            builder = builder.client_id(client);
        }
        if let Some(algorithms) = &self.0.algorithms {
            builder = builder.algorithms(algorithms.iter().copied());
        }
        if let Some(Span(leeway)) = self.0.leeway {
            builder = builder.leeway(leeway);
        }
        if let Some(Span(max_age)) = self.0.max_age {
            builder = builder.max_age(max_age);
        }
        if self.0.without_subject {
            builder = builder.without_subject();
        }
        if self.0.access_tokens_only {
            if self.0.token_type.is_some() || self.0.without_subject {
                return contradiction(
                    "`access_tokens_only` already requires a `typ` and a `sub`, leave out \
                     `token_type` and `without_subject`",
                );
            }
            builder = builder.access_tokens_only();
        }
        if let Some(types) = &self.0.token_type {
            builder = builder.token_types(types.iter());
        }
        for claim in self.0.required_claim.iter() {
            builder = builder.required_claim(claim);
        }
        if let Some(bytes) = self.0.max_token_len {
            builder = builder.max_token_len(bytes);
        }
        if let Some(bytes) = self.0.cache_bytes {
            builder = builder.cache(if bytes == 0 { Cache::off() } else { Cache::of_bytes(bytes) });
        }
        Ok(builder.keys(self.keys().await?))
    }

    /// The source of the keys, of which there is only one.
    async fn keys(&self) -> Result<KeySource, ConfigError> {
        let fixed = [
            self.0.public_key.is_some(),
            self.0.public_key_file.is_some(),
            self.0.hmac_secret.is_some(),
            self.0.jwks_url.is_some(),
        ];
        if fixed.into_iter().filter(|set| *set).count() > 1 {
            return contradiction(
                "of `jwks_url`, `public_key`, `public_key_file` and `hmac_secret`, set one at most",
            );
        }
        if let Some(pem) = &self.0.public_key {
            return Key::from_pem(pem).into_key_source();
        }
        if let Some(file) = &self.0.public_key_file {
            let pem = std::fs::read(file).map_err(|error| {
                let file = file.display();
                ConfigError::Settings(format!("the key file {file} cannot be read: {error}"))
            })?;
            return Key::from_pem(pem).into_key_source();
        }
        if let Some(secret) = &self.0.hmac_secret {
            return self.secret_keys(secret)?.into_key_source();
        }
        let keys = self.remote_keys();
        if self.0.lazy { keys.lazy() } else { keys.build().await }.into_key_source()
    }

    /// The secret as a key of each allowed algorithm; of HS256 if `algorithms` is not set.
    fn secret_keys(&self, secret: &SecretText) -> Result<Vec<Key>, ConfigError> {
        let text = secret.expose().trim_end_matches('=');
        let bytes = URL_SAFE_NO_PAD
            .decode_to_vec(text)
            .map(zeroize::Zeroizing::new)
            .map_err(|_| ConfigError::Settings("`hmac_secret` is not base64url".into()))?;
        let named = self.0.algorithms.as_ref().map(|list| list.iter().copied().collect::<Vec<_>>());
        let keys: Result<Vec<_>, _> = named
            .unwrap_or_else(|| vec![Algorithm::HS256])
            .into_iter()
            .filter_map(|algorithm| match algorithm {
                Algorithm::HS256 => Some(Key::hs256(&*bytes)),
                Algorithm::HS384 => Some(Key::hs384(&*bytes)),
                Algorithm::HS512 => Some(Key::hs512(&*bytes)),
                // An algorithm that does not use a secret.
                _ => None,
            })
            .collect();
        match keys {
            Ok(keys) if keys.is_empty() => {
                contradiction("`algorithms` has none that uses `hmac_secret`, add HS256")
            }
            keys => keys,
        }
    }

    fn remote_keys(&self) -> RemoteKeysBuilder {
        let mut keys = match &self.0.jwks_url {
            Some(url) => RemoteKeys::at(url).issuer(&*self.0.issuer),
            None => RemoteKeys::discover(&self.0.issuer),
        };
        for host in self.0.http_hosts.iter() {
            keys = keys.dangerous().http_host(host);
        }
        let set = |span: &Option<Span>| span.as_ref().map(|span| span.0);
        if let Some(timeout) = set(&self.0.jwks_timeout) {
            keys = keys.timeout(timeout);
        }
        if let Some(timeout) = set(&self.0.jwks_connect_timeout) {
            keys = keys.connect_timeout(timeout);
        }
        if let Some(cooldown) = set(&self.0.jwks_cooldown) {
            keys = keys.cooldown(cooldown);
        }
        if let Some(wait) = set(&self.0.jwks_max_wait) {
            keys = keys.max_wait(wait);
        }
        if let Some(stale) = set(&self.0.jwks_max_stale) {
            keys = keys.max_stale(stale);
        }
        if let Some(bytes) = self.0.jwks_max_body {
            keys = keys.max_body(bytes);
        }
        if let Some(most) = self.0.jwks_max_keys {
            keys = keys.max_keys(most);
        }
        if let Some(part) = self.0.jwks_jitter {
            keys = keys.jitter(part);
        }
        let (first, last) = (set(&self.0.jwks_min_retry), set(&self.0.jwks_max_retry));
        let first = first.unwrap_or(FIRST_RETRY.min(last.unwrap_or(FIRST_RETRY)));
        keys = keys.retry_interval(first..=last.unwrap_or(LAST_RETRY.max(first)));
        // A bound that is set moves the defaults that contradict it.
        let (shortest, longest) = (set(&self.0.jwks_min_refresh), set(&self.0.jwks_max_refresh));
        let most = longest.unwrap_or(LONGEST_REFRESH.max(shortest.unwrap_or_default()));
        let least = shortest.unwrap_or(SHORTEST_REFRESH.min(most));
        let between = set(&self.0.jwks_default_refresh);
        keys.refresh_interval(least..=most)
            .default_refresh(between.unwrap_or(DEFAULT_REFRESH.min(most).max(least)))
    }
}

fn contradiction<T>(what: &str) -> Result<T, ConfigError> {
    Err(ConfigError::Settings(what.into()))
}
