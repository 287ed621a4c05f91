//! For services with users of their own: a complete small application. Users register, log in,
//! stay logged in, see their sessions and end them, in a browser and from other clients.
//!
//! ```sh
//! cargo run --example auth_server --features redis
//! ```
//!
//! | variable | meaning |
//! |---|---|
//! | `BIND` | the address to listen on; default `127.0.0.1:3000` |
//! | `PUBLIC_URL` | the origin that browsers use, such as `https://app.example.com`; default: `http://` and the address |
//! | `ISSUER` | the name in the tokens, an `https` URL, or `http` on loopback; default: `PUBLIC_URL` |
//! | `SIGNING_KEY` | a PEM file with a private key, the same for all processes; default: one made anew at each start |
//! | `REDIS_URL` | where several processes keep users and sessions; default: each has its own in memory |
//! | `ACCESS_SECS` | how long an access token lasts; default 900 |
//! | `ADDRESS_HEADER` | behind a proxy: the header that it sets to the client's address, such as `x-real-ip`; default: the address that connects |
//! | `DPOP=1` | the page signs its requests with a key that no script can copy (RFC 9449): its access token is in its memory and no cookie, and tokens that were copied are of no use |
//! | `DPOP_NONCE_SECRET` | for `DPOP=1`: 32 random bytes or more as text, the same for all processes; default: made anew at each start |
//! | `DEVELOPMENT_COOKIES=1` | cookies for plain HTTP on this machine, where a browser wants that |
//! | `LOG` | `warn`, which is the default, or `info`, which tells why a token is refused |
//!
//! | route | answer |
//! |---|---|
//! | `GET /` | the page |
//! | `GET /account` | a page without scripts, whose session is renewed by redirects; not with `DPOP=1` |
//! | `POST /auth/register` | 201, also for an email that is known |
//! | `POST /auth/login` | 200: cookies for a browser, tokens for `Accept: application/json`; with `DPOP=1`, a browser gets its bound access token in the body |
//! | `POST /auth/refresh`, `POST /auth/logout` | those of the crate |
//! | `POST /auth/logout-all` | 204: every session of the user has ended |
//! | `GET /auth/sessions`, `DELETE /auth/sessions/{id}` | the user's sessions; 204, one has ended |
//! | `GET /me` | who is logged in |
//! | `GET /.well-known/jwks.json`, `GET /health` | the public keys; 200 |
//! | `GET /.well-known/oauth-authorization-server`, `GET /.well-known/openid-configuration` | the metadata, by which other services find the keys |

mod api;
mod attempts;
#[path = "../hashing/mod.rs"]
mod hashing;
mod problem;
#[path = "../serve/mod.rs"]
mod serve;
mod users;

use std::{
    env,
    error::Error,
    fs,
    io::{self, Write},
    net::{IpAddr, SocketAddr},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{ConnectInfo, DefaultBodyLimit},
    http::{HeaderName, HeaderValue, StatusCode, header, request::Parts},
    middleware::map_response,
    response::Response,
    routing::{delete, get, post},
};
use serde_json::json;
use tokio::net::TcpListener;
use tower_jwt_auth::{
    Algorithm,
    issue::{Grant, SigningKey, TokenCookies, TokenIssuer},
    proof::{DPoP, DPoPBuilder, MemoryReplayStore, Nonces},
    redis::Redis,
    refresh::{RefreshTokens, Session},
    response::ProblemJson,
    sessions::Sessions,
    verifier::RuleError,
};
use tracing_subscriber::filter::LevelFilter;

use crate::{
    api::Profile,
    attempts::{Attempts, Network},
    problem::Problem,
    serve::{serve, stopped},
    users::{Passwords, Users},
};

#[derive(Clone)]
struct App {
    sessions: Sessions,
    users: Arc<Users>,
    passwords: Arc<Passwords>,
    attempts: Attempts,
    address_header: Option<HeaderName>,
    /// The part of the page that sends its requests.
    session_script: &'static str,
}

impl App {
    /// The address of the client, as the proxy says it, or as the connection does.
    fn client(&self, request: &Parts) -> Result<Network, Problem> {
        let address: Option<IpAddr> = match &self.address_header {
            Some(name) => {
                let value = request.headers.get(name).and_then(|value| value.to_str().ok());
                value.and_then(|value| value.trim().parse().ok())
            }
            None => {
                let connection = request.extensions.get::<ConnectInfo<SocketAddr>>();
                connection.map(|ConnectInfo(address)| address.ip())
            }
        };
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let address = address
            .ok_or_else(|| Problem::new(status, "the address of the client is not known"))?;
        Ok(Network::of(address))
    }
}

/// A variable that is set and not empty.
fn variable(name: &str) -> Result<Option<String>, Box<dyn Error>> {
    match env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(format!("{name} is no text").into()),
    }
}

