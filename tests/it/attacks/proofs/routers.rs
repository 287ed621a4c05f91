//! Routers of this crate, with and without a setting that takes protection away.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{OriginalUri, Request},
    http::Method,
    routing::get,
};
use tower::{ServiceExt, service_fn};
use tower_jwt_auth::{
    Algorithm, JwtAuthLayer, TokenSource, Verifier,
    proof::{DPoP, DPoPBuilder, MemoryReplayStore, MutualTls, Nonces},
    testing::{AttackReport, TestClock, TestProofKey, TestReplayStore},
};

use super::*;

fn routes() -> Router {
    let hello = || get(async || "hello").post(async || "done");
    Router::new().route("/", hello()).route("/me", hello()).route("/users/Ada%20L", hello())
}

fn stored(builder: DPoPBuilder) -> DPoPBuilder {
    builder.public_url(URL).replay_store(MemoryReplayStore::new())
}

fn verifier(builder: DPoPBuilder) -> Verifier {
    let dpop = builder.build().unwrap();
    TestIssuer::new().verifier_builder().dpop(dpop).build().unwrap()
}

fn app(builder: DPoPBuilder) -> Router {
    routes().layer(JwtAuthLayer::new(verifier(builder)))
}

/// The names of those that such a service does not refuse.
async fn found(builder: DPoPBuilder) -> HashSet<String> {
    names(&run().run(app(builder), "/me").await)
}

fn note_on_nonces(report: &AttackReport) -> bool {
    report.to_string().contains("(d06): the service has demanded none")
}

#[tokio::test]
async fn d01_to_d11_a_service_that_requires_proofs_refuses_all() {
    let report = run().bound_tokens_only().run(app(stored(DPoP::required())), "/me").await;
    report.assert_all_refused();
    assert!(report.sent() > 500 && note_on_nonces(&report), "{report}");
    for path in ["/", "/users/Ada%20L", "/me?a=b"] {
        run().run(app(stored(DPoP::required())), path).await.assert_all_refused();
    }
}

#[tokio::test]
async fn a_service_with_optional_proofs_refuses_all_in_two_runs() {
    run().run(app(stored(DPoP::optional())), "/me").await.assert_all_refused();
    let bearer = AttackRun::new(&TestIssuer::new());
    bearer.run(app(stored(DPoP::optional())), "/me").await.assert_all_refused();

    // The other tokens are accepted there.
    let run = run().bound_tokens_only();
    let found = names(&run.run(app(stored(DPoP::optional())), "/me").await);
    assert_eq!(found, set(["d03_unbound_token", "d03_unbound_token_with_proof"]));
}

#[tokio::test]
async fn d06_a_service_with_nonces_refuses_all() {
    let nonces = || Nonces::new([7; 32]).unwrap();
    let report = run().run(app(stored(DPoP::required()).nonces(nonces())), "/me").await;
    report.assert_all_refused();
    assert!(!note_on_nonces(&report), "{report}");
    let without = run().run(app(stored(DPoP::required())), "/me").await;
    assert!(report.sent() > without.sent() + 5);

    // The nonce says when a proof was made.
    let any_clock = || stored(DPoP::required()).nonces(nonces().any_client_clock());
    let found = found(any_clock()).await;
    assert!(found.contains("d01_iat_an_hour_ago"), "{found:?}");
    assert!(found.iter().all(|name| name.starts_with("d01_iat_")), "{found:?}");
    run().any_client_clock().run(app(any_clock()), "/me").await.assert_all_refused();
}

