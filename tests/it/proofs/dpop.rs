//! The checks of a proof, seen from outside (RFC 9449 §4.3).

use std::time::{Duration, SystemTime};

use http::Request;
use serde_json::json;
use tower_jwt_auth::{
    Algorithm,
    error::ProofFault,
    proof::{DPoP, Nonces},
    testing::{TestClock, TestIssuer, TestProof, TestProofKey, TestRequest},
};

use super::*;

/// The fault that a service sees in the answer.
fn fault<B>(response: &Response<B>) -> Option<ProofFault> {
    match response.extensions().get::<tower_jwt_auth::Error>()?.kind() {
        tower_jwt_auth::ErrorKind::DpopProof(fault) => Some(*fault),
        _ => None,
    }
}

#[tokio::test]
async fn d01_each_check_fails_by_itself() {
    let setup = Setup::new(DPoP::optional());
    let token = setup.bound();
    let good = || setup.key.proof("GET", URL).token(&token);
    let other = TestProofKey::new();
    let hmac = json!({"kty": "oct", "k": "AAAA"});
    let mut cases: Vec<(&str, TestProof, ProofFault)> = vec![
        ("typ", good().header("typ", "JWT"), ProofFault::Type),
        ("no typ", good().without_header("typ"), ProofFault::Type),
        ("alg none", good().header("alg", "none"), ProofFault::Algorithm),
        ("alg HS256", good().header("alg", "HS256"), ProofFault::Algorithm),
        ("alg off the list", good().header("alg", "ES384"), ProofFault::Algorithm),
        ("crit", good().header("crit", ["b64"]), ProofFault::UnsupportedHeader),
        ("no jwk", good().without_header("jwk"), ProofFault::Key),
        ("oct", good().header("jwk", hmac), ProofFault::Key),
        ("signature", good().wrong_key(), ProofFault::Signature),
        ("htm", good().claim("htm", "POST"), ProofFault::Method),
        ("htm in lower case", good().claim("htm", "get"), ProofFault::Method),
        ("htu", good().claim("htu", "https://api.example.com/Me"), ProofFault::Uri),
        ("ath", good().token("another"), ProofFault::AccessToken),
        ("another key", other.proof("GET", URL).token(&token), ProofFault::OtherKey),
        ("late", good().issued_at(SystemTime::now() - Duration::from_secs(65)), ProofFault::Time),
        ("early", good().issued_at(SystemTime::now() + Duration::from_secs(15)), ProofFault::Time),
    ];
    for name in ["jti", "htm", "htu", "iat", "ath"] {
        cases.push((name, good().without(name), ProofFault::Claim(name)));
        cases.push((name, good().claim(name, [1]), ProofFault::Claim(name)));
    }
    let text = |proof: TestProof| proof.sign();
    let mut texts: Vec<(&str, Vec<String>, ProofFault)> =
        cases.into_iter().map(|(name, proof, fault)| (name, vec![text(proof)], fault)).collect();
    texts.push(("none", vec![], ProofFault::Missing));
    texts.push(("two", vec![text(good()), text(good())], ProofFault::Several));
    texts.push((
        "a list",
        vec![format!("{}, {}", text(good()), text(good()))],
        ProofFault::Several,
    ));
    texts.push(("no JWS", vec!["x".to_owned()], ProofFault::Malformed));
    texts.push(("the token", vec![token.clone()], ProofFault::Type));
    texts.push((
        "too long",
        vec![text(good().claim("x", "x".repeat(5000)))],
        ProofFault::Malformed,
    ));
    for (name, proofs, expected) in texts {
        let mut request = Request::get("/me").header("authorization", format!("DPoP {token}"));
        for proof in proofs {
            request = request.header("dpop", proof);
        }
        let response = setup.ask(request.body(String::new()).unwrap()).await;
        assert_eq!(response.status(), 401, "{name}");
        assert_eq!(fault(&response), Some(expected), "{name}");
        let challenge = "DPoP algs=\"ES256 EdDSA\", error=\"invalid_dpop_proof\"";
        assert_eq!(challenges(&response), [challenge], "{name}");
    }
    assert_eq!(setup.store.len(), 0, "a proof that is refused is not spent");
    assert_eq!(setup.status(&token, &text(good())).await, 200);
}

#[tokio::test]
async fn d02_a_proof_counts_once() {
    let setup = Setup::new(DPoP::optional());
    let token = setup.bound();
    let proof = setup.proof(&token);
    assert_eq!(setup.status(&token, &proof).await, 200);
    assert_eq!(setup.status(&token, &proof).await, 401);
    setup.store.fails.store(true, Ordering::Relaxed);
    let request = Request::get("/me").dpop(&token, setup.proof(&token)).body(String::new());
    let response = setup.ask(request.unwrap()).await;
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"));
    assert!(challenges(&response).is_empty());
}

