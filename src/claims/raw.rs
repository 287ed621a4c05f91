//! A payload, read once, strictly, and borrowed.

use std::{borrow::Cow, mem::replace};

use serde::de::Deserialize;

use super::{audience::RawAudience, scope::RawScope, time::Times};
use crate::json::{Members, Names, Text, Value};

/// The claims of RFC 7519 §4.1 and RFC 9068 §2.2 that stand in a payload.
#[derive(Default)]
pub(crate) struct RawClaims<'a> {
    pub(crate) iss: Option<Cow<'a, str>>,
    pub(crate) sub: Option<Cow<'a, str>>,
    pub(crate) jti: Option<Cow<'a, str>>,
    pub(crate) client_id: Option<Cow<'a, str>>,
    pub(crate) sid: Option<Cow<'a, str>>,
    pub(crate) aud: Option<RawAudience<'a>>,
    pub(crate) times: Times,
    pub(super) scope: Option<RawScope<'a>>,
    pub(super) scp: Option<RawScope<'a>>,
    /// Whether there is a confirmation (RFC 7800 §3.1), of whatever kind.
    pub(crate) cnf: bool,
    /// Whether there are security events (RFC 8417 §2.2), of whatever kind.
    pub(crate) events: bool,
    /// Which of the names that were asked for are there and not `null`, a bit
    /// each.
    pub(crate) found: u64,
}

/// The payload is no claims set; the claim at fault if it is one that is read.
#[derive(Debug)]
pub(crate) struct Malformed(pub(crate) Option<&'static str>);

impl<'a> RawClaims<'a> {
    /// Reads the members of a payload, and looks for `wanted` names while it is at it, of
    /// which only the first 64 count. Fills what is empty: it is large to hand about.
    pub(crate) fn read(
        &mut self,
        members: &Members<'a>,
        wanted: &[Box<str>],
    ) -> Result<(), Malformed> {
        let mut others = Names::new();
        for member in members.iter() {
            let name = member.name().ok_or(Malformed(None))?;
            let mut wanted = wanted.iter().take(u64::BITS as usize);
            if let Some(place) = wanted.position(|wanted| **wanted == *name)
                && !member.value.is_null()
            {
                self.found |= 1 << place;
            }
            if !self.take(&name, member.value)? {
                others.add(name).ok_or(Malformed(None))?;
            }
        }
        self.scope = self.scope.take().map(RawScope::without_list);
        Ok(())
    }

    /// Takes a member if it is a claim that is read here, and says whether it is.
    #[inline]
    fn take(&mut self, name: &str, value: Value<'a>) -> Result<bool, Malformed> {
        let (claim, taken) = match name {
            "iss" => ("iss", text(&mut self.iss, value)),
            "sub" => ("sub", text(&mut self.sub, value)),
            "jti" => ("jti", text(&mut self.jti, value)),
            "client_id" => ("client_id", text(&mut self.client_id, value)),
            "sid" => ("sid", text(&mut self.sid, value)),
            "aud" => ("aud", once(&mut self.aud, value)),
            "exp" => ("exp", once(&mut self.times.exp, value)),
            "nbf" => ("nbf", once(&mut self.times.nbf, value)),
            "iat" => ("iat", once(&mut self.times.iat, value)),
            "scope" => ("scope", once(&mut self.scope, value)),
            "scp" => ("scp", once(&mut self.scp, value)),
            "cnf" => ("cnf", (!replace(&mut self.cnf, true)).then_some(())),
            "events" => ("events", (!replace(&mut self.events, true)).then_some(())),
            _ => return Ok(false),
        };
        taken.map(|()| true).ok_or(Malformed(Some(claim)))
    }
}

/// Reads the value of a claim that must stand once.
#[inline]
fn once<'a, T: Deserialize<'a>>(place: &mut Option<T>, value: Value<'a>) -> Option<()> {
    let former = place.replace(value.to().ok()?);
    former.is_none().then_some(())
}

#[inline]
fn text<'a>(place: &mut Option<Cow<'a, str>>, value: Value<'a>) -> Option<()> {
    let Text(text) = value.to().ok()?;
    place.replace(text).is_none().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(payload: &'a str, wanted: &[Box<str>]) -> Result<RawClaims<'a>, Malformed> {
        let mut members = Members::new();
        members.read(payload).ok_or(Malformed(None))?;
        let mut claims = RawClaims::default();
        claims.read(&members, wanted).map(|()| claims)
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
