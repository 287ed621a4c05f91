//! What observers are told, and that it is told once.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Request, Response, header};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    Algorithm, Claims, Error, JwtAuthLayer, RegisteredClaims, RequireLayer, TokenSource, Verifier,
    keys::by_id::KeysById,
    observe::{
        CacheLookup, Decision, DenylistReport, EarlyRemoval, FetchOutcome, KeyFetch, KeyReport,
        KeyRotation, KeysDropped, Observer, OldKey, Outcome, RefreshOutcome, RefreshReport,
        RemovedKeyUse, Scheme, ShadowOutcome, ShadowReport, StreamEnd,
    },
    response::Rejection,
    revocation::{Denylist, MemoryDenylist, Revocation},
    verifier::{Cache, Issuers, RuleError, ShadowRule},
};

use crate::{
    requests::{bearer, get, token, who},
    support::{AUDIENCE, FixedClock, ISSUER, NOW, builder, claims_with, key, trusting},
};

/// Writes down what it is told.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    fn note(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    /// The notes that begin with this since the last call.
    pub(crate) fn take(&self, begin: &str) -> Vec<String> {
        let mut notes = self.0.lock().unwrap();
        let (taken, left) = notes.drain(..).partition(|note| note.starts_with(begin));
        *notes = left;
        taken
    }
}

impl Observer for Notes {
    fn decided(&self, decision: &Decision<'_>) {
        let (outcome, scheme) = (decision.outcome.name(), decision.scheme.name());
        self.note(format!("decided {outcome} {} {scheme}", decision.reason()));
    }

    fn times_verification(&self) -> bool {
        true
    }

    fn verified(&self, took: Duration) {
        assert!(took < Duration::from_secs(60));
        self.note("verified".into());
    }

    fn token_cache(&self, lookup: CacheLookup) {
        self.note(format!("cache {}", lookup.name()));
    }

    fn token_cache_resized(&self, former: usize, bytes: usize) {
        self.note(format!("bytes {former} {bytes}"));
    }

    fn keys_fetched(&self, fetch: &KeyFetch<'_>) {
        self.note(format!("fetched {} {}", fetch.issuer, fetch.outcome.name()));
    }

    fn keys(&self, report: &KeyReport<'_>) {
        let age = report.age.map(|age| age.as_secs());
        let unusable = if report.usable { "" } else { " unusable" };
        self.note(format!("keys {} {} {age:?}{unusable}", report.issuer, report.keys));
    }

    fn keys_dropped(&self, dropped: &KeysDropped<'_>) {
        self.note(format!("dropped {}", dropped.issuer));
    }

    fn keys_rotated(&self, rotation: &KeyRotation<'_>) {
        let KeyRotation { issuer, added, removed, .. } = rotation;
        self.note(format!("rotated {issuer} {added:?} {removed:?}"));
    }

    fn key_removed_early(&self, key: &EarlyRemoval<'_>) {
        self.note(format!("early {} {} {}", key.issuer, key.id, key.left.as_secs()));
    }

    fn removed_key_used(&self, key: &RemovedKeyUse<'_>) {
        self.note(format!("used {} {}", key.issuer, key.id));
    }

    fn key_is_old(&self, key: &OldKey<'_>) {
        self.note(format!("old {} {} {}", key.issuer, key.id, key.age.as_secs()));
    }

    fn denylist(&self, report: &DenylistReport) {
        self.note(format!("denylist {:?} {}", report.lag, report.entries));
    }

    fn refreshed(&self, report: &RefreshReport) {
        self.note(format!("refreshed {}", report.outcome));
    }

    fn shadow(&self, report: &ShadowReport) {
        self.note(format!("shadow {} {}", report.rule, report.outcome));
    }

    fn stream_ended(&self, end: &StreamEnd) {
        self.note(format!("stream {}", end.reason));
    }
}

fn observed() -> (JwtAuthLayer, Notes) {
    let notes = Notes::default();
    let verifier =
        builder::<RegisteredClaims>().observer(notes.clone()).rule(|user| match user.subject() {
            Some("broken") => Err(RuleError::fail("it is broken")),
            _ => Ok(()),
        });
    let cookie = TokenSource::cookie("at").build().unwrap();
    let layer = JwtAuthLayer::new(verifier.build().unwrap()).source(cookie);
    (layer.source(TokenSource::query()), notes)
}

