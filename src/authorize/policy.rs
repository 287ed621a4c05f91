//! The trait of all policies.

use std::error::Error as _;

use super::description::PolicyDescription;
use crate::{
    claims::RegisteredClaims,
    error::{Error, ErrorKind},
    verifier::Claims,
};

/// A decision on verified claims.
///
/// Closures `Fn(&Claims<C>) -> bool` are policies too.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a policy for `Claims<{C}>`",
    note = "a closure needs its argument's type: `|claims: &Claims<{C}>| …`; for a type of your \
            own, use `RequireLayer::for_claims(|user: &Claims<User>| …)`"
)]
pub trait Policy<C> {
    /// Whether the claims allow the request.
    ///
    /// # Errors
    ///
    /// They do not. The kind of the error is
    /// [`ErrorKind::InsufficientScope`](crate::ErrorKind::InsufficientScope) or
    /// [`ErrorKind::Forbidden`](crate::ErrorKind::Forbidden). It is
    /// [`ErrorKind::UserAuthentication`](crate::ErrorKind::UserAuthentication) if another login
    /// helps, and [`ErrorKind::NotSenderConstrained`](crate::ErrorKind::NotSenderConstrained) if
    /// another token is needed.
    fn authorize(&self, claims: &Claims<C>) -> Result<(), Error>;

    /// The requirements of this policy, for challenges and documents. They do not depend on the claims.
    ///
    /// Default: an opaque description, as a closure has it. Override it in a policy of your own that is
    /// made of others, and return what they return. Then, a challenge names its scopes, too, if the
    /// policy is combined with a [step-up](super::StepUp).
    ///
    /// # Example: a policy of the application
    /// ```
    /// use tower_jwt_auth::{
    ///     Claims, Error, RegisteredClaims,
    ///     authorize::{Policy, PolicyDescription, Scopes},
    /// };
    ///
    /// struct Admin(Scopes);
    ///
    /// impl Policy<RegisteredClaims> for Admin {
    ///     fn authorize(&self, claims: &Claims) -> Result<(), Error> {
    ///         self.0.authorize(claims)
    ///     }
    ///
    ///     fn describe(&self) -> PolicyDescription {
    ///         PolicyDescription::of(&self.0)
    ///     }
    /// }
    ///
    /// let admin = Admin(Scopes::all_of(["admin"]));
    /// assert_eq!(admin.describe().to_string(), "the scope admin");
    /// ```
    fn describe(&self) -> PolicyDescription {
        PolicyDescription::default()
    }

    /// Whether a login with this `acr`, which is recent and has the scopes, may satisfy the policy, if all
    /// other claims stay as they are. A challenge names no other values.
    #[doc(hidden)]
    fn accepts_acr(&self, claims: &Claims<C>, acr: &str) -> bool {
        let Err(error) = self.authorize(claims) else { return true };
        match error.kind() {
            ErrorKind::UserAuthentication { acr_values, .. } => {
                acr_values.is_empty() || acr_values.iter().any(|value| **value == *acr)
            }
            ErrorKind::InsufficientScope { .. } => error.source().is_none(),
            _ => false,
        }
    }
}

impl PolicyDescription {
    /// The description of a policy that needs no more than registered claims. For a policy on a type of
    /// your own, use `Policy::<User>::describe(&policy)`.
    #[must_use]
    pub fn of(policy: &impl Policy<RegisteredClaims>) -> Self {
        policy.describe()
    }
}

impl<C, F: Fn(&Claims<C>) -> bool> Policy<C> for F {
    fn authorize(&self, claims: &Claims<C>) -> Result<(), Error> {
        match self(claims) {
            true => Ok(()),
            false => Err(Error::forbidden("a condition of the application is not met")),
        }
    }
}
