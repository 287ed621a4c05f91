//! What a verifier says of a token, and how long that takes.

use std::time::{Duration, Instant};

use http::Response;
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{Claims, Error, ErrorKind, JwtAuthLayer, Verifier};

use crate::{
    requests::{get, who},
    support::{TestKey, claims},
};

/// The usual token of this key.
pub(crate) fn token(key: &TestKey) -> String {
    key.token(&claims())
}

/// The answer to a token that needs no I/O.
pub(crate) fn now(verifier: &Verifier, token: &str) -> Result<Claims, Error> {
    verifier.verify(token).now_or_never().expect("what is known is answered at once")
}

#[track_caller]
pub(crate) fn accepted(result: Result<Claims, Error>) {
    assert_eq!(result.expect("a good token").subject(), Some("alice"));
}

#[track_caller]
pub(crate) fn refused(result: Result<Claims, Error>, kind: &ErrorKind) {
    let error = result.expect_err("a bad token");
    assert_eq!(error.kind(), kind);
    assert!(error.is_invalid_token());
}

/// 503 by the layer, with a time after which to come again.
#[track_caller]
pub(crate) fn pending(result: Result<Claims, Error>) -> Duration {
    match result.unwrap_err().kind() {
        ErrorKind::KeyPending { retry_after, .. } => *retry_after,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(crate) fn unavailable(result: Result<Claims, Error>) -> Duration {
    match result.expect_err("no keys").kind() {
        ErrorKind::KeysUnavailable { retry_after, .. } => *retry_after,
        other => panic!("{other:?}"),
    }
}

/// What a client is answered.
pub(crate) async fn answer(verifier: &Verifier, token: &str) -> Response<String> {
    let service = JwtAuthLayer::new(verifier.clone()).layer(service_fn(who::<String>));
    let authorization = format!("Bearer {token}");
    service.oneshot(get(&[(http::header::AUTHORIZATION, &authorization)])).await.unwrap()
}

/// Waits until something holds, for a few seconds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < end, "{what}: not in time");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
