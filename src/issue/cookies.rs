//! The cookies that keep tokens in a browser, where its scripts cannot read them.

use std::fmt;

use cookie::{Cookie, SameSite, time};
use http::{HeaderMap, HeaderValue, Method, Uri, header};

use super::access::AccessToken;
use crate::{
    csrf,
    error::{ConfigError, Error, ErrorKind},
    refresh::RefreshToken,
    source::{CookieSource, TokenSource},
};

/// The cookies of a session, with the origins from which they are accepted.
///
/// | | access token | refresh token | id of the session |
/// |---|---|---|---|
/// | name | `__Host-at` | `__Secure-rt` | `__Host-sid` |
/// | `Path` | `/` | `/auth`: only the routes that need it see it | `/` |
/// | `SameSite` | `Lax` | `Strict` | `Strict` |
/// | `Max-Age` | the time until the token expires | the time until the idle session ends | the same |
///
/// All are `HttpOnly` and `Secure`, and have no `Domain`. Requests that are not safe
/// (`POST` and the like) must come from the same origin: see
/// [`CookieSourceBuilder`](crate::source::CookieSourceBuilder).
///
/// A sibling subdomain can set a cookie of the name `__Secure-rt`, but not one that begins with
/// `__Host-`. So a refresh token counts only together with the id of its own session. A planted
/// one cannot log users in to another account, or stop them from refreshing.
///
/// # Example: a layer that accepts the cookie
/// ```
/// use tower_jwt_auth::{JwtAuthLayer, issue::TokenCookies};
/// # use tower_jwt_auth::{Key, Verifier};
/// # let verifier = Verifier::builder()
/// #     .any_issuer().any_audience().keys(Key::hs256([7; 32])).build()?;
/// let cookies = TokenCookies::builder().public_origin("https://app.example.com").build()?;
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
    /// Cookies for HTTPS, with all defaults. Most browsers also accept them from
    /// `http://localhost` and `http://127.0.0.1`. For the others, see
    /// [`development`](TokenCookiesBuilder::development).
    #[must_use]
    pub fn new() -> Self {
        Self {
            access: CookieSource::new("__Host-at"),
            refresh: CookieSource::new("__Secure-rt").below("/auth"),
            session: CookieSource::new("__Host-sid"),
            secure: true,
        }
    }

    /// Starts to build cookies for HTTPS.
    pub fn builder() -> TokenCookiesBuilder {
        TokenCookiesBuilder(Ok(Self::new()))
    }

    fn set_public_origin(&mut self, origin: &str) -> Result<(), ConfigError> {
        self.access.set_public_origin(origin)?;
        self.refresh.set_public_origin(origin)
    }

    /// The cookie of the access token, for
    /// [`JwtAuthLayer::source`](crate::JwtAuthLayer::source).
    #[must_use]
    pub fn source(&self) -> TokenSource {
        self.access.clone().into()
    }

    /// Adds the cookies of a session to the headers of a response. The refresh token lasts
    /// for `seconds`.
    ///
    /// # Errors
    ///
    /// The access token is too long for a cookie: browsers silently drop a cookie of more than
    /// 4096 bytes.
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

    /// Refuses a token whose cookie browsers would drop.
    pub(crate) fn check_length(&self, access: &AccessToken) -> Result<(), Error> {
        let lifetime = access.lifetime().as_secs();
        if self.access_cookie(access.as_str(), lifetime).to_string().len() <= LONGEST {
            return Ok(());
        }
        let reason =
            "the access token is too long for a cookie (4096 bytes), put less into its claims";
        Err(Error::new(ErrorKind::Issue { reason: reason.into() }))
    }

    /// Adds to the headers of a response the `Set-Cookie` headers that remove the cookies.
    pub fn clear(&self, headers: &mut HeaderMap) {
        let all = [&self.access, &self.refresh, &self.session];
        for removal in all.into_iter().filter_map(CookieSource::removal) {
            headers.append(header::SET_COOKIE, removal);
        }
    }

    /// Checks that a request may be answered with cookies, such as a login. A request that does
    /// not name its origin passes, because it is not from a browser.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CrossSite`]: the request says that it comes from another site.
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

    /// Finds the token in the refresh cookie, if the request may use it. Only the token counts
    /// whose session the other cookie names.
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

    /// Keeps cookies without `Secure` on this machine.
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

/// Builds [`TokenCookies`].
///
/// # Defaults
///
/// - for HTTPS, with the names, paths and attributes that [`TokenCookies`] lists
/// - public origin: that of the host that the request was sent to
/// - trusted origins: none
#[derive(Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct TokenCookiesBuilder(Result<TokenCookies, ConfigError>);

impl TokenCookiesBuilder {
    /// Makes the cookies work over plain HTTP, to try things out: their names are `at`, `rt` and
    /// `sid`, and they are not `Secure`. They are set only for requests to `origin`, which must be
    /// `http`, a loopback host (`localhost`, `127.0.0.1`, `[::1]`) and maybe a port.
    pub fn development(self, origin: &str) -> Self {
        self.set(|cookies| {
            if !csrf::Origin::of_a_service(origin)?.is_loopback() {
                return Err(ConfigError::InvalidName(
                    "cookies without `Secure` are only for a loopback origin, such as \
                     `http://127.0.0.1:3000`; for other origins, leave out `.development(…)` and \
                     serve HTTPS",
                ));
            }
            let all = [
                (&mut cookies.access, "at"),
                (&mut cookies.refresh, "rt"),
                (&mut cookies.session, "sid"),
            ];
            for (cookie, name) in all {
                cookie.rename(name);
            }
            cookies.secure = false;
            cookies.set_public_origin(origin)
        })
    }

    /// Sets the path below which browsers send the refresh token: the path of the routes that
    /// refresh and log out. It must be absolute. Default: `/auth`.
    pub fn refresh_path(self, path: &str) -> Self {
        self.set(|cookies| cookies.refresh.set_path(path))
    }

    /// Sets the origin of this service as browsers see it: see
    /// [`CookieSourceBuilder::public_origin`](crate::source::CookieSourceBuilder::public_origin).
    pub fn public_origin(self, origin: &str) -> Self {
        self.set(|cookies| cookies.set_public_origin(origin))
    }

    /// Adds an origin whose pages may send requests with the cookies: see
    /// [`CookieSourceBuilder::trusted_origin`](crate::source::CookieSourceBuilder::trusted_origin). It must be of the same site, because browsers do
    /// not send these cookies from another site.
    pub fn trusted_origin(self, origin: &str) -> Self {
        self.set(|cookies| {
            cookies.access.add_trusted_origin(origin)?;
            cookies.refresh.add_trusted_origin(origin)
        })
    }

    /// The cookies.
    ///
    /// # Errors
    ///
    /// The first setting that is not valid: a path or an origin.
    pub fn build(self) -> Result<TokenCookies, ConfigError> {
        self.0
    }

    fn set(self, set: impl FnOnce(&mut TokenCookies) -> Result<(), ConfigError>) -> Self {
        Self(self.0.and_then(|mut cookies| {
            set(&mut cookies)?;
            Ok(cookies)
        }))
    }
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

/// The longest cookie in bytes that browsers accept (RFC 6265 §6.1).
const LONGEST: usize = 4096;
