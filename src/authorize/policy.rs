//! The trait of all policies.

use std::error::Error as _;

use crate::{
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

    /// The contents of a challenge for this policy: the scopes, or the login. Combined policies make
    /// one challenge of several.
    #[doc(hidden)]
    fn challenge(&self) -> Option<ErrorKind> {
        None
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

impl<C, F: Fn(&Claims<C>) -> bool> Policy<C> for F {
    fn authorize(&self, claims: &Claims<C>) -> Result<(), Error> {
        match self(claims) {
            true => Ok(()),
            false => Err(Error::forbidden("a condition of the application is not met")),
        }
    }
}
