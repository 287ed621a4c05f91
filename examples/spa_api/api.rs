//! The API: the layers of tower-http around the layer, and two routes inside. Copy this file.

use std::time::Duration;

use axum::{
    Json, Router,
    body::Body,
    http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header},
    routing::get,
};
use serde_json::{Value, json};
use tower::ServiceBuilder;
use tower_http::{
    compression::CompressionLayer,
    cors::CorsLayer,
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, RequestId, SetRequestIdLayer},
    sensitive_headers::SetSensitiveRequestHeadersLayer,
    timeout::TimeoutLayer,
    trace::TraceLayer,
};
use tower_jwt_auth::{Claims, Error, JwtAuthLayer, RequireLayer, Verifier, response::ProblemJson};
use tracing::{Span, debug, field::Empty, info, info_span};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// `page` is the origin of the page. The routes of `public` need no token. With `log_subject`, the
/// trace has the subject of each request that passes.
pub(crate) fn app(
    verifier: Verifier,
    page: HeaderValue,
    public: Router,
    log_subject: bool,
) -> Router {
    let cors = CorsLayer::new()
        // A list, so that an answer to another origin does not name this one.
        .allow_origin([page])
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        // Without these, the page can read neither the challenge nor the request id.
        .expose_headers([header::WWW_AUTHENTICATE, header::RETRY_AFTER, REQUEST_ID])
        .max_age(Duration::from_secs(600));
    let trace =
        TraceLayer::new_for_http().make_span_with(span).on_request(received).on_response(answered);
    let layers = ServiceBuilder::new()
        .layer(SetSensitiveRequestHeadersLayer::new([header::AUTHORIZATION, header::COOKIE]))
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
        .layer(trace)
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(CompressionLayer::new())
        .layer(cors)
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            Duration::from_secs(10),
        ));
    let mut auth = JwtAuthLayer::new(verifier).respond_with(ProblemJson);
    if log_subject {
        // It is personal data in many services.
        auth = auth.record_subject();
    }
    Router::new()
        .route("/reports", get(reports))
        .route_layer(RequireLayer::scopes(["reports"]))
        .route("/me", get(me))
        .route_layer(auth)
        .merge(public)
        .layer(layers)
}

async fn me(user: Claims) -> Json<Value> {
    Json(json!({ "subject": user.subject(), "scope": user.scopes().iter().collect::<Vec<_>>() }))
}

async fn reports() -> Json<Value> {
    let reports = (1..=12).map(|month| json!({ "month": month, "sold": 100 * month }));
    Json(reports.collect())
}

/// Has the path and not the query, because a query may have secrets.
fn span(request: &Request<Body>) -> Span {
    let id = request.extensions().get::<RequestId>();
    let id = id.and_then(|id| id.header_value().to_str().ok());
    let path = request.uri().path();
    info_span!("request", id, method = %request.method(), path, subject = Empty, refused = Empty)
}

/// Layer 1 has marked the headers with a token: `debug!` writes `Sensitive` for them.
fn received(request: &Request<Body>, _: &Span) {
    debug!(headers = ?request.headers(), "received");
}

fn answered<B>(response: &Response<B>, took: Duration, span: &Span) {
    // The client is not told which check failed, and the log is.
    if let Some(error) = response.extensions().get::<Error>() {
        span.record("refused", error.kind().name());
    }
    info!(status = response.status().as_u16(), ?took, "answered");
}
