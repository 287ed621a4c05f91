//! For services whose tokens come from an identity provider: a resource server that is
//! configured by its environment. Copy it for a service of your own.
//!
//! ```sh
//! ISSUER=https://login.example.com AUDIENCE=https://api.example.com LOG=info \
//!     cargo run --example resource_server --features remote
//! ```
//!
//! `resource_server --check` does not serve. It builds the same layer, prints the shadow rules and the
//! settings that are legal and unwise, and has the verifier read bad tokens. It exits with 0 if nothing
//! was found and all of them were refused. Otherwise, or if a variable is wrong, it exits with 1. It
//! fetches the keys, unless `LAZY=1`. An unknown variable that begins with `SHADOW_` or `JWKS_` is an
//! error.
//!
//! | variable | meaning |
//! |---|---|
//! | `BIND` | the address to listen on; default `127.0.0.1:3000` |
//! | `PUBLIC_URL` | the origin that clients use, such as `https://api.example.com`; with it, the server publishes its metadata (RFC 9728) |
//! | `ISSUER`, `AUDIENCE` | required; `AUDIENCE` may be several, with commas |
//! | `JWKS_URL` | where the keys are; without it, where the issuer's metadata says |
//! | `HMAC_SECRET` | a shared secret, base64url, in place of fetched keys |
//! | `KEY_PEM_FILE` | a file with a public key, in place of fetched keys |
//! | `ALGORITHMS` | only these, with commas |
//! | `TOKEN_COOKIE` | a cookie that may carry the token |
//! | `DPOP` | `optional` or `required`: tokens that are bound to a key need a DPoP proof for an address below `PUBLIC_URL` |
//! | `DPOP_NONCE_SECRET`, `DPOP_NONCE_SECRET_FILE` | secrets as base64url, of at least 32 random bytes and the same for all processes, or a file with them: proofs must have a nonce. The first makes nonces, those of the others are accepted, too; commas or white space separate them |
//! | `MTLS_HEADER`, `MTLS_TRUSTED` | the header in which a proxy passes the client certificate on, such as `client-cert`, and the networks of such proxies, with commas: a token that is bound to a certificate needs it |
//! | `CLIENTS` | only tokens of these clients, with commas |
//! | `SCOPE_HIERARCHY` | scopes that imply others, such as `admin = files:write; files:write = files:read` |
//! | `ACCESS_TOKENS_ONLY=1` | only tokens of RFC 9068, so that no ID token passes |
//! | `LEEWAY_SECS` | how far clocks may differ |
//! | `SHADOW_AUDIENCE`, `SHADOW_CLIENTS`, `SHADOW_ACCESS_TOKENS_ONLY=1`, `SHADOW_LEEWAY_SECS`, `SHADOW_MAX_AGE_SECS` | rules that refuse nothing: with `LOG=info`, the log says which tokens they would refuse |
//! | `JWKS_TTL_SECS` | the longest time from one fetch of the keys to the next |
//! | `JWKS_COOLDOWN_SECS` | the shortest time between two fetches that tokens cause |
//! | `JWKS_TIMEOUT_SECS` | how long a fetch may take |
//! | `JWKS_MAX_STALE_SECS` | how long keys serve while the provider is down |
//! | `JWKS_OLD_AFTER_SECS` | the age of a key from which on it is reported |
//! | `LAZY=1` | start without the provider |
//! | `ALLOW_HTTP=1` | allow keys to be fetched over `http:`, from loopback |
//! | `HTTP_HOSTS` | other hosts from which keys may be fetched over `http:`, with commas: everybody between this server and such a host must be trusted |
//! | `METRICS` | another address, such as `127.0.0.1:9464`, where `GET /metrics` has the metrics for Prometheus |
//! | `LOG` | `warn`, which is the default, or `info`, which tells why a token is refused |
//!
//! | route | answer |
//! |---|---|
//! | `GET /` | 200, without a token |
//! | `GET`, `POST /me` | who the token speaks of |
//! | `GET /admin` | the same, with the scope `admin` |
//! | `GET /.well-known/oauth-protected-resource` | where clients get a token, without a token; with `PUBLIC_URL` |
//! | `GET /health` | how the keys are and when they were rotated: 200, or 503 without keys. In production, let only the monitoring reach it |

#[path = "prometheus/mod.rs"]
mod prometheus;
#[path = "serve/mod.rs"]
mod serve;

use std::{
    env,
    error::Error,
    io::{self, Write},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderName, StatusCode, Uri, header},
    routing::{MethodFilter, get, on},
};
use serde_json::{Value, json};
use tokio::net::{TcpListener, lookup_host};
use tower_jwt_auth::{Claims, RequireLayer, Verifier, response::ProblemJson, settings::Settings};
use tracing_subscriber::filter::LevelFilter;

