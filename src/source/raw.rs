//! A token as it was found in a request, before it is verified.

use std::{borrow::Cow, fmt};

use http::HeaderMap;

use super::{header, malformed::several};
use crate::error::Error;

/// A token that was found in a request and is not verified.
pub(crate) struct RawToken<'r> {
    text: RawText<'r>,
    location: TokenLocation,
}

pub(super) enum RawText<'r> {
    /// One token.
    Text(Cow<'r, str>),
    /// The credentials after the scheme `Bearer`, which may not be one token. They are checked
    /// only if the verifier does not know them.
    Credentials(&'r [u8]),
}

/// The place where a token, or the fault of one, was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenLocation {
    /// In a cookie only, which is the one with this index. The browser sends it by itself, and
    /// the page cannot leave it out. A small number, because it goes along with every request.
    OnlyInCookie(u16),
    /// In the query, and maybe elsewhere, too.
    Query,
    /// In `Authorization: DPoP` (RFC 9449 §7.1).
    DPoP,
    /// In a header, in a subprotocol or from a function. Also the location of a cookie beside
    /// another token, of a fault that is not only a cookie's, and of a request without a token.
    Other,
}

/// A token that was found and does not count, and the reason.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) error: Error,
    pub(crate) location: TokenLocation,
}

impl From<Error> for Fault {
    #[cold]
    fn from(error: Error) -> Self {
        Self { error, location: TokenLocation::Other }
    }
}

impl<'r> RawToken<'r> {
    /// A token that is in no request.
    pub(crate) fn of_text(text: &'r str) -> Self {
        Self::new(RawText::Text(Cow::Borrowed(text)), TokenLocation::Other)
    }

    /// A token that the application has found in a request with these headers.
    ///
    /// # Errors
    ///
    /// The request has several headers `Authorization`, or the scheme `DPoP` without a token.
    pub(crate) fn of_request(text: &'r str, headers: &HeaderMap) -> Result<Self, Error> {
        let location = match header::dpop(headers)? {
            Some(_) => TokenLocation::DPoP,
            None => TokenLocation::Other,
        };
        Ok(Self::new(RawText::Text(Cow::Borrowed(text)), location))
    }

    /// A token that was kept while something was waited for.
    pub(crate) fn of_credentials(bytes: &'r [u8], location: TokenLocation) -> Self {
        Self::new(RawText::Credentials(bytes), location)
    }

    pub(super) fn new(text: RawText<'r>, location: TokenLocation) -> Self {
        Self { text, location }
    }

    /// Makes one token of two that were found, if they have the same text. Its location is
    /// that of this one, unless the other one is in the query.
    #[cold]
    pub(super) fn join(self, other: Self) -> Result<Self, Error> {
        // The scheme `DPoP` says how a token was sent, and another place says something else.
        let is_dpop = |location| location == TokenLocation::DPoP;
        let differ = is_dpop(self.location) || is_dpop(other.location);
        if differ || self.as_bytes() != other.as_bytes() {
            return Err(several());
        }
        // The answer to a token in the query is private, even if a header has the same token.
        let in_query = other.location == TokenLocation::Query;
        let location = if in_query { other.location } else { self.location };
        Ok(Self { text: self.text, location })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match &self.text {
            RawText::Text(text) => text.as_bytes(),
            RawText::Credentials(bytes) => bytes,
        }
    }

    /// The text, if it is one token.
    pub(crate) fn text(&self) -> Result<&str, Error> {
        match &self.text {
            RawText::Text(text) => Ok(text),
            RawText::Credentials(bytes) => header::token(bytes),
        }
    }

    pub(crate) fn location(&self) -> TokenLocation {
        self.location
    }
}

impl fmt::Debug for RawToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawToken(..)")
    }
}
