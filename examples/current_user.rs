//! For users of FastAPI: its article "OAuth2 with Password (and hashing), Bearer with JWT
//! tokens" in Rust. A user logs in, and handlers get the current user.
//!
//! ```sh
//! cargo run --example current_user
//! ```
//!
//! | in the article | here |
//! |---|---|
//! | `SECRET_KEY`, `ALGORITHM` | `secret`, made anew at each start; [`Key::hs256`] |
//! | `fake_users_db` | [`App::users`] |
//! | `verify_password`, `authenticate_user` | [`authenticate`], off the async threads, a few at once |
//! | `create_access_token` | [`App::token`], with an issuer and an audience |
//! | `oauth2_scheme`, `jwt.decode`, the `except` branches | the layer: [`JwtAuthLayer`] |
//! | `get_current_user` | [`CurrentUser`], an extractor |
//! | `get_current_active_user` | [`ActiveUser`], an extractor |
//! | `Annotated[User, Depends(get_current_active_user)]` | `ActiveUser(user): ActiveUser` |
//! | `login_for_access_token` | [`login`] |
//!
//! One answer differs: a user that is not active is told 403 and not 400, for
//! nothing is wrong with the request.
//!
//! A client may keep a connection of this example for as long as it likes: run it behind a proxy
//! that has time limits, such as nginx (`client_header_timeout`, `client_body_timeout`,
//! `keepalive_timeout`) or Caddy (`read_header`, `read_body`, `idle`). `resource_server` has
//! limits of its own.

#[path = "hashing/mod.rs"]
mod hashing;

use std::{collections::HashMap, env, error::Error, io, process::ExitCode, sync::Arc};

