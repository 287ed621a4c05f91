//! A layer that asks a policy, inside of one that verified the token.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    authorize::{self, Policy, Scopes},
    claims::RegisteredClaims,
    response::{DefaultRespond, Rejection, Respond, without_format},
};

/// Lets requests pass whose claims satisfy a [`Policy`]; the others are
/// answered 403, and 401 where there are no claims.
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
    policy: Arc<dyn Policy<C> + Send + Sync>,
    respond: R,
    /// Whether `respond` was set. If not, the layer outside decides on the format.
    own_format: bool,
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
}

impl<C> RequireLayer<C> {
    /// Requires this policy for the claims of a layer of the same type `C`.
    pub fn for_claims(policy: impl Policy<C> + Send + Sync + 'static) -> Self {
        Self { policy: Arc::new(policy), respond: DefaultRespond, own_format: false }
    }
}

impl<C, R> RequireLayer<C, R> {
    /// Answers refusals in another way than the [`JwtAuthLayer`](super::JwtAuthLayer) outside.
    ///
    /// Default: the format of that layer, which is set by its
    /// [`respond_with`](super::JwtAuthLayer::respond_with).
    pub fn respond_with<R2>(self, respond: R2) -> RequireLayer<C, R2> {
        RequireLayer { policy: self.policy, respond, own_format: true }
    }
}

impl<S, C, R: Clone> Layer<S> for RequireLayer<C, R> {
    type Service = Require<S, C, R>;

    fn layer(&self, inner: S) -> Self::Service {
        Require {
            inner,
            policy: Arc::clone(&self.policy),
            respond: self.respond.clone(),
            own_format: self.own_format,
        }
    }
}

impl<C, R: Clone> Clone for RequireLayer<C, R> {
    fn clone(&self) -> Self {
        Self {
            policy: Arc::clone(&self.policy),
            respond: self.respond.clone(),
            own_format: self.own_format,
        }
    }
}

impl<C, R> fmt::Debug for RequireLayer<C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireLayer").finish_non_exhaustive()
    }
}

/// A service behind [`RequireLayer`].
pub struct Require<S, C, R = DefaultRespond> {
    inner: S,
    policy: Arc<dyn Policy<C> + Send + Sync>,
    respond: R,
    own_format: bool,
}

impl<S, C, R> Require<S, C, R> {
    /// The service within.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }
}

impl<S, C, R> Require<S, C, R>
where
    C: Send + Sync + 'static,
{
    fn decide<B>(&self, request: &Request<B>) -> Result<(), Rejection> {
        let claims = authorize::claims(request.into())?;
        self.policy.authorize(&claims).map_err(|error| authorize::refuse(error, request.into()))
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
        let state = match self.decide(&request) {
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
            policy: Arc::clone(&self.policy),
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
