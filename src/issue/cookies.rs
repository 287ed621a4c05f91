//! The cookies that keep tokens in a browser, out of reach of its scripts.

use std::fmt;

use cookie::{Cookie, SameSite, time};
use http::{HeaderMap, HeaderValue, Method, Uri, header};

use super::access::AccessToken;
use crate::refresh::RefreshToken;
use crate::{
    csrf,
    error::{ConfigError, Error, ErrorKind},
    source::{CookieSource, TokenSource},
};

/// The cookies of a session, and where requests with them may come from.
///
/// | | access token | refresh token | id of the session |
/// |---|---|---|---|
/// | name | `__Host-at` | `__Secure-rt` | `__Host-sid` |
/// | `Path` | `/` | `/auth`: only the routes that need it see it | `/` |
/// | `SameSite` | `Lax` | `Strict` | `Strict` |
/// | `Max-Age` | what is left to the token | what is left to the session, if it stays idle | the same |
///
/// All are `HttpOnly` and `Secure`, and have no `Domain`. Requests that are not safe
/// (`POST` and the like) must come from the same origin: see [`CookieSource`].
///
/// A sibling subdomain can set a cookie of the name `__Secure-rt`, and none that begins with
/// `__Host-`. So a refresh token counts only together with the id of its own session: one
/// that is planted logs nobody in as somebody else, and keeps nobody from refreshing.
///
/// # Example: a layer that takes the cookie
/// ```
/// use tower_jwt_auth::{JwtAuthLayer, issue::TokenCookies};
/// # use tower_jwt_auth::{Key, RegisteredClaims, Verifier};
/// # let verifier = Verifier::builder()
/// #     .any_issuer().any_audience().keys(Key::hs256([7; 32])).build()?;
/// let cookies = TokenCookies::new().public_origin("https://app.example.com")?;
/// let layer = JwtAuthLayer::new(verifier).source(cookies.source());
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct TokenCookies {
    access: CookieSource,
    refresh: CookieSource,
    session: CookieSource,
    /// `false` for plain HTTP on this machine.
    secure: bool,
}

impl TokenCookies {
    /// Cookies for HTTPS. Browsers take `http://localhost` and `http://127.0.0.1` for as
    /// safe, most of them; where one does not, see [`development`](Self::development).
    #[must_use]
    pub fn new() -> Self {
        Self::named("__Host-at", "__Secure-rt", "__Host-sid", true)
    }

    /// Cookies for plain HTTP, to try things out: named `at`, `rt` and `sid`, and without
    /// `Secure`. They are set for requests to this machine alone.
    ///
    /// # Errors
    ///
    /// The origin is not `http`, a loopback host (`localhost`, `127.0.0.1`, `[::1]`) and
    /// perhaps a port.
    pub fn development(origin: &str) -> Result<Self, ConfigError> {
        if !csrf::Origin::of_a_service(origin)?.is_loopback() {
            return Err(ConfigError::InvalidName(
                "cookies without `Secure` are for loopback alone, such as \
                 `http://127.0.0.1:3000`; everywhere else, say `TokenCookies::new()` and serve \
                 HTTPS",
            ));
        }
        Self::named("at", "rt", "sid", false).public_origin(origin)
    }

    fn named(access: &str, refresh: &str, session: &str, secure: bool) -> Self {
        Self {
            access: TokenSource::cookie(access),
            refresh: TokenSource::cookie(refresh).below("/auth"),
            session: TokenSource::cookie(session),
            secure,
        }
    }

    /// The path below which the refresh token is sent: that of the routes that refresh and
    /// log out. Default: `/auth`.
    ///
    /// # Errors
    ///
    /// The text is no absolute path.
    pub fn refresh_path(mut self, path: impl Into<String>) -> Result<Self, ConfigError> {
        self.refresh = self.refresh.path(&path.into())?;
        Ok(self)
    }

    /// Names the origin of this service as browsers see it: see
    /// [`CookieSource::public_origin`].
    ///
    /// # Errors
    ///
    /// The text is not `https` or `http`, a host and perhaps a port.
    pub fn public_origin(mut self, origin: &str) -> Result<Self, ConfigError> {
        self.access = self.access.public_origin(origin)?;
        self.refresh = self.refresh.public_origin(origin)?;
        Ok(self)
    }

    /// Lets pages of this origin send requests with the cookies: see
    /// [`CookieSource::trusted_origin`]. It must be of the same site, or browsers send no
    /// such cookie.
    ///
    /// # Errors
    ///
    /// The text is not a scheme, a host and perhaps a port.
    pub fn trusted_origin(mut self, origin: &str) -> Result<Self, ConfigError> {
        self.access = self.access.trusted_origin(origin)?;
        self.refresh = self.refresh.trusted_origin(origin)?;
        Ok(self)
    }