async fn ask(layer: JwtAuthLayer, request: Request<String>) -> u16 {
    layer.layer(service_fn(who)).oneshot(request).await.unwrap().status().as_u16()
}

fn cookie(text: &str) -> Request<String> {
    let cookie = format!("at={text}");
    let mut request = get(&[(header::COOKIE, &*cookie)]);
    request.headers_mut().insert("sec-fetch-site", "same-origin".parse().unwrap());
    request
}

#[tokio::test]
async fn each_decision_is_told_once() {
    let alice = bearer("alice");
    let with = |value: &str| get::<String>(&[(header::AUTHORIZATION, value)]);
    let expired = key(Algorithm::HS256).token(&claims_with(json!({"exp": NOW - 1000})));
    let query = Request::get(format!("/?access_token={}", token("alice")));
    for (request, mode, status, told) in [
        (with(&alice), "", 200, "accepted none bearer"),
        (cookie(&token("alice")), "", 200, "accepted none cookie"),
        (query.body(String::new()).unwrap(), "", 200, "accepted none bearer"),
        (get(&[]), "", 401, "refused missing_token none"),
        (with("Bearer x"), "", 401, "refused malformed_token bearer"),
        (with(&format!("Bearer {expired}")), "", 401, "refused expired bearer"),
        (with("Bearer"), "", 400, "refused invalid_request bearer"),
        (cookie("x"), "", 401, "refused malformed_token cookie"),
        (with(&bearer("broken")), "", 500, "unavailable failed bearer"),
        (get(&[]), "optional", 200, "anonymous missing_token none"),
        (cookie("x"), "optional", 200, "anonymous malformed_token cookie"),
        (with("Bearer x"), "pass_through", 200, "anonymous malformed_token bearer"),
        (with(&bearer("broken")), "pass_through", 200, "anonymous failed bearer"),
    ] {
        let (layer, notes) = observed();
        let layer = match mode {
            "optional" => layer.optional(),
            "pass_through" => layer.pass_through(),
            _ => layer,
        };
        assert_eq!(ask(layer, request).await, status, "{told}");
        assert_eq!(notes.take("decided"), [format!("decided {told}")]);
    }
}

#[tokio::test]
async fn a_preflight_is_told_as_a_request_without_a_token() {
    let preflight = || {
        Request::options("/")
            .header("origin", "https://a.example")
            .header("access-control-request-method", "PUT")
            .body(String::new())
            .unwrap()
    };
    let (layer, notes) = observed();
    assert_eq!(ask(layer.clone().allow_preflight(), preflight()).await, 200);
    assert_eq!(notes.take("decided"), ["decided anonymous missing_token none"]);
    assert_eq!(ask(layer, preflight()).await, 401);
    assert_eq!(notes.take("decided"), ["decided refused preflight none"]);
}

#[tokio::test]
async fn a_refusal_further_in_is_told_once_by_the_innermost_layer() {
    let accepted = "decided accepted none bearer";
    let within = "decided refused insufficient_scope within";
    let (inner, inner_notes) = observed();
    let (outer, outer_notes) = observed();
    let admin = inner.clone().layer(RequireLayer::scopes(["admin"]).layer(service_fn(who)));
    let request = || get::<String>(&[(header::AUTHORIZATION, &bearer("alice"))]);
    assert_eq!(admin.clone().oneshot(request()).await.unwrap().status(), 403);
    assert_eq!(inner_notes.take("decided"), [accepted, within]);
    // The one around it has decided, too, and does not tell of the refusal again.
    let nested = outer.clone().layer(admin);
    assert_eq!(nested.clone().oneshot(request()).await.unwrap().status(), 403);
    assert_eq!(inner_notes.take("decided"), [accepted, within]);
    assert_eq!(outer_notes.take("decided"), [accepted]);
    // The layer inside refuses by itself.
    let inner = JwtAuthLayer::new(
        builder::<RegisteredClaims>().observer(inner_notes.clone()).build().unwrap(),
    );
    let inner = inner.sources([TokenSource::header("x-inner".parse().unwrap())]);
    let nested = outer.layer(inner.layer(service_fn(who)));
    assert_eq!(nested.oneshot(request()).await.unwrap().status(), 401);
    assert_eq!(inner_notes.take("decided"), ["decided refused missing_token none"]);
    assert_eq!(outer_notes.take("decided"), [accepted]);
}

