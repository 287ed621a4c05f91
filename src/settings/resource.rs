//! The metadata of the resource that the settings describe (RFC 9728).

use super::{contradiction, table::Table, text::Text};
use crate::{error::ConfigError, resource::ProtectedResource, verifier::Verifier};

impl Table {
    /// The metadata, if `resource` is set.
    pub(super) fn protected_resource<C>(
        &self,
        verifier: &Verifier<C>,
    ) -> Result<Option<ProtectedResource>, ConfigError> {
        let Some(resource) = &self.resource else {
            let others = [
                ("resource_name", self.resource_name.is_some()),
                ("resource_documentation", self.resource_documentation.is_some()),
                ("resource_policy_uri", self.resource_policy_uri.is_some()),
                ("resource_tos_uri", self.resource_tos_uri.is_some()),
                ("scopes_supported", !self.scopes_supported.is_empty()),
                ("authorization_servers", !self.authorization_servers.is_empty()),
            ];
            return match others.into_iter().find(|(_, is_set)| *is_set) {
                Some((name, _)) => contradiction(&format!("`{name}` is set, set `resource`, too")),
                None => Ok(None),
            };
        };
        let mut builder = ProtectedResource::builder(verifier)
            .resource(resource)
            .scopes_supported(self.scopes_supported.iter().cloned());
        for server in self.authorization_servers.iter() {
            builder = builder.authorization_server(server);
        }
        if self.authorization_servers.is_empty() && !self.issuer.contains("://") {
            builder = builder.without_authorization_servers();
        }
        if let Some(Text(name)) = &self.resource_name {
            builder = builder.resource_name(name);
        }
        if let Some(url) = &self.resource_documentation {
            builder = builder.resource_documentation(url);
        }
        if let Some(url) = &self.resource_policy_uri {
            builder = builder.resource_policy_uri(url);
        }
        if let Some(url) = &self.resource_tos_uri {
            builder = builder.resource_tos_uri(url);
        }
        builder.build().map(Some)
    }
}
