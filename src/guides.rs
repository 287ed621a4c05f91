//! Guides: how to use the parts of this crate together.
//!
//! | guide | read it to |
//! |---|---|
//! | [`providers`] | accept the tokens of Keycloak, Auth0, Entra ID, Okta, Cognito, Google, Zitadel, Firebase, Google IAP, an AWS load balancer, Kubernetes or SPIFFE |
//! | [`sessions`] | log users in with your own login, refresh their tokens and log them out |
//! | [`sender_constrained`] | accept tokens that only their owner can use: client certificates |
//! | [`protected_resource`] | let clients find the authorization server and the scopes of a service that they know only by its URL |
//! | [`grpc`] | refuse so that clients of gRPC understand it; policies for methods, tonic, gRPC-Web |
//! | [`mcp`] | protect an MCP server, with scopes for each tool |
//! | [`long_connections`] | end WebSockets, server-sent events and streams of gRPC when their token ends |
//! | [`openapi`] | write a document of OpenAPI whose security is the one that is enforced |
//! | [`tower_http`] | put CORS, trace, timeout and compression around the layer in the right order |
//! | [`tenants`] | trust several issuers, or one for each customer |
//! | [`errors`] | answer refusals in your own format, and read why a request was refused |
//! | [`migrating`] | move from jsonwebtoken, jwt-authorizer, axum-jwt-auth or tower-oauth2-resource-server |
//! | [`security`] | know what is checked and what is not, and go through a list for production |
//! | [`shadow_rules`] | turn on a stricter rule without locking anybody out |
//! | [`recipes`] | find the short answer to one question |
//! | [`testing`] | test your application: tokens of any content, time, claims without a token, stores |
//! | [`operations`] | know all events and metrics, and what to alert on |
//! | [`deployment`] | run it behind a proxy, on several machines, and watch it |
//!
//! This module has only documentation. It is left out of a build of the crate.

#[doc = include_str!("../docs/guides/deployment.md")]
pub mod deployment {}
#[doc = include_str!("../docs/guides/errors.md")]
pub mod errors {}
#[doc = include_str!("../docs/guides/grpc.md")]
pub mod grpc {}
#[doc = include_str!("../docs/guides/long-connections.md")]
pub mod long_connections {}
#[cfg(feature = "mcp")]
#[doc = include_str!("../docs/guides/mcp.md")]
pub mod mcp {}
#[doc = include_str!("../docs/guides/migrating.md")]
pub mod migrating {}
#[doc = include_str!("../docs/guides/openapi.md")]
pub mod openapi {}
#[doc = include_str!("../docs/operations.md")]
pub mod operations {}
#[doc = include_str!("../docs/guides/protected-resource.md")]
pub mod protected_resource {}
#[doc = include_str!("../docs/guides/providers.md")]
pub mod providers {}
#[doc = include_str!("../docs/guides/recipes.md")]
pub mod recipes {}
#[doc = include_str!("../docs/guides/security.md")]
pub mod security {}
#[doc = include_str!("../docs/guides/sender-constrained.md")]
pub mod sender_constrained {}
#[doc = include_str!("../docs/guides/sessions.md")]
pub mod sessions {}
#[doc = include_str!("../docs/guides/shadow-rules.md")]
pub mod shadow_rules {}
#[doc = include_str!("../docs/guides/tenants.md")]
pub mod tenants {}
#[doc = include_str!("../docs/guides/testing.md")]
pub mod testing {}
#[doc = include_str!("../docs/guides/tower-http.md")]
pub mod tower_http {}
