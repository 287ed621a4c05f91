//! The service: what happens to a request.

use std::{
    fmt,
    marker::PhantomData,
    mem,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use serde::de::DeserializeOwned;
use tower_service::Service;

use super::{
    future::ResponseFuture,
    gate::Gate,
    header_change::HeaderChange,
    metadata::{Metadata, NoMetadata},
};
use crate::{
    maybe_ready::MaybeReady,
    response::{DefaultRespond, Respond},
    source::TokenLocation,
};

/// A service behind [`JwtAuthLayer`](super::JwtAuthLayer).
pub struct JwtAuth<S, C, R = DefaultRespond, M = NoMetadata> {
    inner: S,
    gate: Arc<Gate<C>>,
    respond: R,
    metadata: PhantomData<fn() -> M>,
}

impl<S, C, R, M> JwtAuth<S, C, R, M> {
    pub(super) fn new(inner: S, gate: Arc<Gate<C>>, respond: R) -> Self {
        Self { inner, gate, respond, metadata: PhantomData }
    }

    /// The service within.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }
}

impl<S, C, R, M, ReqBody, ResBody> Service<Request<ReqBody>> for JwtAuth<S, C, R, M>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    C: DeserializeOwned + Send + Sync + 'static,
    R: Respond<ResBody> + Clone,
    M: Metadata<ResBody>,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = ResponseFuture<S, C, R, ReqBody, ResBody>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        if self.gate.has_exceptions {
            if let Some(answer) = self.gate.metadata(&request).and_then(M::answer) {
                return ResponseFuture::answered(answer);
            }
            if self.gate.is_open(&request) {
                self.gate.open(&mut request);
                let within = self.gate.within(TokenLocation::Other, || self.respond.clone());
                let future = self.inner.call(request);
                return ResponseFuture::forward(future, HeaderChange::None, within);
            }
        }
        let (step, location) = self.gate.verify(&request);
        match step {
            MaybeReady::Ready(verified) => {
                match self.gate.admit(verified, location, &mut request) {
                    Ok(change) => {
                        let within = self.gate.within(location, || self.respond.clone());
                        ResponseFuture::forward(self.inner.call(request), change, within)
                    }
                    Err(rejection) => {
                        ResponseFuture::answered(self.gate.answer(rejection, &self.respond))
                    }
                }
            }
            MaybeReady::Pending(verification) => {
                // The service that `poll_ready` made ready goes into the future. Its clone
                // stays, and is polled before it is called.
                let clone = self.inner.clone();
                let ready = mem::replace(&mut self.inner, clone);
                let gate = Arc::clone(&self.gate);
                let respond = self.respond.clone();
                ResponseFuture::verify(verification, ready, request, gate, respond, location)
            }
        }
    }
}

impl<S: Clone, C, R: Clone, M> Clone for JwtAuth<S, C, R, M> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            gate: Arc::clone(&self.gate),
            respond: self.respond.clone(),
            metadata: PhantomData,
        }
    }
}

impl<S: fmt::Debug, C, R, M> fmt::Debug for JwtAuth<S, C, R, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtAuth")
            .field("inner", &self.inner)
            .field("gate", &self.gate)
            .finish_non_exhaustive()
    }
}