    /// The cookie of the access token, for
    /// [`JwtAuthLayer::source`](crate::JwtAuthLayer::source).
    #[must_use]
    pub fn source(&self) -> CookieSource {
        self.access.clone()
    }

    /// Adds the cookies of a session to the headers of a response. The refresh token lasts
    /// for `seconds`.
    ///
    /// # Errors
    ///
    /// The access token is too long for a cookie: browsers drop what has more than 4096
    /// bytes, and do not say so.
    pub fn set(
        &self,
        headers: &mut HeaderMap,
        access: &AccessToken,
        refresh: &RefreshToken,
        seconds: u64,
    ) -> Result<(), Error> {
        self.check_length(access)?;
        let lifetime = access.lifetime().as_secs();
        append(headers, self.access_cookie(access.as_str(), lifetime).to_string())?;
        append(headers, self.refresh_cookie(refresh.as_str(), seconds).to_string())?;
        let session = RefreshToken::session_of(refresh.as_str()).ok_or(ErrorKind::Failed)?;
        append(headers, self.session_cookie(&session, seconds).to_string())
    }

    /// Whether a browser would keep the cookie of this token.
    pub(crate) fn check_length(&self, access: &AccessToken) -> Result<(), Error> {
        let lifetime = access.lifetime().as_secs();
        if self.access_cookie(access.as_str(), lifetime).to_string().len() <= LONGEST {
            return Ok(());
        }
        let reason = "the access token is too long for a cookie, put less into its claims";
        Err(Error::new(ErrorKind::Issue { reason: reason.into() }))
    }

    /// Adds to the headers of a response what removes the cookies.
    pub fn clear(&self, headers: &mut HeaderMap) {
        let all = [&self.access, &self.refresh, &self.session];
        for removal in all.into_iter().filter_map(CookieSource::removal) {
            headers.append(header::SET_COOKIE, removal);
        }
    }

    /// Whether a request may be answered with cookies, as one that logs in: not if it says
    /// that it comes from another site. A request that says nothing is no browser's.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CrossSite`].
    pub fn check_login(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), Error> {
        self.check_host(uri, headers)?;
        if csrf::is_silent(headers) {
            return Ok(());
        }
        self.access.guard(method, uri, headers)
    }

    /// The token in the refresh cookie, of a request that may use it. Only the one counts whose
    /// session the other cookie names.
    pub(crate) fn find_refresh<'h>(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &'h HeaderMap,
    ) -> Result<Option<&'h str>, Error> {
        let Some(session) = self.session.find(headers)? else { return Ok(None) };
        let is_ours = |token: &str| RefreshToken::session_of(token).as_deref() == Some(session);
        let found = self.refresh.find_ours(headers, is_ours)?;
        if found.is_some() {
            self.check_host(uri, headers)?;
            self.refresh.guard(method, uri, headers)?;
        }
        Ok(found)
    }

    /// Cookies without `Secure` do not leave this machine.
    fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Error> {
        if self.secure || csrf::is_to_loopback(uri, headers) {
            Ok(())
        } else {
            Err(Error::new(ErrorKind::CrossSite))
        }
    }

    fn access_cookie<'c>(&'c self, value: &'c str, seconds: u64) -> Cookie<'c> {
        self.cookie(&self.access, value, seconds, SameSite::Lax)
    }

    fn refresh_cookie<'c>(&'c self, value: &'c str, seconds: u64) -> Cookie<'c> {
        self.cookie(&self.refresh, value, seconds, SameSite::Strict)
    }

    fn session_cookie<'c>(&'c self, value: &'c str, seconds: u64) -> Cookie<'c> {
        self.cookie(&self.session, value, seconds, SameSite::Strict)
    }

    fn cookie<'c>(
        &self,
        source: &'c CookieSource,
        value: &'c str,
        seconds: u64,
        same_site: SameSite,
    ) -> Cookie<'c> {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        Cookie::build((source.name(), value))
            .path(source.below_path())
            .max_age(time::Duration::seconds(seconds))
            .http_only(true)
            .secure(self.secure)
            .same_site(same_site)
            .build()
    }
}

fn append(headers: &mut HeaderMap, cookie: String) -> Result<(), Error> {
    let mut value = HeaderValue::try_from(cookie).map_err(|_| ErrorKind::Failed)?;
    value.set_sensitive(true);
    headers.append(header::SET_COOKIE, value);
    Ok(())
}

impl Default for TokenCookies {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TokenCookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCookies")
            .field("access", &self.access)
            .field("refresh", &self.refresh)
            .field("refresh_path", &self.refresh.below_path())
            .field("secure", &self.secure)
            .finish()
    }
}

/// RFC 6265 §6.1 has browsers take cookies of so many bytes, and they take no longer ones.
const LONGEST: usize = 4096;
