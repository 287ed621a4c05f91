//! When a proof is spent.

use http::Request;
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    JwtAuthLayer,
    proof::DPoP,
    revocation::{Denylist, Revocation},
    testing::{TestDenylist, TestIssuer, TestRequest, assert_accepted, assert_refused},
    verifier::RuleError,
};

use super::*;

/// A layer within another one, for the tokens of one issuer.
async fn through(outer: &JwtAuthLayer, inner: &JwtAuthLayer, request: Request<String>) -> u16 {
    let inner = inner.layer(service_fn(async |_: Request<String>| {
        Ok::<_, Infallible>(Response::new(String::new()))
    }));
    outer.layer(inner).oneshot(request).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn layers_that_share_their_dpop_spend_a_proof_once() {
    let (issuer, key, store) = (TestIssuer::new(), TestProofKey::new(), Store::default());
    let dpop = || public(DPoP::optional()).replay_store(store.clone()).build().unwrap();
    let shared = dpop();
    let layer = |dpop: &DPoP| {
        let builder = issuer.verifier_builder().dpop(dpop.clone());
        JwtAuthLayer::new(builder.build().unwrap())
    };
    let token = issuer.token().bound_to(&key).sign();
    let proof = || key.proof("GET", URL).token(&token).sign();
    let ask = |proof: &str| Request::get("/me").dpop(&token, proof).body(String::new()).unwrap();

    let (outer, inner) = (layer(&shared).optional(), layer(&shared));
    let first = proof();
    assert_eq!(through(&outer, &inner, ask(&first)).await, 200);
    assert_eq!(store.len(), 1);
    assert_eq!(through(&outer, &inner, ask(&first)).await, 401, "another request is a replay");
    // What did not pass outside has left nothing.
    assert_eq!(through(&outer.clone().pass_through(), &inner, ask(&first)).await, 401);
    // It is the proof that was accepted, and not just any of the request.
    let second = proof();
    let swaps = service_fn({
        let (inner, second) = (inner.clone(), first.clone());
        move |mut request: Request<String>| {
            request.headers_mut().insert("dpop", second.parse().unwrap());
            let answer = service_fn(async |_| Ok::<_, Infallible>(Response::new(String::new())));
            inner.layer(answer).oneshot(request)
        }
    });
    let answer = outer.layer(swaps).oneshot(ask(&second)).await.unwrap();
    assert_eq!(answer.status(), 401, "the proof of the first request");
    // All other checks are made again.
    let elsewhere = Request::get("/other").dpop(&token, proof()).body(String::new()).unwrap();
    assert_eq!(through(&outer.pass_through(), &inner, elsewhere).await, 401);
    // Another one knows nothing of the first, but for their store.
    assert_eq!(through(&layer(&shared), &layer(&dpop()), ask(&proof())).await, 401);
}

#[tokio::test]
async fn a_proof_is_not_spent_for_a_token_that_the_denylist_refuses() {
    for waits in [false, true] {
        let (issuer, key, store) = (TestIssuer::new(), TestProofKey::new(), Store::default());
        store.waits.store(waits, Ordering::Relaxed);
        let dpop = public(DPoP::optional()).replay_store(store.clone()).build().unwrap();
        let denylist = TestDenylist::new();
        let builder = issuer.verifier_builder().dpop(dpop).denylist(denylist.clone());
        let verifier = builder.build().unwrap();
        let token = issuer.token().bound_to(&key).sign();
        let proof = || key.proof("GET", URL).token(&token).sign();
        let ask = async |proof: &str| {
            let request = Request::get("/me").dpop(&token, proof).body(()).unwrap();
            verifier.verify_request(&token, &request).await
        };
        denylist.fail();
        let kept = proof();
        assert_refused(&ask(&kept).await, "unavailable");
        assert_eq!(store.len(), 0);
        denylist.recover();
        let claims = ask(&kept).await;
        assert_accepted(&claims);
        assert_eq!(store.len(), 1);
        assert_refused(&ask(&kept).await, "dpop_replayed");

        let revocation = Revocation::of_token(claims.unwrap().registered()).unwrap();
        denylist.revoke(revocation).await.unwrap();
        assert_refused(&ask(&proof()).await, "revoked");
        assert_eq!(store.len(), 1);
    }
}

#[tokio::test]
async fn the_rules_of_the_application_come_last() {
    let (issuer, key, store) = (TestIssuer::new(), TestProofKey::new(), Store::default());
    let dpop = public(DPoP::optional()).replay_store(store.clone()).build().unwrap();
    let asked = Arc::new(AtomicBool::new(false));
    let rule = {
        let asked = Arc::clone(&asked);
        move |_: &Claims| {
            asked.store(true, Ordering::Relaxed);
            Err(RuleError::refuse("no"))
        }
    };
    let verifier = issuer.verifier_builder().dpop(dpop).rule(rule).build().unwrap();
    let token = issuer.token().bound_to(&key).sign();
    let proof = key.proof("GET", URL).token(&token).sign();
    let request = Request::get("/me").dpop(&token, &proof).body(()).unwrap();
    assert_refused(&verifier.verify_request(&token, &request).await, "rule");
    assert!(asked.swap(false, Ordering::Relaxed));
    assert_eq!(store.len(), 1);
    assert_refused(&verifier.verify_request(&token, &request).await, "dpop_replayed");
    assert!(!asked.load(Ordering::Relaxed), "a rule is not asked about a replay");
}
