//! Which tokens pass, and which proofs they need.

use http::{Request, header::AUTHORIZATION};
use tower_jwt_auth::{
    JwtAuthLayer, TokenSource,
    proof::DPoP,
    testing::{TestIssuer, TestProofKey, TestRequest, assert_accepted, assert_refused},
    verifier::Issuers,
};

use super::*;

#[tokio::test]
async fn a_bound_token_passes_with_its_proof_alone() {
    let setup = Setup::new(DPoP::optional());
    let token = setup.bound();
    let request = Request::get("/me").dpop(&token, setup.proof(&token)).body(String::new());
    let response = setup.ask(request.unwrap()).await;
    assert_eq!(response.status(), 200);
    assert_eq!(*response.body(), format!("{} -", setup.key.jkt()));
    // The token is known now. Its proof is checked each time.
    assert_eq!(setup.status(&token, &setup.proof(&token)).await, 200);
    assert_eq!(setup.status(&token, "x.y.z").await, 401);
    let request = Request::get("/me").bearer(&token).body(String::new()).unwrap();
    assert_eq!(setup.ask(request).await.status(), 401);

    let bearer = setup.issuer.token().sign();
    let request = Request::get("/me").bearer(&bearer).body(String::new()).unwrap();
    let response = setup.ask(request).await;
    assert_eq!((response.status().as_u16(), &**response.body()), (200, "- -"));
}

#[tokio::test]
async fn d03_the_scheme_is_that_of_the_token() {
    let setup = Setup::new(DPoP::optional());
    let cookie = TokenSource::cookie("__Host-at").build().unwrap();
    let layer = setup.layer.clone().source(cookie).source(TokenSource::query());
    let (token, bearer) = (setup.bound(), setup.issuer.token().sign());
    let ask = async |uri: &str, name: &str, value: &str, token: &str| {
        let proof = setup.proof(token);
        let request = Request::get(uri).header(name, value).header("dpop", proof);
        ask(&layer, request.body(String::new()).unwrap()).await
    };
    for (scheme, token, status) in [
        ("DPoP", &token, 200),
        ("dpop", &token, 200),
        ("dPoP  ", &token, 200),
        ("Bearer", &token, 401),
        ("DPoPx", &token, 401),
        ("DPoP", &bearer, 401),
        ("Bearer", &bearer, 200),
    ] {
        let credentials = format!("{scheme} {token}");
        let response = ask("/me", "authorization", &credentials, token).await;
        assert_eq!(response.status(), status, "{scheme}");
    }
    for (token, status) in [(&bearer, 200), (&token, 401)] {
        let cookie = format!("__Host-at={token}");
        assert_eq!(ask("/me", "cookie", &cookie, token).await.status(), status);
        let uri = format!("/me?access_token={token}");
        assert_eq!(ask(&uri, "x-other", "", token).await.status(), status);
    }
    // The same token in the query is in a log, whatever the header says.
    for token in [&token, &bearer] {
        let uri = format!("/me?access_token={token}");
        let response = ask(&uri, "authorization", &format!("DPoP {token}"), token).await;
        assert_eq!(response.status(), 400);
    }
    assert_eq!(ask("/me", "authorization", "DPoP", &token).await.status(), 400);
    assert_eq!(ask("/me", "authorization", "DPoP a, DPoP b", &token).await.status(), 400);
}

#[tokio::test]
async fn without_dpop_the_scheme_is_none_of_ours() {
    let issuer = TestIssuer::new();
    let key = TestProofKey::new();
    let layer = JwtAuthLayer::new(issuer.verifier());
    let token = issuer.token().bound_to(&key).sign();
    let proof = key.proof("GET", URL).token(&token).sign();
    let request = Request::get("/me").dpop(&token, &proof).body(String::new()).unwrap();
    let response = ask(&layer, request).await;
    assert_eq!(challenges(&response), ["Bearer"]);
    let request = Request::get("/me").bearer(&token).body(String::new()).unwrap();
    let response = ask(&layer, request).await;
    assert_eq!(challenges(&response), ["Bearer error=\"invalid_token\""]);
}

#[tokio::test]
async fn required_means_every_token() {
    let setup = Setup::new(DPoP::required());
    let token = setup.bound();
    assert_eq!(setup.status(&token, &setup.proof(&token)).await, 200);
    let bearer = setup.issuer.token().sign();
    assert_eq!(setup.status(&bearer, &setup.proof(&bearer)).await, 401);
    let request = Request::get("/me").bearer(&bearer).body(String::new()).unwrap();
    let response = setup.ask(request).await;
    assert_eq!(challenges(&response), ["DPoP algs=\"ES256 EdDSA\", error=\"invalid_token\""]);
    let response = setup.ask(Request::get("/me").body(String::new()).unwrap()).await;
    assert_eq!(challenges(&response), ["DPoP algs=\"ES256 EdDSA\""]);
}

