//! Metadata as an operator asks for it.

use http::{Request, Response};
use serde_json::json;
use tower::{Layer, service_fn};
use tower_jwt_auth::{Algorithm, JwtAuthLayer};

use super::{answers::now, *};
use crate::{
    settings::{settings, verifier_of},
    support::{AUDIENCE, ISSUER, key},
};

/// The layer of these settings, or what is wrong with them.
async fn layer(mut changes: Value) -> Result<JwtAuthLayer, String> {
    changes["public_key"] = key(Algorithm::ES256).pem().unwrap().into();
    settings(changes).unwrap().layer().await.map_err(|error| error.to_string())
}

fn ask(layer: JwtAuthLayer, path: &str) -> Response<String> {
    let inner = service_fn(async |_: Request<()>| {
        Ok::<_, std::convert::Infallible>(Response::new(String::new()))
    });
    now(layer.serve_metadata().layer(inner), Request::get(path).body(()).unwrap())
}

#[tokio::test]
async fn c03_members_are_named_as_in_the_rfc() {
    let all = json!({
        "resource": "https://api.example.com/v1",
        "resource_name": "Orders",
        "resource_documentation": "https://api.example.com/docs",
        "resource_policy_uri": "https://api.example.com/policy",
        "resource_tos_uri": "https://api.example.com/tos",
        "scopes_supported": "read,write",
        "authorization_servers": [ISSUER],
        "base_scopes": "read",
    });
    let layer = layer(all.clone()).await.unwrap();
    let path = "/.well-known/oauth-protected-resource/v1";
    let refused = ask(layer.clone(), "/");
    assert_eq!(
        refused.headers()["www-authenticate"],
        format!("Bearer resource_metadata=\"https://api.example.com{path}\", scope=\"read\"")
    );
    let document: Value = serde_json::from_str(ask(layer, path).body()).unwrap();
    let mut expected = all;
    let members = expected.as_object_mut().unwrap();
    members.remove("base_scopes");
    members.insert("scopes_supported".into(), json!(["read", "write"]));
    members.insert("bearer_methods_supported".into(), json!(["header"]));
    assert_eq!(document, expected);
}

#[tokio::test]
async fn c02_a_resource_is_enough() {
    let document = |layer| -> Value { serde_json::from_str(ask(layer, ROOT).body()).unwrap() };
    let only = document(layer(json!({"resource": AUDIENCE})).await.unwrap());
    assert_eq!(only["authorization_servers"], json!([ISSUER]));
    let named = json!({"resource": AUDIENCE, "issuer": "my-issuer"});
    let named = document(layer(named).await.unwrap());
    assert_eq!(named, json!({"resource": AUDIENCE, "bearer_methods_supported": ["header"]}));
    let without = layer(json!({})).await.unwrap();
    assert_eq!(ask(without, ROOT).headers()["www-authenticate"], "Bearer");
    let verifier = verifier_of(json!({"public_key": key(Algorithm::ES256).pem()})).await.unwrap();
    assert!(settings(json!({})).unwrap().protected_resource(&verifier).unwrap().is_none());
}

#[tokio::test]
async fn what_is_wrong_is_told() {
    for (changes, said) in [
        (
            json!({"resource": "https://api.example.com/"}),
            "`.resource(\"https://api.example.com\")`",
        ),
        (json!({"resource": "http://api.example.com"}), "loopback"),
        (json!({"resource": AUDIENCE, "authorization_servers": "https://x.example"}), "not trust"),
        (json!({"resource": AUDIENCE, "scopes_supported": "offline_access"}), "offline_access"),
        (json!({"resource_name": "a"}), "`resource_name` is set, set `resource`, too"),
        (json!({"scopes_supported": "a"}), "`scopes_supported` is set, set `resource`, too"),
        (json!({"authorization_servers": ISSUER}), "set `resource`, too"),
    ] {
        let error = layer(changes.clone()).await.unwrap_err();
        assert!(error.contains(said), "{changes}: {error}");
    }
}
