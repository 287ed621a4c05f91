//! A revocation, and the data of a token that it is compared with.

use std::{fmt::Write, time::Duration};

use serde::{Deserialize, Serialize};

use crate::claims::{NumericDate, RegisteredClaims};

/// A revocation of one or many tokens of an issuer. Times are in seconds since
/// 1970-01-01T00:00:00Z.
///
/// It serializes, so that a store or a message can carry it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    #[serde(flatten)]
    of: Of,
    issuer: Box<str>,
    until: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Of {
    Token(Box<str>),
    Session(Box<str>),
    Subject { subject: Box<str>, before: i64 },
}

impl Revocation {
    /// Revokes the token with these claims; `None` if it has no `jti` or no `exp`.
    #[must_use]
    pub fn of_token(claims: &RegisteredClaims) -> Option<Self> {
        let (id, expires_at) = (claims.token_id()?, claims.expires_at()?.ceil());
        Some(Self::token(claims.issuer().unwrap_or_default(), id, expires_at))
    }

    /// Revokes the token with this `jti`, which expires at `expires_at`.
    #[must_use]
    pub fn token(issuer: &str, token_id: &str, expires_at: i64) -> Self {
        Self::new(Of::Token(token_id.into()), issuer, expires_at)
    }

    /// Revokes all tokens with this `sid`, the last of which expires at `expires_at`.
    #[must_use]
    pub fn session(issuer: &str, session_id: &str, expires_at: i64) -> Self {
        Self::new(Of::Session(session_id.into()), issuer, expires_at)
    }

    /// Revokes all tokens with this `sub` that were issued at `issued_until` or earlier, the last
    /// of which expires at `expires_at`: after a change of the password, for example. A token
    /// without `iat` counts as issued earlier.
    ///
    /// `iat` has whole seconds, so a token that is issued later in the same second is revoked,
    /// too.
    #[must_use]
    pub fn subject(issuer: &str, subject: &str, issued_until: i64, expires_at: i64) -> Self {
        let of = Of::Subject { subject: subject.into(), before: issued_until };
        Self::new(of, issuer, expires_at)
    }

    /// Restores a revocation from its parts. `before` counts only for subjects.
    pub(super) fn of(kind: Kind, issuer: &str, name: &str, until: i64, before: i64) -> Self {
        let of = match kind {
            Kind::Token => Of::Token(name.into()),
            Kind::Session => Of::Session(name.into()),
            Kind::Subject => Of::Subject { subject: name.into(), before },
        };
        Self { of, issuer: issuer.into(), until }
    }

    fn new(of: Of, issuer: &str, expires_at: i64) -> Self {
        let slack = i64::try_from(SLACK.as_secs()).unwrap_or_default();
        Self { of, issuer: issuer.into(), until: expires_at.saturating_add(slack) }
    }

    /// The issuer of the tokens; empty if they have no `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The time from which a store need not keep the revocation: 5 minutes after the last of its
    /// tokens has expired.
    #[must_use]
    pub fn keep_until(&self) -> i64 {
        self.until
    }

    /// For a revocation of a subject: it revokes the tokens that were issued at this time or
    /// earlier.
    #[must_use]
    pub fn issued_until(&self) -> Option<i64> {
        match &self.of {
            Of::Subject { before, .. } => Some(*before),
            Of::Token(_) | Of::Session(_) => None,
        }
    }

    /// A text that no other token, session or subject has. A store can look it up by this.
    #[must_use]
    pub fn key(&self) -> String {
        let (kind, name) = self.name();
        key(kind, &self.issuer, name)
    }

    /// Whether it revokes a token that it names and that was issued at this time, if the time is
    /// known.
    pub(crate) fn revokes(&self, issued_at: Option<i64>) -> bool {
        self.issued_until().is_none_or(|time| is_issued_until(issued_at, time))
    }

    pub(super) fn name(&self) -> (Kind, &str) {
        match &self.of {
            Of::Token(id) => (Kind::Token, id),
            Of::Session(id) => (Kind::Session, id),
            Of::Subject { subject, .. } => (Kind::Subject, subject),
        }
    }
}

/// The claims of a token by which revocations name it.
#[derive(Clone, Copy, Debug)]
pub struct TokenIds<'a> {
    issuer: &'a str,
    names: [Option<&'a str>; 3],
    issued_at: Option<i64>,
}

impl<'a> TokenIds<'a> {
    /// The ids of the token with these claims.
    #[must_use]
    pub fn new(claims: &'a RegisteredClaims) -> Self {
        Self {
            issuer: claims.issuer().unwrap_or_default(),
            names: [claims.token_id(), claims.session_id(), claims.subject()],
            issued_at: claims.issued_at().map(NumericDate::floor),
        }
    }

