//! The service: the origin of a request comes first, then its token.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::guard::McpGuard;
use crate::{
    csrf::AllowedOrigins,
    error::Error,
    layer::{JwtAuth, ServeMetadata},
    observe::{Decision, Observers, Scheme},
    resource::ProtectedResource,
    response::{DefaultRespond, Rejection, Respond},
};

/// A service behind [`McpAuthLayer`](super::McpAuthLayer).
pub struct McpAuth<S, C, R = DefaultRespond> {
    inner: JwtAuth<McpGuard<S, C>, C, R, ServeMetadata>,
    door: Arc<Door>,
    respond: R,
}

/// The checks of a request before that of its token.
pub(super) struct Door {
    pub(super) origins: AllowedOrigins,
    pub(super) resource: ProtectedResource,
    pub(super) observers: Observers,
}

impl Door {
    /// Whether the request may come in. Pages of all origins may read the metadata.
    #[inline]
    fn check<B>(&self, request: &Request<B>) -> Result<(), Rejection> {
        match self.origins.check(request.headers()) {
            Err(error) if !self.is_for_metadata(request) => Err(self.refuse(error, request)),
            _ => Ok(()),
        }
    }

    fn is_for_metadata<B>(&self, request: &Request<B>) -> bool {
        self.resource.paths().any(|path| path == request.uri().path())
    }

    #[cold]
    fn refuse<B>(&self, error: Error, request: &Request<B>) -> Rejection {
        self.observers.decided(&Decision::refused(Scheme::None, &error));
        Rejection::inside(error, request.into())
    }
}

impl<S, C, R> McpAuth<S, C, R> {
    pub(super) fn new(
        inner: JwtAuth<McpGuard<S, C>, C, R, ServeMetadata>,
        door: Arc<Door>,
        respond: R,
    ) -> Self {
        Self { inner, door, respond }
    }

    /// The service within.
    pub fn get_ref(&self) -> &S {
        self.inner.get_ref().get_ref()
    }
}

impl<S, C, R, ReqBody, ResBody> Service<Request<ReqBody>> for McpAuth<S, C, R>
where
    JwtAuth<McpGuard<S, C>, C, R, ServeMetadata>:
        Service<Request<ReqBody>, Response = Response<ResBody>>,
    R: Respond<ResBody>,
{
    type Response = Response<ResBody>;
    type Error = <JwtAuth<McpGuard<S, C>, C, R, ServeMetadata> as Service<Request<ReqBody>>>::Error;
    type Future = McpAuthFuture<
        <JwtAuth<McpGuard<S, C>, C, R, ServeMetadata> as Service<Request<ReqBody>>>::Future,
        ResBody,
    >;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let state = match self.door.check(&request) {
            Ok(()) => State::Forward { future: self.inner.call(request) },
            Err(rejection) => {
                State::Refused { response: Some(rejection.answer_with(&self.respond)) }
            }
        };
        McpAuthFuture { state }
    }
}

impl<S: Clone, C, R: Clone> Clone for McpAuth<S, C, R> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            door: Arc::clone(&self.door),
            respond: self.respond.clone(),
        }
    }
}

impl<S: fmt::Debug, C, R> fmt::Debug for McpAuth<S, C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpAuth").field("inner", &self.inner).finish_non_exhaustive()
    }
}

pin_project! {
    /// The response of an [`McpAuth`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it before it is done drops the verification, the body that is read, or the inner
    /// service's response.
    #[must_use = "a future does nothing unless it is polled"]
    pub struct McpAuthFuture<F, ResBody> {
        #[pin]
        state: State<F, ResBody>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, ResBody> {
        Forward { #[pin] future: F },
        Refused { response: Option<Response<ResBody>> },
    }
}

impl<F, ResBody, E> Future for McpAuthFuture<F, ResBody>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        match self.project().state.project() {
            StateProj::Forward { future } => future.poll(context),
            StateProj::Refused { response } => {
                let response = response.take().expect("a future is not polled when it is done");
                Poll::Ready(Ok(response))
            }
        }
    }
}

impl<F, ResBody> fmt::Debug for McpAuthFuture<F, ResBody> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpAuthFuture").finish_non_exhaustive()
    }
}
