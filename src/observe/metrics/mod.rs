//! An observer that counts with the facade `metrics`.

mod series;
mod states;

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use metrics::{Counter, Unit, counter, describe_counter, describe_gauge, describe_histogram};

use self::{
    series::{
        CACHE, CACHE_BYTES, DENYLIST_ENTRIES, DENYLIST_LAG, KEY_EVENTS, KEYS, KEYS_AGE,
        KEYS_REFRESH, KEYS_USABLE, OLD, REFRESH, REMOVED_EARLY, REMOVED_USED, REQUESTS, ROTATED,
        SHADOW, STREAMS, VERIFY, as_f64, key_events, key_refreshes, refreshes,
    },
    states::States,
};
use super::{
    event::{
        CacheLookup, Decision, DenylistReport, EarlyRemoval, KeyFetch, KeyReport, KeyRotation,
        KeysDropped, OldKey, Outcome, RefreshOutcome, RefreshReport, RemovedKeyUse, Scheme,
        ShadowReport, StreamEnd,
    },
    observer::Observer,
};

/// Counts with the facade [`metrics`](https://docs.rs/metrics/0.24), whose recorder the application
/// installs, such as an exporter for Prometheus; cheap to clone.
///
/// | metric | kind | labels |
/// |---|---|---|
/// | `jwt_auth_requests_total` | counter | `outcome`: `accepted`, `anonymous`, `refused`, `unavailable`; `reason`: the [name of the error's kind](crate::ErrorKind::name) or `none`; `scheme`: `bearer`, `dpop`, `cookie`, `none`, `within` |
/// | `jwt_auth_verify_seconds` | histogram, [off by default](Self::with_verify_seconds) | |
/// | `jwt_auth_token_cache_total` | counter | `result`: `hit`, `miss`, `full` |
/// | `jwt_auth_token_cache_bytes` | gauge | |
/// | `jwt_auth_keys_refresh_total` | counter | `issuer`; `result`: `renewed`, `unchanged`, `absent`, `failed` |
/// | `jwt_auth_keys_age_seconds` | gauge | `issuer` |
/// | `jwt_auth_keys` | gauge | `issuer` |
/// | `jwt_auth_keys_usable` | gauge | `issuer` |
/// | `jwt_auth_key_events_total` | counter | `issuer`; `event`: `rotated`, `removed_early`, `removed_used`, `old` |
/// | `jwt_auth_denylist_lag_seconds` | gauge | |
/// | `jwt_auth_denylist_entries` | gauge | |
/// | `jwt_auth_refresh_total` | counter | `result`: `rotated`, `repeated`, `reused`, `expired`, `unknown`, `unavailable` |
/// | `jwt_auth_shadow_total` | counter | `rule`; `outcome`: `accepted`, `refused` |
/// | `jwt_auth_streams_ended_total` | counter | `reason`: `expired`, `revoked`, `unchecked` |
///
/// The methods and types of this module say what each counts. The number of series is bounded:
/// `issuer` is a name of the configuration, the values of the other labels are fixed, and no label comes
/// from a token or a request.
///
/// Several denylists, and several sets of keys of one issuer, share their gauges: entries and keys are
/// added up, and the lag and the age are the largest ones. So give clones of one observer to all
/// verifiers; two observers overwrite the gauges of each other. The facade cannot remove a series: once
/// nobody uses the keys of an issuer, its gauges are `NaN`.
///
/// # Recorder
///
/// Install the recorder before the first request: each observer, and each clone of it, looks up the
/// counters of requests that pass when it uses them for the first time, and then keeps them. Those of
/// shadow rules are kept, too. All others are looked up each time.
///
/// # Example
/// ```
/// use tower_jwt_auth::{Key, Verifier, observe::MetricsObserver};
///
/// // Here, install a recorder, such as that of `metrics-exporter-prometheus`.
/// MetricsObserver::describe();
/// let verifier = Verifier::builder()
///     .issuer("https://login.example.com")
///     .audience("https://api.example.com")
///     .keys(Key::hs256([7; 32]))
///     .observer(MetricsObserver::new())
///     .build()?;
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone, Default)]
pub struct MetricsObserver {
    kept: KeptCounters,
    states: Arc<States>,
    times_verification: bool,
}

/// The counters of requests with a token that is known. Each is kept from its first use on.
#[derive(Clone, Default)]
struct KeptCounters {
    accepted_bearer: OnceLock<Counter>,
    accepted_cookie: OnceLock<Counter>,
    hits: OnceLock<Counter>,
}

impl MetricsObserver {
    /// An observer that records all metrics but `jwt_auth_verify_seconds`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Records `jwt_auth_verify_seconds` too, which takes two readings of a clock for each request.
    #[must_use]
    pub fn with_verify_seconds(mut self) -> Self {
        self.times_verification = true;
        self
    }

