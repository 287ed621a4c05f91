//! Protected resource metadata (RFC 9728): a client that knows only the URL of this service finds the
//! authorization server that gives it a token.
//!
//! # Rules
//!
//! 1. The document is derived from a [`Verifier`](crate::Verifier), and each part of it can be
//!    overridden: see [`ProtectedResourceBuilder`].
//! 2. Every URL comes from the configuration. `Host`, `Forwarded` and `X-Forwarded-*` of a request
//!    change nothing.
//! 3. `resource` is an `https` URL in its canonical form: a scheme and a host in lower case, no
//!    default port, no query, no fragment, no slash at the end, and only escapes that are needed.
//!    `http` is for loopback only. Clients compare it as a text with the URL that they know
//!    (RFC 9728 §3.3).
//! 4. The document is at `/.well-known/oauth-protected-resource`, followed by the path of the
//!    resource (RFC 9728 §3.1): that of `https://api.example.com/mcp` is at
//!    `/.well-known/oauth-protected-resource/mcp`. With a slash at the end, the path leads to the same
//!    document. No other path does.
//! 5. `GET` is answered 200 with `application/json`, `Cache-Control: public, max-age=3600`, an `ETag`
//!    and `Access-Control-Allow-Origin: *`, `HEAD` with the same headers. Both are answered 304 without
//!    a body if `If-None-Match` has that tag (RFC 9110 §13.1.2). `OPTIONS` is answered 204, and allows
//!    pages the header `MCP-Protocol-Version`. Other methods are answered 405. No token is needed, and
//!    none is looked at.
//! 6. With the metadata, each challenge of a 401 and a 403 has the parameter `resource_metadata`, of
//!    each scheme, also those of extractors and of [`RequireLayer`](crate::RequireLayer) inside the
//!    layer (RFC 9728 §5.1).
//!
//! # Example: a layer that answers it
//! ```
//! use http::{Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_jwt_auth::{JwtAuthLayer, Key, Verifier, resource::ProtectedResource};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let verifier = Verifier::builder()
//!     .issuer("https://login.example.com")
//!     .audience("https://api.example.com")
//!     .keys(Key::hs256([7; 32]))
//!     .build()?;
//! let resource = ProtectedResource::builder(&verifier)
//!     .resource_name("Orders")
//!     .scopes_supported(["orders:read", "orders:write"])
//!     .build()?;
//! let service = service_fn(async |_: Request<String>| {
//!     Ok::<_, std::io::Error>(Response::new(String::from("orders")))
//! });
//! let service = JwtAuthLayer::new(verifier).protected_resource(resource).layer(service);
//!
//! let request = Request::get("/orders").body(String::new())?;
//! let response = service.clone().oneshot(request).await?;
//! assert_eq!(response.status(), 401);
//! assert_eq!(
//!     response.headers()["www-authenticate"],
//!     "Bearer resource_metadata=\"https://api.example.com/.well-known/oauth-protected-resource\""
//! );
//!
//! let request = Request::get("/.well-known/oauth-protected-resource").body(String::new())?;
//! let response = service.oneshot(request).await?;
//! let document: serde_json::Value = serde_json::from_str(response.body())?;
//! assert_eq!(
//!     document,
//!     serde_json::json!({
//!         "resource": "https://api.example.com",
//!         "authorization_servers": ["https://login.example.com"],
//!         "bearer_methods_supported": ["header"],
//!         "scopes_supported": ["orders:read", "orders:write"],
//!         "resource_name": "Orders",
//!     })
//! );
//! # Ok(()) }
//! ```
//!
//! # Security
//!
//! The document is public, and tells everybody the names of the issuers and of the scopes that it
//! has. A client that follows a challenge asks the authorization server for a token for `resource`. So
//! name only authorization servers that you trust.

mod answer;
mod builder;
mod names;
mod url;

