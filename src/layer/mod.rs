//! The Tower layers: they verify the token and put its claims into the request's extensions.
//!
//! # Rules
//!
//! 1. The token is looked for where [`source`](crate::source) says, verified as
//!    [`verifier`](crate::verifier) says, and refused as
//!    [`response`](crate::response) says.
//! 2. The layer puts the claims into the request's extensions as a
//!    [`Claims<C>`](crate::Claims). It removes what an outer layer has put there: claims of the
//!    same type, and a [`Rejection`](crate::response::Rejection).
//! 3. An extractor or a policy that asks for [`Claims`](crate::Claims) without a type gets the
//!    claims of the layer without a type of its own. If there is no such layer, it gets those of
//!    the only layer. If there are several layers for different types, the crate cannot know which
//!    one is meant. The answer is then 500, even if only one of them has let the request pass with
//!    claims.
//! 4. `Authorization` and `Cookie` are marked sensitive in what is passed on.
//! 5. If the token's key and issuer are known, nothing is spawned and nothing is locked. The inner
//!    service is called in place, the one that was polled ready. It is cloned only if the answer
//!    has to be waited for.
//!
//! # Example: a service of any kind
//! ```
//! use http::{Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_jwt_auth::{Claims, JwtAuthLayer, Key, Verifier};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let verifier = Verifier::builder()
//!     .issuer("https://login.example.com")
//!     .audience("https://api.example.com")
//!     .keys(Key::hs256([7; 32]))
//!     .build()?;
//! let service = service_fn(|request: Request<String>| async move {
//!     let claims = request.extensions().get::<Claims>();
//!     Ok::<_, std::io::Error>(Response::new(format!("{claims:?}")))
//! });
//! let service = JwtAuthLayer::new(verifier).layer(service);
//!
//! let response = service.oneshot(Request::new(String::new())).await?;
//! assert_eq!(response.status(), 401);
//! assert_eq!(response.headers()["www-authenticate"], "Bearer");
//! # Ok(()) }
//! ```
//!
//! # Example: a browser's cookie, guests welcome, errors in JSON
//! ```
//! use tower_jwt_auth::{JwtAuthLayer, TokenSource, response::ProblemJson};
//! # use tower_jwt_auth::{Key, Verifier};
//! # let verifier = Verifier::builder()
//! #     .any_issuer().any_audience().keys(Key::hs256([7; 32])).build()?;
//! let layer = JwtAuthLayer::new(verifier)
//!     .source(TokenSource::cookie("__Host-at").build()?)
//!     .optional()
//!     .strip_token()
//!     .realm("example")
//!     .respond_with(ProblemJson);
//! # Ok::<(), tower_jwt_auth::ConfigError>(())
//! ```
//!
//! # Security
//!
//! The layer protects only the routes that it wraps. In axum, `Router::layer` covers the routes
//! that were added before it, and their fallback. `Router::route_layer` covers the same routes
//! without the fallback. A route that is added later is public. A nested router without a fallback
//! of its own uses the fallback of the outer router, which the layers of the nested router do not
//! wrap.
//!
//! By default, only requests with a valid token reach the inner service. With
//! [`optional`](JwtAuthLayer::optional), [`pass_through`](JwtAuthLayer::pass_through),
//! [`allow_preflight`](JwtAuthLayer::allow_preflight), [`exempt_grpc_health`](JwtAuthLayer::exempt_grpc_health)
//! or [`exempt_grpc_reflection`](JwtAuthLayer::exempt_grpc_reflection), requests without claims reach it, too. The
//! handler then decides.

mod future;
mod gate;
mod grpc;
mod header_change;
mod metadata;
#[cfg(feature = "mcp")]
mod preset;
mod require;
#[cfg(feature = "routes")]
mod routes;
mod service;
mod within;

use std::{fmt, marker::PhantomData, sync::Arc};

use tower_layer::Layer;

use self::gate::{Gate, Mode};
#[cfg(feature = "utoipa")]
pub(crate) use self::require::RouteRequirement;
#[cfg(feature = "routes")]
pub use self::routes::{RouteDescription, Routes};
pub use self::{
    future::ResponseFuture,
    metadata::{Metadata, NoMetadata, ServeMetadata},
    require::{Require, RequireFuture, RequireLayer},
    service::JwtAuth,
};
use crate::{
    claims::RegisteredClaims,
    report::{Lint, LintReport},
    response::DefaultRespond,
    source::{TokenSource, TokenSources},
    verifier::Verifier,
};

