//! What a client is answered that has logged in, refreshed, or is refused.

use std::fmt;

use http::{HeaderMap, HeaderValue, Response, header};
use serde::Serialize;

use crate::{
    csrf,
    error::{Error, ErrorKind},
    issue::{AccessToken, Body, TokenCookies},
    refresh::{IssuedToken, Session},
    response::{ProblemJson, Rejection},
};

/// The tokens of a session. `Debug` shows nothing of them.
pub struct SessionTokens {
    access: AccessToken,
    opened: IssuedToken,
    /// What is left to the session if it stays idle, in seconds.
    left: u64,
}

impl SessionTokens {
    pub(super) fn new(access: AccessToken, opened: IssuedToken, left: u64) -> Self {
        Self { access, opened, left }
    }

    /// The access token.
    #[must_use]
    pub fn access(&self) -> &AccessToken {
        &self.access
    }

    /// The text of the refresh token, for the client alone.
    #[must_use]
    pub fn refresh(&self) -> &str {
        self.opened.token().as_str()
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &Session {
        self.opened.session()
    }

    /// Adds them to the headers of a response as cookies.
    ///
    /// # Errors
    ///
    /// As of [`TokenCookies::set`].
    pub fn set_cookies(
        &self,
        cookies: &TokenCookies,
        headers: &mut HeaderMap,
    ) -> Result<(), Error> {
        cookies.set(headers, &self.access, self.opened.token(), self.left)
    }

    /// The body of RFC 6749 §5.1, as JSON. Send it with `Cache-Control: no-store`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Failed`], which does not happen.
    pub fn to_json(&self) -> Result<String, Error> {
        json(&Answer {
            access_token: Some(self.access.as_str()),
            token_type: Some("Bearer"),
            expires_in: self.access.lifetime().as_secs(),
            refresh_token: Some(self.refresh()),
            scope: self.session().scope(),
        })
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

fn json(answer: &Answer<'_>) -> Result<String, Error> {
    serde_json::to_string(answer).map_err(|error| Error::with_source(ErrorKind::Failed, error))
}

/// The tokens: in cookies, or without them in the body.
pub(super) fn answer(
    tokens: &SessionTokens,
    cookies: Option<&TokenCookies>,
) -> Result<Response<Body>, Error> {
    let mut response = Response::new(Body::default());
    let body = match cookies {
        None => tokens.to_json()?,
        Some(cookies) => {
            tokens.set_cookies(cookies, response.headers_mut())?;
            let expires_in = tokens.access.lifetime().as_secs();
            let (access_token, token_type, refresh_token, scope) = (None, None, None, None);
            json(&Answer { access_token, token_type, expires_in, refresh_token, scope })?
        }
    };
    *response.body_mut() = body.into();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// A refusal, which says no more than what the client may know.
pub(super) fn refusal(error: Error) -> Response<Body> {
    Rejection::from(error).answer_with(&ProblemJson)
}

/// Whether a client is to have the tokens in the body: it asks for JSON, has no cookie, and
/// is no browser (those say `Sec-Fetch-Site`, or of a `POST` at least `Origin`).
pub(super) fn wants_tokens(headers: &HeaderMap) -> bool {
    let asks = headers
        .get_all(header::ACCEPT)
        .iter()
        .any(|value| value.as_bytes().split(|byte| *byte == b',').any(is_json));
    asks && !headers.contains_key(header::COOKIE) && csrf::is_silent(headers)
}

/// Whether a media type is that of JSON, with whatever parameters.
pub(super) fn is_json(media_type: &[u8]) -> bool {
    let name = media_type.split(|byte| *byte == b';').next().unwrap_or_default();
    name.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_for_those_who_ask_for_json_and_are_no_browsers() {
        let wants = |headers: &[(&'static str, &'static str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, HeaderValue::from_static(value));
            }
            wants_tokens(&map)
        };
        assert!(wants(&[("accept", "application/json")]));
        assert!(wants(&[("accept", "text/plain, Application/JSON;q=0.9")]));
        assert!(!wants(&[]));
        assert!(!wants(&[("accept", "*/*")]));
        assert!(!wants(&[("accept", "application/jsonp")]));
        assert!(!wants(&[("accept", "application/json"), ("cookie", "a=b")]));
        assert!(!wants(&[("accept", "application/json"), ("sec-fetch-site", "same-origin")]));
        assert!(!wants(&[("accept", "application/json"), ("origin", "https://a.example")]));
    }
}
