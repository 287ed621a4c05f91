//! The bodies that the crate can make.

use http::{HeaderValue, Response, header};
use serde::Serialize;

use super::{Rejection, Respond};
use crate::error::ErrorKind;

/// Answers with an empty body: the status and the headers say it all.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultRespond;

impl<B: Default> Respond<B> for DefaultRespond {
    fn respond(&self, rejection: &Rejection) -> Response<B> {
        rejection.to_response(B::default())
    }
}

/// Answers with `application/problem+json` (RFC 9457): `title`, `status` and
/// `detail`, and as extensions the `error` code of RFC 6750 and, where scopes
/// are missing, `scope` and `missing_scope`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProblemJson;

impl<B: From<String>> Respond<B> for ProblemJson {
    fn respond(&self, rejection: &Rejection) -> Response<B> {
        let mut response = rejection.to_response(B::from(problem(rejection)));
        let json = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}

#[derive(Serialize)]
struct Problem<'a> {
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing_scope: Option<String>,
}

fn problem(rejection: &Rejection) -> String {
    let (scope, missing_scope) = match rejection.error().kind() {
        ErrorKind::InsufficientScope { required, missing } => {
            (Some(required.join(" ")), Some(missing.join(" ")))
        }
        _ => (None, None),
    };
    let problem = Problem {
        title: rejection.status().canonical_reason().unwrap_or_default(),
        status: rejection.status().as_u16(),
        detail: rejection.description(),
        error: rejection.code(),
        scope,
        missing_scope,
    };
    // Strings and a number: there is nothing that could not be written.
    serde_json::to_string(&problem).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{error::Error, response::Challenge};

    #[test]
    fn a_problem_is_json_with_the_code() {
        let kind = ErrorKind::InsufficientScope {
            required: ["a".into(), "b".into()].into(),
            missing: ["b".into()].into(),
        };
        let rejection = Rejection::without_request(Error::new(kind), Challenge::default());
        let response: Response<String> = ProblemJson.respond(&rejection);
        assert_eq!(response.status(), 403);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let body: serde_json::Value = serde_json::from_str(response.body()).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "title": "Forbidden",
                "status": 403,
                "detail": "the access token does not allow this",
                "error": "insufficient_scope",
                "scope": "a b",
                "missing_scope": "b",
            })
        );
    }
}
