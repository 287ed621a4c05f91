//! A payload, read once, strictly, and borrowed.

use std::borrow::Cow;

use serde::de::{self, Deserialize, MapAccess};
use serde_json::value::RawValue;

use super::{audience::RawAudience, confirmation::RawConfirmation, scope::RawScope, time::Times};
use crate::json::{self, Checked, JsonFault, Object, Text};

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
    /// The confirmation (RFC 7800 §3.1), of whatever kind, `null` too.
    pub(crate) cnf: RawConfirmation,
    /// Whether there are security events (RFC 8417 §2.2), of whatever kind.
    pub(crate) events: bool,
    /// One bit for each name that was asked for: it is there and not `null`.
    pub(crate) found: u64,
}

/// The payload is no claims set.
#[derive(Debug)]
pub(crate) struct Malformed {
    pub(crate) fault: JsonFault,
    /// The registered claim at fault.
    pub(crate) claim: Option<&'static str>,
    /// The name that is repeated, as the sender has written it.
    pub(crate) repeated: Option<Box<str>>,
}

/// How claims are read.
#[derive(Clone, Copy, Default)]
pub(crate) struct Reading<'r> {
    /// The names that are looked for, of which only the first 64 count.
    pub(crate) wanted: &'r [Box<str>],
    /// Reads a `sub` that is a whole number as its digits.
    pub(crate) integer_subject: bool,
}

impl<'a> RawClaims<'a> {
    /// Reads a payload. Fills what is empty: it is large to hand about.
    #[inline]
    pub(crate) fn read(&mut self, payload: &'a str, reading: Reading<'_>) -> Result<(), Malformed> {
        let mut reader = Reader { claims: self, reading, seen: 0, at_fault: None };
        let read = json::read(payload, &mut reader);
        let at_fault = reader.at_fault;
        read.map_err(|error| malformed(&error, at_fault))
    }
}

#[cold]
fn malformed(error: &serde_json::Error, at_fault: Option<&'static str>) -> Malformed {
    let (fault, repeated) = json::fault(error);
    let claim = at_fault.filter(|_| error.is_data());
    // The payload itself has a wrong type then.
    let fault = match fault {
        JsonFault::WrongType if claim.is_none() => JsonFault::Syntax,
        fault => fault,
    };
    Malformed { fault, claim, repeated }
}

/// Takes the members of a payload. A `null` counts as the absence of its claim, except for `cnf`:
/// whatever its form, it says that the token is bound to its sender.
struct Reader<'r, 'a> {
    claims: &'r mut RawClaims<'a>,
    reading: Reading<'r>,
    /// One bit for each registered claim that was there, also as `null`.
    seen: u16,
    /// The claim that could not be read.
    at_fault: Option<&'static str>,
}

impl<'a> Object<'a> for Reader<'_, 'a> {
    #[inline]
    fn member<A: MapAccess<'a>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        let claims = &mut *self.claims;
        let (bit, claim, is_there) = match name {
            "iss" => (0, "iss", optional(&mut claims.iss, map)),
            "sub" if self.reading.integer_subject => (1, "sub", subject(&mut claims.sub, map)),
            "sub" => (1, "sub", optional(&mut claims.sub, map)),
            "jti" => (2, "jti", optional(&mut claims.jti, map)),
            "client_id" => (3, "client_id", optional(&mut claims.client_id, map)),
            "sid" => (4, "sid", optional(&mut claims.sid, map)),
            "aud" => (5, "aud", optional(&mut claims.aud, map)),
            "exp" => (6, "exp", optional(&mut claims.times.exp, map)),
            "nbf" => (7, "nbf", optional(&mut claims.times.nbf, map)),
            "iat" => (8, "iat", optional(&mut claims.times.iat, map)),
            "scope" => (9, "scope", optional(&mut claims.scope, map)),
            "scp" => (10, "scp", optional(&mut claims.scp, map)),
            "cnf" => (11, "cnf", confirmation(&mut claims.cnf, map)),
            "events" => {
                let events = is_there(map);
                claims.events = matches!(events, Ok(true));
                (12, "events", events)
            }
            _ => (u32::MAX, "", is_there(map)),
        };
        let known = (!claim.is_empty()).then_some(claim);
        let is_there = is_there.inspect_err(|_| self.at_fault = known)?;
        if let Some(claim) = known {
            if self.seen & (1 << bit) != 0 {
                self.at_fault = known;
                return Err(json::repeated(claim));
            }
            self.seen |= 1 << bit;
        }
        let mut wanted = self.reading.wanted.iter().take(u64::BITS as usize);
        if is_there && let Some(place) = wanted.position(|wanted| **wanted == *name) {
            self.claims.found |= 1 << place;
        }
        Ok(known.is_some())
    }
}

/// Reads a value, and returns whether it is other than `null`.
#[inline]
fn optional<'a, T: Deserialize<'a>, A: MapAccess<'a>>(
    place: &mut Option<T>,
    map: &mut A,
) -> Result<bool, A::Error> {
    *place = map.next_value()?;
    Ok(place.is_some())
}

/// Checks a value that is not kept, and returns whether it is other than `null`.
#[inline]
fn is_there<'a, A: MapAccess<'a>>(map: &mut A) -> Result<bool, A::Error> {
    map.next_value::<Option<Checked>>().map(|value| value.is_some())
}

