//! Settings, as an operator writes them (feature `settings`). `remote::settings` has those of keys
//! that are fetched.

use std::sync::atomic::{AtomicUsize, Ordering};

use http::Request;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    Algorithm, ConfigError, ErrorKind, JwtAuthLayer, RegisteredClaims, Verifier, settings::Settings,
};

use crate::{
    requests::who,
    support::{AUDIENCE, ISSUER, TestKey, b64, claims_with, key, trusting},
    verdicts::{accepted, refused},
};

pub(crate) fn settings(changes: Value) -> Result<Settings, serde_json::Error> {
    let mut settings = json!({"issuer": ISSUER, "audience": AUDIENCE});
    settings.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    serde_json::from_value(settings)
}

pub(crate) async fn verifier_of(changes: Value) -> Result<Verifier, ConfigError> {
    settings(changes).unwrap().verifier().await
}

/// A token that is good by the real clock.
pub(crate) fn fresh_token(key: &TestKey, changes: Value) -> String {
    let mut all = json!({"exp": 4_000_000_000_u64, "iat": null});
    all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    key.token(&claims_with(all))
}

#[test]
fn what_is_not_known_or_malformed_is_refused() {
    for (changes, said) in [
        (json!({"issuers": ISSUER}), "unknown field `issuers`"),
        (json!({"leeway": "soon"}), "such as \"10m\""),
        (json!({"algorithms": "RS256,none"}), "\"none\": unknown algorithm"),
        (json!({"audience": "a,,b"}), "empty"),
        (json!({"client_id": []}), "leave the setting out"),
        (json!({"cache_bytes": "1 MiB"}), "expected a whole number"),
        (json!({"jwks_jitter": "some"}), "expected a number such as 0.1"),
        (json!({"lazy": "maybe"}), "expected true or false"),
    ] {
        let error = settings(changes.clone()).unwrap_err().to_string();
        assert!(error.contains(said), "{changes}: {error}");
    }
    assert!(serde_json::from_str::<Settings>("{}").unwrap_err().to_string().contains("`issuer`"));
}

