//! The metadata of an issuer, as verifiers find it.

use http::{Method, Request};
use serde_json::{Value, json};
use tower_jwt_auth::{
    Algorithm, ConfigError,
    issue::{MetadataServiceBuilder, SigningKey, TokenIssuer},
};

use super::{ask, issuer};
use crate::fixed::FixedClock;

fn named(name: &str) -> TokenIssuer {
    issuer(&FixedClock::default()).issuer(name).build().unwrap()
}

async fn document(builder: MetadataServiceBuilder) -> Value {
    let answer = ask(builder.build().unwrap(), Request::new(String::new())).await;
    assert_eq!(answer.status, 200);
    serde_json::from_str(&answer.body).unwrap()
}

#[tokio::test]
async fn it_names_the_logins_and_the_proofs_that_are_accepted() {
    let issuer = named("https://login.example.com");
    let builder = issuer.metadata_service().acr_value("phrh").acr_value("phr");
    let builder = builder.dpop_algorithms([Algorithm::ES256, Algorithm::PS256]);
    let document = document(builder).await;
    // RFC 9470 §7 and RFC 9449 §5.1.
    assert_eq!(document["acr_values_supported"], json!(["phrh", "phr"]));
    assert_eq!(document["dpop_signing_alg_values_supported"], json!(["ES256", "PS256"]));
    for name in ["acr_values_supported", "dpop_signing_alg_values_supported"] {
        assert!(issuer.metadata_service().member(name, ["x"]).build().is_err(), "{name}");
    }
}

#[tokio::test]
async fn it_says_what_is_true() {
    let issuer = named("https://login.example.com");
    assert_eq!(
        document(issuer.metadata_service()).await,
        json!({
            "issuer": "https://login.example.com",
            "jwks_uri": "https://login.example.com/.well-known/jwks.json",
            "response_types_supported": ["none"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        })
    );
    let builder = issuer
        .metadata_service()
        .jwks_uri("https://keys.example.com/jwks?v=1")
        .token_endpoint("https://login.example.com/token")
        .grant_type("authorization_code")
        .grant_type("refresh_token")
        .token_endpoint_auth_method("none")
        .member("authorization_endpoint", "https://login.example.com/authorize")
        .member("response_types_supported", ["code"])
        .member("scopes_supported", Vec::<String>::new())
        .member("service_documentation", None::<String>);
    assert_eq!(
        document(builder).await,
        json!({
            "issuer": "https://login.example.com",
            "jwks_uri": "https://keys.example.com/jwks?v=1",
            "token_endpoint": "https://login.example.com/token",
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_methods_supported": ["none"],
            "authorization_endpoint": "https://login.example.com/authorize",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        })
    );
    // The algorithms are those of the moment, and a secret is not told of.
    issuer.rotate(SigningKey::generate(Algorithm::EdDSA).unwrap()).unwrap();
    let algorithms = |document: Value| document["id_token_signing_alg_values_supported"].clone();
    let both = document(issuer.metadata_service()).await;
    assert_eq!(algorithms(both), json!(["ES256", "EdDSA"]));
    let service = issuer.metadata_service().build().unwrap();
    issuer.replace_keys(SigningKey::generate(Algorithm::HS256).unwrap()).unwrap();
    let answer = ask(service, Request::new(String::new())).await;
    assert_eq!(algorithms(serde_json::from_str(&answer.body).unwrap()), Value::Null);
}

#[tokio::test]
async fn it_is_read_only_and_a_request_has_no_say_in_it() {
    let service = named("https://login.example.com").metadata_service().build().unwrap();
    let request = |method| {
        let request = Request::builder().method(method).uri("https://evil.example/x");
        let request = request.header("host", "evil.example").header("x-forwarded-host", "evil");
        request.header("forwarded", "host=evil.example").body(String::new()).unwrap()
    };
    for method in [Method::GET, Method::HEAD] {
        let answer = ask(service.clone(), request(method)).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["content-type"], "application/json");
        assert_eq!(answer.headers["cache-control"], "public, max-age=300");
        assert!(!answer.body.contains("evil"), "{}", answer.body);
    }
    for method in [Method::POST, Method::OPTIONS, Method::DELETE] {
        let answer = ask(service.clone(), request(method)).await;
        assert_eq!((answer.status, &answer.headers["allow"]), (405, &"GET, HEAD".parse().unwrap()));
    }
}

#[test]
fn its_paths_are_those_that_verifiers_ask_for() {
    let paths = |name| {
        let service = named(name).metadata_service().build().unwrap();
        let [oauth, openid] = service.paths().map(str::to_owned);
        (oauth, openid, service.jwks_path().to_owned())
    };
    let of = |oauth: &str, openid: &str, keys: &str| (oauth.into(), openid.into(), keys.into());
    for name in ["https://login.example.com", "https://login.example.com/", "http://[::1]:80"] {
        let (oauth, openid) =
            ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration");
        assert_eq!(paths(name), of(oauth, openid, "/.well-known/jwks.json"), "{name}");
    }
    for name in ["https://example.com:8443/a/b", "http://127.0.0.1/a/b/", "http://localhost/a/b"] {
        let (oauth, openid) = (
            "/.well-known/oauth-authorization-server/a/b",
            "/a/b/.well-known/openid-configuration",
        );
        assert_eq!(paths(name), of(oauth, openid, "/a/b/.well-known/jwks.json"), "{name}");
    }
}

