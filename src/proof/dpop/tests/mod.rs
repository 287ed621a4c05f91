//! The rules of RFC 9449, one by one.

mod config;
mod faults;
mod htu;
mod keys;
mod mutations;
mod nonces;
mod published;
mod replay;
mod time;

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair,
    },
};
use base64_simd::URL_SAFE_NO_PAD;
use http::{HeaderValue, Request};
use serde_json::{Value, json};

use super::*;
use crate::{
    alg::Algorithm,
    error::{ErrorKind, ProofFault, StoreError},
    proof::{Insertion, PresentedProof},
};

const NOW: i64 = 1_800_000_000;
const TOKEN: &str = "ey.to.ken";
const URL: &str = "https://api.example.com";

impl DPoP {
    /// All checks, as for a request with this token.
    fn check_and_spend(
        &self,
        request: RequestHead<'_>,
        token: &str,
        jkt: &Thumbprint,
        now: i64,
    ) -> MaybeReady<Result<(), Error>> {
        match self.check(request, token, jkt, now) {
            Ok(proof) => proof.spend().map(|answer| answer.map(drop)),
            Err(error) => MaybeReady::Ready(Err(error)),
        }
    }
}

fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// A key of a client.
enum Signer {
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    fn p256() -> Self {
        Self::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    fn p384() -> Self {
        Self::P384(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap())
    }

    fn ed25519() -> Self {
        Self::Ed25519(Ed25519KeyPair::generate().unwrap())
    }

    fn jwk(&self) -> Value {
        let (curve, pair) = match self {
            Self::P256(pair) => ("P-256", pair),
            Self::P384(pair) => ("P-384", pair),
            Self::Ed25519(pair) => {
                let x = base64url(pair.public_key().as_ref());
                return json!({"kty": "OKP", "crv": "Ed25519", "x": x});
            }
        };
        let (x, y) = pair.public_key().as_ref()[1..].split_at(pair.public_key().as_ref().len() / 2);
        json!({"kty": "EC", "crv": curve, "x": base64url(x), "y": base64url(y)})
    }

    fn alg(&self) -> &'static str {
        match self {
            Self::P256(_) => "ES256",
            Self::P384(_) => "ES384",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    fn header(&self) -> Value {
        json!({"typ": "dpop+jwt", "alg": self.alg(), "jwk": self.jwk()})
    }

    fn sign(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        let input = format!("{}.{}", base64url(header), base64url(payload));
        let signature = match self {
            Self::P256(pair) | Self::P384(pair) => {
                pair.sign(&SystemRandom::new(), input.as_bytes()).unwrap().as_ref().to_vec()
            }
            Self::Ed25519(pair) => pair.sign(input.as_bytes()).as_ref().to_vec(),
        };
        format!("{input}.{}", base64url(signature))
    }

    /// The RFC 7638 thumbprint, computed in another way than by the crate.
    fn jkt(&self) -> Thumbprint {
        // All members are required ones, which are put in order.
        let jwk = self.jwk();
        let members: std::collections::BTreeMap<_, _> = jwk.as_object().unwrap().iter().collect();
        Thumbprint::of(&[serde_json::to_string(&members).unwrap().as_bytes()])
    }

    /// A good proof, with these changes: `null` takes a member out.
    fn proof_with(&self, header: Value, claims: Value) -> String {
        let (mut whole_header, mut whole_claims) = (self.header(), good_claims());
        merge(&mut whole_header, header);
        merge(&mut whole_claims, claims);
        self.sign(whole_header.to_string(), whole_claims.to_string())
    }

    fn proof(&self) -> String {
        self.proof_with(json!({}), json!({}))
    }
}

/// The claims of a good proof, with a `jti` of its own.
fn good_claims() -> Value {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let jti = format!("proof-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let ath = Thumbprint::of(&[TOKEN.as_bytes()]).to_string();
    json!({"jti": jti, "htm": "GET", "htu": format!("{URL}/me"), "iat": NOW, "ath": ath})
}

fn merge(to: &mut Value, changes: Value) {
    let (Value::Object(to), Value::Object(changes)) = (to, changes) else { panic!("objects") };
    for (name, value) in changes {
        match value {
            Value::Null => _ = to.remove(&name),
            value => _ = to.insert(name, value),
        }
    }
}

/// A store that counts its calls.
#[derive(Default)]
struct Store {
    calls: AtomicUsize,
    seen: Mutex<HashSet<Thumbprint>>,
    last: Mutex<Option<PresentedProof>>,
    /// The answer that it gives once in place of its own.
    answer: Mutex<Option<Result<Insertion, StoreError>>>,
    is_elsewhere: bool,
}

impl Store {
    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    fn last(&self) -> PresentedProof {
        self.last.lock().unwrap().unwrap()
    }
}

impl ReplayStore for Store {
    fn insert(&self, proof: PresentedProof) -> MaybeReady<Result<Insertion, StoreError>> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        *self.last.lock().unwrap() = Some(proof);
        let answer = self.answer.lock().unwrap().take().unwrap_or_else(|| {
            Ok(match self.seen.lock().unwrap().insert(proof.id) {
                true => Insertion::Inserted,
                false => Insertion::Replayed,
            })
        });
        match self.is_elsewhere {
            true => MaybeReady::pending(async move { answer }),
            false => MaybeReady::Ready(answer),
        }
    }
}

fn dpop_with(set: impl FnOnce(DPoPBuilder) -> DPoPBuilder) -> (DPoP, Arc<Store>) {
    let store = Arc::new(Store::default());
    let builder = DPoP::optional().public_url(URL).replay_store(Arc::clone(&store));
    (set(builder).build().unwrap(), store)
}

fn dpop() -> (DPoP, Arc<Store>) {
    dpop_with(|builder| builder)
}

fn request(method: &str, uri: &str, proofs: &[&str]) -> Request<()> {
    let mut request = Request::builder().method(method).uri(uri).body(()).unwrap();
    for proof in proofs {
        request.headers_mut().append("dpop", HeaderValue::from_str(proof).unwrap());
    }
    request
}

fn check_at(dpop: &DPoP, proof: &str, jkt: &Thumbprint, now: i64) -> Result<(), ErrorKind> {
    let request = request("GET", "/me?a=b", &[proof]);
    answer(dpop.check_and_spend((&request).into(), TOKEN, jkt, now))
}

fn check(dpop: &DPoP, proof: &str, jkt: &Thumbprint) -> Result<(), ErrorKind> {
    check_at(dpop, proof, jkt, NOW)
}

fn answer<T>(answer: MaybeReady<Result<T, Error>>) -> Result<T, ErrorKind> {
    answer.now_or_never().expect("ready").map_err(|error| error.kind().clone())
}

fn fault<T>(fault: ProofFault) -> Result<T, ErrorKind> {
    Err(ErrorKind::DpopProof(fault))
}

#[test]
fn a_good_proof_of_each_default_algorithm() {
    let (dpop, store) = dpop();
    for signer in [Signer::p256(), Signer::ed25519()] {
        assert_eq!(check(&dpop, &signer.proof(), &signer.jkt()), Ok(()), "{}", signer.alg());
    }
    // RFC 9864 §2.2 has another name for the second.
    let signer = Signer::ed25519();
    let proof = signer.proof_with(json!({"alg": "Ed25519"}), json!({}));
    assert_eq!(check(&dpop, &proof, &signer.jkt()), Ok(()));
    assert_eq!(store.calls(), 3);
}

#[test]
fn the_key_for_a_new_token() {
    let (dpop, _) = dpop();
    let signer = Signer::p256();
    let with = |proof: &str, uri: &str| {
        let request = request("POST", uri, &[proof]);
        answer(dpop.check_without_token((&request).into(), NOW))
    };
    let claims =
        || json!({"ath": null, "htm": "POST", "htu": format!("{URL}/token"), "jti": "login"});
    let proof = signer.proof_with(json!({}), claims());
    assert_eq!(with(&proof, "/other"), fault(ProofFault::Uri));
    assert_eq!(with(&proof, "/token"), Ok(signer.jkt()));
    assert_eq!(with(&proof, "/token"), fault(ProofFault::Replayed));
    // The same `jti` of another key is another proof.
    let other = Signer::p256();
    let proof = other.proof_with(json!({}), claims());
    assert_eq!(with(&proof, "/token"), Ok(other.jkt()));
}

#[test]
fn traits() {
    fn check<T: Clone + Send + Sync + Unpin + std::fmt::Debug>() {}
    check::<DPoP>();
    check::<Nonces>();
}