use crate::{
    prometheus::Prometheus,
    serve::{serve, stopped},
};

/// The names of the environment, those of the settings, and the unit that is added to a
/// value.
const VARIABLES: [(&str, &str, &str); 26] = [
    ("ISSUER", "issuer", ""),
    ("AUDIENCE", "audience", ""),
    ("PUBLIC_URL", "public_origin", ""),
    ("JWKS_URL", "jwks_url", ""),
    ("HTTP_HOSTS", "http_hosts", ""),
    ("HMAC_SECRET", "hmac_secret", ""),
    ("KEY_PEM_FILE", "public_key_file", ""),
    ("ALGORITHMS", "algorithms", ""),
    ("TOKEN_COOKIE", "token_cookie", ""),
    ("CLIENTS", "client_id", ""),
    ("SCOPE_HIERARCHY", "scope_hierarchy", ""),
    ("DPOP", "dpop", ""),
    ("DPOP_NONCE_SECRET", "dpop_nonce_secret", ""),
    ("DPOP_NONCE_SECRET_FILE", "dpop_nonce_secret_file", ""),
    ("MTLS_HEADER", "client_certificate_header", ""),
    ("MTLS_TRUSTED", "trusted_proxy", ""),
    ("LEEWAY_SECS", "leeway", "s"),
    ("SHADOW_AUDIENCE", "shadow_audience", ""),
    ("SHADOW_CLIENTS", "shadow_client_id", ""),
    ("SHADOW_LEEWAY_SECS", "shadow_leeway", "s"),
    ("SHADOW_MAX_AGE_SECS", "shadow_max_age", "s"),
    ("JWKS_TTL_SECS", "jwks_max_refresh", "s"),
    ("JWKS_COOLDOWN_SECS", "jwks_cooldown", "s"),
    ("JWKS_TIMEOUT_SECS", "jwks_timeout", "s"),
    ("JWKS_MAX_STALE_SECS", "jwks_max_stale", "s"),
    ("JWKS_OLD_AFTER_SECS", "jwks_old_after", "s"),
];

/// The names of the switches, and those of the settings.
const SWITCHES: [(&str, &str); 3] = [
    ("LAZY", "lazy"),
    ("ACCESS_TOKENS_ONLY", "access_tokens_only"),
    ("SHADOW_ACCESS_TOKENS_ONLY", "shadow_access_tokens_only"),
];

/// Words in a message, and the variable that they are about.
const WORDS: [(&str, &str); 10] = [
    ("`.lazy()`", "LAZY"),
    ("leeway", "LEEWAY_SECS"),
    ("secret", "HMAC_SECRET"),
    ("the key is malformed", "KEY_PEM_FILE"),
    ("PEM", "KEY_PEM_FILE"),
    ("origin", "PUBLIC_URL"),
    ("the resource", "PUBLIC_URL"),
    ("http_host", "HTTP_HOSTS"),
    ("cookie", "TOKEN_COOKIE"),
    ("algorithm", "ALGORITHMS"),
];

/// Settings of a later version. The server does not start with them, so none is ignored silently.
const NOT_BUILT: [&str; 5] =
    ["CLIENT_ID", "CLIENT_SECRET", "CLIENT_SECRET_FILE", "INTROSPECTION", "INTROSPECTION_URL"];

/// A message about a setting, with the variable that sets it here. A key is named by its file.
fn with_variable(message: &str) -> String {
    let is_named =
        |(_, setting, _): &&(&str, &str, &str)| message.contains(&format!("`{setting}`"));
    let named = VARIABLES.iter().find(is_named).map(|(variable, ..)| *variable);
    let said = |(words, _): &&(&str, &str)| message.contains(words);
    let said = || WORDS.iter().find(said).map(|(_, variable)| *variable);
    let is_there = |variable: &&str| !message.contains(*variable);
    match named.or_else(said).filter(is_there) {
        Some("KEY_PEM_FILE") => {
            let file = env::var("KEY_PEM_FILE").unwrap_or_default();
            format!("{message} (here: KEY_PEM_FILE={file})")
        }
        Some(variable) => format!("{message} (here: {variable})"),
        None => message.to_owned(),
    }
}

/// The shadow rules that are set, a line each.
fn shadow_rules() -> Result<String, Box<dyn Error>> {
    let names = VARIABLES.iter().map(|(name, ..)| *name).chain(SWITCHES.map(|(name, _)| name));
    let mut lines = String::new();
    for name in names.filter(|name| name.starts_with("SHADOW_")) {
        if let Some(value) = variable(name)? {
            lines += &format!("shadow rule: {name}={}\n", value.escape_debug());
        }
    }
    Ok(lines)
}

