//! The configuration of a cookie that carries the token.

use std::fmt;

use http::HeaderName;

use super::{TokenSource, cookie::CookieSource};
use crate::error::ConfigError;

impl TokenSource {
    /// Starts to build a cookie of this name, guarded against requests from other sites.
    pub fn cookie(name: impl AsRef<str>) -> CookieSourceBuilder {
        CookieSourceBuilder::new(name.as_ref())
    }
}

/// Builds a [`TokenSource`] that is a cookie; made by [`TokenSource::cookie`].
///
/// On `GET`, `HEAD` and `OPTIONS` the cookie is enough. On every other method,
/// and for a WebSocket handshake, the request must also be shown to be
/// same-origin, by `Sec-Fetch-Site: same-origin` or by an `Origin` that is its
/// own; if it is not, the answer is 403. A contradiction between the two, a
/// repeated or `null` `Origin`, and the absence of both count as not shown.
///
/// # Defaults
///
/// - path, with which the layer removes the cookie: `/`
/// - domain: none, a cookie of this host only
/// - public origin: that of the host that the request was sent to
/// - trusted origins: none
/// - method: that of the request
/// - `SameSite` of the removed cookie: `Lax`
///
/// # Deployment
///
/// The service takes its own origin from the host that the request was sent to. A proxy may
/// change `Host`: behind one, set the origin that browsers see with
/// [`public_origin`](Self::public_origin).
///
/// The check uses the method of the request that reaches this service. **A proxy for forward
/// authentication sends it a `GET` for each request** (`auth_request` of nginx, `ForwardAuth` of
/// Traefik): then the real method is hidden, and a `POST` of another site passes. Behind such a
/// proxy, set [`forwarded_method`](Self::forwarded_method).
///
/// # Example
/// ```
/// use tower_jwt_auth::TokenSource;
///
/// let source = TokenSource::cookie("__Host-at")
///     .public_origin("https://api.example.com")
///     .trusted_origin("https://app.example.com")
///     .build()?;
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until it is built"]
pub struct CookieSourceBuilder(Result<CookieSource, ConfigError>);

impl CookieSourceBuilder {
    fn new(name: &str) -> Self {
        Self(if HeaderName::from_bytes(name.as_bytes()).is_ok() {
            // The grammar is the same (RFC 6265 §4.1.1, RFC 9110 §5.6.2).
            Ok(CookieSource::new(name))
        } else {
            Err(ConfigError::InvalidName(
                "the name of a cookie must be a token of RFC 9110 §5.6.2, such as `__Host-at`",
            ))
        })
    }

    /// Sets the `Path` that the cookie was set with. The layer needs it to remove the cookie: a
    /// browser removes only the cookie of the same name, path and domain. It must be absolute, and
    /// `/` if the name begins with `__Host-`. Default: `/`.
    pub fn path(self, path: &str) -> Self {
        self.set(|cookie| cookie.set_path(path))
    }

    /// Sets the `Domain` that the cookie was set with. The layer needs it to remove the cookie,
    /// as for [`path`](Self::path). A cookie whose name begins with `__Host-` has no `Domain`.
    /// Default: none, a cookie of this host only.
    pub fn domain(self, domain: &str) -> Self {
        self.set(|cookie| cookie.set_domain(domain))
    }

    /// Sets the origin of this service as browsers see it: `https` or `http`, a host and maybe a
    /// port, such as `https://api.example.com`. The host in the request then does not decide
    /// whether it comes from the same origin.
    pub fn public_origin(self, origin: &str) -> Self {
        self.set(|cookie| cookie.guard_mut().set_public(origin))
    }

    /// Adds an origin whose pages may send unsafe requests with the cookie: a scheme, a host and
    /// maybe a port, such as `https://app.example.com`.
    ///
    /// A browser extension and the web view of an application have a scheme of their own, such as
    /// `chrome-extension://<id>` and `capacitor://localhost`. The requests of an extension with a
    /// permission for this host have `Sec-Fetch-Site: none`, and count if its origin is trusted.
    /// In Firefox, the origin of an extension differs in each browser that it is installed in, so
    /// it cannot be named: there, send the token in `Authorization`.
    pub fn trusted_origin(self, origin: &str) -> Self {
        self.set(|cookie| cookie.guard_mut().add_trusted(origin))
    }

