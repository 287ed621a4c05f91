//! Requests with a DPoP proof (RFC 9449) for a token that is known, beside the check of the proof's
//! signature alone. All take turns round by round, so that what the machine does beside them hits each
//! of them.
//!
//! Usage: cargo bench --bench proofs --features test-util

mod shared;

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use base64_simd::URL_SAFE_NO_PAD;
use http::Request;
use shared::{Bare, status};
use tower_jwt_auth::{
    Algorithm, JwtAuthLayer, Key, KeySet, RegisteredClaims,
    error::StoreError,
    layer::JwtAuth,
    maybe_ready::MaybeReady,
    proof::{DPoP, Insertion, MemoryReplayStore, PresentedProof, ReplayStore},
    testing::{TestIssuer, TestProofKey, TestRequest},
};
use tower_layer::Layer;

const URL: &str = "https://api.example.com/me";
const ALGORITHMS: [Algorithm; 4] =
    [Algorithm::ES256, Algorithm::EdDSA, Algorithm::RS256, Algorithm::ES384];

fn main() {
    // `cargo bench -- --test` and `cargo test --benches` only try it out.
    let test = std::env::args().any(|argument| argument == "--test");
    let (rounds, batch) = if test { (1, 2) } else { (60, 128) };
    println!("times in µs, the lowest tenth of {rounds} rounds");
    println!(
        "| algorithm | signature | bearer | proof | beyond the signature | new header each time | with a store |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for algorithm in ALGORITHMS {
        row(algorithm, rounds, batch);
    }
}

/// Accepts each proof, so that a round can present those of the one before.
struct Forgetful;

impl ReplayStore for Forgetful {
    fn insert(&self, _: PresentedProof) -> MaybeReady<Result<Insertion, StoreError>> {
        MaybeReady::Ready(Ok(Insertion::Inserted))
    }
}

fn row(algorithm: Algorithm, rounds: usize, batch: usize) {
    let (issuer, key) = (TestIssuer::new(), TestProofKey::for_algorithm(algorithm));
    let token = issuer.token().bound_to(&key).sign();
    let bearer = issuer.token().sign();
    let proof = || key.proof("GET", URL).token(&token);
    let proofs: Vec<_> = (0..batch).map(|_| proof().sign()).collect();
    let headers: Vec<_> = (0..batch * rounds).map(|n| proof().header("n", n).sign()).collect();

    let keys = prepared(&proofs[0]);
    let signatures: Vec<_> = proofs.iter().map(|proof| signed(proof)).collect();
    let mut forgetful = service(&issuer, Forgetful);
    let mut new_headers = headers.chunks(batch);
    let with =
        |proof: &String| Request::get("/me").dpop(&token, proof).body(()).expect("a request");
    // The token, and the key of its proofs, are known from here on.
    assert_eq!(ask(&mut forgetful, vec![with(&proofs[0])]).0, 200);

    let mut times = [const { Vec::new() }; 5];
    for _ in 0..rounds {
        let began = Instant::now();
        for (message, signature) in &signatures {
            assert!(black_box(keys.have_signed(algorithm, message, signature)));
        }
        times[0].push(began.elapsed());
        let request = || Request::get("/me").bearer(&bearer).body(()).expect("a request");
        times[1].push(all_accepted(&mut forgetful, (0..batch).map(|_| request()).collect()));
        times[2].push(all_accepted(&mut forgetful, proofs.iter().map(with).collect()));
        let new = new_headers.next().unwrap_or_default();
        times[3].push(all_accepted(&mut forgetful, new.iter().map(with).collect()));
        let mut memory = service(&issuer, MemoryReplayStore::new());
        assert_eq!(ask(&mut memory, vec![with(&headers[0])]).0, 200);
        times[4].push(all_accepted(&mut memory, proofs.iter().map(with).collect()));
    }
    let [signature, bearer, proof, header, store] = times.map(|times| lowest_tenth(times, batch));
    println!(
        "| {} | {signature:.2} | {bearer:.2} | {proof:.2} | {:.2} | {header:.2} | {store:.2} |",
        algorithm.name(),
        proof - signature,
    );
}

fn service(issuer: &TestIssuer, store: impl ReplayStore) -> JwtAuth<Bare, RegisteredClaims> {
    let dpop = DPoP::optional().public_url("https://api.example.com").algorithms(ALGORITHMS);
    let dpop = dpop.replay_store(store).build().expect("a check of proofs");
    let verifier = issuer.verifier_builder().dpop(dpop).build().expect("a verifier");
    JwtAuthLayer::new(verifier).layer(Bare)
}

/// The key in the header of a proof, made ready once.
fn prepared(proof: &str) -> KeySet {
    let header = proof.split('.').next().unwrap_or_default();
    let header = URL_SAFE_NO_PAD.decode_to_vec(header).expect("a header");
    let header: serde_json::Value = serde_json::from_slice(&header).expect("a header");
    let key = Key::from_jwk(header["jwk"].to_string()).expect("a key");
    KeySet::from_iter([key])
}

fn signed(proof: &str) -> (Vec<u8>, Vec<u8>) {
    let (message, signature) = proof.rsplit_once('.').expect("three parts");
    (message.into(), URL_SAFE_NO_PAD.decode_to_vec(signature).expect("a signature"))
}

fn all_accepted(
    service: &mut JwtAuth<Bare, RegisteredClaims>,
    requests: Vec<Request<()>>,
) -> Duration {
    let (status, took) = ask(service, requests);
    assert_eq!(status, 200);
    took
}

/// The largest status of the answers, and the time that they took.
fn ask(
    service: &mut JwtAuth<Bare, RegisteredClaims>,
    requests: Vec<Request<()>>,
) -> (u16, Duration) {
    let began = Instant::now();
    let worst = requests.into_iter().map(|request| status(service, request)).max();
    (worst.unwrap_or_default(), began.elapsed())
}

/// The mean of the lowest tenth, in microseconds for each request.
fn lowest_tenth(mut times: Vec<Duration>, batch: usize) -> f64 {
    times.sort();
    let lowest = &times[..times.len().div_ceil(10)];
    let all: f64 = lowest.iter().map(Duration::as_secs_f64).sum();
    1e6 * all / (lowest.len() * batch) as f64
}
