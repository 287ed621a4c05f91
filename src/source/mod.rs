//! Where in a request the token is looked for.
//!
//! # Rules
//!
//! 1. Every configured source is looked at. A token in two of them, even the
//!    same one, is refused with `invalid_request` (RFC 6750 §2).
//! 2. `Authorization` stands once (RFC 9110 §11.6.2). Another scheme than
//!    `Bearer` is no token; `Bearer` with nothing behind it is
//!    `invalid_request`. The scheme's case does not matter, and one or more
//!    spaces follow it (RFC 9110 §11.1, §11.4).
//! 3. A cookie is found by its exact name, without decoding (RFC 6265 §4.2). The
//!    same name twice is refused: one of the two may be planted. An empty one is
//!    no token.
//! 4. A cookie counts on an unsafe method, or for a WebSocket, only if the
//!    request is shown to be same-origin. [`CookieSource`] says how.
//! 5. The query and the WebSocket subprotocol are looked at only when asked
//!    for: addresses end up in logs.
//!
//! # Example: a cookie beside the header
//! ```
//! use tower_jwt_auth::{JwtAuthLayer, TokenSource};
//! # use tower_jwt_auth::{Key, RegisteredClaims, Verifier};
//! # let verifier = Verifier::<RegisteredClaims>::builder()
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

use http::{HeaderMap, HeaderName, Method, Uri, header as names};

pub use self::cookie::{CookieSource, DangerousCookieSource};
use crate::error::{Error, ErrorKind, InvalidRequest};

/// A place where a token may stand. See the [module docs](self).
#[derive(Clone)]
pub struct TokenSource(Place);

#[derive(Clone)]
enum Place {
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
        Self(Place::Authorization)
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
        Self(Place::Header(name))
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
        Self(Place::Query)
    }

    /// The WebSocket subprotocol that follows `marker` in
    /// `Sec-WebSocket-Protocol`: a browser offers them with
    /// `new WebSocket(url, [marker, token])`. The handler accepts `marker`.
    #[must_use]
    pub fn websocket_protocol(marker: impl Into<String>) -> Self {
        Self(Place::WebSocket(marker.into().into_boxed_str()))
    }

    /// What a function of your own finds.
    ///
    /// # Security
    ///
    /// If a browser sends it by itself, as it does a cookie, other sites can
    /// use it: check where the request comes from.
    #[must_use]
    pub fn custom<F>(find: F) -> Self
    where
        F: Fn(&Method, &Uri, &HeaderMap) -> Option<String> + Send + Sync + 'static,
    {
        Self(Place::Custom(Arc::new(find)))
    }
}

impl TokenSource {
    fn is_same_place(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Place::Authorization, Place::Authorization) | (Place::Query, Place::Query) => true,
            (Place::Header(one), Place::Header(other)) => one == other,
            (Place::Cookie(one), Place::Cookie(other)) => one.name() == other.name(),
            (Place::WebSocket(one), Place::WebSocket(other)) => one == other,
            _ => false,
        }
    }
}

impl From<CookieSource> for TokenSource {
    fn from(cookie: CookieSource) -> Self {
        Self(Place::Cookie(cookie))
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Authorization => f.write_str("authorization"),
            Place::Header(name) => write!(f, "header({name})"),
            Place::Cookie(cookie) => cookie.fmt(f),
            Place::Query => f.write_str("query"),
            Place::WebSocket(marker) => write!(f, "websocket_protocol({marker:?})"),
            Place::Custom(_) => f.write_str("custom"),
        }
    }
}

/// What was found where a token is to be, verified by nobody.
pub(crate) struct RawToken<'r> {
    text: RawText<'r>,
    in_query: bool,
}

enum RawText<'r> {
    /// One token.
    Text(Cow<'r, str>),
    /// Credentials behind a scheme: whoever does not know them must look what they are.
    Credentials(&'r [u8]),
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

    /// Whether it stood in the address.
    pub(crate) fn in_query(&self) -> bool {
        self.in_query
    }
}

impl fmt::Debug for RawToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawToken(..)")
    }
}

/// The sources of a layer, in their order.
#[derive(Clone, Debug)]
pub(crate) struct Sources(Vec<TokenSource>);

impl Sources {
    pub(crate) fn new() -> Self {
        Self(vec![TokenSource::authorization()])
    }

    /// Adds a source, or replaces the one that looks at the same place: a
    /// place that was looked at twice would always hold two tokens.
    pub(crate) fn add(&mut self, source: TokenSource) {
        match self.0.iter_mut().find(|other| other.is_same_place(&source)) {
            Some(same) => *same = source,
            None => self.0.push(source),
        }
    }

    pub(crate) fn remove_authorization(&mut self) {
        self.0.retain(|source| !matches!(source.0, Place::Authorization));
    }

    /// The one token of a request, if it has one.
    #[inline]
    pub(crate) fn find<'r>(
        &self,
        method: &Method,
        uri: &'r Uri,
        headers: &'r HeaderMap,
    ) -> Result<Option<RawToken<'r>>, Error> {
        let mut found = None;
        let mut cookie = None;
        for source in &self.0 {
            let borrowed = |text| RawText::Text(Cow::Borrowed(text));
            let text = match &source.0 {
                Place::Authorization => header::authorization(headers)?.map(RawText::Credentials),
                Place::Header(name) => header::other(headers, name)?.map(borrowed),
                Place::Cookie(source) => {
                    let text = source.find(headers)?;
                    if text.is_some() {
                        cookie = Some(source);
                    }
                    text.map(borrowed)
                }
                Place::Query => query::find(uri)?.map(RawText::Text),
                Place::WebSocket(marker) => websocket::find(headers, marker)?.map(borrowed),
                Place::Custom(find) => {
                    find(method, uri, headers).map(|text| RawText::Text(Cow::Owned(text)))
                }
            };
            if let Some(text) = text {
                let in_query = matches!(source.0, Place::Query);
                if found.replace(RawToken { text, in_query }).is_some() {
                    return Err(several());
                }
            }
        }
        if let Some(cookie) = cookie {
            cookie.guard(method, uri, headers)?;
        }
        Ok(found)
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
        for source in &self.0 {
            let other = match &source.0 {
                Place::Header(name) => name,
                Place::WebSocket(_) => &names::SEC_WEBSOCKET_PROTOCOL,
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
        for source in &self.0 {
            match &source.0 {
                Place::Authorization => header::strip(headers),
                Place::Header(name) => {
                    headers.remove(name);
                }
                Place::Cookie(source) => source.strip(headers),
                Place::Query => query::strip(uri),
                Place::WebSocket(marker) => websocket::strip(headers, marker),
                // Only the function knows where it looked.
                Place::Custom(_) => {}
            }
        }
    }
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
        let mut sources = Sources::new();
        sources.add(TokenSource::header(names::AUTHORIZATION));
        assert_eq!(sources.0.len(), 1);
        for _ in 0..2 {
            sources.add(TokenSource::cookie("at").into());
            sources.add(TokenSource::query());
            sources.add(TokenSource::header(HeaderName::from_static("x-token")));
            sources.add(TokenSource::websocket_protocol("bearer"));
        }
        assert_eq!(sources.0.len(), 5);
        sources.add(TokenSource::cookie("other").into());
        assert_eq!(sources.0.len(), 6);
    }
}