#[tokio::test]
async fn a_refusal_by_hand_and_of_a_guest_are_told_also_beside_another_change() {
    let by_hand = service_fn(async |_: Request<String>| {
        let rejection = Rejection::from(Error::forbidden("not yours"));
        let mut response: Response<String> = Response::new(String::new());
        *response.status_mut() = rejection.status();
        response.extensions_mut().insert(rejection.error().clone());
        Ok::<_, std::convert::Infallible>(response)
    });
    let within = "decided refused forbidden within";
    // A token in the query makes the answer private, and a cookie that is bad is removed.
    let query = Request::get(format!("/?access_token={}", token("alice")));
    let (layer, notes) = observed();
    let response = layer.clone().layer(by_hand).oneshot(query.body(String::new()).unwrap()).await;
    assert_eq!(response.unwrap().headers()["cache-control"], "private");
    assert_eq!(notes.take("decided"), ["decided accepted none bearer", within]);
    let response = layer.optional().layer(by_hand).oneshot(cookie("x")).await.unwrap();
    assert!(response.headers().contains_key("set-cookie"));
    assert_eq!(notes.take("decided"), ["decided anonymous malformed_token cookie", within]);
}

#[tokio::test]
async fn a_refusal_in_a_layer_with_a_realm_is_told_as_well() {
    let by_hand = service_fn(async |_: Request<String>| {
        let rejection = Rejection::from(Error::forbidden("not yours"));
        let mut response = rejection.to_response(String::new());
        response.extensions_mut().insert(rejection.error().clone());
        Ok::<_, std::convert::Infallible>(response)
    });
    let within = "decided refused forbidden within";
    let request = || get(&[(header::AUTHORIZATION, &bearer("alice"))]);
    let (layer, notes) = observed();
    let (outer, outer_notes) = observed();
    let inner = layer.realm("inner").layer(by_hand);
    assert_eq!(inner.clone().oneshot(request()).await.unwrap().status(), 403);
    assert_eq!(notes.take("decided"), ["decided accepted none bearer", within]);
    let response = outer.realm("outer").layer(inner).oneshot(request()).await.unwrap();
    assert_eq!(response.status(), 403);
    assert_eq!(notes.take("decided"), ["decided accepted none bearer", within]);
    assert_eq!(outer_notes.take("decided"), ["decided accepted none bearer"]);
}

#[tokio::test]
async fn a_layer_without_observers_leaves_a_refusal_within_to_the_one_around() {
    let (outer, notes) = observed();
    let silent = || JwtAuthLayer::new(builder::<RegisteredClaims>().build().unwrap());
    for inner in [silent(), silent().realm("inner")] {
        let admin = inner.layer(RequireLayer::scopes(["admin"]).layer(service_fn(who)));
        let request = get::<String>(&[(header::AUTHORIZATION, &bearer("alice"))]);
        let response = outer.clone().layer(admin).oneshot(request).await.unwrap();
        assert_eq!(response.status(), 403);
        let told = ["decided accepted none bearer", "decided refused insufficient_scope within"];
        assert_eq!(notes.take("decided"), told);
    }
}

#[tokio::test]
async fn a_refusal_of_a_preflight_within_is_told() {
    let (layer, notes) = observed();
    let preflight = Request::options("/")
        .header("origin", "https://a.example")
        .header("access-control-request-method", "PUT")
        .body(String::new());
    let within = RequireLayer::scopes(["admin"]).layer(service_fn(who));
    let service = layer.allow_preflight().layer(within);
    assert_eq!(service.oneshot(preflight.unwrap()).await.unwrap().status(), 401);
    let told = ["decided anonymous missing_token none", "decided refused missing_token within"];
    assert_eq!(notes.take("decided"), told);
}

