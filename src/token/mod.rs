//! The token's text: its size, its three parts, base64url. Behind this module
//! nobody sees a piece of the text that was not checked.

mod header;
mod memo;
mod required;

use base64_simd::{AsOut, URL_SAFE_NO_PAD};
use memchr::memchr;

pub(crate) use self::{
    header::{Header, essence},
    memo::HeaderMemo,
    required::RequiredHeader,
};
use crate::error::{Error, ErrorKind};

/// A JSON Web Signature in compact form (RFC 7515 §7.1), cut at its two dots.
#[derive(Clone, Copy)]
pub(crate) struct Compact<'a> {
    signing_input: &'a str,
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> Compact<'a> {
    /// Cuts a token of at most `limit` bytes. Work and memory do not depend on
    /// how many dots it has.
    #[inline]
    pub(crate) fn parse(token: &'a str, limit: usize) -> Result<Self, Error> {
        if token.len() > limit {
            return Err(Error::new(ErrorKind::TokenTooLong { limit }));
        }
        let malformed = || Error::new(ErrorKind::MalformedToken);
        let (header, rest) = cut(token).ok_or_else(malformed)?;
        let (payload, signature) = cut(rest).ok_or_else(malformed)?;
        if memchr(b'.', signature.as_bytes()).is_some() {
            return Err(more_than_three(signature));
        }
        let end = token.len().checked_sub(signature.len()).and_then(|end| end.checked_sub(1));
        let signing_input = end.and_then(|end| token.get(..end)).ok_or_else(malformed)?;
        if header.is_empty() || payload.is_empty() {
            return Err(malformed());
        }
        let compact = Self { signing_input, header, payload, signature };
        if signature.is_empty() {
            return Err(compact.without_signature());
        }
        Ok(compact)
    }

    /// Why a token has no signature: because its header says so, or because it was cut.
    #[cold]
    fn without_signature(self) -> Error {
        match self.header(&mut DecodeBuf::new()) {
            Err(error) if *error.kind() == ErrorKind::Unsigned => error,
            _ => Error::new(ErrorKind::MalformedToken),
        }
    }

    /// The same token if it has no padding, or in each part the padding that its length asks for
    /// (RFC 4648 §3.2). The signature is made over the text as it came.
    #[cold]
    pub(crate) fn without_padding(self) -> Result<Self, Error> {
        let Self { signing_input, header, payload, signature } = self;
        if ![header, payload, signature].iter().any(|part| part.ends_with('=')) {
            return Ok(self);
        }
        let malformed = || Error::new(ErrorKind::MalformedToken);
        let strip = |part: &'a str| {
            // Of a whole number of groups, so many as are missing are the padding.
            let stripped = part.strip_suffix("==").or_else(|| part.strip_suffix('='));
            let text = stripped.unwrap_or(part);
            let is_whole = part.len().is_multiple_of(4) && !text.is_empty();
            if is_whole && !text.ends_with('=') { Ok(text) } else { Err(malformed()) }
        };
        Ok(Self {
            signing_input,
            header: strip(header)?,
            payload: strip(payload)?,
            signature: strip(signature)?,
        })
    }

    /// The bytes that the signature is made over (RFC 7515 §5.1).
    pub(crate) fn signing_input(self) -> &'a [u8] {
        self.signing_input.as_bytes()
    }

    /// The checked header; `buf` holds its bytes.
    #[inline]
    pub(crate) fn header(self, buf: &mut DecodeBuf) -> Result<Header<'_>, Error> {
        Header::parse(buf.decode(self.header)?)
    }

    /// The header as it is written.
    pub(crate) fn header_text(self) -> &'a str {
        self.header
    }

    /// The header's bytes.
    pub(crate) fn header_bytes(self) -> Result<Vec<u8>, Error> {
        URL_SAFE_NO_PAD
            .decode_to_vec(self.header)
            .map_err(|_| Error::new(ErrorKind::MalformedToken))
    }

    /// The signature's bytes, in `buf`.
    #[inline]
    pub(crate) fn signature(self, buf: &mut DecodeBuf) -> Result<&[u8], Error> {
        buf.decode(self.signature)
    }

    /// The payload's bytes.
    #[inline]
    pub(crate) fn payload(self) -> Result<Vec<u8>, Error> {
        URL_SAFE_NO_PAD
            .decode_to_vec(self.payload)
            .map_err(|_| Error::new(ErrorKind::MalformedToken))
    }
}

/// Why a token with something behind its third dot is refused. An encrypted one has five parts
/// (RFC 7516 §7.1).
#[cold]
fn more_than_three(rest: &str) -> Error {
    let dots = rest.bytes().filter(|byte| *byte == b'.').take(3).count();
    Error::new(if dots == 2 { ErrorKind::Encrypted } else { ErrorKind::MalformedToken })
}

