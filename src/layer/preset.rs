//! The part of a layer that a preset checks and changes.

use super::{JwtAuthLayer, ServeMetadata, gate::Mode};
use crate::{error::ConfigError, resource::ProtectedResource};

impl<C, R, M> JwtAuthLayer<C, R, M> {
    pub(crate) fn format(&self) -> &R {
        &self.respond
    }

    /// The layer of an MCP server, which takes the token out of the request and answers requests for the
    /// metadata. Challenges without a valid token name these scopes, and those that are set already. Gives
    /// the metadata, too.
    pub(crate) fn for_mcp(
        self,
        base_scopes: &[Box<str>],
    ) -> Result<(JwtAuthLayer<C, R, ServeMetadata>, ProtectedResource), ConfigError> {
        self.check_for_mcp().map_err(ConfigError::Conflict)?;
        // A token without one of the base scopes would be refused.
        let own = self.gate.parameters.scope.clone().unwrap_or_default();
        let others = own.split(' ').filter(|own| base_scopes.iter().all(|base| **base != **own));
        let scopes: Vec<_> = base_scopes.iter().map(|scope| &**scope).chain(others).collect();
        let layer = self.base_scopes(scopes);
        let resource = match &layer.gate.resource {
            Some(resource) => resource.clone(),
            None => ProtectedResource::builder(layer.verifier())
                .scopes_supported(base_scopes.iter().map(|scope| &**scope))
                .build()?,
        };
        Ok((layer.strip_token().protected_resource(resource.clone()), resource))
    }

    fn check_for_mcp(&self) -> Result<(), &'static str> {
        if self.gate.sources.have_query() {
            return Err("a client of MCP must not send its token in the query: leave \
                        `TokenSource::query()` out");
        }
        if self.gate.mode != Mode::Required {
            return Err("an MCP server takes no request without a token: leave `.optional()` and \
                        `.pass_through()` out");
        }
        if self.gate.preflight {
            return Err(
                "a preflight does not reach an MCP server: leave `.allow_preflight()` out, and \
                        put a CORS layer around this one",
            );
        }
        if self.gate.verifier.accepted().audiences.is_none() {
            return Err("an MCP server must refuse tokens for other services: in place of \
                        `.any_audience()`, name this one with `.audience(\"https://…\")`");
        }
        Ok(())
    }
}
