//! The response to a refused request (RFC 6750 §3).
//!
//! | refusal | status | `WWW-Authenticate` |
//! |---|---|---|
//! | no token | 401 | `Bearer`, with the realm if there is one |
//! | more than one token, malformed credentials | 400; 401 for [forward authentication] | `error="invalid_request"` |
//! | a body that should have a token, and is not complete in time | 408 | `error="invalid_request"` |
//! | a body of a type from which no token is read | 415 | `error="invalid_request"` |
//! | a request for a token without the client certificate that it must have | 400 | `error="invalid_request"` |
//! | an invalid token, for any reason | 401 | `error="invalid_token"` |
//! | an invalid DPoP proof | 401 | `error="invalid_dpop_proof"` (RFC 9449 §7.1) |
//! | a DPoP proof without the nonce of this server | 401, `DPoP-Nonce` | `error="use_dpop_nonce"` (RFC 9449 §9) |
//! | a login that is too weak or too old | 401 | `error="insufficient_user_authentication"`, with `acr_values`, `max_age` and `scope` as far as they are required (RFC 9470) |
//! | a missing scope, role or right | 403 | `error="insufficient_scope"`, with the scopes that are needed |
//! | a refresh token that is expired, spent or unknown | 401 | `Bearer`; `invalid_grant` in the body |
//! | too many proofs of one key | 429, `Retry-After` | none |
//! | a token in a cookie of a cross-site request | 403 | none |
//! | a body that is not a message of [MCP](crate#features), or that says something else than its headers | 400, 408, 413, 415 | none |
//! | a session of MCP that is unknown, or of another principal | 404 | none |
//! | keys, a store or a service that a rule asks cannot be reached now | 503, `Retry-After` | none |
//! | a fault of the server | 500 | none |
//!
//! The scheme is `Bearer`. If the verifier accepts [DPoP](crate::proof::DPoP), there is a second challenge
//! of the scheme `DPoP`, with `algs`. If every token needs a proof, it is the only one. A request with
//! `Authorization: DPoP` gets only that challenge, with the error. To others, `Bearer` has the error
//! (RFC 9449 §7.1, §7.2).
//!
//! With [metadata](crate::resource), each challenge has `resource_metadata` (RFC 9728 §5.1). With
//! [`base_scopes`](crate::JwtAuthLayer::base_scopes), the challenges of a request without a token and of
//! an invalid token have `scope`.
//!
//! The description is fixed for each error code. The client is not told which check failed. Outer
//! layers find the [`Rejection`] and its [`Error`] in the response's extensions, and a `tracing`
//! event has the error.
//!
//! The body has the format that [`respond_with`](crate::JwtAuthLayer::respond_with) names. It is
//! empty by default. [`Grpc`] answers clients of gRPC and gRPC-Web in their protocol.
//! [`Rejection::to_response`] sets no `Content-Type`: set the one of your body.
//!
//! [forward authentication]: crate::source::CookieSourceBuilder::forwarded_method
//!
//! # Example: an answer of your own
//! ```
//! use http::Response;
//! use tower_jwt_auth::{JwtAuthLayer, response::Rejection};
//! # use tower_jwt_auth::{Key, Verifier};
//! # let verifier = Verifier::builder()
//! #     .any_issuer().any_audience().keys(Key::hs256([7; 32])).build()?;
//! let layer = JwtAuthLayer::new(verifier)
//!     .respond_with(|rejection: &Rejection| rejection.to_response(String::from("go away")));
//! # Ok::<(), tower_jwt_auth::ConfigError>(())
//! ```
//!
//! # Example: JSON for an API, a page for a browser
//! ```
//! use http::{HeaderName, HeaderValue, Response, header::CONTENT_TYPE};
//! use tower_jwt_auth::{JwtAuthLayer, response::{ProblemJson, Rejection, Respond}};
//! # use tower_jwt_auth::{Key, Verifier};
//! # let verifier = Verifier::builder()
//! #     .any_issuer().any_audience().keys(Key::hs256([7; 32])).build()?;
//! let layer = JwtAuthLayer::new(verifier).respond_with(|rejection: &Rejection| -> Response<String> {
//!     if rejection.is_from_cookie() {
//!         let page = "<a href=\"/login\">Log in again</a>".to_owned();
//!         let mut response = rejection.to_response(page);
//!         let html = HeaderValue::from_static("text/html; charset=utf-8");
//!         response.headers_mut().insert(CONTENT_TYPE, html);
//!         response
//!     } else {
//!         ProblemJson.respond(rejection)
//!     }
//! });
//! # Ok::<(), tower_jwt_auth::ConfigError>(())
//! ```

