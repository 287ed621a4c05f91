//! Where in a request the token is looked for.
//!
//! # Rules
//!
//! 1. A token in `Authorization`, or in another configured header, is explicit: the
//!    client chose to send it. Then cookies are not read. If that token is bad, the
//!    request is refused; a cookie does not replace it.
//! 2. Otherwise every configured source is looked at. Two different tokens are
//!    refused with `invalid_request` (RFC 6750 §2). This holds for a cookie beside a
//!    token in the query, in a subprotocol or of a function: a link that somebody
//!    planted must not replace the user's session. The same text in two sources is one
//!    token.
//! 3. `Authorization` may occur once (RFC 9110 §11.6.2). A scheme other than
//!    `Bearer` is not a token, so a cookie counts beside it. `Bearer` with nothing
//!    behind it is `invalid_request`. The scheme's case does not matter, and one or
//!    more spaces follow it (RFC 9110 §11.1, §11.4).
//! 4. A cookie is found by its exact name, without decoding (RFC 6265 §4.2). An
//!    empty one is not a token. The same name with two different texts is refused:
//!    one of the two may be planted. With the same text it is one token.
//! 5. A cookie counts on an unsafe method, or for a WebSocket, only if the
//!    request is shown to be same-origin. [`CookieSource`] says how.
//! 6. The query and the WebSocket subprotocol are looked at only when asked
//!    for: addresses end up in logs.
//!
//! # Example: a cookie beside the header
//! ```
//! use tower_jwt_auth::{JwtAuthLayer, TokenSource};
//! # use tower_jwt_auth::{Key, RegisteredClaims, Verifier};
//! # let verifier = Verifier::builder()
//! #     .any_issuer().any_audience().keys(Key::hs256([7; 32])).build()?;
//! let layer = JwtAuthLayer::new(verifier).source(
//!     TokenSource::cookie("__Host-at").trusted_origin("https://app.example.com")?,
//! );
//! # Ok::<(), tower_jwt_auth::ConfigError>(())
//! ```

mod cookie;
mod header;
mod query;
mod websocket;

use std::{borrow::Cow, fmt, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header as names};

pub use self::cookie::{CookieSource, DangerousCookieSource};
use crate::error::{Error, ErrorKind, InvalidRequest};

/// A place where a token may stand. See the [module docs](self).
#[derive(Clone)]
pub struct TokenSource(SourceKind);

#[derive(Clone)]
enum SourceKind {
    Authorization,
    Header(HeaderName),
    Cookie(CookieSource),
    Query,
    WebSocket(Box<str>),
    Custom(Arc<Custom>),
}

type Custom = dyn Fn(&Method, &Uri, &HeaderMap) -> Option<String> + Send + Sync;

impl TokenSource {
    /// `Authorization: Bearer …` (RFC 6750 §2.1).
    #[must_use]
    pub fn authorization() -> Self {
        Self(SourceKind::Authorization)
    }

    /// A cookie of this name, guarded against requests from other sites.
    #[must_use]
    pub fn cookie(name: impl Into<String>) -> CookieSource {
        CookieSource::new(name.into())
    }

    /// Another header, whose value is the token, with or without `Bearer` in
    /// front of it.
    ///
    /// `Cookie` counts as a cookie without a name, since browsers send it by
    /// themselves: it is guarded like every other one.
    #[must_use]
    pub fn header(name: HeaderName) -> Self {
        if name == names::AUTHORIZATION {
            return Self::authorization();
        }
        if name == names::COOKIE {
            return Self::cookie("").into();
        }
        Self(SourceKind::Header(name))
    }

    /// The parameter `access_token` of the query (RFC 6750 §2.3).
    ///
    /// Answers to such requests are marked `Cache-Control: private` where they
    /// do not say anything else.
    ///
    /// # Security
    ///
    /// Addresses are kept in histories, logs and `Referer` headers, and the
    /// token with them. For clients that cannot set a header, with short-lived
    /// tokens.
    #[must_use]
    pub fn query() -> Self {
        Self(SourceKind::Query)
    }

    /// The WebSocket subprotocol that follows `marker` in
    /// `Sec-WebSocket-Protocol`: a browser offers them with
    /// `new WebSocket(url, [marker, token])`. The handler accepts `marker`.
    #[must_use]
    pub fn websocket_protocol(marker: impl Into<String>) -> Self {
        Self(SourceKind::WebSocket(marker.into().into_boxed_str()))
    }

    /// What a function of your own finds.
    ///
    /// # Security
    ///
    /// If a browser sends it by itself, as it does a cookie, other sites can
    /// use it: check where the request comes from. The layer does not know where the
    /// function has looked, so [`strip_token`](crate::JwtAuthLayer::strip_token) leaves the
    /// token there.
    #[must_use]
    pub fn custom<F>(find: F) -> Self
    where
        F: Fn(&Method, &Uri, &HeaderMap) -> Option<String> + Send + Sync + 'static,
    {
        Self(SourceKind::Custom(Arc::new(find)))
    }
}

