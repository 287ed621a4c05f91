//! Settings of keys that are fetched; `crate::settings` has the others.

use super::{provider::Provider, *};
use crate::{
    settings::{fresh_token, settings, verifier_of},
    support::key,
};

#[tokio::test]
async fn keys_are_fetched() {
    let es = key(Algorithm::ES256);
    let provider = Provider::new([es]);
    let url = json!({"jwks_url": provider.jwks_url(), "algorithms": ["ES256"]});
    accepted(verifier_of(url).await.unwrap().verify(&fresh_token(es, json!({}))).await);
    let found = settings(
        json!({"issuer": provider.issuer(), "jwks_timeout": "2s", "jwks_old_after": "90 days"}),
    )
    .unwrap();
    let verifier: Verifier = found.verifier().await.unwrap();
    let token = fresh_token(es, json!({"iss": provider.issuer()}));
    accepted(verifier.verify(&token).await);
}

#[tokio::test]
async fn what_cannot_be_is_told() {
    for (changes, said) in [
        (json!({"jwks_url": "http://keys.example.com/"}), "host `keys.example.com` is refused"),
        (
            json!({"jwks_url": "http://keys.example.com/", "http_hosts": "other, keys"}),
            "host `keys.example.com` is refused",
        ),
        (
            json!({"jwks_url": "http://keys.example.com/", "http_hosts": ["*.example.com"]}),
            "exact host name",
        ),
        (json!({"issuer": "login"}), "it is no URL"),
        (json!({"jwks_cooldown": "90 days"}), "30 days"),
        (json!({"jwks_timeout": 0}), "10 ms"),
    ] {
        let error = verifier_of(changes.clone()).await.unwrap_err().to_string();
        assert!(error.contains(said), "{changes}: {error}");
        assert!(!error.contains('\n'), "one line: {error}");
    }
}

#[tokio::test]
async fn b25_hosts_for_http_are_named() {
    let changes = json!({
        "jwks_url": "http://keycloak:8080/certs", "http_hosts": ["idp", "keycloak"], "lazy": true,
    });
    assert!(verifier_of(changes).await.is_ok());
    let text = json!({"issuer": "http://idp/x", "http_hosts": "idp,keycloak", "lazy": true});
    assert!(verifier_of(text).await.is_ok());
}