/// The text before the first dot, and the text behind it.
#[inline]
fn cut(text: &str) -> Option<(&str, &str)> {
    let (front, rest) = text.split_at_checked(memchr(b'.', text.as_bytes())?)?;
    Some((front, rest.get(1..)?))
}

/// Room for the bytes of one part: in place for those of usual length.
pub(crate) struct DecodeBuf {
    short: [u8; SHORT],
    long: Vec<u8>,
}

impl DecodeBuf {
    #[inline]
    pub(crate) fn new() -> Self {
        Self { short: [0; SHORT], long: Vec::new() }
    }

    /// Decodes base64url without padding (RFC 7515 §2), refusing every other
    /// character and bits that are left over.
    #[inline]
    fn decode(&mut self, part: &str) -> Result<&[u8], Error> {
        let malformed = |_| Error::new(ErrorKind::MalformedToken);
        // Four characters give three bytes; one more is no base64 at all.
        let room = part.len() / 4 * 3 + 3;
        let place = if room <= SHORT {
            &mut self.short[..]
        } else {
            self.long.resize(room, 0);
            &mut self.long[..]
        };
        URL_SAFE_NO_PAD
            .decode(part.as_bytes(), place.as_out())
            .map(|bytes| &*bytes)
            .map_err(malformed)
    }
}

// A signature of RSA with 4096 bits, and what the rounding adds.
const SHORT: usize = 516;

#[cfg(test)]
mod tests {
    use super::*;

    fn parses(token: &str) -> bool {
        Compact::parse(token, 100).is_ok()
    }

    #[test]
    fn three_parts_and_no_more() {
        assert!(parses("a.b.c"));
        for token in ["", "a", "a.b", "a.b.", ".b.c", "a..c", "..", "."] {
            assert!(!parses(token), "{token:?}");
        }
    }

    #[test]
    fn b72_what_is_no_signed_token_is_told() {
        let kind = |token| Compact::parse(token, 100).err().unwrap().kind().clone();
        for token in ["AA.AA.AA.AA.AA", "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..IV.CIPHER.TAG"] {
            assert_eq!(kind(token), ErrorKind::Encrypted);
        }
        for token in ["a.b.c.d", "a.b.c.d.e.f", "a.b.", "eyJhbGciOiJSUzI1NiJ9.e30."] {
            assert_eq!(kind(token), ErrorKind::MalformedToken, "{token}");
        }
        assert_eq!(kind("eyJhbGciOiJub25lIn0.e30."), ErrorKind::Unsigned);
    }

    #[test]
    fn the_limit_comes_first() {
        let error = Compact::parse(&".".repeat(101), 100).err().unwrap();
        assert_eq!(*error.kind(), ErrorKind::TokenTooLong { limit: 100 });
    }

    #[test]
    fn padding_is_canonical_in_all_parts_or_absent() {
        let strip = |token: &'static str| {
            let token = Compact::parse(token, 100).unwrap().without_padding().ok()?;
            Some([token.header, token.payload, token.signature])
        };
        assert_eq!(strip("AAAA.AA.AAA"), Some(["AAAA", "AA", "AAA"]), "none at all");
        assert_eq!(strip("AAAA.AA==.AAA="), Some(["AAAA", "AA", "AAA"]));
        assert_eq!(strip("AA==.AAAA.AAAAAA=="), Some(["AA", "AAAA", "AAAAAA"]));
        for mixed in ["AA==.AA.AAA=", "AA.AA==.AAA=", "AA==.AA==.AAA", "AAA=.AAAA.AA"] {
            assert_eq!(strip(mixed), None, "{mixed}");
        }
        for odd in [
            "AA=.AA==.AA==",
            "AAA==.AAAA.AAAA",
            "A===.AAAA.AAAA",
            "AAAA=.AAAA.AAAA",
            "==.AA==.AA==",
            "AAAA====.AAAA.AAAA",
            "AAAA.AAAA.====",
            "AAAA.=AA=.AAA==",
            "AAAA.AAAA.A==",
        ] {
            assert_eq!(strip(odd), None, "{odd}");
        }
        let token = Compact::parse("AA==.AA==.AA==", 100).unwrap().without_padding().unwrap();
        assert_eq!(token.signing_input(), b"AA==.AA==");
        let inside = Compact::parse("AA==AA==.AAAA.AAAA", 100).unwrap().without_padding();
        assert!(inside.unwrap().header(&mut DecodeBuf::new()).is_err());
    }

    #[test]
    fn base64url_is_strict() {
        let mut buf = DecodeBuf::new();
        assert_eq!(buf.decode("-_8").unwrap(), [0xfb, 0xff]);
        for part in ["AA==", "AA=", "A", "AAAAA", "+/8", "A A", "AA\n", "AA\0", "-_9", "AB", "Ä"] {
            assert!(buf.decode(part).is_err(), "{part:?}");
        }
        let long = "A".repeat(4000);
        assert_eq!(buf.decode(&long).unwrap().len(), 3000);
    }
}