    /// Tells the recorder what each metric means, and its unit, and begins the counters of refresh
    /// tokens at 0: an alert on the first token that is used again needs the value before it. Call it
    /// once, when the recorder is installed.
    pub fn describe() {
        describe_counter!(REQUESTS, "Decisions on requests");
        describe_histogram!(VERIFY, Unit::Seconds, "How long the verification of a token took");
        describe_counter!(CACHE, "Lookups of tokens that were verified before");
        describe_gauge!(CACHE_BYTES, Unit::Bytes, "Size of the tokens that are kept");
        describe_counter!(KEYS_REFRESH, "Fetches of keys that have ended");
        describe_gauge!(KEYS_AGE, Unit::Seconds, "Time since keys were last fetched");
        describe_gauge!(KEYS, "Keys of an issuer");
        describe_gauge!(KEYS_USABLE, "Whether tokens of an issuer can be verified: 1 or 0");
        describe_counter!(KEY_EVENTS, "Rotations of keys, and what went wrong with them");
        describe_gauge!(
            DENYLIST_LAG,
            Unit::Seconds,
            "Time since the store of the denylist last told all changes"
        );
        describe_gauge!(DENYLIST_ENTRIES, "Revocations in this process");
        describe_counter!(REFRESH, "Refresh tokens that were presented");
        describe_counter!(SHADOW, "Requests whose token a shadow rule has looked at");
        describe_counter!(STREAMS, "Streams that have ended with their token");
        RefreshOutcome::ALL.into_iter().for_each(|outcome| refreshes(outcome).increment(0));
    }
}

impl Observer for MetricsObserver {
    fn decided(&self, decision: &Decision<'_>) {
        match self.kept.of(decision).and_then(OnceLock::get) {
            Some(counter) => counter.increment(1),
            None => self.kept.count_by_name(decision),
        }
    }

    fn times_verification(&self) -> bool {
        self.times_verification
    }

    fn verified(&self, took: Duration) {
        metrics::histogram!(VERIFY).record(took);
    }

    fn token_cache(&self, lookup: CacheLookup) {
        match self.kept.hits.get() {
            Some(hits) if lookup == CacheLookup::Hit => hits.increment(1),
            _ => self.kept.count_lookup_by_name(lookup),
        }
    }

    fn token_cache_resized(&self, former: usize, bytes: usize) {
        let gauge = metrics::gauge!(CACHE_BYTES);
        // Several verifiers add up.
        if bytes > former {
            gauge.increment(as_f64(bytes - former));
        } else {
            gauge.decrement(as_f64(former - bytes));
        }
    }

    fn keys_fetched(&self, fetch: &KeyFetch<'_>) {
        key_refreshes(fetch.issuer, fetch.outcome).increment(1);
    }

    fn keys(&self, report: &KeyReport<'_>) {
        self.states.keys(report);
    }

    fn keys_dropped(&self, dropped: &KeysDropped<'_>) {
        self.states.keys_dropped(dropped);
    }

    fn keys_rotated(&self, rotation: &KeyRotation<'_>) {
        key_events(rotation.issuer, ROTATED).increment(1);
    }

    fn key_removed_early(&self, key: &EarlyRemoval<'_>) {
        key_events(key.issuer, REMOVED_EARLY).increment(1);
    }

    fn removed_key_used(&self, key: &RemovedKeyUse<'_>) {
        key_events(key.issuer, REMOVED_USED).increment(1);
    }

    fn key_is_old(&self, key: &OldKey<'_>) {
        key_events(key.issuer, OLD).increment(1);
    }

    fn denylist(&self, report: &DenylistReport) {
        self.states.denylist(report);
    }

    fn refreshed(&self, report: &RefreshReport) {
        refreshes(report.outcome).increment(1);
    }

    fn shadow(&self, report: &ShadowReport) {
        self.states.shadow(report);
    }

    fn stream_ended(&self, end: &StreamEnd) {
        counter!(STREAMS, "reason" => end.reason).increment(1);
    }
}

impl KeptCounters {
    /// The place of the counter of such a decision, if it is kept.
    #[inline]
    fn of(&self, decision: &Decision<'_>) -> Option<&OnceLock<Counter>> {
        match (decision.outcome, decision.scheme) {
            (Outcome::Accepted, Scheme::Bearer) => Some(&self.accepted_bearer),
            (Outcome::Accepted, Scheme::Cookie) => Some(&self.accepted_cookie),
            _ => None,
        }
    }

    /// Counts a decision whose counter was not kept so far.
    #[cold]
    fn count_by_name(&self, decision: &Decision<'_>) {
        let (outcome, scheme) = (decision.outcome.name(), decision.scheme.name());
        let reason = decision.reason();
        let find =
            || counter!(REQUESTS, "outcome" => outcome, "reason" => reason, "scheme" => scheme);
        match self.of(decision) {
            Some(kept) => kept.get_or_init(find).increment(1),
            None => find().increment(1),
        }
    }

    /// Counts a lookup whose counter was not kept so far.
    #[cold]
    fn count_lookup_by_name(&self, lookup: CacheLookup) {
        let find = || counter!(CACHE, "result" => lookup.name());
        match lookup {
            CacheLookup::Hit => self.hits.get_or_init(find).increment(1),
            CacheLookup::Miss | CacheLookup::Full => find().increment(1),
        }
    }
}

impl fmt::Debug for MetricsObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsObserver")
            .field("times_verification", &self.times_verification)
            .finish_non_exhaustive()
    }
}
