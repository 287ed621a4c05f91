//! oauth-resource-server, with a key set at hand (`initial_jwks`). It refuses HMAC.

use std::sync::Arc;

use axum::{Router, http::StatusCode, routing::get};
use harness::{AUDIENCE, Algorithm, ISSUER, Input, User};
use oauth_resource_server::{
    AuthorizedToken, KeyNaming, OAuthConfig, OAuthValidator, axum::AuthLayer,
};

fn main() {
    harness::run(Router::new().route("/orders", get(|| async { StatusCode::OK })), app);
}

async fn app(input: &Input) -> Option<Router> {
    if input.algorithm == Algorithm::HS256 {
        return None;
    }
    let config = OAuthConfig {
        enabled: true,
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        resource: AUDIENCE.to_owned(),
        // It demands a scope otherwise, which nobody else here does.
        allow_unscoped_tokens: true,
        ..OAuthConfig::default()
    };
    let config = config.resolve(KeyNaming::Dotted("oauth")).expect("settings").expect("enabled");
    // Without `spawn_background_refresh`, it fetches nothing while it knows the `kid`.
    let validator =
        OAuthValidator::builder(&config).initial_jwks(&input.key_set).build().expect("a validator");
    let layer = AuthLayer::builder().oauth(Arc::new(validator)).build().expect("a layer");
    Some(Router::new().route("/orders", get(orders)).route_layer(layer))
}

/// Its extractor has the claims as a map, and its documentation this way to a type.
async fn orders(token: AuthorizedToken) -> StatusCode {
    let Ok(user) = token.claims_as::<User>() else { return StatusCode::UNAUTHORIZED };
    std::hint::black_box(&user.sub);
    StatusCode::OK
}
