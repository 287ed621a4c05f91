//! The patterns of issuers that may be resolved.

use std::fmt;

use crate::error::ConfigError;

/// A pattern that matches one issuer, or several that differ in whole segments of their path or
/// in whole labels of their host.
///
/// In the path, `{name}` matches one segment of letters, digits and `-._~`, as in
/// `https://login.example.com/{tenant}/v2.0`. In the host, it matches one label of 1 to 63
/// lower-case letters, digits and `-`, as in `https://{tenant}.example.com`: it never matches a
/// dot, a port or a part of the path. The scheme, the port and the last two labels of the host are
/// fixed.
///
/// # Security
///
/// With a variable label, keys are fetched from every host of that form that a token names, and
/// its holder is trusted as an issuer. So whoever can get a name below that domain, such as a
/// tenant, a user page or a forgotten entry in the DNS, can issue tokens, and this service connects
/// to internal hosts of that domain, too. Write it only if all names below the domain belong to
/// issuers, and never below a domain where others get names, such as `co.uk` or `github.io`. If
/// there are other names, let the [resolver](super::Issuers) check the tenant against a list.
///
/// # Example
/// ```
/// use tower_jwt_auth::verifier::IssuerPattern;
///
/// let pattern = IssuerPattern::new("https://login.example.com/{tenant}/v2.0")?;
/// assert!(pattern.matches("https://login.example.com/acme/v2.0"));
/// assert!(!pattern.matches("https://login.example.com/acme/x/v2.0"));
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct IssuerPattern(Box<str>);

impl IssuerPattern {
    /// Parses a pattern.
    ///
    /// # Errors
    ///
    /// Returns an error if the pattern does not begin with `scheme://host`, or has braces
    /// anywhere but around a whole segment of the path or a whole label of the host before its last
    /// two, or has them in an IPv4 address.
    pub fn new(pattern: impl Into<String>) -> Result<Self, ConfigError> {
        let pattern = pattern.into();
        let good = pattern.split_once("://").is_some_and(|(scheme, rest)| {
            let mut segments = rest.split('/');
            let host = segments.next().unwrap_or_default();
            let braces = |text: &str| text.contains(['{', '}']);
            !scheme.is_empty()
                && !braces(scheme)
                && is_host(host)
                && segments.all(|segment| is_open(segment) || !braces(segment))
        });
        if good {
            Ok(Self(pattern.into_boxed_str()))
        } else {
            Err(ConfigError::InvalidName(
                "the issuers that may be resolved are written with their scheme and host, and \
                 braces only around whole segments of the path, as in \
                 `https://login.example.com/{tenant}/v2.0`, or around whole labels before the last \
                 two of the host, as in `https://{tenant}.example.com`",
            ))
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether this issuer matches.
    #[must_use]
    pub fn matches(&self, issuer: &str) -> bool {
        let (mut ours, mut theirs) = (self.0.split('/'), issuer.split('/'));
        // The scheme, nothing, and the host.
        for part in 0..3 {
            match (ours.next(), theirs.next()) {
                (Some(our), Some(their)) if part == 2 && host_matches(our, their) => {}
                (Some(our), Some(their)) if part < 2 && our == their => {}
                _ => return false,
            }
        }
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return true,
                (Some(our), Some(their)) if is_open(our) && is_name(their) => {}
                (Some(our), Some(their)) if !is_open(our) && our == their => {}
                _ => return false,
            }
        }
    }
}

impl fmt::Debug for IssuerPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Whether a host has braces only around whole labels before its last two, and else only what a
/// host and a port may have: a `*` would match nothing.
fn is_host(host: &str) -> bool {
    let braces = |text: &str| text.contains(['{', '}']);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]{}".contains(&byte);
    if host.is_empty() || !host.bytes().all(plain) {
        return false;
    }
    if !braces(host) {
        return true;
    }
    // A host whose last label is a number is an IPv4 address (WHATWG URL §3.5), which has no domain.
    let name = host.split(':').next().unwrap_or_default();
    let last = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let is_hex =
        last.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()));
    if is_hex || last.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let mut from_the_end = host.rsplit('.').enumerate();
    from_the_end
        .all(|(at, label)| !label.is_empty() && (!braces(label) || (at > 1 && is_open(label))))
}

/// Whether a host matches a pattern, which may have variables as whole labels. A port belongs to
/// the last label.
fn host_matches(ours: &str, theirs: &str) -> bool {
    if !ours.contains('{') {
        return ours == theirs;
    }
    let (mut ours, mut theirs) = (ours.split('.'), theirs.split('.'));
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return true,
            (Some(our), Some(their)) if is_open(our) && is_label(their) => {}
            (Some(our), Some(their)) if !is_open(our) && our == their => {}
            _ => return false,
        }
    }
}

/// Whether it is a label of a host name in lower case (RFC 1123 §2.1).
fn is_label(label: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&label.len()) && label.bytes().all(plain)
}