#[tokio::test]
async fn a_verification_that_waits_is_told_when_it_has_ended() {
    let notes = Notes::default();
    let waits = builder().observer(notes.clone()).async_rule(|_: Claims| async {
        tokio::task::yield_now().await;
        Ok(())
    });
    let verifier: Verifier = waits.build().unwrap();
    let token = token("alice");
    let verification = verifier.verify(&token);
    assert!(notes.take("verified").is_empty());
    verification.await.unwrap();
    assert_eq!(notes.take("verified"), ["verified"]);
    let layer = JwtAuthLayer::new(verifier);
    let request = get(&[(header::AUTHORIZATION, &bearer("alice"))]);
    assert_eq!(ask(layer, request).await, 200);
    assert_eq!(notes.take("decided"), ["decided accepted none bearer"]);
}

#[cfg(feature = "test-util")]
#[test]
fn a_token_is_found_only_if_its_keys_are_still_trusted() {
    let notes = Notes::default();
    let issuer = tower_jwt_auth::testing::TestIssuer::new();
    let verifier = issuer.verifier_builder().observer(notes.clone()).build().unwrap();
    let token = issuer.token().sign();
    let verify = || verifier.verify(&token).now_or_never().unwrap();
    verify().unwrap();
    verify().unwrap();
    assert_eq!(notes.take("cache"), ["cache miss", "cache hit"]);
    issuer.rotate();
    verify().unwrap();
    assert_eq!(notes.take("cache"), ["cache miss"], "it was verified again");
    issuer.withdraw_old();
    verify().unwrap_err();
    assert_eq!(notes.take("cache"), ["cache miss"]);
}

#[test]
fn lookups_in_the_cache_are_told_and_its_size() {
    let notes = Notes::default();
    let verifier: Verifier = builder().observer(notes.clone()).build().unwrap();
    let verify = |verifier: &Verifier, token: &str| verifier.verify(token).now_or_never().unwrap();
    let token = token("alice");
    for _ in 0..3 {
        verify(&verifier, &token).unwrap();
    }
    verify(&verifier, "x").unwrap_err();
    assert_eq!(notes.take("cache"), ["cache miss", "cache hit", "cache hit", "cache miss"]);
    assert_eq!(notes.take("verified").len(), 4);
    let bytes = notes.take("bytes");
    assert_eq!(bytes.len(), 1);
    let size = bytes[0].strip_prefix("bytes 0 ").unwrap().to_owned();
    assert!(size.parse::<usize>().unwrap() > token.len());
    drop(verifier);
    assert_eq!(notes.take("bytes"), [format!("bytes {size} 0")]);

    // A token that is larger than a quarter of the room is not kept.
    let small = builder().observer(notes.clone()).cache(Cache::of_bytes(1 << 18));
    let small: Verifier = small.max_token_len(65536).build().unwrap();
    let large = claims_with(json!({"large": "x".repeat(40_000)}));
    verify(&small, &key(Algorithm::HS256).token(&large)).unwrap();
    assert_eq!(notes.take("cache"), ["cache miss", "cache full"]);
    // Without a cache, there is no lookup.
    let off: Verifier = builder().observer(notes.clone()).cache(Cache::off()).build().unwrap();
    verify(&off, &token).unwrap();
    assert!(notes.take("cache").is_empty());
}

#[test]
fn several_observers_are_all_told() {
    let [one, other, third] = [(); 3].map(|()| Notes::default());
    let boxed: Box<dyn Observer> = Box::new(third.clone());
    let verifier =
        builder().observer(one.clone()).observer(Arc::new(other.clone())).observer(boxed);
    let verifier: Verifier = verifier.build().unwrap();
    verifier.verify(&token("alice")).now_or_never().unwrap().unwrap();
    for notes in [one, other, third] {
        assert_eq!(notes.take("cache"), ["cache miss"]);
        assert_eq!(notes.take("verified"), ["verified"]);
    }
}

