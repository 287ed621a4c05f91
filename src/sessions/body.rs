//! The body of a request, which may have a refresh token.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use http::{HeaderMap, header};
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::answer::{is_json, is_media_type};
use crate::{
    error::{BoxError, Error, ErrorKind, InvalidRequest},
    json,
    runtime::runtime_with_timer,
};

/// A body that should have a refresh token.
#[derive(Debug, PartialEq)]
pub(super) struct BodyToken {
    /// `None` if a form asks for tokens without a refresh token.
    pub(super) token: Option<Zeroizing<String>>,
    /// The scope that the client requests (RFC 6749 §6).
    pub(super) scope: Option<String>,
}

#[derive(Deserialize)]
struct RefreshBody {
    refresh_token: Option<Zeroizing<String>>,
}

/// Finds the refresh token in a body: JSON, or the form of RFC 6749 §6. The whole body is read
/// whatever its type is: the connection can be used again only after that. Another type is
/// refused if the body `must` have a token, and ignored otherwise.
pub(super) async fn token_in_body<B>(
    headers: &HeaderMap,
    body: B,
    must: bool,
) -> Result<Option<BodyToken>, Error>
where
    B: http_body::Body<Error: Into<BoxError>>,
{
    if body.is_end_stream() {
        return Ok(None);
    }
    let collected = in_time(Limited::new(body, LONGEST).collect()).await?;
    let bytes = collected.map(|body| Zeroizing::new(body.to_bytes().to_vec()));
    if bytes.as_ref().is_ok_and(|bytes| bytes.is_empty()) {
        return Ok(None);
    }
    let media_type = headers.get(header::CONTENT_TYPE).map(|value| value.as_bytes());
    let is_form = match media_type {
        Some(json) if is_json(json) => false,
        _ if is_form(headers) => true,
        _ if must => return Err(ErrorKind::InvalidRequest(InvalidRequest::MediaType).into()),
        _ => return Ok(None),
    };
    let bytes = bytes.map_err(|_| malformed())?;
    let text = std::str::from_utf8(&bytes).map_err(|_| malformed())?;
    if is_form {
        return from_form(text, must);
    }
    let body = json::object::<RefreshBody>(text).ok_or_else(malformed)?;
    Ok(body.refresh_token.map(|token| BodyToken { token: Some(token), scope: None }))
}

/// Whether a body is a form.
fn is_form(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE);
    media_type
        .is_some_and(|value| is_media_type(value.as_bytes(), b"application/x-www-form-urlencoded"))
}

/// Reads a form. A parameter that occurs twice is malformed (RFC 6749 §3.2), and parameters of
/// other names are ignored.
fn from_form(text: &str, must: bool) -> Result<Option<BodyToken>, Error> {
    let (mut token, mut grant_type, mut scope) = (None, None, None);
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        // Another parameter may be in another encoding.
        let Ok(name) = decoded(name) else { continue };
        let place = match &**name {
            "refresh_token" => &mut token,
            "grant_type" => &mut grant_type,
            "scope" if must => &mut scope,
            _ => continue,
        };
        if place.replace(decoded(value)?).is_some() {
            return Err(malformed());
        }
    }
    match grant_type {
        Some(grant_type) if must && **grant_type != *"refresh_token" => {
            return Err(ErrorKind::InvalidRequest(InvalidRequest::GrantType).into());
        }
        None if must => return Err(malformed()),
        _ => {}
    }
    // A parameter without a value counts as absent (RFC 6749 §3.2).
    let token = token.filter(|token| !token.is_empty());
    let scope = scope.map(|scope| scope.to_string()).filter(|scope| !scope.is_empty());
    Ok((must || token.is_some()).then_some(BodyToken { token, scope }))
}

/// Decodes a part of a form (WHATWG URL, `application/x-www-form-urlencoded`). A wrong encoding is
/// malformed.
fn decoded(text: &str) -> Result<Zeroizing<String>, Error> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let both = digit().zip(digit()).map(|(high, low)| high * 16 + low);
                both.and_then(|byte| u8::try_from(byte).ok()).ok_or_else(malformed)?
            }
            byte => byte,
        });
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| malformed())?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Waits for a body for a limited time. Outside of a tokio runtime with a timer, the server must
/// limit the time itself.
async fn in_time<F: Future>(body: F) -> Result<F::Output, Error> {
    let mut body = pin!(body);
    // Most bodies have already arrived, and need no timer.
    if let Poll::Ready(done) = poll_fn(|context| Poll::Ready(body.as_mut().poll(context))).await {
        return Ok(done);
    }
    if runtime_with_timer().is_none() {
        return Ok(body.await);
    }
    let late = ErrorKind::InvalidRequest(InvalidRequest::LateBody);
    timeout(LATEST, body).await.map_err(|_| late.into())
}

#[cold]
pub(super) fn malformed() -> Error {
    ErrorKind::InvalidRequest(InvalidRequest::MalformedBody).into()
}

/// The longest body in bytes: more than a refresh token in JSON needs.
const LONGEST: usize = 16 * 1024;

/// The time that a body may take: far more than a slow network needs for so few bytes.
const LATEST: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let read = |text: &str, must| {
            from_form(text, must)
                .map(|body| body.and_then(|body| body.token).map(|token| token.to_string()))
                .map_err(|error| error.code().unwrap_or_default())
        };
        for (text, token) in [
            ("grant_type=refresh_token&refresh_token=a-_b", Some("a-_b")),
            ("refresh_token=a%2Db+c&x=x&grant_type=refresh%5Ftoken&x=y", Some("a-b c")),
            ("&grant_type=refresh_token&", None),
            ("grant_type=refresh_token&refresh_token=", None),
            ("grant_type=refresh_token&refresh_token", None),
        ] {
            assert_eq!(read(text, true), Ok(token.map(str::to_owned)), "{text}");
        }
        for text in [
            "refresh_token=a",
            "grant_type=refresh_token&grant_type=refresh_token",
            "grant_type=refresh_token&refresh_token=a&refresh_token=a",
            "grant_type=refresh_token&refresh_token=a&scope=a&scope=a",
            "grant_type=refresh_token&refresh_token=%",
            "grant_type=refresh_token&refresh_token=%f",
            "grant_type=refresh_token&refresh_token=%zz",
            "grant_type=refresh_token&refresh_token=%+1",
            "grant_type=refresh_token&refresh_token=%ff",
        ] {
            assert_eq!(read(text, true), Err("invalid_request"), "{text}");
        }
        let other = "grant_type=password&refresh_token=a";
        assert_eq!(read(other, true), Err("unsupported_grant_type"));
        assert_eq!(read("refresh_token=a&csrf=%E9&%E9=1", false), Ok(Some("a".into())));
    }
}
