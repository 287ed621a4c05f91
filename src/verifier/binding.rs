//! Whether the sender of a token has shown that it is theirs.

use crate::{
    claims::RawClaims,
    error::{Error, ErrorKind},
};

/// The rule for tokens that are bound to their sender.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bindings {
    /// Takes a bound token as if it were not.
    pub(crate) ignored: bool,
}

/// Evidence that a token is not bound to a sender, or bound to this one. Only
/// [`Bindings::check`] makes it.
#[derive(Debug)]
pub(crate) struct Binding(());

impl Bindings {
    /// A token with a confirmation of whatever kind is refused, because nothing
    /// here can check one (RFC 9449 §7.1, RFC 8705 §3).
    pub(super) fn check(self, claims: &RawClaims<'_>) -> Result<Binding, Error> {
        if !claims.cnf.is_absent() && !self.ignored {
            return Err(Error::new(ErrorKind::SenderConstrained));
        }
        Ok(Binding(()))
    }
}