use axum::{
    Form, Json, RequestPartsExt, Router,
    extract::{FromRequestParts, State},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use jsonwebtoken::{EncodingKey, Header, crypto::aws_lc, get_current_timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{net::TcpListener, signal};
use tower_jwt_auth::{Claims, JwtAuthLayer, Key, Verifier};

use crate::hashing::{Hashing, Unhashed};

const ISSUER: &str = "https://app.example.com";
const AUDIENCE: &str = "https://app.example.com/api";

#[derive(Clone, Serialize)]
struct User {
    username: &'static str,
    full_name: &'static str,
    disabled: bool,
    #[serde(skip)]
    password: String,
}

struct App {
    users: HashMap<&'static str, User>,
    /// The hash that the passwords of unknown users are compared with, so that
    /// they take as long as those of known ones.
    nobody: String,
    hashing: Hashing<()>,
    key: EncodingKey,
}

/// The user that the token speaks of, if there is one.
struct CurrentUser(User);

impl FromRequestParts<Arc<App>> for CurrentUser {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        let claims = parts.extract::<Claims>().await.map_err(IntoResponse::into_response)?;
        let user = claims.subject().and_then(|sub| app.users.get(sub)).cloned();
        user.map(Self).ok_or_else(|| {
            let challenge = [(header::WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")];
            (StatusCode::UNAUTHORIZED, challenge, "Could not validate credentials").into_response()
        })
    }
}

/// The same, if they may still come in.
struct ActiveUser(User);

impl FromRequestParts<Arc<App>> for ActiveUser {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        let CurrentUser(user) = parts.extract_with_state(app).await?;
        if user.disabled {
            return Err((StatusCode::FORBIDDEN, "Inactive user").into_response());
        }
        Ok(Self(user))
    }
}

async fn read_users_me(ActiveUser(user): ActiveUser) -> Json<User> {
    Json(user)
}

async fn read_own_items(ActiveUser(user): ActiveUser) -> Json<Value> {
    Json(json!([{ "item_id": "Foo", "owner": user.username }]))
}

#[derive(Deserialize)]
struct Login {
    username: String,
    password: String,
}

async fn login(State(app): State<Arc<App>>, Form(login): Form<Login>) -> Response {
    match authenticate(&app, login).await.map(|user| user.map(|username| app.token(username))) {
        Ok(Some(Ok(token))) => {
            let no_store = [(header::CACHE_CONTROL, "no-store")];
            (no_store, Json(json!({ "access_token": token, "token_type": "bearer" })))
                .into_response()
        }
        Ok(None) => (
            StatusCode::UNAUTHORIZED,
            [(header::WWW_AUTHENTICATE, "Bearer")],
            "Incorrect username or password",
        )
            .into_response(),
        Err(Unhashed::Busy) => {
            let soon = [(header::RETRY_AFTER, "1")];
            (StatusCode::SERVICE_UNAVAILABLE, soon, "Try again later").into_response()
        }
        Err(Unhashed::Failed) | Ok(Some(Err(_))) => {
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn authenticate(app: &App, login: Login) -> Result<Option<&'static str>, Unhashed> {
    let user = app.users.get(&*login.username);
    let hash = user.map_or(&app.nobody, |user| &user.password).clone();
    let is_same = app.hashing.is_same(login.password, hash, None).await?;
    Ok(user.filter(|_| is_same).map(|user| user.username))
}

impl App {
    fn token(&self, username: &str) -> jsonwebtoken::errors::Result<String> {
        let exp = get_current_timestamp() + 30 * 60;
        let claims = json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": username, "exp": exp });
        jsonwebtoken::encode(&Header::default(), &claims, &self.key)
    }
}

async fn app(secret: [u8; 32]) -> Result<(Router, Arc<App>), Box<dyn Error>> {
    let hashing = Hashing::new();
    let hash = async |password: &str| {
        let hash = hashing.hash(password.into(), None).await;
        hash.map_err(|_| "a password cannot be hashed")
    };
    let john = User {
        username: "johndoe",
        full_name: "John Doe",
        disabled: false,
        password: hash("secret").await?,
    };
    let alice = User {
        username: "alice",
        full_name: "Alice Wonderson",
        disabled: true,
        password: hash("secret2").await?,
    };
    let app = Arc::new(App {
        users: [john, alice].into_iter().map(|user| (user.username, user)).collect(),
        nobody: hash("").await?,
        hashing,
        key: EncodingKey::from_secret(&secret),
    });
    let verifier: Verifier =
        Verifier::builder().issuer(ISSUER).audience(AUDIENCE).keys(Key::hs256(secret)).build()?;
    let router = Router::new()
        .route("/users/me", get(read_users_me))
        .route("/users/me/items", get(read_own_items))
        .route_layer(JwtAuthLayer::new(verifier))
        .route("/token", post(login))
        .with_state(Arc::clone(&app));
    Ok((router, app))
}

async fn run() -> Result<(), Box<dyn Error>> {
    let bind = env::var("BIND").unwrap_or_else(|_| "127.0.0.1:3000".into());
    let listener = TcpListener::bind(&bind)
        .await
        .map_err(|error| format!("cannot listen on BIND={bind}: {error}"))?;
    let mut secret = [0; 32];
    aws_lc_rs::rand::fill(&mut secret)?;
    let (router, app) = app(secret).await?;

    print_tour(&format!("http://{}", listener.local_addr()?), &app)?;
    axum::serve(listener, router).with_graceful_shutdown(stopped()).await?;
    Ok(())
}

fn print_tour(url: &str, app: &App) -> Result<(), Box<dyn Error>> {
    println!("listening on {url}, stop with ctrl-c\n");
    let login = |user, password| format!("{url}/token -d username={user} -d password={password}");
    println!("# log in: 200 access_token\ncurl -i {}\n", login("johndoe", "secret"));
    println!("# wrong password: 401 Incorrect\ncurl -i {}\n", login("johndoe", "terces"));
    println!("# unknown user: 401 Incorrect\ncurl -i {}\n", login("nobody", "secret"));
    println!("# without a token: 401 www-authenticate: Bearer\ncurl -i {url}/users/me\n");
    for (what, answer, path, user) in [
        ("current user", r#"200 "full_name":"John Doe""#, "me", "johndoe"),
        ("their items", r#"200 "owner":"johndoe""#, "me/items", "johndoe"),
        ("inactive user", "403 Inactive user", "me", "alice"),
        ("user that is gone", "401 Could not validate credentials", "me", "bob"),
    ] {
        let token = app.token(user)?;
        println!("# {what}: {answer}");
        println!("curl -i {url}/users/{path} -H \"Authorization: Bearer {token}\"\n");
    }
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
            eprintln!("current_user: {error}");
            ExitCode::FAILURE
        }
    }
}
