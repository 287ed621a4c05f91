//! Policies made of policies.

use std::error::Error as _;

use super::policy::Policy;
use crate::{error::Error, verifier::Claims};

/// Combines policies.
pub trait PolicyExt: Sized {
    /// Requires both policies. The first that refuses gives the reason.
    fn and<P>(self, other: P) -> And<Self, P> {
        And::new(self, other)
    }

    /// Requires one of both policies. If both refuse, the first gives the reason, unless only the
    /// second could not decide, as with malformed scopes.
    fn or<P>(self, other: P) -> Or<Self, P> {
        Or::new(self, other)
    }

    /// Requires that this policy refuses.
    fn not(self) -> Not<Self> {
        Not::new(self)
    }
}

impl<P> PolicyExt for P {}

/// Both of two policies; made by [`PolicyExt::and`](PolicyExt::and).
#[derive(Clone, Copy, Debug)]
pub struct And<A, B>(A, B);

impl<A, B> And<A, B> {
    pub(super) fn new(first: A, second: B) -> Self {
        Self(first, second)
    }
}

impl<C, A: Policy<C>, B: Policy<C>> Policy<C> for And<A, B> {
    fn authorize(&self, claims: &Claims<C>) -> Result<(), Error> {
        self.0.authorize(claims)?;
        self.1.authorize(claims)
    }
}

/// One of two policies; made by [`PolicyExt::or`](PolicyExt::or).
#[derive(Clone, Copy, Debug)]
pub struct Or<A, B>(A, B);

impl<A, B> Or<A, B> {
    pub(super) fn new(first: A, second: B) -> Self {
        Self(first, second)
    }
}

impl<C, A: Policy<C>, B: Policy<C>> Policy<C> for Or<A, B> {
    fn authorize(&self, claims: &Claims<C>) -> Result<(), Error> {
        let Err(first) = self.0.authorize(claims) else { return Ok(()) };
        let Err(second) = self.1.authorize(claims) else { return Ok(()) };
        // One that could not decide may have said yes: `Not` must hear of it.
        Err(if is_no(&first) && !is_no(&second) { second } else { first })
    }
}

/// The contrary of a policy; made by [`PolicyExt::not`](PolicyExt::not).
#[derive(Clone, Copy, Debug)]
pub struct Not<P>(P);

impl<P> Not<P> {
    pub(super) fn new(policy: P) -> Self {
        Self(policy)
    }
}

impl<C, P: Policy<C>> Policy<C> for Not<P> {
    fn authorize(&self, claims: &Claims<C>) -> Result<(), Error> {
        match self.0.authorize(claims) {
            Ok(()) => Err(Error::forbidden("the contrary of a policy is required")),
            // A policy that could not decide has not said no.
            Err(error) if !is_no(&error) => Err(error),
            Err(_) => Ok(()),
        }
    }
}

/// Whether a refusal says no. One with a cause, or of another kind, comes from a
/// policy that could not decide.
fn is_no(error: &Error) -> bool {
    error.is_forbidden() && error.source().is_none()
}
