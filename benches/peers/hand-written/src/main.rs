//! What most services have: an extractor of their own over `jsonwebtoken::decode`, as in
//! axum's example `jwt`. Other than there, it asks for issuer and audience, makes its
//! `Validation` once, and refuses with 401 and no body, which is quicker.

use std::sync::Arc;

use axum::{
    RequestPartsExt, Router,
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
    routing::get,
};
use axum_extra::{
    TypedHeader,
    headers::{Authorization, authorization::Bearer},
};
use harness::{AUDIENCE, Algorithm, ISSUER, Input, User};
use jsonwebtoken::{DecodingKey, Validation, decode};

struct Keys {
    decoding: DecodingKey,
    validation: Validation,
}

struct Claims(User);

impl FromRequestParts<Arc<Keys>> for Claims {
    type Rejection = StatusCode;

    async fn from_request_parts(
        parts: &mut Parts,
        keys: &Arc<Keys>,
    ) -> Result<Self, Self::Rejection> {
        let TypedHeader(Authorization(bearer)) = parts
            .extract::<TypedHeader<Authorization<Bearer>>>()
            .await
            .map_err(|_| StatusCode::UNAUTHORIZED)?;
        let token = decode(bearer.token(), &keys.decoding, &keys.validation)
            .map_err(|_| StatusCode::UNAUTHORIZED)?;
        Ok(Self(token.claims))
    }
}

fn main() {
    harness::run(Router::new().route("/orders", get(|| async { StatusCode::OK })), app);
}

async fn app(input: &Input) -> Option<Router> {
    let pem = input.pem.as_bytes();
    let decoding = match input.algorithm {
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
    let keys = Keys { decoding: decoding.expect("a key"), validation };
    Some(Router::new().route("/orders", get(orders)).with_state(Arc::new(keys)))
}

async fn orders(Claims(user): Claims) -> StatusCode {
    std::hint::black_box(&user.sub);
    StatusCode::OK
}
