//! The service between the verification of the token and the MCP server.

use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response, header, request::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{
    answer::{Refusal, answer},
    body::WholeBody,
    rules::{Admitted, Content, Refused, Rules},
};
use crate::{
    authorize,
    error::{Error, ErrorKind, McpFault},
    request_head::RequestHead,
    verifier::Verifier,
};

/// The service within [`McpAuth`](super::McpAuth) that sees requests with a good token. It checks the
/// session, and the scopes of what the message asks for.
pub struct McpGuard<S, C> {
    inner: S,
    shared: Arc<Shared<C>>,
}

/// The settings of a layer, and its sessions.
pub(super) struct Shared<C> {
    pub(super) verifier: Verifier<C>,
    pub(super) rules: Rules,
}

impl<S, C> McpGuard<S, C> {
    pub(super) fn new(inner: S, shared: Arc<Shared<C>>) -> Self {
        Self { inner, shared }
    }

    /// The service within.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }
}

impl<C: Send + Sync + 'static> Shared<C> {
    /// Decides on a request, as far as its body is not needed.
    fn admit(&self, request: RequestHead<'_>) -> Result<Admitted, Box<Refusal>> {
        let claims = authorize::claims::<C>(request)?;
        self.rules
            .admit(request, &claims.as_registered(), self.verifier.now())
            .map_err(|error| Refusal::new(error.into(), request).into())
    }

    /// Decides on the body of a request that was read, and gives it if the request may pass.
    fn judge(
        &self,
        admitted: &Admitted,
        request: &Parts,
        body: Result<Bytes, McpFault>,
    ) -> Result<Bytes, Box<Refusal>> {
        let judged = body.map_err(|fault| Refused::from(Error::from(ErrorKind::Mcp(fault))));
        let judged = judged.and_then(|body| {
            self.rules.judge(admitted, &body)?;
            Ok(body)
        });
        judged.map_err(|refused| Refusal::new(refused, request.into()).into())
    }
}

impl<S, C, ReqBody, ResBody> Service<Request<ReqBody>> for McpGuard<S, C>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    C: Send + Sync + 'static,
    ReqBody: Body + From<Bytes>,
    ResBody: Default + From<String>,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = McpGuardFuture<S, C, ReqBody, ResBody>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        let state = match shared.admit((&request).into()) {
            Ok(admitted) => self.forward(request, admitted),
            Err(refusal) => State::Refused { response: Some(answer(*refusal)) },
        };
        McpGuardFuture { state, shared }
    }
}

impl<S, C> McpGuard<S, C> {
    /// Calls the service within, or reads the message before.
    fn forward<ReqBody, ResBody>(
        &mut self,
        mut request: Request<ReqBody>,
        admitted: Admitted,
    ) -> State<S, ReqBody, ResBody>
    where
        S: Service<Request<ReqBody>> + Clone,
        ReqBody: Body + From<Bytes>,
    {
        match admitted.content {
            Content::Any => {}
            Content::Removed { may_upgrade } => {
                request = request.map(|_| ReqBody::from(Bytes::new()));
                request.headers_mut().remove(header::CONTENT_LENGTH);
                request.headers_mut().remove(header::TRANSFER_ENCODING);
                if !may_upgrade {
                    request.headers_mut().remove(header::UPGRADE);
                }
            }
            Content::Message => {
                request.headers_mut().remove(header::UPGRADE);
                let (parts, body) = request.into_parts();
                // The service that `poll_ready` made ready goes into the future. Its clone stays, and is
                // polled before it is called.
                let clone = self.inner.clone();
                let service = mem::replace(&mut self.inner, clone);
                let rules = &self.shared.rules;
                let body = WholeBody::new(body, rules.max_body, rules.body_timeout);
                return State::Read { body, parked: Some((service, parts, admitted)) };
            }
        }
        State::Forward { future: self.inner.call(request), admitted }
    }
}

impl<S: Clone, C> Clone for McpGuard<S, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<S: fmt::Debug, C> fmt::Debug for McpGuard<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpGuard").field("inner", &self.inner).finish_non_exhaustive()
    }
}

pin_project! {
    /// The response of an [`McpGuard`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it before it is done drops the body that is read, or the inner service's response:
    /// nothing continues without it.
    #[must_use = "a future does nothing unless it is polled"]
    pub struct McpGuardFuture<S, C, ReqBody, ResBody>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        state: State<S, ReqBody, ResBody>,
        shared: Arc<Shared<C>>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, ReqBody, ResBody>
    where
        S: Service<Request<ReqBody>>,
    {
        Read { #[pin] body: WholeBody<ReqBody>, parked: Option<(S, Parts, Admitted)> },
        Forward { #[pin] future: S::Future, admitted: Admitted },
        Refused { response: Option<Response<ResBody>> },
    }
}

impl<S, C, ReqBody, ResBody> Future for McpGuardFuture<S, C, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    C: Send + Sync + 'static,
    ReqBody: Body + From<Bytes>,
    ResBody: Default + From<String>,
{
    type Output = Result<Response<ResBody>, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProj::Read { body, parked } => {
                    let read = ready!(body.poll(context));
                    let (mut service, parts, admitted) =
                        parked.take().expect("a future is not polled when it is done");
                    let state = match this.shared.judge(&admitted, &parts, read) {
                        Ok(bytes) => {
                            let request = Request::from_parts(parts, ReqBody::from(bytes));
                            State::Forward { future: service.call(request), admitted }
                        }
                        Err(refusal) => State::Refused { response: Some(answer(*refusal)) },
                    };
                    this.state.set(state);
                }
                StateProj::Forward { future, admitted } => {
                    let response = ready!(future.poll(context))?;
                    this.shared.rules.learn(admitted, &response, this.shared.verifier.now());
                    return Poll::Ready(Ok(response));
                }
                StateProj::Refused { response } => {
                    let response = response.take().expect("a future is not polled when it is done");
                    return Poll::Ready(Ok(response));
                }
            }
        }
    }
}

impl<S, C, ReqBody, ResBody> fmt::Debug for McpGuardFuture<S, C, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpGuardFuture").finish_non_exhaustive()
    }
}
