//! Everything that leaves the process as a `tracing` event. No event contains a token.
//!
//! `docs/operations.md` has the table of all events, with their levels and fields. A test compares
//! it with the calls of `event!` in this folder.
//!
//! Each refusal is one event, whether a layer, a policy or an extractor refuses, or an axum handler
//! answers with an error as its rejection. A request that
//! a layer lets pass without claims may be refused further in: then there is one event for each.
//! A fault of the server is only reported by the layer.
//!
//! A fault of keys or of a store is reported at once. While it lasts, there is at most one event in
//! ten seconds, with the number of failures since the last one. None of these events has anything of
//! a request. The requests that fail because of a store are then reported at debug level, and those
//! that fail because of the keys at info level.
//!
//! A shadow rule is reported at once, and then at most every ten seconds, with the number of requests
//! whose token it would have refused since the last event.

/// Emits an event with these fields; `name = %value` shows a value by its `Display`, with its
/// control characters escaped. Without the feature `tracing`, the fields are evaluated and nothing is emitted.
#[cfg(feature = "tracing")]
macro_rules! event {
    ($level:ident, $($field:ident $(= %$value:expr)?,)* $message:literal) => {
        tracing::$level!(target: "tower_jwt_auth", $($field $(= %$crate::shown::OneLine(&$value))?,)* $message)
    };
}

#[cfg(not(feature = "tracing"))]
macro_rules! event {
    (@use $field:ident) => { _ = &$field };
    (@use $field:ident $value:expr) => { _ = $crate::shown::OneLine(&$value) };
    ($level:ident, $($field:ident $(= %$value:expr)?,)* $message:literal) => {{
        _ = (stringify!($level), $message);
        $(event!(@use $field $($value)?);)*
    }};
}

mod keys;
mod outage;
mod pace;
mod refusals;
mod stores;

#[cfg(feature = "remote")]
pub(crate) use self::keys::{
    key_is_old, key_removed_early, key_skipped, keys_fetched, keys_not_fetched, keys_rotated,
    keys_too_old, removed_key_used,
};
#[cfg(feature = "redis")]
pub(crate) use self::stores::{eviction_not_checked, store_may_evict};
pub(crate) use self::{
    keys::{issuer_not_resolved, no_room_for_issuer},
    outage::Outage,
    pace::Pace,
    refusals::{
        ShadowRefusal, certificate_ignored, record_subject, refused, refused_after_passing,
        shadow_refused, tells_refusals,
    },
};
#[cfg(feature = "issue")]
pub(crate) use self::{
    keys::{signing_key_added, signing_key_removed},
    stores::refresh_token_reused,
};
pub(super) use self::{refusals::passed, stores::observer_panicked};
