//! The syntax of the headers `Cookie` and `Set-Cookie` (RFC 6265 §4.1.1, §4.2.1, §5.2).

use super::malformed::malformed;
use crate::error::Error;

/// A cookie's value without the quotes around it.
pub(super) fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', value @ .., b'"'] => value,
        value => value,
    }
}

/// A cookie's value as text.
pub(super) fn text(value: &[u8]) -> Result<&str, Error> {
    match std::str::from_utf8(value) {
        Ok(text) if text.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(text),
        _ => Err(malformed()),
    }
}

/// Names and values, as bytes, without any decoding.
pub(super) fn pairs(header: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    header.split(|byte| *byte == b';').map(trim).filter(|pair| !pair.is_empty()).map(cut)
}

pub(super) fn cut(pair: &[u8]) -> (&[u8], &[u8]) {
    match pair.iter().position(|byte| *byte == b'=') {
        Some(at) => {
            let (name, value) = pair.split_at(at);
            (trim(name), trim(value.strip_prefix(b"=").unwrap_or(value)))
        }
        // A pair without `=` is a value without a name.
        None => (&[], pair),
    }
}

/// Removes the spaces and tabs around it, and no other white space (RFC 6265 §5.2).
pub(super) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Whether a cookie's name has this prefix. Browsers ignore its case.
pub(super) fn has_prefix(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Whether an attribute's value may contain this byte (RFC 6265 §4.1.1).
pub(super) fn is_of_an_attribute(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b";,\"\\".contains(&byte)
}