fn signing_key() -> Result<SigningKey, Box<dyn Error>> {
    let Some(file) = variable("SIGNING_KEY")? else {
        return Ok(SigningKey::generate(Algorithm::EdDSA)?);
    };
    let about = |error: Box<dyn Error>| format!("SIGNING_KEY={file}: {error}");
    let pem = fs::read(&file).map_err(|error| about(error.into()))?;
    Ok(SigningKey::from_pem(pem).map_err(|error| about(error.into()))?)
}

fn cookies(public_url: &str) -> Result<TokenCookies, Box<dyn Error>> {
    let cookies = match is_on("DEVELOPMENT_COOKIES")? {
        false => TokenCookies::builder().public_origin(public_url),
        true => TokenCookies::builder().development(public_url),
    };
    Ok(cookies.build().map_err(|error| format!("PUBLIC_URL={public_url}: {error}"))?)
}

/// Whether a variable is 1 and not 0.
fn is_on(name: &str) -> Result<bool, Box<dyn Error>> {
    match variable(name)?.as_deref() {
        None | Some("0") => Ok(false),
        Some("1") => Ok(true),
        Some(other) => Err(format!("{name} is 0 or 1 and not {other:?}").into()),
    }
}

/// The check of proofs, without the store of those that were accepted.
fn dpop(public_url: &str) -> Result<Option<DPoPBuilder>, Box<dyn Error>> {
    let secret = variable("DPOP_NONCE_SECRET")?;
    if !is_on("DPOP")? {
        let is_useless = secret.is_some();
        return if is_useless { Err("DPOP_NONCE_SECRET needs DPOP=1".into()) } else { Ok(None) };
    }
    let secret = match secret {
        Some(secret) => secret.into_bytes(),
        None => {
            let mut secret = vec![0; 32];
            aws_lc_rs::rand::fill(&mut secret).map_err(|_| "there are no random bytes")?;
            secret
        }
    };
    let nonces = Nonces::new(secret).map_err(|error| format!("DPOP_NONCE_SECRET: {error}"))?;
    // The clock of a browser may be wrong, and a nonce says the time of the proof.
    Ok(Some(DPoP::optional().public_url(public_url).nonces(nonces.any_client_clock())))
}

async fn app(public_url: &str) -> Result<App, Box<dyn Error>> {
    let seconds = match variable("ACCESS_SECS")? {
        None => 900,
        Some(text) => {
            text.parse().map_err(|_| format!("ACCESS_SECS is whole seconds and not {text:?}"))?
        }
    };
    let cookies = cookies(public_url)?;
    let issuer = TokenIssuer::builder()
        .issuer(variable("ISSUER")?.unwrap_or_else(|| public_url.into()))
        .audience(public_url)
        .lifetime(Duration::from_secs(seconds))
        .key(signing_key()?)
        .build()?;
    let mut sessions = Sessions::builder(issuer);
    let mut dpop = dpop(public_url)?;
    let users = match variable("REDIS_URL")? {
        None => {
            dpop = dpop.map(|dpop| dpop.replay_store(MemoryReplayStore::new()));
            Users::in_memory()
        }
        Some(url) => {
            let redis = Redis::builder(&url).prefix("auth_server").build().await?;
            if let Some(builder) = dpop {
                dpop = Some(builder.replay_store(redis.replay_store().build().await?));
            }
            sessions = sessions
                .refresh_tokens(RefreshTokens::builder(redis.refresh_store()).build()?)
                .denylist(redis.denylist().build().await?);
            // The address may have a password in it, and so may what is wrong with it.
            Users::in_redis(&url).await.map_err(|_| "REDIS_URL: the users cannot be had")?
        }
    };
    let session_script = match dpop {
        None => include_str!("cookies.js"),
        Some(dpop) => {
            let dpop = dpop.build().map_err(|error| format!("PUBLIC_URL={public_url}: {error}"))?;
            sessions = sessions.dpop(dpop).dpop_in_browsers();
            include_str!("dpop.js")
        }
    };
    let users = Arc::new(users);
    let known = Arc::clone(&users);
    let sessions = sessions
        .cookies(cookies)
        .grant(move |session: Session| {
            let users = Arc::clone(&known);
            async move {
                let user = users.by_id(session.subject()).await.map_err(RuleError::unavailable)?;
                let user = user.ok_or_else(|| RuleError::refuse("the user is gone"))?;
                Ok(Grant::of_session(&session).claims(&Profile { email: user.email }))
            }
        })
        .build()?;
    let passwords = Arc::new(Passwords::new().await.map_err(|_| "passwords cannot be hashed")?);
    let address_header = variable("ADDRESS_HEADER")?.map(|name| {
        name.parse().map_err(|_| format!("ADDRESS_HEADER is the name of a header and not {name:?}"))
    });
    let address_header = address_header.transpose()?;
    let attempts = Attempts::default();
    Ok(App { sessions, users, passwords, attempts, address_header, session_script })
}

