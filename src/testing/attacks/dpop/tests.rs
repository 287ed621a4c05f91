//! Each attack is refused by a router of this crate for its own reason.

use std::{collections::HashSet, convert::Infallible};

use http::Response;
use tower::{Layer, ServiceExt, service_fn};

use super::*;
use crate::{
    error::{Error, ErrorKind},
    layer::JwtAuthLayer,
    proof::{DPoP, MemoryReplayStore, Nonces},
    testing::attacks::HOST_NAME,
};

/// A client, its tokens, and a layer that knows both.
fn setup() -> (Client, Forge, Forge, JwtAuthLayer) {
    let issuer = TestIssuer::new();
    let key = TestProofKey::new();
    let forge = Forge::new(&issuer, issuer.token().bound_to(&key), "DPoP");
    let bearer = Forge::new(&issuer, issuer.token(), "Bearer");
    let client = Client::new("https://api.example.com/v1/", key, &issuer);
    let dpop = DPoP::required()
        .public_url("https://api.example.com/v1")
        .replay_store(MemoryReplayStore::new())
        .nonces(Nonces::new([7; 32]).unwrap())
        .build()
        .unwrap();
    let verifier = issuer.verifier_builder().dpop(dpop).build().unwrap();
    (client, forge, bearer, JwtAuthLayer::new(verifier))
}

async fn ask(layer: &JwtAuthLayer, request: http::Request<()>) -> Response<String> {
    let inner =
        service_fn(async |_: http::Request<()>| Ok::<_, Infallible>(Response::new(String::new())));
    layer.layer(inner).oneshot(request).await.unwrap()
}

/// The fault of the proof, or the kind of the error.
fn reason(response: &Response<String>) -> String {
    match response.extensions().get().map(Error::kind) {
        Some(ErrorKind::DpopProof(fault)) => format!("{fault:?}"),
        Some(kind) => kind.name().to_owned(),
        None => "accepted".to_owned(),
    }
}

#[tokio::test]
async fn the_reason_is_that_of_the_case() {
    let (client, forge, bearer, layer) = setup();
    let all = attacks(&client, &forge, &bearer);
    let at = |attack: &Attack, nonce: Option<&str>| {
        attack.requests_at(Method::GET, "/me", HOST_NAME, nonce)
    };
    let right = client.attack(("right", Check::Proof, ""), &forge.good(), &forge, right);
    let answer = ask(&layer, at(&right, None).pop().unwrap()).await;
    assert_eq!(reason(&answer), "dpop_nonce");
    let nonce = answer.headers()["dpop-nonce"].to_str().unwrap();
    assert_eq!(reason(&ask(&layer, at(&right, Some(nonce)).pop().unwrap()).await), "accepted");

    let changes = PROOF_HEADERS.iter().chain(PROOF_CLAIMS).chain(PROOF_ADDRESSES);
    let kinds = changes
        .map(|case| (case.name, case.kinds))
        .chain(CONFIRMATIONS.iter().map(|case| (case.name, case.kinds)));
    for (name, kinds) in kinds {
        let attack = all.iter().find(|attack| attack.name() == name).unwrap();
        let mut requests = at(attack, Some(nonce));
        assert_eq!(requests.len(), 1, "{name}");
        let reason = reason(&ask(&layer, requests.pop().unwrap()).await);
        assert!(kinds.contains(&&*reason), "{name}: {reason}, expected {kinds:?}");
    }
    for (start, kinds) in [
        ("d01_alg_", &["Algorithm", "Key"][..]),
        ("d01_hs256_", &["Algorithm"]),
        ("d01_signature_", &["Signature", "Malformed"]),
        ("d01_another_key", &["OtherKey"]),
        ("d01_jwk_of_another_key", &["Malformed"]),
        ("d01_two_proofs", &["Several"]),
        ("d05_htu_of_", &["Uri"]),
    ] {
        // Those of the tables are above.
        let found = all.iter().filter(|attack| {
            attack.name().starts_with(start)
                && PROOF_HEADERS.iter().all(|case| case.name != attack.name())
                && FORMS.iter().all(|case| !attack.name().ends_with(&case.name[3..]))
        });
        let found: Vec<_> = found.collect();
        assert!(!found.is_empty(), "{start}");
        for attack in found {
            let reason = reason(&ask(&layer, at(attack, Some(nonce)).pop().unwrap()).await);
            assert!(kinds.contains(&&*reason), "{}: {reason}", attack.name());
        }
    }
}

#[test]
fn each_has_a_name_of_its_own() {
    let (client, forge, bearer, _) = setup();
    let mut all = attacks(&client, &forge, &bearer);
    all.extend(unbound(&client, &forge, &bearer));
    all.push(in_cookie(&client, &forge, Head::default()));
    let mut seen = HashSet::new();
    for attack in &all {
        assert!(seen.insert(attack.name()), "{} twice", attack.name());
        let (row, rest) = attack.name().split_once('_').unwrap();
        assert!(row.len() == 3 && row.starts_with('d') && !rest.is_empty(), "{}", attack.name());
        assert!(!attack.description().is_empty() && !attack.description().ends_with('.'));
    }
    assert!(seen.len() > 200, "{}", seen.len());
}

#[test]
fn some_are_none_for_some_requests() {
    let (client, forge, bearer, _) = setup();
    let all = attacks(&client, &forge, &bearer);
    let named = |name: &str| all.iter().find(|attack| attack.name() == name).unwrap();
    assert!(named("d05_htu_path_case").requests(Method::GET, "/1").is_empty());
    assert_eq!(named("d05_htu_path_case").requests(Method::GET, "/a").len(), 1);
    assert!(named("d06_nonce_made_up").requests(Method::GET, "/a").is_empty());
    assert_eq!(named("d02_same_request").requests(Method::GET, "/a").len(), 2);
    // Such a request has no proof, so that it is refused.
    let request = named("d05_htu_path_case").request(Method::GET, "/1");
    assert!(!request.headers().contains_key("dpop"));
    let host = named("d05_htu_of_host").request(Method::GET, "/a");
    assert_eq!(host.headers()["host"], "attacker.test");
}

#[test]
#[should_panic(expected = "is not a public URL: write it as `https://api.example.com`")]
fn a_public_url_is_absolute() {
    let _ = Client::new("/api", TestProofKey::new(), &TestIssuer::new());
}
