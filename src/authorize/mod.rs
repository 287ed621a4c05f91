//! Policies on verified claims, to use in a layer, an extractor or a handler.
//!
//! # Rules
//!
//! 1. A policy sees only claims that were verified: 401 comes before 403.
//! 2. A policy on a type of the application sees the claims of the layer for that type. A policy
//!    on registered claims needs no type, and works in a layer for any. In several layers for
//!    different types, it sees those of the layer without a type of its own; if there is no such
//!    layer, the answer is 500.
//! 3. Scopes and roles are compared byte for byte. A [`ScopeHierarchy`] says which scopes imply others.
//! 4. A `scope` or role claim that is neither a string nor an array of strings is answered 403,
//!    also under `not`.
//! 5. A login that is too weak or too old is answered 401 with what is required of it ([`StepUp`],
//!    RFC 9470). Together with a missing scope it is one answer.
//! 6. A policy [describes](Policy::describe) itself. Its challenges, and the documents that you make
//!    of it, come from that one [`PolicyDescription`].
//!
//! # Example: scopes, roles and a condition
//! ```
//! use tower_jwt_auth::{
//!     Claims,
//!     authorize::{Policy, PolicyExt, Roles, Scopes},
//! };
//!
//! struct User {
//!     verified: bool,
//! }
//!
//! let policy = Scopes::all_of(["orders:read", "orders:write"])
//!     .or(Roles::at("realm_access.roles").any_of(["admin"]))
//!     .and(|user: &Claims<User>| user.verified);
//! # fn check(_: impl Policy<User>) {}
//! # check(policy);
//! ```

mod amr;
mod authenticated;
mod challenge;
mod combine;
mod description;
mod lookup;
mod policy;
mod possession;
mod roles;
mod scopes;
mod step_up;

#[cfg(feature = "axum")]
pub(crate) use self::lookup::claims_unless_guest;
#[cfg(feature = "routes")]
pub(crate) use self::lookup::without_claims;
pub(crate) use self::lookup::{claims, refuse};
#[cfg(feature = "mcp")]
pub(crate) use self::scopes::words;
pub use self::{
    amr::Amr,
    authenticated::{Authenticated, authenticated},
    combine::{And, Described, Not, Or, PolicyExt},
    description::{PolicyAlternative, PolicyDescription},
    policy::Policy,
    possession::{SenderConstrained, sender_constrained},
    roles::{AnyRole, EveryRole, Roles},
    scopes::Scopes,
    step_up::StepUp,
};
pub use crate::{request_head::RequestHead, scope_hierarchy::ScopeHierarchy};
