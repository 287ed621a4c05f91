//! Refresh tokens with short lifetimes, and texts that are not quite theirs.

use std::time::Duration;

use tower_jwt_auth::refresh::{RefreshStore, RefreshTokens};

use crate::fixed::FixedClock;

/// Refresh tokens that are idle for 100 s, last for 300 s, and have a grace of 10 s.
pub(crate) fn tokens(store: impl RefreshStore, clock: &FixedClock) -> RefreshTokens {
    let seconds = Duration::from_secs;
    RefreshTokens::builder(store)
        .grace(seconds(10))
        .idle_lifetime(seconds(100))
        .absolute_lifetime(seconds(300))
        .clock(clock.clone())
        .build()
        .unwrap()
}

/// The text with another letter at this place.
pub(crate) fn changed(text: &str, at: usize) -> String {
    let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
    format!("{}{other}{}", &text[..at], &text[at + 1..])
}