#[tokio::test]
async fn a_denylist_tells_the_first_observer_how_long_it_is() {
    let (first, second) = (Notes::default(), Notes::default());
    let denylist = MemoryDenylist::builder().clock(FixedClock::default()).build().unwrap();
    for notes in [&first, &second] {
        let verifier = builder::<RegisteredClaims>().without_token_id().observer(notes.clone());
        verifier.denylist(denylist.clone()).build().unwrap();
    }
    let until = i64::try_from(NOW + 60).unwrap();
    for id in ["a", "b", "a"] {
        denylist.revoke(Revocation::token(ISSUER, id, until)).await.unwrap();
    }
    let told = |entries: usize| format!("denylist Some(0ns) {entries}");
    assert_eq!(first.take("denylist"), [told(0), told(1), told(2), told(2)]);
    assert!(second.take("denylist").is_empty());
}

#[tokio::test]
async fn several_issuers_have_the_observers_of_their_table() {
    let notes = Notes::default();
    let issuers = Issuers::<RegisteredClaims>::builder().observer(notes.clone()).build().unwrap();
    issuers.add(builder().build().unwrap()).unwrap();
    let layer = JwtAuthLayer::new(issuers.verifier());
    let request = || get(&[(header::AUTHORIZATION, &bearer("alice"))]);
    for _ in 0..2 {
        assert_eq!(ask(layer.clone(), request()).await, 200);
    }
    assert_eq!(notes.take("decided"), ["decided accepted none bearer"; 2]);
    assert_eq!(notes.take("cache"), ["cache miss", "cache hit"]);
    let alone = JwtAuthLayer::new(issuers.get(ISSUER).unwrap());
    assert_eq!(ask(alone, request()).await, 200);
    assert_eq!(notes.take("decided").len(), 1);
}

#[tokio::test]
async fn lookups_of_keys_are_told_under_the_issuer_or_its_pattern() {
    let signer = key(Algorithm::ES256);
    let keys = |issuer: &str| {
        let public = signer.key();
        let keys = KeysById::builder(move |id: String| {
            let found = (id == "ES256").then(|| public.clone());
            async move {
                match id.as_str() {
                    "down" => Err("it is down"),
                    _ => Ok(found),
                }
            }
        });
        keys.issuer(issuer).build().unwrap()
    };
    let with_kid = |issuer: &str, kid: &str| {
        let mut header = signer.header();
        header["kid"] = json!(kid);
        signer.token_of(header.to_string(), claims_with(json!({"iss": issuer})).to_string())
    };
    let notes = Notes::default();
    let verifier: Verifier = trusting(keys(ISSUER)).observer(notes.clone()).build().unwrap();
    for kid in ["ES256", "other", "down"] {
        let _ = verifier.verify(&with_kid(ISSUER, kid)).await;
    }
    let told = |outcome: &str| format!("fetched {ISSUER} {outcome}");
    assert_eq!(notes.take("fetched"), [told("renewed"), told("absent"), told("failed")]);

    // Issuers that are resolved are told under one name.
    let resolve = move |issuer: String| {
        let verifier = Verifier::builder()
            .issuer(issuer.clone())
            .audience(AUDIENCE)
            .clock(FixedClock::default())
            .keys(keys(&issuer));
        async move { verifier.build().map(Some) }
    };
    let pattern = "https://login.example.com/{tenant}";
    let issuers = Issuers::builder().resolve([pattern], resolve).observer(notes.clone());
    let issuers = issuers.clock(FixedClock::default());
    let verifier = issuers.build().unwrap().verifier();
    for tenant in ["a", "b"] {
        let issuer = format!("https://login.example.com/{tenant}");
        verifier.verify(&with_kid(&issuer, "ES256")).await.unwrap();
    }
    assert_eq!(
        notes.take("fetched"),
        [format!("fetched {pattern} renewed"), format!("fetched {pattern} renewed")]
    );
}

