//! The answers to a login, to a refresh, and to a request that is refused.

use std::fmt;

use http::{HeaderMap, Response, StatusCode, header, request::Parts};
use serde::Serialize;
use serde_json::json;

use crate::{
    csrf,
    error::{Error, ErrorKind, InvalidRequest},
    issue::{AccessToken, Body, TokenCookies},
    observe,
    refresh::{IssuedToken, Session},
    response::{Challenge, ProblemJson, Rejection},
};

/// The tokens of a session. `Debug` shows nothing of them.
pub struct SessionTokens {
    access: AccessToken,
    refresh: IssuedToken,
    /// The seconds until the session ends if it stays idle.
    left: u64,
}

impl SessionTokens {
    pub(super) fn new(access: AccessToken, refresh: IssuedToken, left: u64) -> Self {
        Self { access, refresh, left }
    }

    /// The access token.
    #[must_use]
    pub fn access(&self) -> &AccessToken {
        &self.access
    }

    /// The text of the refresh token. Give it only to its client.
    #[must_use]
    pub fn refresh(&self) -> &str {
        self.refresh.token().as_str()
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &Session {
        self.refresh.session()
    }

    /// Adds both tokens to the headers of a response, as cookies.
    ///
    /// # Errors
    ///
    /// See [`TokenCookies::set`]. The cookies of a session that [ends with the
    /// browser](Session::ends_with_browser) have no `Max-Age`.
    pub fn set_cookies(
        &self,
        cookies: &TokenCookies,
        headers: &mut HeaderMap,
    ) -> Result<(), Error> {
        let refresh = self.refresh.token();
        if self.session().ends_with_browser() {
            return cookies.set_until_browser_closes(headers, &self.access, refresh);
        }
        cookies.set(headers, &self.access, refresh, self.left)
    }

    /// Adds the refresh token and the id of its session to the headers of a response, as cookies. The
    /// access token gets no cookie: it is for the memory of a page, which has it from the body. See
    /// [`dpop_in_browsers`](super::SessionsBuilder::dpop_in_browsers).
    pub(super) fn set_refresh_cookies(
        &self,
        cookies: &TokenCookies,
        headers: &mut HeaderMap,
    ) -> Result<(), Error> {
        let seconds = (!self.session().ends_with_browser()).then_some(self.left);
        cookies.set_refresh(headers, self.refresh.token(), seconds)
    }

    /// The body of RFC 6749 §5.1, as JSON. Send it with `Cache-Control: no-store`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Failed`] if the tokens cannot be written as JSON, which does not happen.
    pub fn to_json(&self) -> Result<String, Error> {
        to_text(&Answer {
            access_token: Some(self.access.as_str()),
            token_type: Some(self.token_type()),
            expires_in: self.access.lifetime().as_secs(),
            refresh_token: Some(self.refresh()),
            scope: self.session().scope(),
        })
    }

    /// The same for a page, whose refresh token is in a cookie.
    pub(super) fn to_json_without_refresh(&self) -> Result<String, Error> {
        to_text(&Answer {
            access_token: Some(self.access.as_str()),
            token_type: Some(self.token_type()),
            expires_in: self.access.lifetime().as_secs(),
            refresh_token: None,
            scope: self.session().scope(),
        })
    }

    /// The same for a browser whose tokens are in cookies: how long the access token lasts.
    pub(super) fn to_json_without_tokens(&self) -> Result<String, Error> {
        let expires_in = self.access.lifetime().as_secs();
        let (access_token, token_type, refresh_token, scope) = (None, None, None, None);
        to_text(&Answer { access_token, token_type, expires_in, refresh_token, scope })
    }

    /// RFC 6749 §7.1, RFC 9449 §5.
    fn token_type(&self) -> &'static str {
        if self.session().jkt().is_some() { "DPoP" } else { "Bearer" }
    }
}

impl fmt::Debug for SessionTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionTokens")
            .field("access", &self.access)
            .field("session", &self.session())
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'a str>,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
}

fn to_text(answer: &Answer<'_>) -> Result<String, Error> {
    serde_json::to_string(answer).map_err(|error| Error::with_source(ErrorKind::Failed, error))
}

/// Reports an error, and answers with only as much of it as the client may know.
pub(super) fn refuse(error: Error, challenge: &Challenge, request: &Parts) -> Response<Body> {
    observe::refused(&error);
    let rejection = Rejection::new(error, challenge.clone(), request.into());
    let mut response = rejection.answer_with(&ProblemJson);
    make_400(&mut response);
    response
}

