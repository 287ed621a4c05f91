//! The decision on a request: whether it passes, with claims or without.

use std::{fmt, mem, sync::Arc};

use http::{Extensions, Method, Request, Response, header};
use serde::de::DeserializeOwned;

use super::{
    header_change::HeaderChange,
    within::{Shared, Within, mark_reported},
};
use crate::{
    error::{Error, ErrorKind},
    maybe_ready::MaybeReady,
    observe::{self, Decision, Scheme},
    request_head::RequestHead,
    resource::{Document, ProtectedResource},
    response::{Challenge, ChallengeParameters, ClaimsAbsent, Rejection, Respond},
    source::{Fault, TokenLocation, TokenSources},
    verifier::{Claims, Verifier},
};

/// The settings of a layer.
pub(super) struct Gate<C> {
    pub(super) verifier: Verifier<C>,
    pub(super) sources: TokenSources,
    pub(super) mode: Mode,
    pub(super) preflight: bool,
    /// Paths whose requests pass without a look at their token, compared whole.
    pub(super) exempt: Vec<&'static str>,
    /// The metadata that challenges name.
    pub(super) resource: Option<ProtectedResource>,
    /// Whether the layer answers requests for the metadata.
    pub(super) serves_metadata: bool,
    /// The document that it answers with.
    document: Option<Document>,
    /// Whether some requests are answered, or pass, without a look at their token: preflights, those
    /// to exempt paths, and those for the metadata.
    pub(super) has_exceptions: bool,
    pub(super) strip: bool,
    /// Whether the subject is recorded in the current span.
    pub(super) record_subject: bool,
    /// Whether the subject is recorded, or there are observers: one question for both.
    pub(super) watches_accepted: bool,
    /// Whether the proofs of senders are checked.
    pub(super) sees_requests: bool,
    /// The parameters of challenges.
    pub(super) parameters: ChallengeParameters,
    challenge: Challenge,
    /// Whether the challenge is not the default one.
    own_challenge: bool,
    /// The settings for refusals from within, if one of them is not the default.
    shared: Option<Arc<Shared>>,
    /// The same for requests with the scheme `DPoP`.
    shared_dpop: Option<Arc<Shared>>,
    /// Whether the format of refusals is not the default one.
    pub(super) own_format: bool,
}

/// The answer to requests without claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// They are refused.
    Required,
    /// They pass if they have no token, or only a cookie that is invalid.
    Optional,
    /// They pass.
    PassThrough,
}

