//! What leaves the process: logs, `Debug`, errors and forwarded requests have
//! no token, key or cookie in them.

use std::{
    convert::Infallible,
    fmt::{self, Write as _},
    fs,
    future::ready,
    io,
    path::Path,
    sync::{Arc, Mutex},
};

use http::{HeaderName, HeaderValue, Request, Response, header};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _},
};
use serde_json::json;
use tower::{Layer, service_fn};
use tower_jwt_auth::{
    Algorithm, Claims, Error, JwtAuthLayer, Key, KeySet, RegisteredClaims, RequireLayer,
    TokenSource, Verifier,
    authorize::{PolicyExt, Roles, Scopes},
    claims::ClaimPath,
    response::{DefaultRespond, ProblemJson, Rejection},
    verifier::RuleError,
};
use tracing_subscriber::{filter::LevelFilter, util::SubscriberInitExt};

use crate::{
    gate::{Gate, Inner, handler, request},
    support::{TestKey, b64, builder, claims, claims_with, key, secret_key, trusting},
};

/// What must not be seen anywhere; it stands in tokens, cookies and keys.
pub(crate) const MARKER: &str = "hunter2-hunter2-hunter2-hunter2-hunter2";

/// Fails if the text has the marker in it in any form, or a part of a token.
#[track_caller]
pub(crate) fn check(text: &str, tokens: &[String]) {
    let list = format!("{:?}", &MARKER.as_bytes()[..8]);
    let hex: String = MARKER.bytes().take(8).map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![MARKER[..7].into(), list[1..list.len() - 1].into(), hex];
    // Whatever stands in front of it in base64url.
    forms.extend((0..3).map(|skip| b64(&MARKER[skip..skip + 12])));
    for token in tokens {
        forms.extend(
            token.split('.').filter(|part| part.len() > 8).map(|part| part[..9].to_owned()),
        );
    }
    for form in forms {
        if let Some(at) = text.find(&form) {
            let start = text[..at].rfind('\n').unwrap_or_default();
            panic!("{form:?} is seen in {:?}", &text[start..(at + 60).min(text.len())]);
        }
    }
}

/// Every event at every level, as text, while `work` runs.
pub(crate) fn events(work: impl FnOnce()) -> String {
    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let buffer = Buffer::default();
    let subscribe = || {
        let writer = buffer.clone();
        let subscriber = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE);
        let writer = move || writer.clone();
        subscriber.with_ansi(false).with_writer(writer).finish().set_default()
    };
    // Twice: while there is but one, `tracing` asks the thread that comes by an
    // event first whether anybody wants it, and the other tests have threads
    // without a subscriber.
    let guard = (subscribe(), subscribe());
    work();
    // The second one comes off first.
    drop(guard.1);
    drop(guard.0);
    let bytes = buffer.0.lock().unwrap();
    String::from_utf8(bytes.clone()).unwrap()
}

fn signer() -> TestKey {
    secret_key(Algorithm::HS256, MARKER.as_bytes())
}

/// An application's type that says too much when it is not content.
#[derive(Clone, Debug)]
struct Talkative;

impl<'de> Deserialize<'de> for Talkative {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let claims = serde_json::Value::deserialize(from)?;
        match claims.get("name") {
            None => Ok(Self),
            Some(name) => {
                Err(D::Error::custom(format!("what is {name}, expected {name} at line 1")))
            }
        }
    }
}

fn layer<C: DeserializeOwned + Send + Sync + 'static>() -> JwtAuthLayer<C> {
    let verifier = trusting(Key::hs256(MARKER).unwrap().with_kid("HS256")).build().unwrap();
    JwtAuthLayer::new(verifier)
        .source(TokenSource::cookie("at").build().unwrap())
        .source(TokenSource::query())
        .source(TokenSource::header(HeaderName::from_static("x-at")))
        .source(TokenSource::websocket_protocol("bearer"))
}

