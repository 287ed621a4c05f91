//! The status of gRPC in an answer, whose HTTP status is always 200.

use http::{HeaderMap, HeaderValue, Response, header::CONTENT_TYPE};

use crate::{error::Error, response::Rejection};

/// The status in the headers of an answer without messages.
pub(super) fn grpc_status(headers: &HeaderMap) -> Option<&[u8]> {
    headers.get("grpc-status").map(HeaderValue::as_bytes)
}

/// The status of an answer whose status is in its headers, or in the frame of the body that a refusal of
/// gRPC-Web has.
pub(super) fn grpc_code<B>(response: &Response<B>) -> Option<String> {
    let in_headers = grpc_status(response.headers());
    let in_headers = in_headers.map(|status| String::from_utf8_lossy(status).into_owned());
    in_headers.or_else(|| {
        let rejection = response.extensions().get::<Rejection>()?;
        is_grpc_refusal(response).then(|| rejection.grpc_code().to_string())
    })
}

/// Whether the answer is one of gRPC, with another status than 0 in its headers.
pub(super) fn is_grpc_error(headers: &HeaderMap) -> bool {
    grpc_status(headers).is_some_and(|status| status != b"0")
}

/// Whether the answer is one of gRPC that this crate has refused with: its status is in the headers, or
/// in a frame of the body.
pub(super) fn is_grpc_refusal<B>(response: &Response<B>) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE);
    let is_grpc =
        content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
    is_grpc
        && response.extensions().get::<Error>().is_some()
        && grpc_status(response.headers()).is_none_or(|status| status != b"0")
}
