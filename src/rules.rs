//! The rules on claims (RFC 7519 §4.1, RFC 8725 §3.8-3.11): pure questions to
//! a payload and a time, which see no key.

use std::{sync::Arc, time::Duration};

use crate::{
    claims::{NumericDate, RawClaims, Reading, RegisteredClaims, Times},
    error::{Error, ErrorKind},
    few::Few,
};

/// The rules for a token's claims.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// The issuers that are trusted; `None` for any.
    pub(crate) issuers: Option<Few<Arc<str>>>,
    /// The names of this service, one of which the token must have; `None` for
    /// any.
    pub(crate) audiences: Option<Few<Arc<str>>>,
    pub(crate) subject: bool,
    pub(crate) leeway: i64,
    pub(crate) max_age: Option<i64>,
    pub(crate) types: Types,
    /// Takes tokens with security events, such as logout tokens.
    pub(crate) events: bool,
    /// Takes tokens without `exp`; they have a maximum age then.
    pub(crate) without_expiry: bool,
    /// Takes a `sub` that is a whole number for its digits.
    pub(crate) integer_subject: bool,
    /// Claims that must be there, at most [`Rules::MOST_REQUIRED`].
    pub(crate) required: Box<[Box<str>]>,
}

/// The `typ` values that a header may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Types {
    /// None, `JWT` or `at+jwt`.
    Usual,
    /// One of these, and not none.
    Only(Box<[Box<str>]>),
}

/// Evidence that the rules hold, made only by [`Rules::check`] and
/// [`Rules::check_again`].
#[derive(Debug)]
pub(crate) struct WithinRules(());

impl Rules {
    pub(crate) const MOST_REQUIRED: usize = u64::BITS as usize;

    /// The longest leeway that is not `any_leeway`: more than NTP ever leaves, and less than the life
    /// of an access token.
    pub(crate) const MOST_LEEWAY: Duration = Duration::from_secs(300);

    /// Rules that every issuer's tokens satisfy: only `exp`, `nbf` and `iat`, where they are.
    pub(crate) fn of_anybody(leeway: i64) -> Self {
        Self {
            issuers: None,
            audiences: None,
            subject: false,
            leeway,
            max_age: None,
            types: Types::Usual,
            events: true,
            without_expiry: true,
            integer_subject: true,
            required: Box::default(),
        }
    }