impl TokenSource {
    fn is_same_place(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (SourceKind::Authorization, SourceKind::Authorization)
            | (SourceKind::Query, SourceKind::Query) => true,
            (SourceKind::Header(one), SourceKind::Header(other)) => one == other,
            (SourceKind::WebSocket(one), SourceKind::WebSocket(other)) => one == other,
            _ => false,
        }
    }
}

impl From<CookieSource> for TokenSource {
    fn from(cookie: CookieSource) -> Self {
        Self(SourceKind::Cookie(cookie))
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            SourceKind::Authorization => f.write_str("authorization"),
            SourceKind::Header(name) => write!(f, "header({name})"),
            SourceKind::Cookie(cookie) => cookie.fmt(f),
            SourceKind::Query => f.write_str("query"),
            SourceKind::WebSocket(marker) => write!(f, "websocket_protocol({marker:?})"),
            SourceKind::Custom(_) => f.write_str("custom"),
        }
    }
}

/// What was found where a token is to be, verified by nobody.
pub(crate) struct RawToken<'r> {
    text: RawText<'r>,
    location: TokenLocation,
}

enum RawText<'r> {
    /// One token.
    Text(Cow<'r, str>),
    /// Credentials behind a scheme: whoever does not know them must look what they are.
    Credentials(&'r [u8]),
}

/// Where a token was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenLocation {
    /// In a header, or elsewhere where the client has put it.
    Sent,
    /// In the address.
    InQuery,
    /// In this one of the cookies, and nowhere else: the browser adds it, and the page cannot
    /// leave it out. A small number, because it goes along with every request.
    InCookie(u16),
}

/// Why what was found does not count.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) error: Error,
    pub(crate) location: TokenLocation,
}

impl From<Error> for Fault {
    #[cold]
    fn from(error: Error) -> Self {
        Self { error, location: TokenLocation::Sent }
    }
}

impl<'r> RawToken<'r> {
    /// A token that is in no request.
    pub(crate) fn of_text(text: &'r str) -> Self {
        Self { text: RawText::Text(Cow::Borrowed(text)), location: TokenLocation::Sent }
    }
}

impl RawToken<'_> {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match &self.text {
            RawText::Text(text) => text.as_bytes(),
            RawText::Credentials(bytes) => bytes,
        }
    }

    /// The same if it is one token at all.
    pub(crate) fn text(&self) -> Result<&str, Error> {
        match &self.text {
            RawText::Text(text) => Ok(text),
            RawText::Credentials(bytes) => header::token(bytes),
        }
    }

    /// Where it was found.
    pub(crate) fn location(&self) -> TokenLocation {
        self.location
    }
}

impl fmt::Debug for RawToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawToken(..)")
    }
}

/// The sources of a layer, in their order; the cookies apart, because they count only where no
/// header has a token.
#[derive(Clone, Debug)]
pub(crate) struct TokenSources {
    sent: Vec<TokenSource>,
    cookies: Vec<CookieSource>,
}

impl TokenSources {
    pub(crate) fn new() -> Self {
        Self { sent: vec![TokenSource::authorization()], cookies: Vec::new() }
    }

    /// Adds a source, or replaces the one that looks at the same place.
    pub(crate) fn add(&mut self, source: TokenSource) {
        if let SourceKind::Cookie(cookie) = source.0 {
            match self.cookies.iter_mut().find(|other| other.name() == cookie.name()) {
                Some(same) => *same = cookie,
                None => self.cookies.push(cookie),
            }
            return;
        }
        match self.sent.iter_mut().find(|other| other.is_same_place(&source)) {
            Some(same) => *same = source,
            None => self.sent.push(source),
        }
    }

    pub(crate) fn remove_authorization(&mut self) {
        self.sent.retain(|source| !matches!(source.0, SourceKind::Authorization));
    }

