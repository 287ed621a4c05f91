//! The promises of the crate, seen from outside: a module for each.

mod algorithm;
mod ambient;
#[cfg(all(feature = "axum", feature = "test-util"))]
mod attacks;
#[cfg(feature = "axum")]
mod axum;
mod browser;
mod cache;
mod cached_rule;
#[cfg(feature = "remote")]
mod certificates;
mod claims;
#[cfg(feature = "axum")]
mod conditions;
mod describe;
#[cfg(all(feature = "axum", feature = "tracing"))]
mod events;
#[cfg(all(feature = "axum", feature = "redis", feature = "remote"))]
mod examples;
#[allow(dead_code, reason = "not every feature set uses all of it")]
mod fixed;
mod form;
#[cfg(feature = "axum")]
mod formats;
#[allow(dead_code, reason = "not every feature set uses all of it")]
mod gate;
#[cfg(all(feature = "axum", feature = "test-util"))]
mod grpc;
mod hierarchy;
mod issuers;
mod key_forms;
mod keys;
mod keys_by_id;
mod lint;
#[cfg(feature = "mcp")]
mod mcp;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(any(feature = "axum", feature = "remote"))]
mod nested;
mod observe;
#[cfg(feature = "utoipa")]
mod openapi;
mod origins;
mod padding;
mod privacy;
#[cfg(feature = "test-util")]
mod proofs;
mod properties;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "remote")]
mod remote;
#[allow(dead_code, reason = "not every feature set uses all of it")]
mod requests;
mod resource;
#[cfg(all(feature = "axum", feature = "routes", feature = "test-util"))]
mod routes;
mod self_test;
#[cfg(feature = "issue")]
mod sessions;
#[cfg(feature = "settings")]
#[allow(dead_code, reason = "not every feature set uses all of it")]
mod settings;
mod shadow;
mod signature;
#[cfg(all(feature = "axum", feature = "redis", feature = "remote"))]
mod slow_clients;
mod step_up;
#[allow(dead_code, reason = "not every feature set uses all of it")]
mod support;
#[cfg(all(feature = "axum", feature = "test-util"))]
mod testing;
mod tokens;
mod traits;
mod transport;
#[cfg(feature = "test-util")]
mod validity;
mod verdicts;

#[cfg(not(feature = "redis"))]
#[test]
#[ignore = "stores in Redis are tested with `--features redis`, as tests/run does"]
fn redis() {}

#[cfg(not(feature = "issue"))]
#[test]
#[ignore = "sessions are tested with `--features issue`, as tests/run does"]
fn sessions() {}

#[cfg(not(feature = "test-util"))]
#[test]
#[ignore = "the test kit is tested with `--features test-util`, as tests/run does"]
fn testing() {}

#[cfg(not(feature = "settings"))]
#[test]
#[ignore = "settings are tested with `--features settings`, as tests/run does"]
fn settings() {}

#[cfg(not(feature = "remote"))]
#[test]
#[ignore = "keys that are fetched are tested with `--features remote`, as tests/run does"]
fn remote() {}

#[test]
#[ignore = "SQLite, a browser, tower-test and the published vectors are tested by packages of \
            their own, as tests/run does"]
fn packages_of_their_own() {}
