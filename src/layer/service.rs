//! The service: what happens to a request.

use std::{
    fmt, mem,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderValue, Method, Request, Response, header};
use serde::de::DeserializeOwned;
use tower_service::Service;

use super::future::ResponseFuture;
use crate::{
    error::{Error, ErrorKind},
    observe,
    response::{Challenge, DefaultRespond, Rejection, Respond, Withheld},
    source::Sources,
    step::Step,
    verifier::{Claims, Verifier},
};

/// A service behind [`JwtAuthLayer`](super::JwtAuthLayer).
pub struct JwtAuth<S, C, R = DefaultRespond> {
    inner: S,
    gate: Arc<Gate<C>>,
    respond: R,
}

/// What is decided once for all requests.
pub(super) struct Gate<C> {
    pub(super) verifier: Verifier<C>,
    pub(super) sources: Sources,
    pub(super) mode: Mode,
    pub(super) preflight: bool,
    pub(super) strip: bool,
    pub(super) challenge: Challenge,
    /// Whether the challenge is not the default one.
    pub(super) own_challenge: bool,
}

/// What becomes of requests without claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// They are refused.
    Required,
    /// They pass if they have no token.
    Optional,
    /// They pass.
    Report,
}

/// What is known of a request before its token is verified.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    in_query: bool,
}

impl<S, C, R> JwtAuth<S, C, R> {
    pub(super) fn new(inner: S, gate: Arc<Gate<C>>, respond: R) -> Self {
        Self { inner, gate, respond }
    }

    /// The service within.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }
}

impl<C: DeserializeOwned + Send + Sync + 'static> Gate<C> {
    /// Finds the token and verifies it.
    #[inline]
    fn verify<B>(&self, request: &Request<B>) -> (Step<Result<Claims<C>, Error>>, Seen) {
        let found = self.sources.find(request.method(), request.uri(), request.headers());
        match found {
            Ok(Some(token)) => {
                let seen = Seen { in_query: token.in_query() };
                (self.verifier.verify_found(token.as_bytes(), || token.text()), seen)
            }
            Ok(None) => (Step::Ready(Err(ErrorKind::MissingToken.into())), NOTHING_SEEN),
            Err(error) => (Step::Ready(Err(error)), NOTHING_SEEN),
        }
    }

    /// Makes the request ready to be passed on, or says why it is not.
    #[inline]
    pub(super) fn admit<B>(
        &self,
        verified: Result<Claims<C>, Error>,
        request: &mut Request<B>,
    ) -> Result<(), Rejection> {
        match verified {
            Ok(claims) => {
                request.extensions_mut().insert(claims);
            }
            Err(error) => self.admit_without_claims(error, request)?,
        }
        self.hand_over(request);
        Ok(())
    }

    #[cold]
    fn admit_without_claims<B>(
        &self,
        error: Error,
        request: &mut Request<B>,
    ) -> Result<(), Rejection> {
        let passes = match self.mode {
            Mode::Required => false,
            Mode::Optional => error.is_missing_token(),
            Mode::Report => true,
        };
        if passes {
            observe::passed(&error);
            self.leave_without_claims(error, request);
            Ok(())
        } else {
            observe::refused(&error);
            Err(Rejection::new(error, self.challenge.clone()))
        }
    }

    /// Takes away claims that stood there before, and says why there are none.
    #[cold]
    fn leave_without_claims<B>(&self, error: Error, request: &mut Request<B>) {
        let rejection = Rejection::new(error, self.challenge.clone());
        request.extensions_mut().remove::<Claims<C>>();
        Withheld::<C>::leave(rejection, request.extensions_mut());
    }

    /// What every request goes through that is passed on.
    #[inline]
    fn hand_over<B>(&self, request: &mut Request<B>) {
        if self.own_challenge {
            request.extensions_mut().insert(self.challenge.clone());
        } else if request.extensions().get::<Challenge>().is_some() {
            // That of a layer outside of this one.
            request.extensions_mut().remove::<Challenge>();
        }
        self.sources.mark_sensitive(request.headers_mut());
        if self.strip {
            let mut uri = mem::take(request.uri_mut());
            self.sources.strip(&mut uri, request.headers_mut());
            *request.uri_mut() = uri;
        }
    }

    /// Whether the request is a CORS preflight that passes as it is.
    #[inline]
    fn is_open<B>(&self, request: &Request<B>) -> bool {
        self.preflight
            && *request.method() == Method::OPTIONS
            && request.headers().contains_key(header::ORIGIN)
            && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
    }
}

impl Seen {
    /// Keeps an answer to a token in the address out of shared caches (RFC
    /// 6750 §2.3).
    #[inline]
    pub(super) fn finish<B>(self, mut response: Response<B>) -> Response<B> {
        if self.in_query && !response.headers().contains_key(header::CACHE_CONTROL) {
            let private = HeaderValue::from_static("private");
            response.headers_mut().insert(header::CACHE_CONTROL, private);
        }
        response
    }
}

impl<S, C, R, ReqBody, ResBody> Service<Request<ReqBody>> for JwtAuth<S, C, R>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    C: DeserializeOwned + Send + Sync + 'static,
    R: Respond<ResBody> + Clone,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = ResponseFuture<S, C, R, ReqBody, ResBody>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        if self.gate.is_open(&request) {
            self.gate.leave_without_claims(ErrorKind::MissingToken.into(), &mut request);
            self.gate.hand_over(&mut request);
            return ResponseFuture::forward(self.inner.call(request), NOTHING_SEEN);
        }
        let (step, seen) = self.gate.verify(&request);
        match step {
            Step::Ready(verified) => match self.gate.admit(verified, &mut request) {
                Ok(()) => ResponseFuture::forward(self.inner.call(request), seen),
                Err(rejection) => ResponseFuture::rejected(rejection.respond(&self.respond)),
            },
            Step::Pending(verification) => {
                // What `poll_ready` made ready goes into the future; its clone
                // stays behind, to be polled before it is called.
                let clone = self.inner.clone();
                let ready = mem::replace(&mut self.inner, clone);
                let gate = Arc::clone(&self.gate);
                let respond = self.respond.clone();
                ResponseFuture::verify(verification, ready, request, gate, respond, seen)
            }
        }
    }
}

impl<S: Clone, C, R: Clone> Clone for JwtAuth<S, C, R> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            gate: Arc::clone(&self.gate),
            respond: self.respond.clone(),
        }
    }
}

impl<C> Clone for Gate<C> {
    fn clone(&self) -> Self {
        Self {
            verifier: self.verifier.clone(),
            sources: self.sources.clone(),
            mode: self.mode,
            preflight: self.preflight,
            strip: self.strip,
            challenge: self.challenge.clone(),
            own_challenge: self.own_challenge,
        }
    }
}

impl<C> fmt::Debug for Gate<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("verifier", &self.verifier)
            .field("sources", &self.sources)
            .field("mode", &self.mode)
            .field("preflight", &self.preflight)
            .field("strip", &self.strip)
            .finish_non_exhaustive()
    }
}

impl<S: fmt::Debug, C, R> fmt::Debug for JwtAuth<S, C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtAuth")
            .field("inner", &self.inner)
            .field("gate", &self.gate)
            .finish_non_exhaustive()
    }
}

const NOTHING_SEEN: Seen = Seen { in_query: false };