/// The fault of a proof is answered 400 where tokens are given, without a challenge (RFC 6749 §5.2, RFC
/// 9449 §5, §8): clients look for the code in the body, and no token of theirs is at fault.
fn make_400(response: &mut Response<Body>) {
    let Some(rejection) = response.extensions().get::<Rejection>() else { return };
    let detail = match rejection.error().kind() {
        ErrorKind::DpopProof(_) | ErrorKind::DpopNonce { .. } => rejection.description(),
        ErrorKind::InvalidRequest(InvalidRequest::ClientCertificate) => {
            "the request must have a client certificate that can be read"
        }
        _ => return,
    };
    let (title, error) = ("Bad Request", rejection.code());
    let problem = json!({"title": title, "status": 400, "detail": detail, "error": error});
    *response.body_mut() = problem.to_string().into();
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.headers_mut().remove(header::WWW_AUTHENTICATE);
}

/// Whether a client gets the tokens in the body, because it asks for JSON. Browsers never do.
pub(super) fn wants_tokens(headers: &HeaderMap, cookies: &TokenCookies) -> bool {
    let asks = headers
        .get_all(header::ACCEPT)
        .iter()
        .any(|value| value.as_bytes().split(|byte| *byte == b',').any(accepts_json));
    asks && !is_browser(headers, cookies)
}

/// Whether a client is a browser, or keeps our cookies as one does. Browsers send `Sec-Fetch-Site`,
/// or at least `Origin` with a `POST`. Other cookies say nothing: a load balancer gives one to
/// every client.
pub(super) fn is_browser(headers: &HeaderMap, cookies: &TokenCookies) -> bool {
    !csrf::is_silent(headers) || cookies.is_any_in(headers)
}

/// Whether a part of `Accept` is `application/json`, unless its weight is 0 (RFC 9110 §12.4.2).
fn accepts_json(range: &[u8]) -> bool {
    let is_refused = |parameter: &[u8]| {
        let weight = parameter.trim_ascii();
        let weight = weight.strip_prefix(b"q=").or_else(|| weight.strip_prefix(b"Q="));
        weight.is_some_and(|weight| weight.iter().all(|byte| matches!(byte, b'0' | b'.')))
    };
    is_json(range) && !range.split(|byte| *byte == b';').skip(1).any(is_refused)
}

/// Whether a media type is `application/json`, with any parameters.
pub(super) fn is_json(media_type: &[u8]) -> bool {
    is_media_type(media_type, b"application/json")
}

/// Whether a media type is this one, with any parameters.
pub(super) fn is_media_type(media_type: &[u8], expected: &[u8]) -> bool {
    let name = media_type.split(|byte| *byte == b';').next().unwrap_or_default();
    name.trim_ascii().eq_ignore_ascii_case(expected)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn tokens_are_for_those_who_ask_for_json_and_are_no_browsers() {
        let wants = |headers: &[(&'static str, &'static str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, HeaderValue::from_static(value));
            }
            wants_tokens(&map, &TokenCookies::new())
        };
        assert!(wants(&[("accept", "application/json")]));
        assert!(wants(&[("accept", "text/plain, Application/JSON;q=0.9")]));
        assert!(!wants(&[]));
        assert!(!wants(&[("accept", "*/*")]));
        assert!(!wants(&[("accept", "application/jsonp")]));
        assert!(!wants(&[("accept", "application/json; q=0"), ("x", "y")]));
        assert!(!wants(&[("accept", "text/html, application/json;Q=0.000")]));
        assert!(wants(&[("accept", "application/json;q=0.001")]));
        // The cookie of a load balancer makes nobody a browser.
        assert!(wants(&[("accept", "application/json"), ("cookie", "AWSALB=b; at=x")]));
        for own in ["__Host-at=x", "__Secure-rt=x", "a=b; __Host-sid=", "__Host-at"] {
            let is_own = own != "__Host-at";
            assert_eq!(!wants(&[("accept", "application/json"), ("cookie", own)]), is_own, "{own}");
        }
        assert!(!wants(&[("accept", "application/json"), ("sec-fetch-site", "same-origin")]));
        assert!(!wants(&[("accept", "application/json"), ("origin", "https://a.example")]));
    }
}