/// Each nonce is over before all attacks are sent.
#[tokio::test]
async fn d06_nonces_are_renewed() {
    let clock = TestClock::new();
    let issuer = TestIssuer::new().with_clock(clock.clone());
    // Only the nonce keeps proofs from being used again, so that these attacks pass, if they are reached.
    let dpop = DPoP::required().public_url(URL).nonces(Nonces::new([7; 32]).unwrap());
    let verifier = issuer.verifier_builder().dpop(dpop.build().unwrap()).build().unwrap();
    let inner = routes().layer(JwtAuthLayer::new(verifier));
    let sent = Arc::new(AtomicUsize::new(0));
    let service = service_fn(move |request: Request<Body>| {
        if sent.fetch_add(1, Ordering::Relaxed) % 150 == 149 {
            clock.advance(Duration::from_secs(130));
        }
        inner.clone().oneshot(request)
    });
    let run = AttackRun::new(&issuer).dpop(URL).body::<Body>();
    let found = names(&run.run(service, "/me").await);
    assert_eq!(found, set(["d02_other_query", "d02_other_signature", "d02_same_request"]));
}

#[tokio::test]
async fn d03_a_cookie_beside_takes_no_bound_token() {
    let cookie = TokenSource::cookie("__Host-at").build().unwrap();
    let layer = JwtAuthLayer::new(verifier(stored(DPoP::optional()))).source(cookie);
    let report = run().cookie("__Host-at", Method::POST).run(routes().layer(layer), "/me").await;
    report.assert_all_refused();
    let attacks = run().cookie("__Host-at", Method::POST).attacks();
    let names: HashSet<_> = attacks.map(|attack| attack.name().to_owned()).collect();
    for name in ["d03_bound_token_in_cookie", "w02_cross_site", "t08_two_cookies"] {
        assert!(names.contains(name), "{name}");
    }
    assert!(!names.contains("t10_cookie_host_at"), "the service reads it");
}

#[tokio::test]
async fn other_keys_and_issuers_are_attacked() {
    for algorithm in [Algorithm::EdDSA, Algorithm::RS256, Algorithm::PS256, Algorithm::ES384] {
        let key = TestProofKey::for_algorithm(algorithm);
        let builder = stored(DPoP::required()).algorithms([algorithm]);
        let run = run().proof_key(&key);
        run.run(app(builder), "/me").await.assert_all_refused();
    }
    let issuer = TestIssuer::new().with_algorithm(Algorithm::HS256).with_issuer("7");
    let dpop = stored(DPoP::required()).build().unwrap();
    let verifier = issuer.verifier_builder().dpop(dpop).build().unwrap();
    let app = routes().layer(JwtAuthLayer::new(verifier));
    AttackRun::new(&issuer).dpop(URL).run(app, "/me").await.assert_all_refused();
}

#[tokio::test]
async fn a_service_behind_a_prefix_is_attacked() {
    let url = "https://www.example.com:8443/api/";
    let builder = DPoP::required().public_url(url).replay_store(MemoryReplayStore::new());
    let run = AttackRun::new(&TestIssuer::new()).dpop(url);
    run.run(app(builder), "/me").await.assert_all_refused();

    let builder = stored(DPoP::required()).original_uri::<OriginalUri>();
    let nested = Router::new().nest("/v1", app(builder));
    super::run().run(nested, "/v1/me").await.assert_all_refused();
}

#[tokio::test]
async fn d05_a_host_that_is_trusted_is_named() {
    let builder = stored(DPoP::required()).dangerous().trust_host();
    let report = run().run(app(builder), "/me").await;
    assert_eq!(names(&report), set(["d05_htu_of_host"]));
    assert!(report.to_string().contains("without `.dangerous().trust_host()`"), "{report}");
}

#[tokio::test]
async fn d02_proofs_that_count_twice_are_named() {
    let builder = DPoP::required().public_url(URL).dangerous().replay_protection_elsewhere();
    let report = run().run(app(builder), "/me").await;
    let replays = ["d02_other_query", "d02_other_signature", "d02_same_request"];
    assert_eq!(names(&report), set(replays));
    assert!(report.to_string().contains("stopped by: `.replay_store(…)` of `DPoP`"), "{report}");
    let allowed = replays.iter().fold(run(), |run, name| run.allow(*name, "the gateway does it"));
    let builder = DPoP::required().public_url(URL).dangerous().replay_protection_elsewhere();
    allowed.run(app(builder), "/me").await.assert_all_refused();
}

