//! Keys from a provider that rotates, fails and misbehaves (feature `remote`).

mod discovery;
mod faults;
mod flood;
#[cfg(feature = "axum")]
mod idp;
mod issuers;
mod life;
mod observed;
mod pem_map;
#[cfg(feature = "axum")]
mod process;
pub(crate) mod provider;
mod rotation;
#[cfg(feature = "axum")]
mod senders;
mod settings;
mod tls;
#[cfg(feature = "tracing")]
mod told;

use std::time::{Duration, Instant};

use serde_json::json;
use tower_jwt_auth::{Algorithm, ErrorKind, RemoteKeys, Verifier, keys::IntoKeySource};

use crate::{
    support::{TestKey, claims, claims_with, trusting},
    verdicts::{accepted, answer, ms, now, pending, refused, token, unavailable, until},
};

/// A key with another id than the usual one of its algorithm.
pub(crate) fn fresh(algorithm: Algorithm, kid: &'static str) -> TestKey {
    TestKey::fresh(algorithm).with_kid(kid)
}

fn verifier(keys: impl IntoKeySource) -> Verifier {
    trusting(keys).build().unwrap()
}

/// A token that has a key which nobody has.
fn unknown(kid: usize) -> String {
    let key = crate::support::key(Algorithm::ES256);
    let mut header = key.header();
    header["kid"] = json!(format!("unknown {kid}"));
    key.token_of(header.to_string(), claims().to_string())
}
