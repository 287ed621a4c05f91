//! Issuing: access tokens, refresh tokens, and the cookies that carry them. Needs the feature
//! `issue`.
//!
//! # Rules
//!
//! 1. An access token is a JWT of RFC 9068: signed, for one or more named audiences, and
//!    over in 15 minutes unless told otherwise; in an hour at most, unless told by name.
//! 2. Its key is named by its thumbprint (RFC 7638). The next key is published before it
//!    signs, and the last one until its tokens have expired. Private members and shared
//!    secrets are never published.
//! 3. The claims of the application do not have the names of the issuer's.
//! 4. A refresh token is opaque, rotates, and is stored as a digest: see
//!    [`refresh`](crate::refresh).
//! 5. In a browser, both are in cookies that no script can read: see [`TokenCookies`].
//!
//! [`sessions`](crate::sessions) puts them together, with a ready refresh and logout.
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
//! A payload can be read by everybody who has the token: nothing secret belongs into it.
//! Who has a private key can make tokens for every user: keep it out of images, logs and
//! repositories, and where somebody else may have it, [`replace_keys`].
//!
//! # Deployment
//!
//! Several processes that sign share the key, such as a PEM file. To rotate it among them,
//! give all of them the next key as [`published_key`], wait until every verifier has
//! fetched it, then make it the [`key`] and the old one a `published_key`, and drop that
//! when its tokens have expired.
//!
//! [`replace_keys`]: TokenIssuer::replace_keys
//! [`published_key`]: TokenIssuerBuilder::published_key
//! [`key`]: TokenIssuerBuilder::key

mod access;
mod body;
mod builder;
mod cookies;
mod grant;
mod jwks;
mod keys;
mod private_jwk;
mod signing;

pub(crate) use self::body::method_not_allowed;
pub use self::{
    access::{AccessToken, TokenIssuer},
    body::Body,
    builder::TokenIssuerBuilder,
    cookies::TokenCookies,
    grant::Grant,
    jwks::JwksService,
    signing::SigningKey,
};