fn router(app: App) -> Result<Router, Box<dyn Error>> {
    let sessions = app.sessions.clone();
    let verifier = sessions.verifier_builder().claims::<Profile>().build()?;
    let layer = sessions.layer_with(verifier).realm("auth_server").respond_with(ProblemJson);
    let well_known = well_known(sessions.issuer());
    let file = |kind: &'static str, text: &'static str| {
        get(async move || ([(header::CONTENT_TYPE, kind)], text))
    };
    Ok(Router::new()
        .route("/me", get(api::me))
        .route("/account", get(api::account))
        .route("/auth/sessions", get(api::sessions))
        .route("/auth/sessions/{id}", delete(api::end_session))
        .route("/auth/logout-all", post(api::logout_all))
        // The routes above need a token; a cookie counts if the page is of this origin.
        .route_layer(layer)
        // Outside: a browser that opens a page after its access token has expired is renewed.
        .route_layer(sessions.page_layer())
        .route_service(sessions.renew_path(), sessions.renew_service())
        .route("/auth/register", post(api::register))
        .route("/auth/login", post(api::login))
        .route_service("/auth/refresh", sessions.refresh_service())
        .route_service("/auth/logout", sessions.logout_service())
        .merge(well_known)
        .route("/health", get(async || Json(json!({ "status": "ok" }))))
        .route("/", file("text/html; charset=utf-8", include_str!("index.html")))
        .route("/app.js", file("text/javascript; charset=utf-8", include_str!("app.js")))
        .route("/session.js", file("text/javascript; charset=utf-8", app.session_script))
        .route("/style.css", file("text/css; charset=utf-8", include_str!("style.css")))
        .route("/favicon.svg", file("image/svg+xml", include_str!("favicon.svg")))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this is not done here")
        })
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is nothing here"))
        .layer(DefaultBodyLimit::max(16 * 1024))
        .layer(map_response(guard))
        .with_state(app))
}

/// The public keys, and the metadata by which other services find them.
fn well_known<S: Clone + Send + Sync + 'static>(issuer: &TokenIssuer) -> Router<S> {
    match issuer.metadata_service().build() {
        Ok(metadata) => {
            let keys = Router::new().route_service(metadata.jwks_path(), issuer.jwks_service());
            let mount = |router: Router<S>, path| router.route_service(path, metadata.clone());
            metadata.paths().into_iter().fold(keys, mount)
        }
        Err(error) => {
            eprintln!("auth_server: other services do not find the keys by discovery: {error}");
            Router::new().route_service("/.well-known/jwks.json", issuer.jwks_service())
        }
    }
}

/// Adds the headers that every answer has for a browser.
async fn guard(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, &str); 3] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
             connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // A client may keep only the public keys.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn run() -> Result<(), Box<dyn Error>> {
    // Anybody can have tokens refused, so to log that takes a word of the operator's.
    let level: LevelFilter = variable("LOG")?
        .unwrap_or_else(|| "warn".into())
        .parse()
        .map_err(|_| "LOG is error, warn, info, debug or trace")?;
    tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr).init();
    let bind = variable("BIND")?.unwrap_or_else(|| "127.0.0.1:3000".into());
    let listener = TcpListener::bind(&bind)
        .await
        .map_err(|error| format!("cannot listen on BIND={bind}: {error}"))?;
    let url = format!("http://{}", listener.local_addr()?);
    let public_url = variable("PUBLIC_URL")?.unwrap_or_else(|| url.clone());
    let app = router(app(&public_url).await?)?;

    if variable("SIGNING_KEY")?.is_none() {
        eprintln!("auth_server: a new signing key, for this run alone; SIGNING_KEY keeps one");
    }
    // Whether anybody reads it or not.
    let _ = io::stdout().write_all(tour(&url).as_bytes());
    serve(listener, app, stopped()).await;
    Ok(())
}

fn tour(url: &str) -> String {
    let mut text = format!("listening on {url}, stop with ctrl-c\n\n");
    let ada =
        |password| format!(r#"--json '{{"email":"ada@example.com","password":"{password}"}}'"#);
    let (good, wrong) = (ada("correct horse"), ada("battery staple"));
    let login = format!("$(curl -s {url}/auth/login {good})");
    let access = format!("$(curl -s {url}/auth/login {good} | cut -d '\"' -f 4)");
    for (what, answer, request) in [
        ("register", "201 you can log in now", format!("{url}/auth/register {good}")),
        (
            "again, or by a stranger",
            "201 you can log in now",
            format!("{url}/auth/register {wrong}"),
        ),
        ("log in, as no browser", r#"200 "refresh_token":"#, format!("{url}/auth/login {good}")),
        ("wrong password", "401 wrong email or password", format!("{url}/auth/login {wrong}")),
        ("no token", "401 www-authenticate: Bearer", format!("{url}/me")),
        (
            "log in, and ask who it is",
            r#"200 "email":"ada@example.com""#,
            format!("{url}/me -H \"Authorization: Bearer {access}\""),
        ),
        ("refresh", r#"200 "access_token":"#, format!("{url}/auth/refresh --json \"{login}\"")),
        ("log out", "204 cache-control: no-store", format!("{url}/auth/logout --json \"{login}\"")),
    ] {
        text += &format!("# {what}: {answer}\ncurl -i {request}\n\n");
    }
    text
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("auth_server: {error}");
            ExitCode::FAILURE
        }
    }
}
