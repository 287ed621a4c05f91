//! The cookies that keep tokens in a browser, where its scripts cannot read them.

use std::fmt;

use cookie::{Cookie, SameSite, time};
use http::{HeaderMap, HeaderValue, Method, Uri, header};

use super::access::AccessToken;
use crate::{
    csrf::{self, Origin},
    error::{Error, ErrorKind},
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
/// The cookies of a login [until the browser closes](crate::refresh::Login::until_browser_closes)
/// have no `Max-Age`.
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
    pub(super) access: CookieSource,
    pub(super) refresh: CookieSource,
    pub(super) session: CookieSource,
    /// Marks a browser that was just renewed.
    pub(super) renewed: CookieSource,
    pub(super) scheme: Scheme,
    /// Whether they are set with `SameSite=None; Secure; Partitioned`.
    pub(super) partitioned: bool,
}

/// The requests that may be answered with the cookies.
#[derive(Clone, Debug)]
pub(super) enum Scheme {
    /// All: the cookies are `Secure`.
    Https,
    /// Those to a loopback address, over plain HTTP.
    Loopback,
    /// Those to this host of a local network, over plain HTTP.
    Lan(Origin),
}

impl TokenCookies {
    /// Cookies for HTTPS, with all defaults. Most browsers also accept them from
    /// `http://localhost` and `http://127.0.0.1`. For the others, see
    /// [`development`](super::TokenCookiesBuilder::development).
    #[must_use]
    pub fn new() -> Self {
        Self {
            access: CookieSource::new("__Host-at"),
            refresh: CookieSource::new("__Secure-rt").below("/auth"),
            session: CookieSource::new("__Host-sid"),
            renewed: CookieSource::new("__Host-renewed"),
            scheme: Scheme::Https,
            partitioned: false,
        }
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
        self.add(headers, access, refresh, Some(seconds))
    }

    /// Adds the cookies of a session that ends with the browser: they have no `Max-Age`. See
    /// [`Login::until_browser_closes`](crate::refresh::Login::until_browser_closes).
    ///
    /// # Errors
    ///
    /// See [`set`](Self::set).
    pub fn set_until_browser_closes(
        &self,
        headers: &mut HeaderMap,
        access: &AccessToken,
        refresh: &RefreshToken,
    ) -> Result<(), Error> {
        self.add(headers, access, refresh, None)
    }

    fn add(
        &self,
        headers: &mut HeaderMap,
        access: &AccessToken,
        refresh: &RefreshToken,
        seconds: Option<u64>,
    ) -> Result<(), Error> {
        self.check_length(access)?;
        let lifetime = seconds.map(|_| access.lifetime().as_secs());
        append(headers, self.access_cookie(access.as_str(), lifetime).to_string())?;
        self.set_refresh(headers, refresh, seconds)
    }

    /// Adds the cookies of the refresh token and of the id of its session.
    pub(crate) fn set_refresh(
        &self,
        headers: &mut HeaderMap,
        refresh: &RefreshToken,
        seconds: Option<u64>,
    ) -> Result<(), Error> {
        append(headers, self.refresh_cookie(refresh.as_str(), seconds).to_string())?;
        let session = RefreshToken::session_of(refresh.as_str()).ok_or(ErrorKind::Failed)?;
        append(headers, self.session_cookie(&session, seconds).to_string())
    }

    /// Refuses a token whose cookie browsers would drop.
    pub(crate) fn check_length(&self, access: &AccessToken) -> Result<(), Error> {
        let lifetime = Some(access.lifetime().as_secs());
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
    /// not name its origin passes, because it is not from a browser. A `GET` from another site passes
    /// if a browser opens a page with it, as it does when an identity provider sends the user back.
    ///
    /// # Security
    ///
    /// Anybody can put a link to such a page on theirs. So a login by `GET` must be shown to belong to
    /// this browser by other means, such as `state` (RFC 6749 §10.12). Otherwise, an attacker can log a
    /// user in to the attacker's own account.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CrossSite`]: the request says that it comes from another site. Or it comes from
    /// a trusted origin of another site, from which the browser would not send these cookies: see
    /// [`TokenCookiesBuilder::without_same_site`](super::TokenCookiesBuilder::without_same_site).
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
        self.access.origins().check_login(method, uri, headers)?;
        match csrf::unusable_login(headers) {
            Some(error) if !self.partitioned => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether a request has one of the cookies, whatever its value is.
    pub(crate) fn is_any_in(&self, headers: &HeaderMap) -> bool {
        [&self.access, &self.refresh, &self.session].iter().any(|cookie| cookie.is_in(headers))
    }

    /// The value of the cookie with the access token.
    pub(crate) fn find_access<'h>(&self, headers: &'h HeaderMap) -> Result<Option<&'h str>, Error> {
        self.access.find(headers)
    }

    /// Whether a browser may be sent to the route that renews its session: it has one, it was not
    /// sent there just now, and its page is of this site.
    pub(crate) fn may_renew(&self, headers: &HeaderMap) -> bool {
        !self.partitioned
            && matches!(self.session.find(headers), Ok(Some(_)))
            && !self.renewed.is_in(headers)
    }

