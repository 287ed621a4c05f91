//! jwt-authorizer, with a key at hand: a key set on the network takes a lock for each
//! request.

use axum::{Router, http::StatusCode, routing::get};
use harness::{AUDIENCE, Algorithm, ISSUER, Input, User};
use jwt_authorizer::{IntoLayer, JwtAuthorizer, JwtClaims, Validation};

fn main() {
    harness::run(Router::new().route("/orders", get(|| async { StatusCode::OK })), app);
}

async fn app(input: &Input) -> Option<Router> {
    let authorizer = match input.algorithm {
        Algorithm::HS256 => JwtAuthorizer::<User>::from_secret(&input.secret),
        Algorithm::RS256 => JwtAuthorizer::from_rsa_pem_text(&input.pem),
        Algorithm::ES256 => JwtAuthorizer::from_ec_pem_text(&input.pem),
        Algorithm::EdDSA => JwtAuthorizer::from_ed_pem_text(&input.pem),
    };
    let authorizer = authorizer
        .validation(Validation::new().iss(&[ISSUER]).aud(&[AUDIENCE]))
        .build()
        .await
        .expect("an authorizer");
    Some(Router::new().route("/orders", get(orders)).layer(authorizer.into_layer()))
}

async fn orders(JwtClaims(user): JwtClaims<User>) -> StatusCode {
    std::hint::black_box(&user.sub);
    StatusCode::OK
}
