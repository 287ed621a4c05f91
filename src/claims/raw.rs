//! A payload, read once, strictly, and borrowed.

use serde::de::MapAccess;

use super::{audience::RawAudience, scope::RawScope, time::Times};
use crate::json::{self, Checked, Object, Text, once};

/// The claims of RFC 7519 §4.1 and RFC 9068 §2.2 in a payload.
#[derive(Default)]
pub(crate) struct RawClaims<'a> {
    pub(crate) iss: Option<Text<'a>>,
    pub(crate) sub: Option<Text<'a>>,
    pub(crate) jti: Option<Text<'a>>,
    pub(crate) client_id: Option<Text<'a>>,
    pub(crate) sid: Option<Text<'a>>,
    pub(crate) aud: Option<RawAudience<'a>>,
    pub(crate) times: Times,
    pub(super) scope: Option<RawScope<'a>>,
    pub(super) scp: Option<RawScope<'a>>,
    /// Whether there is a confirmation (RFC 7800 §3.1), of whatever kind.
    pub(crate) cnf: bool,
    /// Whether there are security events (RFC 8417 §2.2), of whatever kind.
    pub(crate) events: bool,
    /// One bit for each name that was asked for: it is there and not `null`.
    pub(crate) found: u64,
}

/// The payload is no claims set; the claim at fault if it is one that is read.
#[derive(Debug)]
pub(crate) struct Malformed(pub(crate) Option<&'static str>);

impl<'a> RawClaims<'a> {
    /// Reads a payload, and looks for `wanted` names while it is at it, of which only the
    /// first 64 count. Fills what is empty: it is large to hand about.
    #[inline]
    pub(crate) fn read(&mut self, payload: &'a str, wanted: &[Box<str>]) -> Result<(), Malformed> {
        let mut reader = Reader { claims: self, wanted, cnf: None, events: None, fault: None };
        let read = json::read(payload, &mut reader);
        let Reader { cnf, events, fault, .. } = reader;
        read.map_err(|error| Malformed(fault.filter(|_| error.is_data())))?;
        self.cnf = cnf.is_some();
        self.events = events.is_some();
        self.scope = self.scope.take().map(RawScope::without_list);
        Ok(())
    }
}

/// Takes the members of a payload.
struct Reader<'r, 'a> {
    claims: &'r mut RawClaims<'a>,
    wanted: &'r [Box<str>],
    cnf: Option<Checked>,
    events: Option<Checked>,
    /// The claim that could not be read.
    fault: Option<&'static str>,
}

impl<'a> Object<'a> for Reader<'_, 'a> {
    #[inline]
    fn member<A: MapAccess<'a>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        let claims = &mut *self.claims;
        let (claim, is_there) = match name {
            "iss" => ("iss", once(&mut claims.iss, None, map)),
            "sub" => ("sub", once(&mut claims.sub, None, map)),
            "jti" => ("jti", once(&mut claims.jti, None, map)),
            "client_id" => ("client_id", once(&mut claims.client_id, None, map)),
            "sid" => ("sid", once(&mut claims.sid, None, map)),
            "aud" => ("aud", once(&mut claims.aud, None, map)),
            "exp" => ("exp", once(&mut claims.times.exp, None, map)),
            "nbf" => ("nbf", once(&mut claims.times.nbf, None, map)),
            "iat" => ("iat", once(&mut claims.times.iat, None, map)),
            "scope" => ("scope", once(&mut claims.scope, Some(RawScope::Malformed), map)),
            "scp" => ("scp", once(&mut claims.scp, Some(RawScope::Malformed), map)),
            "cnf" => ("cnf", once(&mut self.cnf, Some(Checked), map)),
            "events" => ("events", once(&mut self.events, Some(Checked), map)),
            _ => ("", once(&mut None, Some(Checked), map)),
        };
        let claim = Some(claim).filter(|claim| !claim.is_empty());
        let is_there = is_there.inspect_err(|_| self.fault = claim)?;
        let mut wanted = self.wanted.iter().take(u64::BITS as usize);
        if is_there && let Some(place) = wanted.position(|wanted| **wanted == *name) {
            claims.found |= 1 << place;
        }
        Ok(claim.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(payload: &'a str, wanted: &[Box<str>]) -> Result<RawClaims<'a>, Malformed> {
        let mut claims = RawClaims::default();
        claims.read(payload, wanted).map(|()| claims)
    }

    fn malformed(payload: &str) -> Option<Option<&'static str>> {
        read(payload, &[]).err().map(|malformed| malformed.0)
    }

    #[test]
    fn wrong_types_name_the_claim() {
        for (payload, claim) in [
            (r#"{"iss":["a"]}"#, "iss"),
            (r#"{"sub":7}"#, "sub"),
            (r#"{"aud":7}"#, "aud"),
            (r#"{"aud":["a",7]}"#, "aud"),
            (r#"{"aud":null}"#, "aud"),
            (r#"{"exp":"1"}"#, "exp"),
            (r#"{"exp":-1}"#, "exp"),
            (r#"{"nbf":null}"#, "nbf"),
            (r#"{"iat":true}"#, "iat"),
            (r#"{"jti":null}"#, "jti"),
            (r#"{"exp":1,"exp":2}"#, "exp"),
            (r#"{"scope":"a","scope":"a"}"#, "scope"),
            (r#"{"cnf":{},"cnf":{}}"#, "cnf"),
        ] {
            assert_eq!(malformed(payload), Some(Some(claim)), "{payload}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for payload in
            ["", "[]", "[1,2,3,4,5]", "\"{}\"", "null", "7", "{} {}", "{}x", "\u{feff}{}"]
        {
            assert_eq!(malformed(payload), Some(None), "{payload}");
        }
        assert_eq!(malformed(r#"{"role":1,"role":1}"#), Some(None));
        assert_eq!(malformed("{}"), None);
    }

    #[test]
    fn wanted_names_are_found_unless_null() {
        let wanted: [Box<str>; 4] = ["a".into(), "iss".into(), "b".into(), "c".into()];
        let claims = read(r#"{"c":null,"b":0,"iss":"x"}"#, &wanted).ok().unwrap();
        assert_eq!(claims.found, 0b0110);

        // Also those that have a reader of their own.
        let wanted: [Box<str>; 3] = ["scope".into(), "scp".into(), "cnf".into()];
        let found = |payload| read(payload, &wanted).ok().unwrap().found;
        assert_eq!(found(r#"{"scope":null,"scp":null,"cnf":null}"#), 0);
        assert_eq!(found(r#"{"scope":["a"],"scp":"","cnf":{}}"#), 0b111);
    }

    #[test]
    fn scopes_of_a_wrong_type_are_not_yet_an_error() {
        for payload in [
            r#"{"scope":7}"#,
            r#"{"scope":["a"]}"#,
            r#"{"scope":null}"#,
            r#"{"scp":{"a":1}}"#,
            r#"{"scp":["a",7]}"#,
            r#"{"scp":[["a"]]}"#,
        ] {
            let claims = read(payload, &[]).ok().unwrap();
            let wrong = |scope| matches!(scope, Some(RawScope::Malformed));
            assert!(wrong(claims.scope) != wrong(claims.scp), "{payload}");
        }
        assert!(malformed(r#"{"scp":{"a":1,"a":1}}"#).is_some(), "still checked");
    }
}