    /// Marks a browser that was renewed, so that it is not sent there again if it does not keep
    /// the other cookies.
    pub(crate) fn mark_renewed(&self, headers: &mut HeaderMap) -> Result<(), Error> {
        let mark = self.cookie(&self.renewed, "1", Some(RENEWED), SameSite::Strict);
        append(headers, mark.to_string())
    }

    /// The path of the route that renews a session, below that of the refresh cookie.
    pub(crate) fn renew_path(&self) -> String {
        format!("{}/renew", self.refresh.below_path().trim_end_matches('/'))
    }

    /// The reason why a request has no refresh token. The client is not told.
    #[cold]
    pub(crate) fn explain_missing(&self, uri: &Uri, headers: &HeaderMap) -> Error {
        let (name, path) = (self.refresh.name(), self.refresh.below_path());
        // It is sent to every path, and ends with the other one.
        let is_known = self.session.is_in(headers);
        let asked: String = uri.path().chars().take(64).flat_map(char::escape_debug).collect();
        let reason = match (self.refresh.is_in(headers), is_known) {
            (true, true) => format!(
                "its cookie `{name}` is not of the session that the cookie \
                `{}` names",
                self.session.name()
            ),
            (true, false) => format!(
                "its cookie `{name}` counts only beside the cookie `{}`, \
                which is missing",
                self.session.name()
            ),
            (false, _) if is_below(uri.path(), path) => format!(
                "neither in the body nor in its cookie `{name}`, which browsers do send to this \
                path: the session has ended, or its cookies were removed, so the user must log in \
                again"
            ),
            (false, true) => format!(
                "browsers send its cookie `{name}` only below the path \
                `{path}`, and this request was for `{asked}`; serve the route below that path, or \
                set `refresh_path`"
            ),
            (false, false) => format!(
                "neither in the body nor in its cookie `{name}`, which \
                browsers send only below the path `{path}`, and this request was for `{asked}`"
            ),
        };
        Error::new(ErrorKind::MissingRefreshToken { reason: reason.into() })
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

    /// Keeps cookies without `Secure` on this machine, or on the one that is named.
    fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Error> {
        let reason = match &self.scheme {
            Scheme::Https => return Ok(()),
            Scheme::Loopback if csrf::is_to_loopback(uri, headers) => return Ok(()),
            Scheme::Loopback => {
                "development cookies are only for requests to a loopback address such as \
                 `127.0.0.1`: leave out `development` and serve HTTPS"
                    .to_owned()
            }
            Scheme::Lan(origin) if origin.is_of(uri, headers) => return Ok(()),
            Scheme::Lan(origin) => {
                format!(
                    "development cookies are only for requests to `{origin}`: open that address"
                )
            }
        };
        Err(Error::new(ErrorKind::CrossSite { reason: reason.into() }))
    }

    fn access_cookie<'c>(&'c self, value: &'c str, seconds: Option<u64>) -> Cookie<'c> {
        self.cookie(&self.access, value, seconds, SameSite::Lax)
    }

    fn refresh_cookie<'c>(&'c self, value: &'c str, seconds: Option<u64>) -> Cookie<'c> {
        self.cookie(&self.refresh, value, seconds, SameSite::Strict)
    }

    fn session_cookie<'c>(&'c self, value: &'c str, seconds: Option<u64>) -> Cookie<'c> {
        self.cookie(&self.session, value, seconds, SameSite::Strict)
    }

    fn cookie<'c>(
        &self,
        source: &'c CookieSource,
        value: &'c str,
        seconds: Option<u64>,
        same_site: SameSite,
    ) -> Cookie<'c> {
        let mut cookie = Cookie::build((source.name(), value))
            .path(source.below_path())
            .http_only(true)
            .secure(matches!(self.scheme, Scheme::Https))
            .same_site(if self.partitioned { SameSite::None } else { same_site })
            .build();
        if self.partitioned {
            cookie.set_partitioned(true);
        }
        if let Some(seconds) = seconds {
            let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
            cookie.set_max_age(time::Duration::seconds(seconds));
        }
        cookie
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
            .field("scheme", &self.scheme)
            .field("partitioned", &self.partitioned)
            .finish_non_exhaustive()
    }
}

/// The seconds for which a browser that was renewed is not sent to be renewed again.
const RENEWED: u64 = 10;

/// The longest cookie in bytes that browsers accept (RFC 6265 §6.1).
const LONGEST: usize = 4096;

/// Whether browsers send a cookie of this path with a request (RFC 6265 §5.1.4).
fn is_below(request: &str, cookie: &str) -> bool {
    let rest = request.strip_prefix(cookie);
    rest.is_some_and(|rest| rest.is_empty() || cookie.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_refresh_token_has_a_next_step() {
        let cookies = TokenCookies::builder().build().unwrap();
        let below = cookies.refresh.below_path().trim_end_matches('/');
        let told = |path: &str| {
            cookies.explain_missing(&path.parse().unwrap(), &HeaderMap::new()).to_string()
        };
        for path in [below, &format!("{below}/refresh")] {
            assert!(told(path).contains("must log in again"), "{}", told(path));
        }
        for path in ["/", "/refresh", &format!("{below}x")] {
            assert!(told(path).contains("only below the path"), "{}", told(path));
        }
    }
}
