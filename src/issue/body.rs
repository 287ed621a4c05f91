//! The body of an answer: a text, or nothing.

use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::{Frame, SizeHint};

/// The body of the answers that this crate makes. `Debug` shows only its length.
#[derive(Default)]
pub struct Body(Option<Bytes>);

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self(Some(Bytes::from(text)).filter(|bytes| !bytes.is_empty()))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len())
    }
}

impl Body {
    fn len(&self) -> u64 {
        self.0.as_ref().map_or(0, |bytes| bytes.len() as u64)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.len())
    }
}

/// The answer to a method that is not among the `allowed` ones (RFC 9110 §15.5.6).
pub(crate) fn method_not_allowed(allowed: &'static str) -> Response<Body> {
    let problem = r#"{"title":"Method Not Allowed","status":405}"#;
    let mut response = Response::new(Body::from(problem.to_owned()));
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    let json = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}
