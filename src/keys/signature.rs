//! Bytes times key: the only place where a signature is found to be valid.

use super::{backend, material::Material};
use crate::{alg::Algorithm, error::ConfigError};

/// A key made ready for one algorithm: parsed and checked once, not at each
/// request.
#[derive(Clone)]
pub(super) struct Prepared {
    algorithm: Algorithm,
    verifier: backend::Verifier,
}

/// Evidence that a signature over some bytes is that of a configured key; made
/// only by [`Prepared::verify`].
#[derive(Debug)]
pub(crate) struct Authentic(());

impl Prepared {
    pub(super) fn new(algorithm: Algorithm, material: &Material) -> Result<Self, ConfigError> {
        Ok(Self { algorithm, verifier: backend::Verifier::new(algorithm, material)? })
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether `signature` is that of this key over `message`.
    #[inline]
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Option<Authentic> {
        self.verifier.verify(message, signature).then_some(Authentic(()))
    }

    /// The bytes of the key, if it is a public one.
    pub(super) fn public_bytes(&self) -> Option<&[u8]> {
        self.verifier.public_bytes()
    }
}

/// The signature that somebody makes who takes this text for a shared secret (`HS256`).
pub(crate) fn hmac_sha256(secret: &[u8], message: &[u8]) -> Vec<u8> {
    backend::hmac_sha256(secret, message)
}
