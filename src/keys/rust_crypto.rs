//! RustCrypto, by way of jsonwebtoken's provider of that name: named here, so
//! that no other crate's choice of features has a say in it.
//!
//! The provider's verifiers are not `Sync`, which is why they are built anew
//! for each signature; the key in it is decoded once.

use jsonwebtoken::{
    Algorithm as Name, DecodingKey, EncodingKey, crypto::rust_crypto::DEFAULT_PROVIDER,
};

use super::material::Material;
use crate::{alg::Algorithm, error::ConfigError};

#[derive(Clone)]
pub(super) struct Verifier {
    name: Name,
    key: DecodingKey,
    /// The modulus of an RSA key.
    modulus: Option<Box<[u8]>>,
}

impl Verifier {
    pub(super) fn new(algorithm: Algorithm, material: &Material) -> Result<Self, ConfigError> {
        let name = match algorithm {
            Algorithm::HS256 => Name::HS256,
            Algorithm::HS384 => Name::HS384,
            Algorithm::HS512 => Name::HS512,
            Algorithm::RS256 => Name::RS256,
            Algorithm::RS384 => Name::RS384,
            Algorithm::RS512 => Name::RS512,
            Algorithm::PS256 => Name::PS256,
            Algorithm::PS384 => Name::PS384,
            Algorithm::PS512 => Name::PS512,
            Algorithm::ES256 => Name::ES256,
            Algorithm::ES384 => Name::ES384,
            Algorithm::EdDSA => Name::EdDSA,
            Algorithm::ES512 => {
                return Err(ConfigError::UnsupportedKey("P-521 needs the feature `aws_lc_rs`"));
            }
        };
        let modulus = match material {
            Material::Rsa { n, .. } => Some(Box::from(&**n)),
            _ => None,
        };
        let key = match material {
            Material::Secret(secret) => DecodingKey::from_secret(secret.expose()),
            Material::Rsa { n, .. } if n.len() > LARGEST_RSA => {
                return Err(ConfigError::UnsupportedKey(
                    "RSA with more than 4096 bits needs the feature `aws_lc_rs`",
                ));
            }
            Material::Rsa { n, e, .. } => DecodingKey::from_rsa_raw_components(n, e),
            Material::Ec { point, .. } => DecodingKey::from_ec_der(point),
            Material::Ed25519(key) => DecodingKey::from_ed_der(key),
        };
        // Refuses a point that is not on its curve.
        (DEFAULT_PROVIDER.verifier_factory)(&name, &key)
            .map_err(|_| ConfigError::MalformedKey("its numbers are no key of its type"))?;
        Ok(Self { name, key, modulus })
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        // RFC 8017 §8.1.2 and §5.2.2. For PSS the provider takes other spellings
        // of a signature too.
        let fits = self.modulus.as_ref().is_none_or(|modulus| {
            // Of the same length, bytes compare as the numbers do.
            signature.len() == modulus.len() && *signature < **modulus
        });
        fits && (DEFAULT_PROVIDER.verifier_factory)(&self.name, &self.key)
            .is_ok_and(|verifier| verifier.verify(message, &signature.to_vec()).is_ok())
    }

    /// The bytes of a public key.
    pub(super) fn public_bytes(&self) -> Option<&[u8]> {
        match self.name {
            Name::HS256 | Name::HS384 | Name::HS512 => None,
            _ => self.modulus.as_deref().or_else(|| self.key.try_get_as_bytes().ok()),
        }
    }
}

/// HMAC-SHA-256 (RFC 2104).
pub(super) fn hmac_sha256(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let signer = (DEFAULT_PROVIDER.signer_factory)(&Name::HS256, &EncodingKey::from_secret(secret));
    signer.ok().and_then(|signer| signer.try_sign(message).ok()).unwrap_or_default()
}

const LARGEST_RSA: usize = 4096 / 8;