#[cfg(feature = "issue")]
#[tokio::test]
async fn each_refresh_is_told() {
    use tower_jwt_auth::refresh::{Login, MemoryRefreshStore, RefreshTokens};

    let (notes, clock) = (Notes::default(), FixedClock::default());
    let store = MemoryRefreshStore::new();
    let refresh = RefreshTokens::builder(store).clock(clock.clone()).observer(notes.clone());
    let refresh = refresh.build().unwrap();
    let opened = refresh.open(Login::new("alice")).await.unwrap();
    let next = refresh.rotate(opened.token().as_str()).await.unwrap();
    refresh.rotate(opened.token().as_str()).await.unwrap();
    refresh.rotate(next.token().as_str()).await.unwrap();
    refresh.rotate(opened.token().as_str()).await.unwrap_err();
    refresh.rotate("x").await.unwrap_err();
    let told = ["rotated", "repeated", "rotated", "reused", "unknown"];
    assert_eq!(notes.take("refreshed"), told.map(|outcome| format!("refreshed {outcome}")));
}

#[cfg(feature = "issue")]
#[tokio::test]
async fn sessions_hand_their_observer_to_all_their_parts() {
    use tower_jwt_auth::{refresh::Login, sessions::Sessions};

    let (notes, clock) = (Notes::default(), FixedClock::default());
    let issuer = crate::sessions::issuer(&clock).build().unwrap();
    let sessions = Sessions::builder(issuer).observer(notes.clone()).build().unwrap();
    let opened = sessions.open(Login::new("alice")).await.unwrap();
    let next = sessions.refresh(opened.refresh()).await.unwrap();
    assert_eq!(notes.take("refreshed"), ["refreshed rotated"]);
    let bearer = format!("Bearer {}", next.access().as_str());
    let request = || get(&[(header::AUTHORIZATION, &*bearer)]);
    let layer = sessions.layer().unwrap();
    assert_eq!(ask(layer.clone(), request()).await, 200);
    notes.take("denylist");
    sessions.end(next.session().id()).await.unwrap();
    assert_eq!(notes.take("denylist"), ["denylist Some(0ns) 1"]);
    assert_eq!(ask(layer, request()).await, 401);
    assert_eq!(
        notes.take("decided"),
        ["decided accepted none bearer", "decided refused revoked bearer"]
    );
}

/// Panics at each of these events, in the way of a bad observer.
#[derive(Clone, Copy)]
struct Panics;

impl Observer for Panics {
    fn token_cache_resized(&self, _: usize, bytes: usize) {
        assert!(bytes > 0, "an observer has panicked");
    }

    fn keys_fetched(&self, _: &KeyFetch<'_>) {
        panic!("an observer has panicked");
    }

    fn keys(&self, _: &KeyReport<'_>) {
        panic!("an observer has panicked");
    }

    fn keys_dropped(&self, _: &KeysDropped<'_>) {
        panic!("an observer has panicked");
    }

    fn denylist(&self, _: &DenylistReport) {
        panic!("an observer has panicked");
    }

    fn shadow(&self, _: &ShadowReport) {
        panic!("an observer has panicked");
    }

    fn stream_ended(&self, _: &StreamEnd) {
        panic!("an observer has panicked");
    }
}

#[tokio::test]
async fn an_observer_that_panics_neither_ends_the_process_nor_changes_a_decision() {
    let signer = key(Algorithm::ES256);
    let public = signer.key();
    let keys = KeysById::builder(move |id: String| {
        assert!(id != "panics", "the function has panicked");
        let found = (id == "ES256").then(|| public.clone());
        async move { Ok::<_, &str>(found) }
    });
    let list = MemoryDenylist::builder().clock(FixedClock::default()).build().unwrap();
    let verifier: Verifier = trusting(keys.issuer(ISSUER).build().unwrap())
        .denylist(list.clone())
        .shadow(|rules| rules.client_id("app"))
        .observer(Panics)
        .build()
        .unwrap();
    let with_kid = |kid: &str, claims: serde_json::Value| {
        let mut header = signer.header();
        header["kid"] = json!(kid);
        signer.token_of(header.to_string(), claims_with(claims).to_string())
    };
    let kind = |token: String| {
        let verification = verifier.verify(&token);
        async move { verification.await.map(drop).map_err(|error| error.kind().name()) }
    };
    assert_eq!(kind(with_kid("ES256", json!({"jti": "1"}))).await, Ok(()));
    assert_eq!(kind(with_kid("other", json!({"jti": "1"}))).await, Err("unknown_key"));
    assert_eq!(kind(with_kid("panics", json!({"jti": "1"}))).await, Err("keys_unavailable"));
    let until = i64::try_from(NOW + 60).unwrap();
    list.revoke(Revocation::token(ISSUER, "2", until)).await.unwrap();
    assert_eq!(kind(with_kid("ES256", json!({"jti": "2"}))).await, Err("revoked"));
}