#[tokio::test]
async fn d04_a_confirmation_that_nobody_checks_is_refused() {
    let setup = Setup::new(DPoP::optional());
    let jkt = setup.key.jkt().to_string();
    let x5t = "A".repeat(43);
    for cnf in [
        serde_json::json!({"jkt": jkt, "kid": "a"}),
        serde_json::json!({"jkt": jkt, "x5t#S256": x5t}),
        serde_json::json!({"jwk": {"kty": "EC"}}),
        serde_json::json!({"jkt": jkt, "jku": null}),
        serde_json::json!({}),
        serde_json::json!(null),
        serde_json::json!([{"jkt": jkt}]),
    ] {
        let token = setup.issuer.token().claim("cnf", &cnf).sign();
        assert_eq!(setup.status(&token, &setup.proof(&token)).await, 401, "{cnf}");
        let request = Request::get("/me").bearer(&token).body(String::new()).unwrap();
        assert_eq!(setup.ask(request).await.status(), 401, "{cnf}");
    }
    assert_eq!(setup.store.len(), 0);
}

#[tokio::test]
async fn only_a_verification_that_sees_the_request_accepts_a_bound_token() {
    let setup = Setup::new(DPoP::optional());
    let dpop = public(DPoP::optional()).replay_store(Store::default()).build().unwrap();
    let verifier = setup.issuer.verifier_builder().dpop(dpop).build().unwrap();
    let token = setup.bound();
    assert_refused(&verifier.verify(&token).await, "sender_constrained");
    let request = Request::get("/me").dpop(&token, setup.proof(&token)).body(()).unwrap();
    let claims = verifier.verify_request(&token, &request).await;
    assert_accepted(&claims);
    assert_eq!(claims.unwrap().proof_of_possession().jkt(), Some(setup.key.jkt()));
    // It is cached now.
    assert_refused(&verifier.verify(&token).await, "sender_constrained");
    assert_refused(&verifier.verify_request(&token, &request).await, "dpop_replayed");
    let other = Request::get("/me").header("dpop", setup.proof(&token)).body(()).unwrap();
    assert_refused(&verifier.verify_request(&token, &other).await, "dpop_scheme");
    for credentials in [
        vec![format!("DPoP {token}"), format!("DPoP {token}")],
        vec![format!("Bearer {token}"), "Basic x".to_owned()],
        vec!["DPoP".to_owned()],
    ] {
        let mut request = Request::get("/me").header("dpop", setup.proof(&token));
        for value in &credentials {
            request = request.header(AUTHORIZATION, value);
        }
        let request = request.body(()).unwrap();
        let refused = verifier.verify_request(&token, &request).await;
        assert_refused(&refused, "invalid_request");
    }
}

#[tokio::test]
async fn the_issuers_of_a_service_share_its_proofs() {
    let (one, other) = (
        TestIssuer::new().with_issuer("https://one.test"),
        TestIssuer::new().with_issuer("https://other.test"),
    );
    let dpop = public(DPoP::optional()).replay_store(Store::default()).build().unwrap();
    let issuers = Issuers::builder().dpop(dpop.clone()).build().unwrap();
    for issuer in [&one, &other] {
        let verifier = issuer.verifier_builder().dpop(dpop.clone()).build();
        issuers.add(verifier.unwrap()).unwrap();
    }
    let layer = JwtAuthLayer::new(issuers.verifier());
    let key = TestProofKey::new();
    for issuer in [&one, &other] {
        let token = issuer.token().bound_to(&key).sign();
        let proof = key.proof("GET", URL).token(&token).sign();
        for status in [200, 401] {
            let request = Request::get("/me").dpop(&token, &proof).body(String::new()).unwrap();
            assert_eq!(ask(&layer, request).await.status(), status);
        }
    }
}

#[tokio::test]
async fn a_verifier_among_issuers_has_their_proofs_or_none() {
    use tower_jwt_auth::proof::MutualTls;

    let dpop = |builder| public(builder).replay_store(Store::default()).build().unwrap();
    let (optional, required) = (dpop(DPoP::optional()), dpop(DPoP::required()));
    let mutual_tls = MutualTls::optional().build().unwrap();
    let issuer = TestIssuer::new();
    let builder = || issuer.verifier_builder();
    let add = |of_all: Option<&DPoP>, verifier: tower_jwt_auth::Verifier| {
        let all = of_all.into_iter().fold(Issuers::builder(), |all, dpop| all.dpop(dpop.clone()));
        all.build().unwrap().add(verifier).is_ok()
    };
    let with = |dpop: &DPoP| builder().dpop(dpop.clone()).build().unwrap();
    assert!(add(None, issuer.verifier()));
    assert!(add(Some(&optional), with(&optional)));
    assert!(add(Some(&required), with(&required)));
    // It refuses bound tokens, and accepts others.
    assert!(add(Some(&optional), issuer.verifier()));
    for (of_all, verifier) in [
        (None, with(&optional)),
        (Some(&required), issuer.verifier()),
        (Some(&required), with(&optional)),
        (Some(&optional), with(&required)),
        (Some(&optional), with(&dpop(DPoP::optional()))),
        (Some(&required), builder().mutual_tls(mutual_tls.clone()).build().unwrap()),
        (Some(&optional), builder().dangerous().ignore_confirmation().build().unwrap()),
    ] {
        assert!(!add(of_all, verifier), "{of_all:?}");
    }
}

