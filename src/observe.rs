//! What is told to the outside of the process: every event, and nothing of a
//! token in any of them.
//!
//! | event | level |
//! |---|---|
//! | a request without a token; a request that passes without claims | debug |
//! | a request or a token that was refused, also for want of keys | info |
//! | a fault of the server, and its cause | error |
//! | a spent refresh token was used | warn |
//! | a store does not answer; a token passes unchecked because of that (`fail_open`) | error |
//! | a store answers again | info |
//! | the denylist cannot be followed | warn |
//! | the denylist is followed again | info |
//! | Redis may evict keys, or whether it may was not checked | warn |
//! | keys were fetched | debug |
//! | keys can be fetched again | info |
//! | keys cannot be fetched any more; a key in a document cannot be used; an issuer cannot be resolved | warn |
//!
//! What is wrong with keys is told when it begins and when it ends. A store that fails is told
//! at once, then every ten seconds with the number of failures since the last event. Neither
//! has anything of a request in it, and the requests that fail with it are told at debug level.

use std::{
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::error::Error;
#[cfg(feature = "tracing")]
use crate::error::ErrorKind;

/// A request was refused.
#[cfg(feature = "tracing")]
pub(crate) fn refused(error: &Error) {
    use std::error::Error as _;

    let kind = error.kind().name();
    if error.is_told() {
        tracing::debug!(kind, reason = %error, "request not decided");
    } else if let ErrorKind::KeysUnavailable { .. } | ErrorKind::KeyPending { .. } = error.kind() {
        // What ails the keys was told when it began. Anybody can make up an id.
        tracing::info!(kind, reason = %error, "request not decided");
    } else if error.is_server_fault() {
        let cause = error.source().map(tracing::field::display);
        tracing::error!(kind, reason = %error, cause, "request not decided");
    } else if error.is_missing_token() {
        tracing::debug!(kind, reason = %error, "request refused");
    } else {
        tracing::info!(kind, reason = %error, "request refused");
    }
}

/// A request was refused.
#[cfg(not(feature = "tracing"))]
pub(crate) fn refused(error: &Error) {
    let _ = error.kind().name();
}

/// A request passes without claims, as the layer's mode has it.
#[cfg(feature = "tracing")]
pub(crate) fn passed(error: &Error) {
    if error.is_server_fault() {
        refused(error);
    } else {
        let kind = error.kind().name();
        tracing::debug!(kind, reason = %error, "request passes without claims");
    }
}

/// A request passes without claims, as the layer's mode has it.
#[cfg(not(feature = "tracing"))]
pub(crate) fn passed(error: &Error) {
    refused(error);
}

/// The failures of one store, told as one event in ten seconds.
#[derive(Default)]
pub(crate) struct Outage {
    /// Whether the last answer was a failure.
    down: AtomicBool,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    last: Option<Instant>,
    /// Whether the end is to be told.
    open: bool,
    /// How many failures there were since then.
    more: u64,
}

impl Outage {
    /// The store has not answered. What this was for is told in `error`, at debug level only.
    #[cold]
    pub(crate) fn failed(&self, store: &'static str, error: &Error) {
        use std::error::Error as _;

        error.set_told();
        if let Some(more) = self.count(Instant::now()) {
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            store_failed(store, &cause, more);
        }
    }

    /// The same, where the token passes all the same, as the verifier was told by name.
    #[cold]
    pub(crate) fn passed_unchecked(&self, error: &Error) {
        use std::error::Error as _;

        if let Some(more) = self.count(Instant::now()) {
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            passed_unchecked(&cause, more);
        }
    }

    /// The denylist in the store cannot be followed.
    #[cfg(feature = "redis")]
    pub(crate) fn not_followed(&self, cause: &dyn fmt::Display) {
        if let Some(more) = self.count(Instant::now()) {
            denylist_lost(cause, more);
        }
    }

    /// The application's resolver has failed; the cause is its own text.
    #[cfg(feature = "remote")]
    pub(crate) fn not_resolved(&self, cause: &(dyn std::error::Error + 'static)) {
        if let Some(more) = self.count(Instant::now()) {
            issuer_not_resolved(cause, more);
        }
    }

    /// An issuer that was resolved finds no room among so many.
    #[cfg(feature = "remote")]
    pub(crate) fn no_room(&self, most: usize) {
        if let Some(more) = self.count(Instant::now()) {
            no_room_for_issuer(most, more);
        }
    }

    /// The store has answered.
    #[inline]
    pub(crate) fn answered(&self, store: &'static str) {
        if self.down.load(Ordering::Relaxed)
            && let Some(more) = self.end()
        {
            store_answers(store, more);
        }
    }

    /// The denylist in the store is followed.
    #[cfg(feature = "redis")]
    pub(crate) fn followed(&self) {
        if self.end().is_some() {
            denylist_followed();
        }
    }

    /// Counts a failure; gives how many were not told before it, if it is to be told.
    fn count(&self, now: Instant) -> Option<u64> {
        self.down.store(true, Ordering::Relaxed);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.last.is_some_and(|last| now.duration_since(last) < PAUSE) {
            told.more = told.more.saturating_add(1);
            return None;
        }
        (told.last, told.open) = (Some(now), true);
        Some(std::mem::take(&mut told.more))
    }

    /// Ends it; gives how many failures were not told, if its begin was. Otherwise a store that
    /// answers every other time would be told each time.
    fn end(&self) -> Option<u64> {
        if !self.down.swap(false, Ordering::Relaxed) {
            return None;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut told.open).then(|| std::mem::take(&mut told.more))
    }
}

impl fmt::Debug for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outage").field("down", &self.down).finish_non_exhaustive()
    }
}

