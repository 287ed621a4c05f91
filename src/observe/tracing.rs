//! Everything that leaves the process as a `tracing` event. No event contains a token.
//!
//! | event | level |
//! |---|---|
//! | a refused request without a token; a request that passes without claims | debug |
//! | a request or a token that was refused, also because a key is missing; a preflight; a refresh without its token | info |
//! | a rule in the shadow would refuse a token that passes | info |
//! | a fault of the server, and its cause | error |
//! | a spent refresh token was used | warn |
//! | a store does not answer; a token passes unchecked because of that (`fail_open`) | error |
//! | a store answers again | info |
//! | the denylist cannot be followed | warn |
//! | the denylist is followed again | info |
//! | Redis may evict keys, or whether it may was not checked | warn |
//! | a signing key was added to its directory, or removed from it; signing keys can be read again | info |
//! | a signing key was added so late that verifiers may not know it; signing keys cannot be read | warn |
//! | signing keys cannot be read, and one whose file was removed remains in use | error |
//! | keys were fetched | debug |
//! | keys were rotated: the ids that were added and removed | info |
//! | keys can be fetched, or looked up by their ids, again | info |
//! | keys cannot be fetched any more; a key in a document cannot be used; an issuer cannot be resolved; a key cannot be looked up; a token names a key that was removed in the last 24 h | warn |
//! | a key was removed while its tokens had not expired; a key is older than it should be | warn |
//!
//! Each refusal is one event, whether a layer, a policy or an extractor refuses, or an axum handler
//! answers with an error as its rejection. A request that
//! a layer lets pass without claims may be refused further in: then there is one event for each.
//! A fault of the server is only reported by the layer.
//!
//! A fault of the keys is reported when it begins and when it ends. A store that fails is
//! reported at once, and then every ten seconds with the number of failures since the last
//! event. Neither event says anything of a request. The requests that fail because of it are
//! reported at debug level.
//!
//! A rule in the shadow is reported at once, and then every ten seconds with the number of tokens
//! that it would have refused since the last event.

