//! Headers that were seen before: the tokens of one key have the same header,
//! byte for byte.

use std::{borrow::Cow, sync::OnceLock};

use super::{Compact, header::Header};
use crate::alg::Algorithm;

/// The first few headers of authentic tokens, read once.
///
/// Only who can sign gets a header in here, and none is ever replaced: there is
/// nothing to lock and nothing to flood. A header is compared as a whole; what
/// was read of it is the same for the same bytes.
///
/// Keys that have signed nothing so far take no memory here.
#[derive(Default)]
pub(crate) struct HeaderMemo(OnceLock<Box<[OnceLock<Known>; MOST]>>);

/// What was read of a header.
pub(crate) struct Known {
    text: Box<str>,
    algorithm: Algorithm,
    typ: Option<Box<str>>,
    kid: Option<Box<str>>,
}

impl HeaderMemo {
    /// The header of this token, if it is a known one.
    #[inline]
    pub(crate) fn find(&self, token: Compact<'_>) -> Option<&Known> {
        self.0.get()?.iter().map_while(OnceLock::get).find(|known| *known.text == *token.header)
    }

    /// Keeps the header, not known so far, of a token whose signature was found
    /// to be good.
    #[cold]
    pub(crate) fn learn(&self, token: Compact<'_>, header: &Header<'_>) {
        let places = self.0.get_or_init(Box::default);
        let full = places.last().is_some_and(|place| place.get().is_some());
        if full || token.header.len() > LONGEST {
            return;
        }
        let mut known = Known {
            text: token.header.into(),
            algorithm: header.algorithm,
            typ: header.typ.as_deref().map(Box::from),
            kid: header.kid.as_deref().map(Box::from),
        };
        for place in places.iter() {
            match place.set(known) {
                Ok(()) => return,
                Err(back) => known = back,
            }
        }
    }
}

impl Known {
    /// What was read, as if it were read now.
    #[inline]
    pub(crate) fn header(&self) -> Header<'_> {
        Header {
            algorithm: self.algorithm,
            typ: self.typ.as_deref().map(Cow::Borrowed),
            kid: self.kid.as_deref().map(Cow::Borrowed),
        }
    }
}

/// More keys than an issuer signs with at a time.
const MOST: usize = 8;

/// Far above what headers have that are the same for all tokens.
const LONGEST: usize = 512;

#[cfg(test)]
mod tests {
    use base64_simd::URL_SAFE_NO_PAD;

    use super::*;
    use crate::token::Space;

    fn token(header: &str) -> String {
        format!("{}.e30.AA", URL_SAFE_NO_PAD.encode_to_string(header))
    }

    /// Learns a header, and says whether it is known then.
    fn learned(memo: &HeaderMemo, header: &str) -> bool {
        let token = token(header);
        let token = Compact::parse(&token, 10_000).unwrap();
        memo.learn(token, &token.header(&mut Space::new()).unwrap());
        memo.find(token).is_some()
    }

    #[test]
    fn a_known_header_reads_as_before() {
        let memo = HeaderMemo::default();
        let text = token(r#"{"alg":"ES256","typ":"application/at+jwt","kid":"k\u0031"}"#);
        let token = Compact::parse(&text, 1000).unwrap();
        assert!(memo.find(token).is_none());
        memo.learn(token, &token.header(&mut Space::new()).unwrap());
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
