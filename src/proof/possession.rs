//! The proofs that the sender of a request has shown.

use crate::{claims::Confirmation, digest::Thumbprint};

/// How the sender of a request has shown that its token is theirs: by a key, by a client certificate,
/// by both or, with a bearer token, not at all.
///
/// Only what the token is bound to counts (`cnf`, RFC 7800 §3.1): the certificate of a connection says
/// nothing of a token that does not name it. [`Claims::proof_of_possession`] has it, and in axum the
/// extractor of this type.
///
/// [`Claims::proof_of_possession`]: crate::Claims::proof_of_possession
///
/// # Example
/// ```
/// use tower_jwt_auth::proof::ProofOfPossession;
///
/// async fn pay(proof: ProofOfPossession) -> String {
///     match proof.jkt() {
///         Some(key) => format!("signed by the key {key}"),
///         None => "no key".to_owned(),
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProofOfPossession(Option<Confirmation>);

impl ProofOfPossession {
    pub(crate) fn of(confirmation: Option<&Confirmation>) -> Self {
        Self(confirmation.copied())
    }

    /// The thumbprint of the key that has signed the DPoP proof (RFC 9449 §6.1, RFC 7638).
    #[must_use]
    pub fn jkt(&self) -> Option<Thumbprint> {
        self.0?.jkt
    }

    /// The thumbprint of the client certificate (RFC 8705 §3.1).
    #[must_use]
    pub fn x5t_s256(&self) -> Option<Thumbprint> {
        self.0?.x5t_s256
    }

    /// Whether nothing was shown: the token is a bearer token.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0.is_none()
    }
}
