//! The layer and its builder.

use std::{fmt, sync::Arc, time::Duration};

use tower_layer::Layer;

use super::{
    guard::{McpGuard, Shared},
    rules::Rules,
    scopes::McpScopes,
    service::{Door, McpAuth},
    sessions::SessionBinding,
};
use crate::{
    claims::RegisteredClaims,
    csrf::AllowedOrigins,
    error::ConfigError,
    http_url,
    layer::{JwtAuthLayer, ServeMetadata},
    resource::ProtectedResource,
    response::DefaultRespond,
};

/// Protects an MCP server, made by [`McpAuthLayer::builder`]; cheap to clone. See the
/// [module docs](super).
#[must_use = "a layer does nothing until it wraps a service"]
pub struct McpAuthLayer<C = RegisteredClaims, R = DefaultRespond> {
    layer: JwtAuthLayer<C, R, ServeMetadata>,
    shared: Arc<Shared<C>>,
    door: Arc<Door>,
}

impl<C, R: Clone> McpAuthLayer<C, R> {
    /// Starts to build a layer that verifies tokens as this one does. Its sources, realm and format of
    /// refusals stay as they are. Its [`base_scopes`](JwtAuthLayer::base_scopes) are named after those of the
    /// table.
    ///
    /// The preset takes the token out of requests and publishes the metadata. That of
    /// [`resource_metadata`](JwtAuthLayer::resource_metadata) or of
    /// [`protected_resource`](JwtAuthLayer::protected_resource) is used; without it, it is
    /// [derived](ProtectedResource::builder) from the verifier, and `scopes_supported` has the base
    /// scopes.
    pub fn builder<M>(layer: JwtAuthLayer<C, R, M>) -> McpAuthLayerBuilder<C, R, M> {
        McpAuthLayerBuilder {
            layer,
            scopes: McpScopes::new(),
            sessions: Some(SessionBinding::new()),
            origins: Vec::new(),
            max_body: MAX_BODY,
            body_timeout: BODY_TIMEOUT,
            max_batch: MAX_BATCH,
            only_modern: false,
        }
    }

    /// The metadata that the layer answers with.
    #[must_use]
    pub fn resource(&self) -> &ProtectedResource {
        &self.door.resource
    }
}

impl<S, C, R: Clone> Layer<S> for McpAuthLayer<C, R> {
    type Service = McpAuth<S, C, R>;

    fn layer(&self, inner: S) -> Self::Service {
        let guard = McpGuard::new(inner, Arc::clone(&self.shared));
        let respond = self.layer.format().clone();
        McpAuth::new(self.layer.layer(guard), Arc::clone(&self.door), respond)
    }
}

impl<C, R: Clone> Clone for McpAuthLayer<C, R> {
    fn clone(&self) -> Self {
        Self {
            layer: self.layer.clone(),
            shared: Arc::clone(&self.shared),
            door: Arc::clone(&self.door),
        }
    }
}

impl<C, R> fmt::Debug for McpAuthLayer<C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpAuthLayer")
            .field("layer", &self.layer)
            .field("rules", &self.shared.rules)
            .finish_non_exhaustive()
    }
}

/// Builds an [`McpAuthLayer`].
///
/// # Defaults
///
/// - scopes: none
/// - sessions: bound to their principal, see [`SessionBinding`]
/// - allowed origins: that of the resource, and no others
/// - longest body: 1 MiB
/// - time for a body to arrive: 30 s
/// - longest batch: 100 messages
/// - revisions of MCP: all
#[must_use = "a builder does nothing until it is built"]
pub struct McpAuthLayerBuilder<C, R, M> {
    layer: JwtAuthLayer<C, R, M>,
    scopes: McpScopes,
    sessions: Option<SessionBinding>,
    origins: Vec<String>,
    max_body: usize,
    body_timeout: Duration,
    max_batch: usize,
    only_modern: bool,
}

impl<C, R: Clone, M> McpAuthLayerBuilder<C, R, M> {
    /// Sets the scopes of the operations. Default: every valid token may use everything.
    pub fn scopes(mut self, scopes: McpScopes) -> Self {
        self.scopes = scopes;
        self
    }

