//! The patterns of issuers that may be resolved.

use std::fmt;

use crate::error::ConfigError;

/// A pattern that matches one issuer, or several that differ in whole segments of their path.
///
/// `{name}` matches one segment of letters, digits and `-._~`, as in
/// `https://login.example.com/{tenant}/v2.0`. Scheme and host are fixed, so no segment can
/// lead to another host.
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
    /// anywhere but around a whole segment of the path.
    pub fn new(pattern: impl Into<String>) -> Result<Self, ConfigError> {
        let pattern = pattern.into();
        let good = pattern.split_once("://").is_some_and(|(scheme, rest)| {
            let mut segments = rest.split('/');
            let host = segments.next().unwrap_or_default();
            let braces = |text: &str| text.contains(['{', '}']);
            !scheme.is_empty()
                && !braces(scheme)
                && !host.is_empty()
                && !braces(host)
                && segments.all(|segment| is_open(segment) || !braces(segment))
        });
        if good {
            Ok(Self(pattern.into_boxed_str()))
        } else {
            Err(ConfigError::InvalidName(
                "the issuers that may be resolved are written with their scheme and host, and \
                 braces around whole segments of the path alone, as in \
                 `https://login.example.com/{tenant}/v2.0`",
            ))
        }
    }

    /// Returns whether this issuer matches.
    #[must_use]
    pub fn matches(&self, issuer: &str) -> bool {
        let (mut ours, mut theirs) = (self.0.split('/'), issuer.split('/'));
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
    fn scheme_and_host_are_fixed() {
        for bad in
            ["", "a", "://a", "https://", "https://{host}/", "https://{t}.a.example/", "{s}://a/"]
        {
            assert!(IssuerPattern::new(bad).is_err(), "{bad}");
        }
        for bad in
            ["https://a/x{y}", "https://a/{}", "https://a/{x}{y}", "https://a/{x", "https://a/}"]
        {
            assert!(IssuerPattern::new(bad).is_err(), "{bad}");
        }
    }
}
