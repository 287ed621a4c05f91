//! The answer to a request for the metadata.

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

/// The answer with a public JSON document. `GET` and `HEAD` have it, `OPTIONS` is a preflight, and
/// other methods are not allowed. Pages of all origins may read it.
pub(super) fn answer(method: &Method, document: &str) -> Response<String> {
    let mut response = Response::new(String::new());
    let headers = response.headers_mut();
    set(headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    match *method {
        Method::GET | Method::HEAD => {
            set(headers, header::CONTENT_TYPE, "application/json");
            set(headers, header::CACHE_CONTROL, "public, max-age=3600");
            headers.insert(header::CONTENT_LENGTH, document.len().into());
            if *method == Method::GET {
                *response.body_mut() = document.to_owned();
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

fn set(headers: &mut HeaderMap, name: header::HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}

const METHODS: &str = "GET, HEAD, OPTIONS";
