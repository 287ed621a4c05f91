#![cfg_attr(
    all(feature = "axum", feature = "remote", feature = "redis"),
    doc = include_str!("../README.md")
)]
#![cfg_attr(
    not(all(feature = "axum", feature = "remote", feature = "redis")),
    doc = "JWT bearer authentication for every Tower service."
)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[cfg(not(any(feature = "aws_lc_rs", feature = "rust_crypto")))]
compile_error!(
    "tower-jwt-auth has no cryptography: turn on one of its features `aws_lc_rs` (the default) \
     and `rust_crypto`"
);

pub mod alg;
pub mod authorize;
pub mod claims;
pub mod clock;
mod csrf;
pub mod error;
#[cfg(feature = "remote")]
mod expiring;
#[cfg(feature = "axum")]
pub mod extract;
mod few;
#[cfg(all(any(doc, doctest), feature = "axum", feature = "remote", feature = "redis"))]
pub mod guides;
#[cfg(feature = "issue")]
pub mod issue;
mod json;
pub mod keys;
pub mod layer;
pub mod maybe_ready;
mod observe;
#[cfg(feature = "issue")]
mod random;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "issue")]
pub mod refresh;
pub mod response;
pub mod revocation;
mod rules;
#[cfg(any(feature = "issue", feature = "remote"))]
mod runtime;
mod secret;
#[cfg(feature = "issue")]
pub mod sessions;
#[cfg(feature = "remote")]
pub mod settings;
pub mod source;
mod token;
mod token_cache;
pub mod verifier;

// The paved path: what most applications name. All else has one path in its
// module.
#[cfg(feature = "remote")]
pub use crate::keys::remote::RemoteKeys;
pub use crate::{
    alg::Algorithm,
    claims::RegisteredClaims,
    error::{ConfigError, Error, ErrorKind},
    keys::{Key, KeySet},
    layer::{JwtAuthLayer, RequireLayer},
    source::TokenSource,
    verifier::{Claims, Verifier},
};
