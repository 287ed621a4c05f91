//! Keys of every algorithm, made anew for each run, and tokens of any content.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, Pkcs8V2Der},
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaEncoding, RsaKeyPair,
    },
};
use base64_simd::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tower_jwt_auth::{Algorithm, Key, Verifier, keys::IntoKeySource, verifier::VerifierBuilder};

pub(crate) use crate::fixed::{AUDIENCE, FixedClock, ISSUER, NOW};

/// A signing key and what it signs with.
pub(crate) struct TestKey {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: &'static str,
    signer: Signer,
}

enum Signer {
    Hmac(Box<hmac::Key>, Vec<u8>),
    Rsa(Arc<RsaKeyPair>, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair, &'static str),
    Ed(Ed25519KeyPair),
}

/// One key for each algorithm; those of RSA are the same key pair.
pub(crate) static KEYS: LazyLock<Vec<TestKey>> = LazyLock::new(|| {
    let rsa = Arc::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap());
    Algorithm::ALL
        .iter()
        .filter(|algorithm| cfg!(feature = "aws_lc_rs") || **algorithm != Algorithm::ES512)
        .map(|&algorithm| TestKey::new(algorithm, &rsa))
        .collect()
});

/// The key of one algorithm.
pub(crate) fn key(algorithm: Algorithm) -> &'static TestKey {
    KEYS.iter().find(|key| key.algorithm == algorithm).expect("there is a key for each algorithm")
}

impl TestKey {
    fn new(algorithm: Algorithm, rsa: &Arc<RsaKeyPair>) -> Self {
        let hmac = |algorithm, length| {
            let secret = vec![0x5a; length];
            Signer::Hmac(Box::new(hmac::Key::new(algorithm, &secret)), secret)
        };
        let rsa = |encoding| Signer::Rsa(Arc::clone(rsa), encoding);
        let ec = |algorithm: &'static EcdsaSigningAlgorithm, curve| {
            Signer::Ec(EcdsaKeyPair::generate(algorithm).unwrap(), curve)
        };
        let signer = match algorithm {
            Algorithm::HS256 => hmac(hmac::HMAC_SHA256, 32),
            Algorithm::HS384 => hmac(hmac::HMAC_SHA384, 48),
            Algorithm::HS512 => hmac(hmac::HMAC_SHA512, 64),
            Algorithm::RS256 => rsa(&signature::RSA_PKCS1_SHA256),
            Algorithm::RS384 => rsa(&signature::RSA_PKCS1_SHA384),
            Algorithm::RS512 => rsa(&signature::RSA_PKCS1_SHA512),
            Algorithm::PS256 => rsa(&signature::RSA_PSS_SHA256),
            Algorithm::PS384 => rsa(&signature::RSA_PSS_SHA384),
            Algorithm::PS512 => rsa(&signature::RSA_PSS_SHA512),
            Algorithm::ES256 => ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, "P-256"),
            Algorithm::ES384 => ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"),
            Algorithm::ES512 => ec(&signature::ECDSA_P521_SHA512_FIXED_SIGNING, "P-521"),
            Algorithm::EdDSA => Signer::Ed(Ed25519KeyPair::generate().unwrap()),
            other => panic!("no test key for {other}"),
        };
        Self { algorithm, kid: algorithm.name(), signer }
    }

    /// The same key under another id.
    #[allow(dead_code, reason = "not every test binary and feature set needs it")]
    pub(crate) fn with_kid(self, kid: &'static str) -> Self {
        Self { kid, ..self }
    }

    /// Another key of the same algorithm.
    pub(crate) fn fresh(algorithm: Algorithm) -> Self {
        match algorithm.name().as_bytes() {
            [b'H', ..] => secret_key(algorithm, &[0xa5; 64]),
            _ => Self::new(algorithm, &Arc::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())),
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.signer {
            Signer::Hmac(key, _) => hmac::sign(key, message).as_ref().to_vec(),
            Signer::Rsa(key, encoding) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(*encoding, &random, message, &mut signature).unwrap();
                signature
            }
            Signer::Ec(key, _) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Signer::Ed(key) => key.sign(message).as_ref().to_vec(),
        }
    }

    /// A token of these two texts, whatever they are, with a good signature.
    pub(crate) fn token_of(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        let input = format!("{}.{}", b64(header), b64(payload));
        let signature = b64(self.sign(input.as_bytes()));
        format!("{input}.{signature}")
    }

    /// A token with these claims and the usual header.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_of(self.header().to_string(), claims.to_string())
    }

    pub(crate) fn header(&self) -> Value {
        json!({"alg": self.algorithm.name(), "typ": "JWT", "kid": self.kid})
    }

    /// The key as the crate loads it, by way of its JWK.
    pub(crate) fn key(&self) -> Key {
        Key::from_private_jwk(self.jwk().to_string()).unwrap()
    }

    /// The public key, or the secret, as a JWK.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = match &self.signer {
            Signer::Hmac(_, secret) => json!({"kty": "oct", "k": b64(secret)}),
            Signer::Rsa(key, _) => {
                let numbers = signature::RsaPublicKeyComponents::<Vec<u8>>::from(key.public_key());
                json!({"kty": "RSA", "n": b64(numbers.n), "e": b64(numbers.e)})
            }
            Signer::Ec(key, curve) => {
                let point = &key.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({"kty": "EC", "crv": curve, "x": b64(x), "y": b64(y)})
            }
            Signer::Ed(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": b64(key.public_key())})
            }
        };
        jwk["alg"] = self.algorithm.name().into();
        jwk["kid"] = self.kid.into();
        jwk
    }

    /// The public key as a SubjectPublicKeyInfo; none for a secret.
    pub(crate) fn spki(&self) -> Option<Vec<u8>> {
        Some(match &self.signer {
            Signer::Hmac(..) => return None,
            Signer::Rsa(key, _) => key.public_key().as_der().unwrap().as_ref().to_vec(),
            Signer::Ec(key, _) => key.public_key().as_der().unwrap().as_ref().to_vec(),
            Signer::Ed(key) => key.public_key().as_der().unwrap().as_ref().to_vec(),
        })
    }

    /// The same in PEM.
    pub(crate) fn pem(&self) -> Option<String> {
        Some(pem("PUBLIC KEY", &self.spki()?))
    }

    /// The private key in DER, in each of its forms, with its name in PEM.
    pub(crate) fn private(&self) -> Vec<(&'static str, Vec<u8>)> {
        let pkcs8 = |der: &[u8]| ("PRIVATE KEY", der.to_vec());
        match &self.signer {
            Signer::Hmac(..) => Vec::new(),
            Signer::Rsa(key, _) => {
                let der: Pkcs8V1Der<'_> = key.as_der().unwrap();
                // The PKCS #1 form is what stands in the PKCS #8 one, behind
                // 26 bytes.
                vec![pkcs8(der.as_ref()), ("RSA PRIVATE KEY", der.as_ref()[26..].to_vec())]
            }
            Signer::Ec(key, _) => {
                let sec1 = key.private_key().as_der().unwrap();
                vec![
                    pkcs8(key.to_pkcs8v1().unwrap().as_ref()),
                    ("EC PRIVATE KEY", sec1.as_ref().to_vec()),
                ]
            }
            Signer::Ed(key) => {
                let first: Pkcs8V1Der<'_> = key.as_der().unwrap();
                let second: Pkcs8V2Der<'_> = key.as_der().unwrap();
                vec![pkcs8(first.as_ref()), pkcs8(second.as_ref())]
            }
        }
    }
}

