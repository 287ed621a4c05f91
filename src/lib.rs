//! A Tower layer that verifies bearer JSON Web Tokens (JWT) and passes their claims to your
//! handlers as a type of your own. It works with axum, hyper and any other HTTP
//! `tower::Service`. By default, only a request with a valid token reaches the inner service.
//! Others are answered with 401 and the challenge of RFC 6750. If the token cannot be checked now,
//! the answer is 503. [`response`] has all answers.
//!
//! # Example: protect an axum router
//! ```
//! # #[cfg(feature = "axum")] {
//! use axum::{Router, routing::get};
//! use tower_jwt_auth::{ConfigError, JwtAuthLayer, Key, Verifier, extract::Subject};
//!
//! fn app(public_key: &str) -> Result<Router, ConfigError> {
//!     let verifier = Verifier::builder()
//!         .issuer("https://login.example.com")
//!         .audience("https://api.example.com")
//!         .keys(Key::from_pem(public_key))
//!         .build()?;
//!     Ok(Router::new().route("/me", get(me)).layer(JwtAuthLayer::new(verifier)))
//! }
//!
//! async fn me(subject: Subject) -> String {
//!     format!("hello {subject}")
//! }
//! # assert!(app("not a key").is_err());
//! # }
//! ```
//!
//! With the feature `remote`, [`Verifier::discover`] needs only an issuer and an audience. It
//! finds the keys of your identity provider, fetches them, and follows their rotation.
//!
//! # I want to …
//!
//! | I want to … | use |
//! |---|---|
//! | protect routes | [`JwtAuthLayer`] |
//! | verify with a public key or a shared secret | [`Key::from_pem`], [`Key::hs256`], [`KeySet`] |
//! | verify tokens of my identity provider | [`Verifier::discover`], [`RemoteKeys`] |
//! | look up a key by the id that a token names | [`KeysById`](keys::by_id::KeysById) |
//! | verify with keys of jsonwebtoken | the feature [`jsonwebtoken`](#features) |
//! | read the claims in a handler | [`Claims`], [`Subject`] |
//! | have the claims in my own type | [`VerifierBuilder::claims`] |
//! | let requests without a token pass | [`JwtAuthLayer::optional`], `Option<Claims>` |
//! | require scopes, roles or a condition | [`RequireLayer`], [`Authorized`], [`Scopes`], [`Roles`], [`Policy`] |
//! | say that a scope implies others | [`ScopeHierarchy`](authorize::ScopeHierarchy) |
//! | have one table of policies for all routes | [`Routes`] |
//! | document what a route requires | [`PolicyDescription`](authorize::PolicyDescription) |
//! | write a document of OpenAPI that says what is enforced | [`ApiSecurity`] |
//! | accept tokens that only their sender can use | [`DPoP`](proof::DPoP), [`MutualTls`](proof::MutualTls), [`ProofOfPossession`](proof::ProofOfPossession) |
//! | tell clients where they get a token | [`ProtectedResource`](resource::ProtectedResource) |
//! | protect an MCP server, with scopes for each tool | [`McpAuthLayer`], [`McpScopes`] |
//! | require a strong or a recent login | [`StepUp`](authorize::StepUp), [`Amr`](authorize::Amr) |
//! | take the token from a cookie, another header, the query or a WebSocket | [`TokenSource`] |
//! | refuse tokens by a rule of my own | [`VerifierBuilder::rule`], [`VerifierBuilder::async_rule`], [`CachedRule`](verifier::CachedRule) |
//! | see whom a stricter rule would refuse, before it is enforced | [`VerifierBuilder::shadow`], [`Claims::shadow`] |
//! | check my configuration for unwise settings | [`JwtAuthLayer::lint`], [`Verifier::lint`] |
//! | check that my verifier refuses bad tokens, when the service starts | [`Verifier::self_test`] |
//! | attack my own routes in a test | [`assert_refuses_all`], [`AttackRun`] |
//! | know how the keys of my provider are | [`RemoteKeys::status`] |
//! | compare the request with the token, such as the tenant in the path | [`RequireLayer::for_request`] |
//! | answer in my own error format | [`JwtAuthLayer::respond_with`], [`ProblemJson`], [`Respond`] |
//! | know why a request was refused | [`Error`] and [`Rejection`](response::Rejection) in the response's extensions, [`ErrorKind`] |
//! | answer clients of gRPC | [`JwtAuthLayer::grpc`], [`Grpc`](response::Grpc) |
//! | accept several issuers or tenants | [`Issuers`](verifier::Issuers) |
//! | configure it from a file or the environment | [`Settings`] |
//! | verify a token without HTTP | [`Verifier::verify`] |
//! | revoke tokens before they expire | [`Denylist`], [`MemoryDenylist`] |
//! | end a WebSocket or a stream when its token ends | [`Claims::validity`] |
//! | log users in, refresh and log out | [`Sessions`] |
//! | issue access tokens and refresh tokens | [`TokenIssuer`], [`RefreshTokens`] |
//! | share sessions and revocations between machines | [`Redis`] |
//! | keep them in another database | [`RefreshStore`], [`Denylist`] |
//! | count requests, refusals and the age of keys | [`Observer`](observe::Observer), [`MetricsObserver`] |
//! | test my application | [`TestIssuer`], the [module `testing`][testing module] |
//! | set the time | [`Clock`]; in a test, [`TestClock`] |
//!
//! # Guides
//!
//! The [guides][guides module] show how the parts work together: identity providers, sessions,
//! tower-http, tenants, errors, migrating from other crates, security, sender-constrained tokens,
//! protected resource metadata,
//! gRPC, long connections, MCP servers, OpenAPI, stricter rules, recipes, testing, deployment and
//! operations. A build of the documentation without all features leaves them
//! out: `cargo doc --all-features`.
//!
//! # Modules
//!
//! | module | contains | feature |
//! |---|---|---|
//! | [`verifier`] | the checks, their order, claims, rules, the cache | |
//! | [`keys`] | public keys, secrets and key sets | |
//! | [`keys::by_id`] | keys that are looked up by the id that a token names | |
//! | [`keys::remote`][remote module] | keys that are fetched from an identity provider | `remote` |
//! | [`layer`] | the layers and their services | |
//! | [`source`] | where the token is read from, and the check against cross-site requests | |
//! | [`extract`][extract module] | extractors for axum | `axum` |
//! | [`authorize`] | scopes, roles, logins and conditions | |
//! | [`response`] | the answer to a refused request | |
//! | [`resource`] | the metadata of a protected resource (RFC 9728) | |
//! | [`proof`] | proofs of the sender: DPoP and client certificates | |
//! | [`error`] | why a request was refused, and errors of configuration | |
//! | [`report`] | settings that are legal and unwise | |
//! | [`settings`][settings module] | a verifier and a layer from settings | `settings` |
//! | [`revocation`] | denylists | |
//! | [`validity`] | streams that end with their token | |
//! | [`sessions`][sessions module] | login, refresh and logout | `issue` |
//! | [`issue`][issue module] | access tokens, signing keys and cookies | `issue` |
//! | [`refresh`][refresh module] | refresh tokens and their stores | `issue` |
//! | [`mcp`][mcp module] | a preset for MCP servers | `mcp` |
//! | [`redis`][redis module] | stores in Redis or Valkey | `redis` |
//! | [`observe`] | observers of decisions, keys and stores | |
//! | [`openapi`][openapi module] | documents of OpenAPI and routers that enforce them | `utoipa` |
//! | [`testing`][testing module] | an issuer, a clock, requests, assertions and stores for tests | `test-util` |
//! | [`alg`], [`claims`], [`clock`], [`maybe_ready`] | algorithms, registered claims, time, answers of stores | |
//!
//! # Features
//!
//! | feature | default | enables |
//! |---|---|---|
//! | `aws_lc_rs` | yes | cryptography by aws-lc-rs; needs a C compiler |
//! | `rust_crypto` | | cryptography by RustCrypto: pure Rust, without ES512 |
//! | `axum` | yes | the extractors for axum 0.8 |
//! | `tracing` | yes | an event for each refused request |
//! | `settings` | | a verifier and a layer from a file or the environment |
//! | `remote` | | keys of an identity provider that rotate; includes `settings`; needs a C compiler for TLS |
//! | `issue` | | sessions, access tokens, refresh tokens, cookies; includes `aws_lc_rs` |
//! | `redis` | | refresh tokens and the denylist in Redis or Valkey, for several machines; includes `issue` |
//! | `routes` | | one table of policies for all routes of a service, with the paths of axum 0.8 |
//! | `mcp` | | a preset for MCP servers, with scopes for each tool |
//! | `metrics` | | an observer that counts with the facade `metrics` |
//! | `utoipa` | | documents of OpenAPI by utoipa 6 that say what is enforced; includes `axum`. Its API has types of utoipa-axum 0.3 and axum 0.8 |
//! | `jsonwebtoken` | | keys and key sets of jsonwebtoken as keys of this crate |
//! | `test-util` | | for dev-dependencies: tests of applications; includes `issue` |
//!
//! The features `remote`, `issue` and `redis`, [`KeysById`](keys::by_id::KeysById) and issuers that
//! are [resolved](verifier::IssuersBuilder::resolve) need a tokio runtime with a timer. That of
//! `#[tokio::main]` has one, and so has one that is built with `enable_all` or `enable_time`. On a
//! runtime without a timer, requests that would wait are answered 503. With `panic = "abort"`, the process ends there, because tokio says only by a
//! panic that there is no timer.
//!
//! One of `aws_lc_rs` and `rust_crypto` is required. If both are enabled, also by another crate of
//! the build, aws-lc-rs verifies.
//!
//! # Security
//!
//! The layer protects only the routes that it wraps. In axum, a route that is added after
//! `.layer(…)` is public. With [`optional`](JwtAuthLayer::optional),
//! [`pass_through`](JwtAuthLayer::pass_through) or
//! [`allow_preflight`](JwtAuthLayer::allow_preflight), requests without claims reach the handler.
//! The handler then decides.
//!
//! An issuer and an audience are required, and so are `exp` and `sub`. A method that weakens a
//! check has a name that says so (`any_…`, `without_…`) or is behind `dangerous()`. The
//! repository's `SECURITY.md` has the threat model.
//!
//! [`VerifierBuilder::claims`]: verifier::VerifierBuilder::claims
//! [`VerifierBuilder::rule`]: verifier::VerifierBuilder::rule
//! [`VerifierBuilder::async_rule`]: verifier::VerifierBuilder::async_rule
//! [`VerifierBuilder::shadow`]: verifier::VerifierBuilder::shadow
//! [`Scopes`]: authorize::Scopes
//! [`Roles`]: authorize::Roles
//! [`Policy`]: authorize::Policy
//! [`ProblemJson`]: response::ProblemJson
//! [`Respond`]: response::Respond
//! [`Denylist`]: revocation::Denylist
//! [`MemoryDenylist`]: revocation::MemoryDenylist
//! [`Clock`]: clock::Clock
// Links to what a feature enables. Without the feature, they lead to the table of features, so
// that the text is the same whatever the features. Labels of links ignore case, so a module's label
// must differ from that of its type: `sessions` and `Sessions`.
#![cfg_attr(
    all(feature = "remote", feature = "redis", feature = "test-util", feature = "utoipa"),
    doc = "
