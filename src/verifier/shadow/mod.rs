//! Shadow rules: they decide nothing, and report which tokens they would refuse.
//!
//! Rules that do not depend on the time are asked once for each token, and their verdict is kept with
//! the claims. `ask` runs as the last rule of each request that passes, so a verifier without shadow
//! rules pays for nothing.

mod ask;
mod rules;
mod verdict;

pub(super) use self::{ask::Shadow, verdict::KeptVerdict};
pub use self::{rules::ShadowRules, verdict::ShadowVerdict};
pub use crate::shadow_rule::ShadowRule;