#[tokio::test]
async fn d05_the_address_is_the_configured_one() {
    let setup = Setup::new(DPoP::optional());
    let token = setup.bound();
    for (htu, status) in [
        ("https://api.example.com/me", 200),
        ("https://api.example.com:443/me", 200),
        ("HTTPS://API.example.COM/me", 200),
        ("https://api.example.com/me?a=b#c", 200),
        ("https://api.example.com/a/../me", 200),
        ("https://api.example.com/%6De", 200),
        ("https://api.example.com/me/", 401),
        ("https://api.example.com//me", 401),
        ("https://api.example.com/ME", 401),
        ("https://api.example.com/%2Fme", 401),
        ("http://api.example.com/me", 401),
        ("https://api.example.com:8443/me", 401),
        ("https://evil.example.com/me", 401),
        ("https://user@api.example.com/me", 401),
        ("/me", 401),
        ("me", 401),
        ("", 401),
    ] {
        let proof = setup.key.proof("GET", htu).token(&token).sign();
        let request =
            Request::get("/me?x=y").dpop(&token, &proof).header("host", "evil.example.com");
        let response = setup.ask(request.body(String::new()).unwrap()).await;
        assert_eq!(response.status(), status, "{htu}");
    }
    let proof = setup.key.proof("GET", "https://evil.example.com/me").token(&token).sign();
    let request = Request::get("https://evil.example.com/me").dpop(&token, &proof);
    assert_eq!(setup.ask(request.body(String::new()).unwrap()).await.status(), 401);
}

#[tokio::test]
async fn d06_a_nonce_is_fetched_and_renewed() {
    let clock = TestClock::new();
    let issuer = TestIssuer::new().with_clock(clock.clone());
    let nonces = Nonces::new([7; 32]).unwrap();
    let store = Store::default();
    let dpop = public(DPoP::optional()).nonces(nonces).replay_store(store).build().unwrap();
    let layer = JwtAuthLayer::new(issuer.verifier_builder().dpop(dpop).build().unwrap());
    let key = TestProofKey::new();
    let token = issuer.token().bound_to(&key).sign();
    let ask = async |proof: TestProof| {
        let request = Request::get("/me").dpop(&token, proof.sign()).body(String::new());
        ask(&layer, request.unwrap()).await
    };
    let now = || tower_jwt_auth::clock::Clock::now(&clock);
    let proof = || key.proof("GET", URL).token(&token).issued_at(now());
    let first = ask(proof()).await;
    assert_eq!(first.status(), 401);
    assert_eq!(challenges(&first), ["DPoP algs=\"ES256 EdDSA\", error=\"use_dpop_nonce\""]);
    assert_eq!(first.headers()["cache-control"], "no-store");

    let second = ask(proof().nonce_of(&first)).await;
    assert_eq!(second.status(), 200);
    assert!(!second.headers().contains_key("dpop-nonce"), "it is a fresh one");
    for wrong in [json!("x"), json!(""), json!(7), json!(null)] {
        assert_eq!(ask(proof().claim("nonce", &wrong)).await.status(), 401, "{wrong}");
    }
    // In the next step it still counts, and the answer brings the next one.
    clock.advance(Duration::from_secs(61));
    let third = ask(proof().nonce_of(&first)).await;
    assert_eq!(third.status(), 200);
    assert_eq!(third.headers()["cache-control"], "no-store");
    let renewed = ask(proof().nonce_of(&third)).await;
    assert_eq!(renewed.status(), 200);
    clock.advance(Duration::from_secs(61));
    let late = ask(proof().nonce_of(&first)).await;
    assert_eq!(late.status(), 401);
    assert!(late.headers().contains_key("dpop-nonce"));
}

#[tokio::test]
async fn d08_a_bad_token_does_not_spend_the_proof() {
    let setup = Setup::new(DPoP::optional());
    let good = setup.bound();
    let issuer = &setup.issuer;
    let bound = || issuer.token().bound_to(&setup.key);
    for bad in [bound().expired(), bound().wrong_key(), bound().claim("aud", "x")] {
        let bad = bad.sign();
        let proof = setup.proof(&bad);
        assert_eq!(setup.status(&bad, &proof).await, 401);
        assert_eq!(setup.store.len(), 0);
    }
    assert_eq!(setup.status(&good, &setup.proof(&good)).await, 200);
}

#[tokio::test]
async fn each_algorithm_of_the_list_signs() {
    let algorithms = [
        Algorithm::ES256,
        Algorithm::ES384,
        Algorithm::ES512,
        Algorithm::EdDSA,
        Algorithm::RS256,
        Algorithm::PS256,
    ];
    let setup = Setup::new(DPoP::optional().algorithms(algorithms));
    for algorithm in algorithms {
        let key = TestProofKey::for_algorithm(algorithm);
        let token = setup.issuer.token().bound_to(&key).sign();
        let proof = key.proof("GET", URL).token(&token).sign();
        assert_eq!(setup.status(&token, &proof).await, 200, "{algorithm:?}");
    }
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn a_nested_router_sees_the_whole_path() {
    use axum::{Router, body::Body, extract::OriginalUri, routing::get};

    let store = Store::default();
    let dpop = public(DPoP::optional()).original_uri::<OriginalUri>().replay_store(store.clone());
    let setup = Setup::with(dpop.build().unwrap(), store);
    let nested: Router =
        Router::new().route("/me", get(async || "me")).route_layer(setup.layer.clone());
    let app = Router::new().nest("/v1", nested);
    let token = setup.bound();
    for (url, status) in [("https://api.example.com/v1/me", 200), (URL, 401)] {
        let proof = setup.key.proof("GET", url).token(&token).sign();
        let request = Request::get("/v1/me").dpop(&token, &proof).body(Body::empty()).unwrap();
        assert_eq!(app.clone().oneshot(request).await.unwrap().status(), status, "{url}");
    }
}
