//! One policy, and what follows from it.

use http::{Request, Response, header::WWW_AUTHENTICATE};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    JwtAuthLayer, RequireLayer,
    authorize::{PolicyExt, Scopes, StepUp},
};

use super::*;
use crate::support::{claims_with, key};

/// What a policy decides on these scopes, its challenge, the scopes in the metadata, and its text.
async fn outcome(layer: RequireLayer, scope: &str) -> (u16, String, serde_json::Value, String) {
    let (description, metadata) = (layer.describe(), usual().resource("https://api.example.com"));
    let metadata = metadata.scopes_supported(description.scopes()).build().unwrap();
    let outer = JwtAuthLayer::new(verifier()).protected_resource(metadata.clone());
    let service = outer.layer(layer.layer(service_fn(async |_: Request<()>| {
        Ok::<_, std::convert::Infallible>(Response::new(String::new()))
    })));
    let token = key(tower_jwt_auth::Algorithm::ES256).token(&claims_with(json!({"scope": scope})));
    let request = Request::get("/").header("authorization", format!("Bearer {token}"));
    let answer = service.oneshot(request.body(()).unwrap()).await.unwrap();
    let challenge = answer.headers().get(WWW_AUTHENTICATE).map(|it| it.to_str().unwrap());
    let challenge = challenge.unwrap_or_default().to_owned();
    let scopes = document(&metadata)["scopes_supported"].clone();
    (answer.status().as_u16(), challenge, scopes, description.to_string())
}

/// The scopes that the document of OpenAPI requires of the same layer, and its text.
#[cfg(feature = "utoipa")]
fn documented(layer: RequireLayer) -> (serde_json::Value, String) {
    use tower_jwt_auth::openapi::ApiSecurity;
    use utoipa_axum::{router::OpenApiRouter, routes};

    #[utoipa::path(get, path = "/", responses((status = 200)))]
    async fn handler() {}

    let security = ApiSecurity::builder(JwtAuthLayer::new(verifier())).build().unwrap();
    let router = security.secured_by(OpenApiRouter::new().routes(routes!(handler)), layer);
    let (_, document) = security.finish::<()>(router, Default::default()).unwrap();
    let operation = serde_json::to_value(&document).unwrap()["paths"]["/"]["get"].take();
    (operation["security"].clone(), operation["description"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn one_policy_decides_challenges_advertises_and_describes() {
    let read = || RequireLayer::new(Scopes::all_of(["read"]));
    let both = || RequireLayer::new(Scopes::all_of(["read", "write"]));

    let (status, challenge, scopes, text) = outcome(read(), "read").await;
    assert_eq!((status, &*challenge, scopes), (200, "", json!(["read"])));
    assert_eq!(text, "the scope read");

    let (status, challenge, scopes, text) = outcome(both(), "read").await;
    assert_eq!((status, scopes), (403, json!(["read", "write"])));
    assert!(challenge.contains("scope=\"read write\""), "{challenge}");
    assert!(text.contains("read") && text.contains("write"), "{text}");

    let step_up = RequireLayer::new(Scopes::all_of(["pay"]).and(StepUp::acr(["phr"])));
    #[cfg(feature = "utoipa")]
    for (layer, security, said) in [
        (read(), json!([{"bearerAuth": ["read"]}]), "Requires the scope read."),
        (
            both(),
            json!([{"bearerAuth": ["read", "write"]}]),
            "Requires all of the scopes read write.",
        ),
        (
            step_up.clone(),
            json!([{"bearerAuth": ["pay"]}]),
            "Requires the scope pay, and a login of acr phr.",
        ),
    ] {
        assert_eq!(documented(layer), (security, said.to_owned()));
    }
    let (status, challenge, scopes, text) = outcome(step_up, "pay").await;
    assert_eq!((status, scopes), (401, json!(["pay"])));
    for part in ["acr_values=\"phr\"", "scope=\"pay\"", "resource_metadata=\"https://"] {
        assert!(challenge.contains(part), "{challenge}");
    }
    assert!(text.contains("phr") && text.contains("pay"), "{text}");
}
