//! What claims keep of the verifier that has verified them.

use super::timepiece::Timepiece;
use crate::scope_hierarchy::ScopeHierarchy;

/// What a policy needs of the verifier, because it gets nothing but claims.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) time: Timepiece,
    pub(super) scope_hierarchy: Option<ScopeHierarchy>,
}