[guides module]: mod@guides
"
)]
#![cfg_attr(
    not(all(feature = "remote", feature = "redis", feature = "test-util", feature = "utoipa")),
    doc = "
[guides module]: #features
"
)]
#![cfg_attr(
    feature = "axum",
    doc = "
[`Subject`]: extract::Subject
[`Authorized`]: extract::Authorized
[extract module]: mod@extract
"
)]
#![cfg_attr(
    not(feature = "axum"),
    doc = "
[`Subject`]: #features
[`Authorized`]: #features
[extract module]: #features
"
)]
#![cfg_attr(
    feature = "metrics",
    doc = "
[`MetricsObserver`]: observe::MetricsObserver
"
)]
#![cfg_attr(
    not(feature = "metrics"),
    doc = "
[`MetricsObserver`]: #features
"
)]
#![cfg_attr(
    feature = "mcp",
    doc = "
[`McpAuthLayer`]: mcp::McpAuthLayer
[`McpScopes`]: mcp::McpScopes
[mcp module]: mod@mcp
"
)]
#![cfg_attr(
    not(feature = "mcp"),
    doc = "
[`McpAuthLayer`]: #features
[`McpScopes`]: #features
[mcp module]: #features
"
)]
#![cfg_attr(
    feature = "routes",
    doc = "
