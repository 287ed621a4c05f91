//! A preset for servers of the Model Context Protocol (MCP): it verifies tokens, publishes the metadata
//! that clients look for, and knows which scopes a call of a tool needs.
//!
//! It follows the authorization part of the revisions 2025-06-18 to 2026-07-28, and works with every MCP
//! server that is a [`Service`](tower_service::Service) of HTTP requests.
//!
//! # Rules
//!
//! 1. A request with an `Origin` that is not allowed is answered 403, whatever its token is. Requests for
//!    the metadata are not affected.
//! 2. The layer answers requests for its [metadata](crate::resource) itself, and names it in each 401 and
//!    403 of a token.
//! 3. The token is verified as [`JwtAuthLayer`](crate::JwtAuthLayer) does, and must name this server in
//!    `aud`. It is never taken from the query. The request that the server sees is without it.
//! 4. `Mcp-Session-Id` must be that of a session of the same principal: see [`SessionBinding`].
//! 5. A `POST` must be `application/json` in UTF-8 without a `Content-Encoding`: otherwise, the answer is
//!    415. Its body is read as a whole, at most 1 MiB and for at most 30 s: a longer one is answered 413,
//!    and a slower one 408.
//! 6. The body must be one JSON-RPC message or a batch of them. It is refused with 400 if it is malformed,
//!    if a batch has more than 100 messages, if it names more than 1,000 operations, if an object repeats a
//!    member name, or if two JSON readers may understand it differently.
//! 7. The body decides which operation it is. If `Mcp-Method` or `Mcp-Name` is there and says something else, the
//!    answer is 400. Before the body is read, the headers are reason enough for a 403.
//! 8. [`McpScopes`] says which scopes that needs. A refusal is one 403 with all of them.
//! 9. A 400, 404, 408, 413 or 415 of this preset has a JSON-RPC error as its body. Refusals of the token have the
//!    format of the [layer](crate::JwtAuthLayer::respond_with).
//! 10. A request that passes has the same bytes in its body. Trailers are not passed on.
//!
//! # Example: a server with two tools
//! ```
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use hyper::body::Bytes;
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_jwt_auth::{
//!     JwtAuthLayer, Key, Verifier,
//!     mcp::{McpAuthLayer, McpScopes},
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let verifier = Verifier::builder()
//!     .issuer("https://login.example.com")
//!     .audience("https://api.example.com/mcp")
//!     .keys(Key::hs256([7; 32]))
//!     .build()?;
//! let scopes = McpScopes::new()
//!     .base(["notes"])
//!     .tool("search", ["notes:read"])
//!     .tool("delete", ["notes:read", "notes:write"]);
//! let layer = McpAuthLayer::builder(JwtAuthLayer::new(verifier)).scopes(scopes).build()?;
//!
//! let server = service_fn(async |_: Request<Full<Bytes>>| {
//!     Ok::<_, std::io::Error>(Response::new(String::new()))
//! });
//! let request = Request::post("/mcp").body(Full::default())?;
//! let response = layer.layer(server).oneshot(request).await?;
//! assert_eq!(response.status(), 401);
//! assert_eq!(
//!     response.headers()["www-authenticate"],
//!     "Bearer resource_metadata=\"https://api.example.com/.well-known/oauth-protected-resource/mcp\", \
//!      scope=\"notes\""
//! );
//! # Ok(()) }
//! ```
//!
//! # Example: claims in a tool
//!
//! The request's extensions have the [`Claims`](crate::Claims), as behind every layer. A server of `rmcp`
//! gives a tool the parts of the request, so the claims are in `parts.extensions`:
//! ```
//! use http::request::Parts;
//! use tower_jwt_auth::Claims;
//!
//! /// In a tool, `parts` is an `Extension<http::request::Parts>`.
//! fn caller(parts: &Parts) -> Option<&str> {
//!     parts.extensions.get::<Claims>()?.subject()
//! }
//! # let _ = caller;
//! ```
//! A server with sessions is made once for each session, and its requests may have other tokens. So read
//! the claims in each call, and never when the server is made.
//!
//! # Security
//!
//! The layer must see the body as the server sees it: nothing between the two may change it, such as a
//! layer that decompresses it. The layer checks the scopes of the entry of a tool, and nothing of its
//! arguments: a tool whose rights depend on its arguments checks those itself.
//!
//! The layer removes the body of a `GET`, `HEAD`, `DELETE` or `OPTIONS`. It removes the header `Upgrade`,
//! because it cannot check the messages of an upgraded connection. One of these requests keeps the header
//! if its token has everything that the table requires.
//!
//! A JSON-RPC response to a request of the server needs only the base scopes. So a weaker token of the same
//! principal can confirm an operation that a stronger one has begun. A stream continues when its token ends,
//! unless the server guards it (see [`validity`](crate::validity)).
//!
//! The layer does not compare the headers `Mcp-Param-…`, and does not know the transport of 2024-11-05, which has
//! its session in the query.
//!
//! A request waits for its body inside the layer, and keeps the service within ready. A limit of concurrent
//! calls within the layer also counts requests whose body has not arrived.
//!
//! The layer does not look at `Last-Event-ID`. A server that lets clients resume streams without a session
//! must make the ids of events unguessable.

mod answer;
mod body;
mod entry;
mod guard;
mod headers;
mod layer;
mod message;
mod params;
mod required;
mod resources;
mod rules;
mod scopes;
mod service;
mod sessions;
mod table;
#[cfg(test)]
mod tests;

pub use self::{
    body::RequestBody,
    entry::{McpEntry, McpEntryDescription},
    guard::{McpGuard, McpGuardFuture},
    layer::{McpAuthLayer, McpAuthLayerBuilder},
    scopes::McpScopes,
    service::{McpAuth, McpAuthFuture},
    sessions::SessionBinding,
};