#[cfg(feature = "remote")]
#[tokio::test]
async fn an_observer_that_panics_does_not_end_the_fetches() {
    use crate::remote::provider::Provider;

    let provider = Provider::new([key(Algorithm::ES256)]);
    let keys = provider.remote().observer(Panics).build().await.unwrap();
    for fetches in [2, 3] {
        keys.refresh().await.unwrap();
        assert_eq!(provider.fetches(), fetches);
    }
    // The last handles go while a request panics: another panic would end the process.
    let verifier: Verifier = builder().observer(Panics).build().unwrap();
    verifier.verify(&token("alice")).await.unwrap();
    let panicked = std::thread::spawn(move || {
        let _handles = (keys, verifier);
        panic!("a request has panicked");
    });
    panicked.join().unwrap_err();
}

#[tokio::test]
async fn several_lists_are_told_apart_and_the_end_of_one_is_told() {
    #[derive(Clone, Default)]
    struct Lists(Arc<Mutex<Vec<DenylistReport>>>);

    impl Observer for Lists {
        fn denylist(&self, report: &DenylistReport) {
            self.0.lock().unwrap().push(*report);
        }
    }

    let lists = Lists::default();
    let build = || {
        let list = MemoryDenylist::builder().clock(FixedClock::default()).build().unwrap();
        let verifier = builder::<RegisteredClaims>().without_token_id().observer(lists.clone());
        (verifier.denylist(list.clone()).build().unwrap(), list)
    };
    let (one, other) = (build(), build());
    let until = i64::try_from(NOW + 60).unwrap();
    one.1.revoke(Revocation::token(ISSUER, "a", until)).await.unwrap();
    drop(other);
    let told = lists.0.lock().unwrap();
    let [first, second, entry, end] = &told[..] else { panic!("{told:?}") };
    assert!(first.list > 0 && second.list > 0 && first.list != second.list, "{told:?}");
    assert_eq!((entry.list, entry.entries), (first.list, 1));
    assert_eq!((end.list, end.entries, end.lag), (second.list, 0, Some(Duration::ZERO)));
}

#[test]
fn an_observer_of_ones_own_can_be_tested() {
    let (notes, error) = (Notes::default(), Error::forbidden("no"));
    let second = Duration::from_secs(1);
    let ids = ["a".into()];
    notes.decided(&Decision::new(Outcome::Refused, Scheme::Cookie, Some(&error)));
    notes.keys_fetched(&KeyFetch::new("i", FetchOutcome::Absent));
    notes.keys(&KeyReport::new("i", 0, None));
    notes.keys_dropped(&KeysDropped::new("i", 1));
    notes.keys_rotated(&KeyRotation::new("i", &ids, &[]));
    notes.key_removed_early(&EarlyRemoval::new("i", "a", second));
    notes.removed_key_used(&RemovedKeyUse::new("i", "a"));
    notes.key_is_old(&OldKey::new("i", "a", second));
    notes.refreshed(&RefreshReport::new(RefreshOutcome::Reused));
    notes.shadow(&ShadowReport::new(ShadowRule::TooOld, ShadowOutcome::Accepted));
    notes.stream_ended(&StreamEnd::new("expired"));
    assert_eq!(
        notes.take(""),
        [
            "decided refused forbidden cookie",
            "fetched i absent",
            "keys i 0 None unusable",
            "dropped i",
            "rotated i [\"a\"] []",
            "early i a 1",
            "used i a",
            "old i a 1",
            "refreshed reused",
            "shadow too_old accepted",
            "stream expired",
        ]
    );
    assert_eq!(format!("{} {}", Outcome::Anonymous, CacheLookup::Full), "anonymous full");
    assert_eq!(format!("{} {}", Scheme::Within, FetchOutcome::Renewed), "within renewed");
    const NAME: &str = ShadowRule::ALL[0].name();
    assert_eq!(NAME, "algorithm_not_allowed");
}
