//! The promises of the crate, seen from outside: a module for each.

#[cfg(feature = "axum")]
mod axum;
mod requests;
mod server;
mod service;
#[allow(dead_code, reason = "not every feature set uses all of it")]
mod support;
mod tokens;
mod traits;
