//! Assertions that say what happened.

use std::{error::Error as _, fmt::Write as _};

use http::{HeaderMap, Response, StatusCode, header::WWW_AUTHENTICATE};

#[cfg(feature = "tracing")]
use super::log;
use super::{
    grpc_status::{grpc_status, is_grpc_error},
    jws::joined,
};
use crate::{
    error::{Error, ErrorKind},
    verifier::Claims,
};

/// The argument of the assertions: a response, or the result of
/// [`Verifier::verify`](crate::Verifier::verify).
///
/// It is sealed: no other type implements it.
pub trait TestOutcome: sealed::Outcome {
    /// The error that this crate has left: in the extensions of a response.
    fn error(&self) -> Option<&Error>;

    /// The status and the headers, if it is a response.
    fn head(&self) -> Option<(StatusCode, &HeaderMap)>;
}

impl<B> TestOutcome for Response<B> {
    fn error(&self) -> Option<&Error> {
        self.extensions().get()
    }

    fn head(&self) -> Option<(StatusCode, &HeaderMap)> {
        Some((self.status(), self.headers()))
    }
}

impl<C> TestOutcome for Result<Claims<C>, Error> {
    fn error(&self) -> Option<&Error> {
        self.as_ref().err()
    }

    fn head(&self) -> Option<(StatusCode, &HeaderMap)> {
        None
    }
}

/// The kind of a refusal that a test expects: an [`ErrorKind`], or its
/// [name](ErrorKind::name) such as `"expired"`, whatever else the kind has.
///
/// It is sealed: no other type implements it.
pub trait ExpectedKind: sealed::Expected {
    /// Whether it is this kind.
    fn is(&self, kind: &ErrorKind) -> bool;

    /// The text of a failure.
    fn describe(&self) -> String;
}

mod sealed {
    use http::Response;

    use crate::{
        error::{Error, ErrorKind},
        verifier::Claims,
    };

    #[expect(unnameable_types, reason = "it is sealed")]
    pub trait Outcome {}

    impl<B> Outcome for Response<B> {}

    impl<C> Outcome for Result<Claims<C>, Error> {}

    #[expect(unnameable_types, reason = "it is sealed")]
    pub trait Expected {
        /// Why no kind is this one, if that is so.
        fn fault(&self) -> Option<String> {
            None
        }
    }

    impl Expected for &str {
        fn fault(&self) -> Option<String> {
            crate::testing::kinds::fault_of_name(self)
        }
    }

    impl Expected for ErrorKind {}
}

impl ExpectedKind for &str {
    fn is(&self, kind: &ErrorKind) -> bool {
        *self == kind.name()
    }

    fn describe(&self) -> String {
        (*self).to_owned()
    }
}

impl ExpectedKind for ErrorKind {
    fn is(&self, kind: &ErrorKind) -> bool {
        self == kind
    }

    fn describe(&self) -> String {
        format!("{}: {self}", self.name())
    }
}

/// Asserts that a request was not refused: there is no error of this crate, the status is below 400, and
/// there is no status of gRPC in the headers but 0.
///
/// # Example
/// ```
/// use tower_jwt_auth::testing::{TestIssuer, assert_accepted};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let issuer = TestIssuer::new();
/// assert_accepted(&issuer.verifier().verify(&issuer.token().sign()).await);
/// # }
/// ```
///
/// # Panics
///
/// It was refused, or the service has answered with another status of 400 or above, or with an error of
/// gRPC. The message has the status, the challenge, the kind, the reason and the log.
#[track_caller]
pub fn assert_accepted(outcome: &impl TestOutcome) {
    let is_good = outcome
        .head()
        .is_none_or(|(status, headers)| status.as_u16() < 400 && !is_grpc_error(headers));
    match (outcome.error(), outcome.head()) {
        (Some(_), _) => panic!("the request was refused\n{}", report(outcome)),
        (None, Some((status, _))) if !is_good => panic!(
            "the service answered {status}, and not this crate: look for the path, the method, the \
             body and the handler\n{}",
            report(outcome)
        ),
        _ => {}
    }
}

