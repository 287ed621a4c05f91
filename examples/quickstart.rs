//! For users of axum: an application with public and protected routes. It needs no set-up.
//!
//! ```sh
//! cargo run --example quickstart
//! ```
//!
//! It makes a key pair, prints tokens that this pair signed, and `curl` lines to
//! try them with. `BIND=127.0.0.1:8080` sets another address. Your own service
//! gets its tokens from an identity provider. So it needs only the function `guarded`.
//!
//! A client may keep a connection of this example for as long as it likes: run it behind a proxy
//! that has time limits, such as nginx (`client_header_timeout`, `client_body_timeout`,
//! `keepalive_timeout`) or Caddy (`read_header`, `read_body`, `idle`). `resource_server` has
//! limits of its own.

use std::{env, error::Error, io, process::ExitCode};

use aws_lc_rs::{
    encoding::AsDer,
    signature::{Ed25519KeyPair, KeyPair},
};
use axum::{Json, Router, routing::get};
use jsonwebtoken::{Algorithm, EncodingKey, Header, crypto::aws_lc, get_current_timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{net::TcpListener, signal};
use tower_jwt_auth::{Claims, ConfigError, JwtAuthLayer, Key, RequireLayer, TokenSource, Verifier};

const ISSUER: &str = "https://login.example.com";
const AUDIENCE: &str = "https://api.example.com";

/// The claims that the handlers read from a token, beside the registered claims.
#[derive(Deserialize)]
struct User {
    name: String,
}

fn guarded(key: Key) -> Result<Router, ConfigError> {
    let verifier =
        Verifier::builder().claims::<User>().issuer(ISSUER).audience(AUDIENCE).keys(key).build()?;
    let auth = JwtAuthLayer::new(verifier).source(TokenSource::cookie("access_token").build()?);

    Ok(Router::new()
        .route("/admin", get(admin))
        .route_layer(RequireLayer::scopes(["admin"]))
        .route("/me", get(me))
        .route_layer(auth)
        // A `route_layer` wraps only the routes above it: this one is public.
        .route("/", get(async || "hello, whoever you are\n")))
}

async fn me(user: Claims<User>) -> Json<Value> {
    Json(json!({ "name": user.name, "sub": user.registered().subject() }))
}

async fn admin(user: Claims<User>) -> String {
    format!("hello {}, you may do anything\n", user.name)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let bind = env::var("BIND").unwrap_or_else(|_| "127.0.0.1:3000".into());
    let listener = TcpListener::bind(&bind)
        .await
        .map_err(|error| format!("cannot listen on BIND={bind}: {error}"))?;
    let pair = Ed25519KeyPair::generate()?;
    let app = guarded(Key::from_der(pair.public_key().as_der()?.as_ref())?)?;

    print_tour(&format!("http://{}", listener.local_addr()?), &pair)?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await?;
    Ok(())
}

/// Signs claims, as an identity provider does.
fn token(pair: &Ed25519KeyPair, scope: &str, expires_in: i64) -> Result<String, Box<dyn Error>> {
    let claims = json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "name": "Alice",
        "scope": scope,
        "exp": get_current_timestamp().saturating_add_signed(expires_in),
    });
    let key = EncodingKey::from_ed_der(pair.to_pkcs8v1()?.as_ref());
    Ok(jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &claims, &key)?)
}

fn print_tour(url: &str, pair: &Ed25519KeyPair) -> Result<(), Box<dyn Error>> {
    let plain = token(pair, "", 3600)?;
    let admin = token(pair, "admin", 3600)?;
    let expired = token(pair, "admin", -3600)?;
    // The claims of the one with the signature of the other.
    let (_, signature) = plain.rsplit_once('.').ok_or("a token has dots")?;
    let (claims, _) = admin.rsplit_once('.').ok_or("a token has dots")?;
    let forged = format!("{claims}.{signature}");
    let alice = r#"{"name":"Alice","sub":"alice"}"#;

    println!("listening on {url}, stop with ctrl-c\n\na token, good for an hour:\n{plain}\n");
    println!("# public: 200 hello, whoever you are\ncurl -i {url}/\n");
    println!("# protected, without a token: 401 www-authenticate: Bearer\ncurl -i {url}/me\n");
    for (what, answer, path, token) in [
        ("protected", format!("200 {alice}"), "me", &plain),
        ("wrong token", "401 error=\"invalid_token\"".into(), "me", &forged),
        ("expired token", "401 error=\"invalid_token\"".into(), "me", &expired),
        ("scope", "200 hello Alice, you may do anything".into(), "admin", &admin),
        ("missing scope", "403 error=\"insufficient_scope\"".into(), "admin", &plain),
    ] {
        println!("# {what}: {answer}");
        println!("curl -i {url}/{path} -H \"Authorization: Bearer {token}\"\n");
    }
    println!("# cookie: 200 {alice}\ncurl -i {url}/me -b access_token={plain}\n");
    Ok(())
}

/// Waits for ctrl-c or, on Unix, for SIGTERM.
async fn stopped() {
    #[cfg(unix)]
    let terminated = async {
        match signal::unix::signal(signal::unix::SignalKind::terminate()) {
            Ok(mut terminate) => terminate.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        _ = signal::ctrl_c() => {}
        _ = terminated => {}
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    // The log says why a token was refused; the client is not told.
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    // With both back ends in the build, jsonwebtoken panics unless it is told one.
    let _ = aws_lc::DEFAULT_PROVIDER.install_default();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickstart: {error}");
            ExitCode::FAILURE
        }
    }
}
