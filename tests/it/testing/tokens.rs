//! Tokens of every algorithm, good and bad.

use std::collections::HashSet;

use serde_json::{Value, json};
use tower_jwt_auth::{
    Algorithm, Key, KeySet, Verifier,
    testing::{TestClock, TestIssuer, TestToken, assert_accepted, assert_refused},
};

use crate::sessions::part;

type Change = fn(TestToken) -> TestToken;

/// Each that changes one thing, and the kind of the refusal.
const BAD: [(Change, &str); 22] = [
    (TestToken::expired, "expired"),
    (TestToken::not_yet_valid, "not_yet_valid"),
    (TestToken::issued_in_future, "issued_in_future"),
    (TestToken::wrong_issuer, "issuer"),
    (TestToken::wrong_audience, "audience"),
    (TestToken::wrong_key, "signature"),
    (TestToken::tampered, "signature"),
    (TestToken::unsigned, "unsigned"),
    (|token| token.key_id("another"), "unknown_key"),
    (|token| token.header("kid", 7), "malformed_header"),
    (|token| token.header("crit", ["x"]), "unsupported_header"),
    (|token| token.without_header("alg"), "malformed_header"),
    (|token| token.token_type("logout+jwt"), "token_type"),
    (|token| token.without("sub"), "missing_claim"),
    (|token| token.without("exp"), "missing_claim"),
    (|token| token.without("iss"), "missing_claim"),
    (|token| token.without("aud"), "missing_claim"),
    (|token| token.claim("exp", "tomorrow"), "malformed_claims"),
    (|token| token.claim("aud", json!([1])), "malformed_claims"),
    (|token| token.claim("iss", json!(["https://issuer.test"])), "malformed_claims"),
    (|token| token.claim("cnf", json!({"jkt": "x"})), "sender_constrained"),
    (|token| token.claim("events", json!({})), "security_event"),
];

#[tokio::test]
async fn each_change_is_refused_for_its_reason() {
    for &algorithm in Algorithm::ALL {
        let issuer = TestIssuer::new().with_algorithm(algorithm);
        for builder in [issuer.verifier_builder(), issuer.verifier_builder().access_tokens_only()] {
            let verifier = builder.build().unwrap();
            for good in [
                issuer.token(),
                issuer.token().without_key_id(),
                issuer.token().subject("ada").scopes(["a", "b"]).claim("x", json!({"y": [1]})),
            ] {
                assert_accepted(&verifier.verify(&good.sign()).await);
            }
            for (change, kind) in BAD {
                assert_refused(&verifier.verify(&change(issuer.token()).sign()).await, kind);
            }
            for &other in Algorithm::ALL {
                let token = issuer.token().algorithm(other).sign();
                let verified = verifier.verify(&token).await;
                if other == algorithm {
                    assert_accepted(&verified);
                    continue;
                }
                // A key of another public algorithm may come by a rotation.
                let kind = verified.as_ref().map(|_| ()).unwrap_err().kind().name();
                assert!(matches!(kind, "algorithm_not_allowed" | "unknown_key"), "{kind}");
            }
            if !algorithm.name().starts_with('H') {
                let confused = issuer.token().hs256_with_public_key().sign();
                assert_refused(&verifier.verify(&confused).await, "algorithm_not_allowed");
            }
        }
    }
}

#[tokio::test]
async fn each_form_of_the_key_verifies() {
    for &algorithm in Algorithm::ALL.iter().filter(|one| !one.name().starts_with('H')) {
        let issuer = TestIssuer::new().with_algorithm(algorithm);
        let builder = || Verifier::builder().issuer(issuer.issuer()).audience(issuer.audience());
        for verifier in [
            builder().keys(Key::from_pem(issuer.public_key_pem())).build().unwrap(),
            builder().keys(KeySet::from_jwks(issuer.jwks())).build().unwrap(),
        ] {
            assert_accepted(&verifier.verify(&issuer.token().without_key_id().sign()).await);
        }
        // What the issuer signs by itself is verified, too.
        let real = issuer.token_issuer().build().unwrap();
        let token = real.issue(tower_jwt_auth::issue::Grant::new("ada")).unwrap();
        assert_accepted(&issuer.verifier().verify(token.as_str()).await);
    }
}

