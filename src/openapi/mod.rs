//! Documents of OpenAPI that say what is enforced, by [utoipa] 6. Requires the feature `utoipa`.
//!
//! A policy is given once, to [`ApiSecurity::secured`]. The routes of the router then require a token
//! and this policy, and each of their operations says so in the document.
//!
//! # Rules
//!
//! 1. The security schemes follow from the layer:
//!
//!    | layer | scheme |
//!    |---|---|
//!    | `Authorization: Bearer` | `bearerAuth`: `http`, `bearer`, format `JWT` |
//!    | another header, the query, a cookie | `headerAuth`, `queryAuth`, `cookieAuth`: `apiKey` |
//!    | [`DPoP`](crate::proof::DPoP) | `dpop` and `dpopProof` together: `apiKey` in the headers `Authorization` and `DPoP`, because utoipa has no `http` scheme of that name |
//!    | [`MutualTls`](crate::proof::MutualTls) | `mutualTls`: `mutualTLS`, together with one of the others |
//!    | [`open_id_connect`](ApiSecurityBuilder::open_id_connect), [`oauth2`](ApiSecurityBuilder::oauth2) | `openIdConnect`, `oauth2` |
//!
//!    A document has no scheme for a WebSocket subprotocol and for a function:
//!    [`scheme`](ApiSecurityBuilder::scheme) adds one.
//! 2. Each way to send a token is a security requirement of its own, of which one is enough. A required
//!    proof is in all of them, an optional one in some. A policy that requires a
//!    [bound token](crate::authorize::sender_constrained) has only those with a proof.
//! 3. Scopes that are all required are in one requirement. Alternatives are several requirements. See
//!    [`PolicyDescription::alternatives`].
//! 4. The description of an operation gets the whole policy as a sentence, because no requirement can
//!    say roles, logins, closures and scopes that must be absent.
//! 5. An operation gets the responses that it does not have yet: 401 with `WWW-Authenticate`; 403 with
//!    `WWW-Authenticate` if the policy, a rule or the check of a cookie can refuse; 429 and 503 with
//!    `Retry-After` if the verifier can answer so. A response that is there keeps its description and its
//!    content, and gets the headers that it lacks.
//! 6. Public operations have `security: []`, which means no requirement, also if the whole document has
//!    one. Those with an optional token have the empty requirement `{}` beside the others.
//! 7. An operation with a `security` of its own is an error, because it might differ from the policy. So is an
//!    operation in the document of [`finish`](ApiSecurity::finish) about which nothing was decided.
//! 8. The document has the version 3.1, or 3.2 if a scheme needs that: the URL of authorization server
//!    metadata, and the flow for devices.
//!
//! # Example
//! ```
//! use axum::Router;
//! use tower_jwt_auth::{
//!     ConfigError, JwtAuthLayer, Verifier,
//!     authorize::Scopes,
//!     openapi::{ApiSecurity, SecuredRouter},
//! };
//! use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};
//! use utoipa_axum::{router::OpenApiRouter, routes};
//!
//! /// Lists orders.
//! #[utoipa::path(
//!     get,
//!     path = "/orders",
//!     responses((status = 200, description = "the orders", body = String)),
//! )]
//! async fn list() -> &'static str {
//!     "orders"
//! }
//!
//! /// Says that the service is alive.
//! #[utoipa::path(get, path = "/health", responses((status = 200, description = "it is alive")))]
//! async fn health() {}
//!
//! fn app(verifier: Verifier) -> Result<(Router, OpenApi), ConfigError> {
//!     let security = ApiSecurity::builder(JwtAuthLayer::new(verifier))
//!         .open_id_connect_of_issuers()
//!         .build()?;
//!     let orders = OpenApiRouter::new().routes(routes!(list));
//!     let router = SecuredRouter::new()
//!         .merge(security.secured(orders, Scopes::all_of(["orders:read"])))
//!         .merge(security.public(OpenApiRouter::new().routes(routes!(health))));
//!     let info = InfoBuilder::new().title("Orders").version("1.0.0").build();
//!     security.finish(router, OpenApiBuilder::new().info(info).build())
//! }
//! # let verifier = Verifier::builder()
//! #     .issuer("https://login.example.com")
//! #     .audience("https://api.example.com")
//! #     .keys(tower_jwt_auth::Key::hs256([7; 32]))
//! #     .build()?;
//! # let (_, document) = app(verifier)?;
//! # let document = serde_json::to_value(&document).unwrap();
//! # let security = |path: &str| document["paths"][path]["get"]["security"].clone();
//! # assert_eq!(
//! #     security("/orders"),
//! #     serde_json::json!([{"openIdConnect": ["orders:read"]}, {"bearerAuth": ["orders:read"]}])
//! # );
//! # assert_eq!(security("/health"), serde_json::json!([]));
//! # Ok::<(), ConfigError>(())
//! ```
//!
//! # Versions
//!
//! utoipa-axum and axum are below 1.0, and their types are in the API of this module: a new minor version of
//! one of them is a new version of this crate for those who use the feature.
//!
//! # Security
//!
//! The layers are around the routes of each router, and not around the whole service. A route that is
//! added to the [`Router`] of [`finish`](ApiSecurity::finish) is public and not in the document. The
//! document itself tells everybody who can read it the names of scopes and roles.
//!
//! [utoipa]: https://docs.rs/utoipa/6

