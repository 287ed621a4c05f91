//! A router of which every operation says who may call it.

use std::{collections::BTreeSet, fmt, sync::Arc};

use axum::Router;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use super::{
    operations::{Access, operations, routes},
    schemes::{Part, Schemes},
};
use crate::error::ConfigError;

/// A router of which every route has a policy, or is public; made by the methods of
/// [`ApiSecurity`](super::ApiSecurity).
///
/// Only routers of the same kind can be added to it. So no route comes in without a decision about it:
///
/// ```compile_fail,E0599
/// use tower_jwt_auth::openapi::SecuredRouter;
/// use utoipa_axum::routes;
///
/// #[utoipa::path(get, path = "/later")]
/// async fn later() {}
///
/// fn add(router: SecuredRouter) -> SecuredRouter {
///     router.routes(routes!(later)) // no method named `routes`
/// }
/// ```
///
/// # Type parameters
///
/// - `S`: the state of the handlers, as in `OpenApiRouter`.
#[must_use = "a router does nothing until it is served"]
#[derive(Clone)]
pub struct SecuredRouter<S = ()> {
    router: OpenApiRouter<S>,
    parts: Vec<Part>,
    /// The first contradiction.
    fault: Option<ConfigError>,
}

impl<S: Clone + Send + Sync + 'static> SecuredRouter<S> {
    /// A router without routes, to which others are added.
    pub fn new() -> Self {
        Self { router: OpenApiRouter::default(), parts: Vec::new(), fault: None }
    }

    /// Documents the access to all operations of a router that enforces it, by their methods and paths.
    /// The error is the reason why there is no access.
    pub(super) fn documented(
        mut router: OpenApiRouter<S>,
        access: impl Fn(&str, &str) -> Result<Access, String>,
        schemes: &Arc<Schemes>,
    ) -> Self {
        let (mut scopes, mut fault) = (BTreeSet::new(), None);
        for (method, path, operation) in routes(&mut router.get_openapi_mut().paths) {
            let written = match access(method, path) {
                Ok(access) if operation.security.is_none() => {
                    access.write(operation);
                    scopes.extend(access.scopes);
                    Ok(())
                }
                Ok(_) => {
                    Err("has a `security` of its own, which may differ from what is enforced: \
                         leave `security(…)` out of its `#[utoipa::path]`"
                        .to_owned())
                }
                Err(reason) => Err(reason),
            };
            if let Err(reason) = written {
                let route = format!("{method} {path}");
                fault.get_or_insert(ConfigError::Route { route, reason });
            }
        }
        Self { router, parts: vec![Part { schemes: Arc::clone(schemes), scopes }], fault }
    }

    /// Adds all routes of another router. If both document the same operation, which only one of them can
    /// have as a route, [`finish`](super::ApiSecurity::finish) fails.
    ///
    /// # Panics
    ///
    /// Both have the same path and method, as axum's `Router::merge` does.
    pub fn merge(mut self, mut other: Self) -> Self {
        let own: BTreeSet<_> = names(&mut self.router).collect();
        if let Some(route) = names(&mut other.router).find(|route| own.contains(route)) {
            let reason = "is documented by two routers, of which one has no such route: the document \
                          would say what the other one enforces";
            self.fault.get_or_insert(ConfigError::Route { route, reason: reason.into() });
        }
        self.router = self.router.merge(other.router);
        for part in other.parts {
            match self.parts.iter_mut().find(|known| known.is_of(&part.schemes)) {
                Some(known) => known.scopes.extend(part.scopes),
                None => self.parts.push(part),
            }
        }
        self.fault = self.fault.or(other.fault);
        self
    }

    /// Adds all routes of another router below a path, such as `/api`.
    ///
    /// # Panics
    ///
    /// The path is malformed, or a route is there already, as axum's `Router::nest` does.
    pub fn nest(self, path: &str, other: Self) -> Self {
        // By itself first: the document of the outer router would lose operations of the same path.
        let router = OpenApiRouter::default().nest(path, other.router);
        self.merge(Self { router, ..other })
    }

    /// Gives the handlers their state.
    pub fn with_state<S2>(self, state: S) -> SecuredRouter<S2> {
        let Self { router, parts, fault } = self;
        SecuredRouter { router: router.with_state(state), parts, fault }
    }

    /// The router, its document, and the parts of it.
    pub(super) fn into_parts(self) -> Result<(Router<S>, OpenApi, Vec<Part>), ConfigError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let (router, document) = self.router.split_for_parts();
        Ok((router, document, self.parts))
    }
}

/// The names of all documented operations.
fn names<S: Clone + Send + Sync + 'static>(
    router: &mut OpenApiRouter<S>,
) -> impl Iterator<Item = String> {
    operations(&mut router.get_openapi_mut().paths).map(|(name, _)| name)
}

impl<S: Clone + Send + Sync + 'static> Default for SecuredRouter<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> fmt::Debug for SecuredRouter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scopes: BTreeSet<_> = self.parts.iter().flat_map(|part| &part.scopes).collect();
        f.debug_struct("SecuredRouter")
            .field("scopes", &scopes)
            .field("fault", &self.fault)
            .finish_non_exhaustive()
    }
}
