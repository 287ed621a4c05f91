//! For services that keep sessions in their own database: refresh tokens and revocations in
//! SQLite. The sessions outlive the process.
//!
//! ```sh
//! cargo run --package sqlite_sessions
//! ```
//!
//! The stores are in `store.rs`: copy it for another database. `DATABASE` names the file;
//! without it, the sessions are in a temporary one.
//!
//! The signing key is made anew at each start here, so that no access token outlives the
//! process; the refresh tokens do. Load yours with [`SigningKey::from_pem`].

#[path = "../serve/mod.rs"]
mod serve;
mod store;

use std::{
    env,
    error::Error,
    io,
    process::{self, ExitCode},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use tokio::{net::TcpListener, task, time};
use tower_jwt_auth::{
    Algorithm, Claims,
    issue::{SigningKey, TokenIssuer},
    refresh::{Login, RefreshTokens},
    sessions::Sessions,
};

use crate::{
    serve::{serve, stopped},
    store::SqliteStore,
};

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

/// Compare with a hash instead, as the example `current_user` does.
fn is_known(user: &Credentials) -> bool {
    user.username == "ada" && user.password == "secret"
}

async fn login(
    State(sessions): State<Sessions>,
    parts: Parts,
    Json(user): Json<Credentials>,
) -> Response {
    if !is_known(&user) {
        return (StatusCode::UNAUTHORIZED, "Incorrect username or password").into_response();
    }
    sessions.login(&parts, Login::new(user.username)).await.into_response()
}

async fn me(user: Claims) -> String {
    user.subject().unwrap_or_default().to_owned()
}

fn sessions(store: &SqliteStore) -> Result<Sessions, Box<dyn Error>> {
    let issuer = TokenIssuer::builder()
        .issuer("https://app.example.com")
        .audience("https://app.example.com/api")
        .key(SigningKey::generate(Algorithm::EdDSA)?)
        .build()?;
    Ok(Sessions::builder(issuer)
        .refresh_tokens(RefreshTokens::builder(store.clone()).build()?)
        .denylist(store.clone())
        .build()?)
}

fn app(sessions: &Sessions) -> Result<Router, Box<dyn Error>> {
    Ok(Router::new()
        .route("/me", get(me))
        .route_layer(sessions.layer()?)
        .route("/auth/login", post(login))
        .route_service("/auth/refresh", sessions.refresh_service())
        .route_service("/auth/logout", sessions.logout_service())
        .with_state(sessions.clone()))
}

async fn run() -> Result<(), Box<dyn Error>> {
    let bind = env::var("BIND").unwrap_or_else(|_| "127.0.0.1:3000".into());
    let listener = TcpListener::bind(&bind)
        .await
        .map_err(|error| format!("cannot listen on BIND={bind}: {error}"))?;
    let temporary = env::temp_dir().join(format!("sqlite_sessions-{}.db", process::id()));
    let file = env::var("DATABASE").unwrap_or_else(|_| temporary.display().to_string());
    let store = SqliteStore::open(&file)
        .await
        .map_err(|error| format!("cannot open DATABASE={file}: {error}"))?;
    let sweeper = task::spawn(sweep(store.clone()));
    let sessions = sessions(&store)?;

    print_tour(&format!("http://{}", listener.local_addr()?), &sessions).await?;
    serve(listener, app(&sessions)?, stopped()).await;
    sweeper.abort();
    Ok(())
}

async fn sweep(store: SqliteStore) {
    let mut ticks = time::interval(Duration::from_secs(10 * 60));
    loop {
        ticks.tick().await;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if let Err(error) = store.sweep(i64::try_from(now).unwrap_or(i64::MAX)).await {
            eprintln!("what is over could not be deleted: {error}");
        }
    }
}

/// Requests to try, with the answers to expect.
async fn print_tour(url: &str, sessions: &Sessions) -> Result<(), Box<dyn Error>> {
    println!("listening on {url}, stop with ctrl-c\n");
    let json = "-H 'content-type: application/json'";
    let login = |password| {
        let body = format!(r#"{{"username":"ada","password":"{password}"}}"#);
        format!("curl -i {url}/auth/login {json} -H 'accept: application/json' -d '{body}'\n")
    };
    let refresh = |token: &str| {
        format!("curl -i {url}/auth/refresh {json} -d '{{\"refresh_token\":\"{token}\"}}'\n")
    };
    let me = |token: &str| format!("curl -i {url}/me -H 'authorization: Bearer {token}'\n");
    println!("# log in: 200 refresh_token\n{}", login("secret"));
    println!("# wrong password: 401 Incorrect\n{}", login("terces"));

    let first = sessions.open(Login::new("ada")).await?;
    println!("# who am I: 200 ada\n{}", me(first.access().as_str()));
    println!("# refresh: 200 access_token\n{}", refresh(first.refresh()));
    println!("# again, for the answer was lost: 200 access_token\n{}", refresh(first.refresh()));
    println!(
        "# log out: 204 no-store\ncurl -i -X POST {url}/auth/logout \
         -H 'authorization: Bearer {}'\n",
        first.access().as_str()
    );
    println!("# after that: 401 invalid_token\n{}", me(first.access().as_str()));
    println!("# and: 401 invalid_grant\n{}", refresh(first.refresh()));

    // A token is stolen, and used when its successor has been used as well.
    let stolen = sessions.open(Login::new("ada")).await?;
    let next = sessions.refresh(stolen.refresh()).await?;
    let last = sessions.refresh(next.refresh()).await?;
    println!("# before the theft: 200 ada\n{}", me(last.access().as_str()));
    println!("# a spent token: 401 invalid_grant\n{}", refresh(stolen.refresh()));
    println!("# its session is ended: 401 invalid_grant\n{}", refresh(last.refresh()));
    println!("# and its access tokens: 401 invalid_token\n{}", me(last.access().as_str()));
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    // The log says why a token was refused; the client is not told.
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sqlite_sessions: {error}");
            ExitCode::FAILURE
        }
    }
}
