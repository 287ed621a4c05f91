//! The requirements of an operation: scopes, and policies that say more.

use std::{collections::HashSet, error::Error as _, fmt, ptr, sync::Arc};

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
        let whole = all_of(of_scopes.into_iter().chain(policies.iter().cloned()).collect());
        Self { scopes, policies, whole }
    }

    /// All requirements of these together. One that comes twice counts once.
    pub(super) fn union<'r>(all: impl IntoIterator<Item = &'r Self>) -> Self {
        let mut distinct = HashSet::new();
        let (mut scopes, mut policies) = (Vec::new(), Vec::new());
        for required in all {
            // A message may name the same operation many times.
            if !distinct.insert(ptr::from_ref(required)) {
                continue;
            }
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

    /// The first refusal, if there is one, by itself: the parts after it are not asked.
    pub(super) fn first_refusal(&self, claims: &Claims) -> Option<Error> {
        let of_scopes = || Scopes::all_of(self.scopes.iter()).authorize(claims).err();
        let of_policies = || self.policies.iter().find_map(|policy| policy.authorize(claims).err());
        if self.scopes.is_empty() { of_policies() } else { of_scopes().or_else(of_policies) }
    }

    /// A refusal for a missing scope, with the scopes of all parts: a token that the client gets for these
    /// is enough. If a part refuses for another reason, that is the refusal: no scope helps.
    #[cold]
    fn with_all_scopes(&self, error: Error, claims: &Claims) -> Error {
        let is_for_scope = matches!(error.kind(), ErrorKind::InsufficientScope { .. });
        if self.policies.is_empty() || !is_for_scope || error.source().is_some() {
            return error;
        }
        let (mut all, mut lacking) = (self.scopes.clone(), Vec::new());
        if let Err(error) = Scopes::all_of(self.scopes.iter()).authorize(claims)
            && let ErrorKind::InsufficientScope { missing, .. } = error.kind()
        {
            add(&mut lacking, missing);
        }
        for policy in &self.policies {
            match policy.authorize(claims) {
                Ok(()) => add(&mut all, &held(&policy.describe(), claims)),
                Err(error) => match error.kind() {
                    ErrorKind::InsufficientScope { required, missing } => {
                        add(&mut all, required);
                        add(&mut lacking, missing);
                    }
                    _ => return error,
                },
            }
        }
        ErrorKind::InsufficientScope { required: all.into(), missing: lacking.into() }.into()
    }
}

/// The scopes by which a token satisfies a policy: a new token is to have them, too.
fn held(policy: &PolicyDescription, claims: &Claims) -> Vec<Box<str>> {
    let alternatives = policy.alternatives();
    let is_held = |one: &&PolicyAlternative| {
        one.scopes().is_empty() || Scopes::all_of(one.scopes()).authorize(claims).is_ok()
    };
    let held = alternatives.iter().find(is_held).or(alternatives.first());
    held.map_or_else(Vec::new, |one| {
        one.scopes().iter().map(|scope| scope.as_str().into()).collect()
    })
}

/// All of these policies. They are joined in pairs, so that a policy of many is not as deep as it is long.
fn all_of(mut policies: Vec<SharedPolicy>) -> Option<SharedPolicy> {
    if policies.len() < 2 {
        return policies.pop();
    }
    let second = policies.split_off(policies.len() / 2);
    Some(SharedPolicy::new(all_of(policies)?.and(all_of(second)?)))
}

/// Adds scopes that are not there yet.
pub(super) fn add(to: &mut Vec<Box<str>>, scopes: &[Box<str>]) {
    for scope in scopes {
        if !to.contains(scope) {
            to.push(scope.clone());
        }
    }
}