/// Reads a confirmation, and returns whether it is other than `null`.
#[cold]
fn confirmation<'a, A: MapAccess<'a>>(
    place: &mut RawConfirmation,
    map: &mut A,
) -> Result<bool, A::Error> {
    let value = map.next_value::<&'a RawValue>()?.get();
    let is_there = json::value::<Option<Checked>>(value).map_err(de::Error::custom)?.is_some();
    *place = RawConfirmation::read(value);
    Ok(is_there)
}

/// Reads a text, or a whole number as its digits.
fn subject<'a, A: MapAccess<'a>>(
    place: &mut Option<Text<'a>>,
    map: &mut A,
) -> Result<bool, A::Error> {
    let Some(raw) = map.next_value::<Option<&'a RawValue>>()? else { return Ok(false) };
    let raw = raw.get();
    *place = Some(if raw.bytes().all(|byte| byte.is_ascii_digit()) {
        Text(Cow::Borrowed(raw))
    } else {
        json::value(raw).map_err(de::Error::custom)?
    });
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(payload: &'a str, wanted: &[Box<str>]) -> Result<RawClaims<'a>, Malformed> {
        let mut claims = RawClaims::default();
        claims.read(payload, Reading { wanted, ..Reading::default() }).map(|()| claims)
    }

    fn malformed(payload: &str) -> Option<Option<&'static str>> {
        read(payload, &[]).err().map(|malformed| malformed.claim)
    }

    #[test]
    fn wrong_types_name_the_claim() {
        for (payload, claim) in [
            (r#"{"iss":["a"]}"#, "iss"),
            (r#"{"sub":7}"#, "sub"),
            (r#"{"aud":7}"#, "aud"),
            (r#"{"aud":["a",7]}"#, "aud"),
            (r#"{"exp":"1"}"#, "exp"),
            (r#"{"exp":-1}"#, "exp"),
            (r#"{"iat":true}"#, "iat"),
        ] {
            let malformed = read(payload, &[]).err().unwrap();
            assert_eq!(malformed.claim, Some(claim), "{payload}");
            assert_eq!(malformed.fault, JsonFault::WrongType, "{payload}");
        }
    }

    #[test]
    fn a_repeated_name_is_named() {
        for (payload, claim, name) in [
            (r#"{"exp":1,"exp":2}"#, Some("exp"), "exp"),
            (r#"{"exp":null,"exp":2}"#, Some("exp"), "exp"),
            (r#"{"exp":2,"exp":null}"#, Some("exp"), "exp"),
            (r#"{"scope":"a","scope":"a"}"#, Some("scope"), "scope"),
            (r#"{"cnf":{},"cnf":{}}"#, Some("cnf"), "cnf"),
            (r#"{"cnf":{"a":1,"a":1}}"#, Some("cnf"), "a"),
            (r#"{"role":1,"role":1}"#, None, "role"),
            (r#"{"x":[{"a at line 1":1,"\u0061 at line 1":1}]}"#, None, "a at line 1"),
            ("{\"a\\n\":1,\"a\\n\":1}", None, "a\n"),
        ] {
            let malformed = read(payload, &[]).err().unwrap();
            assert_eq!(malformed.fault, JsonFault::Repeated, "{payload}");
            assert_eq!((malformed.claim, malformed.repeated.as_deref()), (claim, Some(name)));
        }
    }

    #[test]
    fn null_is_absence_except_for_a_confirmation() {
        let payload = r#"{"iss":null,"sub":null,"aud":null,"exp":null,"nbf":null,"iat":null,
            "jti":null,"client_id":null,"sid":null,"scope":null,"scp":null,"events":null}"#;
        let claims = read(payload, &[]).ok().unwrap();
        assert!(claims.iss.is_none() && claims.sub.is_none() && claims.aud.is_none());
        assert!(claims.jti.is_none() && claims.client_id.is_none() && claims.sid.is_none());
        let Times { exp, nbf, iat } = claims.times;
        assert!(exp.is_none() && nbf.is_none() && iat.is_none());
        assert!(claims.scope.is_none() && claims.scp.is_none() && !claims.events);
        assert!(claims.cnf.is_absent());
        assert!(read(r#"{"cnf":null}"#, &[]).is_ok_and(|claims| !claims.cnf.is_absent()));
    }

    #[test]
    fn b04_a_subject_that_is_a_whole_number_is_read_as_its_digits_if_asked() {
        let read = |payload| {
            let mut claims = RawClaims::default();
            let reading = Reading { integer_subject: true, ..Reading::default() };
            let read = claims.read(payload, reading);
            read.map(|()| claims.sub.map(String::from)).map_err(|malformed| malformed.claim)
        };
        for (payload, subject) in [
            (r#"{"sub":42}"#, Some("42")),
            (r#"{"sub": 18446744073709551616 }"#, Some("18446744073709551616")),
            (r#"{"sub":"u\u0031"}"#, Some("u1")),
            (r#"{"sub":null}"#, None),
        ] {
            assert_eq!(read(payload), Ok(subject.map(str::to_owned)), "{payload}");
        }
        for payload in ["-1", "4.0", "1e3", "true", "[42]", r#"{"a":42}"#, "042"] {
            let read = read(&*format!(r#"{{"sub":{payload}}}"#).leak());
            assert!(read.is_err(), "{payload}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for payload in
            ["", "[]", "[1,2,3,4,5]", "\"{}\"", "null", "7", "{} {}", "{}x", "\u{feff}{}"]
        {
            assert_eq!(malformed(payload), Some(None), "{payload}");
        }
        assert_eq!(read("[]", &[]).err().unwrap().fault, JsonFault::Syntax);
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
            r#"{"scope":["a",null]}"#,
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
