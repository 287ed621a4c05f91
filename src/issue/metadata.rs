//! The service that publishes the metadata of an issuer.

use std::{
    convert::Infallible,
    fmt,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};
use tower_service::Service;

use super::{access::TokenIssuer, body::Body, document::Document};
use crate::{alg::Algorithm, csrf::Origin, error::ConfigError, http_url};

/// Answers `GET` and `HEAD` with the metadata of an issuer, so that verifiers find its keys by
/// discovery; made by [`TokenIssuer::metadata_service`].
///
/// The same document serves both well-known [`paths`](Self::paths): that of OAuth 2.0 (RFC 8414)
/// and that of OpenID Connect Discovery 1.0. Every URL in it comes from the configuration, and
/// none from a request.
#[derive(Clone)]
pub struct MetadataService {
    issuer: TokenIssuer,
    document: Document,
    metadata: Arc<Metadata>,
}

struct Metadata {
    members: Map<String, Value>,
    paths: [String; 2],
    jwks_path: String,
}

/// Builds a [`MetadataService`].
///
/// # Defaults
///
/// - `jwks_uri`: the issuer and `/.well-known/jwks.json`
/// - token endpoint and grant types: none, because the services of
///   [`sessions`](crate::sessions) are no token endpoint (RFC 6749 §3.2)
/// - `response_types_supported`: `none`, because there is no authorization endpoint
/// - `subject_types_supported`: `public`
/// - `id_token_signing_alg_values_supported`: the algorithms of the published keys
#[must_use = "a builder does nothing until it is built"]
pub struct MetadataServiceBuilder {
    issuer: TokenIssuer,
    jwks_uri: Option<String>,
    token_endpoint: Option<String>,
    grant_types: Vec<String>,
    auth_methods: Vec<String>,
    acr_values: Vec<String>,
    dpop_algorithms: Vec<&'static str>,
    members: Map<String, Value>,
    error: Option<ConfigError>,
}

impl TokenIssuer {
    /// Starts to build the service that publishes the metadata of this issuer, for
    /// `RemoteKeys::discover` and for the verifiers of others. The name of the
    /// issuer must be a URL.
    ///
    /// # Example: an issuer whose URL has a path
    /// ```
    /// use axum::Router;
    /// use tower_jwt_auth::{ConfigError, issue::TokenIssuer};
    ///
    /// fn metadata(issuer: &TokenIssuer) -> Result<Router, ConfigError> {
    ///     let metadata = issuer.metadata_service().build()?;
    ///     let keys = Router::new().route_service(metadata.jwks_path(), issuer.jwks_service());
    ///     Ok(metadata.paths().into_iter().fold(keys, |router, path| {
    ///         router.route_service(path, metadata.clone())
    ///     }))
    /// }
    /// # use tower_jwt_auth::{Algorithm, issue::SigningKey};
    /// # let issuer = TokenIssuer::builder()
    /// #     .issuer("https://example.com/login")
    /// #     .audience("https://api.example.com")
    /// #     .key(SigningKey::generate(Algorithm::ES256)?)
    /// #     .build()?;
    /// # metadata(&issuer)?;
    /// let metadata = issuer.metadata_service().build()?;
    /// assert_eq!(issuer.issuer(), "https://example.com/login");
    /// assert_eq!(metadata.paths(), [
    ///     "/.well-known/oauth-authorization-server/login",
    ///     "/login/.well-known/openid-configuration",
    /// ]);
    /// assert_eq!(metadata.jwks_path(), "/login/.well-known/jwks.json");
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn metadata_service(&self) -> MetadataServiceBuilder {
        MetadataServiceBuilder {
            issuer: self.clone(),
            jwks_uri: None,
            token_endpoint: None,
            grant_types: Vec::new(),
            auth_methods: Vec::new(),
            acr_values: Vec::new(),
            dpop_algorithms: Vec::new(),
            members: Map::new(),
            error: None,
        }
    }
}

impl MetadataServiceBuilder {
    /// Sets the URL of the [JWK set](TokenIssuer::jwks_service): `jwks_uri`. Default: the issuer
    /// and `/.well-known/jwks.json`.
    pub fn jwks_uri(mut self, url: impl Into<String>) -> Self {
        self.jwks_uri = Some(url.into());
        self
    }

    /// Sets the URL of a token endpoint (RFC 6749 §3.2) that the application has. It requires a
    /// [`grant_type`](Self::grant_type). Default: none.
    pub fn token_endpoint(mut self, url: impl Into<String>) -> Self {
        self.token_endpoint = Some(url.into());
        self
    }

