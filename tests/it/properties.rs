//! What holds for every input, as far as chance finds one for which it does
//! not.

use std::{ops::Range, sync::LazyLock};

use http::{HeaderName, HeaderValue, Request, header};
use proptest::{collection::vec, prelude::*, sample::select, test_runner::FileFailurePersistence};
use serde_json::{Value, json};
use tower::Layer;
use tower_jwt_auth::{
    Algorithm, JwtAuthLayer, Key, KeySet, RegisteredClaims, RequireLayer, TokenSource,
    authorize::Roles,
};

use crate::{
    ambient::REMOVAL,
    gate::{
        Answer, Gate, Inner, accepted, bare, cookie_gate, cross_site, gate, handler,
        invalid_request, invalid_token, without_claims,
    },
    support::{AUDIENCE, ISSUER, KEYS, NOW, builder, claims, key},
};

fn config() -> ProptestConfig {
    // A failure is printed; a file beside the source would only be in the way.
    let failure_persistence = Some(Box::new(FileFailurePersistence::Off) as Box<_>);
    ProptestConfig { failure_persistence, ..ProptestConfig::default() }
}

/// One good token of each algorithm.
static GOOD: LazyLock<Vec<String>> =
    LazyLock::new(|| KEYS.iter().map(|key| key.token(&claims())).collect());

/// A layer that looks everywhere.
fn layer() -> JwtAuthLayer<RegisteredClaims> {
    JwtAuthLayer::new(builder().build().unwrap())
        .source(TokenSource::cookie("at").build().unwrap())
        .source(TokenSource::query())
        .source(TokenSource::header(HeaderName::from_static("x-at")))
        .source(TokenSource::websocket_protocol("bearer"))
}

static EVERYWHERE: LazyLock<Gate> = LazyLock::new(|| Gate::new(layer()));
static OPTIONAL: LazyLock<Gate> = LazyLock::new(|| Gate::new(layer().optional()));
static REPORT: LazyLock<Gate> = LazyLock::new(|| Gate::new(layer().pass_through().strip_token()));

/// A byte that a header may hold.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![b' '..=b'~', Just(b'\t'), 0x80..=0xffu8, select(&b".,;= \"%-_AQgw"[..])]
}

#[derive(Clone, Debug)]
enum Change {
    Put(usize, u8),
    Insert(usize, Vec<u8>),
    Remove(Range<usize>),
    Truncate(usize),
    Repeat(Range<usize>),
    Swap(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let at = 0..1000usize;
    let range = (at.clone(), 1..40usize).prop_map(|(start, length)| start..start + length);
    prop_oneof![
        (at.clone(), byte()).prop_map(|(at, byte)| Change::Put(at, byte)),
        (at.clone(), vec(byte(), 1..6)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        range.clone().prop_map(Change::Remove),
        at.clone().prop_map(Change::Truncate),
        range.prop_map(Change::Repeat),
        (at.clone(), at).prop_map(|(one, two)| Change::Swap(one, two)),
    ]
}

fn apply(change: &Change, text: &mut Vec<u8>) {
    let length = text.len().max(1);
    let within = |range: &Range<usize>| {
        let start = range.start % length;
        start..(start + range.len()).min(length)
    };
    if text.is_empty() {
        return;
    }
    match change {
        Change::Put(at, byte) => text[at % length] = *byte,
        Change::Insert(at, bytes) => {
            drop(text.splice(at % length..at % length, bytes.iter().copied()))
        }
        Change::Remove(range) => drop(text.drain(within(range))),
        Change::Truncate(at) => text.truncate(at % length),
        Change::Repeat(range) => {
            let part = text[within(range)].to_vec();
            let end = within(range).end;
            drop(text.splice(end..end, part));
        }
        Change::Swap(one, two) => text.swap(one % length, two % length),
    }
}

/// What a header's value may be made of.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let pieces = select(vec![
        "Bearer",
        "bearer ",
        "Basic ",
        " ",
        ",",
        ";",
        "=",
        "\"",
        ".",
        "%",
        "&",
        "at",
        "at=",
        "a.b.c",
        "bearer, ",
        "same-origin",
        "cross-site",
        "same-site",
        "none",
        "null",
        "https://",
        "http://",
        "app.example",
        "evil.example",
        ":",
        ":443",
        ":80",
        "/",
        "@",
        "[::1]",
        "websocket",
        "{",
        "}",
        "eyJhbGciOiJub25lIn0",
        "\t",
    ]);
    let text = vec(pieces, 0..8).prop_map(|pieces| pieces.concat().into_bytes());
    prop_oneof![3 => text, 1 => vec(byte(), 0..40)]
}

fn name() -> impl Strategy<Value = &'static str> {
    select(vec![
        "authorization",
        "cookie",
        "x-at",
        "sec-websocket-protocol",
        "sec-fetch-site",
        "origin",
        "host",
        "upgrade",
        "access-control-request-method",
    ])
}

