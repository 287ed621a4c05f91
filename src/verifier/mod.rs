//! From a token's text to typed claims, or to the reason why not.
//!
//! # Rules
//!
//! A token is checked in this order, and the first failure ends it; nothing of
//! its claims is seen before.
//!
//! 1. Size and shape: at most [`max_token_len`](VerifierBuilder::max_token_len)
//!    bytes, three parts of strict base64url (RFC 7515 §7.1).
//! 2. Header: one JSON object without repeated names, an `alg` that is allowed,
//!    a `typ` that is allowed, no `crit`, `b64` or `enc`, no nested token (RFC
//!    8725 §3.1, §3.11; RFC 7515 §4.1.11).
//! 3. Key and signature: see [`keys`](crate::keys).
//! 4. Claims: one JSON object without repeated names, registered claims of their
//!    types, `iss`, `aud`, `exp`, `nbf`, `iat`, `sub` and what else is required
//!    (RFC 7519 §4.1, RFC 8725 §3.8, §3.9).
//! 5. Sender constraint: a token with `cnf` is no bearer token (RFC 7800 §3.1)
//!    and is refused.
//! 6. The application's type, then its rules, then its asynchronous rules.
//!
//! # Example: a token without any HTTP
//! ```
//! use serde::Deserialize;
//! use tower_jwt_auth::{Key, Verifier};
//!
//! #[derive(Debug, Deserialize)]
//! struct User {
//!     sub: String,
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let verifier = Verifier::<User>::builder()
//!     .issuer("https://login.example.com")
//!     .audience("https://api.example.com")
//!     .keys(Key::hs256([7; 32])?)
//!     .build()?;
//! let error = verifier.verify("no.token.atall").await.unwrap_err();
//! assert!(error.is_invalid_token());
//! # Ok(()) }
//! ```
//!
//! # Example: stricter
//! ```
//! use std::time::Duration;
//! use tower_jwt_auth::{Algorithm, Key, RegisteredClaims, Verifier};
//!
//! let verifier = Verifier::<RegisteredClaims>::builder()
//!     .issuer("https://login.example.com")
//!     .audience("https://api.example.com")
//!     .keys(Key::hs256([7; 32]))
//!     .algorithms([Algorithm::HS256])
//!     .access_tokens_only()
//!     .leeway(Duration::from_secs(5))
//!     .max_age(Duration::from_secs(3600))
//!     .required_claim("tenant")
//!     .build()?;
//! # Ok::<(), tower_jwt_auth::ConfigError>(())
//! ```
//!
//! # Security
//!
//! A verified token says that its issuer signed it and that its time has not
//! ended, not that the user may still log in: that is what an asynchronous rule
//! is for.

mod binding;
mod builder;
mod claims;
mod pipeline;
mod rule;

use std::{fmt, sync::Arc};

use serde::de::DeserializeOwned;

use self::{binding::Bindings, rule::UserRules};
pub use self::{
    builder::{DangerousVerifierBuilder, VerifierBuilder},
    claims::Claims,
    rule::RuleError,
};
use crate::{
    alg::AlgorithmSet, claims::RegisteredClaims, clock::Clock, error::Error, keys::KeySet,
    rules::Rules, step::Step, token::HeaderMemo,
};

/// Verifies tokens and gives their claims as a `C`; cheap to clone.
///
/// `C` is read from the claims as an object: a struct or a map. Where the
/// application has no type of its own, [`RegisteredClaims`] is one; `()` is none,
/// and no token fits it.
///
/// See the [module docs](self) for what is checked, and when.
pub struct Verifier<C = RegisteredClaims>(Arc<Config<C>>);

struct Config<C> {
    keys: KeySet,
    algorithms: AlgorithmSet,
    rules: Rules,
    headers: HeaderMemo,
    user_rules: UserRules<C>,
    bindings: Bindings,
    max_token_len: usize,
    clock: Box<dyn Clock>,
}

impl<C> Verifier<C> {
    /// A builder, which asks for a key, an issuer and an audience at the least.
    pub fn builder() -> VerifierBuilder<C> {
        VerifierBuilder::new()
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &KeySet {
        &self.0.keys
    }
}

impl<C: DeserializeOwned + Send + Sync + 'static> Verifier<C> {
    /// Verifies one token in compact form, without a scheme in front of it.
    ///
    /// The answer is [`Step::Ready`] unless there are asynchronous rules and
    /// everything before them passed.
    ///
    /// # Errors
    ///
    /// The first check that failed; see the [module docs](self).
    pub fn verify(&self, token: &str) -> Step<Result<Claims<C>, Error>> {
        match pipeline::verify(&self.0, token) {
            Ok(claims) => self.0.user_rules.ask(claims),
            Err(error) => Step::Ready(Err(error)),
        }
    }
}

impl<C> Clone for Verifier<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C> fmt::Debug for Verifier<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("keys", &self.0.keys)
            .field("algorithms", &self.0.algorithms)
            .field("rules", &self.0.rules)
            .field("max_token_len", &self.0.max_token_len)
            .finish_non_exhaustive()
    }
}
