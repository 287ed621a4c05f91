//! The keys of a run, and the tokens that all participants get.

use std::{
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    encoding::AsDer,
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
        RsaKeyPair, RsaPublicKeyComponents,
    },
};
use base64_simd::URL_SAFE_NO_PAD as BASE64URL;
use harness::{AUDIENCE, Algorithm, ISSUER, Input, KEY_ID};
use serde_json::{Value, json};

/// A fresh key, and `pool` different good tokens beside the bad ones.
pub(crate) fn make(algorithm: Algorithm, pool: usize) -> Input {
    let signer = Signer::generate(algorithm);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();

    let numbers: Vec<usize> = (0..pool).collect();
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let good: Vec<String> = thread::scope(|scope| {
        let parts: Vec<_> = numbers
            .chunks(pool.div_ceil(workers))
            .map(|part| {
                scope.spawn(|| part.iter().map(|&number| signer.token(number, now)).collect())
            })
            .collect();
        let join = |part: thread::ScopedJoinHandle<'_, Vec<String>>| part.join().expect("tokens");
        parts.into_iter().flat_map(join).collect()
    });
    let expired = signer.token(0, now - 2 * DAY);
    let forged = forge(&good[0]);
    let (pem, secret, mut key) = signer.public();
    key["kid"] = KEY_ID.into();
    key["use"] = "sig".into();
    key["alg"] = algorithm.to_string().into();
    let key_set = json!({ "keys": [key] }).to_string();
    Input { algorithm, pem, secret, key_set, good, expired, forged }
}

enum Signer {
    Hmac(String),
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    fn generate(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::HS256 => {
                let mut bytes = [0; 32];
                aws_lc_rs::rand::fill(&mut bytes).expect("random bytes");
                Self::Hmac(BASE64URL.encode_to_string(bytes))
            }
            Algorithm::RS256 => {
                Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).expect("a key pair"))
            }
            Algorithm::ES256 => Self::Ecdsa(
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key pair"),
            ),
            Algorithm::EdDSA => Self::Ed25519(Ed25519KeyPair::generate().expect("a key pair")),
        }
    }

    fn algorithm(&self) -> Algorithm {
        match self {
            Self::Hmac(_) => Algorithm::HS256,
            Self::Rsa(_) => Algorithm::RS256,
            Self::Ecdsa(_) => Algorithm::ES256,
            Self::Ed25519(_) => Algorithm::EdDSA,
        }
    }

    /// A token for a day, of one length whatever the number.
    fn token(&self, number: usize, now: u64) -> String {
        let header = json!({ "typ": "JWT", "alg": self.algorithm().to_string(), "kid": KEY_ID });
        let claims = json!({
            "iss": ISSUER,
            "sub": format!("auth0|5f7c8ec7c33c6c{number:010x}"),
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + DAY,
            "jti": format!("3f1c9b7e-8f0e-4b6a-9f5a-{number:012x}"),
            "client_id": "my_client_id",
            "scope": "openid profile read:orders write:orders",
        });
        let encode = |part: Value| BASE64URL.encode_to_string(part.to_string());
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = BASE64URL.encode_to_string(self.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Hmac(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
                hmac::sign(&key, message).as_ref().to_vec()
            }
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .expect("a signature");
                signature
            }
            Self::Ecdsa(pair) => {
                pair.sign(&random, message).expect("a signature").as_ref().to_vec()
            }
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// The public key as PEM, or the secret; and either as a JWK.
    fn public(&self) -> (String, String, Value) {
        let encode = |bytes: &[u8]| BASE64URL.encode_to_string(bytes);
        let pem = |der: &[u8]| pem::encode(&pem::Pem::new("PUBLIC KEY", der));
        match self {
            Self::Hmac(secret) => {
                let key = json!({ "kty": "oct", "k": encode(secret.as_bytes()) });
                (String::new(), secret.clone(), key)
            }
            Self::Rsa(pair) => {
                let numbers = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                let (n, e) = (encode(&numbers.n), encode(&numbers.e));
                let der = AsDer::as_der(pair.public_key()).expect("SPKI");
                (pem(der.as_ref()), String::new(), json!({ "kty": "RSA", "n": n, "e": e }))
            }
            Self::Ecdsa(pair) => {
                // An uncompressed point: a 4, then x and y.
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                let der = pair.public_key().as_der().expect("SPKI");
                let key = json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) });
                (pem(der.as_ref()), String::new(), key)
            }
            Self::Ed25519(pair) => {
                let x = encode(pair.public_key().as_ref());
                let der = pair.public_key().as_der().expect("SPKI");
                let key = json!({ "kty": "OKP", "crv": "Ed25519", "x": x });
                (pem(der.as_ref()), String::new(), key)
            }
        }
    }
}

/// Changes one character in the middle of the signature, so that it stays base64url.
fn forge(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    let (before, after) = signature.split_at(signature.len() / 2);
    let other = if after.starts_with('A') { 'B' } else { 'A' };
    format!("{signed}.{before}{other}{}", &after[1..])
}

const DAY: u64 = 86_400;
