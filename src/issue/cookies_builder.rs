//! The configuration of [`TokenCookies`].

use super::cookies::{Scheme, TokenCookies};
use crate::{
    csrf::{Guard, Origin},
    error::ConfigError,
    source::CookieSource,
};

impl TokenCookies {
    /// Starts to build cookies for HTTPS.
    pub fn builder() -> TokenCookiesBuilder {
        TokenCookiesBuilder(Ok(Self::new()))
    }

    /// Changes the check of the cookies.
    fn set_guards(
        &mut self,
        set: impl Fn(&mut Guard) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        set(self.access.guard_mut())?;
        set(self.refresh.guard_mut())
    }

    /// Makes the cookies work over plain HTTP, for requests to this origin.
    fn set_plain(&mut self, origin: &str, scheme: Scheme) -> Result<(), ConfigError> {
        let all = [
            (&mut self.access, "at"),
            (&mut self.refresh, "rt"),
            (&mut self.session, "sid"),
            (&mut self.renewed, "renewed"),
        ];
        for (cookie, name) in all {
            cookie.set_development(name);
        }
        self.scheme = scheme;
        self.set_public(origin)
    }

    /// Sets the origin of this service. Cookies for development have only that of theirs: otherwise a
    /// service behind a proxy could give them to browsers of everybody.
    fn set_public(&mut self, origin: &str) -> Result<(), ConfigError> {
        let is_other = match self.access.origins().public() {
            Some(public) => *public != Origin::of_a_service(origin)?,
            None => false,
        };
        if is_other && !matches!(self.scheme, Scheme::Https) {
            return Err(ConfigError::Conflict(
                "cookies for development have the origin that `.development(…)` names: leave out \
                 `.public_origin(…)`, or leave out `.development(…)` and serve HTTPS",
            ));
        }
        self.set_guards(|guard| guard.set_public(origin))
    }
}

/// Builds [`TokenCookies`].
///
/// # Defaults
///
/// - for HTTPS, with the names, paths and attributes that [`TokenCookies`] lists
/// - public origin: that of the host that the request was sent to
/// - trusted origins: none, so `SameSite` is as above
/// - method: that of the request
#[derive(Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct TokenCookiesBuilder(Result<TokenCookies, ConfigError>);

impl TokenCookiesBuilder {
    /// Makes the cookies work over plain HTTP, to try things out: their names are `at`, `rt` and
    /// `sid`, and they are not `Secure`. They are set only for requests to a loopback address.
    /// `origin` must be `http`, a loopback host (`localhost`, a name below it such as
    /// `app.localhost`, `127.0.0.1`, `[::1]`) and maybe a port. For another host of a local
    /// network, see [`development_in_lan`](DangerousTokenCookiesBuilder::development_in_lan).
    pub fn development(self, origin: &str) -> Self {
        self.set(|cookies| {
            if !Origin::of_a_service(origin)?.is_loopback() {
                return Err(ConfigError::InvalidName(
                    "cookies without `Secure` are only for a loopback origin, such as \
                     `http://127.0.0.1:3000`; for a host of a local network, say \
                     `.dangerous().development_in_lan(…)`; for other origins, leave out \
                     `.development(…)` and serve HTTPS",
                ));
            }
            cookies.set_plain(origin, Scheme::Loopback)
        })
    }

    /// Opens the settings that take protection away.
    pub fn dangerous(self) -> DangerousTokenCookiesBuilder {
        DangerousTokenCookiesBuilder(self)
    }

    /// Sets the path below which browsers send the refresh token: the path of the routes that
    /// refresh and log out. It must be absolute. Default: `/auth`.
    pub fn refresh_path(self, path: &str) -> Self {
        self.set(|cookies| cookies.refresh.set_path(path))
    }

    /// Sets the origin of this service as browsers see it: see
    /// [`CookieSourceBuilder::public_origin`](crate::source::CookieSourceBuilder::public_origin).
    pub fn public_origin(self, origin: &str) -> Self {
        self.set(|cookies| cookies.set_public(origin))
    }

    /// Adds an origin whose pages may send requests with the cookies: see
    /// [`CookieSourceBuilder::trusted_origin`](crate::source::CookieSourceBuilder::trusted_origin).
    ///
    /// It must be of the same site, or an extension with a permission for this host. Browsers do
    /// not send these cookies from a page of another site, so a login from such a page is refused.
    /// For those, see [`without_same_site`](Self::without_same_site).
    pub fn trusted_origin(self, origin: &str) -> Self {
        self.set(|cookies| cookies.set_guards(|guard| guard.add_trusted(origin)))
    }

