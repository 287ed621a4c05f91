//! Extractors for axum handlers (feature `axum`).
//!
//! | argument | without a token | with a bad one |
//! |---|---|---|
//! | [`Claims<C>`](crate::Claims) | 401 | 401 |
//! | `Option<Claims<C>>` | `None` | 401 |
//! | `Result<Claims<C>, Rejection>` | `Err` | `Err` |
//! | [`Authorized<P, C>`](Authorized) | 401 | 401, and 403 if the policy says no |
//!
//! A request gets so far without claims only where the layer is
//! `.optional()` or `.pass_through()`. In an `.optional()` layer, a bad token in a cookie counts as
//! no token: `Option<Claims<C>>` is `None`, and the others answer 401. Without any [`JwtAuthLayer`] for the same `C`,
//! the answer is 500, and the log says which layer is missing.
//!
//! [`JwtAuthLayer`]: crate::JwtAuthLayer
//!
//! # Example: a guest and a user
//! ```
//! use axum::{Router, routing::get};
//! use tower_jwt_auth::{Claims, JwtAuthLayer};
//! # use tower_jwt_auth::{Key, RegisteredClaims, Verifier};
//! # let verifier = Verifier::<RegisteredClaims>::builder()
//! #     .any_issuer().any_audience().keys(Key::hs256([7; 32])).build()?;
//!
//! async fn hello(user: Option<Claims>) -> String {
//!     match user {
//!         Some(user) => format!("hello {:?}", user.subject()),
//!         None => "hello stranger".into(),
//!     }
//! }
//!
//! let app = Router::new()
//!     .route("/", get(hello))
//!     .layer(JwtAuthLayer::new(verifier).optional());
//! # let _: Router = app;
//! # Ok::<(), tower_jwt_auth::ConfigError>(())
//! ```

mod authorized;
mod claims;
mod rejection;

pub use self::authorized::Authorized;
