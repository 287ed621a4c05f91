//! The decision on a request whose token is good.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Method, Response, StatusCode, header};

use super::{
    headers::{McpHeaders, SESSION, only},
    message::Messages,
    sessions::{Principal, Sessions},
    table::{ScopeTable, Unknown},
};
use crate::{
    error::{Error, ErrorKind, McpFault},
    request_head::RequestHead,
    verifier::Claims,
};

/// The rules of a layer.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) scopes: ScopeTable,
    pub(super) sessions: Option<Sessions>,
    pub(super) max_body: usize,
    pub(super) body_timeout: Duration,
    pub(super) max_batch: usize,
    /// Whether requests of the revisions before 2026-07-28 are refused.
    pub(super) only_modern: bool,
}

/// Why a request does not pass.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) error: Error,
    /// The id of its message, in JSON, if that is known.
    pub(super) id: Option<Box<str>>,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { error, id: None }
    }
}

/// A request that may pass, as far as it is known without its body.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) content: Content,
    headers: McpHeaders,
    claims: Claims,
    session: SessionOfRequest,
}

/// The content of a request that may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A message, which must be read. The server must not see an `Upgrade`: it would take others.
    Message,
    /// A server may take a message from it, and the scopes are enough for all messages.
    Any,
    /// A server that took a message from it would run what the scopes do not allow.
    Removed {
        /// Nobody reads the messages behind an upgrade, so the scopes must be enough for all of them.
        may_upgrade: bool,
    },
}

impl Rules {
    /// Decides on what can be known without the body.
    pub(super) fn admit(
        &self,
        request: RequestHead<'_>,
        claims: &Claims,
        now: i64,
    ) -> Result<Admitted, Error> {
        let session = self.session(request, claims, now)?;
        let headers = McpHeaders::read(request.headers()).map_err(refused)?;
        if self.only_modern && !headers.is_modern() {
            return Err(refused(McpFault::Revision));
        }
        // A revision with these headers has no sessions, and no message without its method.
        if self.only_modern
            && (request.headers().contains_key(SESSION)
                || (*request.method() == Method::POST && !headers.has_method()))
        {
            return Err(refused(McpFault::HeaderMismatch));
        }
        let content = match *request.method() {
            Method::POST => {
                check_type(request.headers()).map_err(refused)?;
                if let Some(operation) = headers.operation() {
                    self.scopes.check(&[operation], claims)?;
                }
                Content::Message
            }
            Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS => {
                self.scopes.check_base(claims)?;
                let upgrades = request.headers().contains_key(header::UPGRADE);
                Content::Removed { may_upgrade: upgrades && self.scopes.has_everything(claims) }
            }
            _ => {
                self.scopes.check_strictest(claims, &Unknown::HttpMethod)?;
                Content::Any
            }
        };
        Ok(Admitted { content, headers, claims: claims.clone(), session })
    }

    /// Decides on the message of a request that was admitted.
    pub(super) fn judge(&self, admitted: &Admitted, body: &[u8]) -> Result<(), Refused> {
        let messages = Messages::read(body, self.max_batch).map_err(refused)?;
        let judged = messages.operations().map_err(refused).and_then(|operations| {
            admitted.headers.check(&messages).map_err(refused)?;
            self.scopes.check(&operations, &admitted.claims)
        });
        judged.map_err(|error| Refused { error, id: messages.id().map(Box::from) })
    }

    fn session(
        &self,
        request: RequestHead<'_>,
        claims: &Claims,
        now: i64,
    ) -> Result<SessionOfRequest, Error> {
        let ends = *request.method() == Method::DELETE;
        let uses = matches!(*request.method(), Method::POST | Method::GET | Method::DELETE);
        let without = SessionOfRequest { known: None, ends, uses };
        let Some(sessions) = &self.sessions else { return Ok(without) };
        let unknown = || refused(McpFault::UnknownSession);
        let id = only(request.headers(), &SESSION).map_err(|_| unknown())?;
        let Some(id) = id else { return Ok(without) };
        let principal = Principal::of(claims).ok_or_else(unknown)?;
        if !sessions.is_of(id, &principal, now) {
            return Err(unknown());
        }
        Ok(SessionOfRequest { known: Some((id.into(), principal)), ends, uses })
    }