    /// Sets the cookies with `SameSite=None; Secure; Partitioned` (CHIPS), for pages of another
    /// site: the web view of an application, such as one of Capacitor, or a frame. It requires a
    /// [`trusted_origin`](Self::trusted_origin), such as `https://localhost` or
    /// `capacitor://localhost`. Such a page must send its requests with `credentials: "include"`,
    /// and this service needs a CORS layer outside that allows credentials for its origin.
    ///
    /// A cookie then counts, whatever the method is, only on requests of the same or a trusted
    /// origin. So an address that a user opens in a tab has no user.
    ///
    /// # Security
    ///
    /// Without `SameSite`, browsers send the cookies with requests of every site. Only the check of
    /// the origin protects them. Every trusted origin can act for its users.
    pub fn without_same_site(self) -> Self {
        self.set(|cookies| {
            cookies.partitioned = true;
            let all = [&mut cookies.access, &mut cookies.refresh, &mut cookies.session];
            all.into_iter().for_each(CookieSource::set_partitioned);
            Ok(())
        })
    }

    /// Reads the method of a client's request from this header of a proxy for forward
    /// authentication: see
    /// [`CookieSourceBuilder::forwarded_method`](crate::source::CookieSourceBuilder::forwarded_method).
    /// It holds for the access token, because the routes that log in, refresh and log out get the
    /// client's request itself.
    pub fn forwarded_method(self, header: impl AsRef<str>) -> Self {
        self.set(|cookies| cookies.access.guard_mut().set_method_header(header.as_ref()))
    }

    /// The cookies.
    ///
    /// # Errors
    ///
    /// The first setting that is not valid: a path, an origin or a header. Or a setting is without
    /// the one that it needs: [`without_same_site`](Self::without_same_site) needs a trusted origin
    /// and HTTPS, and [`forwarded_method`](Self::forwarded_method) a public origin. Or cookies for
    /// [`development`](Self::development) have another public origin than theirs.
    pub fn build(self) -> Result<TokenCookies, ConfigError> {
        let cookies = self.0?;
        if cookies.partitioned && !matches!(cookies.scheme, Scheme::Https) {
            return Err(ConfigError::Conflict(
                "cookies without `SameSite` must be `Secure`: leave out `.development(…)` and serve \
                 HTTPS, or leave out `.without_same_site()`",
            ));
        }
        cookies.access.check_config()?;
        cookies.refresh.check_config()?;
        Ok(cookies)
    }

    fn set(self, set: impl FnOnce(&mut TokenCookies) -> Result<(), ConfigError>) -> Self {
        Self(self.0.and_then(|mut cookies| {
            set(&mut cookies)?;
            Ok(cookies)
        }))
    }
}

/// The settings of a [`TokenCookiesBuilder`] that take protection away.
#[derive(Debug)]
#[must_use = "call one of its methods"]
pub struct DangerousTokenCookiesBuilder(TokenCookiesBuilder);

impl DangerousTokenCookiesBuilder {
    /// Makes the cookies work over plain HTTP on a host of a local network, to try a page on a
    /// phone: like [`development`](TokenCookiesBuilder::development), for requests to this origin
    /// only. It must be `http`, a private address (RFC 1918, RFC 4193, or link-local) or a local
    /// name (`laptop`, `laptop.local`, or below `lan`, `internal` or `home.arpa`), and maybe a port.
    ///
    /// # Security
    ///
    /// Everybody in that network can read the cookies and take over the sessions. Use it only in
    /// development, with accounts that do not matter.
    pub fn development_in_lan(self, origin: &str) -> TokenCookiesBuilder {
        self.0.set(|cookies| {
            let lan = Origin::of_a_service(origin)?;
            if !lan.is_in_a_lan() {
                return Err(ConfigError::InvalidName(
                    "cookies without `Secure` are only for a host of a local network, such as \
                     `http://192.168.1.20:3000` or `http://laptop.local`; for other origins, leave \
                     out `.development_in_lan(…)` and serve HTTPS",
                ));
            }
            cookies.set_plain(origin, Scheme::Lan(lan))
        })
    }
}