    /// The ids of a token with these `jti`, `sid` and `sub`.
    pub(super) fn of(issuer: &'a str, names: [Option<&'a str>; 3], issued_at: Option<i64>) -> Self {
        Self { issuer, names, issued_at }
    }

    /// Its issuer (`iss`); empty without one.
    #[must_use]
    pub fn issuer(&self) -> &'a str {
        self.issuer
    }

    /// Its id (`jti`).
    #[must_use]
    pub fn token_id(&self) -> Option<&'a str> {
        self.names[0]
    }

    /// Its session (`sid`).
    #[must_use]
    pub fn session_id(&self) -> Option<&'a str> {
        self.names[1]
    }

    /// Its subject (`sub`).
    #[must_use]
    pub fn subject(&self) -> Option<&'a str> {
        self.names[2]
    }

    /// When it was issued (`iat`), in whole seconds rounded down.
    #[must_use]
    pub fn issued_at(&self) -> Option<i64> {
        self.issued_at
    }

    /// The [keys](Revocation::key) of the revocations that may name it. If a revocation has a
    /// [time](Revocation::issued_until), it revokes this token only if the token
    /// [was issued until then](Self::is_issued_until).
    pub fn keys(&self) -> impl Iterator<Item = String> {
        self.each().map(|(kind, name)| key(kind, self.issuer, name))
    }

    /// Whether it was issued at this time or earlier. A token without `iat` counts as issued
    /// earlier.
    #[must_use]
    pub fn is_issued_until(&self, time: i64) -> bool {
        is_issued_until(self.issued_at(), time)
    }

    pub(super) fn each(&self) -> impl Iterator<Item = (Kind, &'a str)> + use<'a> {
        let kinds = [Kind::Token, Kind::Session, Kind::Subject];
        kinds.into_iter().zip(self.names).filter_map(|(kind, name)| Some((kind, name?)))
    }
}

/// Whether a token was issued at this time or earlier. An unknown time counts as earlier.
fn is_issued_until(issued_at: Option<i64>, time: i64) -> bool {
    issued_at.is_none_or(|issued_at| issued_at <= time)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Token,
    Session,
    Subject,
}

/// The length separates the issuer from the name: both may have any character.
fn key(kind: Kind, issuer: &str, name: &str) -> String {
    let kind = match kind {
        Kind::Token => "jti",
        Kind::Session => "sid",
        Kind::Subject => "sub",
    };
    let mut key = String::with_capacity(issuer.len() + name.len() + 12);
    // A string can always be written to.
    let _ = write!(key, "{kind}:{}:{issuer}:{name}", issuer.len());
    key
}

/// How much longer than its tokens a revocation lasts. Clocks differ, so verifiers may accept a
/// token for this time after its `exp`.
const SLACK: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_apart() {
        let keys = [
            Revocation::token("a", "b", 0).key(),
            Revocation::session("a", "b", 0).key(),
            Revocation::subject("a", "b", 0, 0).key(),
            Revocation::token("a:b", "", 0).key(),
            Revocation::token("a", ":b", 0).key(),
            Revocation::token("", "a:b", 0).key(),
        ];
        for (at, key) in keys.iter().enumerate() {
            assert_eq!(keys.iter().position(|other| other == key), Some(at), "{key}");
        }
    }

    #[test]
    fn the_keys_of_a_token_are_those_of_its_revocations() {
        let claims: RegisteredClaims =
            serde_json::from_str(r#"{"iss":"i","jti":"j","sid":"d","sub":"s","exp":9,"iat":5.5}"#)
                .unwrap();
        let keys: Vec<_> = TokenIds::new(&claims).keys().collect();
        let of_token = Revocation::of_token(&claims).unwrap();
        let of_session = Revocation::session("i", "d", 9);
        let of_subject = Revocation::subject("i", "s", 5, 9);
        assert_eq!(keys, [of_token.key(), of_session.key(), of_subject.key()]);
        assert_eq!((of_token.keep_until(), of_subject.issued_until()), (309, Some(5)));
        let presented = TokenIds::new(&claims);
        assert!(presented.is_issued_until(5) && !presented.is_issued_until(4));
    }

    #[test]
    fn it_goes_through_json() {
        for revocation in [
            Revocation::token("i", "j", 9),
            Revocation::session("i", "d", 9),
            Revocation::subject("i", "s", 5, i64::MAX),
        ] {
            let json = serde_json::to_string(&revocation).unwrap();
            assert_eq!(serde_json::from_str::<Revocation>(&json).unwrap(), revocation, "{json}");
        }
    }
}