/// A store that fails after the valid request: the proof that is to be sent again is refused.
#[tokio::test]
async fn d02_a_request_that_is_not_accepted_is_no_replay() {
    let store = TestReplayStore::new();
    let dpop = DPoP::required().public_url(URL).replay_store(store.clone()).build().unwrap();
    let verifier = TestIssuer::new().verifier_builder().dpop(dpop).build().unwrap();
    let inner = routes().layer(JwtAuthLayer::new(verifier));
    let service = service_fn(move |request: Request<Body>| {
        let (inner, store) = (inner.clone(), store.clone());
        async move {
            let response = inner.oneshot(request).await?;
            store.fail();
            Ok::<_, Infallible>(response)
        }
    });
    let report = run().body::<Body>().run(service, "/me").await;
    let text = report.to_string();
    assert!(text.contains("not sent: the valid request that it repeats got 503"), "{text}");
    assert!(names(&report).contains("d02_same_request"), "{text}");
}

#[tokio::test]
async fn d01_a_long_window_is_named() {
    let day = Duration::from_secs(24 * 60 * 60);
    let found = found(stored(DPoP::required()).dangerous().any_max_age(day)).await;
    assert_eq!(found, set(["d01_iat_an_hour_ago", "d01_iat_past_the_window"]));
}

/// The reasons why a route cannot be attacked, and the options that help.
#[tokio::test]
async fn a_fault_has_the_real_reason() {
    let said = async |run: AttackRun, app: Router, parts: &[&str]| {
        let report = run.run(app, "/me").await;
        assert_eq!(report.sent(), 0);
        let text = report.to_string();
        for part in parts {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
    };
    let required = || app(stored(DPoP::required()));
    let bearer = AttackRun::new(&TestIssuer::new());
    let parts = ["kind: not_sender_constrained", "set its public URL with `.dpop(…)`"];
    said(bearer.clone(), required(), &parts).await;

    let other = AttackRun::new(&TestIssuer::new()).dpop("https://other.example.com");
    let parts = ["kind: dpop_proof", "give `.dpop(…)` the URL", "`public_url`"];
    said(other, required(), &parts).await;

    let key = TestProofKey::for_algorithm(Algorithm::ES384);
    said(run().proof_key(&key), required(), &["kind: dpop_proof", "`.proof_key(…)`"]).await;

    let without = routes().layer(JwtAuthLayer::new(TestIssuer::new().verifier()));
    said(run(), without, &["401", "the verifier of the service needs `.dpop(…)`"]).await;

    let bound = bearer.token(TestIssuer::new().token().bound_to(&key));
    said(bound, required(), &["kind: dpop_scheme", "public URL of the service"]).await;

    let clock = TestClock::new();
    clock.rewind(Duration::from_secs(120));
    let past = AttackRun::new(&TestIssuer::new().with_clock(clock)).dpop(URL);
    said(past, required(), &["kind: dpop_proof", "`TestIssuer::with_clock(…)`"]).await;

    let mutual_tls = MutualTls::required().build().unwrap();
    let dpop = stored(DPoP::required()).build().unwrap();
    let builder = TestIssuer::new().verifier_builder().dpop(dpop).mutual_tls(mutual_tls);
    let both = routes().layer(JwtAuthLayer::new(builder.build().unwrap()));
    said(run(), both, &["kind: not_sender_constrained", "certificate"]).await;
}

#[tokio::test]
#[should_panic(expected = "`dpop` is for a service that reads `Authorization`")]
async fn a_service_without_authorization_takes_no_proofs() {
    let run = run().cookie("__Host-at", Method::POST).without_authorization();
    let _ = run.run(routes(), "/me").await;
}
