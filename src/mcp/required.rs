//! The requirements of an operation: scopes, and policies that say more.

use std::{error::Error as _, fmt, ptr, sync::Arc};

use crate::{
    authorize::{Policy, PolicyAlternative, PolicyDescription, PolicyExt, Scopes},
    claims::RegisteredClaims,
    error::{Error, ErrorKind},
    verifier::Claims,
};

/// A policy that several operations share.
#[derive(Clone)]
pub(super) struct SharedPolicy(Arc<dyn Policy<RegisteredClaims> + Send + Sync>);

impl SharedPolicy {
    pub(super) fn new(policy: impl Policy<RegisteredClaims> + Send + Sync + 'static) -> Self {
        Self(Arc::new(policy))
    }

    fn is(&self, other: &Self) -> bool {
        ptr::addr_eq(Arc::as_ptr(&self.0), Arc::as_ptr(&other.0))
    }
}

impl Policy<RegisteredClaims> for SharedPolicy {
    fn authorize(&self, claims: &Claims) -> Result<(), Error> {
        self.0.authorize(claims)
    }

    fn describe(&self) -> PolicyDescription {
        self.0.describe()
    }

    fn accepts_acr(&self, claims: &Claims, acr: &str) -> bool {
        self.0.accepts_acr(claims, acr)
    }
}

impl fmt::Debug for SharedPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.describe())
    }
}

/// The requirements of an operation, base scopes included.
#[derive(Clone, Debug)]
pub(super) struct Required {
    scopes: Vec<Box<str>>,
    policies: Vec<SharedPolicy>,
    /// All of them together. `None` if every token will do.
    whole: Option<SharedPolicy>,
}

impl Required {
    pub(super) fn new(scopes: Vec<Box<str>>, policies: Vec<SharedPolicy>) -> Self {
        let of_scopes =
            (!scopes.is_empty()).then(|| SharedPolicy::new(Scopes::all_of(scopes.iter())));
        let parts = of_scopes.into_iter().chain(policies.iter().cloned());
        let whole = parts.reduce(|first, second| SharedPolicy::new(first.and(second)));
        Self { scopes, policies, whole }
    }

    /// All requirements of these together. One that comes twice counts once.
    pub(super) fn union<'r>(all: impl IntoIterator<Item = &'r Self>) -> Self {
        let mut distinct: Vec<&Self> = Vec::new();
        let (mut scopes, mut policies) = (Vec::new(), Vec::new());
        for required in all {
            // A message may name the same operation many times.
            if distinct.iter().any(|known| ptr::eq(*known, required)) {
                continue;
            }
            distinct.push(required);
            add(&mut scopes, &required.scopes);
            for policy in &required.policies {
                if !policies.iter().any(|known| policy.is(known)) {
                    policies.push(policy.clone());
                }
            }
        }
        Self::new(scopes, policies)
    }

    #[cfg(test)]
    pub(super) fn scopes(&self) -> &[Box<str>] {
        &self.scopes
    }

    pub(super) fn describe(&self) -> PolicyDescription {
        match &self.whole {
            Some(policy) => policy.describe(),
            None => PolicyDescription::all([]),
        }
    }

    pub(super) fn check(&self, claims: &Claims) -> Result<(), Error> {
        let Some(policy) = &self.whole else { return Ok(()) };
        policy.authorize(claims).map_err(|error| self.with_all_scopes(error, claims))
    }

    /// A refusal for a missing scope, with the scopes of all parts: a token that the client gets for these
    /// is enough.
    #[cold]
    fn with_all_scopes(&self, error: Error, claims: &Claims) -> Error {
        let is_for_scope = matches!(error.kind(), ErrorKind::InsufficientScope { .. });
        if self.policies.is_empty() || !is_for_scope || error.source().is_some() {
            return error;
        }
        let (mut all, mut lacking) = (self.scopes.clone(), Vec::new());
        let mut add_missing = |policy: &dyn Policy<RegisteredClaims>| -> Option<Box<[Box<str>]>> {
            match policy.authorize(claims).err()?.kind() {
                ErrorKind::InsufficientScope { required, missing } => {
                    add(&mut lacking, missing);
                    Some(required.clone())
                }
                _ => None,
            }
        };
        if !self.scopes.is_empty() {
            add_missing(&Scopes::all_of(self.scopes.iter()));
        }
        for policy in &self.policies {
            match add_missing(policy) {
                Some(required) => add(&mut all, &required),
                None => {
                    // The token has these, or others in their place. A new token is to have them, too.
                    let alternatives = policy.describe().alternatives();
                    for scope in alternatives.first().map_or(&[][..], PolicyAlternative::scopes) {
                        add(&mut all, &[scope.as_str().into()]);
                    }
                }
            }
        }
        ErrorKind::InsufficientScope { required: all.into(), missing: lacking.into() }.into()
    }
}

/// Adds scopes that are not there yet.
pub(super) fn add(to: &mut Vec<Box<str>>, scopes: &[Box<str>]) {
    for scope in scopes {
        if !to.contains(scope) {
            to.push(scope.clone());
        }
    }
}
