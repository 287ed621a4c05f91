//! The layer around the MCP server: who may call which tool.

use std::{error::Error, sync::Arc};

use axum::{Router, http::Uri};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
};
use tower_jwt_auth::{
    JwtAuthLayer, Verifier,
    mcp::{McpAuthLayer, McpScopes},
    resource::ProtectedResource,
    response::ProblemJson,
};

use crate::notes::{Notes, NotesServer};

/// The scopes of the tools.
fn scopes() -> McpScopes {
    McpScopes::new().base(["read"]).tool("whoami", ["read"]).tool("add_note", ["write"])
}

/// The server at this URL, such as `https://api.example.com/mcp`.
pub(crate) fn app(verifier: Verifier, url: &str) -> Result<Router, Box<dyn Error>> {
    let uri: Uri = url.parse()?;
    let host = uri.authority().ok_or("the URL must have a host")?;
    let resource = ProtectedResource::builder(&verifier)
        .resource(url)
        .resource_name("Notes")
        .scopes_supported(["read"])
        .build()?;
    let auth = JwtAuthLayer::new(verifier).resource_metadata(resource).respond_with(ProblemJson);
    let auth = McpAuthLayer::builder(auth).scopes(scopes()).build()?;

    let notes = Notes::default();
    // rmcp refuses other hosts than these, which by default are those of this machine.
    let config = StreamableHttpServerConfig::default().with_allowed_hosts([host.as_str()]);
    let server = StreamableHttpService::new(
        move || Ok(NotesServer::new(notes.clone())),
        Arc::new(LocalSessionManager::default()),
        config,
    );
    Ok(Router::new().route_service(uri.path(), server).layer(auth))
}
