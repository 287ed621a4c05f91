//! The metrics of the feature `metrics`: their names, their labels, and that there are few.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use ::metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit, with_local_recorder,
};
use http::{HeaderValue, Request, header};
use serde_json::{Value, json};
use tower::{Layer, Service, service_fn};
use tower_jwt_auth::{
    Algorithm, JwtAuthLayer, RegisteredClaims, RequireLayer, TokenSource,
    observe::{
        DenylistReport, KeyReport, KeysDropped, MetricsObserver, Observer, OldKey, RefreshOutcome,
        RefreshReport, ShadowOutcome, ShadowReport, StreamEnd,
    },
    verifier::ShadowRule,
};

use crate::{
    requests::{bearer, get, token, who},
    support::{NOW, TestKey, b64, builder, claims_with, key},
};

/// Keeps all values, by the names and labels of their metrics.
#[derive(Clone, Default)]
struct Values {
    values: Arc<Mutex<BTreeMap<String, f64>>>,
    described: Arc<Mutex<BTreeSet<String>>>,
}

struct Cell_(Values, String);

impl Values {
    fn handle(&self, key: &Key) -> Arc<Cell_> {
        let labels: Vec<_> =
            key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let name = format!("{}{{{}}}", key.name(), labels.join(","));
        self.values.lock().unwrap().entry(name.clone()).or_default();
        Arc::new(Cell_(self.clone(), name))
    }

    fn get(&self, name: &str) -> Option<f64> {
        self.values.lock().unwrap().get(name).copied()
    }

    fn names(&self) -> BTreeSet<String> {
        self.values.lock().unwrap().keys().cloned().collect()
    }

    fn describe(&self, name: &KeyName) {
        self.described.lock().unwrap().insert(name.as_str().to_owned());
    }
}

impl Cell_ {
    fn change(&self, change: impl FnOnce(f64) -> f64) {
        let mut values = self.0.values.lock().unwrap();
        let value = values.get_mut(&self.1).unwrap();
        *value = change(*value);
    }
}

impl CounterFn for Cell_ {
    fn increment(&self, by: u64) {
        self.change(|value| value + by as f64);
    }

    fn absolute(&self, _: u64) {
        panic!("counters are only incremented");
    }
}

impl GaugeFn for Cell_ {
    fn increment(&self, by: f64) {
        self.change(|value| value + by);
    }

    fn decrement(&self, by: f64) {
        self.change(|value| value - by);
    }

    fn set(&self, to: f64) {
        self.change(|_| to);
    }
}

impl HistogramFn for Cell_ {
    /// Counts the values.
    fn record(&self, value: f64) {
        assert!((0.0..60.0).contains(&value));
        self.change(|count| count + 1.0);
    }
}

impl Recorder for Values {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.describe(&name);
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.describe(&name);
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.describe(&name);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.handle(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.handle(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.handle(key))
    }
}

fn ask(layer: &JwtAuthLayer, request: Request<String>) -> u16 {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut service = layer.layer(RequireLayer::scopes(["read"]).layer(service_fn(who)));
    runtime.block_on(service.call(request)).unwrap().status().as_u16()
}

fn with(value: &str) -> Request<String> {
    get(&[(header::AUTHORIZATION, value)])
}

fn with_cookie(token: &str) -> Request<String> {
    let mut request = get(&[(header::COOKIE, &format!("at={token}"))]);
    request.headers_mut().insert("sec-fetch-site", HeaderValue::from_static("same-origin"));
    request
}

fn layer(observer: &MetricsObserver) -> JwtAuthLayer {
    let verifier = builder::<RegisteredClaims>().observer(observer.clone()).build().unwrap();
    JwtAuthLayer::new(verifier).source(TokenSource::cookie("at").build().unwrap())
}

