//! axum-jwks, with a key set at hand. It knows RSA alone, and has no setting for the
//! issuer.

use axum::{
    Router,
    extract::FromRef,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use axum_jwks::{Claims, Jwks, ParseTokenClaims, TokenError};
use harness::{AUDIENCE, Algorithm, Input};
use serde::Deserialize;

#[derive(Clone)]
struct AppState {
    jwks: Jwks,
}

/// As its documentation has it.
impl FromRef<AppState> for Jwks {
    fn from_ref(state: &AppState) -> Self {
        state.jwks.clone()
    }
}

/// `harness::User`, for which its trait cannot be implemented here.
#[derive(Deserialize)]
#[serde(transparent)]
struct User(harness::User);

impl ParseTokenClaims for User {
    type Rejection = Refused;
}

struct Refused;

impl From<TokenError> for Refused {
    fn from(_: TokenError) -> Self {
        Self
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        StatusCode::UNAUTHORIZED.into_response()
    }
}

fn main() {
    harness::run(Router::new().route("/orders", get(|| async { StatusCode::OK })), app);
}

async fn app(input: &Input) -> Option<Router> {
    if input.algorithm != Algorithm::RS256 {
        return None;
    }
    let keys = serde_json::from_str(&input.key_set).expect("a key set");
    let jwks = Jwks::from_jwk_set(keys, Some(AUDIENCE), None).expect("keys");
    Some(Router::new().route("/orders", get(orders)).with_state(AppState { jwks }))
}

async fn orders(Claims(User(user)): Claims<User>) -> StatusCode {
    std::hint::black_box(&user.sub);
    StatusCode::OK
}