mod builder;
mod operations;
mod router;
mod schemes;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, fmt, mem, sync::Arc};

use axum::{Router, body::Body, http::StatusCode, routing};
use serde::de::DeserializeOwned;
use utoipa::openapi::{OpenApi, OpenApiVersion, RefOr, security::SecurityRequirement};
use utoipa_axum::router::OpenApiRouter;

pub use self::{builder::ApiSecurityBuilder, router::SecuredRouter};
use self::{
    operations::{Access, Refusal, in_markdown, operations},
    schemes::{Part, Schemes},
};
use crate::{
    authorize::{Policy, PolicyAlternative, PolicyDescription, authenticated},
    claims::RegisteredClaims,
    error::ConfigError,
    layer::{JwtAuthLayer, Metadata, NoMetadata, RequireLayer, RouteRequirement},
    response::{DefaultRespond, Respond},
    source::TokenPlace,
    verifier::Answers,
};

/// Enforces policies on the routes of routers, and documents them. See the [module docs](self).
///
/// It is cheap to clone: give it to the functions that make the routers of your modules.
///
/// # Type parameters
///
/// Those of its [`JwtAuthLayer`].
pub struct ApiSecurity<C = RegisteredClaims, R = DefaultRespond, M = NoMetadata> {
    layer: JwtAuthLayer<C, R, M>,
    schemes: Arc<Schemes>,
    answers: Answers,
    scopes_in_metadata: bool,
}

impl<C, R, M> ApiSecurity<C, R, M> {
    /// Starts to build it for this layer, which it puts around the routes itself.
    pub fn builder(layer: JwtAuthLayer<C, R, M>) -> ApiSecurityBuilder<C, R, M> {
        ApiSecurityBuilder::new(layer)
    }
}

