//! A verifier and a layer from a file or the environment. Requires the feature `settings`, which
//! `remote` includes.
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
//! | `any_audience` | a flag: accepts tokens for every service; read the [security note](VerifierBuilder::any_audience). There is no setting for `any_issuer` |
//! | `client_id` | one or several clients whose tokens are accepted |
//! | *keys*: no setting | discovery from the issuer |
//! | `jwks_url` | the address of the keys |
//! | `http_hosts` | one or several exact host names from which keys may be fetched over plain `http`; read the [security note](crate::keys::remote::DangerousRemoteKeysBuilder::http_host) |
//! | `public_key`, `public_key_file` | a key in PEM, or a file with it |
//! | `hmac_secret`, `hmac_secret_file` | a shared secret as base64url, or a file with it |
//! | `algorithms` | the only accepted algorithms |
//! | `leeway`, `max_age` | durations |
//! | `access_tokens_only`, `token_type` | only RFC 9068 access tokens; only these `typ` |
//! | `required_claim`, `without_subject`, `max_token_len` | as in the [builder](VerifierBuilder) |
//! | `shadow` | a table of rules that are not enforced: [shadow rules](#shadow-rules) |
//! | `cache_bytes` | memory for verified tokens, as [`Cache::of_bytes`]; 0 for none |
//! | `token_cookie` | a cookie that may carry the token |
//! | `public_origin`, `trusted_origin` | for the cookie: this service's origin, and others that may send unsafe requests |
//! | `dpop` | `optional` or `required`: tokens that are bound to a key, with [DPoP](crate::proof::DPoP) proofs for addresses below `public_origin` |
//! | `dpop_algorithms`, `dpop_max_age` | the algorithms and the age that proofs may have |
//! | `dpop_nonce_secret`, `dpop_nonce_secret_file` | secrets as base64url, of at least 32 bytes, or a file with them: proofs must have a [nonce](crate::proof::Nonces). The first makes nonces, those of the others are accepted, too; commas or white space separate them |
//! | `mutual_tls` | `optional` or `required`: tokens that are bound to a [client certificate](crate::proof::MutualTls); `optional` if `client_certificate_header` is set |
//! | `client_certificate_header`, `trusted_proxy` | the header in which a proxy passes the certificate on, and the networks of such proxies: [client certificates](#client-certificates) |
//! | `realm` | the challenge's realm |
//! | `scope_hierarchy` | scopes that imply others, as a [`ScopeHierarchy`](crate::authorize::ScopeHierarchy): a table such as `"files:write" = ["files:read"]`, or one text such as `files:write = files:read files:list; admin = files:write`. A scope that implies itself by way of others is an error |
//! | `base_scopes` | the scopes that challenges of a 401 name, as [`JwtAuthLayer::base_scopes`] |
//! | `resource` | the URL at which clients know this service, in its canonical form: the [metadata](#metadata) of the resource |
//! | `resource_name`, `resource_documentation`, `resource_policy_uri`, `resource_tos_uri`, `scopes_supported` | members of the metadata (RFC 9728 §2); they need `resource` |
//! | `authorization_servers` | the issuers that the metadata names; default: the issuer, if it is a URL |
//! | `lazy` | start even if the provider does not answer |
//! | `jwks_min_refresh`, `jwks_max_refresh`, `jwks_default_refresh`, `jwks_min_retry`, `jwks_max_retry`, `jwks_cooldown`, `jwks_timeout`, `jwks_connect_timeout`, `jwks_max_wait`, `jwks_max_stale`, `jwks_old_after` | durations, as in [`RemoteKeysBuilder`] |
//! | `jwks_max_body`, `jwks_max_keys`, `jwks_jitter` | numbers, as there |
//!
//! - Set at most one source of keys. Discovery, `lazy` and the names that begin with `jwks_` require
//!   the feature `remote`. Without it, they are an error.
//! - A duration is a text, such as `"10m"` or `"1h 30m"`, or whole seconds.
//! - Several values are a list, or one text with commas.
//! - A flag is `true` or `false`, or 1 or 0. `any_audience`, `access_tokens_only`, `without_subject`
//!   and `lazy` are flags, and `false` by default.
//! - A number or a flag may also be a text, such as `"512"` or `"true"`. A whole number may be given
//!   for a list, for `realm` and for `token_cookie`. So it does not matter whether a reader of the
//!   environment guesses types.
//! - A file has at most 64 KiB. White space at the end of a secret's file is ignored. The files are
//!   read when a verifier is built.
//!
//! # Example: from the environment
//!
//! [`Settings::from_env`] reads variables. Their names are the names of the table in capitals, after
//! a prefix of your choice:
//!
//! | setting | variable with the prefix `AUTH_` | value |
//! |---|---|---|
//! | `issuer` | `AUTH_ISSUER` | `https://login.example.com` |
//! | `audience` | `AUTH_AUDIENCE` | `https://api.example.com,https://other.example.com` |
//! | `leeway` | `AUTH_LEEWAY` | `30s` |
//! | `access_tokens_only` | `AUTH_ACCESS_TOKENS_ONLY` | `true` |
//! | `hmac_secret_file` | `AUTH_HMAC_SECRET_FILE` | `/run/secrets/jwt` |
//! | any other | `AUTH_` and the name in capitals | |
//!
//! ```no_run
//! use tower_jwt_auth::{ConfigError, JwtAuthLayer, settings::Settings};
//!
//! async fn layer() -> Result<JwtAuthLayer, ConfigError> {
//!     Settings::from_env("AUTH_")?.layer().await
//! }
//! ```
//!
//! An unknown variable with the prefix is an error. So choose a prefix that no other variable has.
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
//! use tower_jwt_auth::settings::Settings;
//!
//! #[derive(serde::Deserialize)]
//! struct Config {
//!     auth: Settings,
//! }
//!
//! # async fn start(file: &str) -> Result<(), Box<dyn std::error::Error>> {
//! // Or `toml::from_str`, or another reader of files.
//! let config: Config = serde_json::from_str(file)?;
//! let layer = config.auth.layer().await?;
//! # Ok(()) }
//! ```
//!
//! # Client certificates
//!
//! Without `client_certificate_header`, the certificate is the extension
//! [`ClientCertificate`](crate::proof::ClientCertificate) of the request. The format of the header
//! follows from its name: `client-cert` (RFC 9440), `x-forwarded-client-cert` (Envoy),
//! `x-forwarded-tls-client-cert` (Traefik), `x-amzn-mtls-clientcert` and
//! `x-amzn-mtls-clientcert-leaf` (AWS), and for all other names URL-encoded PEM, as nginx writes it. The
//! address of the proxy is the extension [`SocketAddr`](std::net::SocketAddr) of the request.
//!
//! # DPoP
//!
//! The proofs that were presented are kept in this process. If several processes accept the same
//! proofs, build a [`DPoP`](crate::proof::DPoP) with a shared store, and give it to
//! [`Settings::verifier_builder`] in place of these settings.
//!
//! # Metadata
//!
//! With `resource`, challenges name the [metadata](crate::resource) of the resource.
//! [`serve_metadata`](JwtAuthLayer::serve_metadata) has the layer answer requests for it:
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use tower_jwt_auth::{ConfigError, settings::Settings};
//!
//! async fn app() -> Result<Router, ConfigError> {
//!     let layer = Settings::from_env("AUTH_")?.layer().await?.serve_metadata();
//!     Ok(Router::new().route("/orders", get(async || "orders")).layer(layer))
//! }
//! ```
//!
//! A service whose bodies cannot be made of a `String` serves
//! [`protected_resource`](Settings::protected_resource) in another way.
//!
//! # Shadow rules
//!
//! The table `shadow` has rules that [decide nothing](VerifierBuilder::shadow): tokens that they would
//! refuse pass, and are reported. It has `audience`, `client_id`, `algorithms`, `access_tokens_only`,
//! `token_type`, `required_claim`, `leeway` and `max_age`, with the same values as above. A variable of
//! the environment has `SHADOW_` before the name: `AUTH_SHADOW_AUDIENCE`, `AUTH_SHADOW_MAX_AGE`.
//!
//! ```toml
//! [auth]
//! issuer = "https://login.example.com"
//! any_audience = true
//!
//! [auth.shadow]
//! audience = "https://api.example.com"
//! max_age = "1h"
//! ```
//!
//! Proxies from the environment are not used, and the system's certificate authorities are
//! trusted. For others, set them on [`RemoteKeys`] of your own.
//!
//! # Security
//!
//! Other processes of the same user can read the environment of a process, and crash reports often
//! contain it. So prefer `hmac_secret_file` to `hmac_secret`. The secret is not in `Debug` and not
//! in errors.
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
//! let layer = settings.layer_with(verifier)?;
//! # Ok(()) }
//! ```
// Links to what `remote` enables. Without it, they lead to the table of features.
#![cfg_attr(
    feature = "remote",
    doc = "
