//! This crate: its layer and its extractor.

use axum::{Router, http::StatusCode, routing::get};
use harness::{AUDIENCE, Algorithm, ISSUER, Input, KEY_ID, User};
use tower_jwt_auth::{Claims, JwtAuthLayer, Key, Verifier};

fn main() {
    harness::run(Router::new().route("/orders", get(|| async { StatusCode::OK })), app);
}

async fn app(input: &Input) -> Option<Router> {
    let key = match input.algorithm {
        Algorithm::HS256 => Key::hs256(&input.secret),
        _ => Key::from_pem(&input.pem),
    };
    // Every other setting is the default.
    let verifier = Verifier::<User>::builder()
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .keys(key.expect("a key").with_kid(KEY_ID))
        .build()
        .expect("a verifier");
    Some(Router::new().route("/orders", get(orders)).layer(JwtAuthLayer::new(verifier)))
}

async fn orders(user: Claims<User>) -> StatusCode {
    std::hint::black_box(&user.sub);
    StatusCode::OK
}
