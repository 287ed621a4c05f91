//! For users of hyper, or of any Tower service without axum: the layer around one service.
//!
//! ```sh
//! cargo run --example hyper_server
//! ```
//!
//! It speaks HTTP/1.1 and HTTP/2, makes a secret when it starts, and prints a
//! token and `curl` lines to try it with. `BIND=127.0.0.1:8080` sets another
//! address.
//!
//! A client may keep a connection of this example for as long as it likes: run it behind a proxy
//! that has time limits, such as nginx (`client_header_timeout`, `client_body_timeout`,
//! `keepalive_timeout`) or Caddy (`read_header`, `read_body`, `idle`). `resource_server` has
//! limits of its own.

use std::{
    convert::Infallible, env, error::Error, io, pin::pin, process::ExitCode, time::Duration,
};

use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use jsonwebtoken::{EncodingKey, Header, crypto::aws_lc, get_current_timestamp};
use serde::Deserialize;
use serde_json::json;
use tokio::{net::TcpListener, signal, time};
use tower::{Layer, service_fn};
use tower_jwt_auth::{Claims, JwtAuthLayer, Key, Verifier};

/// The claims that the service reads from a token.
#[derive(Deserialize)]
struct User {
    sub: String,
    name: String,
}

async fn hello(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    // The layer lets no request pass without a token, so the claims are there.
    let response = match request.extensions().get::<Claims<User>>() {
        Some(user) => Response::new(Full::from(format!("hello {} ({})\n", user.name, user.sub))),
        None => {
            let mut response = Response::default();
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
    };
    Ok(response)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let bind = env::var("BIND").unwrap_or_else(|_| "127.0.0.1:3000".into());
    let listener = TcpListener::bind(&bind)
        .await
        .map_err(|error| format!("cannot listen on BIND={bind}: {error}"))?;
    let mut secret = [0; 32];
    aws_lc_rs::rand::fill(&mut secret)?;
    let verifier = Verifier::builder()
        .claims::<User>()
        .issuer("https://login.example.com")
        .audience("https://api.example.com")
        .keys(Key::hs256(secret))
        .build()?;
    let service = TowerToHyperService::new(JwtAuthLayer::new(verifier).layer(service_fn(hello)));

    print_tour(&format!("http://{}", listener.local_addr()?), &secret)?;
    let server = auto::Builder::new(TokioExecutor::new());
    let connections = GracefulShutdown::new();
    let mut stopped = pin!(stopped());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stopped => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = server.serve_connection(TokioIo::new(stream), service.clone());
                tokio::spawn(connections.watch(connection.into_owned()));
            }
            // Perhaps too many files are open: that passes.
            Err(_) => time::sleep(Duration::from_millis(100)).await,
        }
    }
    // Requests under way are given time to end.
    let _ = time::timeout(Duration::from_secs(10), connections.shutdown()).await;
    Ok(())
}

fn print_tour(url: &str, secret: &[u8]) -> Result<(), Box<dyn Error>> {
    let claims = json!({
        "iss": "https://login.example.com",
        "aud": "https://api.example.com",
        "sub": "alice",
        "name": "Alice",
        "exp": get_current_timestamp() + 3600,
    });
    let key = EncodingKey::from_secret(secret);
    let token = jsonwebtoken::encode(&Header::default(), &claims, &key)?;
    let header = format!("-H \"Authorization: Bearer {token}\"");

    println!("listening on {url}, stop with ctrl-c\n\na token, good for an hour:\n{token}\n");
    println!("# with a token: 200 hello Alice (alice)\ncurl -i {url}/ {header}\n");
    println!("# HTTP/2: 200 HTTP/2 200\ncurl -i --http2-prior-knowledge {url}/ {header}\n");
    println!("# without a token: 401 www-authenticate: Bearer\ncurl -i {url}/\n");
    println!("# wrong token: 401 error=\"invalid_token\"");
    println!("curl -i {url}/ -H \"Authorization: Bearer a.b.c\"\n");
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
            eprintln!("hyper_server: {error}");
            ExitCode::FAILURE
        }
    }
}