    /// How the claims of a payload are read.
    #[inline]
    pub(crate) fn reading(&self) -> Reading<'_> {
        Reading { wanted: &self.required, integer_subject: self.integer_subject }
    }

    /// Whether a token of this type is welcome (RFC 8725 §3.11).
    #[inline]
    pub(crate) fn check_type(&self, typ: Option<&str>) -> Result<(), Error> {
        let welcome = match (&self.types, typ) {
            (Types::Usual, None) => true,
            (Types::Usual, Some(typ)) => USUAL.iter().any(|usual| usual.eq_ignore_ascii_case(typ)),
            (Types::Only(_), None) => false,
            (Types::Only(only), Some(typ)) => only.iter().any(|one| one.eq_ignore_ascii_case(typ)),
        };
        if welcome { Ok(()) } else { Err(Error::new(ErrorKind::TokenType)) }
    }

    /// Checks the claims at the time `now`, in seconds since 1970.
    pub(crate) fn check(&self, claims: &RawClaims<'_>, now: i64) -> Result<WithinRules, Error> {
        self.check_issuer(claims)?;
        self.check_audience(claims)?;
        self.check_times(claims.times, now)?;
        if claims.events && !self.events {
            return Err(Error::new(ErrorKind::SecurityEvent));
        }
        if self.subject {
            match claims.sub.as_deref() {
                None | Some("") => return Err(Error::missing_claim("sub")),
                Some(_) => {}
            }
        }
        if let Some(name) = self.missing(claims).next() {
            return Err(Error::new(ErrorKind::MissingClaim(String::from(name).into())));
        }
        Ok(WithinRules(()))
    }

    /// The required claims that are missing, `null` or empty.
    #[inline]
    pub(crate) fn missing<'r>(&'r self, claims: &RawClaims<'_>) -> impl Iterator<Item = &'r str> {
        self.required.iter().enumerate().filter_map(|(place, name)| {
            // An empty id is the id of nothing, and an empty subject is nobody.
            let is_empty = match &**name {
                "jti" => claims.jti.as_deref() == Some(""),
                "sub" => claims.sub.as_deref() == Some(""),
                _ => false,
            };
            (is_empty || claims.found & (1 << place) == 0).then_some(&**name)
        })
    }

    /// Checks claims again that have passed these rules before. Only the time can have
    /// changed.
    #[inline]
    pub(crate) fn check_again(
        &self,
        claims: &RegisteredClaims,
        now: i64,
    ) -> Result<WithinRules, Error> {
        self.check_times(claims.times(), now)?;
        Ok(WithinRules(()))
    }

    /// Whether claims that passed these rules before never will again.
    pub(crate) fn is_over(&self, claims: &RegisteredClaims, now: i64) -> bool {
        let times = claims.times();
        let is_past = match times.exp {
            Some(exp) => self.is_past(exp, now),
            None => !self.without_expiry,
        };
        is_past || self.is_too_old(times, now)
    }

    /// Whether the token was issued longer ago than the maximum age.
    #[inline]
    pub(crate) fn is_too_old(&self, times: Times, now: i64) -> bool {
        let (Some(max_age), Some(iat)) = (self.max_age, times.iat) else { return false };
        iat.floor().saturating_add(max_age).saturating_add(self.leeway) < now
    }

    /// Whether this `exp` is over.
    #[inline]
    pub(crate) fn is_past(&self, exp: NumericDate, now: i64) -> bool {
        // "On or after" the time it is over (RFC 7519 §4.1.4).
        now >= exp.floor().saturating_add(self.leeway)
    }

    /// Whether this `nbf` or `iat` has not come yet.
    #[inline]
    pub(crate) fn is_early(&self, date: NumericDate, now: i64) -> bool {
        date.ceil() > now.saturating_add(self.leeway)
    }

    /// Whether an issuer is one whose tokens are taken.
    pub(crate) fn trusts(&self, issuer: &str) -> bool {
        let issuers = self.issuers.as_deref();
        issuers.is_none_or(|issuers| issuers.iter().any(|one| **one == *issuer))
    }

    /// Checks `iss`.
    pub(crate) fn check_issuer(&self, claims: &RawClaims<'_>) -> Result<(), Error> {
        match claims.iss.as_deref() {
            Some(issuer) if self.trusts(issuer) => Ok(()),
            Some(_) => Err(Error::new(ErrorKind::Issuer)),
            None if self.issuers.is_none() => Ok(()),
            None => Err(Error::missing_claim("iss")),
        }
    }

    /// Checks `aud`.
    pub(crate) fn check_audience(&self, claims: &RawClaims<'_>) -> Result<(), Error> {
        let Some(audiences) = &self.audiences else { return Ok(()) };
        let aud = claims.aud.as_ref().ok_or_else(|| Error::missing_claim("aud"))?;
        if audiences.iter().any(|audience| aud.contains(audience)) {
            Ok(())
        } else {
            Err(Error::new(ErrorKind::Audience))
        }
    }

    /// Every sum saturates, which can only make a bound wider by what the
    /// configuration asked for and never wrap it around.
    #[inline]
    fn check_times(&self, times: Times, now: i64) -> Result<(), Error> {
        if now < 0 {
            return Err(Error::new(ErrorKind::Clock));
        }
        match times.exp {
            Some(exp) if self.is_past(exp, now) => return Err(Error::new(ErrorKind::Expired)),
            None if !self.without_expiry => return Err(Error::missing_claim("exp")),
            _ => {}
        }
        if times.nbf.is_some_and(|nbf| self.is_early(nbf, now)) {
            return Err(Error::new(ErrorKind::NotYetValid));
        }
        if times.iat.is_some_and(|iat| self.is_early(iat, now)) {
            return Err(Error::new(ErrorKind::IssuedInFuture));
        }
        if self.max_age.is_some() && times.iat.is_none() {
            return Err(Error::missing_claim("iat"));
        }
        if self.is_too_old(times, now) {
            return Err(Error::new(ErrorKind::TooOld));
        }
        Ok(())
    }
}

/// The first second in which claims are over that passed rules with this leeway and maximum age; `None`
/// if they never are.
pub(crate) fn ends_at(claims: &RegisteredClaims, leeway: i64, max_age: Option<i64>) -> Option<i64> {
    let times = claims.times();
    let expired = times.exp.map(|exp| exp.floor().saturating_add(leeway));
    let too_old = max_age.zip(times.iat).map(|(max_age, iat)| {
        iat.floor().saturating_add(max_age).saturating_add(leeway).saturating_add(1)
    });
    expired.into_iter().chain(too_old).min()
}

