//! An assertion on answers of gRPC.

use http::Response;

use super::{assertions::report, grpc_status::grpc_code};

/// Asserts that a response is one of gRPC with this status code, such as 16 for `UNAUTHENTICATED`: a refusal
/// in the format [`Grpc`](crate::response::Grpc) or [`GrpcWeb`](crate::response::GrpcWeb), or a status in the
/// headers that a method has answered with at once.
///
/// # Example
/// ```
/// use axum::{Router, body::Body, http::Request, routing::post};
/// use tower::ServiceExt;
/// use tower_jwt_auth::{JwtAuthLayer, testing::{TestIssuer, assert_grpc_status, assert_refused}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = TestIssuer::new();
/// let app = Router::new()
///     .route("/shop.Orders/List", post(async || "a service of tonic"))
///     .layer(JwtAuthLayer::grpc(issuer.verifier()));
///
/// let request = Request::post("/shop.Orders/List").header("content-type", "application/grpc");
/// let response = app.oneshot(request.body(Body::empty())?).await?;
/// assert_grpc_status(&response, 16);
/// assert_refused(&response, "missing_token");
/// # Ok(()) }
/// ```
///
/// # Panics
///
/// The response has no `grpc-status`, or another one. The message has the HTTP status, the
/// challenge, the kind, the reason and the log.
#[track_caller]
pub fn assert_grpc_status<B>(response: &Response<B>, code: i32) {
    let expected = code.to_string();
    match grpc_code(response) {
        Some(status) if status == expected => {}
        Some(status) => {
            panic!("the status of gRPC is {status}, expected {expected}\n{}", report(response))
        }
        None => panic!(
            "there is no `grpc-status` in the headers, expected {expected}: was the request a `POST` with \
             the content type `application/grpc`, and has the layer the format `Grpc`?\n{}",
            report(response)
        ),
    }
}
