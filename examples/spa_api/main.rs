//! For services with a single-page application on another origin: CORS, trace, request id, time
//! limit and compression of tower-http around the layer, in the right order. It has a page to try.
//!
//! ```sh
//! cargo run --package spa_api
//! ```
//!
//! | variable | meaning |
//! |---|---|
//! | `BIND` | the address of the API; default `127.0.0.1:3000` |
//! | `PAGE_BIND` | the address of the page; default `127.0.0.1:3001` |
//! | `PAGE_ORIGIN` | the origin whose pages may read the answers, such as `https://app.example.com`; default: that of the page |
//! | `ACCESS_SECS` | how long an access token lasts; default 300 |
//! | `LOG_SUBJECT` | `1` writes the subject of each request that passes; default `0` |
//! | `LOG` | `warn`, `info`, which is the default and writes a line for each request, or `debug`, which adds the headers |
//!
//! Copy `api.rs`: it has the layers. `login.rs` takes the place of an identity provider.
//! `page/app.js` keeps the token in a variable, so a reload of the page ends the login. The example
//! `auth_server` has a page that stays logged in.

mod api;
mod login;
mod page;
#[path = "../serve/mod.rs"]
mod serve;

use std::{
    env,
    error::Error,
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use axum::http::{HeaderValue, Uri};
use tokio::net::TcpListener;
use tower_jwt_auth::issue::{Grant, TokenIssuer};
use tracing_subscriber::filter::LevelFilter;

use crate::serve::{serve, stopped};

async fn run() -> Result<(), Box<dyn Error>> {
    let level: LevelFilter = variable("LOG", "info")?
        .parse()
        .map_err(|_| "LOG must be error, warn, info, debug or trace")?;
    tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr).init();
    let (api, url) = listen("BIND", "127.0.0.1:3000").await?;
    let (page, page_url) = listen("PAGE_BIND", "127.0.0.1:3001").await?;
    let page_origin = origin(&variable("PAGE_ORIGIN", &page_url)?)?;
    let lifetime = variable("ACCESS_SECS", "300")?;
    let lifetime =
        lifetime.parse().map_err(|_| format!("ACCESS_SECS={lifetime} must be whole seconds"))?;

    let log_subject = match &*variable("LOG_SUBJECT", "0")? {
        "0" => false,
        "1" => true,
        other => return Err(format!("LOG_SUBJECT must be 0 or 1 and not {other:?}").into()),
    };

    let issuer = login::issuer(Duration::from_secs(lifetime))?;
    let (verifier, routes) = (login::verifier(&issuer)?, login::routes(issuer.clone()));
    let app = api::app(verifier, page_origin.clone(), routes, log_subject);
    let tour = tour(&url, &page_url, page_origin.to_str()?, &issuer)?;
    // A reader that has gone away does not stop the server.
    let _ = io::stdout().write_all(tour.as_bytes());
    tokio::join!(serve(api, app, stopped()), serve(page, page::app(&url)?, stopped()));
    Ok(())
}

fn variable(name: &str, default: &str) -> Result<String, Box<dyn Error>> {
    match env::var(name) {
        Ok(value) if !value.is_empty() => Ok(value),
        Ok(_) | Err(env::VarError::NotPresent) => Ok(default.into()),
        Err(env::VarError::NotUnicode(_)) => Err(format!("{name} must be UTF-8").into()),
    }
}

/// A listener, and its URL.
async fn listen(name: &str, default: &str) -> Result<(TcpListener, String), Box<dyn Error>> {
    let bind = variable(name, default)?;
    let listener = TcpListener::bind(&bind)
        .await
        .map_err(|error| format!("cannot listen on {name}={bind}: {error}"))?;
    let url = format!("http://{}", listener.local_addr()?);
    Ok((listener, url))
}

/// Reads an origin. A browser compares it as text, so that one with a path never matches.
fn origin(text: &str) -> Result<HeaderValue, String> {
    let uri: Option<Uri> = text.parse().ok();
    let parts = uri.as_ref().and_then(|uri| Some((uri.scheme_str()?, uri.authority()?)));
    let is_origin = parts.is_some_and(|(scheme, authority)| {
        matches!(scheme, "http" | "https") && format!("{scheme}://{authority}") == text
    });
    HeaderValue::from_str(text)
        .ok()
        .filter(|_| is_origin && text == text.to_lowercase())
        .ok_or(format!("PAGE_ORIGIN={text} must be an origin, such as https://app.example.com"))
}

/// Requests to try, with the answers to expect.
fn tour(
    url: &str,
    page_url: &str,
    origin: &str,
    issuer: &TokenIssuer,
) -> Result<String, Box<dyn Error>> {
    let ada = issuer.issue(Grant::new("ada").scope("profile"))?;
    let grace = issuer.issue(Grant::new("grace").scope("profile reports"))?;
    let from = format!("-H 'origin: {origin}'");
    let ask = |method: &str, origin: &str| {
        format!(
            "/me -X OPTIONS -H 'origin: {origin}' -H 'access-control-request-method: {method}' \
             -H 'access-control-request-headers: authorization'"
        )
    };
    let with =
        |path: &str, token: &str| format!("{path} {from} -H 'authorization: Bearer {token}'");
    let mut text = format!(
        "listening on {url}, stop with ctrl-c\n\
         the page is on {page_url}: log in as ada or grace, the password is secret\n\n"
    );
    for (what, answer, request) in [
        (
            "preflight, without a token",
            format!("200 access-control-allow-origin: {origin}"),
            ask("GET", origin),
        ),
        (
            "preflight of another page",
            "200 vary: origin".into(),
            ask("GET", "https://evil.example"),
        ),
        (
            "no token",
            "401 access-control-expose-headers: www-authenticate".into(),
            format!("/me {from}"),
        ),
        (
            "log in",
            r#"200 {"access_token":"#.into(),
            format!(
                "/login {from} -H 'content-type: application/json' \
                 -d '{{\"username\":\"ada\",\"password\":\"secret\"}}'"
            ),
        ),
        ("who am I", r#"200 "subject":"ada""#.into(), with("/me", ada.as_str())),
        (
            "missing scope",
            r#"403 "missing_scope":"reports""#.into(),
            with("/reports", ada.as_str()),
        ),
        ("scope", r#"200 "month":12"#.into(), with("/reports", grace.as_str())),
    ] {
        text += &format!("# {what}: {answer}\ncurl -i {url}{request}\n\n");
    }
    Ok(text)
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("spa_api: {error}");
            ExitCode::FAILURE
        }
    }
}
