//! The path that a browser goes back to when its session was renewed.

use std::{fmt, fmt::Write};

use http::{HeaderMap, Uri, header};

use crate::issue::is_dot_segment;

/// A path of this service, maybe with a query: it begins with one `/`, and nothing in it can lead
/// to another host or add a line to a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReturnPath(Box<str>);

impl ReturnPath {
    /// Reads a path, unless it is that of the route that renews.
    pub(super) fn read(text: &str, renew: &str) -> Option<Self> {
        let path = text.split('?').next().unwrap_or_default();
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#');
        let good = text.len() <= LONGEST
            && path.starts_with('/')
            && !path.contains("//")
            && text.bytes().all(plain)
            && !path.split('/').any(is_dot_segment)
            && path.trim_end_matches('/') != renew;
        good.then(|| Self(text.into()))
    }

    /// The path of a request.
    pub(super) fn of(uri: &Uri, renew: &str) -> Option<Self> {
        Self::read(uri.path_and_query()?.as_str(), renew)
    }

    /// The path of the page that has sent a request.
    pub(super) fn of_referer(headers: &HeaderMap, renew: &str) -> Option<Self> {
        let referer = headers.get(header::REFERER)?.to_str().ok()?;
        Self::of(&referer.parse().ok()?, renew)
    }

    /// The path from a query, where it is percent-encoded.
    pub(super) fn from_query(uri: &Uri, name: &str, renew: &str) -> Option<Self> {
        let mut values = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = values.find(|(one, _)| *one == name)?;
        Self::read(&decoded(value)?, renew)
    }

    /// The start page.
    pub(super) fn start() -> Self {
        Self("/".into())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The path as the value of a parameter.
    pub(super) fn encoded(&self) -> String {
        let mut text = String::with_capacity(self.0.len());
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
                text.push(char::from(byte));
            } else {
                // Writing to a text does not fail.
                let _ = write!(text, "%{byte:02X}");
            }
        }
        text
    }
}

/// The path as the value of an attribute in HTML.
impl fmt::Display for ReturnPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|one| match one {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            one => f.write_char(one),
        })
    }
}

/// Percent-decodes a value (RFC 3986 §2.1).
fn decoded(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = digit().zip(digit())?;
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// The longest path in bytes that a browser is sent back to.
const LONGEST: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    const RENEW: &str = "/auth/renew";

    #[test]
    fn only_local_paths() {
        for good in ["/", "/a/b?x=1&y=//z", "/a%2Fb", "/?next=https://a.example", "/auth/renewal"] {
            assert_eq!(ReturnPath::read(good, RENEW).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "a",
            "//evil.example",
            "/a//evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/a\r\nset-cookie: x",
            "/\t/evil.example",
            " /a",
            "/a b",
            "/\u{e4}",
            "/a\0",
            "/a#b",
            "?a",
            "/auth/renew",
            "/auth/renew/",
            "/auth/renew?to=/auth/renew",
            "/auth/./renew",
            "/auth/%2e/renew",
            "/x/../auth/renew",
            "/x/.%2E/auth/renew",
            "/..",
        ] {
            assert_eq!(ReturnPath::read(bad, RENEW), None, "{bad:?}");
        }
        assert_eq!(ReturnPath::read(&format!("/{}", "x".repeat(LONGEST)), RENEW), None);
    }

    #[test]
    fn a_path_comes_back_from_the_query() {
        let uri = |query: &str| format!("/auth/renew?{query}").parse::<Uri>().unwrap();
        for text in ["/", "/a/b?x=1&y=%20+#".trim_end_matches('#'), "/%2F%2Fevil.example"] {
            let path = ReturnPath::read(text, RENEW).unwrap();
            let query = format!("a=b&to={}&to=x", path.encoded());
            assert_eq!(ReturnPath::from_query(&uri(&query), "to", RENEW), Some(path));
        }
        for bad in
            ["to", "to=", "to=%", "to=%2F%2Fevil.example", "to=%2F%5Cevil", "to=%2f%0d", "x=/"]
        {
            assert_eq!(ReturnPath::from_query(&uri(bad), "to", RENEW), None, "{bad}");
        }
        let quoted = ReturnPath::read("/a?\"><b&'", RENEW).unwrap();
        assert_eq!(quoted.to_string(), "/a?&quot;&gt;&lt;b&amp;&#39;");
    }
}
