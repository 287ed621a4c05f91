//! The builder of the metadata, which derives what it can from the verifier.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    BEARER_METHODS, ProtectedResource,
    names::{Server, authorization_servers, scopes, without_doubles},
    url::{canonical, check_uri, well_known},
};
use crate::{
    error::ConfigError,
    http_url,
    verifier::{Accepted, Verifier},
};

/// Builds a [`ProtectedResource`].
///
/// # Defaults
///
/// | member | default |
/// |---|---|
/// | `resource` | the only audience of the verifier, if it is an `https` URL |
/// | `authorization_servers` | the issuers that the verifier trusts, as far as they are URLs; of [`Issuers`](crate::verifier::Issuers), those that are there when the metadata is built |
/// | `bearer_methods_supported` | in a layer, those of its sources: `header` for `Authorization`, `query` for `access_token` in the query, and nothing for others, such as cookies; elsewhere `header` |
/// | `dpop_signing_alg_values_supported` | the algorithms of [`DPoP`](crate::proof::DPoP), if the verifier has it |
/// | `dpop_bound_access_tokens_required` | `true` if it is [required](crate::proof::DPoP::required) |
/// | `tls_client_certificate_bound_access_tokens` | `true` if the verifier has [`MutualTls`](crate::proof::MutualTls) |
/// | all others | none |
///
/// The algorithms of tokens are not in it: `resource_signing_alg_values_supported` names those of
/// signed answers (RFC 9728 §2).
#[must_use = "a builder does nothing until it is built"]
pub struct ProtectedResourceBuilder {
    accepted: Accepted,
    resource: Option<String>,
    metadata_url: Option<String>,
    also_at_root: bool,
    servers: Vec<Server>,
    without_servers: bool,
    bearer_methods: Option<Vec<String>>,
    scopes: Vec<String>,
    details_types: Vec<String>,
    /// The members that are texts.
    texts: Vec<(&'static str, String)>,
    /// The members that follow from the proofs of senders.
    derived: Map<String, Value>,
    members: Map<String, Value>,
    error: Option<ConfigError>,
}

impl ProtectedResource {
    /// Starts to build the metadata of a service whose tokens this verifier verifies.
    pub fn builder<C>(verifier: &Verifier<C>) -> ProtectedResourceBuilder {
        let proofs = verifier.proofs();
        let mut derived = Map::new();
        if let Some(dpop) = &proofs.dpop {
            let algorithms: Vec<_> = dpop.algorithms().split(' ').collect();
            derived.insert("dpop_signing_alg_values_supported".into(), algorithms.into());
            if dpop.is_required() {
                derived.insert("dpop_bound_access_tokens_required".into(), true.into());
            }
        }
        if proofs.mutual_tls.is_some() {
            derived.insert("tls_client_certificate_bound_access_tokens".into(), true.into());
        }
        ProtectedResourceBuilder {
            accepted: verifier.accepted(),
            resource: None,
            metadata_url: None,
            also_at_root: false,
            servers: Vec::new(),
            without_servers: false,
            bearer_methods: None,
            scopes: Vec::new(),
            details_types: Vec::new(),
            texts: Vec::new(),
            derived,
            members: Map::new(),
            error: None,
        }
    }
}

impl ProtectedResourceBuilder {
    /// Sets the resource identifier: the URL at which clients know this service, in its canonical form,
    /// such as `https://api.example.com/mcp`. Default: the only audience of the verifier.
    ///
    /// Clients ask for a token for this name (RFC 8707), and the authorization server writes it, or
    /// what it has for it, into `aud`. The verifier must accept that audience.
    pub fn resource(mut self, url: impl Into<String>) -> Self {
        self.resource = Some(url.into());
        self
    }

    /// Sets the URL of the document, if it is not where the resource identifier leads (RFC 9728 §3).
    /// With it, the resource identifier may be any URI, such as `urn:example:api`, and the path of this
    /// URL is the only one that is answered, except for [`also_at_root`](Self::also_at_root).
    pub fn metadata_url(mut self, url: impl Into<String>) -> Self {
        self.metadata_url = Some(url.into());
        self
    }

    /// Answers `/.well-known/oauth-protected-resource`, too, if the resource has a path. Some clients of
    /// MCP ask there. It is for a host that has only this resource.
    pub fn also_at_root(mut self) -> Self {
        self.also_at_root = true;
        self
    }

    /// Names an authorization server by its issuer identifier, in place of the issuers that the
    /// verifier trusts. It must be one of them. Several calls name several.
    pub fn authorization_server(mut self, issuer: impl Into<String>) -> Self {
        self.servers.push(Server { issuer: issuer.into(), is_issuer: true });
        self
    }

