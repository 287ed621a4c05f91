//! The usual extractors over `jsonwebtoken`, as many services have them.

use std::collections::HashSet;

use axum::{
    Router,
    extract::FromRequestParts,
    http::{StatusCode, header::AUTHORIZATION, request::Parts},
    routing::get,
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, jwk::JwkSet};
use tower_jwt_auth::testing::{AttackReport, AttackRun, TestIssuer};

use super::routers::names;

/// A user of the extractor that leaves all to the defaults of `Validation`.
struct User;

/// A user of the extractor that is lenient about what others send.
struct Lenient;

fn check(token: &str, change: impl FnOnce(&mut Validation)) -> Result<(), StatusCode> {
    // With both back ends in the build, it wants to be told.
    let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
    let issuer = TestIssuer::new();
    let keys: JwkSet = serde_json::from_str(&issuer.jwks()).unwrap();
    let key = DecodingKey::from_jwk(&keys.keys[0]).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_issuer(&[issuer.issuer()]);
    validation.set_audience(&[issuer.audience()]);
    change(&mut validation);
    let decoded = decode::<serde_json::Value>(token, &key, &validation);
    decoded.map(|_| ()).map_err(|_| StatusCode::UNAUTHORIZED)
}

fn bearer(parts: &Parts) -> Result<&str, StatusCode> {
    let value = parts.headers.get(AUTHORIZATION).ok_or(StatusCode::UNAUTHORIZED)?;
    let value = value.to_str().map_err(|_| StatusCode::UNAUTHORIZED)?;
    value.strip_prefix("Bearer ").ok_or(StatusCode::UNAUTHORIZED)
}

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        check(bearer(parts)?, |_| ()).map(|()| Self)
    }
}

impl<S: Sync> FromRequestParts<S> for Lenient {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        // Another library has padded its tokens once.
        let token = bearer(parts)?.trim_end_matches('=');
        check(token, |validation| {
            validation.validate_exp = false;
            validation.validate_aud = false;
        })
        .map(|()| Self)
    }
}

async fn attacked(router: Router) -> AttackReport {
    AttackRun::new(&TestIssuer::new()).run(router, "/me").await
}

#[track_caller]
fn check_names(report: &AttackReport, found: &[&str], refused: &[&str]) {
    let passed = names(report);
    let missing: HashSet<_> = found.iter().filter(|name| !passed.contains(**name)).collect();
    assert!(missing.is_empty(), "not found: {missing:?}\n{report}");
    for name in refused {
        assert!(!passed.contains(*name), "{name} is refused there");
    }
}

#[tokio::test]
async fn the_holes_of_the_usual_one_are_named() {
    let report = attacked(Router::new().route("/me", get(async |_: User| "hello"))).await;
    let found = [
        "a08_b64_false",
        "a08_crit_unknown",
        "a09_typ_dpop_proof",
        "a10_logout_token",
        "a10_logout_token_untyped",
        "c02_nbf_in_an_hour",
        "c04_iss_array",
        "c04_iss_missing",
        "c05_aud_missing",
        "c06_sub_missing",
        "c11_cnf_jkt",
        "f05_other_claim_repeated",
        "f05_scope_repeated",
        "t05_two_headers",
        "t12_too_long",
    ];
    let refused =
        ["a02_alg_none", "a03_hs256_pem", "a13_another_key", "c01_exp_an_hour_ago", "t01_no_token"];
    check_names(&report, &found, &refused);
}

#[tokio::test]
async fn the_holes_of_a_lenient_one_are_named() {
    let report = attacked(Router::new().route("/me", get(async |_: Lenient| "hello"))).await;
    let found =
        ["c01_exp_an_hour_ago", "c05_aud_other", "f02_padding_in_excess", "f02_padding_signature"];
    check_names(&report, &found, &["a02_alg_none", "a13_another_key", "t01_no_token"]);
}