/// Asserts that a request was refused for this reason: the kind, or its name.
///
/// # Example
/// ```
/// use tower_jwt_auth::{ErrorKind, testing::{TestIssuer, assert_refused}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let issuer = TestIssuer::new();
/// let expired = issuer.verifier().verify(&issuer.token().expired().sign()).await;
/// assert_refused(&expired, "expired");
/// assert_refused(&expired, ErrorKind::Expired);
/// # }
/// ```
///
/// # Panics
///
/// It was accepted, or refused for another reason. The message has the status, the challenge, the
/// kind, the reason and the log. Or no kind has this name.
#[track_caller]
pub fn assert_refused(outcome: &impl TestOutcome, kind: impl ExpectedKind) {
    let expected = kind.describe();
    if let Some(fault) = kind.fault() {
        panic!("{fault}");
    }
    match outcome.error() {
        Some(error) if kind.is(error.kind()) => {}
        Some(_) => {
            panic!("refused for another reason than `{expected}`\n{}", report(outcome));
        }
        None => panic!("not refused, expected `{expected}`\n{}", report(outcome)),
    }
}

/// Asserts the challenge of a response: one `WWW-Authenticate` has the scheme `Bearer` (RFC 6750 §3) or
/// `DPoP` (RFC 9449 §7.1) and this `error`. For `None`, there is a challenge and none has an `error`, which
/// is the answer to a request without a token.
///
/// # Example
/// ```
/// use tower_jwt_auth::testing::{TestIssuer, TestRequest, assert_challenge};
/// # use axum::{Router, body::Body, http::Request, routing::get};
/// # use tower::ServiceExt;
/// # use tower_jwt_auth::JwtAuthLayer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let issuer = TestIssuer::new();
/// # let app = Router::new()
/// #     .route("/me", get(async || "hello"))
/// #     .layer(JwtAuthLayer::new(issuer.verifier()));
/// let response = app.clone().oneshot(Request::get("/me").body(Body::empty())?).await?;
/// assert_challenge(&response, None);
///
/// let request = Request::get("/me").bearer(issuer.token().expired().sign());
/// let response = app.oneshot(request.body(Body::empty())?).await?;
/// assert_challenge(&response, "invalid_token");
/// # Ok(()) }
/// ```
///
/// # Panics
///
/// There is no such challenge. The message has the status, the challenge, the kind, the reason and
/// the log.
#[track_caller]
pub fn assert_challenge<'e, B>(response: &Response<B>, error: impl Into<Option<&'e str>>) {
    let expected = error.into();
    let errors: Vec<_> =
        challenges(response).map(|challenge| parameter(challenge, "error")).collect();
    let is_as_expected = match expected {
        Some(_) => errors.iter().any(|error| error.as_deref() == expected),
        None => !errors.is_empty() && errors.iter().all(Option::is_none),
    };
    if !is_as_expected {
        let expected = match expected {
            Some(error) => format!("error=\"{error}\""),
            None => "Bearer or DPoP without an error".to_owned(),
        };
        panic!("the challenge is not `{expected}`\n{}", report(response));
    }
}

/// Asserts that a request was refused because its token lacks scopes: 403, or the status 7 of gRPC, and
/// the challenge names these scopes (RFC 6750 §3.1), in this order.
///
/// # Example
/// ```
/// use axum::{Router, body::Body, http::Request, routing::get};
/// use tower::ServiceExt;
/// use tower_jwt_auth::{
///     JwtAuthLayer, RequireLayer,
///     testing::{TestIssuer, TestRequest, assert_insufficient_scope},
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = TestIssuer::new();
/// let app = Router::new()
///     .route("/orders", get(async || "orders"))
///     .route_layer(RequireLayer::scopes(["orders:read"]))
///     .layer(JwtAuthLayer::new(issuer.verifier()));
///
/// let token = issuer.token().scopes(["profile"]).sign();
/// let request = Request::get("/orders").bearer(&token).body(Body::empty())?;
/// assert_insufficient_scope(&app.oneshot(request).await?, ["orders:read"]);
/// # Ok(()) }
/// ```
///
/// # Panics
///
/// It was accepted, or refused for another reason. The message has the status, the challenge, the
/// kind, the reason and the log.
#[track_caller]
pub fn assert_insufficient_scope<S: AsRef<str>, B>(
    response: &Response<B>,
    scopes: impl IntoIterator<Item = S>,
) {
    let scopes = joined(scopes);
    let is_named = challenges(response).any(|challenge| {
        parameter(challenge, "error").as_deref() == Some("insufficient_scope")
            && parameter(challenge, "scope").as_deref() == Some(&*scopes)
    });
    let is_forbidden = response.status() == StatusCode::FORBIDDEN
        || grpc_status(response.headers()).is_some_and(|status| status == b"7");
    if !is_forbidden || !is_named {
        panic!("not refused for lack of the scope `{scopes}`\n{}", report(response));
    }
}