[`RemoteKeys`]: crate::keys::remote::RemoteKeys
[`RemoteKeysBuilder`]: crate::keys::remote::RemoteKeysBuilder
"
)]
#![cfg_attr(
    not(feature = "remote"),
    doc = "
[`RemoteKeys`]: crate#features
[`RemoteKeysBuilder`]: crate#features
"
)]

mod environment;
mod hierarchy;
mod keys;
mod nearest;
mod number;
mod proofs;
mod resource;
mod shadow;
mod table;
mod text;
mod variables;

#[cfg(feature = "remote")]
#[path = "remote.rs"]
mod fetched;
#[cfg(not(feature = "remote"))]
#[path = "without_remote.rs"]
mod fetched;

use std::fmt;

use serde::{Deserialize, Deserializer};

use self::{
    number::Number,
    table::Table,
    text::{AsMap, Span, Text},
};
use crate::{
    error::ConfigError,
    layer::JwtAuthLayer,
    resource::ProtectedResource,
    source::TokenSource,
    verifier::{Cache, Verifier, VerifierBuilder},
};

/// The settings of a verifier and a layer. See the [module docs](self) for the names.
///
/// It is read from a file with [`Deserialize`], or from the environment with
/// [`from_env`](Self::from_env). `Debug` does not show the secret.
#[derive(Clone)]
pub struct Settings(Table);

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Table::deserialize(AsMap(deserializer)).map(Self)
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
    /// set. If `resource` is set, its challenges name the metadata, which it answers with
    /// [`serve_metadata`](JwtAuthLayer::serve_metadata).
    ///
    /// # Errors
    ///
    /// See [`Self::verifier_builder`] and [`Self::layer_with`].
    pub async fn layer(&self) -> Result<JwtAuthLayer, ConfigError> {
        self.layer_with(self.verifier().await?)
    }

    /// Builds the layer with another verifier, such as one with your own rules or type of claims.
    ///
    /// # Errors
    ///
    /// The cookie's name or an origin is malformed, or see [`Self::protected_resource`].
    pub fn layer_with<C>(&self, verifier: Verifier<C>) -> Result<JwtAuthLayer<C>, ConfigError> {
        let mut layer = JwtAuthLayer::new(verifier.clone());
        if let Some(Text(realm)) = &self.0.realm {
            layer = layer.realm(realm);
        }
        if !self.0.base_scopes.is_empty() {
            layer = layer.base_scopes(self.0.base_scopes.iter());
        }
        // The origins are checked also where there is no cookie.
        let name = self.0.token_cookie.as_ref().map(|Text(name)| &**name);
        let mut cookie = TokenSource::cookie(name.unwrap_or("at"));
        cookie
            .clone()
            .build()
            .map_err(|_| ConfigError::InvalidName("`token_cookie` is not a valid cookie name"))?;
        if let Some(origin) = &self.0.public_origin {
            cookie = cookie.public_origin(origin.strip_suffix('/').unwrap_or(origin));
        }
        for origin in self.0.trusted_origin.iter() {
            cookie = cookie.trusted_origin(origin);
        }
        let cookie = cookie.build()?;
        if let Some(resource) = self.protected_resource(&verifier)? {
            layer = layer.resource_metadata(resource);
        }
        Ok(if name.is_some() { layer.source(cookie) } else { layer })
    }

    /// Builds the [metadata](crate::resource) of the resource, if `resource` is set. Use it where the
    /// layer does not answer requests for it, such as with `Router::route_layer` of axum.
    ///
    /// # Errors
    ///
    /// See [`ProtectedResourceBuilder::build`](crate::resource::ProtectedResourceBuilder::build).
    /// Another setting of the metadata is set without `resource`.
    pub fn protected_resource<C>(
        &self,
        verifier: &Verifier<C>,
    ) -> Result<Option<ProtectedResource>, ConfigError> {
        self.0.protected_resource(verifier)
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
    /// Returns an error if settings contradict each other, a setting requires the feature `remote`
    /// and the build does not have it, a key cannot be used, or the keys cannot be fetched.
    pub async fn verifier_builder(&self) -> Result<VerifierBuilder, ConfigError> {
        let mut builder = Verifier::builder().issuer(&*self.0.issuer);
        for audience in self.0.audience.iter() {
            builder = builder.audience(audience);
        }
        if self.0.any_audience.0 {
            if !self.0.audience.is_empty() {
                return contradiction("`audience` and `any_audience` are both set, leave one out");
            }
            builder = builder.any_audience();
        }
        for client in self.0.client_id.iter() {
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
        if self.0.without_subject.0 {
            builder = builder.without_subject();
        }
        if self.0.access_tokens_only.0 {
            if self.0.token_type.is_some() || self.0.without_subject.0 {
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
        if let Some(hierarchy) = self.0.scope_hierarchy.scopes() {
            builder = builder.scope_hierarchy(hierarchy);
        }
        if let Some(dpop) = self.0.dpop()? {
            builder = builder.dpop(dpop);
        }
        if let Some(mutual_tls) = self.0.mutual_tls()? {
            builder = builder.mutual_tls(mutual_tls);
        }
        self.0.shadow.check()?;
        builder = builder.shadow(|rules| self.0.shadow.apply(rules));
        if let Some(Number(bytes)) = self.0.max_token_len {
            builder = builder.max_token_len(bytes);
        }
        if let Some(Number(bytes)) = self.0.cache_bytes {
            builder = builder.cache(if bytes == 0 { Cache::off() } else { Cache::of_bytes(bytes) });
        }
        Ok(builder.keys(self.0.keys().await?))
    }
}

fn contradiction<T>(what: &str) -> Result<T, ConfigError> {
    Err(ConfigError::Settings(what.into()))
}
