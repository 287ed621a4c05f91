//! Private keys as JSON Web Keys (RFC 7517, RFC 7518 §6, RFC 8037 §2).

use std::str;

use aws_lc_rs::{
    rsa::{KeyPairComponents, PublicKeyComponents},
    signature::{EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair},
};
use base64_simd::URL_SAFE_NO_PAD;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::signing::{Pair, SigningKey, curve, weak_rsa};
use crate::{
    alg::Algorithm,
    error::ConfigError,
    json,
    keys::{Form, jwk_fault},
};

impl SigningKey {
    /// Reads a private key from a JSON Web Key (RFC 7517), with its `kid` and `alg`.
    ///
    /// # Errors
    ///
    /// The text is not a JWK, has no private members, or has a key that is weak or not
    /// supported.
    pub fn from_jwk(text: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let text = str::from_utf8(text.as_ref())
            .map_err(|_| ConfigError::MalformedKey("the JWK has bytes that are not UTF-8"))?;
        let jwk = json::object::<PrivateJwk>(text).ok_or_else(|| {
            let form = Form::of(text.as_bytes()).filter(|form| *form != Form::Jwk);
            ConfigError::MalformedKey(form.map_or_else(|| jwk_fault(text), Form::advice_to_sign))
        })?;
        let key = jwk.read()?;
        Ok(match jwk.kid {
            Some(kid) if !kid.is_empty() => key.with_kid(kid),
            _ => key,
        })
    }
}

/// A JWK with its private members.
#[derive(Deserialize)]
struct PrivateJwk {
    kty: String,
    alg: Option<String>,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    k: Option<Zeroizing<String>>,
    d: Option<Zeroizing<String>>,
    p: Option<Zeroizing<String>>,
    q: Option<Zeroizing<String>>,
    dp: Option<Zeroizing<String>>,
    dq: Option<Zeroizing<String>>,
    qi: Option<Zeroizing<String>>,
}

impl PrivateJwk {
    fn read(&self) -> Result<SigningKey, ConfigError> {
        if self.usage.as_ref().is_some_and(|usage| usage != "sig")
            || self.key_ops.as_ref().is_some_and(|ops| !ops.iter().any(|op| op == "sign"))
        {
            return Err(ConfigError::KeyUse("its `use` or `key_ops` are not those of signing"));
        }
        let algorithm = match &self.alg {
            None => None,
            Some(alg) => Some(Algorithm::from_name(alg).ok_or(ConfigError::KeyUse(
                "its `alg` is not a signature algorithm that is known",
            ))?),
        };
        let key = self.pair(algorithm)?;
        match algorithm {
            Some(algorithm) => key.with_algorithm(algorithm),
            None => Ok(key),
        }
    }

    fn pair(&self, algorithm: Option<Algorithm>) -> Result<SigningKey, ConfigError> {
        match (&*self.kty, self.crv.as_deref()) {
            ("oct", _) => {
                let secret = private(self.k.as_ref())?;
                SigningKey::hmac(algorithm.unwrap_or(Algorithm::HS256), &secret)
            }
            ("RSA", None) => {
                let (n, e) = (public(self.n.as_ref())?, public(self.e.as_ref())?);
                let components = KeyPairComponents {
                    public_key: PublicKeyComponents { n, e },
                    d: private(self.d.as_ref())?,
                    p: private(self.p.as_ref())?,
                    q: private(self.q.as_ref())?,
                    dP: private(self.dp.as_ref())?,
                    dQ: private(self.dq.as_ref())?,
                    qInv: private(self.qi.as_ref())?,
                };
                let pair = RsaKeyPair::from_components(&components).map_err(|error| {
                    if error.to_string() == "TooSmall" { weak_rsa() } else { unfit() }
                })?;
                SigningKey::new(Algorithm::RS256, Pair::Rsa(pair))
            }
            ("EC", Some("P-256")) => self.ec(Algorithm::ES256),
            ("EC", Some("P-384")) => self.ec(Algorithm::ES384),
            ("EC", Some("P-521")) => self.ec(Algorithm::ES512),
            ("OKP", Some("Ed25519")) => {
                let (seed, x) = (private(self.d.as_ref())?, public(self.x.as_ref())?);
                let pair = Ed25519KeyPair::from_seed_and_public_key(&seed, &x);
                SigningKey::new(Algorithm::EdDSA, Pair::Ed25519(pair.map_err(|_| unfit())?))
            }
            _ => Err(ConfigError::UnsupportedKey(
                "of the `kty` and `crv`, oct, RSA, EC on P-256, P-384 and P-521, and OKP on \
                 Ed25519 are",
            )),
        }
    }

    fn ec(&self, algorithm: Algorithm) -> Result<SigningKey, ConfigError> {
        let (x, y) = (public(self.x.as_ref())?, public(self.y.as_ref())?);
        let point = [&[4][..], &x, &y].concat();
        let pair = EcdsaKeyPair::from_private_key_and_public_key(
            curve(algorithm.family()),
            &private(self.d.as_ref())?,
            &point,
        );
        SigningKey::new(algorithm, Pair::Ec(pair.map_err(|_| unfit())?))
    }
}

fn public(member: Option<&String>) -> Result<Vec<u8>, ConfigError> {
    member
        .and_then(|text| URL_SAFE_NO_PAD.decode_to_vec(text.as_bytes()).ok())
        .ok_or(ConfigError::MalformedKey("a public member of the JWK is missing or not base64url"))
}

fn private(member: Option<&Zeroizing<String>>) -> Result<Zeroizing<Vec<u8>>, ConfigError> {
    member
        .and_then(|text| URL_SAFE_NO_PAD.decode_to_vec(text.as_bytes()).ok())
        .map(Zeroizing::new)
        .ok_or(ConfigError::MalformedKey(
            "a private member of the JWK is missing or not base64url; a public key cannot sign",
        ))
}

fn unfit() -> ConfigError {
    ConfigError::MalformedKey("its private and its public members do not fit each other")
}
