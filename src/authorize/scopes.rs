//! Scopes that a token must have.

use super::{
    description::{PolicyDescription, Term},
    policy::Policy,
};
use crate::{
    error::{Error, ErrorKind},
    verifier::Claims,
};

/// Wants scopes (RFC 6749 §3.3), and names them in the challenge if they are
/// missing (RFC 6750 §3).
#[derive(Clone, Debug)]
pub struct Scopes {
    scopes: Box<[Box<str>]>,
    all: bool,
}

impl Scopes {
    /// All of these scopes. Without any, no token will do, also under
    /// [`not`](super::PolicyExt::not): a list that is empty by mistake must not open a route.
    pub fn all_of<S: AsRef<str>>(scopes: impl IntoIterator<Item = S>) -> Self {
        Self { scopes: words(scopes), all: true }
    }

    /// At least one of these scopes. Without any, no token will do, also under
    /// [`not`](super::PolicyExt::not).
    pub fn any_of<S: AsRef<str>>(scopes: impl IntoIterator<Item = S>) -> Self {
        Self { scopes: words(scopes), all: false }
    }
}

impl<C> Policy<C> for Scopes {
    fn authorize(&self, claims: &Claims<C>) -> Result<(), Error> {
        if self.scopes.is_empty() {
            // With a cause, so that `Not` does not invert it.
            let kind = ErrorKind::Forbidden { policy: "scopes".into() };
            return Err(Error::with_source(kind, NO_SCOPE));
        }
        let has = claims.registered().scopes();
        let missing = self.scopes.iter().filter(|scope| !has.contains(scope)).count();
        let enough = if self.all { missing == 0 } else { missing < self.scopes.len() };
        if enough && !has.is_malformed() {
            return Ok(());
        }
        let kind = ErrorKind::InsufficientScope {
            required: self.scopes.clone(),
            missing: self.scopes.iter().filter(|scope| !has.contains(scope)).cloned().collect(),
        };
        // With a cause, so that `Not` does not invert it.
        Err(if has.is_malformed() {
            Error::with_source(kind, "`scope` or `scp` is no string and no array of strings")
        } else {
            Error::new(kind)
        })
    }

    fn describe(&self) -> PolicyDescription {
        let scopes = self.scopes.clone();
        let term = match self.all {
            _ if scopes.is_empty() => Term::Never(NO_SCOPE),
            true => Term::AllScopes(scopes),
            false => Term::AnyScope(scopes),
        };
        term.into()
    }
}

/// Why no token will do.
const NO_SCOPE: &str = "the policy names no scope, give it one";

/// The words one by one: `"a b"` are two.
pub(super) fn words<S: AsRef<str>>(scopes: impl IntoIterator<Item = S>) -> Box<[Box<str>]> {
    let mut words = Vec::new();
    for scope in scopes {
        words.extend(scope.as_ref().split(' ').filter(|word| !word.is_empty()).map(Box::from));
    }
    words.into()
}