/// Tokens with the marker in every place, good and bad.
fn tokens() -> Vec<String> {
    let signer = signer();
    let header = |name: &str, value: &str| {
        let mut header = signer.header();
        header[name] = value.into();
        signer.token_of(header.to_string(), claims().to_string())
    };
    let names = ["alg", "typ", "kid", "cty", "crit", "b64", "jku", MARKER];
    let mut tokens: Vec<String> = names.map(|name| header(name, MARKER)).into();
    // The events show `iss` and `aud` of a token with a good signature: see `events.rs`.
    for name in ["sub", "exp", "nbf", "iat", "jti", "scope", "cnf", "name", MARKER] {
        for value in [json!(MARKER), json!([MARKER]), json!({MARKER: MARKER}), json!([MARKER, 7])] {
            tokens.push(signer.token(&claims_with(json!({name: value}))));
        }
    }
    // The name of a member is shown, and no value.
    let twice = format!(",\"twice\":\"{MARKER}\",\"twice\":\"{MARKER}\"}}");
    let twice = claims().to_string().replace('}', &twice);
    tokens.push(signer.token_of(signer.header().to_string(), twice));
    tokens.push(signer.token_of(signer.header().to_string(), MARKER));
    tokens.push(signer.token_of(MARKER, claims().to_string()));
    tokens.push(secret_key(Algorithm::HS256, b"another").token(&claims()));
    tokens.push(signer.token(&claims_with(json!({"exp": 1, "name": MARKER}))));
    tokens.extend([b64(MARKER), format!("{MARKER}.{MARKER}.{MARKER}"), MARKER.repeat(300)]);
    tokens
}

/// All the ways in which a token may come, and some that are wrong.
fn requests(token: &str) -> Vec<Request<String>> {
    let bearer = format!("Bearer {token}");
    let with = |method: &str, headers: &[(&str, &str)]| request(method, headers);
    let mut requests = vec![
        with("GET", &[("authorization", &bearer)]),
        with("GET", &[("authorization", &bearer), ("authorization", &bearer)]),
        with("GET", &[("authorization", &format!("{bearer}, {bearer}"))]),
        with("GET", &[("authorization", &format!("{bearer}\u{e4}"))]),
        with("GET", &[("authorization", &format!("Basic {token}"))]),
        with("GET", &[("x-at", token)]),
        with("GET", &[("cookie", &format!("at={token}"))]),
        with("GET", &[("cookie", &format!("at={token}; at={token}"))]),
        with("GET", &[("cookie", &format!("at={token} {token}"))]),
        with("POST", &[("cookie", &format!("at={token}")), ("origin", "https://evil.example")]),
        with("GET", &[("sec-websocket-protocol", &format!("bearer, {token}"))]),
    ];
    for query in [format!("access_token={token}"), format!("access_token=%FF{token}")] {
        let request = Request::builder().uri(format!("/?{query}")).body(String::new());
        requests.extend(request.ok());
    }
    requests
}

#[test]
fn p01_no_event_and_no_answer_shows_a_token() {
    let tokens = tokens();
    let told = events(|| {
        let gates = [
            Gate::new(layer::<RegisteredClaims>()),
            Gate::new(layer::<RegisteredClaims>().respond_with(ProblemJson)),
            Gate::new(layer::<Talkative>()),
            Gate::new(layer::<Talkative>().pass_through().strip_token()),
            Gate::around(
                &layer::<RegisteredClaims>(),
                Inner::new(RequireLayer::scopes(["admin"]).layer(handler::<RegisteredClaims>())),
            ),
        ];
        for gate in &gates {
            for token in &tokens {
                for request in requests(token) {
                    let mut answer = gate.send(request);
                    if answer.reached {
                        // The subject, which the handler chose to show.
                        answer.body.clear();
                    }
                    check(&format!("{answer:?}"), &tokens);
                }
            }
        }
    });
    check(&told, &tokens);
    if cfg!(feature = "tracing") {
        for kind in ["claims_type", "cross_site", "invalid_request", "signature", "missing_token"] {
            assert!(told.contains(&format!("kind=\"{kind}\"")), "{kind}");
        }
    } else {
        assert_eq!(told, "");
    }
}

#[test]
fn p01_no_error_shows_a_token() {
    let tokens = tokens();
    let mut said = String::new();
    let mut say = |error: &Error| {
        let _ = write!(said, "{error} {error:?} {:?}", error.kind());
    };
    let registered: Verifier = trusting(Key::hs256(MARKER)).build().unwrap();
    let talkative: Verifier<Talkative> = trusting(Key::hs256(MARKER)).build().unwrap();
    for token in &tokens {
        registered.verify(token).now_or_never().unwrap().err().iter().for_each(&mut say);
        talkative.verify(token).now_or_never().unwrap().err().iter().for_each(&mut say);
    }
    check(&said, &tokens);
}

