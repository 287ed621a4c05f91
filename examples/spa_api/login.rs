//! Takes the place of an identity provider, so that the example needs no set-up.
//!
//! Do not copy it: the passwords are in the code, and nothing limits guesses. A real page gets its
//! token from an identity provider, by the authorization code flow with PKCE (RFC 7636). A service
//! with users of its own hashes passwords, as the example `auth_server` does.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use serde::Deserialize;
use serde_json::json;
use tower_jwt_auth::{
    Algorithm, ConfigError, Verifier,
    issue::{Grant, SigningKey, TokenIssuer},
    response::Rejection,
};

const AUDIENCE: &str = "https://api.example.com";

pub(crate) fn issuer(lifetime: Duration) -> Result<TokenIssuer, ConfigError> {
    TokenIssuer::builder()
        .issuer("https://login.example.com")
        .audience(AUDIENCE)
        .lifetime(lifetime)
        .key(SigningKey::generate(Algorithm::EdDSA)?)
        .build()
}

pub(crate) fn verifier(issuer: &TokenIssuer) -> Result<Verifier, ConfigError> {
    Verifier::builder()
        .audience(AUDIENCE)
        .keys(issuer.key_source())
        // Issuer and verifier have the same clock here. Keep the default for other issuers.
        .leeway(Duration::ZERO)
        .build()
}

pub(crate) fn routes(issuer: TokenIssuer) -> Router {
    Router::new().route("/login", post(login)).with_state(issuer)
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

async fn login(State(issuer): State<TokenIssuer>, Json(user): Json<Credentials>) -> Response {
    let scope = match (&*user.username, &*user.password) {
        ("ada", "secret") => "profile",
        ("grace", "secret") => "profile reports",
        _ => return wrong_password(),
    };
    match issuer.issue(Grant::new(user.username).scope(scope)) {
        Ok(token) => {
            let body = json!({
                "access_token": token.as_str(),
                "token_type": "Bearer",
                "expires_in": token.lifetime().as_secs(),
            });
            ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
        }
        Err(error) => Rejection::from(error).into_response(),
    }
}

fn wrong_password() -> Response {
    let headers =
        [(header::CONTENT_TYPE, "application/problem+json"), (header::WWW_AUTHENTICATE, "Bearer")];
    let problem =
        json!({ "title": "Unauthorized", "status": 401, "detail": "wrong username or password" });
    (StatusCode::UNAUTHORIZED, headers, problem.to_string()).into_response()
}
