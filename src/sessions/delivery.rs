//! The places in which a client gets its tokens.

use http::{HeaderValue, Response, header};

use super::answer::SessionTokens;
use crate::{
    error::{Error, ErrorKind},
    issue::{AccessToken, Body, TokenCookies},
    refresh::Session,
};

/// The places in which a client gets its tokens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Delivery<'c> {
    /// Both in the body: the client is not a browser.
    Body,
    /// Both in cookies: the client is a browser.
    Cookies(&'c TokenCookies),
    /// The access token in the body, and the refresh token in a cookie: the client is a page that
    /// signs proofs. Both are bound to its key.
    Page(&'c TokenCookies),
}

impl Delivery<'_> {
    /// Checks that a new session can be delivered.
    pub(super) fn check_new(self, session: &Session) -> Result<(), Error> {
        let reason = match (self, session.jkt()) {
            (Self::Cookies(_), Some(_)) => {
                "a session in cookies cannot be bound to a key (`Login::jkt`): a page that has a key \
                 needs `.dpop_in_browsers()`"
            }
            // The login has a proof, and so a key.
            (Self::Page(_), None) => "the session of a page must be bound to its key",
            _ => return Ok(()),
        };
        Err(ErrorKind::Issue { reason: reason.into() }.into())
    }

    /// Checks that the next tokens of a session can be delivered. A session that is not bound is
    /// from before `dpop_in_browsers`, or of another client. Its access token must not get into a
    /// page.
    pub(super) fn check_known(self, session: &Session) -> Result<(), Error> {
        match (self, session.jkt()) {
            (Self::Page(_), None) => Err(Error::with_source(ErrorKind::RefreshToken, NOT_BOUND)),
            _ => Ok(()),
        }
    }

    /// Checks that an access token fits into its place.
    pub(super) fn check_length(self, access: &AccessToken) -> Result<(), Error> {
        match self {
            Self::Cookies(cookies) => cookies.check_length(access),
            Self::Body | Self::Page(_) => Ok(()),
        }
    }

    /// Makes the answer with the tokens.
    pub(super) fn answer(self, tokens: &SessionTokens) -> Result<Response<Body>, Error> {
        let mut response = Response::new(Body::default());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let body = match self {
            Self::Body => tokens.to_json()?,
            Self::Cookies(cookies) => {
                tokens.set_cookies(cookies, headers)?;
                tokens.to_json_without_tokens()?
            }
            Self::Page(cookies) => {
                tokens.set_refresh_cookies(cookies, headers)?;
                tokens.to_json_without_refresh()?
            }
        };
        *response.body_mut() = body.into();
        Ok(response)
    }
}

const NOT_BOUND: &str = "with `dpop_in_browsers`, a browser can only refresh a session that is bound to \
                         its key: the user must log in again";
