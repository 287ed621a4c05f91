//! The future of a request at the gate.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use serde::de::DeserializeOwned;
use tower_service::Service;

use super::{gate::Gate, header_change::HeaderChange, within::Within};
use crate::{error::Error, response::Respond, source::TokenLocation, verifier::Claims};

type PendingClaims<C> = Pin<Box<dyn Future<Output = Result<Claims<C>, Error>> + Send>>;

pin_project! {
    /// The response of a [`JwtAuth`](super::JwtAuth).
    ///
    /// # Cancel safety
    ///
    /// Dropping it before it is done drops the verification, or the inner
    /// service's response: nothing continues without it.
    #[must_use = "a future does nothing unless it is polled"]
    pub struct ResponseFuture<S, C, R, ReqBody, ResBody>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        state: State<S, C, R, ReqBody, ResBody>,
        change: HeaderChange,
        // The settings for refusals of the service within.
        within: Within<R>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, C, R, ReqBody, ResBody>
    where
        S: Service<Request<ReqBody>>,
    {
        Forward { #[pin] future: S::Future },
        Answered { response: Option<Response<ResBody>> },
        Verify { verification: PendingClaims<C>, parked: Option<Parked<S, C, R, ReqBody>> },
    }
}

/// The request that waits for its verification. It is in a box, so that the future is no larger
/// for the requests that need not wait.
type Parked<S, C, R, ReqBody> = Box<ParkedRequest<S, C, R, ReqBody>>;

struct ParkedRequest<S, C, R, ReqBody> {
    service: S,
    request: Request<ReqBody>,
    gate: Arc<Gate<C>>,
    respond: R,
    location: TokenLocation,
}

impl<S, C, R, ReqBody, ResBody> ResponseFuture<S, C, R, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
{
    pub(super) fn forward(future: S::Future, change: HeaderChange, within: Within<R>) -> Self {
        Self { state: State::Forward { future }, change, within }
    }

    pub(super) fn answered(response: Response<ResBody>) -> Self {
        let state = State::Answered { response: Some(response) };
        Self { state, change: HeaderChange::None, within: Within::nothing() }
    }

    pub(super) fn verify(
        verification: PendingClaims<C>,
        service: S,
        request: Request<ReqBody>,
        gate: Arc<Gate<C>>,
        respond: R,
        location: TokenLocation,
    ) -> Self {
        let parked = Some(Box::new(ParkedRequest { service, request, gate, respond, location }));
        let state = State::Verify { verification, parked };
        Self { state, change: HeaderChange::None, within: Within::nothing() }
    }
}

impl<S, C, R, ReqBody, ResBody> Future for ResponseFuture<S, C, R, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    C: DeserializeOwned + Send + Sync + 'static,
    R: Respond<ResBody>,
{
    type Output = Result<Response<ResBody>, S::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProj::Forward { future } => {
                    let response = ready!(future.poll(context))?;
                    let mut response = this.within.apply(response);
                    this.change.apply(&mut response);
                    return Poll::Ready(Ok(response));
                }
                StateProj::Answered { response } => {
                    let response = response.take().expect("a future is not polled when it is done");
                    return Poll::Ready(Ok(response));
                }
                StateProj::Verify { verification, parked } => {
                    let verified = ready!(verification.as_mut().poll(context));
                    let waiting = parked.take().expect("taken once, when the state changes");
                    let ParkedRequest { mut service, mut request, gate, respond, location } =
                        *waiting;
                    match gate.admit(verified, location, &mut request) {
                        Ok(change) => {
                            *this.change = change;
                            *this.within = gate.within(location, || respond);
                            let future = service.call(request);
                            this.state.set(State::Forward { future });
                        }
                        Err(rejection) => {
                            let response = gate.answer(rejection, &respond);
                            return Poll::Ready(Ok(response));
                        }
                    }
                }
            }
        }
    }
}

impl<S, C, R, ReqBody, ResBody> fmt::Debug for ResponseFuture<S, C, R, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
