//! Extractors for axum handlers (feature `axum`).
//!
//! | argument | without a token | with an invalid one |
//! |---|---|---|
//! | [`Claims<C>`](crate::Claims) | 401 | 401 |
//! | `Option<Claims<C>>` | `None` | 401 |
//! | `Result<Claims<C>, Rejection>` | `Err` | `Err` |
//! | [`Subject`] | 401 | 401 |
//! | [`ProofOfPossession`](crate::proof::ProofOfPossession) | 401 | 401 |
//! | [`Authorized<P, C>`](Authorized) | 401 | 401, and 403 if the policy refuses |
//!
//! A request reaches a handler without claims only if the layer is `.optional()` or
//! `.pass_through()`, or if it is a CORS preflight and the layer has `.allow_preflight()`. In an
//! `.optional()` layer, an invalid token in a cookie counts as no token: `Option<Claims<C>>` is
//! `None`, and the others answer 401.
//!
//! Each refusal is an event, as those of the layer are. With a `Result`, the extractor has refused
//! and the handler decides on the answer.
//!
//! `Claims` without a type, and `Subject`, work with a [`JwtAuthLayer`] for any type of claims.
//! `Claims<C>` needs one for the same `C`. Without it, the answer is 500, and the log says which
//! layer is missing. If several layers around a handler are for different types, `Claims` are
//! those of the layer without a type of its own; if there is no such layer, the answer is 500, to
//! guests as well.
//!
//! [`JwtAuthLayer`]: crate::JwtAuthLayer
//!
//! # Example: a guest and a user
//! ```
//! use axum::{Router, routing::get};
//! use tower_jwt_auth::{Claims, JwtAuthLayer};
//! # use tower_jwt_auth::{Key, Verifier};
//! # let verifier = Verifier::builder()
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
mod possession;
mod rejection;
mod subject;

pub use self::{authorized::Authorized, subject::Subject};
