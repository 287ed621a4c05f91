//! Envoy's header `X-Forwarded-Client-Cert`.

use super::encoding;
use crate::digest::Thumbprint;

/// The thumbprint of the only element: its `Hash`, or that of its `Cert`. If it has both, they must
/// agree.
///
/// Several elements are `None`: an element says what one proxy has seen, and Envoy forwards those
/// that a client has sent unless it is told to replace them.
pub(super) fn thumbprint(value: &[u8]) -> Option<Thumbprint> {
    let (mut hash, mut certificate) = (None, None);
    let mut rest = value;
    loop {
        let (pair, tail) = pair(rest)?;
        // A repeated member may come from a name in the client's certificate: Envoy writes `URI=` and
        // `DNS=` without quotes.
        if pair.key.eq_ignore_ascii_case(b"Hash") {
            let repeated = hash.replace(from_hex(pair.value)?).is_some();
            if repeated {
                return None;
            }
        } else if pair.key.eq_ignore_ascii_case(b"Cert") {
            let der = encoding::escaped_pem(pair.value)?;
            let repeated = certificate.replace(Thumbprint::of(&[&der])).is_some();
            if repeated {
                return None;
            }
        }
        match tail {
            [] => break,
            [b';', tail @ ..] => rest = tail,
            // A comma: another element.
            _ => return None,
        }
    }
    match (hash, certificate) {
        (Some(hash), Some(certificate)) => hash.is(&certificate).then_some(hash),
        (one, other) => one.or(other),
    }
}

/// A member of an element. A quoted value is still escaped: neither of those that are read has an
/// escape.
struct Pair<'v> {
    key: &'v [u8],
    value: &'v [u8],
}

/// The member at the beginning, and what comes behind it: nothing, or `;` or `,` and more.
fn pair(text: &[u8]) -> Option<(Pair<'_>, &[u8])> {
    let (key, text) = text.split_at_checked(text.iter().position(|byte| *byte == b'=')?)?;
    let text = text.strip_prefix(b"=")?;
    if key.is_empty() || !key.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    let (value, rest) = match text.strip_prefix(b"\"") {
        Some(text) => quoted(text)?,
        None => {
            let end = text.iter().position(|byte| matches!(byte, b';' | b',' | b'"'));
            text.split_at_checked(end.unwrap_or(text.len()))?
        }
    };
    matches!(rest, [] | [b';' | b',', _, ..]).then_some((Pair { key, value }, rest))
}

/// The text up to the closing quote, and what comes behind that. A backslash takes the next byte
/// along: a quote is written as `\"`, and a backslash in a subject as `\\` (RFC 4514 §2.4).
fn quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut escaped = false;
    let end = text.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    })?;
    let (value, rest) = text.split_at_checked(end)?;
    Some((value, rest.strip_prefix(b"\"")?))
}

/// The 64 hexadecimal digits of a SHA-256.
fn from_hex(text: &[u8]) -> Option<Thumbprint> {
    let digit = |byte: &u8| {
        let digit = char::from(*byte).to_digit(16)?;
        u8::try_from(digit).ok()
    };
    let bytes: Option<Vec<u8>> = text
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        })
        .collect();
    <[u8; 32]>::try_from(bytes?).ok().map(Thumbprint::from)
}