    /// The one token of a request, if it has one.
    #[inline]
    pub(crate) fn find<'r>(
        &self,
        method: &Method,
        uri: &'r Uri,
        headers: &'r HeaderMap,
    ) -> Result<Option<RawToken<'r>>, Fault> {
        let mut token: Option<RawToken<'r>> = None;
        let mut in_header = false;
        for source in &self.sent {
            let borrowed = |text| RawText::Text(Cow::Borrowed(text));
            let text = match &source.0 {
                SourceKind::Authorization => {
                    header::authorization(headers)?.map(RawText::Credentials)
                }
                SourceKind::Header(name) => header::other(headers, name)?.map(borrowed),
                SourceKind::Query => query::find(uri)?.map(RawText::Text),
                SourceKind::WebSocket(marker) => websocket::find(headers, marker)?.map(borrowed),
                SourceKind::Custom(find) => {
                    find(method, uri, headers).map(|text| RawText::Text(Cow::Owned(text)))
                }
                // They are not among these.
                SourceKind::Cookie(_) => None,
            };
            let Some(text) = text else { continue };
            in_header |= matches!(source.0, SourceKind::Authorization | SourceKind::Header(_));
            let location = match source.0 {
                SourceKind::Query => TokenLocation::InQuery,
                _ => TokenLocation::Sent,
            };
            token = match token {
                None => Some(RawToken { text, location }),
                Some(one) => Some(join(one, RawToken { text, location })?),
            };
        }
        if in_header || self.cookies.is_empty() {
            return Ok(token);
        }
        self.find_cookie(token, method, uri, headers)
    }

    /// The same, where no header has a token.
    fn find_cookie<'r>(
        &self,
        mut token: Option<RawToken<'r>>,
        method: &Method,
        uri: &Uri,
        headers: &'r HeaderMap,
    ) -> Result<Option<RawToken<'r>>, Fault> {
        // What is wrong with a cookie beside another token is a conflict of the two.
        let is_only = token.is_none();
        for (at, cookie) in (0..=u16::MAX).zip(&self.cookies) {
            let location = if is_only { TokenLocation::InCookie(at) } else { TokenLocation::Sent };
            let fault = |error| Fault { error, location };
            let value = match cookie.find(headers) {
                Ok(None) => continue,
                value => value,
            };
            // First, so that the answer to another site is the same whatever the cookie is worth.
            cookie.guard(method, uri, headers).map_err(fault)?;
            if let Some(text) = value.map_err(fault)? {
                let other = RawToken { text: RawText::Text(Cow::Borrowed(text)), location };
                token = match token {
                    None => Some(other),
                    Some(one) => Some(join(one, other).map_err(fault)?),
                };
            }
        }
        Ok(token)
    }

    /// What removes the cookie that a token was found in, if it was.
    pub(crate) fn removal(&self, location: TokenLocation) -> Option<HeaderValue> {
        match location {
            TokenLocation::InCookie(at) => self.cookies.get(usize::from(at))?.removal(),
            TokenLocation::Sent | TokenLocation::InQuery => None,
        }
    }

    /// Marks what may hold a token as sensitive, so that `Debug` does not show
    /// it (HPACK does not index it either).
    #[inline]
    pub(crate) fn mark_sensitive(&self, headers: &mut HeaderMap) {
        // Fewer comparisons than it takes to hash two names, unless there are very many.
        for (name, value) in headers.iter_mut() {
            if *name == names::AUTHORIZATION || *name == names::COOKIE {
                value.set_sensitive(true);
            }
        }
        for source in &self.sent {
            let other = match &source.0 {
                SourceKind::Header(name) => name,
                SourceKind::WebSocket(_) => &names::SEC_WEBSOCKET_PROTOCOL,
                _ => continue,
            };
            for (name, value) in headers.iter_mut() {
                if name == other {
                    value.set_sensitive(true);
                }
            }
        }
    }

    /// Takes the token out of the request, and leaves what stands beside it.
    pub(crate) fn strip(&self, uri: &mut Uri, headers: &mut HeaderMap) {
        for source in &self.sent {
            match &source.0 {
                SourceKind::Authorization => header::strip(headers),
                SourceKind::Header(name) => {
                    headers.remove(name);
                }
                SourceKind::Query => query::strip(uri),
                SourceKind::WebSocket(marker) => websocket::strip(headers, marker),
                // Only the function knows where it looked.
                SourceKind::Custom(_) => {}
                // They are not among these.
                SourceKind::Cookie(_) => {}
            }
        }
        for cookie in &self.cookies {
            cookie.strip(headers);
        }
    }
}

/// One token of two that were found, if they have the same text. It was found where the first
/// one was.
#[cold]
fn join<'r>(one: RawToken<'r>, other: RawToken<'r>) -> Result<RawToken<'r>, Error> {
    if one.as_bytes() != other.as_bytes() {
        return Err(several());
    }
    // An answer to a token in the address is private, whatever else has it.
    let location =
        if other.location == TokenLocation::InQuery { other.location } else { one.location };
    Ok(RawToken { text: one.text, location })
}

#[cold]
fn several() -> Error {
    Error::new(ErrorKind::InvalidRequest(InvalidRequest::SeveralTokens))
}

#[cold]
fn empty() -> Error {
    Error::new(ErrorKind::InvalidRequest(InvalidRequest::EmptyToken))
}

#[cold]
fn malformed() -> Error {
    Error::new(ErrorKind::InvalidRequest(InvalidRequest::MalformedCredentials))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_place_is_looked_at_twice() {
        let mut sources = TokenSources::new();
        sources.add(TokenSource::header(names::AUTHORIZATION));
        assert_eq!(sources.sent.len(), 1);
        for _ in 0..2 {
            sources.add(TokenSource::cookie("at").into());
            sources.add(TokenSource::query());
            sources.add(TokenSource::header(HeaderName::from_static("x-token")));
            sources.add(TokenSource::websocket_protocol("bearer"));
        }
        assert_eq!((sources.sent.len(), sources.cookies.len()), (4, 1));
        sources.add(TokenSource::cookie("other").into());
        assert_eq!((sources.sent.len(), sources.cookies.len()), (4, 2));
    }
}
