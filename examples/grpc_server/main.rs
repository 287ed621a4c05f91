//! For services of gRPC with tonic: the layer, a policy for each method, the health service, gRPC-Web, and
//! a stream that ends with its token.
//!
//! ```sh
//! cargo run --package grpc_server
//! ```
//!
//! | variable | meaning |
//! |---|---|
//! | `BIND` | the address to listen on; default `127.0.0.1:3000` |
//! | `ACCESS_SECS` | how long the tokens that it prints last; default 300 |
//! | `LOG` | `warn`, which is the default, or `info`, which tells why a token is refused |
//!
//! | method | needs |
//! |---|---|
//! | `shop.v1.Orders/Get` | the scope `orders:read`; the order must be one's own |
//! | `shop.v1.Orders/Watch` | the scope `orders:watch`; the stream ends with the token |
//! | `grpc.health.v1.Health/Check`, `Watch` | nothing |
//!
//! `shop.proto` is for clients, such as `grpcurl -plaintext -proto examples/grpc_server/shop.proto`. Copy
//! `api.rs`: it has the layers. The tokens are issued here, so that the example needs no identity provider.
//! Give a verifier of your own to `api::server`, such as that of
//! `Settings::from_env("AUTH_")`, as the example `resource_server` does.

mod api;
mod service;
mod wire;

use std::{
    env,
    error::Error,
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use tokio::{net::TcpListener, signal, time};
use tonic::transport::server::TcpIncoming;
use tower_jwt_auth::{
    Algorithm, ConfigError, Verifier,
    issue::{Grant, SigningKey, TokenIssuer},
};
use tracing_subscriber::filter::LevelFilter;

const AUDIENCE: &str = "https://shop.example.com";

/// How long calls under way are given when the server stops.
const GRACE: Duration = Duration::from_secs(6);

async fn run() -> Result<(), Box<dyn Error>> {
    let level: LevelFilter = variable("LOG", "warn")?
        .parse()
        .map_err(|_| "LOG must be error, warn, info, debug or trace")?;
    tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr).init();
    let bind = variable("BIND", "127.0.0.1:3000")?;
    let listener = TcpListener::bind(&bind)
        .await
        .map_err(|error| format!("cannot listen on BIND={bind}: {error}"))?;
    let url = format!("http://{}", listener.local_addr()?);
    let lifetime = variable("ACCESS_SECS", "300")?;
    let lifetime =
        lifetime.parse().map_err(|_| format!("ACCESS_SECS={lifetime} must be whole seconds"))?;

    let issuer = issuer(Duration::from_secs(lifetime))?;
    let server = api::server(verifier(&issuer)?)?;
    // A reader that has gone away does not stop the server.
    let _ = io::stdout().write_all(tour(&url, &issuer)?.as_bytes());
    let serving = server.serve_with_incoming_shutdown(TcpIncoming::from(listener), stopped());
    tokio::select! {
        served = serving => Ok(served?),
        // A stream may last for as long as its token: the client calls again, elsewhere.
        () = async { stopped().await; time::sleep(GRACE).await } => Ok(()),
    }
}

/// Takes the place of an identity provider.
fn issuer(lifetime: Duration) -> Result<TokenIssuer, ConfigError> {
    TokenIssuer::builder()
        .issuer("https://login.example.com")
        .audience(AUDIENCE)
        .lifetime(lifetime)
        .key(SigningKey::generate(Algorithm::EdDSA)?)
        .build()
}

fn verifier(issuer: &TokenIssuer) -> Result<Verifier, ConfigError> {
    Verifier::builder().audience(AUDIENCE).keys(issuer.key_source()).build()
}

fn variable(name: &str, default: &str) -> Result<String, Box<dyn Error>> {
    match env::var(name) {
        Ok(value) if !value.is_empty() => Ok(value),
        Ok(_) | Err(env::VarError::NotPresent) => Ok(default.into()),
        Err(env::VarError::NotUnicode(_)) => Err(format!("{name} must be UTF-8").into()),
    }
}

/// Calls to try, with the answers to expect. `curl` speaks gRPC-Web in base64: a message of no bytes is
/// `AAAAAAA=`, and the order 3 is `AAAAAAIIAw==`.
fn tour(url: &str, issuer: &TokenIssuer) -> Result<String, Box<dyn Error>> {
    let ada = issuer.issue(Grant::new("ada").scope("orders:read orders:watch"))?;
    let eve = issuer.issue(Grant::new("eve").scope("profile"))?;
    let call = |path: &str, token: Option<&str>, message: &str| {
        let header = token.map(|token| format!(" -H 'authorization: Bearer {token}'"));
        format!(
            "/{path} -H 'content-type: application/grpc-web-text' \
             -H 'accept: application/grpc-web-text'{} -d {message}",
            header.unwrap_or_default()
        )
    };
    let mut text = format!("listening on {url}, stop with ctrl-c\n\n");
    for (what, answer, request) in [
        ("no token", "grpc-status: 16", call("shop.v1.Orders/Get", None, "AAAAAAIIAw==")),
        (
            "the own order",
            "AAAAAAcIAxIDYWRh",
            call("shop.v1.Orders/Get", Some(ada.as_str()), "AAAAAAIIAw=="),
        ),
        (
            "an order of somebody else",
            "grpc-status: 7",
            call("shop.v1.Orders/Get", Some(ada.as_str()), "AAAAAAIIBA=="),
        ),
        (
            "missing scope",
            "scope=\"orders:read\"",
            call("shop.v1.Orders/Get", Some(eve.as_str()), "AAAAAAIIAw=="),
        ),
        (
            "a method without a policy",
            "grpc-status: 7",
            call("shop.v1.Orders/Drop", Some(ada.as_str()), "AAAAAAA="),
        ),
        (
            "health, without a token",
            "AAAAAAIIAQ",
            call("grpc.health.v1.Health/Check", None, "AAAAAAA="),
        ),
    ] {
        text += &format!("# {what}: 200 {answer}\ncurl -i {url}{request}\n\n");
    }
    text += &format!(
        "grpcurl -plaintext -proto examples/grpc_server/shop.proto \\\n  \
         -H 'authorization: Bearer {}' {} shop.v1.Orders/Watch\n\n",
        ada.as_str(),
        url.trim_start_matches("http://")
    );
    Ok(text)
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
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("grpc_server: {error}");
            ExitCode::FAILURE
        }
    }
}
