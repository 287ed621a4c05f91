//! One table of policies for all routes of a service.

#[cfg(feature = "utoipa")]
mod describe;
mod pattern;
mod requirement;
#[cfg(feature = "utoipa")]
mod shape;
mod table;

use std::fmt;

use http::Method;

use self::{
    pattern::Pattern,
    table::{Access, BoxPolicy, Table},
};
use super::require::RequireLayer;
use crate::{
    authorize::{Policy, PolicyDescription},
    claims::RegisteredClaims,
    error::ConfigError,
};

/// A table with the policies of all routes of a service. It becomes a [`RequireLayer`], and
/// what it does not name is refused.
///
/// In axum, a `RequireLayer` on each route usually suffices. A table is good for services without a
/// router, and where one place must show who may do what.
///
/// # Rules
///
/// 1. An entry is a method and a path, such as `GET /orders/{id}`, or only a path, for all methods that
///    have no entry of their own. A path has the syntax of axum 0.8: `{id}` is one segment, and
///    `{*rest}` at the end is one or more.
/// 2. The path of the request is compared as it was sent. It is not decoded, and a slash at the end makes
///    another path. Of several paths that match, the most specific one counts, as in axum.
/// 3. `HEAD` has the policy of `GET`, unless it has its own.
/// 4. A request that no entry names is answered 403 with a valid token, and 401 without a token. That
///    includes other methods of a path in the table, also `OPTIONS`. The event of the refusal names the
///    method and the path. [`fallback`](Self::fallback) sets a policy for these requests.
/// 5. A method of gRPC is a path without a method, such as `/shop.v1.Orders/Get`, and
///    `/shop.v1.Orders/{method}` is each method of a service.
/// 6. Entries that contradict each other are errors of [`build`](Self::build).
///
/// # Example: a service
/// ```
/// use http::{Request, Response};
/// use tower::{ServiceBuilder, service_fn};
/// use tower_jwt_auth::{
///     JwtAuthLayer,
///     authorize::{Scopes, authenticated, sender_constrained},
///     layer::Routes,
/// };
/// # use tower_jwt_auth::{Key, Verifier};
/// # let verifier = Verifier::builder()
/// #     .any_issuer().any_audience().keys(Key::hs256([7; 32])).build()?;
///
/// let routes = Routes::new()
///     .route("GET /orders/{id}", Scopes::all_of(["orders:read"]))
///     .route("POST /orders", Scopes::all_of(["orders:write"]))
///     .route("/account", sender_constrained())
///     .route("GET /me", authenticated())
///     .public("GET /health");
/// for route in routes.describe() {
///     println!("{route}"); // GET /orders/{id}: the scope orders:read
/// }
/// let service = ServiceBuilder::new()
///     .layer(JwtAuthLayer::new(verifier).optional()) // because of the public route
///     .layer(routes.build()?)
///     .service(service_fn(async |_: Request<String>| {
///         Ok::<_, std::io::Error>(Response::new(String::new()))
///     }));
/// # let _ = service;
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
///
/// # Security
///
/// The layer must see the path that the router of the application sees. Nothing in between may change it:
/// no `nest` of axum, whose routes see a path without the prefix, and no layer that removes slashes or
/// prefixes. In axum, put it around the outermost router with `Router::layer`, and the
/// [`JwtAuthLayer`](super::JwtAuthLayer) around that. `ApiSecurity::secured_by` (feature `utoipa`) is the
/// exception: the table is inside of each route, and axum removes the prefix of a `nest` before it, so the
/// table has the paths of the router that it is given with.
///
/// A [public](Self::public) entry is for guests. So the `JwtAuthLayer` outside must be
/// [`optional`](super::JwtAuthLayer::optional); otherwise, it refuses requests without a token before the
/// table is asked. All other entries still require a token.
#[must_use = "a table does nothing until it is built, and wraps a service"]
pub struct Routes<C = RegisteredClaims> {
    entries: Vec<Entry<C>>,
    fallback: Option<BoxPolicy<C>>,
}

struct Entry<C> {
    /// As it was given.
    text: String,
    pattern: Result<Pattern, String>,
    access: Access<C>,
}

impl Routes {
    /// An empty table of policies that need no more than the registered claims. The `JwtAuthLayer`
    /// outside may read any type of claims; see [`RequireLayer::new`].
    pub fn new() -> Self {
        Self::for_claims()
    }
}

