//! Scopes that a token must have.

use super::{
    description::{PolicyDescription, Term},
    policy::Policy,
};
use crate::{
    error::{Error, ErrorKind},
    scope_hierarchy::ScopeHierarchy,
    verifier::Claims,
};

/// Wants scopes (RFC 6749 §3.3), and names them in the challenge if they are
/// missing (RFC 6750 §3).
#[derive(Clone, Debug)]
pub struct Scopes {
    scopes: Box<[Box<str>]>,
    all: bool,
    hierarchy: Option<ScopeHierarchy>,
}

impl Scopes {
    /// All of these scopes. Without any, no token will do, also under
    /// [`not`](super::PolicyExt::not): a list that is empty by mistake must not open a route.
    pub fn all_of<S: AsRef<str>>(scopes: impl IntoIterator<Item = S>) -> Self {
        Self { scopes: words(scopes), all: true, hierarchy: None }
    }

    /// At least one of these scopes. Without any, no token will do, also under
    /// [`not`](super::PolicyExt::not).
    pub fn any_of<S: AsRef<str>>(scopes: impl IntoIterator<Item = S>) -> Self {
        Self { scopes: words(scopes), all: false, hierarchy: None }
    }

    /// Sets which scopes imply others for this policy, in place of what the
    /// [verifier](crate::verifier::VerifierBuilder::scope_hierarchy) has. With
    /// [`ScopeHierarchy::new()`](ScopeHierarchy::new), exactly these scopes are required.
    ///
    /// # Example: who may write may read
    /// ```
    /// use tower_jwt_auth::{
    ///     RequireLayer,
    ///     authorize::{ScopeHierarchy, Scopes},
    /// };
    ///
    /// let hierarchy = ScopeHierarchy::new().implies("files:write", ["files:read"]);
    /// let read = Scopes::all_of(["files:read"]).with_hierarchy(&hierarchy);
    /// let layer = RequireLayer::new(read);
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn with_hierarchy(mut self, hierarchy: &ScopeHierarchy) -> Self {
        self.hierarchy = Some(hierarchy.clone().prepared());
        self
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
        let hierarchy = || self.hierarchy.as_ref().or_else(|| claims.scope_hierarchy());
        let is_missing = |scope: &str| {
            !has.contains(scope)
                && !hierarchy().is_some_and(|hierarchy| {
                    has.iter().any(|granted| hierarchy.covers(granted, scope))
                })
        };
        let missing = self.scopes.iter().filter(|scope| is_missing(scope)).count();
        let enough = if self.all { missing == 0 } else { missing < self.scopes.len() };
        if enough && !has.is_malformed() {
            return Ok(());
        }
        let kind = ErrorKind::InsufficientScope {
            required: self.scopes.clone(),
            missing: self.scopes.iter().filter(|scope| is_missing(scope)).cloned().collect(),
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
pub(crate) fn words<S: AsRef<str>>(scopes: impl IntoIterator<Item = S>) -> Box<[Box<str>]> {
    let mut words = Vec::new();
    for scope in scopes {
        words.extend(scope.as_ref().split(' ').filter(|word| !word.is_empty()).map(Box::from));
    }
    words.into()
}
