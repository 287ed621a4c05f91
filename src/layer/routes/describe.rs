//! The requirements of a table for the routes of a router.

use http::Method;
use matchit::Router;

use super::{
    super::require::RouteRequirement,
    shape::Shape,
    table::{Access, Methods, Table},
};

/// A table beside the paths of a router inside of it.
///
/// The requests of a route are compared by paths that stand for many of them; see
/// [`Shape::common_path`]. The routers themselves say who gets such a path.
pub(super) struct Described<'a, C> {
    table: &'a Table<C>,
    entries: Vec<(Shape, &'a Methods<C>)>,
    routes: Router<Shape>,
    /// It has more segments than each path of both.
    rest: String,
}

impl<'a, C> Described<'a, C> {
    pub(super) fn new(table: &'a Table<C>, paths: &[String]) -> Self {
        let entries: Vec<_> =
            table.methods.iter().map(|entry| (Shape::parse(&entry.path), entry)).collect();
        let mut routes = Router::new();
        for path in paths.iter().map(|path| routed(path)) {
            // A path that the document has and the router cannot have is an error of its operations.
            let _ = routes.insert(path, Shape::parse(path));
        }
        let all = paths.iter().chain(table.methods.iter().map(|entry| &entry.path));
        let longest = all.map(|path| path.matches('/').count()).max().unwrap_or_default();
        Self { table, entries, routes, rest: format!("{}#", "#/".repeat(longest)) }
    }

    /// The requirement for all requests of a route. The error says why they have no common one.
    pub(super) fn of(&self, method: &str, path: &str) -> Result<RouteRequirement, String> {
        let shape = Shape::parse(routed(path));
        let is_own = |path: &str| self.routes.at(path).is_ok_and(|found| *found.value == shape);
        let own = shape.common_path(&shape, &self.rest).filter(|path| is_own(path));
        let (Some(own), Ok(parsed)) = (own, Method::from_bytes(method.as_bytes())) else {
            return Err("is no route of its router: take it out of the document".into());
        };
        let Some(requirement) = self.requirement(&parsed, &own) else {
            return Err(format!(
                "has no entry in the table of its router that covers all its requests, so that others \
                 are refused: add `{method} {path}`, or set a `fallback`"
            ));
        };
        for (entry_shape, entry) in &self.entries {
            let Some(common) = shape.common_path(entry_shape, &self.rest) else { continue };
            let decides = self.table.at(&common).is_some_and(|at| at.path == entry.path);
            if decides
                && is_own(&common)
                && self.requirement(&parsed, &common).as_ref() != Some(&requirement)
            {
                return Err(format!(
                    "has requests that match `{0}` of the table of its router, which is more specific and \
                     requires something else for {method}: document a route for `{0}`, give both entries \
                     the same policy, or take `{0}` out",
                    entry.path
                ));
            }
        }
        Ok(requirement)
    }

    fn requirement(&self, method: &Method, path: &str) -> Option<RouteRequirement> {
        let policy = match self.table.find(method, path) {
            Some(Access::Public) => return Some(RouteRequirement::Public),
            Some(Access::Policy(policy)) => policy,
            None => self.table.fallback.as_ref()?,
        };
        Some(RouteRequirement::Policy(policy.describe()))
    }
}

/// The path of the route, which a document may leave empty.
fn routed(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}