#[tokio::test]
async fn the_public_key_as_a_secret_is_a_right_signature_of_hs256() {
    let issuer = TestIssuer::new();
    let secret = Key::hs256(issuer.public_key_pem());
    assert!(secret.is_err(), "this crate takes no such secret: {secret:?}");
    let token = issuer.token().hs256_with_public_key().sign();
    let (input, signature) = token.rsplit_once('.').unwrap();
    let key =
        aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, issuer.public_key_pem().as_bytes());
    let signature = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(signature).unwrap();
    assert!(aws_lc_rs::hmac::verify(&key, input.as_bytes(), &signature).is_ok());
}

#[test]
fn a_token_says_what_it_was_told() {
    let clock = TestClock::new();
    let now = clock.unix_seconds();
    let issuer = TestIssuer::new()
        .with_issuer("https://login.example.com")
        .with_audience("https://api.example.com")
        .with_clock(clock);
    let mut token = issuer.token().claims(json!({"name": "Ada", "roles": ["admin"]}));
    token = token.scopes(["a", "b"]).header("x5t", "y").without("client_id");
    let token = token.sign();
    let header = json!({"alg": "ES256", "kid": issuer.key_id(), "typ": "at+jwt", "x5t": "y"});
    assert_eq!(part(&token, 0), header);
    let mut claims = part(&token, 1);
    assert!(claims["jti"].take().is_string());
    let expected = json!({
        "iss": "https://login.example.com", "aud": "https://api.example.com", "sub": "user",
        "iat": now, "exp": now + 900, "scope": "a b", "name": "Ada", "roles": ["admin"],
        "jti": Value::Null,
    });
    assert_eq!(claims, expected);
}

#[test]
fn every_token_is_another_one() {
    let issuer = TestIssuer::new();
    let ids: HashSet<_> =
        (0..100).map(|_| part(&issuer.token().sign(), 1)["jti"].to_string()).collect();
    assert_eq!(ids.len(), 100);
}

#[tokio::test]
async fn issuers_of_one_name_are_one_and_others_are_strangers() {
    let (one, same) = (TestIssuer::new(), TestIssuer::new());
    let other = TestIssuer::new().with_issuer("https://other.test");
    assert_accepted(&one.verifier().verify(&same.token().sign()).await);
    assert_refused(&one.verifier().verify(&other.token().sign()).await, "unknown_key");
    let forged = other.token().claim("iss", one.issuer()).key_id(one.key_id()).sign();
    assert_refused(&one.verifier().verify(&forged).await, "signature");
    // A rotation is that of one issuer and its clones.
    let (verifier, clone) = (one.verifier(), one.clone());
    clone.rotate();
    assert_eq!(one.key_id(), clone.key_id());
    assert_ne!(one.key_id(), same.key_id());
    assert_accepted(&verifier.verify(&one.token().sign()).await);
    assert_refused(&same.verifier().verify(&one.token().sign()).await, "unknown_key");
}

#[test]
fn nothing_secret_is_shown() {
    for &algorithm in Algorithm::ALL {
        let issuer = TestIssuer::new().with_algorithm(algorithm);
        issuer.rotate();
        let token = issuer.token().subject("hunter2").claim("pin", "hunter2");
        let shown = format!("{issuer:?} {token:?} {:?}", issuer.signing_key());
        assert!(!shown.contains("hunter2"), "{shown}");
        let signed = token.sign();
        for part in signed.split('.') {
            assert!(!shown.contains(part), "{shown}");
        }
        assert!(!shown.to_lowercase().contains("private") && shown.len() < 1000, "{shown}");
    }
}
