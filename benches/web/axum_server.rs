//! `GET /me` behind the layer, `GET /identity` behind one that does nothing, `GET /open`
//! without any. All answer the same bytes, made by the same function.

use std::{env, error::Error, fs, sync::LazyLock};

use axum::{
    Json, Router,
    response::{IntoResponse, Response},
    routing::get,
};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tower_jwt_auth::{Claims, JwtAuthLayer, Key, Verifier};
use tower_layer::Identity;

#[derive(Deserialize, Serialize)]
struct User {
    sub: String,
    name: String,
    email: String,
}

static ADA: LazyLock<User> = LazyLock::new(|| User {
    sub: "ada".into(),
    name: "Ada Lovelace".into(),
    email: "ada@example.com".into(),
});

async fn me(user: Claims<User>) -> Response {
    answer(&user)
}

async fn open() -> Response {
    answer(&ADA)
}

fn answer(user: &User) -> Response {
    Json(user).into_response()
}

/// With all defaults: what is measured is what one gets.
fn verifier() -> Result<Verifier<User>, Box<dyn Error>> {
    let key = Key::from_pem(&fs::read_to_string(env::var("KEY_PEM_FILE")?)?)?;
    let verifier = Verifier::builder().claims::<User>()
        .issuer(env::var("ISSUER")?)
        .audience(env::var("AUDIENCE")?)
        .keys(key)
        .build()?;
    Ok(verifier)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let app = Router::new()
        .route("/me", get(me))
        .route_layer(JwtAuthLayer::new(verifier()?))
        .merge(Router::new().route("/identity", get(open)).route_layer(Identity::new()))
        .route("/open", get(open));
    let listener = TcpListener::bind(env::var("BIND")?).await?;
    axum::serve(listener, app).await?;
    Ok(())
}
