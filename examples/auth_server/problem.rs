//! Refusals as `application/problem+json` (RFC 9457), and bodies that are read with them.

use std::{
    error::Error,
    io::{self, Write},
    time::Duration,
};

use axum::{
    Json,
    extract::{FromRequest, Request},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time;

use crate::hashing::Unhashed;

pub(crate) struct Problem {
    status: StatusCode,
    detail: &'static str,
    retry_after: Option<Duration>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: &'static str) -> Self {
        Self { status, detail, retry_after: None }
    }

    pub(crate) fn retry_after(self, time: Duration) -> Self {
        Self { retry_after: Some(time), ..self }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason();
        let body = json!({ "title": title, "status": self.status.as_u16(), "detail": self.detail });
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        let kind = header::HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = header::HeaderValue::from_static("Bearer realm=\"auth_server\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(time) = self.retry_after {
            headers.insert(header::RETRY_AFTER, time.as_secs().max(1).into());
        }
        response
    }
}

/// A store is away, or all are busy: the client may try again.
impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::unavailable(&error)
    }
}

impl From<tower_jwt_auth::Error> for Problem {
    fn from(error: tower_jwt_auth::Error) -> Self {
        Self::unavailable(&error)
    }
}

impl From<Unhashed> for Problem {
    fn from(why: Unhashed) -> Self {
        match why {
            // Of load, and not of a fault: a line for each would fill the log.
            Unhashed::Busy => Self::later(),
            Unhashed::Failed => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the password cannot be checked")
            }
        }
    }
}

impl Problem {
    fn later() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "try again later")
            .retry_after(Duration::from_secs(1))
    }

    fn unavailable(error: &dyn Error) -> Self {
        // Whether anybody reads it or not.
        let _ = writeln!(io::stderr(), "auth_server: {error}");
        Self::later()
    }
}

/// A body of JSON. A form of another site cannot send one, because it has no such type.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = time::timeout(BODY, Json::from_request(request, state)).await;
        let late =
            |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "the body was not complete in time");
        match body.map_err(late)? {
            Ok(Json(body)) => Ok(Self(body)),
            // In words of our own: the parser's may repeat what it was sent.
            Err(rejection) => Err(Problem::new(
                rejection.status(),
                match rejection.status() {
                    StatusCode::UNSUPPORTED_MEDIA_TYPE => "the body is to be application/json",
                    StatusCode::PAYLOAD_TOO_LARGE => "the body is too large",
                    StatusCode::UNPROCESSABLE_ENTITY => "a field is missing, or of another type",
                    _ => "the body is no JSON",
                },
            )),
        }
    }
}

/// How long a client may take to send a body.
const BODY: Duration = Duration::from_secs(10);
