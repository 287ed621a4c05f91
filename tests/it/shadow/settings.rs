//! Rules in the shadow as settings.

use serde_json::json;
use tower_jwt_auth::{Algorithm, Claims, Error, settings::Settings};

use crate::{
    settings::{fresh_token, settings, verifier_of},
    support::{AUDIENCE, ISSUER, key},
};

fn shadow_of(token: &Result<Claims, Error>) -> String {
    token.as_ref().unwrap().shadow().to_string()
}

#[tokio::test]
async fn a_table_of_settings_has_them() {
    let es = key(Algorithm::ES256);
    let verifier = verifier_of(json!({
        "public_key": es.pem().unwrap(), "audience": [AUDIENCE, "x"],
        "shadow": {
            "audience": AUDIENCE, "client_id": ["web"], "algorithms": "ES256", "leeway": "5s",
            "max_age": 3600, "token_type": "JWT", "required_claim": "tenant, jti",
        },
    }));
    let verifier = verifier.await.unwrap();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let good = json!({"client_id": "web", "tenant": 1, "jti": "j", "iat": now});
    for (changes, expected) in [
        (json!({}), ""),
        (json!({"aud": "x"}), "audience"),
        (json!({"client_id": "app"}), "client"),
        (json!({"jti": null}), "missing_claim"),
        (json!({"iat": now - 4000}), "too_old"),
        (json!({"iat": null, "tenant": null}), "missing_claim, too_old"),
        (json!({"exp": now - 10}), "expired"),
    ] {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let token = verifier.verify(&fresh_token(es, claims)).await;
        assert_eq!(shadow_of(&token), expected, "{changes}");
    }
    let only = json!({"public_key": es.pem().unwrap(), "shadow": {"access_tokens_only": true}});
    let only = verifier_of(only).await.unwrap();
    let token = only.verify(&fresh_token(es, json!({"iat": now, "jti": "j"}))).await;
    assert_eq!(shadow_of(&token), "token_type, missing_claim");
    // An empty table has no rules.
    let none = json!({"public_key": es.pem().unwrap(), "shadow": {}});
    let token = verifier_of(none).await.unwrap().verify(&fresh_token(es, json!({}))).await;
    assert_eq!(shadow_of(&token), "");
}

#[tokio::test]
async fn variables_have_a_prefix_of_their_own() {
    let pem = key(Algorithm::ES256).pem().unwrap();
    let of = |more: &[(&str, &str)]| {
        let mut all = vec![
            ("AUTH_ISSUER", ISSUER),
            ("AUTH_ANY_AUDIENCE", "true"),
            ("AUTH_PUBLIC_KEY", &*pem),
            ("AUTH_SHADOW_LEEWAY", ""),
        ];
        all.extend(more);
        Settings::from_variables("AUTH_", all)
    };
    let more = [("AUTH_SHADOW_AUDIENCE", AUDIENCE), ("auth_x", ""), ("AUTH_SHADOW_MAX_AGE", "1h")];
    let verifier = of(&more).unwrap().verifier().await.unwrap();
    let token = verifier.verify(&fresh_token(key(Algorithm::ES256), json!({"aud": "x"}))).await;
    assert_eq!(shadow_of(&token), "audience, too_old");
    let none = of(&[]).unwrap().verifier().await.unwrap();
    let token = none.verify(&fresh_token(key(Algorithm::ES256), json!({"aud": "x"}))).await;
    assert_eq!(shadow_of(&token), "");

    for (name, value, said) in [
        (
            "AUTH_SHADOW_AUDIENCES",
            "x",
            "`AUTH_SHADOW_AUDIENCES` is not a setting, did you mean `AUTH_SHADOW_AUDIENCE`?",
        ),
        ("AUTH_SHADOW_ISSUER", "x", "`AUTH_SHADOW_ISSUER` is not a setting, remove it"),
        ("AUTH_SHADOW_MAX_AGE", "soon", "`AUTH_SHADOW_MAX_AGE`: invalid value"),
        ("AUTH_SHADOW_audience", "y", "`AUTH_SHADOW_AUDIENCE` is set twice, remove one"),
        ("AUTH_SHADOW", "x", "`AUTH_SHADOW`: invalid type"),
    ] {
        let error = of(&[("AUTH_SHADOW_AUDIENCE", AUDIENCE), (name, value)]).unwrap_err();
        assert!(error.to_string().starts_with(said), "{error}");
    }
}

#[tokio::test]
async fn what_cannot_be_is_told() {
    let pem = key(Algorithm::ES256).pem().unwrap();
    assert!(settings(json!({"shadow": {"acess_tokens_only": true}})).is_err());
    for (rules, said) in [
        (json!({"access_tokens_only": true, "token_type": "x"}), "leave out `token_type`"),
        (json!({"leeway": "2m"}), "would refuse nothing"),
    ] {
        let error = verifier_of(json!({"public_key": pem, "shadow": rules})).await.unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}