use std::{
    error::Error as StdError,
    fmt,
    sync::{
        LazyLock, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

#[cfg(feature = "issue")]
use std::path::Path;

#[cfg(feature = "remote")]
use crate::error::FetchError;
use crate::error::{Detail, Error, ErrorKind, StoreError};

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

/// Reports that a request was refused.
pub(crate) fn refused(error: &Error) {
    let kind = error.kind().name();
    if error.is_told() {
        event!(debug, kind, reason = %error, "request not decided");
    } else if let ErrorKind::KeysUnavailable { .. } | ErrorKind::KeyPending { .. } = error.kind() {
        // The fault of the keys was reported when it began, and anybody can make up a key id.
        event!(info, kind, reason = %error, "request not decided");
    } else if error.is_server_fault() {
        match error.source() {
            Some(cause) => {
                event!(error, kind, reason = %error, cause = %cause, "request not decided");
            }
            None => event!(error, kind, reason = %error, "request not decided"),
        }
    } else if matches!(error.kind(), ErrorKind::MissingToken) {
        event!(debug, kind, reason = %error, "request refused");
    } else {
        let detail = error.detail();
        let issuer = detail.and_then(|detail| detail.issuer.as_deref());
        let expected = detail.and_then(|detail| detail.expected.as_deref());
        let seen = detail.and_then(|detail| detail.seen.as_deref());
        let late_by_s = detail.and_then(|detail| detail.late_by);
        let early_by_s = detail.and_then(|detail| detail.early_by);
        let subject = detail.and_then(|detail| detail.subject.as_deref());
        match error.source() {
            Some(cause) => event!(
                info, kind, reason = %error, cause = %cause, issuer, expected, seen, late_by_s,
                early_by_s, subject, "request refused"
            ),
            None => event!(
                info, kind, reason = %error, issuer, expected, seen, late_by_s, early_by_s,
                subject, "request refused"
            ),
        }
    }
}

/// Whether anybody listens to the events of refusals.
#[cfg(feature = "tracing")]
pub(crate) fn tells_refusals() -> bool {
    tracing::enabled!(target: "tower_jwt_auth", tracing::Level::INFO)
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn tells_refusals() -> bool {
    false
}

/// Records the subject of a request in the span around it, if that has a field `subject`.
#[cfg(feature = "tracing")]
pub(crate) fn record_subject(subject: &str) {
    tracing::Span::current().record("subject", subject);
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn record_subject(_: &str) {}

/// Reports that a request passes without claims, as the layer's mode allows.
pub(super) fn passed(error: &Error) {
    if error.is_server_fault() {
        refused(error);
    } else {
        let kind = error.kind().name();
        event!(debug, kind, reason = %error, "request passes without claims");
    }
}

/// Reports that a request was refused because it has no claims, which had [passed](passed) a layer.
pub(crate) fn refused_after_passing(error: &Error) {
    // A fault was reported when it passed.
    if !error.is_server_fault() {
        refused(error);
    }
}

/// The values in the event of a token that a rule in the shadow would refuse.
pub(crate) struct ShadowRefusal {
    pub(crate) detail: Detail,
    pub(crate) client: Option<Box<str>>,
}

/// Reports that a rule in the shadow would refuse a token that passes: one event in ten seconds, with
/// a count. `explain` is called only for an event.
pub(crate) fn shadow_refused(
    rule: &'static str,
    pace: &Pace,
    explain: impl FnOnce() -> ShadowRefusal,
) {
    let Some(more) = pace.count(START.elapsed()).filter(|_| tells_refusals()) else { return };
    let ShadowRefusal { detail, client } = &explain();
    let (issuer, client) = (detail.issuer.as_deref(), client.as_deref());
    let (expected, seen) = (detail.expected.as_deref(), detail.seen.as_deref());
    let (late_by_s, early_by_s) = (detail.late_by, detail.early_by);
    event!(
        info,
        rule,
        issuer,
        expected,
        seen,
        late_by_s,
        early_by_s,
        client,
        more,
        "a rule in the shadow would refuse tokens"
    );
}

/// Lets one event in ten seconds through, and counts the others. It takes no lock, because tokens
/// that pass are counted.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// When the next event is due, in milliseconds since [`START`].
    due: AtomicU64,
    /// The number of cases since the last event.
    more: AtomicU64,
}

impl Pace {
    /// Counts a case. If it is to be reported, this gives the number of cases before it that were
    /// not.
    fn count(&self, now: Duration) -> Option<u64> {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let (due, next) = (self.due.load(Ordering::Relaxed), now.saturating_add(PAUSE));
        let is_due = milliseconds(now) >= due
            && self
                .due
                .compare_exchange(due, milliseconds(next), Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if is_due {
            return Some(self.more.swap(0, Ordering::Relaxed));
        }
        self.more.fetch_add(1, Ordering::Relaxed);
        None
    }
}

/// Times are counted from here.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Reports the failures of one store: one event in ten seconds.
#[derive(Default)]
pub(crate) struct Outage {
    /// Whether the last answer was a failure.
    down: AtomicBool,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    last: Option<Instant>,
    /// Whether the end is to be reported.
    open: bool,
    /// The number of failures since the last event.
    more: u64,
}

impl Outage {
    /// Takes the answer of a store, and reports when the store begins or ceases to fail. The
    /// failed request itself is then reported at debug level only.
    #[inline]
    pub(crate) fn record<T>(
        &self,
        store: &'static str,
        answer: Result<T, StoreError>,
    ) -> Result<T, Error> {
        match answer {
            Ok(answer) => {
                self.answered(store);
                Ok(answer)
            }
            Err(error) => Err(self.failed(store, error)),
        }
    }

    /// Reports that a token passes although the denylist has not answered, because the verifier
    /// is configured to fail open.
    #[cold]
    pub(crate) fn passed_unchecked(&self, error: StoreError) {
        if let Some(more) = self.count(Instant::now()) {
            let cause = cause_of(&Error::from(error));
            event!(error, cause, more, "tokens pass unchecked: the denylist does not answer");
        }
    }

    /// Reports that the denylist in the store cannot be followed.
    #[cfg(feature = "redis")]
    pub(crate) fn not_followed(&self, cause: &dyn fmt::Display) {
        if let Some(more) = self.count(Instant::now()) {
            event!(warn, reason = %cause, more, "the denylist cannot be followed");
        }
    }

    /// Reports that the application's resolver has failed, with its own text as the cause.
    pub(crate) fn not_resolved(&self, cause: &(dyn StdError + 'static)) {
        if let Some(more) = self.count(Instant::now()) {
            event!(warn, cause = %cause, more, "an issuer cannot be resolved");
        }
    }

    /// Reports that the application's lookup of a key has failed, with its own text as the cause.
    pub(crate) fn not_looked_up(&self, cause: &(dyn StdError + 'static)) {
        if let Some(more) = self.count(Instant::now()) {
            event!(warn, cause = %cause, more, "a key cannot be looked up");
        }
    }

    /// Reports that keys can be looked up again.
    pub(crate) fn looked_up(&self) {
        if self.end().is_some() {
            event!(info, "keys can be looked up again");
        }
    }

    /// Reports that a token names a key that its provider has removed. Its signature is not
    /// verified, so it may also be made up. Returns whether it was reported now.
    #[cfg(feature = "remote")]
    pub(crate) fn removed_key_used(&self, from: &str, kid: &str) -> bool {
        let more = self.count(Instant::now());
        if let Some(more) = more {
            event!(
                warn,
                from,
                kid = %Ids(&[kid]),
                more,
                "a token names a key that was removed: the provider may still sign with it"
            );
        }
        more.is_some()
    }

    /// Reports that there is no room for an issuer that was resolved.
    pub(crate) fn no_room(&self, max_resolved: usize) {
        if let Some(more) = self.count(Instant::now()) {
            event!(
                warn,
                max_resolved,
                more,
                "no room for another resolved issuer: it is resolved for each token, raise \
                 `max_resolved`"
            );
        }
    }

    /// Reports that the denylist in the store is followed again.
    #[cfg(feature = "redis")]
    pub(crate) fn followed(&self) {
        if self.end().is_some() {
            event!(info, "the denylist is followed again");
        }
    }

    /// Reports that a directory of signing keys cannot be read again.
    #[cfg(feature = "issue")]
    /// With `urgent`, a key may be in use whose file was removed.
    pub(crate) fn signing_keys_not_reread(&self, cause: &dyn fmt::Display, urgent: bool) {
        let Some(more) = self.count(Instant::now()) else { return };
        if urgent {
            event!(
                error,
                reason = %cause,
                more,
                "signing keys cannot be reread: keys whose files were removed remain in use"
            );
        } else {
            event!(warn, reason = %cause, more, "signing keys cannot be reread, they remain as they are");
        }
    }

    /// Reports that a directory of signing keys can be read again.
    #[cfg(feature = "issue")]
    pub(crate) fn signing_keys_reread(&self, directory: &Path) {
        if self.end().is_some() {
            event!(info, directory = %directory.display(), "signing keys can be reread");
        }
    }

    #[inline]
    fn answered(&self, store: &'static str) {
        if self.down.load(Ordering::Relaxed)
            && let Some(more) = self.end()
        {
            event!(info, store, more, "a store answers again");
        }
    }

    #[cold]
    fn failed(&self, store: &'static str, error: StoreError) -> Error {
        let error = Error::from(error);
        error.set_told();
        if let Some(more) = self.count(Instant::now()) {
            let cause = cause_of(&error);
            event!(error, store, cause, more, "a store does not answer, requests are not decided");
        }
        error
    }

    /// Counts a failure. If it is to be reported, this gives the number of failures before it
    /// that were not.
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

    /// Ends the outage. If its beginning was reported, this gives the number of failures that
    /// were not; otherwise a store that fails every other time would be reported each time.
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

fn cause_of(error: &Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

/// Reports that Redis may evict keys when it is full: an evicted revocation lets a token in
/// again.
#[cfg(feature = "redis")]
pub(crate) fn store_may_evict(policy: &str) {
    event!(
        warn,
        policy,
        "Redis may evict revocations, sessions and proofs: set `maxmemory-policy` to `noeviction`"
    );
}

/// Reports that it is unknown whether Redis may evict keys.
#[cfg(feature = "redis")]
pub(crate) fn eviction_not_checked() {
    event!(
        warn,
        "whether Redis may evict keys was not checked: grant its user `+info`, and see that \
         `maxmemory-policy` is `noeviction`"
    );
}

/// Reports that a spent refresh token was used: a thief has it, or has used it before.
#[cfg(feature = "issue")]
pub(crate) fn refresh_token_reused(session: &str) {
    event!(warn, session, "a spent refresh token was used, its session is ended");
}

/// Reports that a signing key was added to its directory, in time for verifiers to fetch it or
/// `late`.
#[cfg(feature = "issue")]
pub(crate) fn signing_key_added(file: &Path, kid: &str, late: bool) {
    let file = file.display();
    if late {
        event!(
            warn,
            file = %file,
            kid,
            "a signing key was added, and signs so soon that verifiers may not know it: add keys \
             earlier, by `publish_ahead` at least"
        );
    } else {
        event!(info, file = %file, kid, "a signing key was added");
    }
}

/// Reports that a signing key was removed from its directory.
#[cfg(feature = "issue")]
pub(crate) fn signing_key_removed(file: &Path, kid: &str) {
    event!(info, file = %file.display(), kid, "a signing key was removed");
}

/// Reports that keys were fetched: the first time, or after a fetch that `failed_before`.
#[cfg(feature = "remote")]
pub(crate) fn keys_fetched(from: &str, failed_before: bool) {
    if failed_before {
        event!(info, from, "keys can be fetched again");
    } else {
        event!(debug, from, "keys were fetched");
    }
}

/// Reports that a key of a document cannot be used. It is `harmless` if the key is not for
/// signatures.
#[cfg(feature = "remote")]
pub(crate) fn key_skipped(from: &str, skipped: &impl fmt::Display, harmless: bool) {
    if harmless {
        event!(debug, from, skipped = %skipped, "a key is left out");
    } else {
        event!(warn, from, skipped = %skipped, "a key is left out");
    }
}

/// Reports that the document of the keys has others than before.
#[cfg(feature = "remote")]
pub(crate) fn keys_rotated(from: &str, added: &[Box<str>], removed: &[Box<str>]) {
    event!(info, from, added = %Ids(added), removed = %Ids(removed), "keys were rotated");
}

/// Reports that a key was removed while tokens that it has signed had not expired: they are
/// refused.
#[cfg(feature = "remote")]
pub(crate) fn key_removed_early(from: &str, kid: &str, left: Duration) {
    let left_s = left.as_secs();
    event!(
        warn,
        from,
        kid = %Ids(&[kid]),
        left_s,
        "a key was removed before its tokens had expired: the provider must publish it for longer"
    );
}

/// Reports that a key is older than it should be.
#[cfg(feature = "remote")]
pub(crate) fn key_is_old(from: &str, kid: &str, age: Duration) {
    let age_s = age.as_secs();
    event!(warn, from, kid = %Ids(&[kid]), age_s, "a key is older than it should be");
}

/// The ids of keys: each in quotes, escaped and cut, and at most a few of them.
#[cfg(feature = "remote")]
struct Ids<'i, T>(&'i [T]);

#[cfg(feature = "remote")]
impl<T: AsRef<str>> fmt::Display for Ids<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST_SHOWN: usize = 8;
        const LONGEST_SHOWN: usize = 64;
        for (at, id) in self.0.iter().map(AsRef::as_ref).enumerate().take(MOST_SHOWN) {
            let start: String = id.chars().take(LONGEST_SHOWN).collect();
            let cut = if start.len() < id.len() { "…" } else { "" };
            write!(f, "{}{start:?}{cut}", if at == 0 { "" } else { ", " })?;
        }
        match self.0.len().saturating_sub(MOST_SHOWN) {
            0 => Ok(()),
            more => write!(f, ", and {more} more"),
        }
    }
}

/// Reports that keys cannot be fetched any more.
#[cfg(feature = "remote")]
pub(crate) fn keys_not_fetched(error: &FetchError) {
    let from = error.url();
    event!(warn, from, reason = %error.reason(), "keys cannot be fetched");
}

/// The time from one event of an outage to the next.
const PAUSE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "remote")]
    #[test]
    fn ids_are_escaped_and_cut() {
        assert_eq!(Ids::<&str>(&[]).to_string(), "");
        let long = "k".repeat(65);
        let ids = ["a", "b\n\"", &*long];
        let shown = format!("\"a\", \"b\\n\\\"\", \"{}\"…", "k".repeat(64));
        assert_eq!(Ids(&ids).to_string(), shown);
        assert!(Ids(&["x"; 10]).to_string().ends_with("\"x\", and 2 more"));
    }

    #[test]
    fn a_pace_is_one_event_in_ten_seconds_with_a_count() {
        let (pace, at) = (Pace::default(), Duration::from_secs);
        assert_eq!(pace.count(at(0)), Some(0));
        assert_eq!((pace.count(at(1)), pace.count(at(9))), (None, None));
        assert_eq!(pace.count(at(10)), Some(2));
        assert_eq!((pace.count(at(19)), pace.count(at(40))), (None, Some(1)));
        // Of many at once, one is reported.
        let told = std::sync::atomic::AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        told.fetch_add(u64::from(pace.count(at(60)).is_some()), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!((told.into_inner(), pace.count(at(70))), (1, Some(7999)));
    }

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
