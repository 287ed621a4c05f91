//! The answer with a public document.

use http::{HeaderValue, Method, Response, header};

use super::body::{Body, method_not_allowed};

/// How a public document is answered.
#[derive(Clone, Debug)]
pub(super) struct Document {
    content_type: HeaderValue,
    cache_control: HeaderValue,
}

impl Document {
    /// A document that may be kept for so many seconds.
    pub(super) fn new(content_type: &'static str, max_age: i64) -> Self {
        let text = format!("public, max-age={max_age}");
        // The text is a valid header value, so the fallback is never used.
        let cache_control =
            HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("no-cache"));
        Self { content_type: HeaderValue::from_static(content_type), cache_control }
    }

    /// The answer to `GET` and `HEAD`; other methods get 405.
    pub(super) fn answer(&self, method: &Method, text: impl FnOnce() -> String) -> Response<Body> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return method_not_allowed("GET, HEAD");
        }
        let mut response = Response::new(text().into());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, self.content_type.clone());
        headers.insert(header::CACHE_CONTROL, self.cache_control.clone());
        response
    }
}
