//! Fresh tokens for streams that are open.

use std::error::Error as _;

use http::Request;
use serde::Deserialize;
use tower_jwt_auth::{
    Error, ErrorKind, Key,
    proof::{DPoP, MemoryReplayStore},
    testing::{TestClaims, TestProofKey},
    validity::RenewError,
    verifier::Issuers,
};

use super::*;

const URL: &str = "https://api.example.com/renew";

fn name<T>(renewed: Result<T, RenewError>) -> &'static str {
    renewed.map_or_else(|error| error.name(), |_| "renewed")
}

#[tokio::test]
async fn a_fresh_token_moves_the_end() {
    let setup = Setup::new();
    let validity = setup.validity("ada", "1").await;
    let waiting = tokio::spawn(validity.clone());
    setup.clock.advance(Duration::from_secs(300));
    let fresh = setup.token("ada", "2").claim("sid", "another").scopes(["more"]).sign();
    let claims = validity.renew(&fresh).await.unwrap();
    assert_eq!(claims.token_id(), Some("2"));
    assert!(claims.scopes().contains("more"));

    // The end of the first one, and a revocation of it, do not count any more.
    setup.clock.advance(Duration::from_secs(359));
    setup.revoke(setup.revocation("1")).await;
    let (issuer, now) = (setup.issuer.issuer(), setup.clock.unix_seconds());
    setup.revoke(Revocation::session(issuer, "session of ada", now + 300)).await;
    goes_on(&validity).await;
    setup.clock.advance(Duration::from_secs(1));
    assert_eq!(ends(async { waiting.await.unwrap() }).await, ValidityEnd::Expired);
    let renewed = validity.renew(&setup.token("ada", "3").sign()).await;
    assert!(matches!(renewed, Err(RenewError::Ended(ValidityEnd::Expired))), "{renewed:?}");
}

#[tokio::test]
async fn s01_a_revocation_of_the_fresh_token_ends_the_stream() {
    let setup = Setup::new();
    let (validity, names) =
        (setup.validity("ada", "1").await, || format!("{:?}", setup.list.watchers().unwrap()));
    let waiting = tokio::spawn(validity.clone());
    tokio::task::yield_now().await;
    validity.renew(&setup.token("ada", "2").sign()).await.unwrap();
    assert!(names().contains("names: 3"), "{}", names());
    goes_on(&validity).await;
    setup.revoke(setup.revocation("2")).await;
    assert_eq!(ends(async { waiting.await.unwrap() }).await, ValidityEnd::Revoked);
    let renewed = validity.renew(&setup.token("ada", "3").sign()).await;
    assert!(matches!(renewed, Err(RenewError::Ended(ValidityEnd::Revoked))), "{renewed:?}");
    drop(validity);
    assert!(names().contains("names: 0"), "{}", names());
}

#[tokio::test]
async fn a_fresh_token_that_ends_earlier_counts_too() {
    let setup = Setup::new();
    let validity = setup.validity("ada", "1").await;
    let fresh = setup.token("ada", "2").expires_in(Duration::from_secs(30)).sign();
    validity.renew(&fresh).await.unwrap();
    setup.clock.advance(Duration::from_secs(90));
    assert_eq!(ends(validity).await, ValidityEnd::Expired);
}

#[tokio::test]
async fn s02_another_subject_issuer_or_client_is_refused_and_the_stream_goes_on() {
    let setup = Setup::new();
    let other = "https://other.example.com";
    // One key for both issuers.
    let verifier: Verifier = Verifier::builder()
        .issuer(other)
        .issuer(setup.issuer.issuer())
        .audience(setup.issuer.audience())
        .keys(Key::from_pem(setup.issuer.public_key_pem()))
        .clock(setup.clock.clone())
        .denylist(setup.list.clone())
        .build()
        .unwrap();
    let token = setup.token("ada", "1");
    let validity = verifier.verify(&token.clone().sign()).await.unwrap().validity();
    let waiting = tokio::spawn(validity.clone());
    for (fresh, why) in [
        (setup.token("eve", "2"), "other_subject"),
        (setup.token("ada", "2").claim("iss", other), "other_issuer"),
        (setup.token("ada", "2").claim("client_id", "another"), "other_client"),
        (setup.token("ada", "2").without("client_id"), "other_client"),
        (setup.token("ada", "2").expired(), "expired"),
        (setup.token("ada", "2").wrong_audience(), "audience"),
        (setup.token("ada", "2").wrong_key(), "signature"),
        (setup.token("ada", "2").tampered(), "signature"),
    ] {
        // Otherwise, it would be good.
        let is_good = verifier.verify(&fresh.clone().sign()).await.is_ok();
        assert_eq!(is_good, why.starts_with("other_"), "{why}");
        assert_eq!(name(validity.renew(&fresh.sign()).await), why);
        goes_on(&validity).await;
    }
    setup.revoke(setup.revocation("3")).await;
    let revoked = validity.renew(&setup.token("ada", "3").sign()).await.unwrap_err();
    assert!(matches!(&revoked, RenewError::Refused(error) if *error.kind() == ErrorKind::Revoked));
    assert!(revoked.source().unwrap().downcast_ref::<Error>().is_some());

    // What was refused has not moved the end.
    setup.clock.advance(Duration::from_secs(359));
    assert!(!waiting.is_finished());
    setup.clock.advance(Duration::from_secs(1));
    assert_eq!(ends(async { waiting.await.unwrap() }).await, ValidityEnd::Expired);
}

