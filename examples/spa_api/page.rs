//! The page. Its origin is another one than that of the API, because its port is.

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header, header::InvalidHeaderValue},
    response::Response,
    routing::get,
};
use tower::util::MapResponseLayer;

/// `api` is the address of the API.
pub(crate) fn app(api: &str) -> Result<Router, InvalidHeaderValue> {
    // `connect-src` names the API: scripts of this page can send requests nowhere else.
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src {api}; \
         form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    );
    let headers: [(HeaderName, HeaderValue); 4] = [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_str(&policy)?),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    let file = |kind: &'static str, text: String| {
        get(async move || ([(header::CONTENT_TYPE, kind)], text))
    };
    let html = include_str!("page/index.html").replace("{api}", api);
    Ok(Router::new()
        .route("/", file("text/html; charset=utf-8", html))
        .route(
            "/app.js",
            file("text/javascript; charset=utf-8", include_str!("page/app.js").into()),
        )
        .route("/style.css", file("text/css; charset=utf-8", include_str!("page/style.css").into()))
        .layer(MapResponseLayer::new(move |mut response: Response| {
            response.headers_mut().extend(headers.clone());
            response
        })))
}
