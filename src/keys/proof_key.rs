//! A key that a proof brings itself (RFC 9449 §4.2).

use base64_simd::URL_SAFE_NO_PAD;

use super::{
    jwk::{self, Trust},
    material::{Material, coordinate_length},
    signature::{Authentic, Prepared},
};
use crate::{
    alg::{Algorithm, Family},
    digest::Thumbprint,
    error::ConfigError,
};

/// A public key that a sender has chosen, made ready for one algorithm. It proves only that the sender
/// has the private key.
pub(crate) struct ProofKey {
    prepared: Prepared,
    thumbprint: Thumbprint,
}

impl ProofKey {
    /// Reads a JWK (RFC 7517), whose names are unique, as for a key set.
    ///
    /// # Errors
    ///
    /// It is no public key, is weak or not supported, does not fit the algorithm, or is an RSA key of
    /// more than 4096 bits: everybody can send one, and verifying with it takes long.
    pub(crate) fn from_jwk(text: &str, algorithm: Algorithm) -> Result<Self, ConfigError> {
        let jwk = jwk::read(text, Trust::Public).0?;
        if jwk.algorithm.is_some_and(|only| only != algorithm) {
            return Err(ConfigError::KeyUse("its `alg` is another one than that of the proof"));
        }
        if matches!(&jwk.material, Material::Rsa { n, .. } if n.len() > LARGEST_RSA) {
            return Err(ConfigError::WeakKey("RSA with more than 4096 bits is too slow here"));
        }
        let thumbprint = thumbprint(&jwk.material).ok_or(ConfigError::SymmetricKey)?;
        Ok(Self { prepared: Prepared::new(algorithm, &jwk.material)?, thumbprint })
    }

    /// Its SHA-256 thumbprint (RFC 7638 §3).
    pub(crate) fn thumbprint(&self) -> &Thumbprint {
        &self.thumbprint
    }

    /// Whether `signature` is that of this key over `message`.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Option<Authentic> {
        self.prepared.verify(message, signature)
    }

    /// About how many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        let numbers = self.prepared.public_bytes().map_or(0, <[u8]>::len);
        // The key of the back end has its numbers, and about as much beside them.
        size_of::<Self>() + numbers * 2 + BACKEND
    }
}

/// The required members in the order of their names (RFC 7638 §3.2, RFC 8037 §2), written anew from
/// the numbers: the spelling of the sender has no say. `None` for a secret.
fn thumbprint(material: &Material) -> Option<Thumbprint> {
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode_to_string(bytes);
    let json = match material {
        Material::Secret(_) => return None,
        Material::Rsa { n, e, .. } => {
            format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, text(e), text(n))
        }
        Material::Ec { curve, point } => {
            let name = match curve {
                Family::P384 => "P-384",
                Family::P521 => "P-521",
                _ => "P-256",
            };
            // Behind the byte that says that both are there (SEC 1 §2.3.3).
            let (x, y) = point.get(1..)?.split_at_checked(coordinate_length(*curve))?;
            format!(r#"{{"crv":"{name}","kty":"EC","x":"{}","y":"{}"}}"#, text(x), text(y))
        }
        Material::Ed25519(key) => {
            format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, text(key))
        }
    };
    Some(Thumbprint::of(&[json.as_bytes()]))
}

/// In bytes.
const LARGEST_RSA: usize = 4096 / 8;

/// About what a back end takes for a key besides its numbers, in bytes.
const BACKEND: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_thumbprints() {
        // RFC 7638 §3.1, RFC 8037 §A.3, and RFC 9449 §6.1 with the key of §4.1.
        let rsa = r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#;
        let okp =
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let ec = r#"{"kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","crv":"P-256"}"#;
        for (jwk, algorithm, thumbprint) in [
            (rsa, Algorithm::RS256, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
            (okp, Algorithm::EdDSA, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
            (ec, Algorithm::ES256, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"),
        ] {
            let key = ProofKey::from_jwk(jwk, algorithm).unwrap();
            assert_eq!(key.thumbprint().to_string(), thumbprint);
        }
        // Zeros in front of a number are another spelling of the same key.
        let zeros = rsa.replace("\"AQAB\"", "\"AAEAAQ\"");
        let key = ProofKey::from_jwk(&zeros, Algorithm::RS256).unwrap();
        assert_eq!(key.thumbprint().to_string(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        // Its `alg`, or its type, is another one.
        for (jwk, algorithm) in
            [(rsa, Algorithm::PS256), (okp, Algorithm::ES256), (ec, Algorithm::RS256)]
        {
            assert!(ProofKey::from_jwk(jwk, algorithm).is_err(), "{algorithm}");
        }
    }

    #[test]
    fn rsa_from_2048_to_4096_bits() {
        let rsa = |bytes: usize| {
            let mut n = vec![0xff; bytes];
            n[bytes - 1] = 1;
            let n = URL_SAFE_NO_PAD.encode_to_string(n);
            let jwk = format!(r#"{{"kty":"RSA","e":"AQAB","n":"{n}"}}"#);
            ProofKey::from_jwk(&jwk, Algorithm::PS256).map(|_| ())
        };
        assert_eq!((rsa(256), rsa(512)), (Ok(()), Ok(())));
        for bytes in [255, 513] {
            assert!(matches!(rsa(bytes), Err(ConfigError::WeakKey(_))), "{bytes}");
        }
    }
}