#[test]
fn requests_are_counted_also_if_the_recorder_comes_later() {
    let (values, observer) = (Values::default(), MetricsObserver::new());
    let early = observer.clone();
    let layer = layer(&observer);
    let weak = key(Algorithm::HS256).token(&claims_with(json!({"scope": "other"})));
    with_local_recorder(&values, || {
        for (value, status) in [
            (bearer("alice"), 200),
            (bearer("alice"), 200),
            ("Bearer x".into(), 401),
            (format!("Bearer {weak}"), 403),
        ] {
            assert_eq!(ask(&layer, with(&value)), status);
        }
        assert_eq!(ask(&layer, get(&[])), 401);
        // A clone counts in the same series, also one that was made before its first use.
        for observer in [&early, &observer] {
            let other = self::layer(observer);
            assert_eq!(ask(&other, with(&bearer("alice"))), 200);
            assert_eq!(ask(&other, with_cookie(&token("alice"))), 200);
            drop(other);
        }
    });
    for (labels, count) in [
        ("outcome=accepted,reason=none,scheme=bearer", 5.0),
        ("outcome=accepted,reason=none,scheme=cookie", 2.0),
        ("outcome=refused,reason=malformed_token,scheme=bearer", 1.0),
        ("outcome=refused,reason=missing_token,scheme=none", 1.0),
        ("outcome=refused,reason=insufficient_scope,scheme=within", 1.0),
    ] {
        let name = format!("jwt_auth_requests_total{{{labels}}}");
        assert_eq!(values.get(&name), Some(count), "{name} {:?}", values.names());
    }
    for (result, count) in [("hit", Some(3.0)), ("miss", Some(5.0)), ("full", None)] {
        let name = format!("jwt_auth_token_cache_total{{result={result}}}");
        assert_eq!(values.get(&name), count, "{name}");
    }
    let bytes = values.get("jwt_auth_token_cache_bytes{}").unwrap();
    assert!(bytes > 1000.0, "{bytes}");
    assert_eq!(values.get("jwt_auth_verify_seconds{}"), None, "it is off");
    with_local_recorder(&values, || drop(layer));
    assert_eq!(values.get("jwt_auth_token_cache_bytes{}"), Some(0.0));
}

#[test]
fn the_time_of_a_verification_is_recorded_on_demand() {
    let (values, observer) = (Values::default(), MetricsObserver::new().with_verify_seconds());
    let layer = layer(&observer);
    with_local_recorder(&values, || {
        for value in [bearer("alice"), bearer("alice"), "Bearer x".into()] {
            ask(&layer, with(&value));
        }
    });
    assert_eq!(values.get("jwt_auth_verify_seconds{}"), Some(3.0));
    let hits = values.get("jwt_auth_token_cache_total{result=hit}");
    assert_eq!(hits, Some(1.0));
}

/// The events that no request causes.
fn tell_all(observer: &MetricsObserver) {
    observer.denylist(&DenylistReport::new(Some(Duration::from_millis(1500)), 7));
    observer.refreshed(&RefreshReport::new(RefreshOutcome::Rotated));
    observer.shadow(&ShadowReport::new(ShadowRule::Audience, ShadowOutcome::Refused));
    observer.stream_ended(&StreamEnd::new("revoked"));
    observer.keys(&KeyReport::new("https://a.example", 2, Some(Duration::from_secs(5))));
    observer.key_is_old(&OldKey::new("https://a.example", "k", Duration::from_secs(5)));
}

#[test]
fn stores_and_rules_are_recorded() {
    let (values, observer) = (Values::default(), MetricsObserver::new());
    with_local_recorder(&values, || tell_all(&observer));
    for (name, value) in [
        ("jwt_auth_denylist_lag_seconds{}", 1.5),
        ("jwt_auth_denylist_entries{}", 7.0),
        ("jwt_auth_refresh_total{result=rotated}", 1.0),
        ("jwt_auth_shadow_total{rule=audience,outcome=refused}", 1.0),
        ("jwt_auth_streams_ended_total{reason=revoked}", 1.0),
    ] {
        assert_eq!(values.get(name), Some(value), "{name}");
    }
    // A list that was never read is as stale as can be, so that an alert sees it.
    with_local_recorder(&values, || observer.denylist(&DenylistReport::new(None, 0)));
    assert_eq!(values.get("jwt_auth_denylist_lag_seconds{}"), Some(f64::INFINITY));
}

#[test]
fn counters_on_which_an_alert_fires_begin_at_0() {
    let (values, observer) = (Values::default(), MetricsObserver::new());
    with_local_recorder(&values, || {
        MetricsObserver::describe();
        observer.keys(&KeyReport::new("i", 1, None));
    });
    let begun: Vec<_> = values.names().into_iter().filter(|name| name.contains("_total")).collect();
    assert_eq!(begun.len(), 6 + 4 + 4, "{begun:?}");
    for name in [
        "jwt_auth_refresh_total{result=reused}",
        "jwt_auth_keys_refresh_total{issuer=i,result=failed}",
        "jwt_auth_key_events_total{issuer=i,event=removed_early}",
    ] {
        assert_eq!(values.get(name), Some(0.0), "{name} {begun:?}");
    }
}

