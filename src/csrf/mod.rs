//! The check that a request with a cookie comes from a page that may use the cookie.
//!
//! A browser adds its cookies to requests that other sites make. So a cookie
//! counts on an unsafe request only with positive evidence that the page has the
//! same origin, or one that is configured as trusted.

#[cfg(feature = "mcp")]
mod allowed;
mod origin;
mod refusal;
#[cfg(test)]
mod tests;

use http::{HeaderMap, HeaderName, Method, Uri, header};

#[cfg(feature = "mcp")]
pub(crate) use self::allowed::AllowedOrigins;
#[cfg(feature = "issue")]
pub(crate) use self::origin::is_to_loopback;
pub(crate) use self::origin::{Origin, single_value};
use self::refusal::{Refusal, What};
use crate::error::{ConfigError, Error, ErrorKind};

/// The origins from which a request may use a cookie.
///
/// It decides on one request:
///
/// 1. `GET`, `HEAD` and `OPTIONS` pass (RFC 9110 §9.2.1), except for a WebSocket handshake,
///    which opens a channel in both directions. Only the real method counts, which behind a proxy
///    for forward authentication is the one in its header. If the cookie is also sent from pages
///    of other sites, no method passes by itself.
/// 2. `Sec-Fetch-Site: same-origin` passes, unless an `Origin` contradicts it.
/// 3. Without `Sec-Fetch-Site`, an `Origin` passes that is the request's own or a trusted one.
///    The request's own origin is `public`, or without that, the origin of the host that the
///    request was sent to. If the name of the cookie asks for TLS, it is not an `http` one, except
///    on this machine.
/// 4. With `same-site` or `cross-site`, an `Origin` passes that is trusted and not the
///    request's own.
/// 5. With `none`, an `Origin` passes that is trusted and has a scheme of its own: browsers send
///    that for an extension with a permission for the host.
/// 6. Everything else is refused: neither header, one of them twice, `Origin: null`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    public: Option<Origin>,
    trusted: Vec<Origin>,
    /// The header in which a proxy names the method of the real request.
    method_header: Option<HeaderName>,
    /// Whether the check is made whatever the method is.
    always: bool,
    /// Whether the cookie is only sent over TLS.
    secure: bool,
}

impl Guard {
    pub(crate) fn set_public(&mut self, origin: &str) -> Result<(), ConfigError> {
        self.public = Some(Origin::of_a_service(origin)?);
        Ok(())
    }

    /// The origin of the service, if it is configured.
    #[cfg(feature = "issue")]
    pub(crate) fn public(&self) -> Option<&Origin> {
        self.public.as_ref()
    }

    pub(crate) fn add_trusted(&mut self, origin: &str) -> Result<(), ConfigError> {
        self.trusted.push(Origin::new(origin)?);
        Ok(())
    }

