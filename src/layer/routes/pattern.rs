//! The text of a route: a method and a path.

use http::Method;

/// A route as it is written in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    /// `None`: all methods.
    pub(super) method: Option<Method>,
    /// With parameters, which the router checks.
    pub(super) path: String,
}

impl Pattern {
    /// Parses `GET /path` or `/path`. The error says what to write.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (method, path) = match text.split_once(' ') {
            Some((method, path)) => (Some(parse_method(method)?), path),
            None => (None, text),
        };
        if !path.starts_with('/') {
            return Err("write a path that begins with `/`, such as `GET /orders/{id}`".into());
        }
        if path.contains([' ', '?', '#']) {
            return Err("no path of a request has a blank, `?` or `#`, take it out".into());
        }
        for segment in path.split('/') {
            if let Some(name) = segment.strip_prefix(':') {
                return Err(format!("write `{{{name}}}` in place of `:{name}`"));
            }
            if let Some(name) = segment.strip_prefix('*') {
                return Err(format!("write `{{*{name}}}` in place of `*{name}`"));
            }
        }
        Ok(Self { method, path: path.to_owned() })
    }
}

fn parse_method(text: &str) -> Result<Method, String> {
    let upper = text.to_ascii_uppercase();
    if upper != text {
        return Err(format!("write the method as `{upper}`, methods are case-sensitive"));
    }
    Method::from_bytes(text.as_bytes())
        .map_err(|_| "write one method before the path, or none, with one blank between".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_optional() {
        let parsed = |text: &str| Pattern::parse(text).unwrap();
        let pattern = |method: Option<Method>, path: &str| Pattern { method, path: path.into() };
        assert_eq!(parsed("GET /a/{b}"), pattern(Some(Method::GET), "/a/{b}"));
        assert_eq!(parsed("/"), pattern(None, "/"));
        assert_eq!(parsed("PURGE /{*x}"), pattern(Method::from_bytes(b"PURGE").ok(), "/{*x}"));
        assert_eq!(parsed("/a:b/c*"), pattern(None, "/a:b/c*"));
    }

    #[test]
    fn errors_say_what_to_write() {
        for (text, part) in [
            ("", "begins with `/`"),
            ("GET", "begins with `/`"),
            ("GET  /a", "begins with `/`"),
            ("orders", "begins with `/`"),
            ("get /a", "write the method as `GET`"),
            ("G@T{} /a", "one method before the path"),
            ("GET,POST /a", "one method before the path"),
            (" /a", "one method before the path"),
            ("GET /a b", "has a blank"),
            ("/a?b=c", "`?`"),
            ("/a/:id", "write `{id}` in place of `:id`"),
            ("/a/*rest", "write `{*rest}` in place of `*rest`"),
        ] {
            let reason = Pattern::parse(text).unwrap_err();
            assert!(reason.contains(part), "{text}: {reason}");
        }
    }
}