/// Whole seconds of a setting; what is beyond counts as the largest number.
pub(crate) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

const USUAL: [&str; 2] = ["JWT", "at+jwt"];

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn rules() -> Rules {
        Rules {
            issuers: Some(Few::One("i".into())),
            audiences: Some(vec!["a".into(), "b".into()].into()),
            subject: true,
            leeway: 60,
            max_age: None,
            types: Types::Usual,
            events: false,
            without_expiry: false,
            integer_subject: false,
            required: Box::default(),
        }
    }

    fn check_with(rules: &Rules, payload: &str, now: i64) -> Result<(), ErrorKind> {
        let mut claims = RawClaims::default();
        claims.read(payload, rules.reading()).unwrap();
        rules.check(&claims, now).map(|_| ()).map_err(|error| error.kind().clone())
    }

    fn times(rest: &str, now: i64) -> Result<(), ErrorKind> {
        check_with(&rules(), &format!(r#"{{"iss":"i","aud":"a","sub":"s",{rest}}}"#), now)
    }

    #[test]
    fn exp_is_over_on_the_second() {
        let exp = format!("\"exp\":{NOW}");
        assert_eq!(times(&exp, NOW + 59), Ok(()));
        assert_eq!(times(&exp, NOW + 60), Err(ErrorKind::Expired));
        let fraction = format!("\"exp\":{NOW}.9");
        assert_eq!(times(&fraction, NOW + 60), Err(ErrorKind::Expired), "rounded down");
        assert_eq!(times("\"iat\":1", NOW), Err(ErrorKind::MissingClaim("exp".into())));
        assert_eq!(times("\"exp\":0", NOW), Err(ErrorKind::Expired));
        assert_eq!(times(&format!("\"exp\":{}", i64::MAX), NOW), Ok(()));
    }

    #[test]
    fn nbf_and_iat_have_the_leeway() {
        for claim in ["nbf", "iat"] {
            let at = |time: &str| format!("\"exp\":{},\"{claim}\":{time}", i64::MAX);
            assert_eq!(times(&at("1800000060"), NOW), Ok(()));
            assert!(times(&at("1800000060.1"), NOW).is_err(), "rounded up");
            assert!(times(&at("1800000061"), NOW).is_err());
            assert!(times(&at(&i64::MAX.to_string()), NOW).is_err());
        }
    }

    #[test]
    fn age_is_limited_if_asked() {
        let rules = Rules { max_age: Some(100), ..rules() };
        let at = |rest: &str, now| {
            let payload = format!(r#"{{"iss":"i","aud":"a","sub":"s","exp":{}{rest}}}"#, i64::MAX);
            check_with(&rules, &payload, now)
        };
        assert_eq!(at(",\"iat\":1800000000", NOW + 160), Ok(()));
        assert_eq!(at(",\"iat\":1800000000", NOW + 161), Err(ErrorKind::TooOld));
        assert_eq!(at("", NOW), Err(ErrorKind::MissingClaim("iat".into())));
    }

    #[test]
    fn without_expiry_the_age_is_limited() {
        let rules = Rules { max_age: Some(100), without_expiry: true, ..rules() };
        let at = |rest: &str, now| {
            check_with(&rules, &format!(r#"{{"iss":"i","aud":"a","sub":"s"{rest}}}"#), now)
        };
        assert_eq!(at(",\"iat\":1800000000", NOW + 160), Ok(()));
        assert_eq!(at(",\"iat\":1800000000", NOW + 161), Err(ErrorKind::TooOld));
        assert_eq!(at("", NOW), Err(ErrorKind::MissingClaim("iat".into())));
        assert_eq!(at(",\"iat\":1800000000,\"exp\":1", NOW), Err(ErrorKind::Expired));
        let claims: RegisteredClaims = serde_json::from_str(r#"{"iat":1800000000}"#).unwrap();
        assert!(!rules.is_over(&claims, NOW + 160) && rules.is_over(&claims, NOW + 161));
    }

    #[test]
    fn claims_end_in_the_first_second_in_which_they_are_over() {
        for (max_age, payload, end) in [
            (None, r#"{"exp":1800000000}"#, Some(NOW + 60)),
            (None, r#"{"exp":1800000000.9,"iat":1}"#, Some(NOW + 60)),
            (None, "{}", None),
            (Some(100), r#"{"iat":1800000000,"exp":1800009999}"#, Some(NOW + 161)),
            (Some(100), r#"{"iat":1800000000,"exp":1800000020}"#, Some(NOW + 80)),
            (Some(100), r#"{"iat":1800000000}"#, Some(NOW + 161)),
            (Some(i64::MAX), r#"{"iat":1800000000}"#, Some(i64::MAX)),
        ] {
            let rules = Rules { max_age, without_expiry: true, ..rules() };
            let claims: RegisteredClaims = serde_json::from_str(payload).unwrap();
            assert_eq!(ends_at(&claims, rules.leeway, max_age), end, "{payload}");
            if let Some(end) = end.filter(|end| *end < i64::MAX) {
                assert!(
                    rules.is_over(&claims, end) && !rules.is_over(&claims, end - 1),
                    "{payload}"
                );
            }
        }
    }

    #[test]
    fn no_number_overflows() {
        for leeway in [0, 60, i64::MAX] {
            for max_age in [None, Some(0), Some(i64::MAX)] {
                let rules = Rules { leeway, max_age, ..rules() };
                for claim in [0, 1, i64::MAX] {
                    for now in [i64::MIN, -1, 0, NOW, i64::MAX] {
                        let payload = format!(
                            r#"{{"iss":"i","aud":"a","sub":"s","exp":{claim},"nbf":{claim},"iat":{claim}}}"#
                        );
                        let _ = check_with(&rules, &payload, now);
                    }
                }
            }
        }
        assert_eq!(times("\"exp\":1", -1), Err(ErrorKind::Clock));
    }

    #[test]
    fn issuer_audience_and_subject_are_exact() {
        let check =
            |claims: &str| check_with(&rules(), &format!("{{\"exp\":{},{claims}}}", i64::MAX), NOW);
        assert_eq!(check(r#""iss":"i","aud":["x","b"],"sub":"s""#), Ok(()));
        assert_eq!(check(r#""iss":"I","aud":"a","sub":"s""#), Err(ErrorKind::Issuer));
        assert_eq!(check(r#""iss":"i/","aud":"a","sub":"s""#), Err(ErrorKind::Issuer));
        assert_eq!(check(r#""aud":"a","sub":"s""#), Err(ErrorKind::MissingClaim("iss".into())));
        assert_eq!(check(r#""iss":"i","aud":[],"sub":"s""#), Err(ErrorKind::Audience));
        assert_eq!(check(r#""iss":"i","aud":"a b","sub":"s""#), Err(ErrorKind::Audience));
        assert_eq!(check(r#""iss":"i","sub":"s""#), Err(ErrorKind::MissingClaim("aud".into())));
        assert_eq!(
            check(r#""iss":"i","aud":"a","sub":"""#),
            Err(ErrorKind::MissingClaim("sub".into()))
        );
    }

    #[test]
    fn required_claims_are_there() {
        let rules = Rules { required: ["jti".into(), "tenant".into()].into(), ..rules() };
        let check = |rest: &str| {
            let payload = format!(r#"{{"iss":"i","aud":"a","sub":"s","exp":{}{rest}}}"#, i64::MAX);
            check_with(&rules, &payload, NOW)
        };
        assert_eq!(check(r#","tenant":0,"jti":"j""#), Ok(()));
        assert_eq!(check(r#","tenant":0,"jti":"""#), Err(ErrorKind::MissingClaim("jti".into())));
        for events in ["{}", "0", r#"{"http://schemas.openid.net/event/backchannel-logout":{}}"#] {
            let with = format!(r#","tenant":0,"jti":"j","events":{events}"#);
            assert_eq!(check(&with), Err(ErrorKind::SecurityEvent));
        }
        for rest in [r#","jti":"j""#, r#","jti":"j","tenant":null"#] {
            assert_eq!(check(rest), Err(ErrorKind::MissingClaim("tenant".into())));
        }
    }

    #[test]
    fn types() {
        let usual = rules();
        for typ in [None, Some("JWT"), Some("jwt"), Some("AT+JWT")] {
            assert!(usual.check_type(typ).is_ok(), "{typ:?}");
        }
        for typ in ["", "dpop+jwt", "logout+jwt", "JWT "] {
            assert!(usual.check_type(Some(typ)).is_err(), "{typ:?}");
        }
        let only = Rules { types: Types::Only(["at+jwt".into()].into()), ..rules() };
        assert!(only.check_type(Some("At+Jwt")).is_ok());
        assert!(only.check_type(Some("JWT")).is_err() && only.check_type(None).is_err());
    }
}
