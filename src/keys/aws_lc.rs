//! AWS-LC: public keys parsed once, HMAC keys expanded once.

use aws_lc_rs::{
    hmac,
    signature::{
        self, EcdsaVerificationAlgorithm, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents,
    },
};

use super::material::Material;
use crate::{alg::Algorithm, error::ConfigError};

pub(super) enum Verifier {
    // In a box, since it is 20 times as large as the other.
    Secret(Box<hmac::Key>),
    Public(ParsedPublicKey),
}

impl Verifier {
    pub(super) fn new(algorithm: Algorithm, material: &Material) -> Result<Self, ConfigError> {
        let unfit = ConfigError::KeyUse("its type does not fit the algorithm");
        let key = match material {
            Material::Secret(secret) => {
                let algorithm = match algorithm {
                    Algorithm::HS256 => hmac::HMAC_SHA256,
                    Algorithm::HS384 => hmac::HMAC_SHA384,
                    Algorithm::HS512 => hmac::HMAC_SHA512,
                    _ => return Err(unfit),
                };
                return Ok(Self::Secret(Box::new(hmac::Key::new(algorithm, secret.expose()))));
            }
            Material::Rsa { n, e, .. } => {
                let parameters: &'static RsaParameters = match algorithm {
                    Algorithm::RS256 => &signature::RSA_PKCS1_2048_8192_SHA256,
                    Algorithm::RS384 => &signature::RSA_PKCS1_2048_8192_SHA384,
                    Algorithm::RS512 => &signature::RSA_PKCS1_2048_8192_SHA512,
                    Algorithm::PS256 => &signature::RSA_PSS_2048_8192_SHA256,
                    Algorithm::PS384 => &signature::RSA_PSS_2048_8192_SHA384,
                    Algorithm::PS512 => &signature::RSA_PSS_2048_8192_SHA512,
                    _ => return Err(unfit),
                };
                RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters)
            }
            Material::Ec { point, .. } => {
                let curve: &'static EcdsaVerificationAlgorithm = match algorithm {
                    Algorithm::ES256 => &signature::ECDSA_P256_SHA256_FIXED,
                    Algorithm::ES384 => &signature::ECDSA_P384_SHA384_FIXED,
                    Algorithm::ES512 => &signature::ECDSA_P521_SHA512_FIXED,
                    _ => return Err(unfit),
                };
                ParsedPublicKey::new(curve, point)
            }
            Material::Ed25519(key) => ParsedPublicKey::new(&signature::ED25519, key),
        };
        key.map(Self::Public)
            .map_err(|_| ConfigError::MalformedKey("its numbers are no key of its type"))
    }

    #[inline]
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            // Compares all bytes, in constant time.
            Self::Secret(key) => hmac::verify(key, message, signature).is_ok(),
            Self::Public(key) => key.verify_sig(message, signature).is_ok(),
        }
    }
}
