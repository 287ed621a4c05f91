//! Policies made of policies.

use std::error::Error as _;

use super::{
    challenge::{asks_for_login, is_for_login, join, only_accepted},
    description::PolicyDescription,
    policy::Policy,
};
use crate::{
    error::{Error, ErrorKind},
    verifier::Claims,
};

/// Combines policies.
pub trait PolicyExt: Sized {
    /// Requires both policies. The first that refuses gives the reason. With a
    /// [step-up](super::StepUp), one challenge names what both of them require, and only values of `acr`
    /// that both accept. If they share no value, the answer is 403.
    fn and<P>(self, other: P) -> And<Self, P> {
        And::new(self, other)
    }

    /// Requires one of both policies. If both refuse, the first gives the reason, unless only the
    /// second could not decide, as with malformed scopes.
    fn or<P>(self, other: P) -> Or<Self, P> {
        Or::new(self, other)
    }

    /// Requires that this policy refuses. With a [step-up](super::StepUp) in it, it refuses every
    /// token.
    fn not(self) -> Not<Self> {
        Not::new(self)
    }

    /// Gives this policy another text. A policy that cannot describe itself, such as a closure, gets the
    /// whole description. The decisions and the challenge of a policy that describes itself do not change;
    /// see [`PolicyDescription::described_as`].
    ///
    /// # Example: a closure that documents can name
    /// ```
    /// use tower_jwt_auth::{
    ///     Claims,
    ///     authorize::{PolicyDescription, PolicyExt, Scopes},
    /// };
    ///
    /// let human = |claims: &Claims| claims.client_id().is_none();
    /// let policy = Scopes::all_of(["vote"]).and(human.described_as("a human being"));
    /// let description = PolicyDescription::of(&policy);
    /// assert_eq!(description.to_string(), "the scope vote, and a human being");
    /// ```
    fn described_as(self, description: impl Into<PolicyDescription>) -> Described<Self> {
        Described { policy: self, description: description.into() }
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

    /// The decision. A challenge may name an `acr` that only one of both accepts.
    fn decide<C>(&self, claims: &Claims<C>) -> Result<(), Error>
    where
        A: Policy<C>,
        B: Policy<C>,
    {
        let first = match self.0.authorize(claims) {
            Ok(()) => {
                let second = self.1.authorize(claims);
                return second.map_err(|error| {
                    let kind = Some(error.kind().clone());
                    join(self.0.describe().challenge(), kind, &[&error]).unwrap_or(error)
                });
            }
            Err(error) => error,
        };
        // One challenge names everything that the login must give. So the second policy is asked,
        // too, if one of both asks for a login and the other for nothing that a login cannot give.
        let asks = asks_for_login(first.kind());
        if !is_for_login(&first) || !asks && !self.1.describe().asks_for_login() {
            return Err(first);
        }
        let second = match self.1.authorize(claims) {
            Err(second) if !is_for_login(&second) => return Err(if asks { second } else { first }),
            second => second.err(),
        };
        let kinds = (Some(first.kind().clone()), self.1.describe().challenge());
        let refusals: Vec<_> = [Some(&first), second.as_ref()].into_iter().flatten().collect();
        Err(join(kinds.0, kinds.1, &refusals).unwrap_or(first))
    }
}

impl<C, A: Policy<C>, B: Policy<C>> Policy<C> for And<A, B> {
    fn authorize(&self, claims: &Claims<C>) -> Result<(), Error> {
        self.decide(claims).map_err(|error| {
            let own = claims.registered().acr();
            only_accepted(error, own.as_deref(), |acr| self.accepts_acr(claims, acr))
        })
    }

    fn accepts_acr(&self, claims: &Claims<C>, acr: &str) -> bool {
        self.0.accepts_acr(claims, acr) && self.1.accepts_acr(claims, acr)
    }

    fn describe(&self) -> PolicyDescription {
        PolicyDescription::all([self.0.describe(), self.1.describe()])
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

    fn accepts_acr(&self, claims: &Claims<C>, acr: &str) -> bool {
        self.0.accepts_acr(claims, acr) || self.1.accepts_acr(claims, acr)
    }

    fn describe(&self) -> PolicyDescription {
        PolicyDescription::any([self.0.describe(), self.1.describe()])
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
        if self.0.describe().asks_for_login() {
            let kind = ErrorKind::Forbidden { policy: "step-up".into() };
            return Err(Error::with_source(
                kind,
                "a step-up is under `not`: no challenge can ask for a weaker login, take it out",
            ));
        }
        match self.0.authorize(claims) {
            Ok(()) => Err(Error::forbidden("the contrary of a policy is required")),
            // A policy that could not decide has not said no.
            Err(error) if !is_no(&error) => Err(error),
            Err(_) => Ok(()),
        }
    }

    fn describe(&self) -> PolicyDescription {
        PolicyDescription::contrary(self.0.describe())
    }
}

/// A policy with another description; made by [`PolicyExt::described_as`].
#[derive(Clone, Debug)]
pub struct Described<P> {
    policy: P,
    description: PolicyDescription,
}

impl<C, P: Policy<C>> Policy<C> for Described<P> {
    fn authorize(&self, claims: &Claims<C>) -> Result<(), Error> {
        self.policy.authorize(claims)
    }

    fn accepts_acr(&self, claims: &Claims<C>, acr: &str) -> bool {
        self.policy.accepts_acr(claims, acr)
    }

    fn describe(&self) -> PolicyDescription {
        self.policy.describe().described_as(self.description.clone())
    }
}

/// Whether a refusal says no. One with a cause, or of another kind, comes from a
/// policy that could not decide.
fn is_no(error: &Error) -> bool {
    error.is_forbidden() && error.source().is_none()
}
