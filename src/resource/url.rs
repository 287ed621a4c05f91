//! The URLs of a resource and of its metadata (RFC 9728 §1.2, §3.1).

use std::fmt;

use crate::http_url;

/// A URL in the one spelling that all parties write: it is compared as a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Canonical {
    pub(super) origin: String,
    /// Empty for the root, and without a slash at its end.
    pub(super) path: String,
}

impl fmt::Display for Canonical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

/// The canonical form of a URL: `https`, or `http` on loopback.
///
/// # Errors
///
/// A text that says what is wrong with it.
pub(super) fn canonical(url: &str) -> Result<Canonical, &'static str> {
    let address =
        http_url::parse(url).ok_or("is not an absolute `https` URL without user information")?;
    if address.has_more {
        return Err("has a query or a fragment");
    }
    if !address.origin.is_https() && !address.origin.is_loopback() {
        return Err("is `http`, which is for loopback only");
    }
    // Some readers escape them, and others do not.
    if address.path.contains(['[', ']', '^', '|']) {
        return Err("has a character that must be percent-encoded");
    }
    let path = address.path.trim_end_matches('/').to_owned();
    Ok(Canonical { origin: address.origin.to_string(), path })
}

/// The name of a resource whose metadata is not where its name leads: any URI without a fragment.
pub(super) fn check_uri(uri: &str) -> Result<(), &'static str> {
    let scheme = uri.split_once(':').filter(|(_, rest)| !rest.is_empty()).map(|(scheme, _)| scheme);
    let is_scheme = scheme.is_some_and(|scheme| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    if !is_scheme || !uri.bytes().all(|byte| byte.is_ascii_graphic()) || uri.contains('#') {
        return Err("is not an absolute URI without a fragment");
    }
    if scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("http"))
        && !http_url::parse(uri).is_some_and(|address| address.origin.is_loopback())
    {
        return Err("is `http`, which is for loopback only");
    }
    Ok(())
}

/// The path at which the metadata of a resource with this path is (RFC 9728 §3.1).
pub(super) fn well_known(path: &str) -> String {
    format!("/.well-known/oauth-protected-resource{path}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(url: &str) -> Result<String, &'static str> {
        canonical(url).map(|url| url.to_string())
    }

    #[test]
    fn c02_one_spelling_of_a_url() {
        for (url, expected) in [
            ("https://api.example.com", "https://api.example.com"),
            ("https://api.example.com/", "https://api.example.com"),
            ("https://api.example.com//", "https://api.example.com"),
            ("HTTPS://API.Example.COM:443/mcp/", "https://api.example.com/mcp"),
            ("https://api.example.com:8443/MCP", "https://api.example.com:8443/MCP"),
            ("https://api.example.com/%7ea/%2fb", "https://api.example.com/~a/%2Fb"),
            ("https://api.example.com/a/../b/.", "https://api.example.com/b"),
            ("http://127.0.0.1:80/x", "http://127.0.0.1/x"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://[::1]:3000/", "http://[::1]:3000"),
            ("https://[2001:DB8::1]/", "https://[2001:db8::1]"),
        ] {
            assert_eq!(text(url).as_deref(), Ok(expected), "{url}");
        }
    }

    #[test]
    fn c02_what_is_no_resource() {
        for (url, said) in [
            ("", "absolute"),
            ("api.example.com", "absolute"),
            ("urn:example:api", "absolute"),
            ("ftp://api.example.com", "absolute"),
            ("https://", "absolute"),
            ("https://user@api.example.com", "absolute"),
            ("https://api.example.com/\u{e4}", "absolute"),
            ("https://api.example.com/a b", "absolute"),
            ("https://api.example.com/%zz", "absolute"),
            ("https://api.example.com#a", "fragment"),
            ("https://api.example.com/#", "fragment"),
            ("https://api.example.com?a=b", "query"),
            ("http://api.example.com", "loopback"),
            ("http://localhost.example.com", "loopback"),
            ("https://api.example.com/[a]", "percent-encoded"),
        ] {
            assert!(text(url).is_err_and(|fault| fault.contains(said)), "{url}: {:?}", text(url));
        }
    }

    #[test]
    fn any_uri_may_be_a_name() {
        for uri in ["urn:example:api", "api://4711", "https://api.example.com/", "http://[::1]/a"] {
            assert_eq!(check_uri(uri), Ok(()), "{uri}");
        }
        for uri in ["", ":", "urn:", "my api:x", "1:x", "urn:a#b", "urn:a b", "http://a.example"] {
            assert!(check_uri(uri).is_err(), "{uri}");
        }
    }

    proptest! {
        #[test]
        fn c02_the_canonical_form_is_that_of_itself(
            origin in "https://[a-zA-Z0-9.-]{1,20}(:[0-9]{1,5})?",
            path in "(/[a-zA-Z0-9._~!$&'()*+,;=:@-]{0,8}|/%[0-9a-fA-F]{2}|/){0,6}",
        ) {
            if let Ok(first) = text(&format!("{origin}{path}")) {
                prop_assert_eq!(text(&first), Ok(first.clone()));
                prop_assert!(!first.ends_with('/'));
                let with_slash = format!("{first}/");
                prop_assert_eq!(text(&with_slash), Ok(first));
            }
        }
    }
}