#[tokio::test]
async fn two_settings_that_contradict_each_other_are_an_error() {
    let dpop = || public(DPoP::optional()).replay_store(Store::default()).build().unwrap();
    let builder = || TestIssuer::new().verifier_builder();
    let error = builder().dpop(dpop()).dangerous().ignore_confirmation().build().unwrap_err();
    assert!(error.to_string().contains("ignore_confirmation"), "{error}");
    let error = builder().dpop(dpop()).dpop(dpop()).build().unwrap_err();
    assert!(error.to_string().contains("call each once"), "{error}");
}

#[tokio::test]
async fn bindings_that_are_ignored_are_shown_by_nobody() {
    let issuer = TestIssuer::new();
    let verifier = issuer.verifier_builder().dangerous().ignore_confirmation().build().unwrap();
    let token = issuer.token().bound_to(&TestProofKey::new()).sign();
    let claims = verifier.verify(&token).await.unwrap();
    assert!(claims.proof_of_possession().is_none());
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn a_handler_and_a_policy_see_the_proof() {
    use axum::{Router, body::Body, routing::get};
    use tower_jwt_auth::{RequireLayer, authorize::sender_constrained, proof::ProofOfPossession};

    let setup = Setup::new(DPoP::optional());
    let app: Router = Router::new()
        .route("/pay", get(async || "paid"))
        .route_layer(RequireLayer::new(sender_constrained()))
        .route("/me", get(async |proof: ProofOfPossession| format!("{:?}", proof.jkt())))
        .layer(setup.layer.clone());
    let ask = async |request: http::request::Builder| {
        let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        (response.status().as_u16(), challenges(&response))
    };
    let (token, bearer) = (setup.bound(), setup.issuer.token().sign());
    let proof = |path: &str| {
        let url = format!("https://api.example.com{path}");
        setup.key.proof("GET", url).token(&token).sign()
    };
    assert_eq!(ask(Request::get("/pay").dpop(&token, proof("/pay"))).await.0, 200);
    let refused = ["Bearer error=\"invalid_token\"", "DPoP algs=\"ES256 EdDSA\""];
    assert_eq!(
        ask(Request::get("/pay").bearer(&bearer)).await,
        (401, refused.map(Into::into).to_vec())
    );
    assert_eq!(ask(Request::get("/me").dpop(&token, proof("/me"))).await.0, 200);
    assert_eq!(ask(Request::get("/me").bearer(&bearer)).await.0, 200);
    assert_eq!(ask(Request::get("/me")).await.0, 401);
}

/// Such a service refuses every token there, and its operator must learn why.
#[tokio::test]
async fn a15_a_policy_for_bound_tokens_without_proofs_says_so() {
    use std::error::Error as _;
    use tower_jwt_auth::authorize::{Policy, sender_constrained};

    let issuer = TestIssuer::new();
    let claims = issuer.verifier().verify(&issuer.token().sign()).await.unwrap();
    let error = sender_constrained().authorize(&claims).unwrap_err();
    assert_eq!((error.kind().name(), error.status().as_u16()), ("not_sender_constrained", 401));
    let cause = error.source().unwrap().to_string();
    assert!(cause.contains("`.dpop(…)`") && cause.contains("`.mutual_tls(…)`"), "{cause}");
}

#[tokio::test]
async fn a_store_that_waits_decides_too_and_the_token_is_stripped() {
    let setup = Setup::new(DPoP::optional());
    setup.store.waits.store(true, Ordering::Relaxed);
    let token = setup.bound();
    let proof = setup.proof(&token);
    assert_eq!(setup.status(&token, &proof).await, 200);
    assert_eq!(setup.status(&token, &proof).await, 401);
    let strip = setup.layer.clone().strip_token();
    let inner = tower::service_fn(async |request: Request<String>| {
        let is_left = request.headers().contains_key(AUTHORIZATION);
        let is_hidden = request.headers()["dpop"].is_sensitive();
        Ok::<_, Infallible>(Response::new(format!("{is_left} {is_hidden}")))
    });
    let request = Request::get("/me").dpop(&token, setup.proof(&token)).body(String::new());
    let response = strip.layer(inner).oneshot(request.unwrap()).await.unwrap();
    assert_eq!((response.status().as_u16(), &**response.body()), (200, "false true"));
}
