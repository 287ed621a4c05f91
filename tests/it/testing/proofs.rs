//! Proofs and bound claims of the kit.

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    JwtAuthLayer, RequireLayer,
    authorize::sender_constrained,
    proof::{ClientCertificate, DPoP, DPoPBuilder, MemoryReplayStore},
    testing::{
        TestClaims, TestClock, TestIssuer, TestProofKey, TestRequest, assert_accepted,
        assert_challenge, assert_refused,
    },
};

fn dpop(builder: DPoPBuilder) -> DPoP {
    let builder = builder.public_url("https://api.example.com");
    builder.replay_store(MemoryReplayStore::new()).build().unwrap()
}

async fn nothing(_: Request<()>) -> Result<Response<String>, Infallible> {
    Ok(Response::new(String::new()))
}

#[tokio::test]
async fn proofs_are_made_at_the_time_of_the_clock() {
    let clock = TestClock::new();
    let issuer = TestIssuer::new().with_clock(clock.clone());
    let dpop = dpop(DPoP::optional());
    let verifier = issuer.verifier_builder().dpop(dpop).build().unwrap();
    clock.advance(Duration::from_secs(3600));
    let (key, by_system) = (TestProofKey::new().with_clock(clock.clone()), TestProofKey::new());
    for (key, is_on_time) in [(key, true), (by_system, false)] {
        let token = issuer.token().bound_to(&key).sign();
        let proof = key.proof("GET", "https://api.example.com/me").token(&token).sign();
        let request = Request::get("/me").dpop(&token, &proof).body(()).unwrap();
        let outcome = verifier.verify_request(&token, &request).await;
        match is_on_time {
            true => assert_accepted(&outcome),
            false => assert_refused(&outcome, "dpop_proof"),
        }
    }
}

#[tokio::test]
async fn claims_are_bound_to_a_key_and_to_a_certificate() {
    let layer = RequireLayer::new(sender_constrained());
    let (key, certificate) = (TestProofKey::new(), ClientCertificate::from_der([7; 9]));
    let both = TestClaims::new("ada").bound_to(&key).bound_to_certificate(&certificate);
    for (claims, status) in [
        (both.clone(), 200),
        (TestClaims::new("ada").bound_to(&key), 200),
        (TestClaims::new("ada").bound_to_certificate(&certificate), 200),
        (TestClaims::new("ada"), 401),
    ] {
        let request = Request::get("/").with_claims(claims.build()).body(()).unwrap();
        let answer = layer.layer(service_fn(nothing)).oneshot(request).await.unwrap();
        assert_eq!(answer.status(), status);
    }
    let proof = both.build().proof_of_possession();
    assert_eq!(proof.jkt(), Some(key.jkt()));
    assert_eq!(proof.x5t_s256(), Some(certificate.thumbprint()));
}

#[tokio::test]
async fn a_challenge_is_of_either_scheme() {
    let issuer = TestIssuer::new();
    let dpop = dpop(DPoP::required());
    let layer = JwtAuthLayer::new(issuer.verifier_builder().dpop(dpop).build().unwrap());
    let ask = async |request: http::request::Builder| {
        let service = layer.layer(service_fn(nothing));
        service.oneshot(request.body(()).unwrap()).await.unwrap()
    };
    assert_challenge(&ask(Request::get("/me")).await, None);
    let key = TestProofKey::new();
    let token = issuer.token().bound_to(&key).sign();
    let answer = ask(Request::get("/me").dpop(&token, "x.y.z")).await;
    assert_challenge(&answer, "invalid_dpop_proof");
    let wrong = AssertUnwindSafe(|| assert_challenge(&answer, None));
    let wrong = catch_unwind(wrong).unwrap_err();
    let said = wrong.downcast_ref::<String>().unwrap();
    assert!(said.contains("is not `Bearer or DPoP without an error`"), "{said}");
}
