//! The metrics of a service as Prometheus text, without a crate for it: an [`Observer`] that keeps
//! the numbers. A service with metrics of its own takes the feature `metrics` and an exporter; the
//! names and the labels are the same.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    extract::State,
    http::{HeaderName, header},
    routing::get,
};
use tower_jwt_auth::observe::{
    CacheLookup, Decision, EarlyRemoval, KeyFetch, KeyReport, KeyRotation, KeysDropped, Observer,
    OldKey, Outcome, RemovedKeyUse, Scheme, ShadowReport, StreamEnd,
};

/// The numbers; cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Prometheus(Arc<Numbers>);

#[derive(Default)]
struct Numbers {
    // Requests with a token that is known take no lock.
    accepted_bearer: AtomicU64,
    accepted_cookie: AtomicU64,
    hits: AtomicU64,
    /// All others, by metric and labels.
    others: Mutex<BTreeMap<(&'static str, String), f64>>,
}

impl Prometheus {
    /// `GET /metrics`. Serve it at an address that only the monitoring can reach.
    pub(crate) fn router(&self) -> Router {
        async fn metrics(
            State(numbers): State<Prometheus>,
        ) -> ([(HeaderName, &'static str); 1], String) {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], numbers.text())
        }
        Router::new().route("/metrics", get(metrics)).with_state(self.clone())
    }

    fn others(&self) -> MutexGuard<'_, BTreeMap<(&'static str, String), f64>> {
        self.0.others.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(
        &self,
        metric: &'static str,
        labels: &[(&str, &str)],
        change: impl FnOnce(f64) -> f64,
    ) {
        let mut others = self.others();
        let number = others.entry((metric, written(labels))).or_default();
        *number = change(*number);
    }

    fn count(&self, metric: &'static str, labels: &[(&str, &str)]) {
        self.change(metric, labels, |number| number + 1.0);
    }

    fn count_key_event(&self, issuer: &str, event: &str) {
        self.count("jwt_auth_key_events_total", &[("issuer", issuer), ("event", event)]);
    }

    /// The text format of Prometheus, version 0.0.4.
    fn text(&self) -> String {
        let mut all = self.others().clone();
        for (scheme, number) in
            [("bearer", &self.0.accepted_bearer), ("cookie", &self.0.accepted_cookie)]
        {
            let labels = [("outcome", "accepted"), ("reason", "none"), ("scheme", scheme)];
            all.insert((REQUESTS, written(&labels)), as_f64(number));
        }
        all.insert((CACHE, written(&[("result", "hit")])), as_f64(&self.0.hits));
        let (mut text, mut last) = (String::new(), "");
        for ((metric, labels), number) in &all {
            if *metric != last {
                let kind = if metric.ends_with("_total") { "counter" } else { "gauge" };
                // Writing to a string does not fail.
                let help =
                    HELP.iter().find(|(name, _)| name == metric).map_or("", |(_, help)| help);
                let _ = writeln!(text, "# HELP {metric} {help}\n# TYPE {metric} {kind}");
                last = metric;
            }
            let _ = writeln!(text, "{metric}{labels} {number}");
        }
        text
    }
}

impl Observer for Prometheus {
    fn decided(&self, decision: &Decision<'_>) {
        let (outcome, scheme) = (decision.outcome, decision.scheme);
        let accepted = match (outcome, scheme) {
            (Outcome::Accepted, Scheme::Bearer) => &self.0.accepted_bearer,
            (Outcome::Accepted, Scheme::Cookie) => &self.0.accepted_cookie,
            _ => {
                let reason = decision.reason();
                let (outcome, scheme) = (outcome.name(), scheme.name());
                let labels = [("outcome", outcome), ("reason", reason), ("scheme", scheme)];
                return self.count(REQUESTS, &labels);
            }
        };
        accepted.fetch_add(1, Ordering::Relaxed);
    }

    fn token_cache(&self, lookup: CacheLookup) {
        match lookup {
            CacheLookup::Hit => _ = self.0.hits.fetch_add(1, Ordering::Relaxed),
            other => self.count(CACHE, &[("result", other.name())]),
        }
    }

    fn token_cache_resized(&self, former: usize, bytes: usize) {
        // Several verifiers add up.
        self.change("jwt_auth_token_cache_bytes", &[], |all| all - former as f64 + bytes as f64);
    }

    fn keys_fetched(&self, fetch: &KeyFetch<'_>) {
        let labels = [("issuer", fetch.issuer), ("result", fetch.outcome.name())];
        self.count("jwt_auth_keys_refresh_total", &labels);
    }

    fn keys_rotated(&self, rotation: &KeyRotation<'_>) {
        self.count_key_event(rotation.issuer, "rotated");
    }

    fn key_removed_early(&self, key: &EarlyRemoval<'_>) {
        self.count_key_event(key.issuer, "removed_early");
    }

    fn removed_key_used(&self, key: &RemovedKeyUse<'_>) {
        self.count_key_event(key.issuer, "removed_used");
    }

    fn key_is_old(&self, key: &OldKey<'_>) {
        self.count_key_event(key.issuer, "old");
    }

    fn keys(&self, report: &KeyReport<'_>) {
        let labels = [("issuer", report.issuer)];
        self.change("jwt_auth_keys", &labels, |_| report.keys as f64);
        if let Some(age) = report.age {
            self.change("jwt_auth_keys_age_seconds", &labels, |_| age.as_secs_f64());
        }
        self.change("jwt_auth_keys_usable", &labels, |_| if report.usable { 1.0 } else { 0.0 });
        // Begun at 0, so that an alert sees the first one.
        for event in ["rotated", "removed_early", "removed_used", "old"] {
            let labels = [("issuer", report.issuer), ("event", event)];
            self.change("jwt_auth_key_events_total", &labels, |number| number);
        }
    }

    fn keys_dropped(&self, dropped: &KeysDropped<'_>) {
        let labels = written(&[("issuer", dropped.issuer)]);
        let mut others = self.others();
        for metric in ["jwt_auth_keys", "jwt_auth_keys_age_seconds", "jwt_auth_keys_usable"] {
            others.remove(&(metric, labels.clone()));
        }
    }

    fn shadow(&self, report: &ShadowReport) {
        let labels = [("rule", report.rule.name()), ("outcome", report.outcome.name())];
        self.count("jwt_auth_shadow_total", &labels);
    }

    fn stream_ended(&self, end: &StreamEnd) {
        self.count("jwt_auth_streams_ended_total", &[("reason", end.reason)]);
    }
}

/// Labels as the text format has them.
fn written(labels: &[(&str, &str)]) -> String {
    let escaped =
        |value: &str| value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
    let written: Vec<_> =
        labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    if written.is_empty() { String::new() } else { format!("{{{}}}", written.join(",")) }
}

fn as_f64(number: &AtomicU64) -> f64 {
    number.load(Ordering::Relaxed) as f64
}

const HELP: [(&str, &str); 10] = [
    (REQUESTS, "Decisions on requests."),
    (CACHE, "Lookups of tokens that were verified before."),
    ("jwt_auth_token_cache_bytes", "Size of the tokens that are kept."),
    ("jwt_auth_keys_refresh_total", "Fetches of keys that have ended."),
    ("jwt_auth_keys", "Keys of an issuer."),
    ("jwt_auth_keys_age_seconds", "Time since keys were last fetched."),
    ("jwt_auth_keys_usable", "Whether tokens of an issuer can be verified: 1 or 0."),
    ("jwt_auth_key_events_total", "Rotations of keys, and what went wrong with them."),
    ("jwt_auth_shadow_total", "Requests whose token a shadow rule has looked at."),
    ("jwt_auth_streams_ended_total", "Streams that have ended with their token."),
];

const REQUESTS: &str = "jwt_auth_requests_total";
const CACHE: &str = "jwt_auth_token_cache_total";