impl<C: DeserializeOwned + Send + Sync + 'static> Gate<C> {
    /// Finds the token and verifies it.
    #[inline]
    pub(super) fn verify<B>(
        &self,
        request: &Request<B>,
    ) -> (MaybeReady<Result<Claims<C>, Error>>, TokenLocation) {
        match self.sources.find(request.method(), request.uri(), request.headers()) {
            Ok(Some(token)) => {
                let location = token.location();
                let head = self.sees_requests.then(|| RequestHead::from(request));
                (self.verifier.verify_raw(&token, head.as_ref()), location)
            }
            Ok(None) => {
                (MaybeReady::Ready(Err(ErrorKind::MissingToken.into())), TokenLocation::Other)
            }
            Err(Fault { error, location }) => (MaybeReady::Ready(Err(error)), location),
        }
    }

    /// Prepares the request to be passed on, or refuses it.
    #[inline]
    pub(super) fn admit<B>(
        &self,
        verified: Result<Claims<C>, Error>,
        location: TokenLocation,
        request: &mut Request<B>,
    ) -> Result<HeaderChange, Rejection> {
        let change = match verified {
            Ok(claims) => {
                request.extensions_mut().insert(claims);
                self.replace_outer_layer(location, request.extensions_mut());
                if self.watches_accepted {
                    self.tell_accepted(location, request.extensions());
                }
                match location {
                    TokenLocation::DPoP => self.accept_proof(request),
                    _ => location.into(),
                }
            }
            Err(error) => self.admit_without_claims(error, location, request)?,
        };
        self.hand_over(request);
        Ok(change)
    }

    /// Tells that a request passes with claims, which are in its extensions.
    #[inline]
    fn tell_accepted(&self, location: TokenLocation, extensions: &Extensions) {
        if self.record_subject {
            Self::record_subject(extensions);
        }
        let accepted = Decision::accepted(scheme(location));
        self.verifier.observers().tell(|observer| observer.decided(accepted));
    }

    #[inline(never)]
    fn record_subject(extensions: &Extensions) {
        if let Some(claims) = extensions.get::<Claims<C>>()
            && let Some(subject) = claims.registered().subject()
        {
            observe::record_subject(subject);
        }
    }

    /// Answers a request that is refused, of which the observers were told.
    #[cold]
    pub(super) fn answer<B>(&self, rejection: Rejection, respond: &impl Respond<B>) -> Response<B> {
        let mut response = rejection.answer_with(respond);
        if !self.verifier.observers().is_empty() {
            mark_reported(&mut response);
        }
        response
    }

    /// Tells the layers within that the proof was accepted, so that they do not take it for a replay.
    /// Gives the nonce for the client's next proof, if it used the former one (RFC 9449 §8.2).
    #[cold]
    fn accept_proof<B>(&self, request: &mut Request<B>) -> HeaderChange {
        let Some(dpop) = &self.verifier.proofs().dpop else { return HeaderChange::None };
        let nonce = dpop.fresh_nonce((&*request).into(), self.verifier.now());
        if let Some(spent) = dpop.spent((&*request).into()) {
            request.extensions_mut().insert(spent);
        }
        nonce.map_or(HeaderChange::None, |nonce| HeaderChange::Nonce(Box::new(nonce)))
    }

    /// Leaves the challenge of this layer, and nothing that a layer outside has left.
    #[inline]
    fn replace_outer_layer(&self, location: TokenLocation, extensions: &mut Extensions) {
        // A layer that lets a request pass without claims leaves a challenge as well. So one
        // question finds out about both.
        let outer = match self.own_challenge {
            true => extensions.insert(self.used_challenge(location)),
            false if extensions.get::<Challenge>().is_some() => extensions.remove(),
            false => None,
        };
        if let Some(outer) = outer {
            self.forget_outer_layer(&outer, location, extensions);
        }
    }

    #[cold]
    fn forget_outer_layer(
        &self,
        outer: &Challenge,
        location: TokenLocation,
        extensions: &mut Extensions,
    ) {
        ClaimsAbsent::<C>::remove(extensions);
        if outer.is_for_forward_auth() {
            extensions.insert(self.used_challenge(location).for_forward_auth(true));
        }
    }

    /// The challenge for a request whose token was sent in this way.
    #[inline]
    fn used_challenge(&self, location: TokenLocation) -> Challenge {
        self.challenge.clone().used(location == TokenLocation::DPoP)
    }

    /// The challenge for a request without claims. A proxy that asks a layer outside reads this answer, too.
    #[cold]
    fn challenge_inside(&self, extensions: &Extensions) -> Challenge {
        match extensions.get::<Challenge>() {
            Some(outer) if outer.is_for_forward_auth() => {
                self.challenge.clone().for_forward_auth(true)
            }
            _ => self.challenge.clone(),
        }
    }

    #[cold]
    fn admit_without_claims<B>(
        &self,
        error: Error,
        location: TokenLocation,
        request: &mut Request<B>,
    ) -> Result<HeaderChange, Rejection> {
        // A browser cannot leave a cookie out: an invalid one counts as none.
        let in_cookie = matches!(location, TokenLocation::OnlyInCookie(_));
        let is_guest = error.is_missing_token() || (in_cookie && error.is_bad_token());
        let refused_preflight =
            self.mode == Mode::Required && error.is_missing_token() && is_preflight(request);
        let error = if refused_preflight { ErrorKind::Preflight.into() } else { error };
        let challenge = self.challenge_inside(request.extensions());
        let rejection = Rejection::new(error, challenge, (&*request).into()).in_cookie(in_cookie);
        match self.mode {
            Mode::PassThrough => {
                self.leave_without_claims(rejection, location, request);
                Ok(location.into())
            }
            Mode::Optional if is_guest => {
                let removal = match rejection.error().is_final() {
                    true => self.sources.removal(location),
                    false => None,
                };
                self.leave_without_claims(rejection.of_a_guest(), location, request);
                Ok(removal.map_or(HeaderChange::None, |removal| {
                    HeaderChange::RemoveCookie(Box::new(removal))
                }))
            }
            Mode::Required | Mode::Optional => {
                let scheme = scheme_of(rejection.error(), location);
                self.verifier.observers().decided(&Decision::refused(scheme, rejection.error()));
                Err(rejection)
            }
        }
    }

    /// Removes claims of an outer layer, and leaves the reason for their absence.
    #[cold]
    fn leave_without_claims<B>(
        &self,
        rejection: Rejection,
        location: TokenLocation,
        request: &mut Request<B>,
    ) {
        let scheme = scheme_of(rejection.error(), location);
        self.verifier.observers().decided(&Decision::anonymous(scheme, rejection.error()));
        let extensions = request.extensions_mut();
        extensions.remove::<Claims<C>>();
        // Also the default one: `replace_outer_layer` asks for it.
        extensions.insert(self.challenge_inside(extensions));
        ClaimsAbsent::<C>::leave(rejection, extensions);
    }

    /// Hides the token in a request that is passed on.
    #[inline]
    fn hand_over<B>(&self, request: &mut Request<B>) {
        self.sources.mark_sensitive(request.headers_mut());
        if self.strip {
            let mut uri = mem::take(request.uri_mut());
            self.sources.strip(&mut uri, request.headers_mut());
            *request.uri_mut() = uri;
        }
    }

    /// Passes a request on without a look at its token: a CORS preflight, or one to an exempt path.
    #[cold]
    pub(super) fn open<B>(&self, request: &mut Request<B>) {
        let error = ErrorKind::MissingToken.into();
        let challenge = self.challenge_inside(request.extensions());
        let rejection = Rejection::new(error, challenge, (&*request).into());
        self.leave_without_claims(rejection, TokenLocation::Other, request);
        self.hand_over(request);
    }

    /// The answer to a request for the metadata.
    #[cold]
    pub(super) fn metadata<B>(&self, request: &Request<B>) -> Option<Response<String>> {
        self.document.as_ref()?.answer(request.into())
    }

    /// Whether the request passes as it is: a CORS preflight, or one to an exempt path.
    #[inline]
    pub(super) fn is_open<B>(&self, request: &Request<B>) -> bool {
        (self.preflight && is_preflight(request)) || self.exempt.contains(&request.uri().path())
    }
}