#[test]
fn p01_no_error_of_a_configuration_shows_a_key() {
    let private = key(Algorithm::EdDSA).private().remove(0).1;
    let pem = crate::support::pem("PRIVATE KEY", &private);
    let with = |name: &str| {
        let mut jwk = key(Algorithm::ES256).jwk();
        jwk[name] = MARKER.into();
        jwk
    };
    let mut said = String::new();
    for key in [
        Key::hs512(MARKER),
        Key::hs256(&MARKER[..20]),
        Key::hs256(format!("-----BEGIN PUBLIC KEY-----{MARKER}")),
        Key::from_pem(MARKER),
        Key::from_pem(&pem),
        Key::from_der(MARKER),
        Key::from_der(&private),
        Key::from_jwk(MARKER),
        Key::from_jwk(json!({"kty": "oct", "k": b64(MARKER)}).to_string()),
        Key::from_jwk(json!({"kty": MARKER}).to_string()),
    ] {
        let _ = write!(said, "{key:?} {}", key.as_ref().unwrap_err());
        let _ = write!(said, "{:?}", builder::<RegisteredClaims>().keys(key));
    }
    for name in ["d", "k", "x", "crv", "kty", "alg", "use"] {
        let error = Key::from_jwk(with(name).to_string()).unwrap_err();
        let set = KeySet::from_jwks(json!({"keys": [with(name)]}).to_string()).unwrap();
        let none = trusting::<RegisteredClaims>(set.clone()).build().unwrap_err();
        let _ = write!(said, "{error} {error:?} {set:?} {} {none} {none:?}", set.skipped()[0]);
    }
    check(&said, &[b64(&private[private.len() - 32..])]);
    assert!(!said.contains(&pem.lines().nth(1).unwrap()[30..]));
}

#[test]
fn p01_no_debug_shows_a_token_or_a_key() {
    let token = signer().token(&claims());
    let secret = || Key::hs256(MARKER).unwrap();
    let jwk = json!({"kty": "oct", "alg": "HS256", "k": b64(MARKER), "kid": "one"});
    let verifier: Verifier = trusting(secret()).build().unwrap();
    let layer = layer::<RegisteredClaims>();
    let cookie = || TokenSource::cookie("at").trusted_origin("https://a.example").build().unwrap();
    let rejection = {
        let seen = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&seen);
        let gate = Gate::new(layer.clone().respond_with(move |rejection: &Rejection| {
            *kept.lock().unwrap() = Some(rejection.clone());
            rejection.to_response(String::new())
        }));
        gate.bearer(&token.replace('.', "x.x"));
        seen.lock().unwrap().take().unwrap()
    };
    let mut service = layer.layer(handler::<RegisteredClaims>());
    let bearer = request("GET", &[("authorization", format!("Bearer {token}"))]);
    let future = tower::Service::call(&mut service, bearer);
    let claims: Claims = verifier.verify(&token).now_or_never().unwrap().unwrap();
    let policy = Scopes::any_of(["a"]).and(Roles::at("r").any_of(["x"])).or(Scopes::all_of(["b"]));
    let everything: &[&dyn fmt::Debug] = &[
        &secret(),
        &Key::from_private_jwk(jwk.to_string()),
        &KeySet::from_private_jwks(json!({"keys": [jwk, {"kty": "oct", "k": "AA"}]}).to_string()),
        &builder::<RegisteredClaims>().keys(secret()),
        &builder::<RegisteredClaims>().keys(secret()).dangerous(),
        &verifier,
        &verifier.verify(&token),
        &verifier.verify(&token.replace('.', "x.x")),
        &std::future::IntoFuture::into_future(verifier.verify(&token)),
        &claims,
        &claims.registered(),
        &claims.audience(),
        &claims.scopes(),
        &claims.expires_at(),
        &rejection,
        &rejection.error(),
        &layer,
        &service,
        &future,
        &RequireLayer::scopes(["a"]),
        &RequireLayer::scopes(["a"]).layer(()),
        &cookie(),
        &TokenSource::cookie("at"),
        &TokenSource::cookie("at").dangerous(),
        &TokenSource::custom(move |_, _, _| Some(token.clone())),
        &DefaultRespond,
        &ProblemJson,
        &policy,
        &ClaimPath::from("a.b"),
        &RuleError::refuse("no"),
        &Algorithm::HS256,
        &Algorithm::from_name("x"),
        &"x".parse::<Algorithm>(),
        &tower_jwt_auth::clock::SystemClock,
    ];
    let tokens = [signer().token(&crate::support::claims())];
    for one in everything {
        check(&format!("{one:?} {one:#?}"), &tokens);
    }
}

/// What the inner service is given.
fn forwarded(layer: &JwtAuthLayer<RegisteredClaims>, request: Request<String>) -> Request<String> {
    let seen = Arc::new(Mutex::new(None));
    let kept = Arc::clone(&seen);
    let inner = service_fn(move |request: Request<String>| {
        *kept.lock().unwrap() = Some(request);
        ready(Ok::<_, Infallible>(Response::new(String::new())))
    });
    Gate::around(layer, Inner::new(inner)).send(request);
    seen.lock().unwrap().take().expect("the request is passed on")
}

