//! Private keys as text.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
#[cfg(feature = "test-util")]
use aws_lc_rs::{encoding::PublicKeyX509Der, signature::KeyPair as _};
use base64_simd::STANDARD;
use zeroize::Zeroizing;

use super::signing::{Pair, SigningKey};
use crate::error::ConfigError;

impl SigningKey {
    /// The private key as PEM (RFC 7468 §10) of PKCS #8 (RFC 5208), which
    /// [`from_pem`](Self::from_pem) and openssl read. Use it to keep a key that was
    /// [generated](Self::generate).
    ///
    /// The text has neither an id that was set by [`with_kid`](Self::with_kid) nor the algorithm
    /// of an RSA key: set them again after reading.
    ///
    /// # Errors
    ///
    /// The key is a shared secret, which has no form in PKCS #8.
    ///
    /// # Security
    ///
    /// Anybody who has this text can issue tokens for every user. Write it only to a file that is
    /// created with the mode 0600.
    ///
    /// # Example
    /// ```
    /// use tower_jwt_auth::{Algorithm, issue::SigningKey};
    ///
    /// let key = SigningKey::generate(Algorithm::EdDSA)?;
    /// let pem = key.to_pkcs8_pem()?;
    /// assert!(pem.as_str().starts_with("-----BEGIN PRIVATE KEY-----\n"));
    /// assert_eq!(SigningKey::from_pem(pem.as_str())?.kid(), key.kid());
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn to_pkcs8_pem(&self) -> Result<PrivateKeyPem, ConfigError> {
        let failed = |_| ConfigError::UnsupportedKey("it cannot be written as PKCS #8");
        match self.pair() {
            Pair::Hmac(_) => Err(ConfigError::KeyUse(
                "a shared secret has no PKCS #8 form, keep the bytes that it was made of",
            )),
            Pair::Rsa(pair) => {
                let der: Pkcs8V1Der<'static> = pair.as_der().map_err(failed)?;
                Ok(PrivateKeyPem::of(der.as_ref()))
            }
            Pair::Ec(pair) => Ok(PrivateKeyPem::of(pair.to_pkcs8v1().map_err(failed)?.as_ref())),
            // Version 1 has no public key. Not every tool reads version 2 (RFC 5958).
            Pair::Ed25519(pair) => {
                Ok(PrivateKeyPem::of(pair.to_pkcs8v1().map_err(failed)?.as_ref()))
            }
        }
    }

    /// The public key as PEM of a SubjectPublicKeyInfo (RFC 7468 §13); `None` for a shared secret.
    #[cfg(feature = "test-util")]
    pub(crate) fn public_pem(&self) -> Option<String> {
        let der: PublicKeyX509Der<'_> = match self.pair() {
            Pair::Hmac(_) => return None,
            Pair::Rsa(pair) => pair.public_key().as_der().ok()?,
            Pair::Ec(pair) => pair.public_key().as_der().ok()?,
            Pair::Ed25519(pair) => pair.public_key().as_der().ok()?,
        };
        Some(pem("PUBLIC KEY", der.as_ref()).to_string())
    }
}

/// A private key as PEM, made by [`SigningKey::to_pkcs8_pem`]. Its memory is wiped when it is
/// dropped, and `Debug` does not show it.
pub struct PrivateKeyPem(Zeroizing<String>);

impl PrivateKeyPem {
    fn of(der: &[u8]) -> Self {
        Self(pem("PRIVATE KEY", der))
    }

    /// The text. It is a secret.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PrivateKeyPem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKeyPem(..)")
    }
}

/// A text of PEM (RFC 7468).
fn pem(label: &str, der: &[u8]) -> Zeroizing<String> {
    let base64 = Zeroizing::new(STANDARD.encode_to_string(der));
    // Large enough for all of it: a text that grows would leave a copy in the memory.
    let mut text = Zeroizing::new(String::with_capacity(base64.len() / 8 * 9 + 64));
    text.extend(["-----BEGIN ", label, "-----\n"]);
    for (at, character) in base64.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.extend(["\n-----END ", label, "-----\n"]);
    text
}