/// How a token was sent that was found.
#[inline]
fn scheme(location: TokenLocation) -> Scheme {
    match location {
        TokenLocation::DPoP => Scheme::Dpop,
        TokenLocation::OnlyInCookie(_) => Scheme::Cookie,
        TokenLocation::Query | TokenLocation::Other => Scheme::Bearer,
    }
}

/// How the token of a request without claims was sent, if it has one.
fn scheme_of(error: &Error, location: TokenLocation) -> Scheme {
    match error.kind() {
        ErrorKind::MissingToken | ErrorKind::Preflight => Scheme::None,
        _ => scheme(location),
    }
}

/// Whether a request is a CORS preflight (Fetch, CORS protocol).
#[inline]
fn is_preflight<B>(request: &Request<B>) -> bool {
    *request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ORIGIN)
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

impl<C> Gate<C> {
    /// The settings for refusals of the services within.
    #[inline]
    pub(super) fn within<R>(
        &self,
        location: TokenLocation,
        respond: impl FnOnce() -> R,
    ) -> Within<R> {
        let shared = match location {
            TokenLocation::DPoP => &self.shared_dpop,
            _ => &self.shared,
        };
        Within { format: self.own_format.then(respond), shared: shared.clone() }
    }

    /// The settings of a layer with the defaults.
    pub(super) fn new(verifier: Verifier<C>) -> Self {
        let takes_dpop = verifier.proofs().dpop.is_some();
        let mut gate = Self {
            watches_accepted: !verifier.observers().is_empty(),
            sees_requests: !verifier.proofs().are_none(),
            sources: TokenSources::new().with_dpop(takes_dpop),
            mode: Mode::Required,
            preflight: false,
            exempt: Vec::new(),
            resource: None,
            serves_metadata: false,
            document: None,
            has_exceptions: false,
            strip: false,
            record_subject: false,
            parameters: ChallengeParameters {
                dpop: verifier.dpop_challenge(),
                ..ChallengeParameters::default()
            },
            challenge: Challenge::default(),
            own_challenge: false,
            shared: None,
            shared_dpop: None,
            own_format: false,
            verifier,
        };
        gate.prepare();
        gate
    }

    /// Makes what follows from the settings, after one was changed.
    pub(super) fn prepare(&mut self) {
        let served = self.resource.as_ref().filter(|_| self.serves_metadata);
        self.document = served.map(|resource| resource.document(&self.sources.bearer_methods()));
        self.has_exceptions = self.preflight || !self.exempt.is_empty() || self.document.is_some();
        let observers = self.verifier.observers();
        let for_forward_auth = self.sources.is_for_forward_auth();
        self.challenge = Challenge::new(&self.parameters).for_forward_auth(for_forward_auth);
        self.own_challenge = for_forward_auth || !self.parameters.are_default();
        let shared = |challenge: &Challenge| {
            let challenge = self.own_challenge.then(|| challenge.clone());
            let is_default = challenge.is_none() && observers.is_empty();
            (!is_default).then(|| Shared::new(challenge, observers))
        };
        let dpop = self.challenge.clone().used(true);
        (self.shared, self.shared_dpop) = (shared(&self.challenge), shared(&dpop));
    }
}

impl<C> Clone for Gate<C> {
    fn clone(&self) -> Self {
        Self {
            verifier: self.verifier.clone(),
            sources: self.sources.clone(),
            mode: self.mode,
            preflight: self.preflight,
            exempt: self.exempt.clone(),
            resource: self.resource.clone(),
            serves_metadata: self.serves_metadata,
            document: self.document.clone(),
            has_exceptions: self.has_exceptions,
            strip: self.strip,
            record_subject: self.record_subject,
            sees_requests: self.sees_requests,
            watches_accepted: self.watches_accepted,
            parameters: self.parameters.clone(),
            challenge: self.challenge.clone(),
            own_challenge: self.own_challenge,
            shared: self.shared.clone(),
            shared_dpop: self.shared_dpop.clone(),
            own_format: self.own_format,
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
            .field("exempt", &self.exempt)
            .field("strip", &self.strip)
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}