[`Routes`]: layer::Routes
"
)]
#![cfg_attr(
    not(feature = "routes"),
    doc = "
[`Routes`]: #features
"
)]
#![cfg_attr(
    feature = "utoipa",
    doc = "
[`ApiSecurity`]: openapi::ApiSecurity
[openapi module]: mod@openapi
"
)]
#![cfg_attr(
    not(feature = "utoipa"),
    doc = "
[`ApiSecurity`]: #features
[openapi module]: #features
"
)]
#![cfg_attr(
    feature = "remote",
    doc = "
[`Verifier::discover`]: Verifier::discover
[`RemoteKeys`]: RemoteKeys
[`RemoteKeys::status`]: RemoteKeys::status
[remote module]: mod@keys::remote
"
)]
#![cfg_attr(
    not(feature = "remote"),
    doc = "
[`Verifier::discover`]: #features
[`RemoteKeys`]: #features
[`RemoteKeys::status`]: #features
[remote module]: #features
"
)]
#![cfg_attr(
    feature = "settings",
    doc = "
[`Settings`]: settings::Settings
[settings module]: mod@settings
"
)]
#![cfg_attr(
    not(feature = "settings"),
    doc = "
[`Settings`]: #features
[settings module]: #features
"
)]
#![cfg_attr(
    feature = "issue",
    doc = "