    /// Reads the method of the client's request from this header of a proxy, for forward
    /// authentication: `x-original-method` if nginx is told `proxy_set_header X-Original-Method
    /// $request_method`, `x-forwarded-method` for Traefik. If the header is missing, repeated or
    /// anything but `GET`, `HEAD` or `OPTIONS`, the request is unsafe.
    ///
    /// It requires [`public_origin`](Self::public_origin). A layer with such a cookie answers 401
    /// where others answer 400, because nginx makes 500 of 400.
    ///
    /// # Security
    ///
    /// The proxy must set the header on every request, in place of one that the client has sent.
    /// A page of another site cannot set it without the service's consent (CORS).
    pub fn forwarded_method(self, header: impl AsRef<str>) -> Self {
        self.set(|cookie| cookie.guard_mut().set_method_header(header.as_ref()))
    }

    /// Says that the cookie was set with `SameSite=None; Secure; Partitioned`, which web views and
    /// frames of other sites need. Then it counts, whatever the method is, only on requests of the
    /// same or a trusted origin, and it is removed with these attributes. It requires a
    /// [`trusted_origin`](Self::trusted_origin).
    ///
    /// # Security
    ///
    /// Without `SameSite`, browsers send the cookie with requests of every site. Only the check of
    /// the origin protects it.
    pub fn without_same_site(self) -> Self {
        self.set(|cookie| {
            cookie.set_partitioned();
            Ok(())
        })
    }

    /// Opens the settings that take protection away.
    pub fn dangerous(self) -> DangerousCookieSourceBuilder {
        DangerousCookieSourceBuilder(self)
    }

    /// Builds the source.
    ///
    /// # Errors
    ///
    /// The first setting that is not valid: the name, the path, the domain or an origin. Or an
    /// origin is set without the check that needs it, or a setting without the origin that it
    /// needs.
    pub fn build(self) -> Result<TokenSource, ConfigError> {
        let cookie = self.0?;
        cookie.check_config()?;
        Ok(TokenSource::from(cookie))
    }

    fn set(self, set: impl FnOnce(&mut CookieSource) -> Result<(), ConfigError>) -> Self {
        Self(self.0.and_then(|mut cookie| {
            set(&mut cookie)?;
            Ok(cookie)
        }))
    }
}

impl fmt::Debug for CookieSourceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CookieSourceBuilder").field(&self.0).finish()
    }
}

/// The settings of a [`CookieSourceBuilder`] that take protection away.
#[derive(Debug)]
#[must_use = "call one of its methods"]
pub struct DangerousCookieSourceBuilder(CookieSourceBuilder);

impl DangerousCookieSourceBuilder {
    /// Accepts the cookie on every request, from any site.
    ///
    /// # Security
    ///
    /// Every site that a user visits can then act for them, unless `SameSite` stops it. Use
    /// this only behind a check of your own.
    pub fn without_cross_site_check(self) -> CookieSourceBuilder {
        self.0.set(|cookie| {
            cookie.remove_guard();
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_wrong_setting_is_the_error() {
        let wrong = |cookie: CookieSourceBuilder| cookie.build().unwrap_err().to_string();
        let cookie = || TokenSource::cookie("__Host-at");
        assert!(cookie().path("/").public_origin("https://a.example").build().is_ok());
        for (cookie, part) in [
            (TokenSource::cookie(""), "name of a cookie"),
            (TokenSource::cookie("a b").path("app"), "name of a cookie"),
            (cookie().path("app"), "path"),
            (cookie().path("/app"), "`__Host-` must be `/`"),
            (cookie().domain("example.com").path("app"), "must not have a domain"),
            (cookie().public_origin("a.example"), "origin"),
            (cookie().trusted_origin("https://a.example/b"), "origin"),
            (
                cookie().trusted_origin("https://a.example").dangerous().without_cross_site_check(),
                "no origin counts",
            ),
            (cookie().forwarded_method("x-original-method"), "set `.public_origin"),
            (cookie().forwarded_method("a b").public_origin("https://a.example"), "header name"),
            (cookie().without_same_site(), "`.trusted_origin"),
        ] {
            let error = wrong(cookie);
            assert!(error.contains(part), "{error}");
        }
    }
}
