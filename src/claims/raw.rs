//! A payload, read once, strictly, and borrowed.

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};

use super::{audience::RawAudience, scope::RawScope, time::Times};
use crate::json::{Checked, Names, Text, repeated};

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
    pub(super) scope: RawScope<'a>,
    pub(super) scp: RawScope<'a>,
    /// Whether there is a confirmation (RFC 7800 §3.1), of whatever kind.
    pub(crate) cnf: bool,
    /// Which of the names that were asked for are there and not `null`, a bit
    /// each.
    pub(crate) found: u64,
}

/// The payload is no claims set; the claim at fault if it is one that is read.
#[derive(Debug)]
pub(crate) struct Malformed(pub(crate) Option<&'static str>);

impl<'a> RawClaims<'a> {
    /// Reads a payload, and looks for `wanted` names while it is at it, of
    /// which only the first 64 count.
    pub(crate) fn read(payload: &'a str, wanted: &[Box<str>]) -> Result<Self, Malformed> {
        let mut claims = Self::default();
        let mut at = None;
        let mut json = serde_json::Deserializer::from_str(payload);
        let read = Reader { wanted, at: &mut at, claims: &mut claims }.deserialize(&mut json);
        match read.and_then(|()| json.end()) {
            Ok(()) => Ok(claims),
            Err(_) => Err(Malformed(at)),
        }
    }
}

/// Fills the claims in place, for they are large to hand about.
struct Reader<'r, 'a> {
    wanted: &'r [Box<str>],
    /// The claim that is being read.
    at: &'r mut Option<&'static str>,
    claims: &'r mut RawClaims<'a>,
}

impl<'de> DeserializeSeed<'de> for Reader<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a claims set")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let claims = self.claims;
        let mut others = Names::new();

        // Reads the value of a claim that must stand once.
        macro_rules! once {
            ($name:literal, $place:expr, $free:expr, $read:expr) => {{
                *self.at = Some($name);
                if !$free {
                    return Err(repeated());
                }
                $place = $read;
                *self.at = None;
                true
            }};
        }
        macro_rules! text {
            ($name:literal, $place:ident) => {
                once!(
                    $name,
                    claims.$place,
                    claims.$place.is_none(),
                    Some(map.next_value::<Text<'de>>()?.0)
                )
            };
        }
        macro_rules! date {
            ($name:literal, $place:ident) => {
                once!(
                    $name,
                    claims.times.$place,
                    claims.times.$place.is_none(),
                    Some(map.next_value()?)
                )
            };
        }

        while let Some(Text(name)) = map.next_key()? {
            let wanted =
                self.wanted.iter().take(u64::BITS as usize).position(|wanted| **wanted == *name);
            let present = match &*name {
                "iss" => text!("iss", iss),
                "sub" => text!("sub", sub),
                "jti" => text!("jti", jti),
                "client_id" => text!("client_id", client_id),
                "sid" => text!("sid", sid),
                "aud" => once!("aud", claims.aud, claims.aud.is_none(), Some(map.next_value()?)),
                "exp" => date!("exp", exp),
                "nbf" => date!("nbf", nbf),
                "iat" => date!("iat", iat),
                "scope" => {
                    once!(
                        "scope",
                        claims.scope,
                        matches!(claims.scope, RawScope::None),
                        map.next_value::<RawScope<'de>>()?.without_list()
                    ) && !matches!(claims.scope, RawScope::Null)
                }
                "scp" => {
                    once!(
                        "scp",
                        claims.scp,
                        matches!(claims.scp, RawScope::None),
                        map.next_value()?
                    ) && !matches!(claims.scp, RawScope::Null)
                }
                "cnf" => {
                    let null;
                    once!("cnf", claims.cnf, !claims.cnf, {
                        null = map.next_value::<Checked>()?.null;
                        true
                    }) && !null
                }
                _ => {
                    others.add(name)?;
                    !map.next_value::<Checked>()?.null
                }
            };
            if let (Some(place), true) = (wanted, present) {
                claims.found |= 1 << place;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn malformed(payload: &str) -> Option<Option<&'static str>> {
        RawClaims::read(payload, &[]).err().map(|malformed| malformed.0)
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
        let claims = RawClaims::read(r#"{"c":null,"b":0,"iss":"x"}"#, &wanted).ok().unwrap();
        assert_eq!(claims.found, 0b0110);

        // Also those that have a reader of their own.
        let wanted: [Box<str>; 3] = ["scope".into(), "scp".into(), "cnf".into()];
        let found = |payload| RawClaims::read(payload, &wanted).ok().unwrap().found;
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
            let claims = RawClaims::read(payload, &[]).ok().unwrap();
            let wrong = |scope| matches!(scope, RawScope::Malformed | RawScope::Null);
            assert!(wrong(claims.scope) != wrong(claims.scp), "{payload}");
        }
        assert!(malformed(r#"{"scp":{"a":1,"a":1}}"#).is_some(), "still checked");
    }
}