/// A PEM text with this label.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode_to_string(der);
    let lines: Vec<_> =
        text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// An X.509 certificate of this key (RFC 5280 §4.1), in PEM. Nobody has signed it.
#[allow(dead_code, reason = "not every test binary and feature set needs it")]
pub(crate) fn certificate(subject: &str, issuer: &str, key: &TestKey) -> String {
    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let mut bytes = match u8::try_from(content.len()) {
            Ok(short @ 0..0x80) => vec![tag, short],
            Ok(long) => vec![tag, 0x81, long],
            Err(_) => {
                let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
                vec![tag, 0x82, high, low]
            }
        };
        bytes.extend(content);
        bytes
    }
    let name = |text: &str| {
        let text = der(0x0c, &[text.as_bytes()]);
        let pair = der(0x30, &[&[6, 3, 0x55, 4, 3], &text]);
        der(0x30, &[&der(0x31, &[&pair])])
    };
    let algorithm = der(0x30, &[&[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]]);
    let time = |text: &str| der(0x17, &[text.as_bytes()]);
    let validity = der(0x30, &[&time("260101000000Z"), &time("270101000000Z")]);
    let (version, serial) = ([0xa0, 3, 2, 1, 2], [2, 1, 1]);
    let spki = key.spki().unwrap();
    let tbs = der(
        0x30,
        &[&version, &serial, &algorithm, &name(issuer), &validity, &name(subject), &spki],
    );
    pem("CERTIFICATE", &der(0x30, &[&tbs, &algorithm, &[3, 3, 0, 1, 1]]))
}

/// A key that signs with any bytes as its secret, however few.
pub(crate) fn secret_key(algorithm: Algorithm, secret: &[u8]) -> TestKey {
    let hash = match algorithm {
        Algorithm::HS256 => hmac::HMAC_SHA256,
        Algorithm::HS384 => hmac::HMAC_SHA384,
        _ => hmac::HMAC_SHA512,
    };
    let signer = Signer::Hmac(Box::new(hmac::Key::new(hash, secret)), secret.to_vec());
    TestKey { algorithm, kid: algorithm.name(), signer }
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes.as_ref())
}

/// Claims that every verifier of [`builder`] takes.
pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "exp": NOW + 600, "iat": NOW,
        "scope": "read write",
    })
}

/// The usual claims with these instead; `null` takes one out.
pub(crate) fn claims_with(changes: Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    claims
}

/// A builder with the usual issuer and audience, all [`KEYS`] and a clock at
/// [`NOW`].
pub(crate) fn builder<C: Send + Sync + 'static>() -> VerifierBuilder<C> {
    trusting(KEYS.iter().map(TestKey::key).collect::<Vec<_>>())
}

/// The same with these keys alone.
pub(crate) fn trusting<C: Send + Sync + 'static>(keys: impl IntoKeySource) -> VerifierBuilder<C> {
    Verifier::builder()
        .claims()
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .keys(keys)
        .clock(FixedClock::default())
}