    /// Names an authorization server whose tokens have another `iss` than its issuer identifier, as
    /// those of version 1 of Microsoft Entra ID have. It is not compared with the issuers that the
    /// verifier trusts.
    pub fn authorization_server_of_other_issuer(mut self, url: impl Into<String>) -> Self {
        self.servers.push(Server { issuer: url.into(), is_issuer: false });
        self
    }

    /// Leaves `authorization_servers` out, for clients that know where they get a token.
    pub fn without_authorization_servers(mut self) -> Self {
        self.without_servers = true;
        self
    }

    /// Sets the ways in which clients send their tokens: `header`, `query` or `body` (RFC 6750 §2).
    /// Default: those of the layer.
    pub fn bearer_methods<S: Into<String>>(mut self, methods: impl IntoIterator<Item = S>) -> Self {
        self.bearer_methods = Some(methods.into_iter().map(Into::into).collect());
        self
    }

    /// Adds scopes that a client may need for this service: `scopes_supported`. Some clients ask for all
    /// of them at once, so name only what most clients need. Scopes that come twice are named once.
    /// Default: none.
    ///
    /// # Example: the scopes of the policies of the routes
    /// ```
    /// use tower_jwt_auth::{ConfigError, RequireLayer, Verifier, resource::ProtectedResource};
    ///
    /// fn of(verifier: &Verifier, orders: &RequireLayer) -> Result<ProtectedResource, ConfigError> {
    ///     ProtectedResource::builder(verifier)
    ///         .resource("https://api.example.com")
    ///         .scopes_supported(orders.describe().scopes())
    ///         .build()
    /// }
    /// ```
    pub fn scopes_supported<S: Into<String>>(
        mut self,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Adds types of authorization details (RFC 9396) that a client may need:
    /// `authorization_details_types_supported`.
    pub fn authorization_details_types_supported<S: Into<String>>(
        mut self,
        types: impl IntoIterator<Item = S>,
    ) -> Self {
        self.details_types.extend(types.into_iter().map(Into::into));
        self
    }

    /// Sets the name that is shown to users. Names in other languages are
    /// [members](Self::member), such as `resource_name#de`.
    pub fn resource_name(self, name: impl Into<String>) -> Self {
        self.text(NAME, name)
    }

    /// Sets the URL of a page for developers.
    pub fn resource_documentation(self, url: impl Into<String>) -> Self {
        self.text("resource_documentation", url)
    }

    /// Sets the URL of a page on how clients may use the data of this service.
    pub fn resource_policy_uri(self, url: impl Into<String>) -> Self {
        self.text("resource_policy_uri", url)
    }

    /// Sets the URL of the terms of service.
    pub fn resource_tos_uri(self, url: impl Into<String>) -> Self {
        self.text("resource_tos_uri", url)
    }

    fn text(mut self, member: &'static str, text: impl Into<String>) -> Self {
        self.texts.retain(|(other, _)| *other != member);
        self.texts.push((member, text.into()));
        self
    }

    /// Sets another member of the document, such as `resource_name#de`. It takes the place of a
    /// default. `null` and empty arrays are left out (RFC 9728 §3.2).
    pub fn member(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        let name = name.into();
        match serde_json::to_value(value) {
            Ok(value) => _ = self.members.insert(name, value),
            Err(_) => {
                let fault = format!("the member `{name}` cannot be written as JSON");
                self.error.get_or_insert(ConfigError::Resource(fault));
            }
        }
        self
    }

    /// Builds the metadata.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Resource`] if
    ///
    /// - no resource is named, and the verifier has not exactly one audience,
    /// - the resource is not an `https` URL in its canonical form and there is no
    ///   [`metadata_url`](Self::metadata_url), or that is not one,
    /// - no authorization server can be named, or one is named that is not trusted,
    /// - a scope is not one (RFC 6749 §3.3), or is `offline_access`, which is not a scope of a resource,
    /// - a URL or a name is malformed,
    /// - a member has the name of one that has a method of its own.
    pub fn build(mut self) -> Result<ProtectedResource, ConfigError> {
        match self.error.take() {
            Some(error) => Err(error),
            None => self.make().map_err(ConfigError::Resource),
        }
    }

    fn make(self) -> Result<ProtectedResource, String> {
        let resource = self.name()?;
        let (metadata_url, mut paths) = self.address(&resource)?;
        if self.also_at_root {
            paths.extend(both_ways(well_known("")));
            paths = without_doubles(paths);
        }
        let mut members = self.derived.clone();
        members.insert(RESOURCE.into(), resource.as_str().into());
        members.insert(
            AUTHORIZATION_SERVERS.into(),
            authorization_servers(&self.accepted, &self.servers, self.without_servers)?.into(),
        );
        members.insert(SCOPES.into(), scopes(self.scopes)?.into());
        members.insert(DETAILS_TYPES.into(), self.details_types.clone().into());
        if let Some(methods) = &self.bearer_methods {
            let is_known = |method: &String| ["header", "body", "query"].contains(&&**method);
            if !methods.iter().all(is_known) {
                return Err("the ways to send a token are `header`, `body` and `query`".into());
            }
            members.insert(BEARER_METHODS.into(), methods.clone().into());
        }
        for (name, text) in self.texts {
            let is_good = match name {
                NAME => !text.trim().is_empty(),
                _ => http_url::parse(&text).is_some(),
            };
            if !is_good {
                return Err(match name {
                    NAME => format!("`{name}` is empty, leave it out"),
                    _ => format!("`{name}` must be an absolute URL of the web"),
                });
            }
            members.insert(name.into(), text.into());
        }
        for (name, value) in self.members {
            if OF_METHODS.contains(&&*name) {
                return Err(format!("`{name}` is not set by `.member(…)`, use its own method"));
            }
            members.insert(name, value);
        }
        let is_empty =
            |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        members.retain(|_, value| !is_empty(value));
        let has_methods_of_layer = self.bearer_methods.is_none();
        Ok(ProtectedResource::new(resource, metadata_url, paths, members, has_methods_of_layer))
    }

    /// The resource identifier, as it was named.
    fn name(&self) -> Result<String, String> {
        if let Some(resource) = &self.resource {
            return Ok(resource.clone());
        }
        match self.accepted.audiences.as_deref() {
            Some([audience]) => Ok(audience.clone()),
            audiences => {
                let which = if audiences.is_some_and(|all| all.len() > 1) {
                    "several audiences"
                } else {
                    "no audience of its own"
                };
                Err(format!(
                    "the verifier has {which}: name the URL at which clients know this service \
                     with `.resource(\"https://…\")`"
                ))
            }
        }
    }

    /// The URL of the document, and the paths that lead to it.
    fn address(&self, resource: &str) -> Result<(String, Vec<String>), String> {
        let Some(url) = &self.metadata_url else {
            let url = canonical(resource).map_err(|fault| {
                format!(
                    "the resource `{resource}` {fault}: name the URL at which clients know this \
                     service with `.resource(\"https://…\")`, or where its metadata is with \
                     `.metadata_url(\"https://…\")`"
                )
            })?;
            let canonical = url.to_string();
            if resource != canonical {
                return Err(format!(
                    "the resource `{resource}` is not in its canonical form: say \
                     `.resource(\"{canonical}\")`, or where its metadata is with \
                     `.metadata_url(\"https://…\")`"
                ));
            }
            let path = well_known(&url.path);
            return Ok((format!("{}{path}", url.origin), both_ways(path).collect()));
        };
        check_uri(resource).map_err(|fault| format!("the resource `{resource}` {fault}"))?;
        let address =
            canonical(url).map_err(|fault| format!("the metadata's URL `{url}` {fault}"))?;
        let canonical = address.to_string();
        if *url != canonical || address.path.is_empty() {
            return Err(format!(
                "the metadata's URL `{url}` must have a path, and be in its canonical form, such as \
                 `{}{}`",
                address.origin,
                well_known(""),
            ));
        }
        Ok((canonical, vec![address.path]))
    }
}

/// A path without and with a slash at its end.
fn both_ways(path: String) -> impl Iterator<Item = String> {
    let with_slash = format!("{path}/");
    [path, with_slash].into_iter()
}

impl fmt::Debug for ProtectedResourceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtectedResourceBuilder")
            .field("resource", &self.resource)
            .field("metadata_url", &self.metadata_url)
            .field("members", &self.members)
            .finish_non_exhaustive()
    }
}

const RESOURCE: &str = "resource";
const AUTHORIZATION_SERVERS: &str = "authorization_servers";
pub(super) const SCOPES: &str = "scopes_supported";
const DETAILS_TYPES: &str = "authorization_details_types_supported";
const NAME: &str = "resource_name";

const OF_METHODS: [&str; 9] = [
    RESOURCE,
    AUTHORIZATION_SERVERS,
    SCOPES,
    DETAILS_TYPES,
    NAME,
    BEARER_METHODS,
    "resource_documentation",
    "resource_policy_uri",
    "resource_tos_uri",
];
