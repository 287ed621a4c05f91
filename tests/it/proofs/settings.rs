//! Proofs as an operator asks for them.

use serde_json::{Value, json};
use tower_jwt_auth::{ConfigError, JwtAuthLayer, settings::Settings};

use super::*;

async fn layer(issuer: &TestIssuer, changes: Value) -> Result<JwtAuthLayer, ConfigError> {
    let mut settings = json!({
        "issuer": issuer.issuer(),
        "audience": issuer.audience(),
        "public_key": issuer.public_key_pem(),
    });
    settings.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let settings: Settings = serde_json::from_value(settings).unwrap();
    settings.layer().await
}

#[tokio::test]
async fn a_mode_and_an_origin_are_enough() {
    let (issuer, key) = (TestIssuer::new(), TestProofKey::new());
    let origin = "https://api.example.com";
    for mode in ["optional", "required"] {
        let layer = layer(&issuer, json!({"dpop": mode, "public_origin": origin})).await.unwrap();
        let token = issuer.token().bound_to(&key).sign();
        let proof = key.proof("GET", URL).token(&token).sign();
        for status in [200, 401] {
            let request = Request::get("/me").dpop(&token, &proof).body(String::new()).unwrap();
            assert_eq!(ask(&layer, request).await.status(), status, "{mode}");
        }
        let bearer = Request::get("/me").bearer(issuer.token().sign()).body(String::new()).unwrap();
        let expected = if mode == "optional" { 200 } else { 401 };
        assert_eq!(ask(&layer, bearer).await.status(), expected, "{mode}");
    }
    let with_nonces = |secrets: &str| {
        json!({
            "dpop": "optional",
            "public_origin": origin,
            "dpop_algorithms": "ES256",
            "dpop_max_age": "30s",
            "dpop_nonce_secret": secrets,
        })
    };
    let only = with_nonces("bm9uY2VzIG9mIGEgdGVzdCwgMzIgYnl0ZXMgbG9uZyEh");
    let with_one = layer(&issuer, only).await.unwrap();
    let token = issuer.token().bound_to(&key).sign();
    let proof = || key.proof("GET", URL).token(&token);
    let request = Request::get("/me").dpop(&token, proof().sign()).body(String::new()).unwrap();
    let response = ask(&with_one, request).await;
    assert_eq!(challenges(&response), ["DPoP algs=\"ES256\", error=\"use_dpop_nonce\""]);
    let with_nonce = proof().nonce_of(&response).sign();
    let request = Request::get("/me").dpop(&token, with_nonce).body(String::new()).unwrap();
    assert_eq!(ask(&with_one, request).await.status(), 200);
    // The secret is replaced: the new one comes first, the old one is still there.
    let old = "bm9uY2VzIG9mIGEgdGVzdCwgMzIgYnl0ZXMgbG9uZyEh";
    let new = "YW5vdGhlciBzZWNyZXQgb2YgMzIgYnl0ZXMsIG5ldyEh";
    for (secrets, status) in [(format!("{new}, {old}"), 200), (new.to_owned(), 401)] {
        let with_new = layer(&issuer, with_nonces(&secrets)).await.unwrap();
        let with_nonce = proof().nonce_of(&response).sign();
        let request = Request::get("/me").dpop(&token, with_nonce).body(String::new()).unwrap();
        assert_eq!(ask(&with_new, request).await.status(), status, "{secrets}");
    }
}

#[tokio::test]
async fn a_wrong_setting_says_what_is_missing() {
    let issuer = TestIssuer::new();
    let origin = "https://api.example.com";
    for (changes, said) in [
        (json!({"dpop": "optional"}), "`dpop` needs `public_origin`"),
        (json!({"dpop": "yes", "public_origin": origin}), "`optional` or `required`"),
        (json!({"dpop_max_age": 10}), "set `dpop`, too"),
        (json!({"dpop": "optional", "public_origin": origin, "dpop_max_age": "1h"}), "300 s"),
        (json!({"dpop": "optional", "public_origin": origin, "dpop_nonce_secret": "AA"}), "32"),
        (json!({"dpop": "optional", "public_origin": origin, "dpop_algorithms": "HS256"}), "HS256"),
        (json!({"mutual_tls": "yes"}), "`optional` or `required`"),
        (json!({"trusted_proxy": "10.0.0.1"}), "set `client_certificate_header`, too"),
        (json!({"client_certificate_header": "client-cert"}), "needs `trusted_proxy`"),
        (
            json!({"client_certificate_header": "client-cert", "trusted_proxy": "0.0.0.0/0"}),
            "wider",
        ),
    ] {
        let error = layer(&issuer, changes.clone()).await.unwrap_err().to_string();
        assert!(error.contains(said), "{changes}: {error}");
    }
}