/// How long a failure of a store that was told keeps others from being told.
const PAUSE: Duration = Duration::from_secs(10);

#[cfg(feature = "tracing")]
fn store_failed(store: &'static str, cause: &str, more: u64) {
    tracing::error!(store, cause, more, "a store does not answer, requests are not decided");
}

#[cfg(feature = "tracing")]
fn store_answers(store: &'static str, more: u64) {
    tracing::info!(store, more, "a store answers again");
}

#[cfg(feature = "tracing")]
fn passed_unchecked(cause: &str, more: u64) {
    tracing::error!(cause, more, "tokens pass unchecked: the denylist does not answer");
}

#[cfg(all(feature = "tracing", feature = "redis"))]
fn denylist_lost(cause: &dyn fmt::Display, more: u64) {
    tracing::warn!(reason = %cause, more, "the denylist cannot be followed");
}

#[cfg(all(feature = "tracing", feature = "redis"))]
fn denylist_followed() {
    tracing::info!("the denylist is followed again");
}

/// Redis may evict keys when it is full: an evicted revocation lets a token in again.
#[cfg(all(feature = "tracing", feature = "redis"))]
pub(crate) fn store_may_evict(policy: &str) {
    tracing::warn!(
        policy,
        "Redis may evict revocations and sessions: set `maxmemory-policy` to `noeviction`"
    );
}

/// Whether Redis may evict keys is not known.
#[cfg(all(feature = "tracing", feature = "redis"))]
pub(crate) fn eviction_not_checked() {
    tracing::warn!(
        "whether Redis may evict keys was not checked: grant its user `+info`, and see that \
         `maxmemory-policy` is `noeviction`"
    );
}

/// A refresh token was used that was spent: a thief has it, or has used it.
#[cfg(all(feature = "tracing", feature = "issue"))]
pub(crate) fn refresh_token_reused(session: &str) {
    tracing::warn!(session, "a spent refresh token was used, its session is ended");
}

/// A spent refresh token was used.
#[cfg(all(not(feature = "tracing"), feature = "issue"))]
pub(crate) fn refresh_token_reused(_: &str) {}