/// A variable that is set and not empty.
fn variable(name: &str) -> Result<Option<String>, Box<dyn Error>> {
    match env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(format!("{name} is no text").into()),
    }
}

fn switch(name: &str) -> Result<Option<bool>, Box<dyn Error>> {
    match variable(name)?.as_deref() {
        None => Ok(None),
        Some("0" | "false") => Ok(Some(false)),
        Some("1" | "true") => Ok(Some(true)),
        Some(other) => Err(format!("{name} is 0 or 1 and not {other:?}").into()),
    }
}

/// Whether the configuration is only to be checked.
fn is_check() -> Result<bool, Box<dyn Error>> {
    let mut is_check = false;
    for argument in env::args_os().skip(1) {
        if argument != "--check" {
            return Err(format!("there is no argument {}", argument.display()).into());
        }
        is_check = true;
    }
    Ok(is_check)
}

/// The settings that are in the environment. A service whose variables have the names of the
/// settings needs only `Settings::from_env`.
fn settings() -> Result<Settings, Box<dyn Error>> {
    for name in NOT_BUILT {
        if variable(name)?.is_some() {
            return Err(format!("{name} is not supported, leave it out").into());
        }
    }
    // A misspelt name would be a rule that is not asked.
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        let is_known = VARIABLES.iter().any(|(known, ..)| *known == name)
            || SWITCHES.iter().any(|(known, _)| *known == name);
        if !is_known && (name.starts_with("SHADOW_") || name.starts_with("JWKS_")) {
            return Err(format!("there is no variable {name}, see the list in this file").into());
        }
    }
    let mut settings = Vec::new();
    for (variable_name, name, unit) in VARIABLES {
        let Some(mut value) = variable(variable_name)? else { continue };
        if unit == "s" {
            let seconds: u64 = value
                .parse()
                .map_err(|_| format!("{variable_name} is whole seconds and not {value:?}"))?;
            value = format!("{seconds}{unit}");
        }
        settings.push((name, value));
    }
    for required in ["ISSUER", "AUDIENCE"] {
        variable(required)?.ok_or_else(|| format!("set {required}"))?;
    }
    for (name, setting) in SWITCHES {
        settings.push((setting, switch(name)?.unwrap_or_default().to_string()));
    }
    let is_static = variable("HMAC_SECRET")?.is_some() || variable("KEY_PEM_FILE")?.is_some();
    let fetched = variable("JWKS_URL")?.or(variable("ISSUER")?).filter(|_| !is_static);
    let allows_loopback = switch("ALLOW_HTTP")?.unwrap_or_default();
    let hosts = variable("HTTP_HOSTS")?.unwrap_or_default();
    if fetched.is_some_and(|url| !allows_loopback && is_http_of_others(&url, &hosts)) {
        return Err("the keys would be fetched over http, which takes ALLOW_HTTP=1 for loopback, \
                    and for another host its name in HTTP_HOSTS"
            .into());
    }
    // The metadata of this resource has no slash at the end of its name.
    if let Some(url) = variable("PUBLIC_URL")? {
        settings.push(("resource", url.strip_suffix('/').unwrap_or(&url).to_owned()));
    }
    // A challenge has at least one parameter (RFC 6750 §3).
    settings.push(("realm", "resource_server".into()));
    // The contract of this server allows this, but no identity provider needs it.
    settings.push(("jwks_max_body", (2 * 1024 * 1024).to_string()));
    Ok(Settings::from_variables("", settings)?)
}

/// Whether the URL is one of `http:` whose host is not one of these.
fn is_http_of_others(url: &str, hosts: &str) -> bool {
    let is_http = url.trim_start().to_ascii_lowercase().starts_with("http:");
    let is_listed = |host: &str| hosts.split(',').any(|one| one.trim().eq_ignore_ascii_case(host));
    is_http && !url.parse::<Uri>().is_ok_and(|url| url.host().is_some_and(is_listed))
}

