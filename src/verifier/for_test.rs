//! Claims for a test, which no verifier has seen.

use super::{any_claims, claims::Claims};
use crate::claims::RegisteredClaims;

/// Makes claims without a token. `custom` is `None` only if `C` is [`RegisteredClaims`].
pub(crate) fn claims_for_test<C: Send + Sync + 'static>(
    registered: RegisteredClaims,
    custom: Option<C>,
) -> Claims<C> {
    // A request with them is as one behind a layer for this type.
    any_claims::register::<C>();
    Claims::unverified(registered, custom)
}
