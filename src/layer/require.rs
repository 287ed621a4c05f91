//! A layer that asks a policy, inside of one that verified the token.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    authorize::{self, Policy, PolicyDescription, RequestHead, Scopes, StepUp},
    claims::RegisteredClaims,
    error::Error,
    response::{DefaultRespond, Rejection, Respond, without_format},
    verifier::Claims,
};

/// Lets requests pass whose claims satisfy a [`Policy`]; the others are
/// answered 403, and 401 where there are no claims or where a [`StepUp`] asks for another login.
///
/// It must be inside a [`JwtAuthLayer`](super::JwtAuthLayer), in axum usually as a
/// `route_layer`. Without one, the answer is 500.
///
/// # Example: a route that requires a scope, and one that requires a role
/// ```
/// use axum::{Router, routing::get};
/// use tower_jwt_auth::{
///     JwtAuthLayer, RequireLayer,
///     authorize::{Roles, Scopes},
/// };
/// # use tower_jwt_auth::{Key, Verifier};
/// # let verifier = Verifier::builder()
/// #     .any_issuer().any_audience().keys(Key::hs256([7; 32])).build()?;
///
/// let admin = RequireLayer::new(Roles::at("realm_access.roles").any_of(["admin"]));
/// let app = Router::new()
///     .route("/orders", get(async || "orders"))
///     .route_layer(RequireLayer::new(Scopes::all_of(["orders:read"])))
///     .merge(Router::new().route("/admin", get(async || "secret")).route_layer(admin))
///     .route("/me", get(async || "hello"))
///     .layer(JwtAuthLayer::new(verifier));
/// # let _: Router = app;
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
///
/// # Example: a condition on a type of one's own
/// ```
/// use tower_jwt_auth::{Claims, RequireLayer};
///
/// struct User {
///     verified: bool,
/// }
///
/// let layer = RequireLayer::for_claims(|user: &Claims<User>| user.verified);
/// # let _: RequireLayer<User> = layer;
/// ```
#[must_use = "a layer does nothing until it wraps a service"]
pub struct RequireLayer<C = RegisteredClaims, R = DefaultRespond> {
    requirement: Arc<dyn Requirement<C>>,
    description: PolicyDescription,
    respond: R,
    /// Whether `respond` was set. If not, the layer outside decides on the format.
    own_format: bool,
}

/// The question of a layer to a request.
pub(super) trait Requirement<C>: Send + Sync {
    /// Whether the request may pass.
    fn check(&self, request: RequestHead<'_>) -> Result<(), Rejection>
    where
        C: Send + Sync + 'static;

    /// The requirements of the routes of a router with these paths, if each route has its own.
    #[cfg(feature = "utoipa")]
    fn describe_routes<'a>(&'a self, _paths: &[String]) -> Option<Box<DescribeRoute<'a>>> {
        None
    }
}

/// The requirements of a layer for one route. Only a table has them, which is of another feature.
#[cfg(feature = "utoipa")]
#[cfg_attr(not(feature = "routes"), expect(dead_code))]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RouteRequirement {
    /// Nothing.
    Public,
    Policy(PolicyDescription),
}

/// Gives the requirement for a method and a path. The error is the reason why a document cannot say it.
#[cfg(feature = "utoipa")]
pub(crate) type DescribeRoute<'a> = dyn Fn(&str, &str) -> Result<RouteRequirement, String> + 'a;

