//! The names of the metrics, and the counters of keys and refresh tokens.

use metrics::{Counter, counter};

use crate::observe::event::{FetchOutcome, RefreshOutcome};

pub(super) fn key_refreshes(issuer: &str, outcome: FetchOutcome) -> Counter {
    counter!(KEYS_REFRESH, "issuer" => issuer.to_owned(), "result" => outcome.name())
}

pub(super) fn key_events(issuer: &str, event: &'static str) -> Counter {
    counter!(KEY_EVENTS, "issuer" => issuer.to_owned(), "event" => event)
}

pub(super) fn refreshes(outcome: RefreshOutcome) -> Counter {
    counter!(REFRESH, "result" => outcome.name())
}

#[allow(clippy::cast_precision_loss, reason = "a gauge needs no more")]
pub(super) fn as_f64(number: usize) -> f64 {
    number as f64
}

pub(super) const REQUESTS: &str = "jwt_auth_requests_total";
pub(super) const VERIFY: &str = "jwt_auth_verify_seconds";
pub(super) const CACHE: &str = "jwt_auth_token_cache_total";
pub(super) const CACHE_BYTES: &str = "jwt_auth_token_cache_bytes";
pub(super) const KEYS_REFRESH: &str = "jwt_auth_keys_refresh_total";
pub(super) const KEYS_AGE: &str = "jwt_auth_keys_age_seconds";
pub(super) const KEYS: &str = "jwt_auth_keys";
pub(super) const KEYS_USABLE: &str = "jwt_auth_keys_usable";
pub(super) const KEY_EVENTS: &str = "jwt_auth_key_events_total";
pub(super) const DENYLIST_LAG: &str = "jwt_auth_denylist_lag_seconds";
pub(super) const DENYLIST_ENTRIES: &str = "jwt_auth_denylist_entries";
pub(super) const REFRESH: &str = "jwt_auth_refresh_total";
pub(super) const SHADOW: &str = "jwt_auth_shadow_total";
pub(super) const STREAMS: &str = "jwt_auth_streams_ended_total";

pub(super) const ROTATED: &str = "rotated";
pub(super) const REMOVED_EARLY: &str = "removed_early";
pub(super) const REMOVED_USED: &str = "removed_used";
pub(super) const OLD: &str = "old";

/// The values of the label `event`.
pub(super) const ALL_KEY_EVENTS: [&str; 4] = [ROTATED, REMOVED_EARLY, REMOVED_USED, OLD];
