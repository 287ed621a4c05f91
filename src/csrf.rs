//! The check that a request with a cookie comes from a page that may use the cookie.
//!
//! A browser adds its cookies to requests that other sites make. So a cookie
//! counts on an unsafe request only with positive evidence that the page has the
//! same origin, or one that is configured as trusted.

#[cfg(feature = "issue")]
use std::net::IpAddr;

use http::{HeaderMap, Method, Uri, header, uri::Scheme};

use crate::error::{ConfigError, Error, ErrorKind};

/// Decides on one request:
///
/// 1. `GET`, `HEAD` and `OPTIONS` pass (RFC 9110 §9.2.1), except for a WebSocket handshake,
///    which opens a channel in both directions. Only the real method counts.
/// 2. `Sec-Fetch-Site: same-origin` passes, unless an `Origin` contradicts it.
/// 3. Without `Sec-Fetch-Site`, an `Origin` passes that is the request's own or a trusted one.
///    The request's own origin is `public`, or without that, the origin of the host that the
///    request was sent to.
/// 4. With `same-site` or `cross-site`, an `Origin` passes that is trusted and not the
///    request's own.
/// 5. Everything else is refused: neither header, one of them twice, `Origin: null`.
pub(crate) fn check(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    public: Option<&Origin>,
    trusted: &[Origin],
) -> Result<(), Error> {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) && !is_websocket(headers) {
        return Ok(());
    }
    match evidence(uri, headers, public, trusted) {
        Some(()) => Ok(()),
        None => Err(Error::new(ErrorKind::CrossSite)),
    }
}

fn evidence(
    uri: &Uri,
    headers: &HeaderMap,
    public: Option<&Origin>,
    trusted: &[Origin],
) -> Option<()> {
    let site = single_value(headers, "sec-fetch-site")?;
    let origin = match single_value(headers, header::ORIGIN.as_str())? {
        None => None,
        Some(text) => Some(Origin::parse(text)?),
    };
    let own = origin.as_ref().map(|origin| match public {
        Some(public) => origin == public,
        None => origin.is_of(uri, headers),
    });
    let listed = origin.as_ref().is_some_and(|origin| trusted.contains(origin));
    let passes = match (site, own) {
        (Some("same-origin"), None) => true,
        (Some("same-origin") | None, Some(own)) => own || listed,
        (Some("same-site" | "cross-site"), Some(own)) => listed && !own,
        _ => false,
    };
    passes.then_some(())
}

/// Whether a request does not name its origin. Browsers always do so for a method that is not
/// safe.
#[cfg(feature = "issue")]
pub(crate) fn is_silent(headers: &HeaderMap) -> bool {
    !headers.contains_key("sec-fetch-site") && !headers.contains_key(header::ORIGIN)
}

/// Whether a request was sent to a loopback address.
#[cfg(feature = "issue")]
pub(crate) fn is_to_loopback(uri: &Uri, headers: &HeaderMap) -> bool {
    addressed(uri, headers).is_some_and(|(host, _)| is_loopback(host))
}

/// The host and port that a request was sent to.
fn addressed<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Option<(&'r str, Option<u16>)> {
    let authority = match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => single_value(headers, header::HOST.as_str()).flatten(),
    };
    authority.and_then(authority_parts)
}

#[cfg(feature = "issue")]
fn is_loopback(host: &str) -> bool {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// The value of a header that must not be repeated: `Some(None)` if it is absent, `None` if it
/// is repeated or not text.
fn single_value<'h>(headers: &'h HeaderMap, name: &str) -> Option<Option<&'h str>> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Some(None),
        (Some(value), None) => value.to_str().ok().map(Some),
        (Some(_), Some(_)) => None,
    }
}

fn is_websocket(headers: &HeaderMap) -> bool {
    headers.get_all(header::UPGRADE).iter().any(|value| {
        let mut protocols = value.as_bytes().split(|byte| *byte == b',');
        protocols.any(|one| one.trim_ascii().eq_ignore_ascii_case(b"websocket"))
    })
}

/// The origin of a page (RFC 6454 §6.2), with its port written out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    scheme: Box<str>,
    host: Box<str>,
    port: Option<u16>,
}

impl Origin {
    /// A trusted origin, from the configuration.
    pub(crate) fn new(text: &str) -> Result<Self, ConfigError> {
        Self::parse(text).ok_or(ConfigError::InvalidName(
            "a trusted origin must be a scheme, a host and maybe a port, without a path, such as \
             `https://app.example.com`",
        ))
    }

    /// The origin of a service, from the configuration.
    pub(crate) fn of_a_service(text: &str) -> Result<Self, ConfigError> {
        Self::parse(text).filter(Self::is_web).ok_or(ConfigError::InvalidName(
            "the origin of a service must be `https` or `http`, a host and maybe a port, without \
             a path, such as `https://api.example.com`",
        ))
    }

    /// Whether it is a loopback address without TLS.
    #[cfg(feature = "issue")]
    pub(crate) fn is_loopback(&self) -> bool {
        &*self.scheme == "http" && is_loopback(&self.host)
    }

    fn is_web(&self) -> bool {
        matches!(&*self.scheme, "http" | "https")
    }

    fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let well_formed = scheme.starts_with(|first: char| first.is_ascii_lowercase())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        let (host, port) = authority_parts(authority)?;
        let port = port.or(default_port(&scheme));
        well_formed.then(|| Self {
            scheme: scheme.into_boxed_str(),
            host: host.to_ascii_lowercase().into_boxed_str(),
            port,
        })
    }

    /// Whether this is the origin that the request was sent to. Behind a proxy that terminates
    /// TLS, the scheme of the request is not known.
    fn is_of(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let downgraded = uri.scheme() == Some(&Scheme::HTTPS) && &*self.scheme != "https";
        let Some((host, port)) = addressed(uri, headers) else { return false };
        self.is_web()
            && !downgraded
            && host.eq_ignore_ascii_case(&self.host)
            && port.or(default_port(&self.scheme)) == self.port
    }
}