#[test]
fn p02_what_is_forwarded_is_marked_sensitive() {
    let good = signer().token(&claims());
    let bearer = format!("Bearer {good}");
    let cookie = format!("at={good}; other={MARKER}");
    let other = format!("b={MARKER}");
    let evil = ("access-control-request-method", "GET");
    let layer = || layer::<RegisteredClaims>();
    for (layer, method, headers) in [
        (layer(), "GET", &[("authorization", &*bearer)][..]),
        (layer(), "GET", &[("authorization", &bearer), ("cookie", &other)]),
        (layer(), "GET", &[("cookie", &other), ("cookie", &cookie), ("cookie", "c=1")]),
        (layer(), "GET", &[("x-at", &good), ("cookie", &other)]),
        (layer(), "GET", &[("sec-websocket-protocol", &format!("bearer, {good}"))]),
        (layer().optional(), "GET", &[("authorization", "Basic aHVudGVyMg=="), ("cookie", &other)]),
        (layer().pass_through(), "GET", &[("authorization", &bearer), ("authorization", &bearer)]),
        (layer().pass_through(), "POST", &[("cookie", &cookie)]),
        (
            layer().allow_preflight(),
            "OPTIONS",
            &[("origin", "x"), evil, ("authorization", &bearer)],
        ),
        (layer().strip_token(), "GET", &[("cookie", &cookie), ("x", "y")]),
    ] {
        let request = forwarded(&layer, request(method, headers));
        for name in [header::AUTHORIZATION, header::COOKIE] {
            assert!(request.headers().get_all(name).iter().all(HeaderValue::is_sensitive));
        }
        check(&format!("{request:?}"), std::slice::from_ref(&good));
        // It is the request of the client all the same.
        if headers.contains(&("authorization", &*bearer)) {
            assert_eq!(request.headers()["authorization"], bearer);
        }
    }
}

#[test]
fn p02_a_token_that_is_taken_out_is_gone() {
    let good = signer().token(&claims());
    let layer = layer::<RegisteredClaims>().strip_token();
    for mut request in requests(&good).into_iter().filter(|request| {
        // Those that pass.
        request.headers().get_all("authorization").iter().count() < 2
    }) {
        request.headers_mut().insert("x-other", HeaderValue::from_static("1"));
        if Gate::new(layer.clone()).send(request.clone()).status != 200 {
            continue;
        }
        let seen = forwarded(&layer, request);
        check(&format!("{:?} {}", seen, seen.uri()), std::slice::from_ref(&good));
        for value in seen.headers().values() {
            assert!(!String::from_utf8_lossy(value.as_bytes()).contains(&good));
        }
        assert_eq!(seen.headers()["x-other"], "1");
    }
}

#[test]
fn p03_a_tag_is_compared_as_a_whole() {
    // A test cannot tell how long a comparison takes on a machine that does
    // other things too. What it can see: every part of a tag is as wrong as no
    // part of it, ...
    let gate = Gate::new(layer::<RegisteredClaims>());
    let good = signer().token(&claims());
    let (input, _) = good.rsplit_once('.').unwrap();
    let tag = signer().sign(input.as_bytes());
    for length in 1..tag.len() {
        for tag in [tag[..length].to_vec(), [&tag[..length], &vec![0; 32 - length]].concat()] {
            assert_eq!(gate.bearer(&format!("{input}.{}", b64(tag))), crate::gate::invalid_token());
        }
    }
    let long = [&tag[..], &[0]].concat();
    assert_eq!(gate.bearer(&format!("{input}.{}", b64(long))), crate::gate::invalid_token());
}

#[test]
fn p03_no_secret_is_compared_by_hand() {
    // ... and that the type of a secret has no comparison, whose bytes only the
    // code that makes keys of them sees.
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let read = |file: &str| fs::read_to_string(source.join(file)).unwrap();
    let secret = read("secret.rs");
    assert!(!secret.contains("PartialEq") && !secret.contains("Deref for"));
    assert!(read("keys/aws_lc.rs").contains("hmac::verify("), "constant time by contract");
    for file in ["keys/aws_lc.rs", "keys/rust_crypto.rs", "keys/material.rs", "keys/signature.rs"] {
        let code = read(file);
        let code = code.split("#[cfg(test)]").next().unwrap();
        for line in code.lines().filter(|line| line.contains("expose()")) {
            let compares = line.contains("==") || line.contains("!=") || line.contains(".eq(");
            assert!(!compares, "{file}: {line}");
        }
    }
}
