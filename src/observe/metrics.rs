//! An observer that counts with the facade `metrics`.

use std::{fmt, sync::OnceLock, time::Duration};

use metrics::{Counter, Unit, counter, describe_counter, describe_gauge, describe_histogram};

use super::{
    event::{
        CacheLookup, Decision, DenylistReport, KeyFetch, KeyReport, Outcome, RefreshOutcome,
        Scheme, ShadowOutcome,
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
/// | `jwt_auth_denylist_lag_seconds` | gauge | |
/// | `jwt_auth_denylist_entries` | gauge | |
/// | `jwt_auth_refresh_total` | counter | `result`: `rotated`, `repeated`, `reused`, `expired`, `unknown`, `unavailable` |
/// | `jwt_auth_shadow_total` | counter | `rule`; `outcome`: `accepted`, `refused` |
///
/// The methods and types of this module say what each counts. The number of series is bounded:
/// `issuer` and `rule` are names of the configuration, and no label comes from a token or a request.
///
/// # Recorder
///
/// Install the recorder before the first request: each observer, and each clone of it, looks up the
/// counters of requests that pass when it uses them for the first time, and then keeps them. All others
/// are looked up each time.
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

    /// Tells the recorder what each metric means, and its unit. Call it once, when the recorder is
    /// installed.
    pub fn describe() {
        describe_counter!(REQUESTS, "Decisions on requests");
        describe_histogram!(VERIFY, Unit::Seconds, "How long the verification of a token took");
        describe_counter!(CACHE, "Lookups of tokens that were verified before");
        describe_gauge!(CACHE_BYTES, Unit::Bytes, "Size of the tokens that are kept");
        describe_counter!(KEYS_REFRESH, "Fetches of keys that have ended");
        describe_gauge!(KEYS_AGE, Unit::Seconds, "Time since keys were last fetched");
        describe_gauge!(KEYS, "Keys of an issuer");
        describe_gauge!(
            DENYLIST_LAG,
            Unit::Seconds,
            "Time since the store of the denylist last told all changes"
        );
        describe_gauge!(DENYLIST_ENTRIES, "Revocations in this process");
        describe_counter!(REFRESH, "Refresh tokens that were presented");
        describe_counter!(SHADOW, "Tokens that a rule in the shadow has looked at");
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
        let issuer = fetch.issuer.to_owned();
        counter!(KEYS_REFRESH, "issuer" => issuer, "result" => fetch.outcome.name()).increment(1);
    }

    fn keys(&self, report: &KeyReport<'_>) {
        let issuer = report.issuer.to_owned();
        metrics::gauge!(KEYS, "issuer" => issuer.clone()).set(as_f64(report.keys));
        if let Some(age) = report.age {
            metrics::gauge!(KEYS_AGE, "issuer" => issuer).set(age);
        }
    }

    fn denylist(&self, report: &DenylistReport) {
        metrics::gauge!(DENYLIST_ENTRIES).set(as_f64(report.entries));
        // A list that was never read is as old as can be.
        let lag = report.lag.map_or(f64::INFINITY, |lag| lag.as_secs_f64());
        metrics::gauge!(DENYLIST_LAG).set(lag);
    }

    fn refreshed(&self, outcome: RefreshOutcome) {
        counter!(REFRESH, "result" => outcome.name()).increment(1);
    }

    fn shadow(&self, rule: &str, outcome: ShadowOutcome) {
        counter!(SHADOW, "rule" => rule.to_owned(), "outcome" => outcome.name()).increment(1);
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

#[allow(clippy::cast_precision_loss, reason = "a gauge needs no more")]
fn as_f64(number: usize) -> f64 {
    number as f64
}

impl fmt::Debug for MetricsObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsObserver")
            .field("times_verification", &self.times_verification)
            .finish_non_exhaustive()
    }
}

const REQUESTS: &str = "jwt_auth_requests_total";
const VERIFY: &str = "jwt_auth_verify_seconds";
const CACHE: &str = "jwt_auth_token_cache_total";
const CACHE_BYTES: &str = "jwt_auth_token_cache_bytes";
const KEYS_REFRESH: &str = "jwt_auth_keys_refresh_total";
const KEYS_AGE: &str = "jwt_auth_keys_age_seconds";
const KEYS: &str = "jwt_auth_keys";
const DENYLIST_LAG: &str = "jwt_auth_denylist_lag_seconds";
const DENYLIST_ENTRIES: &str = "jwt_auth_denylist_entries";
const REFRESH: &str = "jwt_auth_refresh_total";
const SHADOW: &str = "jwt_auth_shadow_total";