/// Lets requests with a valid token pass, with their claims in the extensions.
///
/// See the [module docs](self).
///
/// # Defaults
///
/// - source: `Authorization: Bearer`
/// - mode: a token is required
/// - preflights, and requests for the health of a service of gRPC: refused like every request without
///   a token
/// - realm: none
/// - body of a refusal: empty, also of those inside by extractors and [`RequireLayer`]
/// - token in the request that is passed on: left there, marked sensitive
/// - metadata of the protected resource: none
///
/// # Type parameters
///
/// - `C`: the type of the claims.
/// - `R`: the format of refusals, which [`respond_with`](Self::respond_with) sets.
/// - `M`: whether the layer answers requests for its metadata, which
///   [`protected_resource`](Self::protected_resource) sets.
#[must_use = "a layer does nothing until it wraps a service"]
pub struct JwtAuthLayer<C = RegisteredClaims, R = DefaultRespond, M = NoMetadata> {
    gate: Arc<Gate<C>>,
    respond: R,
    metadata: PhantomData<fn() -> M>,
}

impl<C> JwtAuthLayer<C> {
    /// A layer that wants a token in `Authorization: Bearer`.
    pub fn new(verifier: Verifier<C>) -> Self {
        Self::of(Gate::new(verifier), DefaultRespond)
    }
}

impl<C, R, M> JwtAuthLayer<C, R, M> {
    /// Adds a place where the token is looked for. Default: `Authorization`.
    ///
    /// A second source for the same place replaces the first one with its settings: a cookie or a
    /// header of the same name, the query, a WebSocket subprotocol with the same marker,
    /// `Authorization`. Functions of [`TokenSource::custom`] are all asked.
    pub fn source(self, source: TokenSource) -> Self {
        self.with(|gate| gate.sources.add(source))
    }

    /// Sets the only places where the token is looked for, in place of `Authorization` and of
    /// what was added before. Without any, no request has a token.
    ///
    /// [`strip_token`](Self::strip_token) does not take a token out of a place that is not a
    /// source.
    ///
    /// # Example: a cookie, and not `Authorization`
    /// ```
    /// use tower_jwt_auth::{JwtAuthLayer, TokenSource};
    /// # use tower_jwt_auth::{Key, Verifier};
    /// # let verifier = Verifier::builder()
    /// #     .any_issuer().any_audience().keys(Key::hs256([7; 32])).build()?;
    /// let layer = JwtAuthLayer::new(verifier).sources([TokenSource::cookie("__Host-at").build()?]);
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn sources(self, sources: impl IntoIterator<Item = TokenSource>) -> Self {
        self.with(|gate| {
            gate.sources = TokenSources::none().with_dpop(gate.sources.have_dpop());
            sources.into_iter().for_each(|source| gate.sources.add(source));
        })
    }

    /// Lets requests without a token pass, without claims. Use it where guests are welcome.
    ///
    /// A browser cannot leave a cookie out. So a request whose only token is in a cookie passes
    /// without claims, too, if that cookie is malformed, doubled, expired, revoked or otherwise
    /// invalid. The reason is a [`Rejection`] in the request's extensions. If the token can never
    /// verify again (it is malformed or revoked), the answer removes the cookie and is
    /// `Cache-Control: no-store`, unless the service sets that cookie itself. See
    /// [`CookieSourceBuilder::path`](crate::source::CookieSourceBuilder::path) and
    /// [`domain`](crate::source::CookieSourceBuilder::domain) for a cookie that was set with others than
    /// the defaults.
    ///
    /// # Security
    ///
    /// The handler decides: one that does not look at the claims is open to everybody.
    ///
    /// These are still refused: an invalid token that is not in a cookie (401, 400), a cookie on a
    /// request that is not shown to be same-origin (403), a valid token without the rights that a
    /// rule requires (403), and a token that cannot be checked now (503). A token that a rule
    /// [refuses](crate::verifier::RuleError::refuse) is an invalid one: in a cookie, it makes a guest.
    ///
    /// [`Rejection`]: crate::response::Rejection
    pub fn optional(self) -> Self {
        self.with(|gate| gate.mode = Mode::Optional)
    }

