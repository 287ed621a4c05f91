//! `Authorization: Bearer`, and headers of other names.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::malformed::{empty, malformed, several};
use crate::error::Error;

/// The credentials of `Authorization: Bearer` (RFC 6750 §2.1), without the spaces around them.
#[inline]
pub(super) fn authorization(headers: &HeaderMap) -> Result<Option<&[u8]>, Error> {
    let value = only(headers, &header::AUTHORIZATION)?;
    match value.and_then(|value| bearer(value.as_bytes())).map(trim) {
        Some([]) => Err(empty()),
        credentials => Ok(credentials),
    }
}

/// The credentials of `Authorization: DPoP` (RFC 9449 §7.1), without the spaces around them.
#[cold]
pub(super) fn dpop(headers: &HeaderMap) -> Result<Option<&[u8]>, Error> {
    let value = only(headers, &header::AUTHORIZATION)?;
    match value.and_then(|value| after_scheme(value.as_bytes(), b"dpop")).map(trim) {
        Some([]) => Err(empty()),
        credentials => Ok(credentials),
    }
}

/// The token of another header.
pub(super) fn other<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'h str>, Error> {
    match only(headers, name)? {
        None => Ok(None),
        Some(value) => {
            let bytes = value.as_bytes();
            match trim(bearer(bytes).unwrap_or(bytes)) {
                [] => Err(empty()),
                credentials => token(credentials).map(Some),
            }
        }
    }
}

/// Removes bearer credentials, and with `dpop` those of DPoP, and leaves those of another scheme.
pub(super) fn strip(headers: &mut HeaderMap, dpop: bool) {
    let is_ours = |value: &HeaderValue| {
        let bytes = value.as_bytes();
        bearer(bytes).is_some() || (dpop && after_scheme(bytes, b"dpop").is_some())
    };
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    if !values.any(is_ours) {
        return;
    }
    let values = headers.get_all(header::AUTHORIZATION).iter();
    let others: Vec<_> = values.filter(|value| !is_ours(value)).cloned().collect();
    headers.remove(header::AUTHORIZATION);
    for other in others {
        headers.append(header::AUTHORIZATION, other);
    }
}

fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h HeaderValue>, Error> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(several()),
    }
}

/// The text after the scheme `Bearer`, if that is the scheme.
#[inline]
fn bearer(value: &[u8]) -> Option<&[u8]> {
    after_scheme(value, b"bearer")
}

/// The text after this scheme, if that is the scheme. Only U+0020 ends a scheme, and with bytes that
/// are not ASCII it is another scheme.
#[inline]
fn after_scheme<'v>(value: &'v [u8], scheme: &[u8]) -> Option<&'v [u8]> {
    let (found, rest) = value.split_at_checked(scheme.len())?;
    let ends = matches!(rest.first(), None | Some(b' '));
    (ends && found.eq_ignore_ascii_case(scheme)).then_some(rest)
}

#[inline]
fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = bytes {
        bytes = rest;
    }
    bytes
}

/// Refuses credentials that are not a single token. The verifier checks the token itself.
#[inline]
pub(super) fn token(credentials: &[u8]) -> Result<&str, Error> {
    let text = std::str::from_utf8(credentials).map_err(|_| malformed())?;
    // This reads every byte. It compiles to vector instructions, so it is many times as fast
    // as a loop that stops early.
    let plain = |byte: u8| byte.is_ascii_graphic() & (byte != b',');
    if text.bytes().fold(true, |all, byte| all & plain(byte)) {
        return Ok(text);
    }
    if text.bytes().any(|byte| !byte.is_ascii_graphic() && byte != b' ') {
        return Err(malformed());
    }
    // Spaces and commas separate credentials (RFC 9110 §11.4), so the request is wrong. Two
    // texts look like that and are one malformed token: a JWS in JSON serialization, and a
    // token with a space within its first two parts. A space within the third part looks like
    // a token and something after it.
    let first = text.split(' ').next().unwrap_or_default();
    let dots = |text: &str| text.bytes().filter(|byte| *byte == b'.').count();
    let json = text.starts_with('{');
    let broken = !text.contains(',') && dots(text) == 2 && dots(first) < 2;
    if json || broken { Ok(text) } else { Err(several()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ErrorKind, InvalidRequest};

    fn find(values: &[&[u8]]) -> Result<Option<String>, InvalidRequest> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        let found = authorization(&headers);
        match found.and_then(|found| found.map(token).transpose()) {
            Ok(token) => Ok(token.map(str::to_owned)),
            Err(error) => match error.kind() {
                ErrorKind::InvalidRequest(how) => Err(*how),
                _ => unreachable!("no other kind is made here"),
            },
        }
    }

    #[test]
    fn schemes() {
        for good in ["Bearer a.b.c", "bearer a.b.c", "BEARER   a.b.c", "bEaReR a.b.c  "] {
            assert_eq!(find(&[good.as_bytes()]), Ok(Some("a.b.c".into())), "{good}");
        }
        for other in ["", "Basic a", "Token a", "Bearerx a", "Bearer\ta", "a.b.c", "Вearer a"] {
            assert_eq!(find(&[other.as_bytes()]), Ok(None), "{other}");
        }
    }

    #[test]
    fn what_is_no_single_token() {
        use InvalidRequest::*;
        assert_eq!(find(&[b"Bearer"]), Err(EmptyToken));
        assert_eq!(find(&[b"Bearer   "]), Err(EmptyToken));
        assert_eq!(find(&[b"Bearer a", b"Bearer a"]), Err(SeveralTokens));
        assert_eq!(find(&[b"Basic a", b"Bearer a"]), Err(SeveralTokens));
        for several in [
            "Bearer a, Bearer b",
            "Bearer a.b.c, Bearer a.b.c",
            "Bearer a b",
            "Bearer a.b.c a.b.c",
            "Bearer a.b.c realm=x",
        ] {
            assert_eq!(find(&[several.as_bytes()]), Err(SeveralTokens), "{several}");
        }
        for bytes in ["Bearer ä", "Bearer a\tb"] {
            assert_eq!(find(&[bytes.as_bytes()]), Err(MalformedCredentials), "{bytes}");
        }
        assert_eq!(find(&[b"Bearer \xff\xfe"]), Err(MalformedCredentials));
    }

    #[test]
    fn stripped_alone() {
        let mut headers = HeaderMap::new();
        for value in ["Basic a", "bearer b", "Bearer"] {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        strip(&mut headers, false);
        let left: Vec<_> = headers.get_all(header::AUTHORIZATION).iter().collect();
        assert_eq!(left, ["Basic a"]);

        let mut headers = HeaderMap::new();
        for value in ["Basic a", "dPoP b", "Bearer c", "DPoPx d"] {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        strip(&mut headers, true);
        let left: Vec<_> = headers.get_all(header::AUTHORIZATION).iter().collect();
        assert_eq!(left, ["Basic a", "DPoPx d"]);
    }

    #[test]
    fn one_token_that_is_wrong_is_left_to_the_verifier() {
        for token in ["a=.b.c", "a+/.b.c", "a .b.c", "a.b b.c", r#"{"payload":"a", "x":"b"}"#] {
            let value = format!("Bearer {token}");
            assert_eq!(find(&[value.as_bytes()]), Ok(Some(token.into())), "{token}");
        }
    }
}