/// The challenges of the schemes `Bearer` and `DPoP`, without the scheme.
fn challenges<B>(response: &Response<B>) -> impl Iterator<Item = &str> {
    let values = response.headers().get_all(WWW_AUTHENTICATE).iter();
    values.filter_map(|value| {
        let text = value.to_str().ok()?;
        let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
        let is_known = ["bearer", "dpop"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
        is_known.then_some(rest)
    })
}

/// A parameter of a challenge (RFC 9110 §11.2) that is a quoted string.
fn parameter(challenge: &str, name: &str) -> Option<String> {
    let mut rest = challenge;
    loop {
        let (found, value) = rest.split_once("=\"")?;
        let mut text = String::new();
        let mut chars = value.char_indices();
        let end = loop {
            match chars.next()? {
                (_, '\\') => text.extend(chars.next().map(|(_, c)| c)),
                (at, '"') => break at,
                (_, c) => text.push(c),
            }
        };
        if found.trim_matches([' ', ',']).eq_ignore_ascii_case(name) {
            return Some(text);
        }
        rest = value.get(end + 1..)?;
    }
}

/// All that is known of an outcome, a line for each. It has no token.
pub(super) fn report(outcome: &impl TestOutcome) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &dyn std::fmt::Display| {
        // A string can always be written to.
        let _ = writeln!(text, "  {name}: {value}");
    };
    if let Some((status, headers)) = outcome.head() {
        line("status", &status);
        if let Some(status) = grpc_status(headers) {
            line("grpc-status", &String::from_utf8_lossy(status));
        }
        let challenges: Vec<_> = headers.get_all(WWW_AUTHENTICATE).iter().collect();
        match &*challenges {
            [] => line("challenge", &"none"),
            all => all.iter().for_each(|value| {
                line("challenge", &String::from_utf8_lossy(value.as_bytes()));
            }),
        }
    }
    match outcome.error() {
        None if outcome.head().is_none() => line("kind", &"none"),
        None => line("kind", &"none: the response has no error of this crate in its extensions"),
        Some(error) => {
            line("kind", &error.kind().name());
            line("reason", error);
            if matches!(error.kind(), ErrorKind::MissingToken) {
                line("hint", &"a `JwtAuthLayer` does not look at claims of `with_claims`");
            }
            if let Some(source) = error.source() {
                line("cause", &source);
            }
            if let Some(detail) = error.detail() {
                let values = [
                    ("issuer", &detail.issuer),
                    ("the verifier expects", &detail.expected),
                    ("the token has", &detail.seen),
                ];
                for (name, value) in values {
                    if let Some(value) = value {
                        line(name, value);
                    }
                }
                if let Some(seconds) = detail.late_by {
                    line("late by", &format_args!("{seconds} s"));
                }
                if let Some(seconds) = detail.early_by {
                    line("early by", &format_args!("{seconds} s"));
                }
            }
        }
    }
    #[cfg(feature = "tracing")]
    match log::recorded() {
        None => line("log", &"not recorded, see `TestLog`"),
        Some(events) => line("log", &events.replace('\n', "\n    ")),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_as_a_client_reads_them() {
        let challenge = r#"realm="a, error=\"x\"", error="invalid_token", scope="a b""#;
        assert_eq!(parameter(challenge, "error").as_deref(), Some("invalid_token"));
        assert_eq!(parameter(challenge, "scope").as_deref(), Some("a b"));
        assert_eq!(parameter(challenge, "realm").as_deref(), Some("a, error=\"x\""));
        assert_eq!(parameter(challenge, "error_description"), None);
        assert_eq!(parameter("", "error"), None);
        assert_eq!(parameter(r#"error="open"#, "error"), None);
    }
}