    /// Lets every request pass; the handler sees claims, or a [`Rejection`] in
    /// the extensions.
    ///
    /// # Security
    ///
    /// The handler decides: one that does not look is open to everybody.
    ///
    /// [`Rejection`]: crate::response::Rejection
    pub fn pass_through(self) -> Self {
        self.with(|gate| gate.mode = Mode::PassThrough)
    }

    /// Lets CORS preflights pass, without claims: `OPTIONS` with `Origin` and
    /// `Access-Control-Request-Method` (Fetch, CORS protocol). Not needed if a
    /// CORS layer is outside of this one, which is better.
    ///
    /// # Security
    ///
    /// Any client can send such a request, and it reaches the handler without claims. A handler for
    /// `OPTIONS` must not change or reveal anything.
    pub fn allow_preflight(self) -> Self {
        self.with(|gate| gate.preflight = true)
    }

    /// Takes the token out of the request before it is passed on, from all
    /// sources but [`TokenSource::custom`]; of a [`TokenSource::custom_builder`], what it names. A
    /// cookie that was not read, because a header has a
    /// token, is taken out too. Copies that outer layers or axum's `OriginalUri` have made
    /// before remain.
    pub fn strip_token(self) -> Self {
        self.with(|gate| gate.strip = true)
    }

    /// Records the subject of a verified token in the field `subject` of the span around it, such as
    /// that of an outer `TraceLayer` whose `make_span_with` has declared
    /// `subject = tracing::field::Empty`. All events of the request then show it, escaped and cut at
    /// 64 characters. Default: it is
    /// not recorded, because it is personal data in many services. Requires the feature `tracing`.
    pub fn record_subject(self) -> Self {
        self.with(|gate| (gate.record_subject, gate.watches_accepted) = (true, true))
    }

    /// Names the protected space in challenges (RFC 9110 §11.5), also in those of refusals inside of
    /// this layer.
    pub fn realm(self, realm: impl AsRef<str>) -> Self {
        self.with(|gate| gate.parameters.realm = Some(realm.as_ref().into()))
    }

    /// Names the scopes that a client without a valid token should ask for: `scope` in the challenges
    /// of a 401 without an error and of `invalid_token` (RFC 6750 §3). Without it, some clients ask for
    /// all of [`scopes_supported`](crate::resource::ProtectedResourceBuilder::scopes_supported). A 403
    /// names the scopes of its route instead. Default: none.
    ///
    /// It does not require these scopes: [`RequireLayer`] does.
    pub fn base_scopes<S: AsRef<str>>(self, scopes: impl IntoIterator<Item = S>) -> Self {
        let scopes = scopes.into_iter().map(|scope| scope.as_ref().to_owned());
        let scopes: Vec<_> = scopes.filter(|scope| !scope.is_empty()).collect();
        let scope = (!scopes.is_empty()).then(|| scopes.join(" ").into_boxed_str());
        self.with(|gate| gate.parameters.scope = scope)
    }

    /// Answers refusals in another format: that of [`ProblemJson`](crate::response::ProblemJson), of
    /// [`Grpc`](crate::response::Grpc), or of a function from [`&Rejection`](crate::response::Rejection) to a response.
    ///
    /// Refusals of extractors, of a [`RequireLayer`] without a format of its own, and of axum handlers
    /// that answer with a [`Rejection`](crate::response::Rejection), get the same format if they are
    /// inside of this layer. Of several layers around them, the innermost one
    /// decides, also if it has the default format. An answer that a handler or a layer in between
    /// has made from a refusal, with another status or with a `Content-Type`, is not changed.
    /// Headers that were added in between are kept, unless the format sets them.
    ///
    /// # Example: one format for the whole service
    /// ```
    /// use axum::{Router, body::Body, http::Request, routing::get};
    /// use tower::ServiceExt;
    /// use tower_jwt_auth::{Claims, JwtAuthLayer, RequireLayer, response::ProblemJson};
    /// # use tower_jwt_auth::{Key, Verifier};
    ///
    /// # #[cfg(not(feature = "axum"))]
    /// # fn main() {}
    /// # #[cfg(feature = "axum")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let verifier = Verifier::builder()
    /// #     .any_issuer().any_audience().keys(Key::hs256([7; 32])).build()?;
    /// let app = Router::new()
    ///     .route("/admin", get(async || "admin"))
    ///     .route_layer(RequireLayer::scopes(["admin"]))
    ///     .route("/me", get(async |claims: Claims| format!("{:?}", claims.subject())))
    ///     .layer(JwtAuthLayer::new(verifier).optional().respond_with(ProblemJson));
    /// for path in ["/me", "/admin"] {
    ///     let request = Request::get(path).body(Body::empty())?;
    ///     let response = app.clone().oneshot(request).await?;
    ///     assert_eq!(response.status(), 401);
    ///     assert_eq!(response.headers()["content-type"], "application/problem+json");
    /// }
    /// # Ok(()) }
    /// ```
    pub fn respond_with<R2>(self, respond: R2) -> JwtAuthLayer<C, R2, M> {
        let layer = self.with(|gate| gate.own_format = true);
        JwtAuthLayer { gate: layer.gate, respond, metadata: PhantomData }
    }