#[test]
fn what_is_no_safe_url_is_refused() {
    for name in [
        "login",
        "login.example.com",
        "http://login.example.com",
        "http://0.0.0.0:3000",
        "HTTPS://login.example.com",
        "ftp://login.example.com",
        "https://",
        "https:///path",
        "https://user@login.example.com",
        "https://login.example.com:port",
        "https://login.example.com?tenant=1",
        "https://login.example.com/?tenant=1",
        "https://login.example.com/#a",
        "https://login.example.com#a",
        "https://login.example.com/a b",
        "https://login.example.com/{tenant}",
        "https://login.example.com/a/../b",
        "https://login.example.com/a/%2E%2e/b",
        "https://login.example.com/%zz",
        "https://login.example.com/%4",
        "https://login.example.com/\u{fc}",
        "https://login.example.com\\a",
    ] {
        let error = named(name).metadata_service().build().unwrap_err();
        assert!(error.to_string().contains("`https` URL"), "{name}: {error}");
    }
    // A verifier would find an empty JWK set.
    let secret = TokenIssuer::builder()
        .issuer("https://login.example.com")
        .audience("https://api.example.com")
        .key(SigningKey::hs256([7; 32]).unwrap());
    let error = secret.build().unwrap().metadata_service().build().unwrap_err();
    assert!(error.to_string().contains("a shared secret (HS256"), "{error}");
    let builder = || named("https://login.example.com").metadata_service();
    for url in ["", "/jwks", "http://localhost/jwks", "http://a.example/", "https://a.example/#k"] {
        assert!(builder().jwks_uri(url).build().is_err(), "{url}");
        let token = builder().token_endpoint(url).grant_type("client_credentials");
        assert!(token.build().is_err(), "{url}");
    }
    let local = || named("http://127.0.0.1:3000").metadata_service();
    let keys = local().jwks_uri("http://localhost/jwks?v=1").build().unwrap();
    assert_eq!(keys.jwks_path(), "/jwks");
    assert!(local().jwks_uri("http://keys.example.com/jwks").build().is_err());
    for contradiction in [
        builder().token_endpoint("https://login.example.com/token"),
        builder().grant_type("client_credentials"),
        builder().token_endpoint_auth_method("none"),
        builder().member("issuer", "https://evil.example"),
        builder().member("jwks_uri", "https://evil.example/jwks"),
    ] {
        let error = contradiction.build().unwrap_err();
        assert!(matches!(error, ConfigError::Conflict(_)), "{error}");
    }
    let no_json = std::collections::HashMap::from([((1, 2), 3)]);
    assert!(builder().member("x", no_json).build().is_err());
}

#[cfg(all(feature = "axum", feature = "remote"))]
#[tokio::test]
async fn discovery_finds_the_keys_and_follows_a_rotation() {
    use std::time::Duration;

    use axum::Router;
    use tokio::net::TcpListener;
    use tower_jwt_auth::{RemoteKeys, Verifier, issue::Grant};

    use crate::fixed::AUDIENCE;

    for path in ["", "/", "/tenants/one"] {
        // Each path of the two is enough.
        for at in [0, 1] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let name = format!("http://{}{path}", listener.local_addr().unwrap());
            let issuer = TokenIssuer::builder()
                .issuer(&name)
                .audience(AUDIENCE)
                .key(SigningKey::generate(Algorithm::ES256).unwrap())
                .publish_ahead(Duration::ZERO)
                .build()
                .unwrap();
            let metadata = issuer.metadata_service().build().unwrap();
            let router = Router::new()
                .route_service(metadata.paths()[at], metadata.clone())
                .route_service(metadata.jwks_path(), issuer.jwks_service());
            tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });

            let keys = RemoteKeys::discover(&name).build().await.unwrap();
            let verifier: Verifier =
                Verifier::builder().audience(AUDIENCE).keys(keys).build().unwrap();
            let token = issuer.issue(Grant::new("ada")).unwrap();
            let claims = verifier.verify(token.as_str()).await.unwrap();
            assert_eq!((claims.subject(), claims.issuer()), (Some("ada"), Some(&*name)));

            issuer.rotate(SigningKey::generate(Algorithm::EdDSA).unwrap()).unwrap();
            let next = issuer.issue(Grant::new("ada")).unwrap();
            for token in [&next, &token] {
                assert!(verifier.verify(token.as_str()).await.is_ok());
            }
        }
    }
}