/// The host and the port of an authority that has nothing else.
fn authority_parts(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
            (host, Some(digits.then(|| port.parse().ok()).flatten()?))
        }
        _ => (authority, None),
    };
    let name = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let literal = name.len() != host.len();
    let good =
        !name.is_empty() && name.bytes().all(|byte| plain(byte) || (literal && byte == b':'));
    good.then_some((host, port))
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    /// `headers` as `name: value` lines, on top of `host: app.example`.
    fn passes(method: &str, headers: &[(&str, &str)], trusted: &[&str]) -> bool {
        let mut request = Request::builder().method(method).uri("/").header("host", "app.example");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let trusted: Vec<_> = trusted.iter().map(|text| Origin::new(text).unwrap()).collect();
        check(&parts.method, &parts.uri, &parts.headers, None, &trusted).is_ok()
    }

    #[test]
    fn safe_methods_pass_but_for_websockets() {
        for method in ["GET", "HEAD", "OPTIONS"] {
            assert!(passes(method, &[("origin", "https://evil.example")], &[]));
        }
        for method in ["POST", "PUT", "PATCH", "DELETE", "CONNECT", "TRACE", "get", "QUERY"] {
            assert!(!passes(method, &[], &[]), "{method}");
        }
        assert!(!passes("GET", &[("upgrade", "h2c, WebSocket")], &[]));
        let own = [("upgrade", "websocket"), ("origin", "https://app.example")];
        assert!(passes("GET", &own, &[]));
    }

    #[test]
    fn evidence_is_positive() {
        let own = ("origin", "https://app.example");
        let site = |value| ("sec-fetch-site", value);
        assert!(passes("POST", &[site("same-origin")], &[]));
        assert!(passes("POST", &[own], &[]));
        assert!(passes("POST", &[site("same-origin"), own], &[]));
        assert!(passes("POST", &[("origin", "https://APP.example:443")], &[]));
        assert!(passes("POST", &[("origin", "http://app.example")], &[]));
        for headers in [
            &[][..],
            &[site("cross-site")],
            &[site("same-site")],
            &[site("none")],
            &[site("none"), own],
            &[site("Same-Origin")],
            &[site("same-origin"), site("same-origin")],
            &[site("cross-site"), own],
            &[site("same-site"), ("origin", "https://evil.app.example")],
            &[site("same-origin"), ("origin", "https://evil.example")],
            &[("origin", "null")],
            &[site("same-origin"), ("origin", "null")],
            &[own, own],
            &[own, ("origin", "https://evil.example")],
            &[("origin", "https://app.example.evil.example")],
            &[("origin", "https://app.example:8443")],
            &[("origin", "https://app.example/")],
            &[("origin", "https://evil@app.example")],
            &[("origin", "app.example")],
            &[("origin", "ftp://app.example")],
            &[("x-http-method-override", "GET")],
            &[("referer", "https://app.example/")],
        ] {
            assert!(!passes("POST", headers, &[]), "{headers:?}");
        }
    }

    #[test]
    fn trusted_origins_pass() {
        let trusted = ["https://admin.example:8443", "capacitor://localhost"];
        let admin = ("origin", "https://admin.example:8443");
        assert!(passes("POST", &[admin], &trusted));
        assert!(passes("POST", &[("sec-fetch-site", "cross-site"), admin], &trusted));
        assert!(passes("POST", &[("sec-fetch-site", "same-origin"), admin], &trusted));
        assert!(passes("POST", &[("origin", "capacitor://localhost")], &trusted));
        assert!(!passes("POST", &[("sec-fetch-site", "none"), admin], &trusted));
        assert!(!passes("POST", &[("origin", "https://admin.example")], &trusted));
        for text in ["", "null", "app.example", "https://", "https://a/b", "https://a:x", "://a"] {
            assert!(Origin::new(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn with_a_public_origin_the_host_has_no_say() {
        let public = Origin::new("https://app.example").unwrap();
        let with = |origin: &str, host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("origin", origin.parse().unwrap());
            headers.insert("host", host.parse().unwrap());
            check(&Method::POST, &Uri::from_static("/"), &headers, Some(&public), &[]).is_ok()
        };
        assert!(with("https://app.example", "inside:3000"));
        assert!(!with("https://evil.example", "evil.example"));
        assert!(!with("http://app.example", "app.example"));
        for bad in ["ftp://app.example", "app.example", "https://app.example/x", ""] {
            assert!(Origin::of_a_service(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn http_2_names_its_host_in_the_uri() {
        let uri: Uri = "https://app.example/x".parse().unwrap();
        let with = |origin: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("origin", origin.parse().unwrap());
            check(&Method::POST, &uri, &headers, None, &[]).is_ok()
        };
        assert!(with("https://app.example"));
        assert!(!with("http://app.example"), "the request came over TLS, the page did not");
        assert!(!with("https://other.example"));
    }

    #[test]
    fn ipv6_hosts() {
        assert_eq!(authority_parts("[::1]:80"), Some(("[::1]", Some(80))));
        assert_eq!(authority_parts("[::1]"), Some(("[::1]", None)));
        for bad in ["", ":80", "a:", "a:99999", "a:+1", "a b", "[::1", "::1", "a@b"] {
            assert_eq!(authority_parts(bad), None, "{bad:?}");
        }
    }
}
