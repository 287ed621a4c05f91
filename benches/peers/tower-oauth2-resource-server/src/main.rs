//! tower-oauth2-resource-server, with a key set at hand.

use axum::{Extension, Router, http::StatusCode, routing::get};
use harness::{AUDIENCE, ISSUER, Input, User};
use tower_oauth2_resource_server::{
    server::OAuth2ResourceServer, tenant::TenantConfiguration, validation::ClaimsValidationSpec,
};

fn main() {
    harness::run(Router::new().route("/orders", get(|| async { StatusCode::OK })), app);
}

async fn app(input: &Input) -> Option<Router> {
    let claims = ClaimsValidationSpec::new().exp(true).iss(ISSUER).aud(&vec![AUDIENCE.to_owned()]);
    let tenant = TenantConfiguration::static_builder(&input.key_set)
        .claims_validation(claims)
        // HS256 is off unless it is named.
        .allowed_algorithms(&[input.algorithm.to_string().parse().expect("a known algorithm")])
        .build()
        .expect("a tenant");
    let server = OAuth2ResourceServer::<User>::builder()
        .add_tenant(tenant)
        .build()
        .await
        .expect("a resource server");
    Some(Router::new().route("/orders", get(orders)).layer(server.into_layer()))
}

async fn orders(Extension(user): Extension<User>) -> StatusCode {
    std::hint::black_box(&user.sub);
    StatusCode::OK
}
