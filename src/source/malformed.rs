//! The errors of a request from which no single token can be read (RFC 6750 §3.1).

use crate::error::{Error, ErrorKind, InvalidRequest};

#[cold]
pub(super) fn several() -> Error {
    Error::new(ErrorKind::InvalidRequest(InvalidRequest::SeveralTokens))
}

#[cold]
pub(super) fn empty() -> Error {
    Error::new(ErrorKind::InvalidRequest(InvalidRequest::EmptyToken))
}

#[cold]
pub(super) fn malformed() -> Error {
    Error::new(ErrorKind::InvalidRequest(InvalidRequest::MalformedCredentials))
}
