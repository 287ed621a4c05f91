//! Refusals for clients of gRPC and gRPC-Web.

mod protocol;
mod web;

use http::{HeaderName, HeaderValue, Response, StatusCode, header};

use self::protocol::Protocol;
pub use self::web::GrpcWeb;
use super::{DefaultRespond, Rejection, Respond};
use crate::error::UNAUTHENTICATED;

/// Answers requests of gRPC and gRPC-Web in their protocol, and all others in the format `R`.
///
/// Use it for a service of gRPC, and for one that has gRPC beside HTTP, such as tonic's services in an
/// axum router. Without it, a client of gRPC gets the HTTP status 401, which some clients show as another
/// code than `UNAUTHENTICATED`. The guide *gRPC* has the order of the layers, policies for methods, and
/// gRPC-Web.
///
/// # Rules
///
/// 1. A request is one of gRPC if it is a `POST`, and if its `Content-Type` is `application/grpc`,
///    `application/grpc-web` or `application/grpc-web-text`. A suffix such as `+proto` and parameters
///    may follow.
/// 2. Its answer has the HTTP status 200 and no body: a Trailers-Only response. Its headers are
///    `content-type` of the same protocol, `grpc-status`, `grpc-message`, and those that each refusal
///    has: `www-authenticate`, `dpop-nonce` and `retry-after`, which are metadata for the client.
/// 3. The message is fixed for each error code. It does not say which check failed.
/// 4. A request of a proxy for [forward authentication] is answered in the format `R`, by the layer whose
///    cookie has that setting and also by the layers inside it. A layer around it does not know of the proxy.
/// 5. A refusal that an axum handler makes from an [`Error`](crate::Error) by itself is answered in the
///    format `R`: nothing is known of its request. A method of tonic answers with a `Status` of its own,
///    see [`Error::grpc_code`](crate::Error::grpc_code).
///
/// | refusal | HTTP status without `Grpc` | code of gRPC |
/// |---|---|---|
/// | no token; an invalid token, proof or session; several tokens; a login that is too weak or too old | 401, 400 | 16 `UNAUTHENTICATED` |
/// | a missing scope, role or right; a cookie of a cross-site request | 403 | 7 `PERMISSION_DENIED` |
/// | a message that a preset refuses | 400, 404, 413, 415 | 3 `INVALID_ARGUMENT` |
/// | too many proofs of one key | 429 | 8 `RESOURCE_EXHAUSTED` |
/// | keys, a store or a service that a rule asks cannot be reached now | 503 | 14 `UNAVAILABLE` |
/// | a fault of the server | 500 | 13 `INTERNAL` |
///
/// [forward authentication]: crate::source::CookieSourceBuilder::forwarded_method
///
/// # Example: a service of gRPC
/// ```
/// use http::{Request, Response};
/// use tower::{Layer, ServiceExt, service_fn};
/// use tower_jwt_auth::JwtAuthLayer;
/// # use tower_jwt_auth::{Key, Verifier};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let verifier = Verifier::builder()
/// #     .any_issuer().any_audience().keys(Key::hs256([7; 32])).build()?;
/// # let service = service_fn(async |_: Request<String>| {
/// #     Ok::<_, std::io::Error>(Response::new(String::new()))
/// # });
/// let service = JwtAuthLayer::grpc(verifier).layer(service);
///
/// let request = Request::post("/shop.Orders/List").header("content-type", "application/grpc");
/// let response = service.oneshot(request.body(String::new())?).await?;
/// assert_eq!(response.status(), 200);
/// assert_eq!(response.headers()["grpc-status"], "16");
/// assert_eq!(response.headers()["www-authenticate"], "Bearer");
/// # Ok(()) }
/// ```
///
/// # Example: gRPC, and JSON for all other clients
/// ```
/// use tower_jwt_auth::{JwtAuthLayer, response::{Grpc, ProblemJson}};
/// # use tower_jwt_auth::{Key, Verifier};
/// # let verifier = Verifier::builder()
/// #     .any_issuer().any_audience().keys(Key::hs256([7; 32])).build()?;
/// let layer = JwtAuthLayer::new(verifier).respond_with(Grpc::or(ProblemJson));
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
///
/// # Security
///
/// The refusal has the HTTP status 200, and the client chooses its `Content-Type`. Do not use this format
/// in a service that a proxy asks whether a request may pass, such as `auth_request` of nginx,
/// `ForwardAuth` of Traefik or `ext_authz` of Envoy over HTTP: the proxy would take 200 for a yes. This is
/// why it is not the default format.
#[derive(Clone, Copy, Debug, Default)]
pub struct Grpc<R = DefaultRespond> {
    others: R,
}

impl Grpc {
    /// Answers other requests as [`DefaultRespond`] does: with an empty body.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl<R> Grpc<R> {
    /// Answers other requests in this format.
    #[must_use]
    pub fn or(others: R) -> Self {
        Self { others }
    }
}

impl<B: Default, R: Respond<B>> Respond<B> for Grpc<R> {
    fn respond(&self, rejection: &Rejection) -> Response<B> {
        match Protocol::of(rejection) {
            Some(protocol) => trailers_only(rejection, protocol),
            None => self.others.respond(rejection),
        }
    }
}

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// A response whose headers are its trailers, too.
fn trailers_only<B: Default>(rejection: &Rejection, protocol: Protocol) -> Response<B> {
    let mut response = head(rejection, protocol, B::default());
    let headers = response.headers_mut();
    headers.insert(GRPC_STATUS, rejection.grpc_code().into());
    headers.insert(GRPC_MESSAGE, message(rejection));
    response
}

/// A response of the protocol without its status.
fn head<B>(rejection: &Rejection, protocol: Protocol, body: B) -> Response<B> {
    let mut response = rejection.to_response(body);
    *response.status_mut() = StatusCode::OK;
    let content_type = HeaderValue::from_static(protocol.content_type());
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

/// The description. None of them has a character that `grpc-message` must encode.
fn message(rejection: &Rejection) -> HeaderValue {
    HeaderValue::from_static(rejection.description())
}

/// Whether a response, of whatever format, says `UNAUTHENTICATED`.
pub(super) fn is_unauthenticated<B>(response: &Response<B>) -> bool {
    let status = response.headers().get(GRPC_STATUS);
    status.is_some_and(|status| *status == UNAUTHENTICATED.to_string())
}

#[cfg(test)]
mod tests;
