//! For MCP servers whose clients log in at an identity provider: scopes for each tool, the metadata that
//! clients look for, and sessions that belong to their user.
//!
//! ```sh
//! ISSUER=https://login.example.com PUBLIC_URL=https://api.example.com/mcp \
//!     cargo run --package mcp_server
//! ```
//!
//! | variable | meaning |
//! |---|---|
//! | `ISSUER` | required; the identity provider whose tokens are accepted |
//! | `PUBLIC_URL` | the URL that clients have for the server; default `http://127.0.0.1:3000/mcp` |
//! | `AUDIENCE` | the audience of the tokens; default: `PUBLIC_URL` |
//! | `BIND` | the address to listen on; default `127.0.0.1:3000` |
//! | `LOG` | `warn`, which is the default, or `info`, which tells why a token is refused |
//!
//! | tool | scopes |
//! |---|---|
//! | `whoami` | `read` |
//! | `add_note` | `read` and `write` |
//!
//! Copy `app.rs`: it has the layer. `notes.rs` has the tools, which read the claims. Run it behind a proxy
//! that has time limits for slow clients.

mod app;
mod notes;

use std::{
    env,
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

use tokio::{net::TcpListener, signal};
use tower_jwt_auth::{RemoteKeys, Verifier};
use tracing_subscriber::filter::LevelFilter;

async fn run() -> Result<(), Box<dyn Error>> {
    let level: LevelFilter = variable("LOG", "warn")?
        .parse()
        .map_err(|_| "LOG must be error, warn, info, debug or trace")?;
    tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr).init();
    let bind = variable("BIND", "127.0.0.1:3000")?;
    let listener = TcpListener::bind(&bind)
        .await
        .map_err(|error| format!("cannot listen on BIND={bind}: {error}"))?;
    let address = listener.local_addr()?;
    let url = variable("PUBLIC_URL", &format!("http://{address}/mcp"))?;
    let issuer = variable("ISSUER", "")?;
    if issuer.is_empty() {
        return Err("set ISSUER".into());
    }
    let verifier = Verifier::builder()
        .keys(RemoteKeys::discover(&issuer).build().await?)
        .audience(variable("AUDIENCE", &url)?)
        .build()?;
    let app = app::app(verifier, &url)?;
    let text =
        format!("listening on http://{address}, stop with ctrl-c; the MCP server is {url}\n");
    // A reader that has gone away does not stop the server.
    let _ = io::stdout().write_all(text.as_bytes());
    // Streams of server-sent events have no end, so nothing waits for them.
    tokio::select! {
        served = async { axum::serve(listener, app).await } => served?,
        () = stopped() => {}
    }
    Ok(())
}

fn variable(name: &str, default: &str) -> Result<String, Box<dyn Error>> {
    match env::var(name) {
        Ok(value) if !value.is_empty() => Ok(value),
        Ok(_) | Err(env::VarError::NotPresent) => Ok(default.into()),
        Err(env::VarError::NotUnicode(_)) => Err(format!("{name} must be UTF-8").into()),
    }
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
            let _ = writeln!(io::stderr(), "mcp_server: {error}");
            ExitCode::FAILURE
        }
    }
}