    pub(crate) fn set_method_header(&mut self, name: &str) -> Result<(), ConfigError> {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
            ConfigError::InvalidName(
                "the header with the forwarded method must be a header name, such as \
                 `x-original-method`",
            )
        })?;
        self.method_header = Some(name);
        Ok(())
    }

    pub(crate) fn check_always(&mut self) {
        self.always = true;
    }

    /// Whether the check is made whatever the method is.
    pub(crate) fn is_for_all_methods(&self) -> bool {
        self.always
    }

    /// Sets whether the cookie is only sent over TLS. Then, without a public origin, no page that
    /// came without TLS is one of this service.
    pub(crate) fn require_tls(&mut self, secure: bool) {
        self.secure = secure;
    }

    /// The header in which a proxy names the method of the real request.
    pub(crate) fn method_header(&self) -> Option<&HeaderName> {
        self.method_header.as_ref()
    }

    /// Reads the method from the same header as another source of the layer, unless there is one
    /// already: all sources see the same requests.
    pub(crate) fn share_method_header(&mut self, name: &HeaderName) {
        self.method_header.get_or_insert_with(|| name.clone());
    }

    /// Whether the requests are those of a proxy that asks for each request of a client.
    pub(crate) fn is_for_forward_auth(&self) -> bool {
        self.method_header.is_some()
    }

    /// Whether there is an origin that only the check needs.
    pub(crate) fn has_origins(&self) -> bool {
        self.public.is_some() || !self.trusted.is_empty()
    }

    /// # Errors
    ///
    /// A setting needs another one.
    pub(crate) fn check_config(&self) -> Result<(), ConfigError> {
        if self.method_header.is_some() && self.public.is_none() {
            return Err(ConfigError::Conflict(
                "with `.forwarded_method(…)`, the host of a request is not the one that the browser \
                 has asked: set `.public_origin(\"https://app.example.com\")`",
            ));
        }
        if self.always && self.trusted.is_empty() {
            return Err(ConfigError::Conflict(
                "`.without_same_site()` is for pages of other sites: name them with \
                 `.trusted_origin(\"https://localhost\")`",
            ));
        }
        Ok(())
    }

    /// Checks a request with a cookie.
    pub(crate) fn check(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), Error> {
        if !self.always && self.is_safe(method, headers) {
            return Ok(());
        }
        self.check_page(What::Cookie, uri, headers)
    }

    /// Checks a request that is answered with cookies. It was sent to this service itself.
    #[cfg(feature = "issue")]
    pub(crate) fn check_login(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), Error> {
        // A provider sends the browser back from its own site, by a page that is opened. An image
        // or a script of another site logs nobody in.
        let is_foreign = single_value(headers, "sec-fetch-site") != Some(None)
            && said(headers, "sec-fetch-site").is_none_or(|site| site == "cross-site");
        if is_safe(method) && !is_websocket(headers) && (!is_foreign || opens_a_page(headers)) {
            return Ok(());
        }
        self.check_page(What::Login, uri, headers)
    }

    fn check_page(&self, what: What, uri: &Uri, headers: &HeaderMap) -> Result<(), Error> {
        if self.evidence(uri, headers).is_some() {
            return Ok(());
        }
        let (public, trusted) = (self.public.as_ref(), &*self.trusted);
        let method_header = match what {
            What::Cookie => self.method_header.as_ref(),
            // It was sent to this service itself.
            #[cfg(feature = "issue")]
            What::Login => None,
        };
        let refusal = Refusal { what, uri, headers, public, trusted, method_header };
        Err(ErrorKind::CrossSite { reason: refusal.reason() }.into())
    }

    fn evidence(&self, uri: &Uri, headers: &HeaderMap) -> Option<()> {
        let site = single_value(headers, "sec-fetch-site")?;
        let origin = match single_value(headers, header::ORIGIN.as_str())? {
            None => None,
            Some(text) => Some(Origin::parse(text)?),
        };
        let own = origin.as_ref().map(|origin| match &self.public {
            Some(public) => origin == public,
            None => origin.is_of(uri, headers) && !(self.secure && origin.is_unencrypted()),
        });
        let listed = origin.as_ref().is_some_and(|origin| self.trusted.contains(origin));
        let is_web = origin.as_ref().is_none_or(Origin::is_web);
        let passes = match (site, own) {
            (Some("same-origin"), None) => true,
            (Some("same-origin") | None, Some(own)) => own || listed,
            (Some("same-site" | "cross-site"), Some(own)) => listed && !own,
            (Some("none"), Some(own)) => listed && !own && !is_web,
            _ => false,
        };
        passes.then_some(())
    }

    /// Whether the request that the client made changes nothing.
    fn is_safe(&self, method: &Method, headers: &HeaderMap) -> bool {
        let forwarded = |name: &HeaderName| {
            // Only a proxy that is told to passes `Upgrade` on, but it passes the rest.
            let is_websocket = headers.contains_key(header::SEC_WEBSOCKET_KEY);
            let method = single_value(headers, name.as_str()).flatten();
            method.is_some_and(is_safe_name) && !is_websocket
        };
        is_safe(method)
            && !is_websocket(headers)
            && self.method_header.as_ref().is_none_or(forwarded)
    }
}

/// Explains why the cookies of a login would not be sent back: the page is of another site, and
/// the cookies are only for pages of the same site. `None` if nothing shows that.
#[cfg(feature = "issue")]
pub(crate) fn unusable_login(headers: &HeaderMap) -> Option<Error> {
    let page = Origin::parse(said(headers, header::ORIGIN.as_str())?)?;
    let is_foreign = match said(headers, "sec-fetch-site") {
        Some(site) => site == "cross-site",
        // Old web views do not say it, and their pages have a scheme of their own.
        None => !page.is_web(),
    };
    // A form that is sent from another site opens a page of this service.
    if !is_foreign || opens_a_page(headers) || page.is_an_extension() {
        return None;
    }
    let reason = format!(
        "a login is refused: the page `{page}` is of another site, so the browser would not send \
         these cookies back; serve the page from the site of this service, or set \
         `without_same_site()` on the cookies"
    );
    Some(ErrorKind::CrossSite { reason: reason.into() }.into())
}

/// The value of a header that occurs once.
#[cfg(feature = "issue")]
pub(crate) fn said<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    single_value(headers, name).flatten()
}

/// Whether a browser opens a page in a tab or window.
#[cfg(feature = "issue")]
pub(crate) fn opens_a_page(headers: &HeaderMap) -> bool {
    said(headers, "sec-fetch-mode") == Some("navigate")
        && said(headers, "sec-fetch-dest") == Some("document")
}

/// Whether a request does not name its origin. Browsers always do so for a method that is not
/// safe.
#[cfg(feature = "issue")]
pub(crate) fn is_silent(headers: &HeaderMap) -> bool {
    !headers.contains_key("sec-fetch-site") && !headers.contains_key(header::ORIGIN)
}

fn is_safe(method: &Method) -> bool {
    is_safe_name(method.as_str())
}

fn is_safe_name(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS")
}

fn is_websocket(headers: &HeaderMap) -> bool {
    headers.get_all(header::UPGRADE).iter().any(|value| {
        let mut protocols = value.as_bytes().split(|byte| *byte == b',');
        protocols.any(|one| one.trim_ascii().eq_ignore_ascii_case(b"websocket"))
    })
}
