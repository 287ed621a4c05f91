//! Headers that were seen before: the tokens of one key have the same header,
//! byte for byte.

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
};

use super::{Compact, header::Header};
use crate::{alg::Algorithm, few::SharedTexts, json::Text};

/// The first few headers of authentic tokens, read once.
///
/// Only who can sign gets a header in here, and none is ever replaced: there is
/// nothing to lock and nothing to flood. A header is compared as a whole; what
/// was read of it is the same for the same bytes.
///
/// Most keys have one header. That one is in place, the others take memory once there are
/// any.
#[derive(Default)]
pub(crate) struct HeaderMemo {
    first: OnceLock<KnownHeader>,
    others: OnceLock<Box<[OnceLock<KnownHeader>; MOST - 1]>>,
}

/// The values that were read from a header.
pub(crate) struct KnownHeader {
    /// The header as written in the token, then its type and its key's id, if it has them:
    /// one text, because texts that are apart are apart in memory. Keys without an id have the
    /// same header, whoever they belong to.
    texts: Arc<str>,
    header: usize,
    typ: Option<usize>,
    has_kid: bool,
    algorithm: Algorithm,
}

impl HeaderMemo {
    /// The header of this token, if it is a known one.
    #[inline]
    pub(crate) fn find(&self, token: Compact<'_>) -> Option<&KnownHeader> {
        let first = self.first.get()?;
        if first.is_of(token) {
            return Some(first);
        }
        self.others.get()?.iter().map_while(OnceLock::get).find(|known| known.is_of(token))
    }

    /// Keeps the header, not known so far, of a token whose signature was found
    /// to be good.
    #[cold]
    pub(crate) fn learn(&self, token: Compact<'_>, header: &Header<'_>) {
        if token.header.len() > LONGEST || self.is_full() {
            return;
        }
        let Err(mut known) = self.first.set(KnownHeader::new(token, header)) else { return };
        for place in self.others.get_or_init(Box::default).iter() {
            match place.set(known) {
                Ok(()) => return,
                Err(back) => known = back,
            }
        }
    }

    fn is_full(&self) -> bool {
        let last = self.others.get().and_then(|others| others.last());
        last.is_some_and(|place| place.get().is_some())
    }
}

impl KnownHeader {
    fn new(token: Compact<'_>, header: &Header<'_>) -> Self {
        let (typ, kid) = (header.typ.as_deref(), header.kid.as_deref());
        let texts = [token.header, typ.unwrap_or_default(), kid.unwrap_or_default()].concat();
        Self {
            texts: TEXTS.text(texts),
            header: token.header.len(),
            typ: typ.map(str::len),
            has_kid: kid.is_some(),
            algorithm: header.algorithm,
        }
    }

    #[inline]
    fn is_of(&self, token: Compact<'_>) -> bool {
        self.texts.get(..self.header) == Some(token.header)
    }

    /// The values that were read, as if they were read now.
    #[inline]
    pub(crate) fn header(&self) -> Header<'_> {
        let rest = self.texts.get(self.header..).unwrap_or_default();
        let (typ, kid) = rest.split_at_checked(self.typ.unwrap_or_default()).unwrap_or_default();
        Header {
            algorithm: self.algorithm,
            typ: self.typ.map(|_| Text(Cow::Borrowed(typ))),
            kid: self.has_kid.then_some(Text(Cow::Borrowed(kid))),
        }
    }
}

static TEXTS: SharedTexts = SharedTexts::new();

/// More keys than an issuer signs with at a time.
const MOST: usize = 8;

/// Far above what headers have that are the same for all tokens.
const LONGEST: usize = 512;

#[cfg(test)]
mod tests {
    use base64_simd::URL_SAFE_NO_PAD;

    use super::*;
    use crate::token::DecodeBuf;

    fn token(header: &str) -> String {
        format!("{}.e30.AA", URL_SAFE_NO_PAD.encode_to_string(header))
    }

    /// Learns a header, and says whether it is known then.
    fn learned(memo: &HeaderMemo, header: &str) -> bool {
        let token = token(header);
        let token = Compact::parse(&token, 10_000).unwrap();
        memo.learn(token, &token.header(&mut DecodeBuf::new()).unwrap());
        memo.find(token).is_some()
    }

    #[test]
    fn a_known_header_reads_as_before() {
        let memo = HeaderMemo::default();
        let text = token(r#"{"alg":"ES256","typ":"application/at+jwt","kid":"k\u0031"}"#);
        let token = Compact::parse(&text, 1000).unwrap();
        assert!(memo.find(token).is_none());
        memo.learn(token, &token.header(&mut DecodeBuf::new()).unwrap());
        let header = memo.find(token).unwrap().header();
        assert_eq!(header.algorithm(), Algorithm::ES256);
        assert_eq!(header.typ(), Some("at+jwt"));
        assert_eq!(header.kid(), Some("k1"));
    }

    #[test]
    fn it_is_bounded_and_keeps_what_it_has() {
        let memo = HeaderMemo::default();
        let header = |n: usize| format!(r#"{{"alg":"ES256","kid":"{n}"}}"#);
        let learned_first = (0..MOST).all(|n| learned(&memo, &header(n)));
        assert!(learned_first);
        assert!(!learned(&memo, &header(MOST)));
        assert!(learned(&memo, &header(0)), "still known");
        assert!(!learned(
            &HeaderMemo::default(),
            &format!(r#"{{"alg":"ES256","x":"{}"}}"#, "x".repeat(400))
        ));
    }
}
