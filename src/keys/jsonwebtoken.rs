//! The keys of jsonwebtoken as keys of this crate.

use base64_simd::URL_SAFE_NO_PAD;
use jsonwebtoken::{
    AlgorithmFamily, DecodingKey, DecodingKeyKind,
    jwk::{Jwk, JwkSet},
};
use serde_json::json;
use zeroize::Zeroizing;

use super::{
    key::Key,
    set::KeySet,
    source::{IntoKeySource, KeySource},
};
use crate::error::ConfigError;

/// With the feature `jsonwebtoken`. Keys that cannot be used are skipped, as by
/// [`KeySet::from_jwks`]; shared secrets (`kty: oct`) are among them.
impl TryFrom<&JwkSet> for KeySet {
    type Error = ConfigError;

    fn try_from(set: &JwkSet) -> Result<Self, ConfigError> {
        Self::from_jwks(text(set)?)
    }
}

/// With the feature `jsonwebtoken`. The same as [`Key::from_jwk`]: a shared secret is refused.
impl TryFrom<&Jwk> for Key {
    type Error = ConfigError;

    fn try_from(jwk: &Jwk) -> Result<Self, ConfigError> {
        Self::from_jwk(text(jwk)?)
    }
}

/// With the feature `jsonwebtoken`. A key has no `kid`: add it with [`Key::with_kid`].
///
/// The key verifies every algorithm of its family that fits it. A secret is for HS256, and must
/// have at least 32 bytes (RFC 7518 §3.2); for others, use [`Key::hs384`] or [`Key::hs512`].
impl TryFrom<&DecodingKey> for Key {
    type Error = ConfigError;

    fn try_from(key: &DecodingKey) -> Result<Self, ConfigError> {
        match (key.family(), key.kind()) {
            (AlgorithmFamily::Hmac, DecodingKeyKind::SecretOrDer(secret)) => Self::hs256(secret),
            (AlgorithmFamily::Rsa, DecodingKeyKind::RsaModulusExponent { n, e }) => {
                Self::from_jwk(json!({"kty": "RSA", "n": b64(n), "e": b64(e)}).to_string())
            }
            (AlgorithmFamily::Rsa, DecodingKeyKind::SecretOrDer(der)) => Self::from_der(der),
            (AlgorithmFamily::Ec, DecodingKeyKind::SecretOrDer(point)) => of_point(point),
            (AlgorithmFamily::Ed, DecodingKeyKind::SecretOrDer(bytes)) if bytes.len() == 32 => {
                Self::from_jwk(json!({"kty": "OKP", "crv": "Ed25519", "x": b64(bytes)}).to_string())
            }
            (AlgorithmFamily::Ed, DecodingKeyKind::SecretOrDer(der)) => Self::from_der(der),
            (_, DecodingKeyKind::RsaModulusExponent { .. }) => {
                Err(ConfigError::MalformedKey("the parts of an RSA key are not for another family"))
            }
        }
    }
}

/// With the feature `jsonwebtoken`: see `TryFrom<&Jwk>` for [`Key`].
impl IntoKeySource for Jwk {
    fn into_key_source(self) -> Result<KeySource, ConfigError> {
        Key::try_from(&self).into_key_source()
    }
}

/// With the feature `jsonwebtoken`: see `TryFrom<&JwkSet>` for [`KeySet`].
impl IntoKeySource for JwkSet {
    fn into_key_source(self) -> Result<KeySource, ConfigError> {
        KeySet::try_from(&self)?.into_key_source()
    }
}

/// With the feature `jsonwebtoken`: see `TryFrom<&DecodingKey>` for [`Key`].
impl IntoKeySource for DecodingKey {
    fn into_key_source(self) -> Result<KeySource, ConfigError> {
        Key::try_from(&self)?.into_key_source()
    }
}

/// An EC key from its uncompressed point (SEC 1 §2.3.3), or else from DER.
fn of_point(bytes: &[u8]) -> Result<Key, ConfigError> {
    let curve = match bytes.len() {
        65 => "P-256",
        97 => "P-384",
        133 => "P-521",
        _ => return Key::from_der(bytes),
    };
    let Some((4, point)) = bytes.split_first().map(|(first, rest)| (*first, rest)) else {
        return Key::from_der(bytes);
    };
    let (x, y) = point.split_at_checked(point.len() / 2).unwrap_or_default();
    Key::from_jwk(json!({"kty": "EC", "crv": curve, "x": b64(x), "y": b64(y)}).to_string())
}

fn text(value: &impl serde::Serialize) -> Result<Zeroizing<String>, ConfigError> {
    serde_json::to_string(value)
        .map(Zeroizing::new)
        .map_err(|_| ConfigError::MalformedKey("the JWK cannot be written as JSON"))
}

fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}