impl<C, F> Requirement<C> for F
where
    F: Fn(RequestHead<'_>, &Claims<C>) -> Result<(), Error> + Send + Sync,
{
    fn check(&self, request: RequestHead<'_>) -> Result<(), Rejection>
    where
        C: Send + Sync + 'static,
    {
        let claims = authorize::claims(request)?;
        self(request, &claims).map_err(|error| authorize::refuse(error, request))
    }
}

impl RequireLayer {
    /// Requires this policy, which needs no more than the registered claims: scopes, roles, or
    /// a function of `&Claims`.
    ///
    /// The [`JwtAuthLayer`](super::JwtAuthLayer) outside may read any type of claims. If several
    /// layers around it are for different types, those of a layer without a type of its
    /// own count. If there is no such layer, the answer is 500, whether the request has claims of
    /// one of them, of all or of none: use [`for_claims`](Self::for_claims).
    pub fn new(policy: impl Policy<RegisteredClaims> + Send + Sync + 'static) -> Self {
        Self::for_claims(policy)
    }

    /// Requires all of these scopes.
    pub fn scopes<S: AsRef<str>>(scopes: impl IntoIterator<Item = S>) -> Self {
        Self::new(Scopes::all_of(scopes))
    }

    /// Requires a login in one of these authentication contexts (`acr`), in the order in which you
    /// prefer them; see [`StepUp::acr`].
    pub fn acr<S: AsRef<str>>(values: impl IntoIterator<Item = S>) -> Self {
        Self::new(StepUp::acr(values))
    }

    /// Requires a login (`auth_time`) that is at most so long ago, in whole seconds; see
    /// [`StepUp::login_within`].
    pub fn max_age(max_age: Duration) -> Self {
        Self::new(StepUp::login_within(max_age))
    }
}

impl<C> RequireLayer<C> {
    /// Requires this policy for the claims of a layer of the same type `C`.
    pub fn for_claims(policy: impl Policy<C> + Send + Sync + 'static) -> Self {
        let description = policy.describe();
        let ask = move |_: RequestHead<'_>, claims: &Claims<C>| policy.authorize(claims);
        Self::of(ask, description)
    }

    /// Requires that this function returns `Ok` for the request and its claims. Use it where the
    /// claims are compared with the request, such as the tenant of a path with that of the token.
    ///
    /// The function sees a request without its body, see [`RequestHead`]. Its claims are those of a
    /// layer of the same type `C`. Refuse with [`Error::forbidden`]: also where the request lacks
    /// what is compared. To require a [`Policy`] as well, call its
    /// [`authorize`](Policy::authorize) in the function, or add another `RequireLayer`.
    ///
    /// # Example: the tenant in the path
    /// ```
    /// use axum::{Router, extract::OriginalUri, routing::get};
    /// use tower_jwt_auth::{Claims, Error, JwtAuthLayer, RequireLayer, Verifier};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct User {
    ///     tenant: String,
    /// }
    ///
    /// fn app(verifier: Verifier<User>) -> Router {
    ///     let own_tenant = RequireLayer::for_request(|request, user: &Claims<User>| {
    ///         // Inside of `nest`, `request.uri()` lacks the prefix.
    ///         let whole = request.extensions().get::<OriginalUri>().map(|uri| &uri.0);
    ///         let path = whole.unwrap_or(request.uri()).path();
    ///         match path.split('/').nth(1) {
    ///             Some(tenant) if tenant == user.tenant => Ok(()),
    ///             _ => Err(Error::forbidden("another tenant")),
    ///         }
    ///     });
    ///     let tenant = Router::new()
    ///         .route("/orders", get(async || "orders"))
    ///         .route_layer(own_tenant);
    ///     Router::new().nest("/{tenant}", tenant).route_layer(JwtAuthLayer::new(verifier))
    /// }
    /// ```
    pub fn for_request<F>(condition: F) -> Self
    where
        F: Fn(RequestHead<'_>, &Claims<C>) -> Result<(), Error> + Send + Sync + 'static,
    {
        Self::of(condition, PolicyDescription::default())
    }

    pub(super) fn of(
        requirement: impl Requirement<C> + 'static,
        description: PolicyDescription,
    ) -> Self {
        let requirement = Arc::new(requirement);
        Self { requirement, description, respond: DefaultRespond, own_format: false }
    }
}

impl<C, R> RequireLayer<C, R> {
    /// Answers refusals in another way than the [`JwtAuthLayer`](super::JwtAuthLayer) outside.
    ///
    /// Default: the format of that layer, which is set by its
    /// [`respond_with`](super::JwtAuthLayer::respond_with).
    pub fn respond_with<R2>(self, respond: R2) -> RequireLayer<C, R2> {
        let Self { requirement, description, .. } = self;
        RequireLayer { requirement, description, respond, own_format: true }
    }

    /// Replaces the text of the requirement of this layer. A function of
    /// [`for_request`](RequireLayer::for_request) gets its whole description here. The decisions of the
    /// layer do not change; see [`PolicyDescription::described_as`].
    ///
    /// # Example: a condition on the request, and a scope
    /// ```
    /// use tower_jwt_auth::{
    ///     Claims, Error, RequireLayer,
    ///     authorize::{Policy, PolicyDescription, Scopes},
    /// };
    ///
    /// let scopes = Scopes::all_of(["orders:read"]);
    /// let description = PolicyDescription::all([PolicyDescription::of(&scopes), "own orders".into()]);
    /// let layer: RequireLayer = RequireLayer::for_request(move |request, claims: &Claims| {
    ///     scopes.authorize(claims)?;
    ///     match request.uri().path().rsplit('/').next() == claims.subject() {
    ///         true => Ok(()),
    ///         false => Err(Error::forbidden("the orders of another user")),
    ///     }
    /// })
    /// .described_as(description);
    /// assert_eq!(layer.describe().to_string(), "the scope orders:read, and own orders");
    /// ```
    pub fn described_as(mut self, description: impl Into<PolicyDescription>) -> Self {
        self.description = self.description.described_as(description);
        self
    }

    /// The requirements of this layer, for documents. For a function of
    /// [`for_request`](RequireLayer::for_request), it is opaque unless
    /// [`described_as`](Self::described_as) says something else.
    #[must_use]
    pub fn describe(&self) -> PolicyDescription {
        self.description.clone()
    }

    /// The requirements of this layer for the routes of a router with these paths, with axum's syntax for
    /// parameters. `None` if all routes have the same, those of [`describe`](Self::describe).
    #[cfg(feature = "utoipa")]
    pub(crate) fn describe_routes(&self, paths: &[String]) -> Option<Box<DescribeRoute<'_>>> {
        self.requirement.describe_routes(paths)
    }
}

impl<S, C, R: Clone> Layer<S> for RequireLayer<C, R> {
    type Service = Require<S, C, R>;

    fn layer(&self, inner: S) -> Self::Service {
        Require {
            inner,
            requirement: Arc::clone(&self.requirement),
            respond: self.respond.clone(),
            own_format: self.own_format,
        }
    }
}

impl<C, R: Clone> Clone for RequireLayer<C, R> {
    fn clone(&self) -> Self {
        Self {
            requirement: Arc::clone(&self.requirement),
            description: self.description.clone(),
            respond: self.respond.clone(),
            own_format: self.own_format,
        }
    }
}

impl<C, R> fmt::Debug for RequireLayer<C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireLayer")
            .field("description", &self.description)
            .finish_non_exhaustive()
    }
}

