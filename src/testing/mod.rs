//! Tests of applications: an issuer, tokens of any content, a clock, requests, assertions, and
//! stores that fail. Requires the feature `test-util`.
//!
//! | in a test | use |
//! |---|---|
//! | make tokens, good and bad | [`TestIssuer`], [`TestToken`] |
//! | have an identity provider over HTTP, which rotates and fails | [`TestIssuer::serve`], [`TestServer`] |
//! | make DPoP proofs, good and bad | [`TestProofKey`], [`TestProof`], [`TestRequest::dpop`] |
//! | move the time | [`TestClock`] |
//! | call a handler without any token | [`TestClaims`], [`TestRequest::with_claims`], [`TestRequest::without_claims`] |
//! | send a token, or the cookies of a browser | [`TestRequest`], [`CookieSession`] |
//! | check the answer | [`assert_accepted`], [`assert_refused`], [`assert_challenge`], [`assert_insufficient_scope`], [`assert_grpc_status`] |
//! | attack a route | [`assert_refuses_all`], [`AttackRun`], [`attacks`] |
//! | have a denylist, a refresh store or a replay store fail | [`TestDenylist`], [`TestRefreshStore`], [`TestReplayStore`] |
//! | test a store of your own | [`conformance`] |
#![cfg_attr(feature = "tracing", doc = "| see the events of the crate | [`TestLog`] |")]
//!
//! # Example: a router, its tokens and its answers
//! ```
//! use axum::{Router, body::Body, http::Request, routing::get};
//! use tower::ServiceExt;
//! use tower_jwt_auth::{
//!     JwtAuthLayer, RequireLayer, Verifier,
//!     extract::Subject,
//!     testing::{
//!         TestIssuer, TestRequest, assert_accepted, assert_challenge, assert_insufficient_scope,
//!         assert_refused,
//!     },
//! };
//!
//! // The application. In production, its verifier has the keys of the provider.
//! fn app(verifier: Verifier) -> Router {
//!     Router::new()
//!         .route("/orders", get(async |subject: Subject| format!("orders of {subject}")))
//!         .route_layer(RequireLayer::scopes(["orders:read"]))
//!         .layer(JwtAuthLayer::new(verifier))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let issuer = TestIssuer::new();
//! let app = app(issuer.verifier());
//! let get = |token: &str| Request::get("/orders").bearer(token).body(Body::empty());
//!
//! let token = issuer.token().scopes(["orders:read"]).sign();
//! assert_accepted(&app.clone().oneshot(get(&token)?).await?);
//!
//! let response = app.clone().oneshot(get(&issuer.token().sign())?).await?;
//! assert_insufficient_scope(&response, ["orders:read"]);
//!
//! let response = app.clone().oneshot(get(&issuer.token().wrong_key().sign())?).await?;
//! assert_refused(&response, "signature");
//! assert_challenge(&response, "invalid_token");
//!
//! let response = app.oneshot(Request::get("/orders").body(Body::empty())?).await?;
//! assert_challenge(&response, None);
//! # Ok(()) }
//! ```
//!
//! # Deployment
//!
//! Turn the feature on only in `[dev-dependencies]`:
//!
//! ```toml
//! [dependencies]
//! tower-jwt-auth = "0.1"
//!
//! [dev-dependencies]
//! tower-jwt-auth = { version = "0.1", features = ["test-util"] }
//! ```
//!
//! With the resolver 2 or newer, which packages of edition 2021 and later have by default, the features of
//! dev-dependencies are not part of `cargo build --release --package app`. They are with the resolver 1,
//! if tests are built in the same call, and if a member of a workspace that is built in the same call
//! has the feature as a normal dependency. A release that has the feature has the finding
//! [`Lint::TestUtil`](crate::report::Lint::TestUtil). See the
//! [guide](https://docs.rs/tower-jwt-auth/latest/tower_jwt_auth/guides/testing/index.html#keep-it-out-of-a-release).
//!
//! # Security
//!
//! The feature changes nothing in the rest of the crate: no check is weaker, and no request from the
//! network can have claims that were not verified. But code that is built with it can make such
//! claims, and the keys of a [`TestIssuer`] are not kept as secrets are.

mod assertions;
mod attacks;
mod claims;
mod clock;
pub mod conformance;
mod cookie_session;
mod grpc;
mod grpc_status;
mod issuer;
mod jws;
mod keys;
mod kinds;
#[cfg(feature = "tracing")]
mod log;
mod proof;
mod request;
mod server;
mod stores;
mod token;

#[cfg(feature = "tracing")]
pub use self::log::TestLog;
pub use self::{
    assertions::{
        ExpectedKind, TestOutcome, assert_accepted, assert_challenge, assert_insufficient_scope,
        assert_refused,
    },
    attacks::{Attack, AttackReport, AttackRun, UnrefusedAttack, assert_refuses_all, attacks},
    claims::TestClaims,
    clock::TestClock,
    cookie_session::CookieSession,
    grpc::assert_grpc_status,
    issuer::TestIssuer,
    proof::{TestProof, TestProofKey},
    request::TestRequest,
    server::TestServer,
    stores::{TestDenylist, TestRefreshStore, TestReplayStore},
    token::TestToken,
};
