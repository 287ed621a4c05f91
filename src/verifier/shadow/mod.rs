//! Rules in the shadow: they decide nothing, and report which tokens they would refuse.
//!
//! What does not depend on the time is judged once for each token, and its verdict is kept with the
//! claims. `ask` runs as the last rule of each request that passes, so a verifier without a shadow
//! pays for nothing.

mod ask;
mod rules;
mod verdict;

pub(super) use self::{ask::Shadow, verdict::KeptVerdict};
pub use self::{
    rules::ShadowRules,
    verdict::{ShadowRule, ShadowVerdict},
};
