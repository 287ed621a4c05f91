//! An issuer, and the clock that it goes by.

use std::time::{Duration, UNIX_EPOCH};

use tower_jwt_auth::{
    Algorithm,
    issue::{SigningKey, TokenIssuer, TokenIssuerBuilder},
};

use crate::fixed::{AUDIENCE, FixedClock, ISSUER, NOW};

/// A builder with the usual issuer and audience, a key of its own and this clock.
pub(crate) fn issuer(clock: &FixedClock) -> TokenIssuerBuilder {
    TokenIssuer::builder()
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .key(SigningKey::generate(Algorithm::ES256).unwrap())
        .clock(clock.clone())
}

/// Puts a clock so many seconds behind [`NOW`].
pub(crate) fn set(clock: &FixedClock, seconds: u64) {
    clock.set(UNIX_EPOCH + Duration::from_secs(NOW + seconds));
}
