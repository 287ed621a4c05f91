//! One key.

use std::{fmt, str};

use base64_simd::URL_SAFE_NO_PAD;

use super::{
    der,
    jwk::{self, Jwk, Trust},
    material::Material,
    shared_secret,
    signature::Prepared,
};
use crate::{
    alg::{Algorithm, AlgorithmSet},
    error::ConfigError,
    few::Few,
};

/// A key that verifies signatures, made ready once; cheap to clone.
///
/// See the [module docs](super) for the rules that every key goes through.
/// `Debug` shows its id and its algorithms.
#[derive(Clone)]
pub struct Key {
    kid: Option<Box<str>>,
    issuer: Option<Box<str>>,
    prepared: Few<Prepared>,
    /// Whether it is a secret that is shorter than its hash.
    is_short: bool,
}

impl Key {
    /// A shared secret for HS256: at least 32 random bytes (RFC 7518 §3.2).
    ///
    /// # Errors
    ///
    /// The secret is shorter than that, or it is the text of a key file.
    pub fn hs256(secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::hmac(Algorithm::HS256, secret)
    }

    /// A shared secret for HS384: at least 48 random bytes (RFC 7518 §3.2).
    ///
    /// # Errors
    ///
    /// As for [`Key::hs256`].
    pub fn hs384(secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::hmac(Algorithm::HS384, secret)
    }

    /// A shared secret for HS512: at least 64 random bytes (RFC 7518 §3.2).
    ///
    /// # Errors
    ///
    /// As for [`Key::hs256`].
    pub fn hs512(secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::hmac(Algorithm::HS512, secret)
    }

    /// A public key or a certificate in PEM (RFC 7468): `PUBLIC KEY`, `RSA
    /// PUBLIC KEY` or `CERTIFICATE`. Of a chain of certificates, each followed by
    /// that of its issuer, the first one counts. Line ends may also be written as
    /// `\n`, a backslash and a letter, as in many variables of the environment.
    ///
    /// # Errors
    ///
    /// The text is no PEM, has a private key in it, has several keys or
    /// certificates that are no chain, or has a key that is weak or not supported.
    pub fn from_pem(text: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::from_material(&der::from_pem(text.as_ref())?)
    }

    /// A public key or a certificate in DER: a SubjectPublicKeyInfo (RFC 5280
    /// §4.1), an RSAPublicKey (RFC 8017 §A.1.1) or a certificate.
    ///
    /// # Errors
    ///
    /// The bytes have another form, or are a private key, or a key that is weak
    /// or not supported.
    pub fn from_der(bytes: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::from_material(&der::from_der(bytes.as_ref())?)
    }

    /// A public key as a JSON Web Key (RFC 7517), with the `kid` and `alg` that
    /// it has.
    ///
    /// # Errors
    ///
    /// The text is no JWK, is a private key or a shared secret, is not for
    /// verifying, or has a key that is weak or not supported.
    pub fn from_jwk(text: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::read_jwk(text.as_ref(), Trust::Public)
    }

    /// A JSON Web Key that may be a shared secret (`kty: oct`) or have private
    /// members, which are ignored.
    ///
    /// # Security
    ///
    /// Use it only for keys from your own configuration. Anybody who can change the document can
    /// sign tokens.
    ///
    /// # Errors
    ///
    /// As for [`Key::from_jwk`], except that secrets are accepted.
    pub fn from_private_jwk(text: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::read_jwk(text.as_ref(), Trust::Private)
    }

    /// Opens the kinds of keys that are not safe.
    pub fn dangerous() -> DangerousKey {
        DangerousKey(())
    }

    /// Names the key: it then serves tokens with this `kid` and tokens without
    /// one.
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> Self {
        self.kid = Some(kid.into().into_boxed_str());
        self
    }