#[tokio::test]
async fn s02_without_a_subject_nobody_knows_who_it_is() {
    let setup = Setup::new();
    let builder = setup.issuer.verifier_builder().denylist(setup.list.clone());
    let verifier = builder.without_subject().build().unwrap();
    let token = |id: &str| setup.token("ada", id).without("sub").sign();
    let validity = verifier.verify(&token("1")).await.unwrap().validity();
    assert_eq!(name(validity.renew(&token("2")).await), "other_subject");
}

#[tokio::test]
async fn s02_another_key_is_refused_and_a_bound_token_needs_its_proof() {
    let setup = Setup::new();
    let dpop = DPoP::optional().public_url("https://api.example.com");
    let dpop = dpop.replay_store(MemoryReplayStore::new()).build().unwrap();
    let verifier = setup.issuer.verifier_builder().dpop(dpop).build().unwrap();
    let (key, stranger) = (TestProofKey::new(), TestProofKey::new());
    let sent = |token: &str, key: &TestProofKey| {
        let proof =
            key.proof("GET", URL).issued_at(tower_jwt_auth::clock::Clock::now(&setup.clock));
        Request::get("/renew")
            .header("authorization", format!("DPoP {token}"))
            .header("dpop", proof.token(token).sign())
            .body(())
            .unwrap()
    };
    let token = setup.token("ada", "1").bound_to(&key).sign();
    let request = sent(&token, &key);
    let validity = verifier.verify_request(&token, &request).await.unwrap().validity();

    let bound = setup.token("ada", "2").bound_to(&key).sign();
    let bearer = setup.token("ada", "3").sign();
    let other = setup.token("ada", "4").bound_to(&stranger).sign();
    // Without the request, nobody has shown anything.
    assert_eq!(name(validity.renew(&bound).await), "sender_constrained");
    // A bearer token does not take the place of one that is bound.
    assert_eq!(name(validity.renew(&bearer).await), "other_key");
    assert_eq!(name(validity.renew_request(&other, &sent(&other, &stranger)).await), "other_key");
    assert_eq!(name(validity.renew_request(&bound, &sent(&bound, &stranger)).await), "dpop_proof");
    let request = sent(&bound, &key);
    assert_eq!(name(validity.renew_request(&bound, &request).await), "renewed");
    assert_eq!(name(validity.renew_request(&bound, &request).await), "dpop_replayed");
    goes_on(&validity).await;

    // Nor a bound one that of a bearer token.
    let validity = verifier.verify(&bearer).await.unwrap().validity();
    assert_eq!(name(validity.renew_request(&bound, &sent(&bound, &key)).await), "other_key");
    let mut twice = sent(&bound, &key);
    twice.headers_mut().append("authorization", "DPoP x".parse().unwrap());
    assert_eq!(name(validity.renew_request(&bound, &twice).await), "invalid_request");
}

#[derive(Debug, Deserialize)]
struct User {
    sub: String,
    tenant: String,
}

#[tokio::test]
async fn the_fresh_claims_have_the_type_of_the_verifier() {
    let setup = Setup::new();
    let verifier = setup.issuer.verifier_builder().claims::<User>().build().unwrap();
    let token = |id: &str| setup.token("ada", id).claim("tenant", id).sign();
    let validity = verifier.verify(&token("1")).await.unwrap().validity();
    let claims: Claims<User> = validity.renew(&token("2")).await.unwrap();
    assert_eq!((claims.sub.as_str(), claims.tenant.as_str()), ("ada", "2"));
    assert_eq!(name(validity.renew(&setup.token("ada", "3").sign()).await), "claims_type");
}

#[tokio::test]
async fn a_renewal_that_is_dropped_changes_nothing() {
    let setup = Setup::new();
    let validity = setup.validity("ada", "1").await;
    setup.clock.advance(Duration::from_secs(300));
    drop(validity.renew(&setup.token("ada", "2").sign()));
    setup.clock.advance(Duration::from_secs(60));
    assert_eq!(ends(validity).await, ValidityEnd::Expired);
}

#[tokio::test]
async fn without_its_verifier_a_stream_is_not_renewed() {
    let setup = Setup::new();
    let issuers = Issuers::new();
    issuers.add(setup.issuer.verifier()).unwrap();
    let verifier = issuers.verifier();
    let validity = verifier.verify(&setup.token("ada", "1").sign()).await.unwrap().validity();
    let fresh = setup.token("ada", "2").sign();
    assert_eq!(name(validity.renew(&fresh).await), "renewed");
    assert!(issuers.remove(setup.issuer.issuer()));
    assert_eq!(name(validity.renew(&fresh).await), "no_verifier");
    goes_on(&validity).await;

    let claims = TestClaims::new("ada").clock(setup.clock.clone()).build();
    let validity = claims.validity();
    assert_eq!(name(validity.renew(&fresh).await), "no_verifier");
}
