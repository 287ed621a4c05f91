//! The origin of a page, and the host that a request was sent to.

use std::{fmt, net::IpAddr};

use http::{HeaderMap, Uri, header, uri::Scheme};

use crate::error::ConfigError;

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

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let well_formed = scheme.len() <= LONGEST_SCHEME
            && scheme.starts_with(|first: char| first.is_ascii_lowercase())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        let (host, port) = authority_parts(authority)?;
        let port = port.or(default_port(&scheme));
        well_formed.then(|| Self {
            scheme: scheme.into_boxed_str(),
            host: host.to_ascii_lowercase().into_boxed_str(),
            port,
        })
    }

    /// Whether it is a loopback address without TLS.
    #[cfg(feature = "issue")]
    pub(crate) fn is_loopback(&self) -> bool {
        &*self.scheme == "http" && is_loopback(&self.host)
    }

    /// Whether it is a host of a local network without TLS: a private address, or a name that no
    /// public name server has.
    #[cfg(feature = "issue")]
    pub(crate) fn is_in_a_lan(&self) -> bool {
        &*self.scheme == "http" && is_in_a_lan(&self.host)
    }

    /// Whether it is a page of the web, and not of an application or an extension with a scheme of
    /// its own.
    pub(super) fn is_web(&self) -> bool {
        matches!(&*self.scheme, "http" | "https")
    }

    /// Whether anybody on the network could have written the page: it came without TLS, and not
    /// from this machine.
    pub(super) fn is_unencrypted(&self) -> bool {
        &*self.scheme == "http" && !is_loopback(&self.host)
    }

    /// Whether it is a page of a browser extension. With a permission for a host, a browser treats
    /// its requests to that host as if they were of the same site.
    #[cfg(feature = "issue")]
    pub(super) fn is_an_extension(&self) -> bool {
        self.scheme.ends_with("-extension")
    }

    /// Whether this and another origin differ only in the name of the same host: `localhost` and
    /// `127.0.0.1`.
    pub(super) fn is_alias_of(&self, other: &Self) -> bool {
        let key = |origin: &Self| (origin.scheme.clone(), origin.port);
        self != other
            && key(self) == key(other)
            && is_loopback(&self.host)
            && is_loopback(&other.host)
    }

    /// The origin with the scheme of this one and the host that a request was sent to.
    pub(super) fn at_host_of(&self, uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        let (host, port) = addressed(uri, headers)?;
        let (scheme, host) = (self.scheme.clone(), host.to_ascii_lowercase().into_boxed_str());
        Some(Self { port: port.or(default_port(&scheme)), scheme, host })
    }

    /// Whether this is the origin that the request was sent to. Behind a proxy that terminates
    /// TLS, the scheme of the request is not known.
    pub(crate) fn is_of(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let downgraded = uri.scheme() == Some(&Scheme::HTTPS) && &*self.scheme != "https";
        let Some((host, port)) = addressed(uri, headers) else { return false };
        self.is_web()
            && !downgraded
            && host.eq_ignore_ascii_case(&self.host)
            && port.or(default_port(&self.scheme)) == self.port
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        match self.port {
            Some(port) if self.port != default_port(&self.scheme) => write!(f, ":{port}"),
            _ => Ok(()),
        }
    }
}

/// Whether a request was sent to a loopback address.
#[cfg(feature = "issue")]
pub(crate) fn is_to_loopback(uri: &Uri, headers: &HeaderMap) -> bool {
    addressed(uri, headers).is_some_and(|(host, _)| is_loopback(host))
}

/// The host and port that a request was sent to.
pub(super) fn addressed<'r>(
    uri: &'r Uri,
    headers: &'r HeaderMap,
) -> Option<(&'r str, Option<u16>)> {
    let authority = match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => single_value(headers, header::HOST.as_str()).flatten(),
    };
    authority.and_then(authority_parts)
}

/// The value of a header that must not be repeated: `Some(None)` if it is absent, `None` if it
/// is repeated or not text.
pub(crate) fn single_value<'h>(headers: &'h HeaderMap, name: &str) -> Option<Option<&'h str>> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Some(None),
        (Some(value), None) => value.to_str().ok().map(Some),
        (Some(_), Some(_)) => None,
    }
}

