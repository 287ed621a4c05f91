//! The places where a layer looks for tokens, for documents.

use http::HeaderName;

use super::{CookieSource, OtherSource, TokenSources};

/// A place that a document can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenPlace<'s> {
    /// `Authorization`, with the scheme `Bearer`.
    Authorization,
    Header(&'s HeaderName),
    Query(&'s str),
    Cookie {
        name: &'s str,
        /// Whether requests of other sites are refused.
        is_guarded: bool,
    },
}

impl TokenSources {
    /// The places that a document can name, headers first. Subprotocols of WebSockets and functions are
    /// not among them.
    pub(crate) fn places(&self) -> Vec<TokenPlace<'_>> {
        let mut places: Vec<_> = self.not_cookies().iter().filter_map(place).collect();
        let has_name = |cookie: &&CookieSource| !cookie.name().is_empty();
        places.extend(self.cookies().iter().filter(has_name).map(|cookie| TokenPlace::Cookie {
            name: cookie.name(),
            is_guarded: cookie.is_guarded(),
        }));
        places
    }
}

fn place(source: &OtherSource) -> Option<TokenPlace<'_>> {
    match source {
        OtherSource::Authorization => Some(TokenPlace::Authorization),
        OtherSource::Header(name) => Some(TokenPlace::Header(name)),
        OtherSource::Query(name) => Some(TokenPlace::Query(name)),
        OtherSource::WebSocket(_) | OtherSource::Custom(_) | OtherSource::HeadersOf(_) => None,
    }
}
