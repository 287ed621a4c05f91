//! The builder of the security of an API.

use std::{fmt, sync::Arc};

use utoipa::openapi::security::{OAuth2, OpenIdConnect, SecurityScheme};

use super::{ApiSecurity, schemes::Schemes};
use crate::{
    claims::RegisteredClaims,
    error::ConfigError,
    http_url,
    layer::{JwtAuthLayer, NoMetadata},
    response::DefaultRespond,
};

/// Builds an [`ApiSecurity`].
///
/// # Defaults
///
/// - security schemes: those that follow from the layer, as the [module docs](super) list them
/// - `openIdConnect`, `oauth2`: none, because a verifier does not know how clients get their tokens
#[must_use = "a builder does nothing until it is built"]
pub struct ApiSecurityBuilder<C = RegisteredClaims, R = DefaultRespond, M = NoMetadata> {
    layer: JwtAuthLayer<C, R, M>,
    given: Vec<(String, SecurityScheme)>,
    scopes_in_metadata: bool,
    error: Option<ConfigError>,
}

impl<C, R, M> ApiSecurityBuilder<C, R, M> {
    pub(super) fn new(layer: JwtAuthLayer<C, R, M>) -> Self {
        Self { layer, given: Vec::new(), scopes_in_metadata: false, error: None }
    }

    /// Adds the scheme `openIdConnect` with this URL of a discovery document, such as
    /// `https://login.example.com/.well-known/openid-configuration`. A second URL is `openIdConnect2`.
    pub fn open_id_connect(mut self, url: impl Into<String>) -> Self {
        let url = url.into();
        if http_url::parse(&url).is_none() {
            let fault = "the URL of OpenID Connect discovery is absolute, such as \
                         `https://login.example.com/.well-known/openid-configuration`";
            self.error.get_or_insert(ConfigError::InvalidUrl(fault.into()));
        }
        let name = self.free_name("openIdConnect");
        let about =
            "An access token of the OpenID provider, as `Authorization: Bearer`.".to_owned();
        let scheme = SecurityScheme::OpenIdConnect(OpenIdConnect::with_description(url, about));
        self.scheme(name, scheme)
    }

    /// Adds the scheme `openIdConnect` for each issuer that the verifier trusts and that is a URL, with
    /// its URL of OpenID Connect Discovery 1.0 §4. Of [`Issuers`](crate::verifier::Issuers), those count
    /// that are there now: their names are in a document that clients see.
    pub fn open_id_connect_of_issuers(mut self) -> Self {
        let issuers = self.layer.verifier().accepted().issuers.unwrap_or_default();
        let is_url = |issuer: &&String| http_url::parse(issuer).is_some_and(|url| !url.has_more);
        let urls: Vec<_> = issuers
            .iter()
            .filter(is_url)
            .map(|issuer| {
                format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
            })
            .collect();
        if urls.is_empty() {
            self.error.get_or_insert(ConfigError::Conflict(
                "the verifier knows no issuer that is a URL: name the discovery document with \
                 `.open_id_connect(\"https://…\")`",
            ));
        }
        urls.into_iter().fold(self, Self::open_id_connect)
    }

    /// Adds the scheme `oauth2` with these flows, or with the URL of authorization server metadata
    /// (`OAuth2::with_metadata_url`, OpenAPI 3.2). A second one is `oauth22`.
    ///
    /// Each flow gets the scopes of the policies. Name scopes in it to describe them.
    ///
    /// # Example: authorization code
    /// ```
    /// use tower_jwt_auth::{ConfigError, JwtAuthLayer, openapi::ApiSecurity};
    /// use utoipa::openapi::security::{AuthorizationCode, Flow, OAuth2, Scopes};
    ///
    /// fn security(layer: JwtAuthLayer) -> Result<ApiSecurity, ConfigError> {
    ///     let flow = AuthorizationCode::new(
    ///         "https://login.example.com/authorize",
    ///         "https://login.example.com/token",
    ///         Scopes::from_iter([("orders:read", "See your orders")]),
    ///     );
    ///     ApiSecurity::builder(layer).oauth2(OAuth2::new([Flow::AuthorizationCode(flow)])).build()
    /// }
    /// ```
    pub fn oauth2(self, oauth2: OAuth2) -> Self {
        let name = self.free_name("oauth2");
        self.scheme(name, SecurityScheme::OAuth2(oauth2))
    }