/// Keys were fetched: again, where the last fetch failed.
#[cfg(all(feature = "tracing", feature = "remote"))]
pub(crate) fn keys_fetched(from: &str, again: bool) {
    if again {
        tracing::info!(from, "keys can be fetched again");
    } else {
        tracing::debug!(from, "keys were fetched");
    }
}

/// A key of a document cannot be used. One that is not for signatures is nothing
/// to worry about.
#[cfg(all(feature = "tracing", feature = "remote"))]
pub(crate) fn key_skipped(from: &str, skipped: &impl std::fmt::Display, harmless: bool) {
    if harmless {
        tracing::debug!(from, %skipped, "a key is left out");
    } else {
        tracing::warn!(from, %skipped, "a key is left out");
    }
}

/// Keys cannot be fetched any more.
#[cfg(all(feature = "tracing", feature = "remote"))]
pub(crate) fn keys_not_fetched(error: &crate::error::FetchError) {
    tracing::warn!(from = error.url(), reason = %error.kind(), "keys cannot be fetched");
}

#[cfg(all(feature = "tracing", feature = "remote"))]
fn issuer_not_resolved(cause: &(dyn std::error::Error + 'static), more: u64) {
    tracing::warn!(%cause, more, "an issuer cannot be resolved");
}

#[cfg(all(feature = "tracing", feature = "remote"))]
fn no_room_for_issuer(max_resolved: usize, more: u64) {
    tracing::warn!(
        max_resolved,
        more,
        "no room for another resolved issuer: it is resolved for each token, raise `max_resolved`"
    );
}

#[cfg(not(feature = "tracing"))]
#[allow(dead_code, reason = "each feature has some of them")]
mod silent {
    //! The same, where nobody listens.

    pub(super) fn store_failed(_: &'static str, _: &str, _: u64) {}

    pub(super) fn store_answers(_: &'static str, _: u64) {}

    pub(super) fn passed_unchecked(_: &str, _: u64) {}

    pub(super) fn denylist_lost(_: &dyn std::fmt::Display, _: u64) {}

    pub(super) fn denylist_followed() {}

    pub(crate) fn store_may_evict(_: &str) {}

    pub(crate) fn eviction_not_checked() {}

    pub(crate) fn keys_fetched(_: &str, _: bool) {}

    pub(crate) fn key_skipped(_: &str, _: &impl std::fmt::Display, _: bool) {}

    pub(crate) fn keys_not_fetched(_: &crate::error::FetchError) {}

    pub(super) fn issuer_not_resolved(_: &(dyn std::error::Error + 'static), _: u64) {}

    pub(super) fn no_room_for_issuer(_: usize, _: u64) {}
}

#[cfg(all(not(feature = "tracing"), feature = "redis"))]
use self::silent::{denylist_followed, denylist_lost};
#[cfg(all(not(feature = "tracing"), feature = "redis"))]
pub(crate) use self::silent::{eviction_not_checked, store_may_evict};
#[cfg(all(not(feature = "tracing"), feature = "remote"))]
use self::silent::{issuer_not_resolved, no_room_for_issuer};
#[cfg(all(not(feature = "tracing"), feature = "remote"))]
pub(crate) use self::silent::{key_skipped, keys_fetched, keys_not_fetched};
#[cfg(not(feature = "tracing"))]
use self::silent::{passed_unchecked, store_answers, store_failed};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_one_event_in_ten_seconds_with_a_count() {
        let (outage, begin) = (Outage::default(), Instant::now());
        let at = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(outage.count(at(0)), Some(0));
        assert_eq!((outage.count(at(1)), outage.count(at(9))), (None, None));
        assert_eq!(outage.count(at(10)), Some(2));
        assert_eq!(outage.count(at(11)), None);
        assert_eq!((outage.end(), outage.end()), (Some(1), None));
        // Another one is told at once only if the last one was told long enough ago.
        assert_eq!((outage.count(at(12)), outage.end()), (None, None));
        assert_eq!(outage.count(at(20)), Some(1));
    }
}