    /// Learns from the response to a request which session has begun or ended.
    pub(super) fn learn<B>(&self, admitted: &Admitted, response: &Response<B>, now: i64) {
        if let Some(sessions) = &self.sessions {
            admitted.session.learn(&admitted.claims, response, sessions, now);
        }
    }
}

/// The session of a request that passes.
#[derive(Debug)]
struct SessionOfRequest {
    /// The id, and whose session it is. `None` if the request is without a session, so that the response
    /// may begin one.
    known: Option<(Box<str>, Arc<Principal>)>,
    /// Whether the request ends it, if the server says that it has.
    ends: bool,
    /// Whether its HTTP method is one that uses a session.
    uses: bool,
}

impl SessionOfRequest {
    fn learn<B>(&self, claims: &Claims, response: &Response<B>, sessions: &Sessions, now: i64) {
        let status = response.status();
        if status.is_success()
            && let Ok(Some(id)) = only(response.headers(), &SESSION)
        {
            let known = self.known.as_ref().map(|(_, principal)| Arc::clone(principal));
            if let Some(principal) = known.or_else(|| Principal::of(claims)) {
                sessions.learn(id, &principal, now);
            }
        }
        // A 404 is about the session that the request names. Without one, it is about something else.
        let is_unknown = self.uses && status == StatusCode::NOT_FOUND;
        let has_ended = (self.ends && status.is_success()) || is_unknown;
        if let Some((id, principal)) = self.known.as_ref().filter(|_| has_ended) {
            sessions.forget(id, principal);
        }
    }
}

/// Whether the body is what the layer reads, and every server reads in the same way.
fn check_type(headers: &HeaderMap) -> Result<(), McpFault> {
    let text = |value: &'_ http::HeaderValue| value.to_str().unwrap_or("?").to_ascii_lowercase();
    let is_plain = |value| matches!(text(value).trim(), "" | "identity");
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let is_json = match (types.next(), types.next()) {
        (Some(value), None) => is_utf8_json(&text(value)),
        _ => false,
    };
    if is_json && headers.get_all(header::CONTENT_ENCODING).iter().all(is_plain) {
        Ok(())
    } else {
        Err(McpFault::MediaType)
    }
}

/// Whether a media type, in lower case, is JSON in UTF-8. Nothing may be in doubt: a comma separates two
/// types for some servers, and `charset*` is a charset (RFC 8187).
fn is_utf8_json(media_type: &str) -> bool {
    let mut parts = media_type.split(';').map(str::trim);
    let is_parameter = |part: &str| match part.split_once('=') {
        Some((name, value)) if name.trim() == "charset" => {
            matches!(value.trim().trim_matches('"'), "utf-8" | "utf8" | "us-ascii")
        }
        Some((name, _)) => !name.contains('*'),
        None => part.is_empty(),
    };
    !media_type.contains(',') && parts.next() == Some("application/json") && parts.all(is_parameter)
}

#[cold]
fn refused(fault: McpFault) -> Error {
    ErrorKind::Mcp(fault).into()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn c14_only_plain_json_in_utf8_is_read() {
        let check = |types: &[&'static str], encodings: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in types {
                headers.append(header::CONTENT_TYPE, HeaderValue::from_static(value));
            }
            for value in encodings {
                headers.append(header::CONTENT_ENCODING, HeaderValue::from_static(value));
            }
            check_type(&headers).is_ok()
        };
        let json = "application/json";
        for good in [
            json,
            "Application/JSON",
            "application/json; charset=UTF-8",
            "application/json;x=y",
            "application/json;",
        ] {
            assert!(check(&[good], &[]), "{good}");
        }
        assert!(check(&[json], &["identity"]) && check(&[json], &[""]));
        for bad in [
            "",
            "text/plain",
            "application/jsonx",
            "application/json; charset=utf-16",
            "application/json; charset = \"utf-7\"",
            "application/json;boundary=x, multipart/form-data",
            "application/json; charset",
            "application/json; charset*=utf-16''x",
            "application/x-www-form-urlencoded",
        ] {
            assert!(!check(&[bad], &[]), "{bad}");
        }
        assert!(!check(&[], &[]) && !check(&[json, json], &[]));
        for bad in ["gzip", "identity, gzip", "br", "x"] {
            assert!(!check(&[json], &[bad]), "{bad}");
        }
        assert!(!check(&[json], &["identity", "gzip"]));
    }
}
