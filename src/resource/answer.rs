//! The answer to a request for the metadata.

use std::sync::Arc;

use base64_simd::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use crate::{digest::sha256, request_head::RequestHead};

/// A public JSON document.
#[derive(Clone)]
pub(super) struct PublicJson {
    text: Arc<str>,
    /// The entity tag (RFC 9110 §8.8.3): a hash of the text, in quotes.
    tag: HeaderValue,
}

impl PublicJson {
    pub(super) fn new(text: String) -> Self {
        let hash = URL_SAFE_NO_PAD.encode_to_string(sha256(&[text.as_bytes()]));
        // The alphabet of base64url is one of headers, too.
        let tag = HeaderValue::try_from(format!("\"{hash}\""));
        Self { tag: tag.unwrap_or(HeaderValue::from_static("\"\"")), text: text.into() }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The answer with it. `GET` and `HEAD` have it, unless the client has the same one. `OPTIONS` is a
    /// preflight, and other methods are not allowed. Pages of all origins may read it.
    pub(super) fn answer(&self, request: RequestHead<'_>) -> Response<String> {
        let mut response = Response::new(String::new());
        let headers = response.headers_mut();
        set(headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
        match *request.method() {
            Method::GET | Method::HEAD => {
                set(headers, header::CACHE_CONTROL, "public, max-age=3600");
                headers.insert(header::ETAG, self.tag.clone());
                if self.is_known(request.headers()) {
                    *response.status_mut() = StatusCode::NOT_MODIFIED;
                    return response;
                }
                set(headers, header::CONTENT_TYPE, "application/json");
                headers.insert(header::CONTENT_LENGTH, self.text.len().into());
                if *request.method() == Method::GET {
                    *response.body_mut() = self.text.to_string();
                }
            }
            Method::OPTIONS => {
                set(headers, header::ALLOW, METHODS);
                set(headers, header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
                // Clients of MCP in a browser send it.
                set(headers, header::ACCESS_CONTROL_ALLOW_HEADERS, "mcp-protocol-version");
                set(headers, header::ACCESS_CONTROL_MAX_AGE, "3600");
                *response.status_mut() = StatusCode::NO_CONTENT;
            }
            _ => {
                set(headers, header::ALLOW, METHODS);
                *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            }
        }
        response
    }

    /// Whether the client has this document (RFC 9110 §13.1.2). The comparison is weak. This tag has no
    /// comma, so that the parts of another one are never taken for it.
    fn is_known(&self, headers: &HeaderMap) -> bool {
        let mut lists = headers.get_all(header::IF_NONE_MATCH).iter();
        lists.any(|list| {
            let mut tags = list.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            tags.any(|tag| tag == b"*" || *tag.strip_prefix(b"W/").unwrap_or(tag) == self.tag)
        })
    }
}

fn set(headers: &mut HeaderMap, name: header::HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}

const METHODS: &str = "GET, HEAD, OPTIONS";