impl<C, R, M> ApiSecurity<C, R, M>
where
    C: DeserializeOwned + Send + Sync + 'static,
    R: Respond<Body> + Clone + Send + Sync + 'static,
    M: Metadata<Body> + 'static,
{
    /// Requires a token and this policy for all routes of a router, and documents both. A fallback of the
    /// router is removed, because no operation of the document stands for it: add it to the router that
    /// [`finish`](Self::finish) gives, where it is public.
    ///
    /// A request for a method that a path does not have is 405 only with a token that one of the policies of
    /// that path accepts.
    ///
    /// # Panics
    ///
    /// The router has no route, as axum's `Router::route_layer` does.
    pub fn secured<S: Clone + Send + Sync + 'static>(
        &self,
        router: OpenApiRouter<S>,
        policy: impl Policy<C> + Send + Sync + 'static,
    ) -> SecuredRouter<S> {
        self.secured_by(router, RequireLayer::for_claims(policy))
    }

    /// Requires a token and this layer for all routes of a router, and documents both, as
    /// [`secured`](Self::secured) does. Use it for a
    /// function of [`RequireLayer::for_request`], with
    /// [`described_as`](RequireLayer::described_as), or for an answer in another format.
    ///
    /// With a table of [`Routes`](crate::layer::Routes), each operation is documented with its entry: the one
    /// with the same path, whatever the parameters are called, or a wider one that covers all its requests. The
    /// table has the paths of this router, without a prefix that it is nested at later. A public entry needs
    /// a token nevertheless, because the layer around asks for one.
    ///
    /// Two cases are errors of [`finish`](Self::finish): an operation that has requests without an entry, and
    /// one of which another entry decides some requests by another policy, such as `/orders/special` for
    /// `/orders/{id}`. Routes without documentation count as absent.
    ///
    /// # Panics
    ///
    /// The router has no route, as axum's `Router::route_layer` does.
    pub fn secured_by<S, C2, R2>(
        &self,
        router: OpenApiRouter<S>,
        layer: RequireLayer<C2, R2>,
    ) -> SecuredRouter<S>
    where
        S: Clone + Send + Sync + 'static,
        C2: Send + Sync + 'static,
        R2: Respond<Body> + Clone + Send + Sync + 'static,
    {
        let router =
            without_fallback(router).route_layer(layer.clone()).route_layer(self.layer.clone());
        let paths: Vec<_> = router.get_openapi().paths.paths.keys().cloned().collect();
        let of_routes = layer.describe_routes(&paths);
        let access = |method: &str, path: &str| {
            let policy = match &of_routes {
                None => layer.describe(),
                Some(of_route) => match of_route(method, path)? {
                    RouteRequirement::Public => PolicyDescription::of(&authenticated()),
                    RouteRequirement::Policy(policy) => policy,
                },
            };
            Ok(self.access(&policy))
        };
        SecuredRouter::documented(router, access, &self.schemes)
    }

    /// The access to an operation with this policy.
    fn access(&self, policy: &PolicyDescription) -> Access {
        let alternatives = policy.alternatives();
        Access {
            security: self.schemes.requirements(&alternatives),
            scopes: alternatives.iter().flat_map(|one| one.scopes()).cloned().collect(),
            text: Some(format!("Requires {}.", in_markdown(&policy.to_string()))),
            refusals: self.refusals(policy),
        }
    }

    /// Lets requests with and without a token pass to all routes of a router, as
    /// [`JwtAuthLayer::optional`] does, and documents that a token is optional. A fallback of the router is
    /// removed.
    ///
    /// # Panics
    ///
    /// The router has no route, as axum's `Router::route_layer` does.
    pub fn optional<S: Clone + Send + Sync + 'static>(
        &self,
        router: OpenApiRouter<S>,
    ) -> SecuredRouter<S> {
        let router = without_fallback(router).route_layer(self.layer.clone().optional());
        let policy = PolicyDescription::of(&authenticated());
        let mut security = vec![SecurityRequirement::default()];
        security.extend(self.schemes.requirements(&policy.alternatives()));
        let text = Some("A token is optional.".to_owned());
        let access = |_: &str, _: &str| {
            let (security, text) = (security.clone(), text.clone());
            Ok(Access { security, text, refusals: self.refusals(&policy), scopes: Vec::new() })
        };
        SecuredRouter::documented(router, access, &self.schemes)
    }

    /// Leaves all routes of a router as they are, and documents that they need no token:
    /// `security: []`. No layer looks at a token there. So a handler that takes `Claims` or `Option<Claims>`
    /// answers 500: give it to [`optional`](Self::optional).
    pub fn public<S: Clone + Send + Sync + 'static>(
        &self,
        router: OpenApiRouter<S>,
    ) -> SecuredRouter<S> {
        SecuredRouter::documented(router, |_, _| Ok(Access::default()), &self.schemes)
    }

    /// The router of axum, and the document. The given document has the title, the version, servers,
    /// tags, and maybe operations of other services; the operations and the schemes of the router are
    /// added to it. The router may have parts of several `ApiSecurity`, with layers of their own.
    ///
    /// If the layer [answers requests](JwtAuthLayer::protected_resource) for the metadata of the resource,
    /// the router has the routes for it.
    ///
    /// # Errors
    ///
    /// - [`ConfigError::Route`]: an operation has a `security` of its own, or one in the given document
    ///   lacks it and no router of [`secured`](Self::secured), [`optional`](Self::optional) or
    ///   [`public`](Self::public) has it. Or a table does not decide on all its requests, or not by one
    ///   policy; see [`secured_by`](Self::secured_by).
    /// - [`ConfigError::Conflict`]: two different security schemes have the same name.
    /// - [`ConfigError::Resource`]: a scope cannot be in the
    ///   [metadata](ApiSecurityBuilder::scopes_in_metadata).
    ///
    /// # Panics
    ///
    /// The router has a route at a path of the metadata already.
    pub fn finish<S: Clone + Send + Sync + 'static>(
        &self,
        router: SecuredRouter<S>,
        mut document: OpenApi,
    ) -> Result<(Router<S>, OpenApi), ConfigError> {
        let (mut router, mut own, mut parts) = router.into_parts()?;
        if !parts.iter().any(|part| part.is_of(&self.schemes)) {
            parts.push(Part { schemes: Arc::clone(&self.schemes), scopes: BTreeSet::new() });
        }
        for (path, mut item) in mem::take(&mut own.paths.paths) {
            if let Some(mut given) = document.paths.paths.remove(&path) {
                // The operations that are enforced win.
                item.parameters = item.parameters.or(given.parameters.take());
                item.servers = item.servers.or(given.servers.take());
                item.summary = item.summary.or(given.summary.take());
                item.description = item.description.or(given.description.take());
                item.merge_operations(given);
            }
            document.paths.paths.insert(path, item);
        }
        document.merge(own);
        for (route, operation) in operations(&mut document.paths) {
            if operation.security.is_none() {
                let reason = "is in the document, and nobody has decided who may call it: give its \
                              router to `secured`, `optional` or `public`, or write `security(…)` if \
                              another service enforces it";
                return Err(ConfigError::Route { route, reason: reason.into() });
            }
        }
        let known = &mut document.components.get_or_insert_default().security_schemes;
        for Part { schemes, .. } in &parts {
            for (name, scheme) in schemes.for_document(&parts)? {
                let scheme = RefOr::T(scheme);
                if known.get(&name).is_some_and(|other| *other != scheme) {
                    return Err(ConfigError::Conflict(
                        "the document has another security scheme with the name of one of a \
                         layer: leave it out, or give it another name",
                    ));
                }
                known.insert(name, scheme);
            }
            if schemes.need_version_3_2() {
                document.openapi = OpenApiVersion::Version32;
            }
        }
        let mut layer = self.layer.clone();
        if self.scopes_in_metadata
            && let Some(resource) = self.layer.served_metadata()
        {
            let own = parts.into_iter().filter(|part| part.is_of(&self.schemes));
            let scopes = own.flat_map(|part| part.scopes);
            layer = layer.resource_metadata(resource.with_scopes(scopes)?);
        }
        for path in self.layer.metadata_paths() {
            // The layer answers.
            let nothing = routing::any(async || StatusCode::NOT_FOUND);
            router = router.route(path, nothing.layer(layer.clone()));
        }
        Ok((router, document))
    }

    /// The refusals of a route with this policy.
    fn refusals(&self, policy: &PolicyDescription) -> Vec<Refusal> {
        let proofs = self.layer.verifier().proofs();
        let has_nonces = proofs.dpop.as_ref().is_some_and(|dpop| dpop.has_nonces());
        let asks_for_login = !policy.acr_values().is_empty() || policy.max_age().is_some();
        let mut about = "The token is missing or invalid (RFC 6750 §3.1)".to_owned();
        let mut headers = vec![("WWW-Authenticate", CHALLENGE)];
        if asks_for_login {
            about.push_str(", or another login is needed (RFC 9470)");
        }
        if proofs.dpop.is_some() {
            about.push_str(", or its proof is (RFC 9449 §7.1)");
        }
        if has_nonces {
            headers.push(("DPoP-Nonce", "The nonce for the next proof (RFC 9449 §9)."));
        }
        about.push('.');
        let mut refusals = vec![Refusal { status: "401", about, headers }];
        let can_refuse =
            |one: &PolicyAlternative| !one.scopes().is_empty() || one.has_other_conditions();
        let is_guarded =
            |place: &TokenPlace<'_>| matches!(place, TokenPlace::Cookie { is_guarded: true, .. });
        let of_another_site = self.layer.token_sources().places().iter().any(is_guarded);
        let of_policy = policy.alternatives().iter().all(can_refuse) || self.answers.forbidden;
        if of_policy || of_another_site {
            let about = match (of_policy, of_another_site) {
                (true, false) => "The token is valid, and does not allow this (RFC 6750 §3.1).",
                (false, _) => "The token is in a cookie, and the request is from another site.",
                (true, true) => {
                    "The token is valid, and does not allow this (RFC 6750 §3.1), or it is in a \
                     cookie, and the request is from another site."
                }
            };
            let headers = if of_policy { vec![("WWW-Authenticate", CHALLENGE)] } else { vec![] };
            refusals.push(Refusal { status: "403", about: about.into(), headers });
        }
        let retry_after = || vec![("Retry-After", "The seconds to wait (RFC 9110 §10.2.3).")];
        if self.answers.too_many_requests {
            let about = "Too many proofs of one key.".into();
            refusals.push(Refusal { status: "429", about, headers: retry_after() });
        }
        if self.answers.unavailable {
            let about = "The token cannot be checked now.".into();
            refusals.push(Refusal { status: "503", about, headers: retry_after() });
        }
        refusals
    }
}

impl<C, R: Clone, M> Clone for ApiSecurity<C, R, M> {
    fn clone(&self) -> Self {
        let (layer, schemes) = (self.layer.clone(), Arc::clone(&self.schemes));
        let (answers, scopes_in_metadata) = (self.answers, self.scopes_in_metadata);
        Self { layer, schemes, answers, scopes_in_metadata }
    }
}

impl<C, R, M> fmt::Debug for ApiSecurity<C, R, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiSecurity")
            .field("layer", &self.layer)
            .field("schemes", &self.schemes.names().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

const CHALLENGE: &str = "The scheme, the fault, and what a token needs (RFC 9110 §11.6.1): `scope`, `acr_values`, `max_age`, and \
     the URL of the `resource_metadata`, where they apply.";

/// The router without its fallback, which axum's `route_layer` would leave open.
fn without_fallback<S: Clone + Send + Sync + 'static>(
    router: OpenApiRouter<S>,
) -> OpenApiRouter<S> {
    let (router, document) = router.split_for_parts();
    let mut router = OpenApiRouter::from(router.reset_fallback());
    *router.get_openapi_mut() = document;
    router
}
