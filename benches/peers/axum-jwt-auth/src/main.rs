//! axum-jwt-auth, with a key at hand (`LocalDecoder`), which asks for less than its key
//! sets: no look at the `kid`.

use std::sync::Arc;

use axum::{Router, extract::FromRef, http::StatusCode, routing::get};
use axum_jwt_auth::{Claims, Decoder, LocalDecoder};
use harness::{AUDIENCE, Algorithm, ISSUER, Input, User};
use jsonwebtoken::{DecodingKey, Validation};

#[derive(Clone, FromRef)]
struct AppState {
    decoder: Decoder<User>,
}

fn main() {
    harness::run(Router::new().route("/orders", get(|| async { StatusCode::OK })), app);
}

async fn app(input: &Input) -> Option<Router> {
    let pem = input.pem.as_bytes();
    let key = match input.algorithm {
        Algorithm::HS256 => Ok(DecodingKey::from_secret(input.secret.as_bytes())),
        Algorithm::RS256 => DecodingKey::from_rsa_pem(pem),
        Algorithm::ES256 => DecodingKey::from_ec_pem(pem),
        Algorithm::EdDSA => DecodingKey::from_ed_pem(pem),
    };
    let algorithm = input.algorithm.to_string().parse().expect("a known algorithm");
    let mut validation = Validation::new(algorithm);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    let decoder = LocalDecoder::builder()
        .keys(vec![key.expect("a key")])
        .validation(validation)
        .build()
        .expect("a decoder");
    let state = AppState { decoder: Arc::new(decoder) };
    Some(Router::new().route("/orders", get(orders)).with_state(state))
}

async fn orders(user: Claims<User>) -> StatusCode {
    std::hint::black_box(&user.claims.sub);
    StatusCode::OK
}
