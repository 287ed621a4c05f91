//! The headers that pages of another origin need (CORS).

use http::{HeaderName, header};

/// The request headers that a page of another origin sends (`Access-Control-Allow-Headers`):
/// `Authorization` and `DPoP`. Add those of your own, such as `Content-Type`. A new version may have
/// more of them.
///
/// # Example: with tower-http's `CorsLayer`
/// ```
/// use http::{HeaderName, HeaderValue, Method};
/// # // What `CorsLayer` of tower-http has, which is not among the dependencies.
/// # struct CorsLayer;
/// # impl CorsLayer {
/// #     fn new() -> Self { Self }
/// #     fn allow_origin(self, _: HeaderValue) -> Self { self }
/// #     fn allow_methods(self, _: [Method; 2]) -> Self { self }
/// #     fn allow_headers(self, _: impl Into<Vec<HeaderName>>) -> Self { self }
/// #     fn expose_headers(self, _: impl Into<Vec<HeaderName>>) -> Self { self }
/// # }
/// use tower_jwt_auth::proof::{cors_allowed_headers, cors_exposed_headers};
///
/// // Outside of the `JwtAuthLayer`, so that it also answers preflights and sees refusals.
/// let cors = CorsLayer::new()
///     .allow_origin(HeaderValue::from_static("https://app.example.com"))
///     .allow_methods([Method::GET, Method::POST])
///     .allow_headers(cors_allowed_headers())
///     .expose_headers(cors_exposed_headers());
/// ```
#[must_use]
pub fn cors_allowed_headers() -> Vec<HeaderName> {
    vec![header::AUTHORIZATION, HeaderName::from_static("dpop")]
}

/// The response headers that a page of another origin reads (`Access-Control-Expose-Headers`):
/// `DPoP-Nonce`, `WWW-Authenticate`, and `Retry-After` of an answer 429 or 503. Without the first one, a
/// page never sees the nonce that it must use (RFC 9449 §8.2). See [`cors_allowed_headers`] for an
/// example. A new version may have more of them.
#[must_use]
pub fn cors_exposed_headers() -> Vec<HeaderName> {
    vec![HeaderName::from_static("dpop-nonce"), header::WWW_AUTHENTICATE, header::RETRY_AFTER]
}