mod body;
mod challenge;
mod claims_absent;
mod grpc;
mod inherited;
mod request;
mod step_up;

use http::{HeaderName, HeaderValue, Response, StatusCode, Version, header};

use self::request::{DPOP, RequestFacts};
pub use self::{
    body::{DefaultRespond, ProblemJson},
    grpc::{Grpc, GrpcWeb},
};
pub(crate) use self::{
    challenge::{Challenge, ChallengeParameters, DpopChallenge},
    claims_absent::ClaimsAbsent,
    inherited::{inherit, without_format},
};
use crate::{
    error::{Class, Error, ErrorKind, seconds_up},
    request_head::RequestHead,
};

/// Makes the response to a request that was refused.
///
/// It is implemented for [`DefaultRespond`], for [`ProblemJson`], for [`Grpc`] and [`GrpcWeb`], and for
/// functions from `&Rejection` to a response.
pub trait Respond<B> {
    /// The response, of any status. A 401 that lacks `WWW-Authenticate` is given it, and so is a
    /// response with `grpc-status: 16`. A response without `Cache-Control` is given `no-store`. The
    /// rejection and its [`Error`] are put into its extensions.
    fn respond(&self, rejection: &Rejection) -> Response<B>;
}

impl<B, F: Fn(&Rejection) -> Response<B>> Respond<B> for F {
    fn respond(&self, rejection: &Rejection) -> Response<B> {
        self(rejection)
    }
}

/// A refusal: the reason, and the challenge that answers it.
///
/// A rejection in a request's extensions means that the innermost layer around the service is
/// `.optional()` or `.pass_through()`, and let the request pass without claims. One in a response's
/// extensions says why the request was refused.
#[derive(Clone, Debug)]
pub struct Rejection {
    error: Error,
    challenge: Challenge,
    request: RequestFacts,
    /// Whether the only token, or the only fault, was in a cookie.
    in_cookie: bool,
    /// Whether the request passed as that of a guest: an invalid cookie is not the client's fault.
    of_a_guest: bool,
    /// Whether the application made it from an error: no layer has seen it, or reported it.
    by_hand: bool,
}

impl Rejection {
    /// A refusal by a layer.
    #[cold]
    pub(crate) fn new(error: Error, challenge: Challenge, request: RequestHead<'_>) -> Self {
        Self { request: request.into(), ..Self::without_request(error, challenge) }
    }

    /// A refusal of which no request is known.
    pub(crate) fn without_request(error: Error, challenge: Challenge) -> Self {
        let request = RequestFacts::default();
        let (in_cookie, of_a_guest, by_hand) = (false, false, false);
        Self { error, challenge, request, in_cookie, of_a_guest, by_hand }
    }

    /// A refusal within a layer, with the challenge of that layer.
    #[cold]
    pub(crate) fn inside(error: Error, request: RequestHead<'_>) -> Self {
        let challenge = request.extensions().get::<Challenge>().cloned();
        Self::new(error, challenge.unwrap_or_default(), request)
    }

    /// The same, of a token that was only in a cookie.
    pub(crate) fn in_cookie(self, in_cookie: bool) -> Self {
        Self { in_cookie, ..self }
    }

    /// The same, of a request that passes as that of a guest.
    pub(crate) fn of_a_guest(self) -> Self {
        Self { of_a_guest: true, ..self }
    }

    /// Whether a handler that takes guests takes this request.
    #[cfg(feature = "axum")]
    pub(crate) fn is_of_a_guest(&self) -> bool {
        self.of_a_guest || self.error.is_missing_token()
    }

    /// Whether the application made it from an error.
    pub(crate) fn is_by_hand(&self) -> bool {
        self.by_hand
    }

    /// The meaning of the refusal to the client. A guest with an invalid cookie has no token.
    fn class(&self) -> Class {
        match self.error.kind().class() {
            Class::InvalidRequest if self.of_a_guest => Class::NoToken,
            class => class,
        }
    }

