//! The places of a request that a token is taken from.
//!
//! # Rules
//!
//! 1. A token in `Authorization`, or in another configured header, is explicit: the
//!    client chose to send it. Then cookies are not read. If that token is invalid, the
//!    request is refused; a cookie does not replace it.
//! 2. Otherwise every configured source is read. Two different tokens are refused with
//!    `invalid_request` (RFC 6750 §2). This holds for a cookie beside a token in the query,
//!    in a subprotocol or from a function: a planted link must not replace the user's
//!    session. The same text in two sources is one token.
//! 3. `Authorization` may occur once (RFC 9110 §11.6.2). A scheme other than
//!    `Bearer` is not a token, so a cookie counts beside it. `Bearer` without a token
//!    is `invalid_request`. The scheme's case does not matter, and one or
//!    more spaces follow it (RFC 9110 §11.1, §11.4).
//! 4. A cookie is found by its exact name, without decoding (RFC 6265 §4.2). An
//!    empty cookie is not a token. The same name with two different texts is refused,
//!    because one of the two may be planted. With the same text it is one token.
//! 5. A cookie counts on an unsafe method, or for a WebSocket, only if the
//!    request is shown to be same-origin. See [`CookieSourceBuilder`]. The same holds for a
//!    function that is [ambient](CustomSourceBuilder::ambient).
//! 6. The query and the WebSocket subprotocol are read only if they are configured,
//!    because addresses end up in logs.
//!
//! # Example: a cookie beside the header
//! ```
//! use tower_jwt_auth::{JwtAuthLayer, TokenSource};
//! # use tower_jwt_auth::{Key, Verifier};
//! # let verifier = Verifier::builder()
//! #     .any_issuer().any_audience().keys(Key::hs256([7; 32])).build()?;
//! let cookie = TokenSource::cookie("__Host-at").trusted_origin("https://app.example.com");
//! let layer = JwtAuthLayer::new(verifier).source(cookie.build()?);
//! # Ok::<(), tower_jwt_auth::ConfigError>(())
//! ```

mod cookie;
mod cookie_builder;
mod cookie_header;
mod custom;
mod custom_builder;
mod header;
mod lint;
mod malformed;
#[cfg(feature = "utoipa")]
mod places;
mod query;
mod raw;
mod sources;
mod websocket;

use std::{fmt, sync::Arc};

use http::{HeaderName, header as names};

#[cfg(feature = "utoipa")]
pub(crate) use self::places::TokenPlace;
pub(crate) use self::{
    cookie::CookieSource,
    raw::{Fault, RawToken, TokenLocation},
    sources::TokenSources,
};
pub use self::{
    cookie_builder::{CookieSourceBuilder, DangerousCookieSourceBuilder},
    custom_builder::CustomSourceBuilder,
};
use self::{custom::CustomSource, websocket::WebSocketToken};

/// A place where a request may have its token. See the [module docs](self).
#[derive(Clone)]
pub struct TokenSource(SourceKind);

#[derive(Clone)]
enum SourceKind {
    Cookie(CookieSource),
    Other(OtherSource),
}

/// A source that is not a cookie.
#[derive(Clone)]
enum OtherSource {
    Authorization,
    Header(HeaderName),
    /// The parameter of this name.
    Query(Box<str>),
    WebSocket(WebSocketToken),
    Custom(Arc<CustomSource>),
    /// The headers of a function that is among the cookies. They have no token of their own.
    HeadersOf(Arc<CustomSource>),
}

impl TokenSource {
    /// `Authorization: Bearer …` (RFC 6750 §2.1).
    #[must_use]
    pub fn authorization() -> Self {
        OtherSource::Authorization.into()
    }

    /// Another header, whose value is the token, with or without `Bearer` in
    /// front of it.
    ///
    /// `Cookie` counts as a cookie without a name, because browsers send it by
    /// themselves: it is guarded like every other cookie.
    #[must_use]
    pub fn header(name: HeaderName) -> Self {
        if name == names::AUTHORIZATION {
            return Self::authorization();
        }
        if name == names::COOKIE {
            return CookieSource::new("").into();
        }
        OtherSource::Header(name).into()
    }

    /// The parameter `access_token` of the query (RFC 6750 §2.3).
    ///
    /// The answer to such a request is marked `Cache-Control: private`, unless it already has
    /// that header.
    ///
    /// # Security
    ///
    /// Addresses are kept in histories, logs and `Referer` headers, and the
    /// token with them. Use it only for clients that cannot set a header, and with
    /// short-lived tokens.
    #[must_use]
    pub fn query() -> Self {
        Self::query_named("access_token")
    }

    /// A parameter of the query with a name of your own, such as `token`. The name must be written
    /// in the address as it is here, without percent-encoding. An empty name finds no token.
    ///
    /// The answer is marked as with [`query`](Self::query).
    ///
    /// # Security
    ///
    /// See [`query`](Self::query).
    #[must_use]
    pub fn query_named(name: impl Into<String>) -> Self {
        OtherSource::Query(name.into().into_boxed_str()).into()
    }

    /// The WebSocket subprotocol that follows `marker` in
    /// `Sec-WebSocket-Protocol`: a browser offers them with
    /// `new WebSocket(url, [marker, token])`. The handler accepts `marker`.
    #[must_use]
    pub fn websocket_protocol(marker: impl Into<String>) -> Self {
        OtherSource::WebSocket(WebSocketToken::After(marker.into().into_boxed_str())).into()
    }

    /// The WebSocket subprotocol that begins with `prefix`, with the token behind it: with the
    /// prefix `bearer.`, a browser offers `new WebSocket(url, ["chat", "bearer." + token])`. The
    /// handler accepts the other one, `chat`: browsers close a connection whose offers were all
    /// refused. An empty prefix finds no token.
    ///
    /// The token is read as it is written. If clients encode it once more, as those of Kubernetes
    /// do, use [`custom`](Self::custom).
    #[must_use]
    pub fn websocket_protocol_prefix(prefix: impl Into<String>) -> Self {
        OtherSource::WebSocket(WebSocketToken::Behind(prefix.into().into_boxed_str())).into()
    }
}

impl From<CookieSource> for TokenSource {
    fn from(cookie: CookieSource) -> Self {
        Self(SourceKind::Cookie(cookie))
    }
}

impl From<OtherSource> for TokenSource {
    fn from(source: OtherSource) -> Self {
        Self(SourceKind::Other(source))
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            SourceKind::Cookie(cookie) => cookie.fmt(f),
            SourceKind::Other(other) => other.fmt(f),
        }
    }
}

impl fmt::Debug for OtherSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authorization => f.write_str("authorization"),
            Self::Header(name) => write!(f, "header({name})"),
            Self::Query(name) => write!(f, "query({name:?})"),
            Self::WebSocket(WebSocketToken::After(marker)) => {
                write!(f, "websocket_protocol({marker:?})")
            }
            Self::WebSocket(WebSocketToken::Behind(prefix)) => {
                write!(f, "websocket_protocol_prefix({prefix:?})")
            }
            Self::Custom(_) | Self::HeadersOf(_) => f.write_str("custom"),
        }
    }
}