fn method() -> impl Strategy<Value = &'static str> {
    select(vec!["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "CONNECT", "FOO"])
}

fn query() -> impl Strategy<Value = String> {
    let pieces =
        select(vec!["access_token", "=", "&", "%", "%41", "%FF", "a.b.c", "a", "+", ";", "?"]);
    vec(pieces, 0..8).prop_map(|pieces| pieces.concat())
}

fn request(
    method: &str,
    query: &str,
    headers: &[(&'static str, Vec<u8>)],
) -> Option<Request<String>> {
    let mut request = Request::builder().method(method).uri(format!("/?{query}"));
    for (name, value) in headers {
        request = request.header(*name, HeaderValue::from_bytes(value).ok()?);
    }
    request.body(String::new()).ok()
}

/// What a guest gets whose cookie is removed.
fn without_dead_cookie() -> Answer {
    let headers = [("cache-control", "no-store"), ("set-cookie", REMOVAL)];
    Answer {
        headers: headers.map(|(name, value)| (name.into(), value.into())).into(),
        ..without_claims()
    }
}

fn is_refusal(answer: &Answer) -> bool {
    [bare(), invalid_token(), invalid_request(), cross_site()].contains(answer)
}

/// Any JSON, of which much is like claims.
fn any_json() -> impl Strategy<Value = Value> {
    let now = i64::try_from(NOW).unwrap();
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        (now - 100..now + 100).prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        select(vec![ISSUER, AUDIENCE, "read", "admin"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((claim_name(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn claim_name() -> impl Strategy<Value = String> {
    let usual = select(vec![
        "iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope", "scp", "cnf", "roles", "sid",
    ]);
    prop_oneof![4 => usual.prop_map(String::from), 1 => ".{0,6}"]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn f07_a_changed_token_is_refused(which in 0..13usize, changes in vec(change(), 1..3)) {
        let good = GOOD[which % GOOD.len()].as_bytes();
        let mut changed = good.to_vec();
        changes.iter().for_each(|change| apply(change, &mut changed));
        // Blanks around it are not a part of it.
        let text = String::from_utf8_lossy(&changed).trim_matches(' ').to_owned();
        prop_assume!(text.as_bytes() != good);
        let header = [b"Bearer ", &changed[..]].concat();
        let answer = gate().get(&[("authorization", header)]);
        prop_assert!([invalid_token(), invalid_request()].contains(&answer), "{:?}", answer);
        if let Ok(verifier) = builder::<RegisteredClaims>().build() {
            let error = verifier.verify(&text).now_or_never().map(Result::unwrap_err);
            prop_assert!(error.is_some_and(|error| error.is_invalid_token()));
        }
        // In a cookie a semicolon ends it, and what is left may be whole.
        let cookie = [b"at=", &changed[..]].concat();
        let answer = cookie_gate().get(&[("cookie", &cookie)]);
        let left = text.split(';').next().unwrap_or_default().trim_matches([' ', '\t']);
        let bare = left.strip_prefix('"').and_then(|left| left.strip_suffix('"')).unwrap_or(left);
        prop_assert_eq!(answer.reached, bare.as_bytes() == good);
    }

    #[test]
    fn nothing_passes_without_a_token(
        method in method(),
        query in query(),
        headers in vec((name(), value()), 0..6),
    ) {
        let Some(request) = request(method, &query, &headers) else { return Ok(()) };
        let answer = EVERYWHERE.send(request.clone());
        prop_assert!(is_refusal(&answer), "{:?}", answer);
        let optional = OPTIONAL.send(request.clone());
        let mut sent = request.clone();
        sent.headers_mut().remove(header::COOKIE);
        // A guest is one who has sent nothing, or nothing but cookies that are no good.
        if EVERYWHERE.send(sent) == bare() && answer != cross_site() {
            prop_assert_eq!((optional.status, &*optional.body), (200, "nobody"));
            if optional != without_claims() {
                prop_assert_eq!(optional, without_dead_cookie());
            }
        } else {
            prop_assert_eq!(optional, answer);
        }
        let reported = REPORT.send(request);
        prop_assert_eq!((reported.status, &*reported.body), (200, "nobody"));
    }

    #[test]
    fn w02_a_cookie_passes_only_with_evidence(
        method in method(),
        headers in vec((name(), value()), 0..4),
    ) {
        let headers: Vec<_> = headers
            .into_iter()
            .filter(|(name, _)| ["sec-fetch-site", "origin", "host", "upgrade"].contains(name))
            .chain([("cookie", format!("at={}", GOOD[0]).into_bytes())])
            .collect();
        let Some(request) = request(method, "", &headers) else { return Ok(()) };
        let answer = EVERYWHERE.send(request);
        prop_assert!([accepted(), cross_site()].contains(&answer), "{:?}", answer);
        let values = |name: &str| -> Vec<String> {
            let ours = headers.iter().filter(|header| header.0 == name);
            ours.map(|header| String::from_utf8_lossy(&header.1).to_lowercase()).collect()
        };
        let upgraded = values("upgrade")
            .iter()
            .any(|value| value.split(',').any(|one| one.trim() == "websocket"));
        let safe = ["GET", "HEAD", "OPTIONS"].contains(&method) && !upgraded;
        if answer == accepted() && !safe {
            let (sites, origins, hosts) = (values("sec-fetch-site"), values("origin"), values("host"));
            prop_assert!(sites.len() < 2 && origins.len() < 2 && sites.len() + origins.len() > 0);
            prop_assert!(sites.iter().all(|site| site == "same-origin"));
            for origin in origins {
                let name = |text: &str| {
                    text.trim_end_matches(":443").trim_end_matches(":80").to_owned()
                };
                let own = name(origin.split_once("://").unwrap().1);
                prop_assert!(!own.is_empty() && hosts.len() == 1);
                prop_assert_eq!(own, name(&hosts[0]));
            }
        }
    }

    #[test]
    fn any_claims_are_decided_on(members in vec((claim_name(), any_json()), 0..5)) {
        let mut set = claims();
        let names: Vec<_> = members.iter().map(|member| member.0.clone()).collect();
        set.as_object_mut().unwrap().extend(members);
        let key = key(Algorithm::HS256);
        let answer = gate().bearer(&key.token(&set));
        prop_assert!(answer.reached || answer == invalid_token(), "{:?}", answer);
        if answer.reached {
            let number = |name: &str| set[name].as_f64();
            let now = NOW as f64;
            prop_assert_eq!(&set["iss"], ISSUER);
            let aud = &set["aud"];
            let ours = |one: &Value| one == AUDIENCE;
            prop_assert!(ours(aud) || aud.as_array().is_some_and(|all| all.iter().any(ours)));
            prop_assert!(number("exp").is_some_and(|exp| exp > now - 60.0));
            prop_assert!(set["nbf"].is_null() || number("nbf").is_some_and(|nbf| nbf <= now + 60.0));
            prop_assert!(set["iat"].is_null() || number("iat").is_some_and(|iat| iat <= now + 60.0));
            prop_assert!(set["sub"].as_str().is_some_and(|sub| !sub.is_empty()));
            prop_assert!(set.get("cnf").is_none());
        }
        // Whatever is asked of such claims has an answer.
        let policy = Roles::at("roles").any_of(["admin"]);
        let inner = RequireLayer::new(policy).layer(
            RequireLayer::scopes(["read"]).layer(handler::<RegisteredClaims>()),
        );
        let outer = JwtAuthLayer::new(builder::<RegisteredClaims>().build().unwrap());
        let asked = Gate::around(&outer, Inner::new(inner));
        let status = asked.bearer(&key.token(&set)).status;
        prop_assert!([200, 401, 403].contains(&status), "{} {:?}", status, names);
    }

    #[test]
    fn any_text_of_a_header_or_payload_is_decided_on(
        mut header in any_json().prop_map(|json| json.to_string().into_bytes()),
        mut payload in any_json().prop_map(|json| json.to_string().into_bytes()),
        changes in vec(change(), 0..4),
    ) {
        let key = key(Algorithm::HS256);
        let (usual, text) = (key.header().to_string(), claims().to_string());
        let (mut near, mut close) = (usual.clone().into_bytes(), text.clone().into_bytes());
        for change in &changes {
            for text in [&mut header, &mut payload, &mut near, &mut close] {
                apply(change, text);
            }
        }
        for token in [key.token_of(&header, &text), key.token_of(&usual, &payload)] {
            prop_assert_eq!(gate().bearer(&token), invalid_token());
        }
        for token in [key.token_of(&near, &text), key.token_of(&usual, &close)] {
            let answer = gate().bearer(&token);
            prop_assert!(answer.reached || answer == invalid_token(), "{:?}", answer);
        }
    }

    #[test]
    fn any_text_of_a_key_is_decided_on(
        which in 0..13usize,
        changes in vec(change(), 0..4),
        bytes in vec(any::<u8>(), 0..80),
        json in any_json(),
    ) {
        let key = &KEYS[which % KEYS.len()];
        let mut texts = vec![bytes, json.to_string().into_bytes()];
        texts.push(json!({"keys": [key.jwk(), json]}).to_string().into_bytes());
        texts.push(key.jwk().to_string().into_bytes());
        texts.extend(key.pem().map(String::into_bytes));
        texts.extend(key.spki());
        for text in &mut texts {
            changes.iter().for_each(|change| apply(change, text));
            let _ = (Key::from_pem(&text), Key::from_der(&text), Key::from_jwk(&text));
            let _ = (Key::from_private_jwk(&text), Key::hs256(&text));
            let _ = (KeySet::from_jwks(&text), KeySet::from_private_jwks(&text));
        }
    }
}
