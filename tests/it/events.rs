//! Which events a request causes, and of which level.

use std::{
    fs,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use axum::{Router, body::Body, routing::get as on_get};
use http::{Request, header};
use serde_json::json;
use tower::ServiceExt;
use tower_jwt_auth::{
    Algorithm, Claims, Error, JwtAuthLayer, RegisteredClaims, RequireLayer, TokenSource, Verifier,
    authorize::Policy,
    error::StoreError,
    extract::{Authorized, Subject},
    keys::by_id::KeysById,
    maybe_ready::MaybeReady,
    response::Rejection,
    revocation::{Denylist, Revocation, TokenIds},
    verifier::{Issuers, RuleError},
};

use crate::{
    privacy::events,
    requests::bearer,
    support::{AUDIENCE, FixedClock, ISSUER, NOW, TestKey, builder, claims_with, key},
};

/// What is told of a request with these headers, a line for each event: level, text and kind.
fn told(app: &Router, path: &str, headers: &[(&str, &str)]) -> (u16, Vec<String>) {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut status = 0;
    let told = events(|| {
        let response = runtime.block_on(app.clone().oneshot(request)).unwrap();
        status = response.status().as_u16();
    });
    let brief = |line: &str| {
        let (front, rest) = line.split_once(" tower_jwt_auth: ").expect("an event of ours");
        let level = front.rsplit(' ').next().unwrap();
        let (text, rest) = rest.split_once(" kind=\"").expect("it has a kind");
        let kind = rest.split('"').next().unwrap();
        format!("{level} {text}: {kind}")
    };
    (status, told.lines().map(brief).collect())
}

#[derive(Default)]
struct Anybody;

impl Policy<RegisteredClaims> for Anybody {
    fn authorize(&self, _: &Claims) -> Result<(), Error> {
        Ok(())
    }
}

fn routes() -> Router {
    Router::new()
        .route("/require", on_get(async || "in"))
        .route_layer(RequireLayer::new(|_: &Claims| true))
        .route("/admin", on_get(async || "in").layer(RequireLayer::scopes(["admin"])))
        .route("/claims", on_get(async |_: Claims| "in"))
        .route("/subject", on_get(async |_: Subject| "in"))
        .route("/authorized", on_get(async |_: Authorized<Anybody>| "in"))
        .route("/result", on_get(async |_: Result<Claims, Rejection>| "in"))
        .route("/option", on_get(async |_: Option<Claims>| "in"))
        .route("/open", on_get(async || "in"))
        .route("/hand", on_get(async || Rejection::from(Error::forbidden("not yours"))))
        .route("/again", on_get(async |claims: Result<Claims, Rejection>| claims.map(|_| "in")))
}

fn layer() -> JwtAuthLayer {
    let verifier = builder::<RegisteredClaims>().rule(|claims| match claims.subject() {
        Some("broken") => Err(RuleError::fail("it is broken")),
        _ => Ok(()),
    });
    JwtAuthLayer::new(verifier.build().unwrap()).source(TokenSource::cookie("at").build().unwrap())
}

const NEEDS_CLAIMS: [&str; 5] = ["/require", "/admin", "/claims", "/subject", "/authorized"];

#[test]
fn a_refusal_is_one_event_wherever_it_is_made() {
    let passed = |kind: &str| format!("DEBUG request passes without claims: {kind}");
    let no_token = "DEBUG request refused: missing_token";
    let bad = "INFO request refused: malformed_token";
    let same_origin = ("sec-fetch-site", "same-origin");
    let (no, token) = (&[][..], &[("authorization", "Bearer x")][..]);
    let cookie = &[("cookie", "at=x"), same_origin][..];

    let required = routes().layer(layer());
    let optional = routes().layer(layer().optional());
    let report = routes().layer(layer().pass_through());
    for path in NEEDS_CLAIMS {
        for (headers, event) in [(no, no_token), (token, bad), (cookie, bad)] {
            assert_eq!(told(&required, path, headers), (401, vec![event.into()]), "{path}");
        }
        for (app, headers, events) in [
            (&optional, no, vec![passed("missing_token"), no_token.into()]),
            (&optional, token, vec![bad.into()]),
            (&optional, cookie, vec![passed("malformed_token"), bad.into()]),
            (&report, no, vec![passed("missing_token"), no_token.into()]),
            (&report, token, vec![passed("malformed_token"), bad.into()]),
        ] {
            assert_eq!(told(app, path, headers), (401, events), "{path} {headers:?}");
        }
    }
    // Guests are welcome there, and a bad token that is not in a cookie is not a guest's.
    for (path, headers, answer) in [
        ("/option", no, (200, vec![passed("missing_token")])),
        ("/option", token, (401, vec![passed("malformed_token"), bad.into()])),
        ("/open", token, (200, vec![passed("malformed_token")])),
        ("/result", token, (200, vec![passed("malformed_token"), bad.into()])),
    ] {
        assert_eq!(told(&report, path, headers), answer, "{path}");
    }
    assert_eq!(told(&optional, "/option", cookie), (200, vec![passed("malformed_token")]));

    let alice = bearer("alice");
    let alice = &[("authorization", &*alice)];
    for app in [&required, &optional, &report] {
        assert_eq!(told(app, "/claims", alice), (200, vec![]));
        let forbidden = "INFO request refused: insufficient_scope";
        assert_eq!(told(app, "/admin", alice), (403, vec![forbidden.into()]));
    }
    // A handler that refuses makes one event, and so does one that passes a refusal on.
    let forbidden = "INFO request refused: forbidden";
    for app in [&required, &optional, &report, &routes()] {
        assert_eq!(told(app, "/hand", alice), (403, vec![forbidden.into()]));
    }
    assert_eq!(
        told(&optional, "/again", no),
        (401, vec![passed("missing_token"), no_token.into()])
    );
    // Without a layer, it is the operator's fault.
    for path in NEEDS_CLAIMS.into_iter().chain(["/option"]) {
        let missing = "ERROR request not decided: missing_layer";
        assert_eq!(told(&routes(), path, alice), (500, vec![missing.into()]), "{path}");
    }
}

#[test]
fn a_fault_of_the_server_is_one_event_too() {
    let token = key(tower_jwt_auth::Algorithm::HS256).token(&claims_with(json!({"sub": "broken"})));
    let token = format!("Bearer {token}");
    let headers = &[(header::AUTHORIZATION.as_str(), &*token)];
    let event = "ERROR request not decided: failed";
    for layer in [layer(), layer().optional(), layer().pass_through()] {
        let app = routes().layer(layer);
        for path in NEEDS_CLAIMS {
            assert_eq!(told(&app, path, headers), (500, vec![event.into()]), "{path}");
        }
    }
}

/// The operator is told how to say which layer is meant.
#[test]
fn the_log_tells_that_there_are_several_layers() {
    #[derive(serde::Deserialize)]
    struct One {}
    #[derive(serde::Deserialize)]
    struct Two {}
    let app = routes()
        .layer(JwtAuthLayer::new(builder::<One>().build().unwrap()))
        .layer(JwtAuthLayer::new(builder::<Two>().build().unwrap()));
    let alice = bearer("alice");
    let request = Request::builder().uri("/claims").header("authorization", &alice);
    let request = request.body(Body::empty()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let told = events(|| {
        let response = runtime.block_on(app.oneshot(request)).unwrap();
        assert_eq!(response.status(), 500);
    });
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("several layers") && told.contains("for_claims"), "{told}");
}

/// The one event about a token, without its time.
fn told_of(verifier: &Verifier, token: &str) -> String {
    let layer = JwtAuthLayer::new(verifier.clone());
    let app = Router::new().route("/", on_get(async || "in")).layer(layer);
    let request = Request::builder().header("authorization", format!("Bearer {token}"));
    let request = request.body(Body::empty()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let told = events(|| drop(runtime.block_on(app.oneshot(request)).unwrap()));
    let (_, event) = told.trim_end().split_once(" tower_jwt_auth: ").expect("one event of ours");
    assert!(!event.contains('\n'), "{event}");
    event.to_owned()
}

#[test]
fn an_event_has_what_was_expected_and_seen() {
    let verifier = || builder::<RegisteredClaims>().client_id("app");
    let plain = verifier().build().unwrap();
    let key = key(Algorithm::ES256);
    let of = |changes: serde_json::Value| {
        let mut claims = claims_with(json!({"client_id": "app"}));
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        key.token(&claims)
    };
    let now = i64::try_from(NOW).unwrap();
    let many: Vec<_> = (0..10).map(|number| format!("api{number}")).collect();
    for (changes, kind, expected) in [
        (
            json!({"iss": "https://login.example.com/"}),
            "issuer",
            format!("issuer=\"{ISSUER}\" expected=\"{ISSUER}\" seen=\"{ISSUER}/\""),
        ),
        (
            json!({"aud": "x\nINFO forged"}),
            "audience",
            format!("issuer=\"{ISSUER}\" expected=\"{AUDIENCE}\" seen=\"x\\\\nINFO forged\""),
        ),
        (
            json!({"aud": many}),
            "audience",
            "seen=\"api0, api1, api2, api3, api4, api5, api6, api7, …\"".to_owned(),
        ),
        (json!({"aud": "x".repeat(100)}), "audience", format!("seen=\"{}…\"", "x".repeat(64))),
        (json!({"client_id": "other"}), "client", "expected=\"app\" seen=\"other\"".to_owned()),
        (json!({"exp": now - 90}), "expired", "late_by_s=90".to_owned()),
        (json!({"nbf": now + 90}), "not_yet_valid", "early_by_s=90".to_owned()),
        (json!({"iat": now + 90}), "issued_in_future", "early_by_s=90".to_owned()),
    ] {
        let event = told_of(&plain, &of(changes));
        assert!(event.contains(&format!("kind=\"{kind}\"")), "{event}");
        assert!(event.contains(&expected), "{event}\n{expected}");
        assert!(!event.contains("subject="), "{event}");
        assert!(event.starts_with("request refused "), "{event}");
    }
    let old = verifier().max_age(Duration::from_secs(60)).build().unwrap();
    assert!(told_of(&old, &of(json!({"iat": now - 150}))).contains("late_by_s=90"));
    // Also of a token that was good.
    let clock = FixedClock::default();
    let known = verifier().clock(clock.clone()).build().unwrap();
    let good = of(json!({"exp": now + 10}));
    assert!(known.verify(&good).now_or_never().unwrap().is_ok());
    clock.set(UNIX_EPOCH + Duration::from_secs(NOW + 100));
    assert!(told_of(&known, &good).contains("late_by_s=90"));

    // The subject by option, and only of a token with a good signature.
    let subjects = verifier().log_subject().build().unwrap();
    for changes in [json!({"aud": "x"}), json!({"exp": now - 90}), json!({"iss": "x"})] {
        assert!(told_of(&subjects, &of(changes)).contains("subject=\"alice\""));
    }
    let waits = |_: Claims| async { Err(RuleError::refuse("no")) };
    let refusing = verifier().log_subject().async_rule(waits).build().unwrap();
    let event = told_of(&refusing, &of(json!({})));
    assert!(event.contains("subject=\"alice\"") && event.contains("kind=\"rule\""), "{event}");
    for changes in [json!({"cnf": {"jkt": "x"}}), json!({"client_id": "other"})] {
        let event = told_of(&subjects, &of(changes));
        assert!(event.contains("subject=\"alice\"") && event.contains("issuer="), "{event}");
    }
    let twice = format!(r#"{{"iss":"{ISSUER}","sub":"alice","exp":"soon"}}"#);
    let event = told_of(&plain, &key.token_of(key.header().to_string(), twice));
    assert!(event.contains("malformed_claims") && event.contains("issuer="), "{event}");
    let forged = TestKey::fresh(Algorithm::ES256).token(&claims_with(json!({"aud": "x"})));
    let event = told_of(&subjects, &forged);
    assert!(event.contains("kind=\"signature\"") && !event.contains("alice"), "{event}");
}

#[test]
fn an_event_has_nothing_of_an_unverified_token_unless_asked() {
    let only = [Algorithm::ES256];
    let key = key(Algorithm::ES256);
    let header = |name: &str, value: &str| {
        let mut header = key.header();
        header[name] = value.into();
        key.token_of(header.to_string(), claims_with(json!({})).to_string())
    };
    let wrong = [
        (header("alg", "RS256"), "algorithm_not_allowed", "expected=\"ES256\" seen=\"RS256\""),
        (header("alg", "ES256K"), "algorithm_not_allowed", "seen=\"ES256K\""),
        (header("typ", "x\ty"), "token_type", "expected=\"none, JWT, at+jwt\" seen=\"x\\\\ty\""),
        (header("kid", "nobody's"), "unknown_key", "seen=\"nobody\\\\'s\""),
    ];
    let plain = builder::<RegisteredClaims>().algorithms(only).build().unwrap();
    let asked = builder::<RegisteredClaims>().algorithms(only).log_unverified().build().unwrap();
    for (token, kind, seen) in &wrong {
        let (without, with) = (told_of(&plain, token), told_of(&asked, token));
        assert!(without.contains(&format!("kind=\"{kind}\"")), "{without}");
        assert!(!without.contains("seen="), "{without}");
        assert!(without.contains(&format!("issuer=\"{ISSUER}\"")), "{without}");
        // What is configured is shown in any case.
        let expected = seen.split_once(" seen=").map_or("", |(expected, _)| expected);
        assert!(without.contains(expected), "{without}");
        assert!(with.contains(seen), "{with}\n{seen}");
    }
    // Also where no key is there yet, and where a key or an issuer is looked up.
    let (odd, twice) = (header("alg", "ES256K"), r#"{"made up":1,"made up":2}"#);
    let twice =
        key.token_of(key.header().to_string(), format!(r#"{{"iss":"{ISSUER}",{}"#, &twice[1..]));
    let none = |_: String| async { Ok::<_, std::io::Error>(None) };
    let by_id = Verifier::builder().issuer(ISSUER).audience(AUDIENCE).keys(KeysById::new(none));
    let by_id = by_id.build().unwrap();
    let resolve = |_: String| async { Ok::<Option<Verifier>, std::io::Error>(None) };
    let resolved = Issuers::builder().resolve([ISSUER], resolve).build().unwrap().verifier();
    for verifier in [&by_id, &resolved] {
        for token in [&odd, &twice] {
            let event = told_of(verifier, token);
            assert!(!event.contains("ES256K") && !event.contains("made up"), "{event}");
        }
    }
    // Of several issuers, the token's own picks the keys.
    let stranger = key.token(&claims_with(json!({"iss": "https://evil.example"})));
    for (builder, expected) in
        [(Issuers::builder(), false), (Issuers::builder().log_unverified(), true)]
    {
        let event = told_of(&builder.build().unwrap().verifier(), &stranger);
        assert!(event.contains("kind=\"issuer\""), "{event}");
        assert_eq!(event.contains("seen=\"https://evil.example\""), expected, "{event}");
    }
}

#[test]
fn a_span_around_gets_the_subject_if_asked() {
    let token = key(Algorithm::ES256).token(&claims_with(json!({})));
    let of = |layer: JwtAuthLayer, token: &str| {
        let app = Router::new().route("/", on_get(async || tracing::info!("handled")));
        let request = Request::builder().header("authorization", format!("Bearer {token}"));
        let request = request.body(Body::empty()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        events(|| {
            let span = tracing::info_span!("request", subject = tracing::field::Empty);
            let response = app.layer(layer).oneshot(request);
            runtime.block_on(tracing::Instrument::instrument(response, span)).unwrap();
        })
    };
    let layer = || JwtAuthLayer::new(builder::<RegisteredClaims>().build().unwrap());
    assert!(of(layer().record_subject(), &token).contains("request{subject=\"alice\"}"));
    assert!(!of(layer(), &token).contains("alice"));
    // It is cut, as in the event of a refusal.
    let long = key(Algorithm::ES256).token(&claims_with(json!({"sub": "s".repeat(100)})));
    let shown = of(layer().record_subject(), &long);
    assert!(shown.contains(&format!("request{{subject=\"{}…\"}}", "s".repeat(64))), "{shown}");
}

#[test]
fn the_cause_of_a_store_cannot_forge_a_line() {
    struct Down;

    impl Denylist for Down {
        fn revoke(&self, _: Revocation) -> MaybeReady<Result<(), StoreError>> {
            MaybeReady::Ready(Err(StoreError::new("ERR\n2026 INFO forged\u{1b}[31m")))
        }

        fn is_revoked(&self, _: TokenIds<'_>) -> MaybeReady<Result<bool, StoreError>> {
            MaybeReady::Ready(Err(StoreError::new("ERR\n2026 INFO forged\u{1b}[31m")))
        }
    }

    let token = key(Algorithm::HS256).token(&claims_with(json!({"jti": "1"})));
    for fail_open in [false, true] {
        let builder = builder::<RegisteredClaims>().denylist(Down);
        let builder = if fail_open { builder.dangerous().fail_open() } else { builder };
        let verifier = builder.build().unwrap();
        let event = events(|| drop(futures(verifier.verify(&token))));
        let text = if fail_open { "tokens pass unchecked" } else { "a store does not answer" };
        assert!(event.contains(text), "{event}");
        // A field that is shown as it is, so it must be escaped before.
        assert!(event.contains("cause=ERR\\n2026 INFO forged\\u{1b}[31m more=0"), "{event}");
    }
}

/// The answer of what does not wait.
fn futures<T>(answer: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(answer)
}

/// The calls of the macro `event!`: the level, the names of the fields, and the text.
fn calls() -> Vec<(String, Vec<String>, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/observe/tracing");
    let mut calls = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let source = fs::read_to_string(file.unwrap().path()).unwrap();
        let source = source.split("#[cfg(test)]").next().unwrap();
        for call in source.split("event!(").skip(1).filter(|call| !call.starts_with('@')) {
            // No call has a text with a quote in it, nor another text before its own.
            let (front, rest) = call.split_once('"').unwrap();
            let text = rest.split('"').next().unwrap();
            let text = text.split('\\').map(str::trim_start).collect::<String>();
            let mut depth = 0;
            let arguments = front.split(|c| {
                depth += i32::from("([{".contains(c)) - i32::from(")]}".contains(c));
                c == ',' && depth == 0
            });
            let mut names = arguments
                .map(|argument| argument.split('=').next().unwrap().trim().to_owned())
                .filter(|name| !name.is_empty());
            calls.push((names.next().unwrap(), names.collect(), text));
        }
    }
    calls
}

#[test]
fn the_page_for_operators_has_all_events_and_no_other() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md"))
        .unwrap();
    let table = page.split("| event | level | fields |").nth(1).unwrap().split("\n\n").next();
    let rows: Vec<_> = table.unwrap().lines().filter(|row| row.starts_with("| `")).collect();
    let calls = calls();
    assert!(calls.len() > 30, "{calls:?}");
    let text_of = |row: &str| row.split('`').nth(1).unwrap().to_owned();
    for (level, fields, text) in &calls {
        let text = text.replace('`', "");
        let has_all = |row: &&str| {
            let cells: Vec<_> = row.split('|').collect();
            let named = |cell: &str, word: &str| {
                cell.split(|c: char| !c.is_alphanumeric() && c != '_').any(|one| one == word)
            };
            text_of(row) == text
                && named(cells[2], level)
                && fields.iter().all(|field| cells[3].contains(&format!("`{field}`")))
        };
        assert!(rows.iter().any(has_all), "{level} {fields:?} {text}");
    }
    for row in rows {
        let text = text_of(row);
        assert!(calls.iter().any(|(_, _, own)| own.replace('`', "") == text), "{row}");
    }
}

#[test]
fn a_text_of_the_application_cannot_forge_a_line() {
    let lines = "tenant \"a\"\r\nINFO forged\u{1b}[2J";
    let shown = "tenant \"a\"\\r\\nINFO forged\\u{1b}[2J";
    let rules: [fn(&'static str) -> RuleError; 4] = [
        |text| RuleError::refuse(text),
        |text| RuleError::forbidden(text),
        |text| RuleError::fail(text),
        |text| Error::forbidden(text).into(),
    ];
    for rule in rules {
        let verifier: Verifier =
            builder().rule(move |_: &Claims| Err(rule(lines))).build().unwrap();
        let app = routes().layer(JwtAuthLayer::new(verifier));
        let token = bearer("alice");
        let request = Request::get("/require").header("authorization", token);
        let request = request.body(Body::empty()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let told = events(|| drop(runtime.block_on(app.oneshot(request))));
        assert_eq!(told.lines().count(), 1, "{told}");
        assert!(told.contains(shown), "{told}");
    }
}