    /// Sets how sessions are bound to their principal.
    pub fn session_binding(mut self, binding: SessionBinding) -> Self {
        self.sessions = Some(binding);
        self
    }

    /// Lets the server itself decide who may use a session.
    ///
    /// # Security
    ///
    /// Unless the server compares the principal of each request with that of the session, whoever has a
    /// token and learns the id of a session of somebody else can take part in it.
    pub fn without_session_binding(mut self) -> Self {
        self.sessions = None;
        self
    }

    /// Allows requests of pages with this origin, such as `https://app.example.com`. Clients that are not
    /// pages send no `Origin`, and are not affected. The answers need the headers of CORS, too: put a CORS
    /// layer around this one.
    pub fn allowed_origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// Sets the longest body of a message, in bytes. A longer one is answered 413. Default: 1 MiB.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets how long the body of a message may take to arrive. The time begins when the layer first waits for
    /// the body, after the token is verified. A body that takes longer is answered 408. Default: 30 s.
    ///
    /// Outside of a tokio runtime with a timer, there is no limit, and the server must have one.
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.body_timeout = timeout;
        self
    }

    /// Sets how many messages a batch may have. A longer one is answered 400, and no message of it is
    /// judged. Only the revision 2025-03-26 has batches. Default: 100.
    pub fn max_batch(mut self, messages: usize) -> Self {
        self.max_batch = messages;
        self
    }

    /// Refuses requests of the revisions before 2026-07-28, which have sessions, batches, and messages
    /// without `Mcp-Method`: all without an `MCP-Protocol-Version` of that date or a later one are
    /// answered 400.
    pub fn without_legacy_revisions(mut self) -> Self {
        self.only_modern = true;
        self
    }

    /// Builds the layer.
    ///
    /// # Errors
    ///
    /// - [`ConfigError::Conflict`]: the layer takes tokens from the query, lets requests without a token
    ///   or preflights pass, or its verifier accepts every audience.
    /// - [`ConfigError::Resource`]: the metadata cannot be derived, a scope is malformed or missing, or an
    ///   operation has two entries.
    /// - [`ConfigError::InvalidName`]: an allowed origin is malformed.
    /// - [`ConfigError::OutOfRange`]: a limit is zero, or not sensible.
    pub fn build(self) -> Result<McpAuthLayer<C, R>, ConfigError> {
        if self.max_body == 0 {
            return Err(ConfigError::OutOfRange("`max_body` must be at least 1 byte"));
        }
        if self.body_timeout.is_zero() {
            return Err(ConfigError::OutOfRange("`body_timeout` must be longer than zero"));
        }
        if self.max_batch == 0 {
            return Err(ConfigError::OutOfRange(
                "`max_batch` must be at least 1: to refuse batches, say `.without_legacy_revisions()`",
            ));
        }
        let scopes = self.scopes.build()?;
        let (layer, resource) = self.layer.for_mcp(self.scopes.base_scopes())?;
        let mut origins = AllowedOrigins::default();
        // Another URI, such as `urn:example:mcp`, is not one of a page.
        if let Some(address) = http_url::parse(resource.resource()) {
            origins.add(&address.origin.to_string())?;
        }
        for origin in &self.origins {
            origins.add(origin)?;
        }
        let sessions = self.sessions.map(SessionBinding::build).transpose()?;
        let rules = Rules {
            scopes,
            sessions,
            max_body: self.max_body,
            body_timeout: self.body_timeout,
            max_batch: self.max_batch,
            only_modern: self.only_modern,
        };
        let verifier = layer.verifier().clone();
        let observers = verifier.observers().clone();
        Ok(McpAuthLayer {
            layer,
            shared: Arc::new(Shared { verifier, rules }),
            door: Arc::new(Door { origins, resource, observers }),
        })
    }
}

impl<C, R, M> fmt::Debug for McpAuthLayerBuilder<C, R, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpAuthLayerBuilder")
            .field("layer", &self.layer)
            .field("scopes", &self.scopes)
            .field("sessions", &self.sessions)
            .field("origins", &self.origins)
            .finish_non_exhaustive()
    }
}

/// 1 MiB, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// Enough for 1 MiB at 300 kbit/s.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// More than a client sends at once, and little work for the server.
const MAX_BATCH: usize = 100;