    /// Adds a grant type of the token endpoint, such as `client_credentials`:
    /// `grant_types_supported`.
    pub fn grant_type(mut self, name: impl Into<String>) -> Self {
        self.grant_types.push(name.into());
        self
    }

    /// Adds a way in which clients authenticate at the token endpoint, such as
    /// `client_secret_post`, or `none`: `token_endpoint_auth_methods_supported`. Without any,
    /// clients assume `client_secret_basic` (RFC 8414 §2).
    pub fn token_endpoint_auth_method(mut self, name: impl Into<String>) -> Self {
        self.auth_methods.push(name.into());
        self
    }

    /// Adds an authentication context that a login of this issuer may have, such as `phr`:
    /// `acr_values_supported` (RFC 9470 §7).
    pub fn acr_value(mut self, acr: impl Into<String>) -> Self {
        self.acr_values.push(acr.into());
        self
    }

    /// Sets the algorithms of the proofs that this issuer accepts where it gives tokens:
    /// `dpop_signing_alg_values_supported` (RFC 9449 §5.1). They are those of
    /// [`DPoPBuilder::algorithms`](crate::proof::DPoPBuilder::algorithms). Default: none.
    pub fn dpop_algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.dpop_algorithms = algorithms.into_iter().map(Algorithm::name).collect();
        self
    }

    /// Sets another member of the document, such as `scopes_supported`. It takes the place of a
    /// default. `null` and empty arrays are left out (RFC 8414 §3.2).
    pub fn member(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(value) => _ = self.members.insert(name.into(), value),
            Err(_) => {
                self.error.get_or_insert(ConfigError::InvalidName(
                    "a member of the metadata cannot be written as JSON",
                ));
            }
        }
        self
    }

    /// Builds the service.
    ///
    /// # Errors
    ///
    /// - The name of the issuer is not an `https` URL, or `http` on loopback, without a query
    ///   and a fragment.
    /// - A URL is not one, or is `http` while the issuer is `https`.
    /// - There is a token endpoint without a grant type, or the reverse.
    /// - A member has the name of one that has a method of its own.
    /// - The issuer has only shared secrets, which are not published: verifiers would find no key.
    pub fn build(self) -> Result<MetadataService, ConfigError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        if self.issuer.published_algorithms().is_empty() {
            return Err(ConfigError::Conflict(
                "the metadata would lead to an empty JWK set, because a shared secret (HS256, \
                 HS384, HS512) is not published: sign with another key, such as \
                 `SigningKey::generate(Algorithm::ES256)`, or leave the metadata out",
            ));
        }
        let name = self.issuer.issuer();
        let path = url_path(name).filter(|_| !name.contains('?')).ok_or(ConfigError::InvalidName(
            "an issuer with metadata is named by an `https` URL without a query and a fragment, \
             such as `https://login.example.com`; `http` is for loopback only",
        ))?;
        let base = name.trim_end_matches('/');
        let path = path.trim_end_matches('/');
        let endpoint = |url: &str| match url_path(url) {
            Some(path) if url.starts_with("https://") || name.starts_with("http://") => {
                Ok(path.split('?').next().unwrap_or_default().to_owned())
            }
            _ => Err(ConfigError::InvalidName(
                "a URL in the metadata is `https`, and has no fragment; `http` is for loopback \
                 only, if the issuer is `http` too",
            )),
        };
        let jwks_uri = self.jwks_uri.unwrap_or_else(|| format!("{base}/.well-known/jwks.json"));
        let jwks_path = endpoint(&jwks_uri)?;
        let mut members = Map::new();
        members.insert("issuer".into(), name.into());
        members.insert("jwks_uri".into(), jwks_uri.into());
        if self.token_endpoint.is_none() != self.grant_types.is_empty() {
            return Err(ConfigError::Conflict(
                "a token endpoint needs `.grant_type(…)`, and grant types need \
                 `.token_endpoint(…)`",
            ));
        }
        if let Some(url) = self.token_endpoint {
            endpoint(&url)?;
            members.insert("token_endpoint".into(), url.into());
            members.insert("grant_types_supported".into(), self.grant_types.into());
            let methods = "token_endpoint_auth_methods_supported";
            members.insert(methods.into(), self.auth_methods.into());
        } else if !self.auth_methods.is_empty() {
            return Err(ConfigError::Conflict(
                "`token_endpoint_auth_method` needs `.token_endpoint(…)`",
            ));
        }
        members.insert("acr_values_supported".into(), self.acr_values.into());
        let algorithms = "dpop_signing_alg_values_supported";
        members.insert(algorithms.into(), self.dpop_algorithms.into());
        if self.members.keys().any(|name| OF_METHODS.contains(&&**name)) {
            return Err(ConfigError::Conflict(
                "`.member(…)` has a name that has a method of its own: `issuer` of the issuer, \
                 `jwks_uri`, `token_endpoint`, `grant_type`, `token_endpoint_auth_method`, \
                 `acr_value`, `dpop_algorithms`",
            ));
        }
        // RFC 8414 §2 requires it, and §3.2 forbids an empty array. Without an authorization
        // endpoint, nobody can ask for a type.
        members.insert("response_types_supported".into(), json!(["none"]));
        // OpenID Connect Discovery 1.0 §3 requires it.
        members.insert("subject_types_supported".into(), json!(["public"]));
        members.extend(self.members);
        let is_empty =
            |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        members.retain(|_, value| !is_empty(value));
        let paths = [
            format!("/.well-known/oauth-authorization-server{path}"),
            format!("{path}/.well-known/openid-configuration"),
        ];
        let document = Document::new("application/json", self.issuer.jwks_max_age());
        let metadata = Arc::new(Metadata { members, paths, jwks_path });
        Ok(MetadataService { issuer: self.issuer, document, metadata })
    }
}

