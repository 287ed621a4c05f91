//! Claims for a test, which no verifier has seen.

use std::sync::Arc;

use super::{any_claims, claims::Claims, timepiece::Timepiece};
use crate::{claims::RegisteredClaims, clock::Clock};

/// Makes claims without a token, judged by this clock or that of the system. `custom` is `None` only
/// if `C` is [`RegisteredClaims`].
pub(crate) fn claims_for_test<C: Send + Sync + 'static>(
    registered: RegisteredClaims,
    custom: Option<C>,
    clock: Option<Arc<dyn Clock>>,
) -> Claims<C> {
    // A request with them is as one behind a layer for this type.
    any_claims::register::<C>();
    let time = Timepiece::of_system();
    let time = clock.map_or_else(|| time.clone(), |clock| time.with_clock(clock));
    Claims::unverified(registered, custom, time)
}