/// A service behind [`RequireLayer`].
pub struct Require<S, C, R = DefaultRespond> {
    inner: S,
    requirement: Arc<dyn Requirement<C>>,
    respond: R,
    own_format: bool,
}

impl<S, C, R> Require<S, C, R> {
    /// The service within.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }
}

impl<S, C, R, ReqBody, ResBody> Service<Request<ReqBody>> for Require<S, C, R>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    C: Send + Sync + 'static,
    R: Respond<ResBody>,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = RequireFuture<S::Future, ResBody>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let state = match self.requirement.check((&request).into()) {
            Ok(()) => State::Forward { future: self.inner.call(request) },
            Err(rejection) => {
                let response = rejection.answer_with(&self.respond);
                let response = if self.own_format { response } else { without_format(response) };
                State::Rejected { response: Some(response) }
            }
        };
        RequireFuture { state }
    }
}

impl<S: Clone, C, R: Clone> Clone for Require<S, C, R> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            requirement: Arc::clone(&self.requirement),
            respond: self.respond.clone(),
            own_format: self.own_format,
        }
    }
}

impl<S: fmt::Debug, C, R> fmt::Debug for Require<S, C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Require").field("inner", &self.inner).finish_non_exhaustive()
    }
}

pin_project! {
    /// The response of a [`Require`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the inner service's response.
    #[must_use = "a future does nothing unless it is polled"]
    pub struct RequireFuture<F, ResBody> {
        #[pin]
        state: State<F, ResBody>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, ResBody> {
        Forward { #[pin] future: F },
        Rejected { response: Option<Response<ResBody>> },
    }
}

impl<F, ResBody, E> Future for RequireFuture<F, ResBody>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        match self.project().state.project() {
            StateProj::Forward { future } => future.poll(context),
            StateProj::Rejected { response } => {
                let response = response.take().expect("a future is not polled when it is done");
                Poll::Ready(Ok(response))
            }
        }
    }
}

impl<F, ResBody> fmt::Debug for RequireFuture<F, ResBody> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireFuture").finish_non_exhaustive()
    }
}
