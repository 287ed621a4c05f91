//! The query parameter `access_token` (RFC 6750 §2.3).

use std::borrow::Cow;

use http::{Uri, uri::PathAndQuery};

use super::malformed::{empty, malformed, several};
use crate::error::Error;

pub(super) fn find(uri: &Uri) -> Result<Option<Cow<'_, str>>, Error> {
    let Some(query) = uri.query() else { return Ok(None) };
    let mut values = query.split('&').filter_map(ours);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(""), None) => Err(empty()),
        (Some(value), None) => decode(value).ok_or_else(malformed).map(Some),
        (Some(_), Some(_)) => Err(several()),
    }
}

/// Removes the parameter, and leaves the others as they are written.
pub(super) fn strip(uri: &mut Uri) {
    let Some(query) = uri.query().filter(|query| query.split('&').any(|one| ours(one).is_some()))
    else {
        return;
    };
    let left: Vec<_> = query.split('&').filter(|pair| ours(pair).is_none()).collect();
    let mark = if left.is_empty() { "" } else { "?" };
    let path = format!("{}{mark}{}", uri.path(), left.join("&"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(path).ok();
    if let Ok(stripped) = Uri::from_parts(parts) {
        *uri = stripped;
    }
}

fn ours(pair: &str) -> Option<&str> {
    match pair.split_once('=') {
        Some(("access_token", value)) => Some(value),
        None if pair == "access_token" => Some(""),
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
        find(&uri).map(|found| found.map(Cow::into_owned)).map_err(drop)
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
    fn stripped_alone() {
        for (before, after) in [
            ("/p?access_token=a", "/p"),
            ("/p?x=%20&access_token=a&y", "/p?x=%20&y"),
            ("http://h:1/p?access_token=a&z=1", "http://h:1/p?z=1"),
            ("/p?x=1", "/p?x=1"),
        ] {
            let mut uri: Uri = before.parse().unwrap();
            strip(&mut uri);
            assert_eq!(uri, after);
        }
    }
}
