//! The configuration of a function that finds the token.

use std::{fmt, sync::Arc};

use http::{HeaderMap, HeaderName, Method, Uri, header};

use super::{OtherSource, TokenSource, cookie::CookieSource, custom::CustomSource};
use crate::{csrf::Guard, error::ConfigError};

impl TokenSource {
    /// A function of your own that finds the token.
    ///
    /// # Security
    ///
    /// If browsers send such a token by themselves, as they do with cookies, other sites can
    /// use it: then use [`custom_builder`](Self::custom_builder), which has the check of a cookie.
    /// The layer does not know where the function has looked, so
    /// [`strip_token`](crate::JwtAuthLayer::strip_token) does not remove this token.
    #[must_use]
    pub fn custom<F>(find: F) -> Self
    where
        F: Fn(&Method, &Uri, &HeaderMap) -> Option<String> + Send + Sync + 'static,
    {
        OtherSource::Custom(Arc::new(CustomSource::new(find))).into()
    }

    /// Starts to build a function of your own that finds the token, and names the cookies or
    /// headers that it reads.
    pub fn custom_builder<F>(find: F) -> CustomSourceBuilder
    where
        F: Fn(&Method, &Uri, &HeaderMap) -> Option<String> + Send + Sync + 'static,
    {
        let (source, guard) = (CustomSource::new(find), Ok(Guard::default()));
        CustomSourceBuilder { source, ambient: false, guard }
    }
}

/// Builds a [`TokenSource`] that is a function; made by [`TokenSource::custom_builder`].
///
/// # Defaults
///
/// - not ambient: the token is one that a client has chosen to send
/// - nothing for [`strip_token`](crate::JwtAuthLayer::strip_token) to remove
/// - public origin: that of the host that the request was sent to
/// - trusted origins: none
/// - method: that of the request
///
/// # Example: a token in several cookies
/// ```
/// use http::{HeaderMap, header::COOKIE};
/// use tower_jwt_auth::TokenSource;
///
/// /// The value of the cookie of this name.
/// fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
///     let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
///     let mut pairs = all.flat_map(|value| value.split("; ")).filter_map(|pair| pair.split_once('='));
///     pairs.find(|(one, _)| *one == name).map(|(_, value)| value)
/// }
///
/// let source = TokenSource::custom_builder(|_, _, headers| {
///     Some(format!("{}{}", cookie(headers, "token.0")?, cookie(headers, "token.1")?))
/// })
/// .cookies(|name| name == "token.0" || name == "token.1")
/// .build()?;
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[must_use = "a builder does nothing until it is built"]
pub struct CustomSourceBuilder {
    source: CustomSource,
    ambient: bool,
    guard: Result<Guard, ConfigError>,
}

impl CustomSourceBuilder {
    /// Marks the token as one that browsers send by themselves. It then counts like a cookie: not
    /// beside a token in a header, and on unsafe methods and for WebSockets only if the request
    /// comes from the same or a trusted origin. See
    /// [`CookieSourceBuilder`](super::CookieSourceBuilder).
    pub fn ambient(mut self) -> Self {
        self.ambient = true;
        self
    }

    /// Names the cookies that the function reads. The token is then [ambient](Self::ambient), and
    /// [`strip_token`](crate::JwtAuthLayer::strip_token) removes these cookies.
    pub fn cookies(mut self, is_ours: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.source.cookies = Some(Box::new(is_ours));
        self.ambient()
    }

    /// Adds a header that the function reads. It is marked sensitive, and
    /// [`strip_token`](crate::JwtAuthLayer::strip_token) removes it. For `Cookie`, use
    /// [`cookies`](Self::cookies).
    pub fn header(mut self, name: HeaderName) -> Self {
        self.source.headers.push(name);
        self
    }

    /// Sets the origin of this service as browsers see it: see
    /// [`CookieSourceBuilder::public_origin`](super::CookieSourceBuilder::public_origin).
    pub fn public_origin(self, origin: &str) -> Self {
        self.set(|guard| guard.set_public(origin))
    }

    /// Adds an origin whose pages may send unsafe requests with the token: see
    /// [`CookieSourceBuilder::trusted_origin`](super::CookieSourceBuilder::trusted_origin).
    pub fn trusted_origin(self, origin: &str) -> Self {
        self.set(|guard| guard.add_trusted(origin))
    }

    /// Reads the method of the client's request from this header of a proxy, for forward
    /// authentication: see
    /// [`CookieSourceBuilder::forwarded_method`](super::CookieSourceBuilder::forwarded_method). It
    /// requires a [`public_origin`](Self::public_origin).
    pub fn forwarded_method(self, header: impl AsRef<str>) -> Self {
        self.set(|guard| guard.set_method_header(header.as_ref()))
    }

    /// Declares that the application sets its cookies with `SameSite=None`, for pages of other sites:
    /// see [`CookieSourceBuilder::without_same_site`](super::CookieSourceBuilder::without_same_site).
    /// It requires a [`trusted_origin`](Self::trusted_origin), and every request with the token, also
    /// with `GET`, must then come from the same or a trusted origin.
    pub fn without_same_site(self) -> Self {
        self.set(|guard| {
            guard.check_always();
            Ok(())
        })
    }

    /// Builds the source.
    ///
    /// # Errors
    ///
    /// The first setting that is not valid: an origin or a header, an origin of a token that is not
    /// ambient, a forwarded method without a public origin, or
    /// [`without_same_site`](Self::without_same_site) without a trusted origin.
    pub fn build(self) -> Result<TokenSource, ConfigError> {
        let (guard, source) = (self.guard?, Arc::new(self.source));
        guard.check_config()?;
        if source.headers.contains(&header::COOKIE) {
            return Err(ConfigError::Conflict(
                "`.header(COOKIE)` would remove all cookies: name those that the function reads \
                 with `.cookies(…)`",
            ));
        }
        if self.ambient {
            return Ok(CookieSource::custom(source, guard).into());
        }
        if guard.has_origins() {
            return Err(ConfigError::Conflict(
                "an origin counts only for a token that browsers send by themselves: add \
                 `.ambient()`, or leave out `.public_origin(…)` and `.trusted_origin(…)`",
            ));
        }
        Ok(OtherSource::Custom(source).into())
    }

    fn set(mut self, set: impl FnOnce(&mut Guard) -> Result<(), ConfigError>) -> Self {
        self.guard = self.guard.and_then(|mut guard| set(&mut guard).map(|()| guard));
        self
    }
}

impl fmt::Debug for CustomSourceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomSourceBuilder")
            .field("source", &self.source)
            .field("ambient", &self.ambient)
            .field("origins", &self.guard)
            .finish()
    }
}
