//! The contents of a challenge, from the description of a policy.

use std::{error::Error as _, time::Duration};

use super::description::{Login, PolicyDescription, Term};
use crate::error::{BoxError, Error, ErrorKind};

/// The login that a challenge asks for (RFC 9470 §3); see [`ErrorKind::UserAuthentication`].
#[derive(Default)]
pub(super) struct UserAuthentication {
    pub(super) acr_values: Box<[Box<str>]>,
    pub(super) max_age: Option<Duration>,
    pub(super) scopes: Box<[Box<str>]>,
}

impl UserAuthentication {
    /// The refusal of a token whose login is not like that. The reason is for the operator.
    #[cold]
    pub(super) fn into_error(self, reason: impl Into<BoxError>) -> Error {
        Error::with_source(self.into(), reason)
    }

    /// The part of a refusal that a login can change.
    fn of(kind: &ErrorKind) -> Option<Self> {
        match kind {
            ErrorKind::UserAuthentication { acr_values, max_age, scopes } => Some(Self {
                acr_values: acr_values.clone(),
                max_age: *max_age,
                scopes: scopes.clone(),
            }),
            ErrorKind::InsufficientScope { required, .. } => {
                Some(Self { scopes: required.clone(), ..Self::default() })
            }
            _ => None,
        }
    }

    /// Both together, with the contexts that are in both lists. If they share none, one list may have a
    /// context that the other policy accepts, too: [`only_accepted`] finds out.
    fn and(self, other: Self) -> Self {
        let mut acr_values = self.acr_values.to_vec();
        if acr_values.is_empty() {
            acr_values = other.acr_values.into();
        } else if acr_values.iter().any(|value| other.acr_values.contains(value)) {
            acr_values.retain(|value| other.acr_values.contains(value));
        } else {
            acr_values.extend(other.acr_values);
        }
        let max_age = match (self.max_age, other.max_age) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        let mut scopes = self.scopes.to_vec();
        for scope in other.scopes {
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
        Self { acr_values: acr_values.into(), max_age, scopes: scopes.into() }
    }
}

impl From<UserAuthentication> for ErrorKind {
    fn from(UserAuthentication { acr_values, max_age, scopes }: UserAuthentication) -> Self {
        Self::UserAuthentication { acr_values, max_age, scopes }
    }
}

impl From<&Login> for UserAuthentication {
    fn from(login: &Login) -> Self {
        let (acr_values, max_age) = (login.acr_values.clone(), login.max_age);
        Self { acr_values, max_age, scopes: Box::default() }
    }
}

impl PolicyDescription {
    /// The scopes that a challenge names, or the login and the scopes.
    pub(super) fn challenge(&self) -> Option<ErrorKind> {
        match self.term() {
            Term::AllScopes(words) | Term::AnyScope(words) => {
                let (required, missing) = (words.clone(), Box::default());
                Some(ErrorKind::InsufficientScope { required, missing })
            }
            Term::Login(login) => Some(UserAuthentication::from(login).into()),
            Term::All(parts) => parts.iter().map(Self::challenge).fold(None, both),
            // It is not known which part a token satisfies, so a challenge names none.
            Term::Any(parts) => {
                parts.iter().any(Self::asks_for_login).then(|| UserAuthentication::default().into())
            }
            Term::Named { of, .. } => of.challenge(),
            Term::SenderConstrained
            | Term::Text(_)
            | Term::Opaque
            | Term::Not(_)
            | Term::Never(_) => None,
        }
    }

    /// Whether a challenge may ask for another login.
    pub(super) fn asks_for_login(&self) -> bool {
        self.challenge().as_ref().is_some_and(asks_for_login)
    }

    /// The login that a challenge asks for.
    pub(super) fn login(&self) -> Option<UserAuthentication> {
        self.challenge().filter(asks_for_login).as_ref().and_then(UserAuthentication::of)
    }
}

/// Whether a refusal, or a challenge, asks for another login.
pub(super) fn asks_for_login(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::UserAuthentication { .. })
}

/// Whether a login can change the reason of a refusal. A refusal for a scope with a cause comes from
/// a policy that could not decide.
pub(super) fn is_for_login(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::UserAuthentication { .. } => true,
        ErrorKind::InsufficientScope { .. } => error.source().is_none(),
        _ => false,
    }
}

/// One challenge with the contents of both.
fn both(one: Option<ErrorKind>, other: Option<ErrorKind>) -> Option<ErrorKind> {
    let (one, other) = match (one, other) {
        (Some(one), Some(other)) => (one, other),
        (one, other) => return one.or(other),
    };
    let with_login = asks_for_login(&one) || asks_for_login(&other);
    let both = UserAuthentication::of(&one)?.and(UserAuthentication::of(&other)?);
    Some(match with_login {
        true => both.into(),
        false => ErrorKind::InsufficientScope { required: both.scopes, missing: Box::default() },
    })
}

/// The same refusal, which asks only for contexts that the policy `accepts`: with any other one, the
/// client would log in, and be asked again. If no login helps, it is not asked for. `own` is the context
/// of the token, whose login may only be too old.
pub(super) fn only_accepted(
    error: Error,
    own: Option<&str>,
    accepts: impl Fn(&str) -> bool,
) -> Error {
    let ErrorKind::UserAuthentication { acr_values, max_age, scopes } = error.kind() else {
        return error;
    };
    if acr_values.iter().all(|acr| accepts(acr)) {
        return error;
    }
    let mut accepted: Vec<_> = acr_values.iter().filter(|acr| accepts(acr)).cloned().collect();
    if accepted.is_empty() {
        accepted.extend(own.filter(|acr| can_be_asked_for(acr) && accepts(acr)).map(Box::from));
    }
    if accepted.is_empty() {
        let kind = ErrorKind::Forbidden { policy: "step-up".into() };
        let reason = "no `acr` that a policy names is accepted by all of its step-ups: give them one \
                      in common";
        return Error::with_source(kind, reason);
    }
    let reason = error.source().map(ToString::to_string).unwrap_or_default();
    let (max_age, scopes) = (*max_age, scopes.clone());
    UserAuthentication { acr_values: accepted.into(), max_age, scopes }.into_error(reason)
}

/// Whether `acr_values` can name a context: one word (RFC 9470 §3), in characters that a header has.
pub(super) fn can_be_asked_for(acr: &str) -> bool {
    !acr.is_empty() && acr.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A refusal for both of two reasons, if that asks for a login: one challenge names everything. The
/// reasons are for the operator.
pub(super) fn join(
    one: Option<ErrorKind>,
    other: Option<ErrorKind>,
    refusals: &[&Error],
) -> Option<Error> {
    if !refusals.iter().any(|error| asks_for_login(error.kind())) {
        return None;
    }
    let reason = |error: &&Error| {
        error.source().map_or_else(|| error.to_string(), |source| source.to_string())
    };
    let reasons: Vec<_> = refusals.iter().map(reason).collect();
    Some(Error::with_source(both(one, other)?, reasons.join("; ")))
}