[`Sessions`]: sessions::Sessions
[`TokenIssuer`]: issue::TokenIssuer
[`RefreshTokens`]: refresh::RefreshTokens
[`RefreshStore`]: refresh::RefreshStore
[sessions module]: mod@sessions
[issue module]: mod@issue
[refresh module]: mod@refresh
"
)]
#![cfg_attr(
    not(feature = "issue"),
    doc = "
[`Sessions`]: #features
[`TokenIssuer`]: #features
[`RefreshTokens`]: #features
[`RefreshStore`]: #features
[sessions module]: #features
[issue module]: #features
[refresh module]: #features
"
)]
#![cfg_attr(
    feature = "redis",
    doc = "
[`Redis`]: redis::Redis
[redis module]: mod@redis
"
)]
#![cfg_attr(
    not(feature = "redis"),
    doc = "
[`Redis`]: #features
[redis module]: #features
"
)]
#![cfg_attr(
    feature = "test-util",
    doc = "
[`TestIssuer`]: testing::TestIssuer
[`TestClock`]: testing::TestClock
[`assert_refuses_all`]: testing::assert_refuses_all
[`AttackRun`]: testing::AttackRun
[testing module]: mod@testing
"
)]
#![cfg_attr(
    not(feature = "test-util"),
    doc = "
[`TestIssuer`]: #features
[`TestClock`]: #features
[`assert_refuses_all`]: #features
[`AttackRun`]: #features
[testing module]: #features
"
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
mod attack;
pub mod authorize;
pub mod claims;
pub mod clock;
mod csrf;
mod digest;
pub mod error;
mod expiring;
#[cfg(feature = "axum")]
pub mod extract;
mod few;
#[cfg(all(
    any(doc, doctest),
    feature = "remote",
    feature = "redis",
    feature = "test-util",
    feature = "utoipa"
))]
pub mod guides;
mod http_url;
#[cfg(feature = "issue")]
pub mod issue;
mod json;
pub mod keys;
pub mod layer;
pub mod maybe_ready;
#[cfg(feature = "mcp")]
pub mod mcp;
mod misses;
pub mod observe;
#[cfg(feature = "utoipa")]
pub mod openapi;
pub mod proof;
#[cfg(feature = "issue")]
mod random;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "issue")]
pub mod refresh;
pub mod report;
mod request_head;
pub mod resource;
pub mod response;
pub mod revocation;
mod rules;
mod runtime;
mod scope_hierarchy;
mod secret;
#[cfg(feature = "issue")]
pub mod sessions;
#[cfg(feature = "settings")]
pub mod settings;
mod shadow_rule;
mod shown;
pub mod source;
#[cfg(feature = "test-util")]
pub mod testing;
mod token;
mod token_cache;
pub mod validity;
pub mod verifier;

/// Tests the examples of the README.
#[cfg(all(
    doctest,
    feature = "axum",
    feature = "remote",
    feature = "redis",
    feature = "test-util"
))]
#[doc = include_str!("../README.md")]
struct Readme;

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
