//! The recipe for aide of the guide on OpenAPI.

// The recipe begins here.
use aide::{
    OperationInput, OperationOutput,
    axum::routing::{ApiMethodRouter, get_with},
    operation::OperationHandler,
    transform::TransformOperation,
};
use axum::handler::Handler;
use tower_jwt_auth::{RequireLayer, authorize::PolicyDescription};

/// A route for `GET` that requires a policy, and documents it.
fn get_secured<H, I, O, T, S>(handler: H, layer: RequireLayer) -> ApiMethodRouter<S>
where
    H: Handler<T, S> + OperationHandler<I, O>,
    I: OperationInput,
    O: OperationOutput,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    let policy = layer.describe();
    get_with(handler, |operation| documented(operation, &policy)).layer(layer)
}

fn documented<'t>(
    mut operation: TransformOperation<'t>,
    policy: &PolicyDescription,
) -> TransformOperation<'t> {
    // `security_requirement_scopes` would add the scopes of the second requirement to the first one.
    let security = &mut operation.inner_mut().security;
    security.extend(policy.alternatives().iter().map(|alternative| {
        [("bearerAuth".to_owned(), alternative.scopes().to_vec())].into_iter().collect()
    }));
    operation.description(&format!("Requires {policy}."))
}
// The recipe ends here.

use aide::{axum::ApiRouter, openapi::OpenApi};
use axum::{body::Body, http::Request};
use serde_json::json;
use tower::ServiceExt;
use tower_jwt_auth::{JwtAuthLayer, authorize::Scopes, testing::TestIssuer};

async fn orders() -> &'static str {
    "orders"
}

#[tokio::test]
async fn a_recipe_for_aide_enforces_and_documents() {
    let issuer = TestIssuer::new();
    let policy = RequireLayer::new(Scopes::any_of(["orders:read", "orders:all"]));
    let mut document = OpenApi::default();
    let router = ApiRouter::new()
        .api_route("/orders", get_secured(orders, policy))
        .finish_api(&mut document)
        .layer(JwtAuthLayer::new(issuer.verifier()));

    let document = serde_json::to_value(&document).unwrap();
    let get = &document["paths"]["/orders"]["get"];
    let expected = json!([{"bearerAuth": ["orders:read"]}, {"bearerAuth": ["orders:all"]}]);
    assert_eq!(get["security"], expected);
    assert_eq!(get["description"], "Requires one of the scopes orders:read orders:all.");

    for (scope, status) in [("orders:all", 200), ("orders:read", 200), ("orders", 403)] {
        let token = issuer.token().scopes([scope]).sign();
        let request = Request::get("/orders").header("authorization", format!("Bearer {token}"));
        let answer = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), status, "{scope}");
    }
}

#[test]
fn the_guide_has_this_recipe() {
    let own = include_str!("aide_recipe.rs");
    let (_, own) = own.split_once("// The recipe begins here.\n").unwrap();
    let (own, _) = own.split_once("// The recipe ends here.\n").unwrap();
    assert!(include_str!("../../docs/guides/openapi.md").contains(own));
}
