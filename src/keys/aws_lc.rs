//! AWS-LC: public keys parsed once, HMAC keys expanded once.

use aws_lc_rs::{
    digest::{self, digest},
    hmac,
    signature::{
        ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ED25519,
        EcdsaVerificationAlgorithm, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
        RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
        RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    },
};
use x509_cert::der::{Encode, asn1::UintRef};

use super::material::Material;
use crate::{alg::Algorithm, error::ConfigError};

#[derive(Clone)]
pub(super) enum Verifier {
    // In a box, since it is 20 times as large as the others.
    Secret(Box<hmac::Key>),
    Rsa {
        key: ParsedPublicKey,
        digest: Digest,
    },
    /// A signature is two numbers of `size` bytes each.
    Ec {
        key: ParsedPublicKey,
        digest: Digest,
        size: usize,
    },
    Ed25519(ParsedPublicKey),
}

/// The hash of the message. Hashed here, it takes less time than within AWS-LC's
/// verification of a message, which makes a context of its own for that.
type Digest = &'static digest::Algorithm;

impl Verifier {
    pub(super) fn new(algorithm: Algorithm, material: &Material) -> Result<Self, ConfigError> {
        let unfit = ConfigError::KeyUse("its type does not fit the algorithm");
        let malformed = |_| ConfigError::MalformedKey("its numbers are no key of its type");
        match material {
            Material::Secret(secret) => {
                let algorithm = match algorithm {
                    Algorithm::HS256 => hmac::HMAC_SHA256,
                    Algorithm::HS384 => hmac::HMAC_SHA384,
                    Algorithm::HS512 => hmac::HMAC_SHA512,
                    _ => return Err(unfit),
                };
                Ok(Self::Secret(Box::new(hmac::Key::new(algorithm, secret.expose()))))
            }
            Material::Rsa { n, e, .. } => {
                let (parameters, digest): (&'static RsaParameters, Digest) = match algorithm {
                    Algorithm::RS256 => (&RSA_PKCS1_2048_8192_SHA256, &digest::SHA256),
                    Algorithm::RS384 => (&RSA_PKCS1_2048_8192_SHA384, &digest::SHA384),
                    Algorithm::RS512 => (&RSA_PKCS1_2048_8192_SHA512, &digest::SHA512),
                    Algorithm::PS256 => (&RSA_PSS_2048_8192_SHA256, &digest::SHA256),
                    Algorithm::PS384 => (&RSA_PSS_2048_8192_SHA384, &digest::SHA384),
                    Algorithm::PS512 => (&RSA_PSS_2048_8192_SHA512, &digest::SHA512),
                    _ => return Err(unfit),
                };
                let key = RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters);
                key.map(|key| Self::Rsa { key, digest }).map_err(malformed)
            }
            Material::Ec { point, .. } => {
                let (curve, digest, size): (&'static EcdsaVerificationAlgorithm, Digest, _) =
                    match algorithm {
                        Algorithm::ES256 => (&ECDSA_P256_SHA256_ASN1, &digest::SHA256, 32),
                        Algorithm::ES384 => (&ECDSA_P384_SHA384_ASN1, &digest::SHA384, 48),
                        Algorithm::ES512 => (&ECDSA_P521_SHA512_ASN1, &digest::SHA512, 66),
                        _ => return Err(unfit),
                    };
                let key = ParsedPublicKey::new(curve, point);
                key.map(|key| Self::Ec { key, digest, size }).map_err(malformed)
            }
            Material::Ed25519(key) => {
                let key = ParsedPublicKey::new(&ED25519, key);
                key.map(Self::Ed25519).map_err(malformed)
            }
        }
    }

    #[inline]
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            // Compares all bytes, in constant time.
            Self::Secret(key) => hmac::verify(key, message, signature).is_ok(),
            Self::Rsa { key, digest: algorithm } => {
                key.verify_digest_sig(&digest(algorithm, message), signature).is_ok()
            }
            Self::Ec { key, digest: algorithm, size } => {
                let mut space = [0; LONGEST_DER];
                to_der(signature, *size, &mut space).is_some_and(|signature| {
                    key.verify_digest_sig(&digest(algorithm, message), signature).is_ok()
                })
            }
            Self::Ed25519(key) => key.verify_sig(message, signature).is_ok(),
        }
    }

    /// The bytes of a public key.
    pub(super) fn public_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Secret(_) => None,
            Self::Rsa { key, .. } | Self::Ec { key, .. } | Self::Ed25519(key) => Some(key.as_ref()),
        }
    }
}

/// HMAC-SHA-256 (RFC 2104).
pub(super) fn hmac_sha256(secret: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec()
}

/// The two numbers of a signature (RFC 7518 §3.4), as AWS-LC wants them (RFC 3279 §2.2.3).
/// It does the same itself for a signature of two numbers, with an allocation for each step.
#[inline]
fn to_der<'s>(signature: &[u8], size: usize, space: &'s mut [u8; LONGEST_DER]) -> Option<&'s [u8]> {
    let (r, s) = signature.split_at_checked(size).filter(|(_, s)| s.len() == size)?;
    [UintRef::new(r).ok()?, UintRef::new(s).ok()?].encode_to_slice(space).ok()
}

/// Two numbers of 521 bits, each with its sign and its length, and the length of both.
const LONGEST_DER: usize = 144;

#[cfg(test)]
mod tests {
    use super::*;

    fn der(signature: &[u8], size: usize) -> Option<Vec<u8>> {
        to_der(signature, size, &mut [0; LONGEST_DER]).map(<[u8]>::to_vec)
    }

    #[test]
    fn two_numbers_in_der() {
        assert_eq!(der(&[1, 2, 3, 4], 2).unwrap(), [0x30, 8, 2, 2, 1, 2, 2, 2, 3, 4]);
        // The sign bit takes a byte of its own; zeros in front are not part of the number.
        assert_eq!(der(&[0x80, 0, 0, 0x7f], 2).unwrap(), [0x30, 8, 2, 3, 0, 0x80, 0, 2, 1, 0x7f]);
        assert_eq!(der(&[0, 0, 0, 0x80], 2).unwrap(), [0x30, 7, 2, 1, 0, 2, 2, 0, 0x80]);
        let longest = der(&[0xff; 132], 66).unwrap();
        assert_eq!((longest.len(), &longest[..5]), (141, &[0x30, 0x81, 138, 2, 67][..]));
    }

    #[test]
    fn another_length_is_none() {
        for length in [0, 1, 63, 65, 66, 128] {
            assert_eq!(der(&vec![1; length], 32), None, "{length}");
        }
    }
}
