//! The trait of all policies.

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
    /// [`ErrorKind::Forbidden`](crate::ErrorKind::Forbidden). Where another login helps, it is
    /// [`ErrorKind::UserAuthentication`](crate::ErrorKind::UserAuthentication), and where another
    /// token is needed [`ErrorKind::NotSenderConstrained`](crate::ErrorKind::NotSenderConstrained).
    fn authorize(&self, claims: &Claims<C>) -> Result<(), Error>;

    /// What a challenge names of this policy: the scopes, or what a login must be like. Combined
    /// policies ask for it.
    #[doc(hidden)]
    fn challenge(&self) -> Option<ErrorKind> {
        None
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
