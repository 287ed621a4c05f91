//! An MCP server with two tools. It knows nothing of tokens: the layer around has checked them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::http::request::Parts;
use rmcp::{
    ErrorData, ServerHandler,
    handler::server::{router::tool::ToolRouter, tool::Extension, wrapper::Parameters},
    model::{ServerCapabilities, ServerConfig},
    schemars, tool, tool_handler, tool_router,
};
use serde::Deserialize;
use serde_json::json;
use tower_jwt_auth::Claims;

/// The notes of all users.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<BTreeMap<String, Vec<String>>>>);

impl Notes {
    /// Gives the number of notes that the user has then.
    fn add(&self, user: &str, text: String) -> usize {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = notes.entry(user.to_owned()).or_default();
        own.push(text);
        own.len()
    }
}

/// The server. One is made for each session, or for each request. So it has no claims: they are those of
/// the request, and another request of the session may have another token.
#[derive(Clone)]
pub(crate) struct NotesServer {
    notes: Notes,
    tool_router: ToolRouter<Self>,
}

#[derive(Deserialize, schemars::JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Note {
    /// The text of the note.
    text: String,
}

#[tool_router]
impl NotesServer {
    pub(crate) fn new(notes: Notes) -> Self {
        Self { notes, tool_router: Self::tool_router() }
    }

    #[tool(description = "Says who the access token speaks of.")]
    async fn whoami(&self, Extension(parts): Extension<Parts>) -> Result<String, ErrorData> {
        let claims = claims(&parts)?;
        let scopes: Vec<_> = claims.scopes().iter().collect();
        let me =
            json!({ "sub": claims.subject(), "client_id": claims.client_id(), "scopes": scopes });
        Ok(me.to_string())
    }

    #[tool(description = "Adds a note to those of the user.")]
    async fn add_note(
        &self,
        Parameters(Note { text }): Parameters<Note>,
        Extension(parts): Extension<Parts>,
    ) -> Result<String, ErrorData> {
        let user = claims(&parts)?.subject().unwrap_or_default();
        let count = self.notes.add(user, text);
        Ok(format!("{user} has {count} notes"))
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for NotesServer {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}

/// The claims of a request. They are in the extensions of its parts, and not in those of the message.
fn claims(parts: &Parts) -> Result<&Claims, ErrorData> {
    let claims = parts.extensions.get::<Claims>();
    claims.ok_or_else(|| ErrorData::internal_error("the server has no layer around it", None))
}