    /// Lists settings that are legal and unwise: those of the verifier, as
    /// [`Verifier::lint`] does, and those of the layer and its sources, such as a cookie whose name
    /// does not begin with `__Host-`. It needs no token and no network.
    ///
    /// # Example: a service that does not start with a finding
    /// ```
    /// use tower_jwt_auth::{JwtAuthLayer, TokenSource};
    /// # use tower_jwt_auth::{Key, Verifier};
    /// # let verifier = Verifier::builder()
    /// #     .issuer("i").audience("a").keys(Key::hs256([7; 32])).build()?;
    /// let layer = JwtAuthLayer::new(verifier).source(TokenSource::cookie("__Host-at").build()?);
    /// let report = layer.lint();
    /// assert!(report.is_empty(), "{report}");
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn lint(&self) -> LintReport {
        let mut report = self.gate.verifier.lint();
        self.gate.sources.lint(&mut report);
        report.add_if(self.gate.exempts_reflection(), Lint::ExemptGrpcReflection);
        report.add_if(self.gate.mode == Mode::PassThrough, Lint::PassThrough);
        report
    }

    /// The verifier, for documents and presets.
    #[cfg(any(feature = "mcp", feature = "utoipa"))]
    pub(crate) fn verifier(&self) -> &Verifier<C> {
        &self.gate.verifier
    }

    /// The places where it looks for tokens, for documents.
    #[cfg(feature = "utoipa")]
    pub(crate) fn token_sources(&self) -> &TokenSources {
        &self.gate.sources
    }

    /// The paths of the metadata that it answers.
    #[cfg(feature = "utoipa")]
    pub(crate) fn metadata_paths(&self) -> impl Iterator<Item = &str> {
        self.served_metadata().into_iter().flat_map(|resource| resource.paths())
    }

    /// The metadata that it answers requests for.
    #[cfg(feature = "utoipa")]
    pub(crate) fn served_metadata(&self) -> Option<&crate::resource::ProtectedResource> {
        self.gate.resource.as_ref().filter(|_| self.gate.serves_metadata)
    }

    fn with(mut self, set: impl FnOnce(&mut Gate<C>)) -> Self {
        let mut gate = Arc::unwrap_or_clone(self.gate);
        set(&mut gate);
        gate.prepare();
        self.gate = Arc::new(gate);
        self
    }

    fn of(gate: Gate<C>, respond: R) -> Self {
        Self { gate: Arc::new(gate), respond, metadata: PhantomData }
    }
}

impl<S, C, R: Clone, M> Layer<S> for JwtAuthLayer<C, R, M> {
    type Service = JwtAuth<S, C, R, M>;

    fn layer(&self, inner: S) -> Self::Service {
        JwtAuth::new(inner, Arc::clone(&self.gate), self.respond.clone())
    }
}

impl<C, R: Clone, M> Clone for JwtAuthLayer<C, R, M> {
    fn clone(&self) -> Self {
        let (gate, respond) = (Arc::clone(&self.gate), self.respond.clone());
        Self { gate, respond, metadata: PhantomData }
    }
}

impl<C, R, M> fmt::Debug for JwtAuthLayer<C, R, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtAuthLayer").field("gate", &self.gate).finish_non_exhaustive()
    }
}