#[test]
fn several_denylists_do_not_hide_each_other() {
    let (values, observer) = (Values::default(), MetricsObserver::new());
    let tell = |list, lag, entries| {
        let mut report = DenylistReport::new(lag, entries);
        report.list = list;
        with_local_recorder(&values, || observer.clone().denylist(&report));
        ["jwt_auth_denylist_lag_seconds{}", "jwt_auth_denylist_entries{}"]
            .map(|name| values.get(name).unwrap())
    };
    let s = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!(tell(1, s(500), 5), [500.0, 5.0]);
    assert_eq!(tell(2, s(0), 1), [500.0, 6.0]);
    assert_eq!(tell(3, None, 0), [f64::INFINITY, 6.0]);
    assert_eq!(tell(3, s(1), 2), [500.0, 8.0]);
    // One that was dropped.
    assert_eq!(tell(1, s(0), 0), [1.0, 3.0]);
}

#[test]
fn several_sets_of_keys_do_not_hide_each_other_and_a_set_that_is_gone_does_not_stay() {
    let (values, observer) = (Values::default(), MetricsObserver::new());
    let now = || {
        ["jwt_auth_keys", "jwt_auth_keys_age_seconds", "jwt_auth_keys_usable"]
            .map(|name| values.get(&format!("{name}{{issuer=i}}")))
    };
    let tell = |set, keys, age: Option<u64>| {
        let mut report = KeyReport::new("i", keys, age.map(Duration::from_secs));
        report.set = set;
        with_local_recorder(&values, || observer.clone().keys(&report));
        now()
    };
    let drop = |set| {
        with_local_recorder(&values, || observer.keys_dropped(&KeysDropped::new("i", set)));
        now()
    };
    assert_eq!(tell(1, 2, Some(600)), [Some(2.0), Some(600.0), Some(1.0)]);
    assert_eq!(tell(2, 0, None), [Some(2.0), Some(600.0), Some(0.0)]);
    assert_eq!(tell(2, 1, Some(5)), [Some(3.0), Some(600.0), Some(1.0)]);
    assert_eq!(drop(1), [Some(1.0), Some(5.0), Some(1.0)]);
    assert!(drop(2).into_iter().all(|value| value.unwrap().is_nan()));
    assert_eq!(tell(3, 1, Some(0)), [Some(1.0), Some(0.0), Some(1.0)]);
}

#[cfg(feature = "remote")]
#[tokio::test]
async fn keys_that_nobody_uses_any_more_have_no_gauges() {
    use crate::{remote::provider::Provider, support::ISSUER};

    let values = Values::default();
    let provider = Provider::new([key(Algorithm::ES256)]);
    let _recording = ::metrics::set_default_local_recorder(&values);
    let keys = provider.remote().observer(MetricsObserver::new()).build().await.unwrap();
    let usable = format!("jwt_auth_keys_usable{{issuer={ISSUER}}}");
    assert_eq!(values.get(&usable), Some(1.0));
    drop(keys);
    assert!(values.get(&usable).unwrap().is_nan());
}

#[cfg(feature = "remote")]
#[tokio::test]
async fn keys_are_recorded_by_issuer() {
    use crate::{remote::provider::Provider, support::ISSUER};

    let values = Values::default();
    let provider = Provider::new([key(Algorithm::ES256)]);
    let _recording = ::metrics::set_default_local_recorder(&values);
    let keys = provider.remote().observer(MetricsObserver::new()).build().await.unwrap();
    keys.refresh().await.unwrap();
    for (name, value) in [
        ("jwt_auth_keys", "", 1.0),
        ("jwt_auth_keys_age_seconds", "", 0.0),
        ("jwt_auth_keys_refresh_total", ",result=renewed", 1.0),
        ("jwt_auth_keys_refresh_total", ",result=unchanged", 1.0),
    ]
    .map(|(name, more, value)| (format!("{name}{{issuer={ISSUER}{more}}}"), value))
    {
        let seen = values.get(&name).unwrap_or_else(|| panic!("{name} {:?}", values.names()));
        assert!((seen - value).abs() < 1.0, "{name} {seen}");
    }
}

