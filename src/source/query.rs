//! A query parameter: `access_token` (RFC 6750 §2.3), or one of another name.

use std::borrow::Cow;

use http::{Uri, uri::PathAndQuery};

use super::malformed::{empty, malformed, several};
use crate::error::Error;

pub(super) fn find<'u>(uri: &'u Uri, name: &str) -> Result<Option<Cow<'u, str>>, Error> {
    let Some(query) = uri.query() else { return Ok(None) };
    let mut values = query.split('&').filter_map(|pair| ours(pair, name));
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(""), None) => Err(empty()),
        (Some(value), None) => decode(value).ok_or_else(malformed).map(Some),
        (Some(_), Some(_)) => Err(several()),
    }
}

/// Removes the parameter, and leaves the others as they are written.
pub(super) fn strip(uri: &mut Uri, name: &str) {
    let is_ours = |pair: &str| ours(pair, name).is_some();
    let Some(query) = uri.query().filter(|query| query.split('&').any(is_ours)) else { return };
    let left: Vec<_> = query.split('&').filter(|pair| !is_ours(pair)).collect();
    let mark = if left.is_empty() { "" } else { "?" };
    let path = format!("{}{mark}{}", uri.path(), left.join("&"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(path).ok();
    if let Ok(stripped) = Uri::from_parts(parts) {
        *uri = stripped;
    }
}

/// The value of a pair, if it has this name.
fn ours<'p>(pair: &'p str, name: &str) -> Option<&'p str> {
    match pair.split_once('=') {
        // Every `/?` would have an empty name.
        _ if name.is_empty() => None,
        Some((one, value)) if one == name => Some(value),
        None if pair == name => Some(""),
        _ => None,
    }
}

/// Percent-decodes a value (RFC 3986 §2.1); `None` if its encoding is malformed.
fn decode(value: &str) -> Option<Cow<'_, str>> {
    if !value.contains('%') {
        return Some(Cow::Borrowed(value));
    }
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(query: &str) -> Result<Option<String>, ()> {
        let uri: Uri = format!("/path?{query}").parse().unwrap();
        find(&uri, "access_token").map(|found| found.map(Cow::into_owned)).map_err(drop)
    }

    #[test]
    fn found_once_and_decoded() {
        assert_eq!(found("access_token=a.b.c"), Ok(Some("a.b.c".into())));
        assert_eq!(found("x=1&access_token=a%2Eb%2ec&y"), Ok(Some("a.b.c".into())));
        assert_eq!(found("access_token"), Err(()));
        assert_eq!(found("access_token="), Err(()));
        for query in ["", "x=access_token", "Access_Token=a", "access_token2=a", "token=a"] {
            assert_eq!(found(query), Ok(None), "{query}");
        }
        for query in [
            "access_token=%",
            "access_token=%4",
            "access_token=%FF",
            "access_token=%zz",
            "access_token=%+1",
            "access_token=a&access_token=a",
        ] {
            assert_eq!(found(query), Err(()), "{query}");
        }
    }

    #[test]
    fn another_name_is_found_by_itself() {
        let uri: Uri = "/p?access_token=x&token=a.b%2Ec&tokens=y".parse().unwrap();
        assert_eq!(find(&uri, "token").unwrap().as_deref(), Some("a.b.c"));
        let mut uri = uri;
        strip(&mut uri, "token");
        assert_eq!(uri, "/p?access_token=x&tokens=y");
        for uri in ["/p?", "/p?=x", "/p?a&&b"] {
            assert_eq!(find(&uri.parse().unwrap(), "").unwrap(), None, "{uri}");
        }
    }

    #[test]
    fn stripped_alone() {
        for (before, after) in [
            ("/p?access_token=a", "/p"),
            ("/p?x=%20&access_token=a&y", "/p?x=%20&y"),
            ("http://h:1/p?access_token=a&z=1", "http://h:1/p?z=1"),
            ("/p?x=1", "/p?x=1"),
        ] {
            let mut uri: Uri = before.parse().unwrap();
            strip(&mut uri, "access_token");
            assert_eq!(uri, after);
        }
    }
}