fn is_open(segment: &str) -> bool {
    let inner = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    inner.is_some_and(|inner| !inner.is_empty() && !inner.contains(['{', '}']))
}

/// Whether a segment has only unreserved characters (RFC 3986 §2.3), and is not `.` or `..`, which
/// change the path (§5.2.4).
fn is_name(segment: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (1..=LONGEST).contains(&segment.len())
        && segment.bytes().all(unreserved)
        && !matches!(segment, "." | "..")
}

/// More than any name in use.
const LONGEST: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_stand_for_one_segment() {
        let pattern = IssuerPattern::new("https://a.example/{tenant}/v2.0").unwrap();
        assert!(pattern.matches("https://a.example/0-9_aZ.~/v2.0"));
        for other in [
            "https://a.example//v2.0",
            "https://a.example/x/v2.0/",
            "https://a.example/x/y/v2.0",
            "https://a.example/../v2.0",
            "https://a.example/%2e%2e/v2.0",
            "https://a.example/x?y/v2.0",
            "https://a.example/x#/v2.0",
            "https://a.example/{tenant}/v2.0",
            "https://a.example@evil.example/x/v2.0",
            "https://evil.example/x/v2.0",
            "http://a.example/x/v2.0",
            "",
        ] {
            assert!(!pattern.matches(other), "{other}");
        }
        assert!(!pattern.matches(&format!("https://a.example/{}/v2.0", "x".repeat(129))));
        let exact = IssuerPattern::new("https://a.example/").unwrap();
        assert!(exact.matches("https://a.example/") && !exact.matches("https://a.example"));
    }

    #[test]
    fn braces_in_the_host_stand_for_one_label() {
        let pattern = IssuerPattern::new("https://{tenant}.a.example:8443/oauth/{x}").unwrap();
        assert!(pattern.matches("https://acme-1.a.example:8443/oauth/y"));
        assert!(pattern.matches(&format!("https://{}.a.example:8443/oauth/y", "x".repeat(63))));
        for other in [
            "https://acme.a.example/oauth/y",
            "https://acme.a.example:443/oauth/y",
            "https://.a.example:8443/oauth/y",
            "https://a.example:8443/oauth/y",
            "https://a.b.a.example:8443/oauth/y",
            "https://evil.example/.a.example:8443/oauth/y",
            "https://evil.example:1.a.example:8443/oauth/y",
            "https://evil.example#.a.example:8443/oauth/y",
            "https://evil@.a.example:8443/oauth/y",
            "https://user:x@acme.a.example:8443/oauth/y",
            "https://Acme.a.example:8443/oauth/y",
            "https://ac_me.a.example:8443/oauth/y",
            "https://{tenant}.a.example:8443/oauth/y",
            "https://acme.a.example.evil.example:8443/oauth/y",
            "https://acme.a.example:8443",
            "http://acme.a.example:8443/oauth/y",
            "https:/acme.a.example:8443/oauth/y",
        ] {
            assert!(!pattern.matches(other), "{other}");
        }
        assert!(!pattern.matches(&format!("https://{}.a.example:8443/oauth/y", "x".repeat(64))));
        let two = IssuerPattern::new("https://{a}.x.{b}.example.com").unwrap();
        assert!(two.matches("https://1.x.2.example.com"));
        assert!(!two.matches("https://1.x.example.com"));
        for bad in [
            "https://{host}",
            "https://{host}/",
            "https://{t}.example",
            "https://a.{t}.example",
            "https://{t}..example.com",
            "https://x{t}.example.com",
            "https://{t}x.example.com",
            "https://{t}:80.example.com",
            "https://{}.example.com",
            "https://{a.b}.example.com",
            "https://user@{t}.example.com",
            "https://example.com:{port}",
            "https://{a}.{b}.0.1",
            "https://{a}.{b}.0.1:8443",
            "https://{a}.1",
            "https://{a}.168.1.0x7F",
            "{s}://{t}.example.com",
        ] {
            assert!(IssuerPattern::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_host_has_no_wildcard() {
        for bad in
            ["https://*.a.example", "https://*/{tenant}", "https://a b.example", "https://ä.b"]
        {
            assert!(IssuerPattern::new(bad).is_err(), "{bad}");
        }
        for good in ["https://[::1]:8080/{tenant}", "https://a_b.example:8443", "http://localhost"]
        {
            assert!(IssuerPattern::new(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn the_scheme_is_fixed() {
        for bad in ["", "a", "://a", "https://", "{s}://a/"] {
            assert!(IssuerPattern::new(bad).is_err(), "{bad}");
        }
        for bad in
            ["https://a/x{y}", "https://a/{}", "https://a/{x}{y}", "https://a/{x", "https://a/}"]
        {
            assert!(IssuerPattern::new(bad).is_err(), "{bad}");
        }
    }
}
