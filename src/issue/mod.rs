//! Issues access tokens, publishes their keys, and sets the cookies that carry tokens. Requires the
//! feature `issue`.
//!
//! # Rules
//!
//! 1. An access token is a JWT of RFC 9068: signed, and for one or more named audiences. It
//!    expires after 15 minutes by default. More than an hour requires
//!    [`any_lifetime`](TokenIssuerBuilder::any_lifetime).
//! 2. The id of its key is the key's thumbprint (RFC 7638). The next key is published before it
//!    signs, and the last one until its tokens have expired. Private members and shared
//!    secrets are never published.
//! 3. The claims of the application must not have the names of the issuer's own claims.
//! 4. A refresh token is opaque, rotates, and is stored as a digest: see
//!    [`refresh`](crate::refresh).
//! 5. In a browser, both tokens are in cookies that no script can read: see [`TokenCookies`].
//!
//! [`sessions`](crate::sessions) puts them together, with routes that refresh and log out.
//!
//! # Example: keys that rotate
//! ```
//! use tower_jwt_auth::{
//!     Algorithm, ConfigError,
//!     issue::{SigningKey, TokenIssuer},
//! };
//!
//! # fn main() -> Result<(), ConfigError> {
//! let issuer = TokenIssuer::builder()
//!     .issuer("https://login.example.com")
//!     .audience("https://api.example.com")
//!     .key(SigningKey::generate(Algorithm::EdDSA)?)
//!     .build()?;
//!
//! // Published from now on, signs in an hour.
//! issuer.rotate(SigningKey::generate(Algorithm::EdDSA)?)?;
//! assert_eq!(issuer.jwks().matches("\"kid\"").count(), 2);
//! # Ok(()) }
//! ```
//!
//! # Security
//!
//! Anybody who has a token can read its payload: put nothing secret into it. Anybody who has the
//! private key can make tokens for every user: keep it out of images, logs and repositories. If
//! somebody else may have it, call [`replace_keys`].
//!
//! # Deployment
//!
//! Several processes that sign must share the keys. [`key_directory`] reads them from PEM files,
//! and all processes rotate at the same time, without a restart.
//!
//! With a single PEM file, each step of a rotation takes a restart: give all processes the next key
//! as [`published_key`], and wait until every verifier has fetched it. Then make it the [`key`] and
//! the old one a `published_key`. Remove the old one when its tokens have expired.
//!
//! Other services find the public keys by the [`metadata_service`].
//!
//! [`key_directory`]: TokenIssuerBuilder::key_directory
//! [`metadata_service`]: TokenIssuer::metadata_service
//! [`replace_keys`]: TokenIssuer::replace_keys
//! [`published_key`]: TokenIssuerBuilder::published_key
//! [`key`]: TokenIssuerBuilder::key

mod access;
mod body;
mod builder;
mod cookies;
mod cookies_builder;
mod document;
mod grant;
mod jwks;
mod key_directory;
mod keys;
mod metadata;
mod pkcs8;
mod private_jwk;
mod signing;

pub use self::{
    access::{AccessToken, TokenIssuer},
    body::Body,
    builder::TokenIssuerBuilder,
    cookies::TokenCookies,
    cookies_builder::{DangerousTokenCookiesBuilder, TokenCookiesBuilder},
    grant::Grant,
    jwks::JwksService,
    key_directory::KeyDirectory,
    metadata::{MetadataService, MetadataServiceBuilder},
    pkcs8::PrivateKeyPem,
    signing::SigningKey,
};
pub(crate) use self::{body::method_not_allowed, metadata::is_dot_segment};