#[test]
fn unknown_names_are_refused_wherever_it_stands() {
    #[derive(Debug, serde::Deserialize)]
    struct Table {
        auth: Settings,
    }
    #[derive(Debug, serde::Deserialize)]
    struct Flat {
        name: String,
        #[serde(flatten)]
        auth: Settings,
    }
    let table = |rest: Value| serde_json::from_value::<Table>(json!({"auth": rest}));
    assert_eq!(table(json!({"issuer": ISSUER})).unwrap().auth.issuer(), ISSUER);
    assert!(table(json!({"issuer": ISSUER, "acess_tokens_only": true})).is_err());
    let flat = |text: &str| serde_json::from_str::<Flat>(text);
    let good = r#"{"name":"api","issuer":"i","audience":"a,b","leeway":5,"lazy":"0","realm":7}"#;
    let good = flat(good).unwrap();
    assert_eq!((&*good.name, good.auth.audiences().count()), ("api", 2));
    let error = flat(r#"{"name":"api","issuer":"i","acess_tokens_only":true}"#).unwrap_err();
    assert!(error.to_string().contains("unknown field"), "{error}");
}

#[tokio::test]
async fn variables_build_a_verifier() {
    let pem = key(Algorithm::ES256).pem().unwrap();
    let variables = [
        ("API_ISSUER", ISSUER),
        ("API_AUDIENCE", AUDIENCE),
        ("API_PUBLIC_KEY", &pem),
        ("API_HMAC_SECRET", ""),
        ("API_MAX_TOKEN_LEN", "1000"),
        ("HOME", "/"),
    ];
    let settings = Settings::from_variables("API_", variables).unwrap();
    let verifier = settings.verifier().await.unwrap();
    accepted(verifier.verify(&fresh_token(key(Algorithm::ES256), json!({}))).await);
    let long = fresh_token(key(Algorithm::ES256), json!({"x": "x".repeat(1000)}));
    refused(verifier.verify(&long).await, &ErrorKind::TokenTooLong { limit: 1000 });
}

#[test]
fn the_environment_of_this_process_has_none() {
    let error = Settings::from_env("TOWER_JWT_AUTH_TEST_").unwrap_err();
    assert_eq!(error.to_string(), "`TOWER_JWT_AUTH_TEST_ISSUER` is not set");
}

#[tokio::test]
async fn keys_come_from_one_place() {
    let (es, hs) = (key(Algorithm::ES256), [0x5a; 32]);
    let pem = json!({"public_key": es.pem().unwrap()});
    let claims = verifier_of(pem).await.unwrap().verify(&fresh_token(es, json!({}))).await;
    accepted(claims);
    let secret = json!({"hmac_secret": b64(hs)});
    let verifier = verifier_of(secret).await.unwrap();
    accepted(verifier.verify(&fresh_token(key(Algorithm::HS256), json!({}))).await);

    let from_file = with_file("public_key_file", es.pem().unwrap()).await;
    accepted(from_file.unwrap().verify(&fresh_token(es, json!({}))).await);
    for end in ["", "\n", "\r\n", "=\n"] {
        let from_file = with_file("hmac_secret_file", b64(hs) + end).await;
        accepted(from_file.unwrap().verify(&fresh_token(key(Algorithm::HS256), json!({}))).await);
    }
}

/// The verifier of a setting that names a file with this content.
async fn with_file(setting: &str, content: impl AsRef<[u8]>) -> Result<Verifier, ConfigError> {
    static FILES: AtomicUsize = AtomicUsize::new(0);

    let number = FILES.fetch_add(1, Ordering::Relaxed);
    let file = std::env::temp_dir().join(format!("setting-{}-{number}", std::process::id()));
    std::fs::write(&file, content).unwrap();
    let verifier = verifier_of(json!({setting: file})).await;
    std::fs::remove_file(&file).unwrap();
    verifier
}

#[tokio::test]
async fn a_file_that_holds_no_key_is_told_without_its_content() {
    for (setting, content, said) in [
        ("hmac_secret_file", "hunter2 hunter2".to_owned(), "`hmac_secret_file` is not base64url"),
        ("hmac_secret_file", "hunter22=".to_owned(), "6 bytes"),
        ("hmac_secret_file", String::new(), "is empty"),
        ("hmac_secret_file", "hunter2".repeat(10_000), "is longer than 64 KiB"),
        ("public_key_file", "hunter2".repeat(10_000), "is longer than 64 KiB"),
        ("public_key_file", "hunter2".to_owned(), "malformed"),
    ] {
        let error = with_file(setting, content).await.unwrap_err().to_string();
        assert!(error.contains(said) && !error.contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn what_cannot_be_is_told() {
    let es = key(Algorithm::ES256).pem().unwrap();
    for (changes, said) in [
        (json!({"public_key": es, "hmac_secret": "AA"}), "set at most one"),
        (json!({"public_key_file": "/nowhere.pem"}), "/nowhere.pem cannot be read"),
        (json!({"hmac_secret_file": "/nowhere"}), "`hmac_secret_file`: the file /nowhere cannot"),
        (json!({"hmac_secret_file": "/"}), "`hmac_secret_file`: the file / cannot be read"),
        (json!({"hmac_secret": "AA", "hmac_secret_file": "/nowhere"}), "set at most one"),
        (json!({"public_key": "x"}), "malformed"),
        (json!({"hmac_secret": "not base64!"}), "base64url"),
        (json!({"hmac_secret": b64([1; 31])}), "31 bytes"),
        (json!({"hmac_secret": b64([1; 32]), "algorithms": "HS256,HS512"}), "HS512 has 32 bytes"),
        (json!({"hmac_secret": b64([1; 32]), "algorithms": "RS256"}), "uses `hmac_secret`"),
        (json!({"public_key": es, "algorithms": "RS256"}), "none of the keys can verify"),
        (json!({"public_key": es, "any_audience": true}), "leave one out"),
        (json!({"public_key": es, "leeway": "10m"}), "300 s"),
        (json!({"public_key": es, "access_tokens_only": true, "token_type": "JWT"}), "token_type"),
        (json!({"public_key": es, "cache_bytes": 1}), "256 KiB"),
    ] {
        let error = verifier_of(changes.clone()).await.unwrap_err().to_string();
        assert!(error.contains(said), "{changes}: {error}");
        assert!(!error.contains('\n'), "one line: {error}");
    }
    let debug = format!("{:?}", settings(json!({"hmac_secret": "hunter2"})).unwrap());
    assert!(!debug.contains("hunter2"), "{debug}");
}

#[tokio::test]
async fn rules_and_numbers_are_taken() {
    let es = key(Algorithm::ES256);
    let verifier = verifier_of(json!({
        "public_key": es.pem().unwrap(), "audience": ["https://x.example.com", AUDIENCE],
        "client_id": "web, app", "required_claim": ["tenant"], "max_token_len": 1000,
        "cache_bytes": 262144, "token_type": ["JWT"], "leeway": "1m",
    }))
    .await
    .unwrap();
    let good = json!({"tenant": "acme", "client_id": "app"});
    accepted(verifier.verify(&fresh_token(es, good)).await);
    let no_tenant = json!({"client_id": "app"});
    refused(
        verifier.verify(&fresh_token(es, no_tenant)).await,
        &ErrorKind::MissingClaim("tenant".into()),
    );
    for (changes, kind) in [
        (json!({"client_id": "other"}), ErrorKind::Client),
        (json!({}), ErrorKind::MissingClaim("client_id".into())),
        (json!({"azp": "other"}), ErrorKind::Client),
        (json!({"azp": "app", "client_id": "other"}), ErrorKind::Client),
        (
            json!({"client_id": "app", "x": "x".repeat(1000)}),
            ErrorKind::TokenTooLong { limit: 1000 },
        ),
    ] {
        let mut changes = changes;
        changes["tenant"] = json!("acme");
        refused(verifier.verify(&fresh_token(es, changes)).await, &kind);
    }
    let known = async |bytes: usize| {
        let settings = json!({"public_key": es.pem().unwrap(), "cache_bytes": bytes});
        let (verifier, token) = (verifier_of(settings).await.unwrap(), fresh_token(es, json!({})));
        let first = verifier.verify(&token).await.unwrap();
        std::ptr::eq(first.registered(), verifier.verify(&token).await.unwrap().registered())
    };
    assert!(known(1 << 18).await && !known(0).await);
    for name in ["azp", "cid", "appid"] {
        let token = fresh_token(es, json!({"tenant": "acme", name: "web"}));
        accepted(verifier.verify(&token).await);
    }
}

#[tokio::test]
async fn the_layer_reads_the_cookie_and_guards_it() {
    let es = key(Algorithm::ES256);
    let settings = settings(json!({
        "public_key": es.pem().unwrap(), "token_cookie": "__Host-at", "realm": "api",
        "public_origin": "https://api.example.com/", "trusted_origin": "https://app.example.com",
    }))
    .unwrap();
    let layer: JwtAuthLayer<RegisteredClaims> = settings.layer().await.unwrap();
    let send = async |method: &str, origin: Option<&str>| {
        let cookie = format!("__Host-at={}", fresh_token(es, json!({})));
        let mut request = Request::builder().method(method).header("cookie", cookie);
        request = request.header("host", "evil.example");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let service = layer.layer(service_fn(who::<String>));
        service.oneshot(request.body(String::new()).unwrap()).await.unwrap().status().as_u16()
    };
    assert_eq!(send("GET", None).await, 200);
    assert_eq!(send("POST", None).await, 403);
    assert_eq!(send("POST", Some("https://api.example.com")).await, 200);
    assert_eq!(send("POST", Some("https://app.example.com")).await, 200);
    assert_eq!(send("POST", Some("https://evil.example")).await, 403, "the host has no say");
}

#[test]
fn names_of_cookies_and_origins_are_checked() {
    let verifier = || trusting(key(Algorithm::ES256).key()).build().unwrap();
    for changes in [
        json!({"token_cookie": ""}),
        json!({"token_cookie": "a b"}),
        json!({"token_cookie": "at", "public_origin": "api.example.com"}),
        json!({"public_origin": "api.example.com"}),
        json!({"token_cookie": "at", "trusted_origin": "https://a/b"}),
    ] {
        let layer = settings(changes.clone()).unwrap().layer_with::<RegisteredClaims>(verifier());
        assert!(layer.is_err(), "{changes}");
    }
}

#[tokio::test]
async fn a_hierarchy_of_scopes_is_that_of_policies() {
    use tower_jwt_auth::authorize::{Policy, Scopes};

    let key = key(Algorithm::HS256);
    let secret = key.jwk()["k"].as_str().unwrap().to_owned();
    let text = "files:write = files:read; admin = files:write";
    for hierarchy in [json!({"files:write": ["files:read"], "admin": "files:write"}), json!(text)] {
        let changes = json!({"hmac_secret": secret, "scope_hierarchy": hierarchy});
        let verifier = verifier_of(changes).await.unwrap();
        let claims = verifier.verify(&fresh_token(key, json!({"scope": "admin"}))).await.unwrap();
        assert!(Scopes::all_of(["files:read"]).authorize(&claims).is_ok());
        assert!(Scopes::all_of(["users:read"]).authorize(&claims).is_err());
        let claims = verifier.verify(&fresh_token(key, json!({"scope": "files:read"}))).await;
        assert!(Scopes::all_of(["files:write"]).authorize(&claims.unwrap()).is_err());
    }

    let error = settings(json!({"scope_hierarchy": {"a": ["b"], "b": ["a"]}})).unwrap_err();
    assert!(error.to_string().contains("\"a\" implies itself (a implies b implies a)"), "{error}");
    let variables = |hierarchy| {
        [("AUTH_ISSUER", ISSUER), ("AUTH_AUDIENCE", AUDIENCE), ("AUTH_SCOPE_HIERARCHY", hierarchy)]
    };
    assert!(Settings::from_variables("AUTH_", variables(text)).is_ok());
    assert!(Settings::from_variables("AUTH_", variables("")).is_ok());
    let error = Settings::from_variables("AUTH_", variables("a = b; b =")).unwrap_err().to_string();
    assert_eq!(
        error,
        "`AUTH_SCOPE_HIERARCHY`: the entry \"b\" implies no scope: name one, or leave it out"
    );
}