impl MetadataService {
    /// The paths at which to mount this service. The first is that of RFC 8414 §3.1, in front of
    /// the path of the issuer; the second is that of OpenID Connect Discovery 1.0 §4.1, behind
    /// it.
    #[must_use]
    pub fn paths(&self) -> [&str; 2] {
        self.metadata.paths.each_ref().map(String::as_str)
    }

    /// The path of [`jwks_uri`](MetadataServiceBuilder::jwks_uri), at which to mount
    /// [`jwks_service`](TokenIssuer::jwks_service).
    #[must_use]
    pub fn jwks_path(&self) -> &str {
        &self.metadata.jwks_path
    }

    fn text(&self) -> String {
        let mut members = self.metadata.members.clone();
        let algorithms = self.issuer.published_algorithms();
        if !algorithms.is_empty() {
            // OpenID Connect Discovery 1.0 §3 requires it, and verifiers choose algorithms by it.
            let name = "id_token_signing_alg_values_supported";
            members.entry(name).or_insert_with(|| algorithms.into());
        }
        Value::Object(members).to_string()
    }
}

impl<B> Service<Request<B>> for MetadataService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.document.answer(request.method(), || self.text())))
    }
}

impl fmt::Debug for MetadataService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetadataService").field("members", &self.metadata.members).finish()
    }
}

impl fmt::Debug for MetadataServiceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetadataServiceBuilder")
            .field("issuer", &self.issuer.issuer())
            .field("jwks_uri", &self.jwks_uri)
            .field("token_endpoint", &self.token_endpoint)
            .finish_non_exhaustive()
    }
}

/// The path, and the query, of a URL that is `https`, or `http` to loopback, in the only spelling
/// that every reader leaves as it is. `None` if it is another one.
fn url_path(url: &str) -> Option<&str> {
    let (scheme, authority, path) = http_url::split(url)?;
    let origin = Origin::of_a_service(&format!("{scheme}://{authority}")).ok()?;
    let is_safe = scheme == "https" || (scheme == "http" && origin.is_loopback());
    // RFC 3986 §3.3, and §3.4 for a query.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/?".contains(&byte);
    let is_escaped = |part: &str| {
        let digits = part.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let path_only = path.split('?').next().unwrap_or_default();
    let is_plain = path.bytes().all(plain)
        && path.split('%').skip(1).all(is_escaped)
        && !path_only.split('/').any(is_dot_segment);
    (is_safe && is_plain).then_some(path)
}

/// Whether readers take this segment of a path out, and then ask for another path (RFC 3986
/// §5.2.4).
pub(crate) fn is_dot_segment(segment: &str) -> bool {
    matches!(&*segment.replace("%2e", ".").replace("%2E", "."), "." | "..")
}

const OF_METHODS: [&str; 7] = [
    "issuer",
    "jwks_uri",
    "token_endpoint",
    "grant_types_supported",
    "token_endpoint_auth_methods_supported",
    "acr_values_supported",
    "dpop_signing_alg_values_supported",
];
