//! The names of headers that a page of another origin needs.

use http::{HeaderName, header};

/// The request headers that a page of another origin sends (`Access-Control-Allow-Headers`):
/// `Authorization` and `DPoP`.
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
/// use tower_jwt_auth::proof::{CORS_ALLOWED_HEADERS, CORS_EXPOSED_HEADERS};
///
/// // Outside of the `JwtAuthLayer`, so that it also answers preflights and sees refusals.
/// let cors = CorsLayer::new()
///     .allow_origin(HeaderValue::from_static("https://app.example.com"))
///     .allow_methods([Method::GET, Method::POST])
///     .allow_headers(CORS_ALLOWED_HEADERS)
///     .expose_headers(CORS_EXPOSED_HEADERS);
/// ```
pub const CORS_ALLOWED_HEADERS: [HeaderName; 2] =
    [header::AUTHORIZATION, HeaderName::from_static("dpop")];

/// The response headers that a page of another origin reads (`Access-Control-Expose-Headers`):
/// `DPoP-Nonce` and `WWW-Authenticate`. Without them, a page never sees the nonce that it must use
/// (RFC 9449 §8.2). See [`CORS_ALLOWED_HEADERS`] for an example.
pub const CORS_EXPOSED_HEADERS: [HeaderName; 2] =
    [HeaderName::from_static("dpop-nonce"), header::WWW_AUTHENTICATE];