    /// Adds another scheme, which is enough to send a token: for a source that is a function, or a
    /// scheme of OAuth or OpenID Connect with a name of your choice.
    pub fn scheme(mut self, name: impl Into<String>, scheme: SecurityScheme) -> Self {
        self.given.push((name.into(), scheme));
        self
    }

    /// Adds the scopes of all policies of this security and its clones to `scopes_supported` of the metadata
    /// that the layer [serves](JwtAuthLayer::protected_resource) (RFC 9728 §2). Those that the metadata names
    /// itself come first. Default: only those.
    ///
    /// A client that is told nothing else may ask for all of them at once. Name the scopes that most clients
    /// need with [`base_scopes`](JwtAuthLayer::base_scopes): a challenge counts before the metadata.
    ///
    /// # Example
    /// ```
    /// use axum::{Router, body::Body, http::Request};
    /// use tower::ServiceExt;
    /// use tower_jwt_auth::{
    ///     ConfigError, JwtAuthLayer, Verifier,
    ///     authorize::Scopes,
    ///     openapi::ApiSecurity,
    ///     resource::ProtectedResource,
    /// };
    /// use utoipa::openapi::OpenApi;
    /// use utoipa_axum::{router::OpenApiRouter, routes};
    ///
    /// #[utoipa::path(get, path = "/orders", responses((status = 200, description = "the orders")))]
    /// async fn list() {}
    ///
    /// fn app(verifier: Verifier) -> Result<(Router, OpenApi), ConfigError> {
    ///     let resource =
    ///         ProtectedResource::builder(&verifier).resource("https://api.example.com").build()?;
    ///     let layer = JwtAuthLayer::new(verifier).protected_resource(resource);
    ///     let security = ApiSecurity::builder(layer).scopes_in_metadata().build()?;
    ///     let orders = OpenApiRouter::new().routes(routes!(list));
    ///     let router = security.secured(orders, Scopes::all_of(["orders:read"]));
    ///     security.finish(router, OpenApi::default())
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let verifier = Verifier::builder()
    /// #     .issuer("https://login.example.com")
    /// #     .audience("https://api.example.com")
    /// #     .keys(tower_jwt_auth::Key::hs256([7; 32]))
    /// #     .build()?;
    /// let (router, _) = app(verifier)?;
    /// let request = Request::get("/.well-known/oauth-protected-resource").body(Body::empty())?;
    /// let metadata = axum::body::to_bytes(router.oneshot(request).await?.into_body(), 10_000).await?;
    /// let metadata: serde_json::Value = serde_json::from_slice(&metadata)?;
    /// assert_eq!(metadata["scopes_supported"], serde_json::json!(["orders:read"]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn scopes_in_metadata(mut self) -> Self {
        self.scopes_in_metadata = true;
        self
    }

    /// Builds it.
    ///
    /// # Errors
    ///
    /// - [`ConfigError::InvalidUrl`]: the URL of a discovery document is malformed.
    /// - [`ConfigError::InvalidName`]: the name of a scheme has characters that OpenAPI does not allow.
    /// - [`ConfigError::Conflict`]: two schemes have the same name, a scheme of OAuth is given and the
    ///   layer does not look for tokens in `Authorization`, or no scheme says where it does. Or the scopes
    ///   belong into metadata that the layer does not serve.
    pub fn build(self) -> Result<ApiSecurity<C, R, M>, ConfigError> {
        let Self { layer, given, scopes_in_metadata, error } = self;
        if let Some(error) = error {
            return Err(error);
        }
        if scopes_in_metadata && layer.served_metadata().is_none() {
            return Err(ConfigError::Conflict(
                "`.scopes_in_metadata()` needs a layer that serves its metadata: give it one with \
                 `.protected_resource(…)`",
            ));
        }
        let verifier = layer.verifier();
        let schemes = Arc::new(Schemes::new(layer.token_sources(), verifier.proofs(), given)?);
        let answers = verifier.answers();
        Ok(ApiSecurity { layer, schemes, answers, scopes_in_metadata })
    }

    fn free_name(&self, stem: &str) -> String {
        let is_taken = |name: &str| self.given.iter().any(|(given, _)| given == name);
        let mut name = stem.to_owned();
        let mut number = 2;
        while is_taken(&name) {
            name = format!("{stem}{number}");
            number += 1;
        }
        name
    }
}

impl<C, R, M> fmt::Debug for ApiSecurityBuilder<C, R, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.given.iter().map(|(name, _)| name).collect();
        f.debug_struct("ApiSecurityBuilder")
            .field("layer", &self.layer)
            .field("schemes", &names)
            .finish_non_exhaustive()
    }
}