impl<C> Routes<C> {
    /// An empty table of policies for the claims of a layer of the same type `C`.
    pub fn for_claims() -> Self {
        Self { entries: Vec::new(), fallback: None }
    }

    /// Adds a route and its policy. The route is a method, a blank and a path, or only a path for all
    /// methods without an entry of their own.
    pub fn route(
        self,
        route: impl Into<String>,
        policy: impl Policy<C> + Send + Sync + 'static,
    ) -> Self {
        self.with(route.into(), Access::Policy(Box::new(policy)))
    }

    /// Adds a route that needs no token.
    ///
    /// The [`JwtAuthLayer`](super::JwtAuthLayer) outside must be
    /// [`optional`](super::JwtAuthLayer::optional). It still refuses an invalid token that is not in a
    /// cookie. Without any `JwtAuthLayer`, the answer is 500, as on the other routes.
    pub fn public(self, route: impl Into<String>) -> Self {
        self.with(route.into(), Access::Public)
    }

    /// Sets the policy for requests that no entry names. It needs a valid token, too. Default: such a
    /// request is answered 403.
    ///
    /// # Security
    ///
    /// A route that is forgotten in the table has this policy.
    pub fn fallback(mut self, policy: impl Policy<C> + Send + Sync + 'static) -> Self {
        self.fallback = Some(Box::new(policy));
        self
    }

    /// All entries, for documents, in the order in which they were added. An entry that
    /// [`build`](Self::build) does not accept may be missing.
    #[must_use]
    pub fn describe(&self) -> Vec<RouteDescription> {
        let entries = self.entries.iter();
        entries.filter_map(|entry| entry.describe(entry.pattern.as_ref().ok()?)).collect()
    }

    /// The layer, which belongs inside of a [`JwtAuthLayer`](super::JwtAuthLayer).
    ///
    /// Its [description](RequireLayer::describe) has the scopes of all routes.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Route`]: a route is malformed, its method has an entry for this path already, or
    /// its path conflicts with another one, such as `/{id}` with `/{name}`.
    pub fn build(self) -> Result<RequireLayer<C>, ConfigError>
    where
        C: 'static,
    {
        let mut policies: Vec<_> =
            self.entries.iter().filter_map(|entry| entry.access.describe()).collect();
        policies.extend(self.fallback.as_ref().map(|policy| policy.describe()));
        let mut table = Table::new(self.fallback);
        for Entry { text, pattern, access } in self.entries {
            let added = pattern.and_then(|pattern| table.add(pattern, access));
            added.map_err(|reason| ConfigError::Route { route: text, reason })?;
        }
        let description =
            PolicyDescription::any(policies).described_as("what the table has for the route");
        Ok(RequireLayer::of(table, description))
    }

    fn with(mut self, text: String, access: Access<C>) -> Self {
        let pattern = Pattern::parse(&text);
        self.entries.push(Entry { text, pattern, access });
        self
    }
}

impl<C> Entry<C> {
    fn describe(&self, pattern: &Pattern) -> Option<RouteDescription> {
        let Pattern { method, path } = pattern.clone();
        Some(RouteDescription { method, path, policy: self.access.describe() })
    }
}

impl Default for Routes {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> fmt::Debug for Routes<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.entries.iter().map(|entry| &entry.text);
        f.debug_list().entries(entries).finish()
    }
}

/// An entry of a table of [`Routes`], for documents.
///
/// Its `Display` is one line, such as `GET /orders/{id}: the scope orders:read`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteDescription {
    method: Option<Method>,
    path: String,
    policy: Option<PolicyDescription>,
}

impl RouteDescription {
    /// The method. `None` means all methods that have no entry of their own for this path.
    #[must_use]
    pub fn method(&self) -> Option<&Method> {
        self.method.as_ref()
    }

    /// The path, with axum's syntax for parameters.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The requirements of the policy. `None` if the route is public.
    #[must_use]
    pub fn policy(&self) -> Option<&PolicyDescription> {
        self.policy.as_ref()
    }
}

impl fmt::Display for RouteDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(method) = &self.method {
            write!(f, "{method} ")?;
        }
        match &self.policy {
            Some(policy) => write!(f, "{}: {policy}", self.path),
            None => write!(f, "{}: public", self.path),
        }
    }
}
