//! Services that check proofs with code of their own: each hole is named.

use axum::body::Body;
use tower::service_fn;
use tower_jwt_auth::testing::AttackReport;

use super::{
    service::{Hole, Service},
    *,
};

/// A service with all checks of RFC 9449 that reads JSON as `serde_json` does.
const LENIENT: [&str; 15] = [
    "d01_alg_repeated",
    "d01_ath_repeated",
    "d01_exp_an_hour_ago",
    "d01_htm_repeated",
    "d01_htu_repeated",
    "d01_iat_repeated",
    "d01_inner_name_repeated",
    "d01_jti_repeated",
    "d01_jwk_member_repeated",
    "d01_jwk_repeated",
    "d01_nbf_in_an_hour",
    "d01_other_claim_repeated",
    "d01_other_parameter_repeated",
    "d01_proof_too_long",
    "d01_typ_repeated",
];

async fn attacked(hole: Hole, nonce_for: Option<usize>) -> AttackReport {
    let service = Service::new(hole, nonce_for);
    let run = run().body::<Body>();
    run.run(service_fn(move |request| service.call(request)), "/me").await
}

/// Those that a hole lets pass.
async fn found(hole: Hole, nonce_for: Option<usize>) -> HashSet<String> {
    let found = names(&attacked(hole, nonce_for).await);
    found.difference(&set(LENIENT)).cloned().collect()
}

#[tokio::test]
async fn a_service_with_all_checks_refuses_nearly_all() {
    for nonce_for in [None, Some(usize::MAX), Some(40)] {
        let found = names(&attacked(Hole::None, nonce_for).await);
        let lenient = set(LENIENT);
        let more: HashSet<_> = found.difference(&lenient).collect();
        let fewer: HashSet<_> = lenient.difference(&found).collect();
        assert!(more.is_empty() && fewer.is_empty(), "more: {more:?}, fewer: {fewer:?}");
    }
}

#[track_caller]
fn check(hole: Hole, found: &HashSet<String>, expected: &[&str]) {
    assert_eq!(*found, set(expected.iter().copied()), "{hole:?}");
}

#[tokio::test]
async fn d01_holes_are_named() {
    for (hole, expected) in [
        (Hole::Typ, &["d01_typ_"][..]),
        (Hole::Signature, &["d01_signature_", "d01_bit_of_", "d01_payload_of_another_proof"]),
        (Hole::PrivateKey, &["d01_jwk_private", "d01_jwk_private_prime", "d01_jwk_secret"]),
        (Hole::SecretInJwk, &["d01_hs256_secret_in_jwk"]),
        (Hole::Alg, &["d01_alg_es384", "d01_alg_none_signed", "d01_alg_missing"]),
        (Hole::Method, &["d01_htm_other", "d01_htm_missing", "d01_htm_of_override"]),
        (Hole::MethodCase, &["d01_htm_lower_case"]),
        (Hole::Time, &["d01_iat_an_hour_ago", "d01_iat_zero", "d01_iat_missing"]),
        (Hole::Future, &["d01_iat_in_an_hour", "d01_iat_in_two_minutes"]),
        (Hole::Token, &["d01_ath_of_another_token", "d01_ath_missing"]),
        (Hole::TokenIfThere, &["d01_ath_missing"]),
        (Hole::Key, &["d01_another_key", "d01_jkt_of_another_key", "d01_jkt_empty"]),
        (Hole::Number, &["d01_two_proofs", "d01_list", "d01_good_then_bad"]),
        (Hole::Jti, &["d01_jti_missing", "d01_jti_empty", "d01_jti_number"]),
    ] {
        let found = found(hole, None).await;
        for start in expected {
            let is_found = found.iter().any(|name| name.starts_with(start));
            assert!(is_found, "{hole:?}: no {start} in {found:?}");
        }
        // The token of that one is bound to a key that nobody has.
        let is_own = |name: &String| name.starts_with('d') || name == "c11_cnf_jkt";
        assert!(found.iter().all(is_own), "{hole:?}: {found:?}");
    }
    check(Hole::MethodCase, &found(Hole::MethodCase, None).await, &["d01_htm_lower_case"]);
    check(Hole::TokenIfThere, &found(Hole::TokenIfThere, None).await, &["d01_ath_missing"]);
    check(
        Hole::Future,
        &found(Hole::Future, None).await,
        &["d01_iat_in_an_hour", "d01_iat_in_milliseconds", "d01_iat_in_two_minutes"],
    );
}

#[tokio::test]
async fn d02_holes_are_named() {
    let all = ["d02_other_query", "d02_other_signature", "d02_same_request"];
    check(Hole::Replay, &found(Hole::Replay, None).await, &all);
    check(Hole::ReplayOfText, &found(Hole::ReplayOfText, None).await, &["d02_other_signature"]);
    let found = found(Hole::ReplayOfAddress, None).await;
    check(Hole::ReplayOfAddress, &found, &["d02_other_query"]);
}

#[tokio::test]
async fn d03_and_d04_holes_are_named() {
    check(
        Hole::Bearer,
        &found(Hole::Bearer, None).await,
        &["d03_bound_token_as_bearer", "d03_bound_token_without_proof"],
    );
    let found_unbound = found(Hole::Unbound, None).await;
    assert!(found_unbound.contains("d03_unbound_token_as_dpop_with_proof"), "{found_unbound:?}");
    assert!(!found_unbound.contains("d03_unbound_token_as_dpop"), "it needs a proof");
    check(
        Hole::Members,
        &found(Hole::Members, None).await,
        &[
            "d04_cnf_jku_beside",
            "d04_cnf_jwe_beside",
            "d04_cnf_jwk_beside",
            "d04_cnf_kid_beside",
            "d04_cnf_unknown_beside",
            "d11_certificate_beside",
        ],
    );
}

#[tokio::test]
async fn d05_holes_are_named() {
    let all = found(Hole::Address, None).await;
    assert!(all.iter().all(|name| name.contains("_htu_")), "{all:?}");
    assert!(all.len() > 30, "{all:?}");
    let origin = found(Hole::Origin, None).await;
    for name in ["d05_htu_other_origin", "d05_htu_of_host", "d05_htu_without_origin"] {
        assert!(origin.contains(name), "{name} is not in {origin:?}");
    }
    assert!(!origin.contains("d05_htu_other_path"));
    let prefix = found(Hole::Prefix, None).await;
    for name in ["d05_htu_longer_path", "d05_htu_slash", "d05_htu_nul"] {
        assert!(prefix.contains(name), "{name} is not in {prefix:?}");
    }
    assert!(!prefix.contains("d05_htu_other_origin"));
    check(Hole::Host, &found(Hole::Host, None).await, &["d05_htu_of_host"]);
}

/// Holes are found although nonces expire.
#[tokio::test]
async fn d06_holes_are_named() {
    let nonces = Some(40);
    check(Hole::Token, &found(Hole::TokenIfThere, nonces).await, &["d01_ath_missing"]);
    let all = ["d02_other_query", "d02_other_signature", "d02_same_request"];
    check(Hole::Replay, &found(Hole::Replay, nonces).await, &all);
    // A nonce that is always good is never demanded.
    assert!(found(Hole::Nonce, nonces).await.is_empty());
    let found = found(Hole::NonceIfThere, Some(usize::MAX)).await;
    check(Hole::NonceIfThere, &found, &["d06_nonce_missing"]);
}