/// A host without the brackets of an IPv6 address.
fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Whether a host is this machine (RFC 6761 §6.3 for the names).
fn is_loopback(host: &str) -> bool {
    let host = without_brackets(host).to_ascii_lowercase();
    host == "localhost"
        || host.strip_suffix(".localhost").is_some_and(|name| !name.is_empty())
        || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(feature = "issue")]
fn is_in_a_lan(host: &str) -> bool {
    const UNIQUE_LOCAL: u16 = 0xfc00;
    let host = without_brackets(host).to_ascii_lowercase();
    match host.parse() {
        Ok(IpAddr::V4(v4)) => return v4.is_private() || v4.is_link_local(),
        Ok(IpAddr::V6(v6)) => {
            let [first, ..] = v6.segments();
            return first & 0xfe00 == UNIQUE_LOCAL || v6.is_unicast_link_local();
        }
        Err(_) => {}
    }
    // Browsers read a host as an address if its last part is a number, such as `0x7f00000a`.
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_name = last.ends_with(|end: char| end.is_ascii_alphabetic()) && !last.starts_with("0x");
    let local = [".local", ".lan", ".internal", ".home.arpa"];
    is_name && (!host.contains('.') || local.iter().any(|end| host.ends_with(end)))
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
    let name = without_brackets(host);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let literal = name.len() != host.len();
    let good = !name.is_empty()
        && name.len() <= LONGEST_HOST
        && name.bytes().all(|byte| plain(byte) || (literal && byte == b':'));
    good.then_some((host, port))
}

/// The longest scheme in bytes: a client must not fill the log with the name of its page.
const LONGEST_SCHEME: usize = 32;

/// The longest name of a host in bytes (RFC 1035 §2.3.4).
const LONGEST_HOST: usize = 253;

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_hosts() {
        assert_eq!(authority_parts("[::1]:80"), Some(("[::1]", Some(80))));
        assert_eq!(authority_parts("[::1]"), Some(("[::1]", None)));
        for bad in ["", ":80", "a:", "a:99999", "a:+1", "a b", "[::1", "::1", "a@b"] {
            assert_eq!(authority_parts(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn this_machine_has_many_names() {
        for host in ["localhost", "LOCALHOST", "app.localhost", "a.b.localhost", "127.9.9.9"] {
            assert!(is_loopback(host), "{host}");
        }
        assert!(is_loopback("[::1]"));
        for host in ["", ".localhost", "xlocalhost", "localhost.example", "128.0.0.1", "[::2]"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[cfg(feature = "issue")]
    #[test]
    fn a_local_network_has_private_addresses_and_names() {
        for host in [
            "192.168.1.20",
            "10.0.0.1",
            "172.31.0.1",
            "169.254.1.1",
            "[fd00::1]",
            "[fe80::1]",
            "laptop",
            "laptop.local",
            "a.home.arpa",
        ] {
            assert!(is_in_a_lan(host), "{host}");
        }
        for host in [
            "8.8.8.8",
            "172.32.0.1",
            "0x08080808",
            "0x0808080a",
            "8.8.8.0xa",
            "134744072",
            "[2001:db8::1]",
            "app.example.com",
            "evil.localx",
            "192.168.1.20.example.com",
            "",
        ] {
            assert!(!is_in_a_lan(host), "{host}");
        }
    }

    #[test]
    fn a_client_cannot_fill_the_log_with_the_name_of_its_page() {
        let host = |length: usize| format!("https://{}", "a".repeat(length));
        assert!(Origin::parse(&host(253)).is_some() && Origin::parse(&host(254)).is_none());
        let scheme = |length: usize| format!("{}://a", "s".repeat(length));
        assert!(Origin::parse(&scheme(32)).is_some() && Origin::parse(&scheme(33)).is_none());
    }

    #[test]
    fn an_origin_is_shown_as_browsers_write_it() {
        for text in ["https://a.example", "http://a.example:3000", "chrome-extension://abc"] {
            assert_eq!(Origin::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(
            Origin::parse("https://A.example:443").unwrap().to_string(),
            "https://a.example"
        );
    }
}
