//! This crate: its layer and its extractor.

use axum::{Router, http::StatusCode, routing::get};
use harness::{AUDIENCE, Algorithm, ISSUER, Input, KEY_ID, User};
use tower_jwt_auth::{Claims, JwtAuthLayer, Key, Verifier, verifier::Cache};

fn main() {
    harness::run(Router::new().route("/orders", get(|| async { StatusCode::OK })), app);
}

async fn app(input: &Input) -> Option<Router> {
    let key = match input.algorithm {
        Algorithm::HS256 => Key::hs256(&input.secret),
        _ => Key::from_pem(&input.pem),
    };
    // Every other setting is the default, but for a cache that is too small for more than
    // a few of the different tokens: each of those is to be verified.
    let verifier = Verifier::builder().claims::<User>()
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .keys(key.expect("a key").with_kid(KEY_ID))
        .cache(Cache::of_bytes(256 * 1024))
        .build()
        .expect("a verifier");
    Some(Router::new().route("/orders", get(orders)).layer(JwtAuthLayer::new(verifier)))
}

async fn orders(user: Claims<User>) -> StatusCode {
    std::hint::black_box(&user.sub);
    StatusCode::OK
}
