use std::{error::Error, sync::Arc};

use axum::{Router, http::request::Parts};
use rmcp::{
    ErrorData, ServerHandler,
    handler::server::{router::tool::ToolRouter, tool::Extension},
    model::{ServerCapabilities, ServerConfig},
    tool, tool_handler, tool_router,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use tokio::net::TcpListener;
use tower_jwt_auth::{
    Claims, JwtAuthLayer, Verifier,
    authorize::authenticated,
    mcp::{McpAuthLayer, McpEntry, McpScopes},
};

#[derive(Clone)]
struct Notes {
    tool_router: ToolRouter<Self>,
}

#[tool_router]
impl Notes {
    #[tool(description = "Says who the user is.")]
    async fn whoami(&self, Extension(parts): Extension<Parts>) -> Result<String, ErrorData> {
        let claims = parts.extensions.get::<Claims>();
        let claims = claims.ok_or_else(|| ErrorData::internal_error("no layer", None))?;
        Ok(claims.subject().unwrap_or_default().to_owned())
    }

    #[tool(description = "Removes all notes.")]
    async fn clear(&self) -> String {
        "removed".to_owned()
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for Notes {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}

pub(crate) fn app(verifier: Verifier) -> Result<Router, Box<dyn Error>> {
    let scopes = McpScopes::new()
        .base(["notes"])
        .require(McpEntry::tool("whoami"), authenticated())
        .tool("clear", ["notes:write"]);
    let auth = McpAuthLayer::builder(JwtAuthLayer::new(verifier)).scopes(scopes).build()?;
    let server = StreamableHttpService::new(
        || Ok(Notes { tool_router: Notes::tool_router() }),
        Arc::new(LocalSessionManager::default()),
        // rmcp refuses other hosts; without this, all but those of this machine.
        StreamableHttpServerConfig::default().with_allowed_hosts(["api.example.com"]),
    );
    Ok(Router::new().route_service("/mcp", server).layer(auth))
}

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let verifier =
        Verifier::discover("https://login.example.com", "https://api.example.com/mcp").await?;
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app(verifier)?).await?;
    Ok(())
}
