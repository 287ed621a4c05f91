//! Keys from a provider that rotates, fails and misbehaves (feature `remote`).

mod discovery;
mod faults;
mod flood;
#[cfg(feature = "axum")]
mod idp;
mod issuers;
mod life;
mod pem_map;
#[cfg(feature = "axum")]
mod process;
pub(crate) mod provider;
mod rotation;
mod settings;
mod tls;
#[cfg(feature = "tracing")]
mod told;

use std::time::{Duration, Instant};

use http::Response;
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    Algorithm, Claims, Error, ErrorKind, JwtAuthLayer, RemoteKeys, Verifier, keys::IntoKeySource,
};

use crate::{
    requests::{get, who},
    support::{TestKey, claims, claims_with, trusting},
};

/// A key with another id than the usual one of its algorithm.
pub(crate) fn fresh(algorithm: Algorithm, kid: &'static str) -> TestKey {
    TestKey::fresh(algorithm).with_kid(kid)
}

fn verifier(keys: impl IntoKeySource) -> Verifier {
    trusting(keys).build().unwrap()
}

/// The usual token of this key.
fn token(key: &TestKey) -> String {
    key.token(&claims())
}

/// A token that has a key which nobody has.
fn unknown(kid: usize) -> String {
    let key = crate::support::key(Algorithm::ES256);
    let mut header = key.header();
    header["kid"] = json!(format!("unknown {kid}"));
    key.token_of(header.to_string(), claims().to_string())
}

/// The answer to a token that needs no I/O.
fn now(verifier: &Verifier, token: &str) -> Result<Claims, Error> {
    verifier.verify(token).now_or_never().expect("what is known is answered at once")
}

#[track_caller]
fn accepted(result: Result<Claims, Error>) {
    assert_eq!(result.expect("a good token").subject(), Some("alice"));
}

#[track_caller]
fn refused(result: Result<Claims, Error>, kind: &ErrorKind) {
    let error = result.expect_err("a bad token");
    assert_eq!(error.kind(), kind);
    assert!(error.is_invalid_token());
}

/// 503 by the layer, with a time after which to come again.
#[track_caller]
fn pending(result: Result<Claims, Error>) -> Duration {
    match result.unwrap_err().kind() {
        ErrorKind::KeyPending { retry_after, .. } => *retry_after,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn unavailable(result: Result<Claims, Error>) -> Duration {
    match result.expect_err("no keys").kind() {
        ErrorKind::KeysUnavailable { retry_after, .. } => *retry_after,
        other => panic!("{other:?}"),
    }
}

/// What a client is answered.
async fn answer(verifier: &Verifier, token: &str) -> Response<String> {
    let service = JwtAuthLayer::new(verifier.clone()).layer(service_fn(who::<String>));
    let authorization = format!("Bearer {token}");
    service.oneshot(get(&[(http::header::AUTHORIZATION, &authorization)])).await.unwrap()
}

/// Waits until something holds, for a few seconds.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < end, "{what}: not in time");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