    /// Binds the key to an issuer: it then verifies only tokens whose `iss` is
    /// this one, byte for byte (RFC 8725 §3.8). Needed where a verifier trusts
    /// several issuers that are not to speak for each other.
    #[must_use]
    pub fn with_issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into().into_boxed_str());
        self
    }

    /// Allows the key these of its algorithms only. A key that is left without
    /// any serves nothing; `build()` then says so.
    #[must_use]
    pub fn with_algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        let allowed: AlgorithmSet = algorithms.into_iter().collect();
        let allowed = |one: &&Prepared| allowed.contains(one.algorithm());
        self.prepared = self.prepared.iter().filter(allowed).cloned().collect();
        self
    }

    /// The key's id (RFC 7517 §4.5).
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The issuer that the key is bound to.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The algorithms that the key may verify.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.prepared.iter().map(|one| one.algorithm())
    }

    /// Whether it is a secret that is shorter than its hash.
    pub(super) fn is_short(&self) -> bool {
        self.is_short
    }

    /// Whether it is a shared secret; `false` for a public key.
    pub(super) fn is_secret(&self) -> bool {
        self.algorithms().any(Algorithm::is_symmetric)
    }

    /// Texts that everybody can derive from the key, if it is a public one: its bytes, and a coordinate
    /// if it is a point, each also in base64url.
    pub(super) fn public_texts(&self) -> Vec<Vec<u8>> {
        let Some(bytes) = self.prepared.iter().find_map(Prepared::public_bytes) else {
            return Vec::new();
        };
        let mut texts = vec![bytes.to_vec()];
        // An uncompressed point (SEC 1 §2.3.3).
        if let Some((4, coordinates)) = bytes.split_first() {
            texts.extend(coordinates.get(..coordinates.len() / 2).map(<[u8]>::to_vec));
        }
        let encoded: Vec<_> =
            texts.iter().map(|text| URL_SAFE_NO_PAD.encode_to_string(text).into_bytes()).collect();
        texts.extend(encoded);
        texts
    }

    pub(super) fn from_jwk_parts(jwk: Jwk) -> Result<Self, ConfigError> {
        let mut key = match jwk.algorithm {
            Some(one) => Self::for_algorithms(&jwk.material, [one])?,
            None => Self::from_material(&jwk.material)?,
        };
        key.kid = jwk.kid.map(String::into_boxed_str);
        Ok(key)
    }

    /// The key made ready for `algorithm`, if it may serve it.
    pub(super) fn prepared(&self, algorithm: Algorithm) -> Option<&Prepared> {
        self.prepared.iter().find(|one| one.algorithm() == algorithm)
    }

    /// For published test vectors.
    #[cfg(test)]
    pub(crate) fn of_zeros(algorithm: Algorithm) -> Self {
        let secret = Material::long_secret(&[0; 32], Some(algorithm)).expect("32 bytes");
        Self::for_algorithms(&secret, [algorithm]).expect("a key")
    }

    fn hmac(algorithm: Algorithm, secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let material = shared_secret::read(secret.as_ref(), Some(algorithm))?;
        Self::for_algorithms(&material, [algorithm])
    }

    fn read_jwk(text: &[u8], trust: Trust) -> Result<Self, ConfigError> {
        let text = str::from_utf8(text).map_err(|_| ConfigError::MalformedKey("it is no text"))?;
        Self::from_jwk_parts(jwk::read(text, trust).0?)
    }

    fn from_material(material: &Material) -> Result<Self, ConfigError> {
        Self::for_algorithms(material, material.algorithms())
    }

    fn for_algorithms(
        material: &Material,
        algorithms: impl IntoIterator<Item = Algorithm>,
    ) -> Result<Self, ConfigError> {
        let prepared: Result<_, _> =
            algorithms.into_iter().map(|one| Prepared::new(one, material)).collect();
        Ok(Self { kid: None, issuer: None, prepared: prepared?, is_short: false })
    }
}

/// The kinds of [`Key`] that are not safe; made by [`Key::dangerous`].
#[derive(Debug)]
#[must_use = "call one of its methods"]
pub struct DangerousKey(());

impl DangerousKey {
    /// A shared secret for HS256 that has fewer than 32 bytes, but at least 16. It only
    /// verifies: no token can be issued with it.
    ///
    /// # Security
    ///
    /// A secret must be as long as the hash (RFC 7518 §3.2). An attacker who has one token can
    /// try secrets offline, and then issue tokens. Use this only while an issuer that
    /// you cannot change signs with such a secret.
    ///
    /// # Errors
    ///
    /// The secret has fewer than 16 bytes, is nothing but zeros, or is the text of a key file.
    pub fn short_hs256(self, secret: impl AsRef<[u8]>) -> Result<Key, ConfigError> {
        Self::short(Algorithm::HS256, secret.as_ref())
    }

    /// The same for HS384: fewer than 48 bytes, but at least 16.
    ///
    /// # Security
    ///
    /// See [`short_hs256`](Self::short_hs256).
    ///
    /// # Errors
    ///
    /// As for [`short_hs256`](Self::short_hs256).
    pub fn short_hs384(self, secret: impl AsRef<[u8]>) -> Result<Key, ConfigError> {
        Self::short(Algorithm::HS384, secret.as_ref())
    }

    /// The same for HS512: fewer than 64 bytes, but at least 16.
    ///
    /// # Security
    ///
    /// See [`short_hs256`](Self::short_hs256).
    ///
    /// # Errors
    ///
    /// As for [`short_hs256`](Self::short_hs256).
    pub fn short_hs512(self, secret: impl AsRef<[u8]>) -> Result<Key, ConfigError> {
        Self::short(Algorithm::HS512, secret.as_ref())
    }

    fn short(algorithm: Algorithm, secret: &[u8]) -> Result<Key, ConfigError> {
        let key = Key::for_algorithms(&shared_secret::read_short(secret, algorithm)?, [algorithm])?;
        let is_short = algorithm.shortest_secret().is_some_and(|needed| secret.len() < needed);
        Ok(Key { is_short, ..key })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .field("issuer", &self.issuer)
            .field("algorithms", &self.algorithms().collect::<AlgorithmSet>())
            .finish_non_exhaustive()
    }
}