async fn me(claims: Claims) -> ([(HeaderName, &'static str); 1], Json<Value>) {
    let audience: Vec<_> = claims.audience().iter().map(str::to_owned).collect();
    let scopes: Vec<_> = claims.scopes().iter().collect();
    let me = json!({
        "sub": claims.subject(),
        "iss": claims.issuer(),
        "aud": audience,
        "scope": scopes.join(" "),
        "client_id": claims.client_id(),
    });
    // An answer for one client only.
    ([(header::CACHE_CONTROL, "no-store")], Json(me))
}

/// How the keys are, for whoever watches this service.
async fn health(State(verifier): State<Verifier>) -> (StatusCode, Json<Value>) {
    let keys: Vec<_> = verifier.remote_keys().iter().map(|keys| keys.status()).collect();
    let usable = keys.iter().all(|keys| keys.state.is_usable());
    let status = if usable { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "usable": usable, "keys": keys })))
}

async fn run() -> Result<ExitCode, Box<dyn Error>> {
    let (is_check, settings) = (is_check()?, settings()?);
    // The log says why a token was refused; the client is not told. Anybody can have
    // tokens refused, so that takes a word of the operator's.
    let level: LevelFilter = variable("LOG")?
        .unwrap_or_else(|| "warn".into())
        .parse()
        .map_err(|_| "LOG is error, warn, info, debug or trace")?;
    // Before the first fetch, which may have something to say of the keys.
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt().with_max_level(level).with_writer(move || writer.clone()).init();
    let metrics = match variable("METRICS")? {
        Some(address) if !is_check => {
            Some((Prometheus::default(), listen("METRICS", &address).await?))
        }
        _ => None,
    };
    let builder = tokio::select! {
        builder = settings.verifier_builder() => builder?,
        () = stopped() => return Ok(ExitCode::SUCCESS),
    };
    let verifier: Verifier = match &metrics {
        Some((numbers, _)) => builder.observer(numbers.clone()).build()?,
        None => builder.build()?,
    };
    let layer = settings.layer_with(verifier.clone())?.respond_with(ProblemJson);
    if is_check {
        for name in ["BIND", "METRICS"] {
            check_address(name).await?;
        }
        let (lint, self_test) = (layer.lint(), verifier.self_test());
        let findings: Vec<_> = lint.iter().map(|one| with_variable(&one.to_string())).collect();
        let findings = if findings.is_empty() { lint.to_string() } else { findings.join("\n") };
        write!(io::stdout(), "{}{findings}\n{self_test}\n", shadow_rules()?)?;
        let is_good = lint.is_empty() && self_test.is_passed();
        return Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }

    let resource = settings.protected_resource(&verifier)?;
    let mut app = Router::new()
        .route("/admin", get(me))
        .route_layer(RequireLayer::scopes(["admin"]))
        .route("/me", on(MethodFilter::GET.or(MethodFilter::POST), me))
        .route_layer(layer)
        .route("/", get(async || "GET /me needs a token\n"))
        .route("/health", get(health))
        .with_state(verifier);
    // The layer is around the routes above only, and metadata needs no token.
    if let Some(resource) = resource {
        for path in resource.paths() {
            app = app.route_service(path, resource.clone());
        }
    }

    let bind = variable("BIND")?.unwrap_or_else(|| "127.0.0.1:3000".into());
    let listener = listen("BIND", &bind).await?;
    if let Some((numbers, listener)) = metrics {
        tokio::spawn(async move { serve(listener, numbers.router(), stopped()).await });
    }
    // Whether anybody reads it or not.
    let _ =
        writeln!(io::stdout(), "listening on http://{}, stop with ctrl-c", listener.local_addr()?);
    log.begin();
    serve(listener, app, stopped()).await;
    Ok(ExitCode::SUCCESS)
}

/// Whether a variable has an address, if it is set. Nobody listens there.
async fn check_address(name: &str) -> Result<(), Box<dyn Error>> {
    if let Some(address) = variable(name)? {
        let found = lookup_host(&address).await;
        drop(found.map_err(|error| format!("{name}={address}: {error}"))?);
    }
    Ok(())
}

/// Listens at the address that a variable names.
async fn listen(variable: &str, address: &str) -> Result<TcpListener, Box<dyn Error>> {
    let listener = TcpListener::bind(address).await;
    Ok(listener.map_err(|error| format!("cannot listen on {variable}={address}: {error}"))?)
}

/// The log, which is held back until the server has started: a wrong setting is told in one line,
/// and by whoever asked for it.
#[derive(Clone)]
struct Log(Arc<Mutex<Option<Vec<u8>>>>);

impl Default for Log {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Some(Vec::new()))))
    }
}

impl Log {
    /// Writes what was held back; from now on, nothing is.
    fn begin(&self) {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Whether anybody reads it or not.
        let _ = io::stderr().write_all(&held.unwrap_or_default());
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(held) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            return held.write(bytes);
        }
        io::stderr().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("resource_server: {}", with_variable(&error.to_string()));
            ExitCode::FAILURE
        }
    }
}
