//! What verified claims allow: pure questions, for the layer, the extractor
//! and handlers alike.
//!
//! # Rules
//!
//! 1. A policy sees only claims that were verified: 401 comes before 403.
//! 2. Scopes and roles are compared byte for byte.
//! 3. A claim that has the wrong type gives nothing, and its contrary neither: a
//!    `scope` that is no string makes a token invalid where scopes are needed, a
//!    role claim that is neither a string nor an array of strings is refused.
//!
//! # Example: scopes, roles and a condition
//! ```
//! use tower_jwt_auth::{
//!     Claims,
//!     authorize::{Policy, PolicyExt, Roles, Scopes},
//! };
//!
//! struct User {
//!     verified: bool,
//! }
//!
//! let policy = Scopes::all_of(["orders:read", "orders:write"])
//!     .or(Roles::at("realm_access.roles").any_of(["admin"]))
//!     .and(|user: &Claims<User>| user.verified);
//! # fn check(_: impl Policy<User>) {}
//! # check(policy);
//! ```

mod combine;
mod lookup;
mod roles;
mod scopes;

use crate::{
    error::{Error, ErrorKind},
    verifier::Claims,
};

pub(crate) use self::lookup::{claims, refuse};
pub use self::{
    combine::{And, Not, Or},
    roles::{AnyRole, EveryRole, Roles},
    scopes::Scopes,
};

/// A question to verified claims.
///
/// Closures `Fn(&Claims<C>) -> bool` are policies too.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a policy for `Claims<{C}>`",
    note = "a closure needs its argument's type: `|claims: &Claims<{C}>| …`; for a type of your \
            own, use `RequireLayer::for_claims(|user: &Claims<User>| …)`"
)]
pub trait Policy<C> {
    /// Answers whether the claims allow it.
    ///
    /// # Errors
    ///
    /// What is missing, by [`Error`]s of the kinds
    /// [`ErrorKind::InsufficientScope`] and [`ErrorKind::Forbidden`].
    fn authorize(&self, claims: &Claims<C>) -> Result<(), Error>;
}

/// Puts policies together.
pub trait PolicyExt: Sized {
    /// This one and that one. The first that refuses gives the reason.
    fn and<P>(self, other: P) -> And<Self, P> {
        And::new(self, other)
    }

    /// This one or that one. If both refuse, the first gives the reason, unless
    /// only the second could not decide, as with malformed scopes.
    fn or<P>(self, other: P) -> Or<Self, P> {
        Or::new(self, other)
    }

    /// What this one does not allow.
    fn not(self) -> Not<Self> {
        Not::new(self)
    }
}

impl<P> PolicyExt for P {}

impl<C, F: Fn(&Claims<C>) -> bool> Policy<C> for F {
    fn authorize(&self, claims: &Claims<C>) -> Result<(), Error> {
        if self(claims) { Ok(()) } else { Err(forbidden("a condition of the application")) }
    }
}

/// A refusal that names a policy.
#[cold]
fn forbidden(policy: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Forbidden { policy: policy.into() })
}