#[test]
fn ten_thousand_tokens_of_anybody_make_no_new_series() {
    let (values, observer) = (Values::default(), MetricsObserver::new());
    let layer = layer(&observer);
    let good = key(Algorithm::HS256);
    let forged = TestKey::fresh(Algorithm::HS256);
    // Each number gives another subject, issuer, audience, id, key id or type.
    let request = |number: usize| {
        let text = format!("x{number}");
        let claims = |name: &str| claims_with(json!({name: text}));
        let header = |name: &str| {
            let mut header = good.header();
            header[name] = json!(text);
            good.token_of(header.to_string(), claims("jti").to_string())
        };
        let token = match number % 10 {
            0 => good.token(&claims("sub")),
            1 => good.token(&claims("iss")),
            2 => good.token(&claims("aud")),
            3 => header("kid"),
            4 => header("typ"),
            5 => header("alg"),
            6 => forged.token(&claims("sub")),
            7 => good.token(&claims_with(json!({"exp": NOW - 1000 - number as u64}))),
            8 => b64(&text),
            _ => return Request::get(format!("/{text}?{text}")).body(String::new()).unwrap(),
        };
        let mut request = with(&format!("Bearer {token}"));
        *request.uri_mut() = format!("/{text}").parse().unwrap();
        request
    };
    with_local_recorder(&values, || {
        (0..100).for_each(|number| assert_ne!(ask(&layer, request(number)), 500));
        let before = values.names();
        assert!(before.len() >= 9, "{before:?}");
        (100..10_100).for_each(|number| assert_ne!(ask(&layer, request(number)), 500));
        let new: Vec<_> = values.names().difference(&before).cloned().collect();
        // The cache may be full at some time.
        let full = "jwt_auth_token_cache_total{result=full}";
        assert!(new.iter().all(|name| name == full), "{new:?}");
    });
}

/// The names of all metrics, in order.
fn all_names() -> BTreeSet<String> {
    let values = Values::default();
    with_local_recorder(&values, MetricsObserver::describe);
    values.described.lock().unwrap().clone()
}

#[test]
fn every_metric_that_is_recorded_is_described() {
    let (values, observer) = (Values::default(), MetricsObserver::new().with_verify_seconds());
    let layer = layer(&observer);
    with_local_recorder(&values, || {
        tell_all(&observer);
        ask(&layer, with(&bearer("alice")));
    });
    let all = all_names();
    assert_eq!(all.len(), 14);
    for name in values.names() {
        let name = name.split('{').next().unwrap();
        assert!(all.contains(name), "{name}");
    }
}

/// The words of a text that are names of metrics.
fn named(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_lowercase() || c == '_';
    let words = text.split(|c: char| !is_part(c)).filter(|word| word.starts_with("jwt_auth_"));
    // A histogram has several series.
    let ends = ["_bucket", "_sum", "_count"];
    let base = |word: &str| ends.iter().find_map(|end| word.strip_suffix(end).map(String::from));
    words.map(|word| base(word).unwrap_or_else(|| word.into())).collect()
}

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).unwrap()
}

#[test]
fn the_page_for_operators_names_all_metrics_and_no_other() {
    assert_eq!(named(&document("operations.md")), all_names());
}

#[test]
fn the_dashboard_is_json_and_names_all_metrics_and_no_other() {
    let dashboard: Value = serde_json::from_str(&document("grafana-dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut places = BTreeSet::new();
    let mut found = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        assert!(!title.is_empty());
        let place = &panel["gridPos"];
        let edge = |name: &str| place[name].as_u64().unwrap_or_else(|| panic!("{title}: {name}"));
        assert!(edge("x") + edge("w") <= 24, "{title}");
        assert!(places.insert((edge("y"), edge("x"))), "{title} lies on another");
        assert!(panel["id"].is_u64(), "{title}");
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            assert_eq!(expression.matches('(').count(), expression.matches(')').count());
            found.extend(named(expression));
        }
    }
    assert_eq!(found, all_names());
    assert!(dashboard["uid"].is_string() && dashboard["schemaVersion"].is_u64());
}

#[test]
fn the_alerts_are_on_the_page_and_name_metrics_and_values_that_there_are() {
    let alerts = document("alerts.yml");
    assert!(document("operations.md").contains(&format!("```yaml\n{alerts}```")));
    let tests = document("alerts-test.yml");
    let mut names = BTreeSet::new();
    for alert in alerts.split("- alert: ").skip(1) {
        let (name, rule) = alert.split_once('\n').unwrap();
        assert!(names.insert(name) && rule.contains("expr: "), "{name}");
        assert_eq!(rule.matches('(').count(), rule.matches(')').count(), "{name}");
        assert!(named(rule).is_subset(&all_names()), "{name}");
        assert!(
            tests.contains(&format!("alertname: {name}\n        exp_alerts")),
            "{name} never fires"
        );
    }
    assert_eq!(names.len(), 7);
    // Each value of a label is listed on the page, or it is the name of a kind in the table of errors.
    let known = format!("{}{}", document("operations.md"), document("guides/errors.md"));
    for label in ["reason", "outcome", "result", "event", "scheme"] {
        for part in alerts.split(label).skip(1) {
            let Some(value) = part.trim_start_matches(['=', '~', '!']).strip_prefix('"') else {
                continue;
            };
            for value in value.split('"').next().unwrap().split('|') {
                assert!(known.contains(&format!("`{value}`")), "{label} {value}");
            }
        }
    }
}