    /// The error code of RFC 6750 §3.1 or RFC 6749 §5.2, or `None` if the answer has no code.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        match self.class() {
            Class::InvalidRequest => self.error.code(),
            class => class.code(),
        }
    }

    /// The values of `WWW-Authenticate`, one for each scheme, or none if the token is not at fault.
    /// [`to_response`](Self::to_response) sets them. An answer that is made in another way takes them
    /// from here.
    pub fn challenges(&self) -> impl Iterator<Item = HeaderValue> + use<> {
        let challenge = self.challenge.clone().used(self.request.scheme == Some(DPOP));
        challenge.values(self.class(), self.error.kind()).into_iter().flatten()
    }

    /// The HTTP version of the request, or `None` if the rejection was made from an [`Error`].
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.request.version
    }

    /// The `Content-Type` of the request, as the client sent it.
    #[must_use]
    pub fn content_type(&self) -> Option<&HeaderValue> {
        self.request.content_type.as_ref()
    }

    /// The scheme in the request's `Authorization`: `Bearer` or `DPoP`. Others are not shown,
    /// because a token without a scheme looks like one.
    #[must_use]
    pub fn scheme(&self) -> Option<&'static str> {
        self.request.scheme
    }

    /// Whether the refused token was in a cookie, and nowhere else.
    #[must_use]
    pub fn is_from_cookie(&self) -> bool {
        self.in_cookie
    }

    /// The reason.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// The status that answers it.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self.error.status_as(self.class()) {
            // Such a proxy knows 401 and 403, and makes 500 of all else.
            StatusCode::BAD_REQUEST if self.challenge.is_for_forward_auth() => {
                StatusCode::UNAUTHORIZED
            }
            status => status,
        }
    }

    /// The status code of gRPC that answers it; see [`Grpc`].
    #[must_use]
    pub fn grpc_code(&self) -> i32 {
        self.class().grpc_code()
    }

    /// The description for the client, which is fixed for each error code.
    #[must_use]
    pub fn description(&self) -> &'static str {
        challenge::description(self.class())
    }

    /// A response with the status, the headers and this body.
    pub fn to_response<B>(&self, body: B) -> Response<B> {
        let mut response = Response::new(body);
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for value in self.challenges() {
            headers.append(header::WWW_AUTHENTICATE, value);
        }
        if let ErrorKind::DpopNonce { nonce } = self.error.kind()
            && let Ok(nonce) = HeaderValue::from_str(nonce)
        {
            headers.insert(DPOP_NONCE, nonce);
        }
        if let ErrorKind::Unavailable { retry_after }
        | ErrorKind::KeysUnavailable { retry_after }
        | ErrorKind::TooManyProofs { retry_after }
        | ErrorKind::KeyPending { retry_after } = self.error.kind()
        {
            headers.insert(header::RETRY_AFTER, seconds_up(*retry_after).into());
        }
        response
    }

    /// The response that `responder` makes, with the headers that every refusal has.
    pub(crate) fn answer_with<B>(self, responder: &impl Respond<B>) -> Response<B> {
        let mut response = responder.respond(&self);
        let asks_for_token =
            response.status() == StatusCode::UNAUTHORIZED || grpc::is_unauthenticated(&response);
        if asks_for_token && !response.headers().contains_key(header::WWW_AUTHENTICATE) {
            let mut values: Vec<_> = self.challenges().collect();
            if values.is_empty() {
                values.extend(self.challenge.without_error().into_iter().flatten());
            }
            for value in values {
                response.headers_mut().append(header::WWW_AUTHENTICATE, value);
            }
        }
        if !response.headers().contains_key(header::CACHE_CONTROL) {
            let no_store = HeaderValue::from_static("no-store");
            response.headers_mut().insert(header::CACHE_CONTROL, no_store);
        }
        response.extensions_mut().insert(self.error.clone());
        response.extensions_mut().insert(self);
        response
    }
}

/// The header with the nonce for the next proof (RFC 9449 §8.1).
pub(crate) const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// Of an error that a handler has come by, such as [`Error::forbidden`] or that of a store.
///
/// As the answer of an axum handler, it has the challenge and the format of the
/// [`JwtAuthLayer`](crate::JwtAuthLayer) around it, and is one event with its reason. Elsewhere,
/// its challenge has no realm.
impl From<Error> for Rejection {
    fn from(error: Error) -> Self {
        Self { by_hand: true, ..Self::without_request(error, Challenge::default()) }
    }
}
