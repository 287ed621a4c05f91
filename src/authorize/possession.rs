//! A policy for tokens that are bound to their sender.

use super::{
    description::{PolicyDescription, Term},
    policy::Policy,
};
use crate::{
    error::{Error, ErrorKind},
    verifier::Claims,
};

/// Requires a token that is bound to its sender, by a key (RFC 9449) or by a client certificate (RFC
/// 8705); made by [`sender_constrained`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SenderConstrained;

/// Requires a token that is bound to its sender, by a key (RFC 9449) or by a client certificate (RFC
/// 8705). Use it for a few routes of a service that accepts bearer tokens, too. A bearer token is
/// answered 401 `invalid_token`: the client needs another one.
///
/// The verifier of the layer must check proofs: [`VerifierBuilder::dpop`] with [`DPoP::optional`], or
/// [`VerifierBuilder::mutual_tls`] with [`MutualTls::optional`]. Without these, it refuses bound tokens, and
/// this policy refuses all others. The event of the refusal says so.
///
/// [`VerifierBuilder::dpop`]: crate::verifier::VerifierBuilder::dpop
/// [`VerifierBuilder::mutual_tls`]: crate::verifier::VerifierBuilder::mutual_tls
/// [`DPoP::optional`]: crate::proof::DPoP::optional
/// [`MutualTls::optional`]: crate::proof::MutualTls::optional
///
/// # Example
/// ```
/// use tower_jwt_auth::{RequireLayer, authorize::sender_constrained};
///
/// let layer = RequireLayer::new(sender_constrained());
/// ```
#[must_use]
pub fn sender_constrained() -> SenderConstrained {
    SenderConstrained
}

impl<C> Policy<C> for SenderConstrained {
    fn authorize(&self, claims: &Claims<C>) -> Result<(), Error> {
        match claims.proof_of_possession().is_none() {
            true => Err(Error::with_source(ErrorKind::NotSenderConstrained, BEARER)),
            false => Ok(()),
        }
    }

    fn describe(&self) -> PolicyDescription {
        Term::SenderConstrained.into()
    }
}

const BEARER: &str = "the token is a bearer token, and this route requires one that is bound: have the \
                      issuer bind it, and let the verifier check proofs, by `.dpop(…)` or `.mutual_tls(…)`";
