//! Keys that sign. Only this file signs.

use std::{fmt, str, sync::Arc};

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaEncoding,
        RsaKeyPair,
    },
};
use base64_simd::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::{
    alg::{Algorithm, Family},
    digest::sha256,
    error::{ConfigError, Error, ErrorKind},
    keys::{Form, Key, OPENSSH, no_blocks, pem_blocks},
    random::random,
    secret::Secret,
};

/// A key that signs tokens, with the public key that verifies them; cheap to clone.
///
/// Its id is the thumbprint of the public key (RFC 7638), so it is the same in every process
/// that has the key. `Debug` shows the id and the algorithm.
///
/// # Example
/// ```
/// use tower_jwt_auth::{Algorithm, issue::SigningKey};
///
/// let key = SigningKey::generate(Algorithm::EdDSA)?;
/// assert_eq!(key.kid().len(), 43);
/// assert!(key.public_jwk().is_some_and(|jwk| jwk.contains("Ed25519")));
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct SigningKey {
    algorithm: Algorithm,
    pair: Arc<Pair>,
    kid: Box<str>,
    /// The thumbprint, even if the key has another id.
    thumbprint: Box<str>,
    members: JwkMembers,
}

pub(super) enum Pair {
    // In a box, because it is much larger than the others.
    Hmac(Box<(hmac::Key, Secret)>),
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// The members of a JWK without `kid`, `alg` and `use`, in the order of RFC 7638 §3.
#[derive(Clone)]
enum JwkMembers {
    /// A shared secret, which must not be published.
    Secret,
    Public(Arc<str>),
}

impl SigningKey {
    /// Generates a key. RSA keys have 2048 bits.
    ///
    /// # Errors
    ///
    /// The system has no random bytes.
    pub fn generate(algorithm: Algorithm) -> Result<Self, ConfigError> {
        let none = |_| ConfigError::UnsupportedKey("the system cannot make any");
        let pair = match algorithm.family() {
            Family::Hmac => return Self::generate_secret(algorithm),
            Family::RsaPkcs1 | Family::RsaPss => {
                Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).map_err(none)?)
            }
            family @ (Family::P256 | Family::P384 | Family::P521) => {
                Pair::Ec(EcdsaKeyPair::generate(curve(family)).map_err(none)?)
            }
            Family::Ed25519 => Pair::Ed25519(Ed25519KeyPair::generate().map_err(none)?),
        };
        Self::new(algorithm, pair)
    }

    /// Reads a private key from PEM: PKCS #8 (`PRIVATE KEY`, RFC 5958), PKCS #1
    /// (`RSA PRIVATE KEY`) or SEC 1 (`EC PRIVATE KEY`). For example,
    /// `openssl genpkey -algorithm ed25519` makes such a key. Line ends may also be written as
    /// `\n`, a backslash and a letter, as in many variables of the environment.
    ///
    /// It signs with `RS256`, with the ECDSA of its curve, or with `EdDSA`.
    /// [`with_algorithm`](Self::with_algorithm) chooses another algorithm.
    ///
    /// # Errors
    ///
    /// The text has no private key or several, or the key is encrypted, weak or not supported.
    pub fn from_pem(text: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let text = text.as_ref();
        let blocks = pem_blocks(text)?;
        if blocks.is_empty() {
            match Form::of(text) {
                None => {}
                Some(Form::Pem) => return Err(no_blocks(text)),
                Some(form) => return Err(ConfigError::MalformedKey(form.advice_to_sign())),
            }
        }
        let mut keys = blocks.into_iter().filter(|block| block.tag().ends_with("PRIVATE KEY"));
        let block = keys.next().ok_or(ConfigError::MalformedKey(
            "there is no `-----BEGIN PRIVATE KEY-----` in the text, a public key cannot sign",
        ))?;
        if keys.next().is_some() {
            return Err(ConfigError::MalformedKey(
                "there are several private keys in the text, give each to a `SigningKey` of its own",
            ));
        }
        if block.tag() == OPENSSH {
            return Err(ConfigError::UnsupportedKey(
                "it is in the format of OpenSSH, convert a copy of it with \
                 `ssh-keygen -p -m PKCS8 -f key` (RSA and ECDSA; instead of Ed25519, make a new \
                 key with `openssl genpkey`)",
            ));
        }
        if block.tag() == "ENCRYPTED PRIVATE KEY" || block.headers().get("DEK-Info").is_some() {
            return Err(ConfigError::UnsupportedKey(
                "it is encrypted: decrypt it with `openssl pkey -in encrypted.pem -out key.pem`",
            ));
        }
        Self::from_der(&Zeroizing::new(block.into_contents()))
    }

    /// A shared secret for HS256: at least 32 random bytes (RFC 7518 §3.2).
    ///
    /// Anybody who can verify with it can also sign with it, so use it only for a service that
    /// verifies its own tokens. It is not published.
    ///
    /// # Errors
    ///
    /// See [`Key::hs256`].
    pub fn hs256(secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::hmac(Algorithm::HS256, secret.as_ref())
    }

    /// A shared secret for HS384: at least 48 random bytes (RFC 7518 §3.2).
    ///
    /// # Errors
    ///
    /// See [`Key::hs256`].
    pub fn hs384(secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::hmac(Algorithm::HS384, secret.as_ref())
    }

    /// A shared secret for HS512: at least 64 random bytes (RFC 7518 §3.2).
    ///
    /// # Errors
    ///
    /// See [`Key::hs256`].
    pub fn hs512(secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::hmac(Algorithm::HS512, secret.as_ref())
    }

    /// Signs with this algorithm.
    ///
    /// # Errors
    ///
    /// The type of the key does not fit the algorithm.
    pub fn with_algorithm(mut self, algorithm: Algorithm) -> Result<Self, ConfigError> {
        let fits = match &*self.pair {
            Pair::Rsa(_) => matches!(algorithm.family(), Family::RsaPkcs1 | Family::RsaPss),
            Pair::Hmac(_) | Pair::Ec(_) | Pair::Ed25519(_) => algorithm == self.algorithm,
        };
        if !fits {
            return Err(ConfigError::KeyUse("its type does not fit the algorithm"));
        }
        self.algorithm = algorithm;
        Ok(self)
    }

    /// Sets another id than the thumbprint.
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> Self {
        self.kid = kid.into().into_boxed_str();
        self
    }

    /// The key's id (RFC 7517 §4.5).
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    pub(super) fn is_same_key(&self, other: &Self) -> bool {
        self.thumbprint == other.thumbprint && self.algorithm == other.algorithm
    }

    pub(super) fn pair(&self) -> &Pair {
        &self.pair
    }

    /// The algorithm that it signs with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public key as a JWK, with `kid`, `alg` and `use`; `None` for a shared secret.
    #[must_use]
    pub fn public_jwk(&self) -> Option<String> {
        let JwkMembers::Public(members) = &self.members else { return None };
        let members = members.strip_suffix('}')?;
        // The members need no escaping, but the id may have any character.
        let kid = serde_json::to_string(&self.kid).ok()?;
        let alg = self.algorithm.name();
        Some(format!(r#"{members},"alg":"{alg}","kid":{kid},"use":"sig"}}"#))
    }

    /// The key that verifies its tokens.
    pub(crate) fn verifying_key(&self) -> Result<Key, ConfigError> {
        let key = match (&*self.pair, self.public_jwk()) {
            (Pair::Hmac(key), _) => match self.algorithm {
                Algorithm::HS384 => Key::hs384(key.1.expose())?,
                Algorithm::HS512 => Key::hs512(key.1.expose())?,
                _ => Key::hs256(key.1.expose())?,
            },
            (_, Some(jwk)) => Key::from_jwk(jwk)?,
            (_, None) => return Err(ConfigError::KeyUse("it has no public key")),
        };
        Ok(key.with_kid(&*self.kid))
    }

    /// The signature over `message` (RFC 7518 §3).
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let failed = |_| Error::with_source(ErrorKind::Failed, "the signature failed");
        match &*self.pair {
            Pair::Hmac(key) => Ok(hmac::sign(&key.0, message).as_ref().to_vec()),
            Pair::Ec(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message).map_err(failed)?;
                Ok(signature.as_ref().to_vec())
            }
            Pair::Ed25519(pair) => Ok(pair.try_sign(message).map_err(failed)?.as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let encoding: &'static dyn RsaEncoding = match self.algorithm {
                    Algorithm::RS384 => &signature::RSA_PKCS1_SHA384,
                    Algorithm::RS512 => &signature::RSA_PKCS1_SHA512,
                    Algorithm::PS256 => &signature::RSA_PSS_SHA256,
                    Algorithm::PS384 => &signature::RSA_PSS_SHA384,
                    Algorithm::PS512 => &signature::RSA_PSS_SHA512,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &SystemRandom::new(), message, &mut signature)
                    .map_err(failed)?;
                Ok(signature)
            }
        }
    }

    fn generate_secret(algorithm: Algorithm) -> Result<Self, ConfigError> {
        let bytes: Zeroizing<[u8; 64]> = Zeroizing::new(
            random().map_err(|_| ConfigError::UnsupportedKey("the system cannot make any"))?,
        );
        let length = algorithm.shortest_secret().unwrap_or(bytes.len());
        Self::hmac(algorithm, bytes.get(..length).unwrap_or(&*bytes))
    }

    pub(super) fn hmac(algorithm: Algorithm, secret: &[u8]) -> Result<Self, ConfigError> {
        // This refuses a secret that is too short, or is a public key.
        let hash = match algorithm {
            Algorithm::HS256 => Key::hs256(secret).map(|_| hmac::HMAC_SHA256)?,
            Algorithm::HS384 => Key::hs384(secret).map(|_| hmac::HMAC_SHA384)?,
            Algorithm::HS512 => Key::hs512(secret).map(|_| hmac::HMAC_SHA512)?,
            _ => return Err(ConfigError::KeyUse("its type does not fit the algorithm")),
        };
        let k = Zeroizing::new(URL_SAFE_NO_PAD.encode_to_string(secret));
        let members = Zeroizing::new(format!(r#"{{"k":"{}","kty":"oct"}}"#, &*k));
        let pair = Pair::Hmac(Box::new((hmac::Key::new(hash, secret), Secret::new(secret))));
        Ok(Self {
            algorithm,
            pair: Arc::new(pair),
            kid: thumbprint(&members),
            thumbprint: thumbprint(&members),
            members: JwkMembers::Secret,
        })
    }

    fn from_der(der: &[u8]) -> Result<Self, ConfigError> {
        match RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der)) {
            Ok(pair) => return Self::new(Algorithm::RS256, Pair::Rsa(pair)),
            Err(error) if error.to_string() == "TooSmall" => return Err(weak_rsa()),
            Err(_) => {}
        }
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            return Self::new(Algorithm::EdDSA, Pair::Ed25519(pair));
        }
        for algorithm in [Algorithm::ES256, Algorithm::ES384, Algorithm::ES512] {
            if let Ok(pair) = EcdsaKeyPair::from_private_key_der(curve(algorithm.family()), der) {
                return Self::new(algorithm, Pair::Ec(pair));
            }
        }
        Err(ConfigError::UnsupportedKey(
            "of private keys, RSA of 2048 to 8192 bits, EC on P-256, P-384 and P-521, and Ed25519 \
             are",
        ))
    }

    pub(super) fn new(algorithm: Algorithm, pair: Pair) -> Result<Self, ConfigError> {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode_to_string(bytes);
        let members = match &pair {
            Pair::Rsa(pair) => {
                let key = pair.public_key();
                let n = text(key.modulus().big_endian_without_leading_zero());
                let e = text(key.exponent().big_endian_without_leading_zero());
                format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#)
            }
            Pair::Ec(pair) => {
                let crv = match algorithm.family() {
                    Family::P384 => "P-384",
                    Family::P521 => "P-521",
                    _ => "P-256",
                };
                // Uncompressed (SEC 1 §2.3.3): a 4, then two numbers of one length.
                let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = point.split_at(point.len() / 2);
                format!(r#"{{"crv":"{crv}","kty":"EC","x":"{}","y":"{}"}}"#, text(x), text(y))
            }
            Pair::Ed25519(pair) => {
                let x = text(pair.public_key().as_ref());
                format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)
            }
            Pair::Hmac(_) => return Err(ConfigError::SymmetricKey),
        };
        let key = Self {
            algorithm,
            pair: Arc::new(pair),
            kid: thumbprint(&members),
            thumbprint: thumbprint(&members),
            members: JwkMembers::Public(members.into()),
        };
        // A key that no verifier accepts must not sign either.
        key.verifying_key()?;
        Ok(key)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

pub(super) fn weak_rsa() -> ConfigError {
    ConfigError::WeakKey("RSA needs at least 2048 bits (RFC 7518 §3.3)")
}

pub(super) fn curve(family: Family) -> &'static EcdsaSigningAlgorithm {
    match family {
        Family::P384 => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
        Family::P521 => &signature::ECDSA_P521_SHA512_FIXED_SIGNING,
        _ => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
    }
}

/// RFC 7638 §3, of members that are in order.
fn thumbprint(members: &str) -> Box<str> {
    URL_SAFE_NO_PAD.encode_to_string(sha256(&[members.as_bytes()])).into_boxed_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_thumbprint() {
        // RFC 7638 §3.1.
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L\
                 6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ\
                 5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD\
                 08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEg\
                 U8awapJzKnqDKgw";
        let members = format!(r#"{{"e":"AQAB","kty":"RSA","n":"{n}"}}"#);
        assert_eq!(&*thumbprint(&members), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }
}