use std::{
    convert::Infallible,
    fmt,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use serde_json::{Map, Value};
use tower_service::Service;

use self::answer::PublicJson;
pub use self::builder::ProtectedResourceBuilder;
use crate::request_head::RequestHead;

/// The metadata of a protected resource (RFC 9728), made by [`ProtectedResource::builder`]; cheap to
/// clone. See the [module docs](self).
///
/// Give it to a layer with [`JwtAuthLayer::protected_resource`], which answers requests for it. As a
/// [`Service`], it answers the requests that a router sends to it, whatever their path is:
///
/// [`JwtAuthLayer::protected_resource`]: crate::JwtAuthLayer::protected_resource
///
/// # Example: routes of axum
/// ```
/// use axum::{Router, routing::get};
/// use tower_jwt_auth::{JwtAuthLayer, Verifier, resource::ProtectedResource};
///
/// // The layer is around the routes before it only, so the metadata has routes of its own.
/// fn app(verifier: Verifier, resource: ProtectedResource) -> Router {
///     let layer = JwtAuthLayer::new(verifier).resource_metadata(resource.clone());
///     let orders = Router::new().route("/orders", get(async || "orders")).route_layer(layer);
///     resource
///         .paths()
///         .fold(orders, |router, path| router.route_service(path, resource.clone()))
/// }
/// ```
#[derive(Clone)]
pub struct ProtectedResource(Arc<Inner>);

struct Inner {
    resource: String,
    metadata_url: String,
    paths: Vec<String>,
    /// All members but the way of sending tokens, unless that was set.
    members: Map<String, Value>,
    /// Whether the way of sending tokens is that of the layer.
    has_methods_of_layer: bool,
    /// The document outside of a layer.
    document: PublicJson,
}

impl ProtectedResource {
    fn new(
        resource: String,
        metadata_url: String,
        paths: Vec<String>,
        members: Map<String, Value>,
        has_methods_of_layer: bool,
    ) -> Self {
        let document = document(&members, has_methods_of_layer, &["header"]);
        Self(Arc::new(Inner {
            resource,
            metadata_url,
            paths,
            members,
            has_methods_of_layer,
            document,
        }))
    }

    /// The resource identifier, such as `https://api.example.com/mcp`.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.0.resource
    }

    /// The URL of the document, as the parameter `resource_metadata` of challenges has it.
    #[must_use]
    pub fn metadata_url(&self) -> &str {
        &self.0.metadata_url
    }

    /// The paths that lead to the document. Give them to a router.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.paths.iter().map(String::as_str)
    }

    /// The document, in JSON.
    #[must_use]
    pub fn json(&self) -> &str {
        self.0.document.text()
    }

    /// Answers a request whose path is exactly one of the [`paths`](Self::paths). `None` for every
    /// other request. It needs no token.
    ///
    /// # Example: a service without a router
    /// ```
    /// use http::{Request, Response};
    /// use tower_jwt_auth::resource::ProtectedResource;
    ///
    /// fn answer(resource: &ProtectedResource, request: &Request<()>) -> Response<String> {
    ///     resource.response(request).unwrap_or_else(|| Response::new("no metadata".into()))
    /// }
    /// ```
    pub fn response<'r, B: From<String>>(
        &self,
        request: impl Into<RequestHead<'r>>,
    ) -> Option<Response<B>> {
        self.0.answer(request.into(), &self.0.document).map(|response| response.map(B::from))
    }

    /// The same metadata with these scopes added to `scopes_supported`.
    #[cfg(feature = "utoipa")]
    pub(crate) fn with_scopes(
        &self,
        scopes: impl IntoIterator<Item = String>,
    ) -> Result<Self, crate::error::ConfigError> {
        let Inner { resource, metadata_url, paths, members, has_methods_of_layer, .. } = &*self.0;
        let mut members = members.clone();
        let own = members.get(builder::SCOPES).and_then(Value::as_array).into_iter().flatten();
        let own = own.filter_map(Value::as_str).map(str::to_owned);
        let all = own.chain(scopes).collect();
        let all = names::scopes(all).map_err(crate::error::ConfigError::Resource)?;
        if !all.is_empty() {
            members.insert(builder::SCOPES.into(), all.into());
        }
        let (resource, metadata_url) = (resource.clone(), metadata_url.clone());
        Ok(Self::new(resource, metadata_url, paths.clone(), members, *has_methods_of_layer))
    }

    /// The document of a layer whose tokens are sent in these ways.
    pub(crate) fn document(&self, bearer_methods: &[&str]) -> Document {
        let Inner { members, has_methods_of_layer, .. } = &*self.0;
        let document = document(members, *has_methods_of_layer, bearer_methods);
        Document { document, resource: self.clone() }
    }
}

impl Inner {
    fn answer(&self, request: RequestHead<'_>, document: &PublicJson) -> Option<Response<String>> {
        let path = request.uri().path();
        let is_own = self.paths.iter().any(|own| own == path);
        is_own.then(|| document.answer(request))
    }
}

/// The document with these members, and with the ways of sending tokens unless they were set.
fn document(
    members: &Map<String, Value>,
    has_methods_of_layer: bool,
    bearer_methods: &[&str],
) -> PublicJson {
    let mut members = members.clone();
    if has_methods_of_layer && !bearer_methods.is_empty() {
        members.insert(BEARER_METHODS.into(), bearer_methods.into());
    }
    PublicJson::new(Value::Object(members).to_string())
}

/// The member that depends on where a layer looks for tokens.
const BEARER_METHODS: &str = "bearer_methods_supported";

/// The document of one layer.
#[derive(Clone)]
pub(crate) struct Document {
    resource: ProtectedResource,
    document: PublicJson,
}

impl Document {
    /// The answer to a request for it.
    #[cold]
    pub(crate) fn answer(&self, request: RequestHead<'_>) -> Option<Response<String>> {
        self.resource.0.answer(request, &self.document)
    }
}

impl<B> Service<Request<B>> for ProtectedResource {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.0.document.answer((&request).into())))
    }
}

impl fmt::Debug for ProtectedResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtectedResource")
            .field("metadata_url", &self.0.metadata_url)
            .field("members", &self.0.members)
            .finish_non_exhaustive()
    }
}
