//! Where a cookie may be used from, and other places of a token: cases in which users had no way
//! round, or could not find out why.

use http::{HeaderMap, Request, header};
use serde_json::json;
use tower_jwt_auth::{
    Algorithm, JwtAuthLayer, RegisteredClaims, TokenSource,
    source::{CookieSourceBuilder, CustomSourceBuilder},
};

use crate::{
    gate::{Answer, Gate, accepted, bare, cross_site, invalid_request, request},
    privacy::events,
    support::{builder, claims, key},
};

const EVIL: [(&str, &str); 2] =
    [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];

fn good() -> String {
    key(Algorithm::ES256).token(&claims())
}

fn layer(source: TokenSource) -> JwtAuthLayer<RegisteredClaims> {
    JwtAuthLayer::new(builder().build().unwrap()).source(source)
}

fn gate_of(cookie: CookieSourceBuilder) -> Gate {
    Gate::new(layer(cookie.build().unwrap()))
}

fn with(gate: &Gate, method: &str, headers: &[(&str, &str)]) -> Answer {
    let cookie = format!("at={}", good());
    gate.send(request(method, &[headers, &[("cookie", &cookie)]].concat()))
}

#[test]
fn b59_an_extension_that_is_trusted() {
    let id = "chrome-extension://abcdefghijklmnop";
    let gate = gate_of(TokenSource::cookie("at").trusted_origin(id));
    for site in ["none", "cross-site"] {
        let headers = [("origin", id), ("sec-fetch-site", site), ("sec-fetch-mode", "cors")];
        assert_eq!(with(&gate, "POST", &headers), accepted(), "{site}");
    }
    let other = [("origin", "chrome-extension://other"), ("sec-fetch-site", "none")];
    assert_eq!(with(&gate, "POST", &other), cross_site());
    assert_eq!(with(&gate, "POST", &[("sec-fetch-site", "none")]), cross_site());
    for origin in ["moz-extension://0f0e0d0c-1111-2222-3333-444455556666", "capacitor://localhost"]
    {
        let gate = gate_of(TokenSource::cookie("at").trusted_origin(origin));
        let headers = [("origin", origin), ("sec-fetch-site", "cross-site")];
        assert_eq!(with(&gate, "POST", &headers), accepted(), "{origin}");
    }
}

#[test]
fn b80_a_cookie_without_same_site_counts_from_trusted_pages_only() {
    let cookie = || TokenSource::cookie("at").without_same_site();
    assert!(cookie().build().is_err(), "no origin is trusted");
    let gate = gate_of(cookie().trusted_origin("https://localhost"));
    let page = [("origin", "https://localhost"), ("sec-fetch-site", "cross-site")];
    for method in ["GET", "HEAD", "OPTIONS", "POST"] {
        assert_eq!(with(&gate, method, &page), accepted(), "{method}");
        assert_eq!(with(&gate, method, &[("sec-fetch-site", "same-origin")]), accepted());
        for headers in [&EVIL[..], &[], &[("sec-fetch-site", "none")], &[EVIL[1]]] {
            assert_eq!(with(&gate, method, headers), cross_site(), "{method} {headers:?}");
        }
    }
    // It is removed as it was set: otherwise, browsers keep it.
    let source = cookie().trusted_origin("https://localhost").build().unwrap();
    let gate = Gate::new(layer(source).optional());
    let headers = [page[0], page[1], ("cookie", "at=x")];
    let answer = gate.send(request("GET", &headers));
    let removal = "at=; HttpOnly; SameSite=None; Secure; Partitioned; Path=/; Max-Age=0; \
                   Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    assert!(answer.headers.contains(&("set-cookie".into(), removal.into())), "{answer:?}");
}

#[test]
fn b78_behind_a_proxy_that_asks_the_method_is_in_a_header() {
    let cookie = || TokenSource::cookie("at").forwarded_method("x-forwarded-method");
    let error = cookie().build().unwrap_err().to_string();
    assert!(error.contains("public_origin"), "{error}");
    let gate = gate_of(cookie().public_origin("https://app.example.com"));
    let method = |value| ("x-forwarded-method", value);
    let own = ("origin", "https://app.example.com");
    for value in ["GET", "HEAD", "OPTIONS"] {
        assert_eq!(with(&gate, "GET", &[EVIL[0], EVIL[1], method(value)]), accepted(), "{value}");
    }
    for headers in [&[method("POST")][..], &[method("get")], &[], &[method("GET"), method("GET")]] {
        assert_eq!(with(&gate, "GET", &[headers, &EVIL].concat()), cross_site(), "{headers:?}");
        assert_eq!(with(&gate, "GET", &[headers, &[own]].concat()), accepted(), "{headers:?}");
    }
    // nginx makes 500 of all that is neither 401 nor 403.
    let mut expected = invalid_request();
    expected.status = 401;
    let doubled = request("GET", &[("cookie", "at=x; at=y"), method("GET")]);
    assert_eq!(gate.send(doubled), expected);
    let malformed = request("GET", &[("authorization", "Bearer a, Bearer b"), method("GET")]);
    assert_eq!(gate.send(malformed), expected);
    assert_eq!(gate.send(request("GET", &[method("GET")])), bare());
}

#[test]
fn b56_the_log_says_what_was_said_and_what_to_set() {
    let said = |cookie: CookieSourceBuilder, headers: &[(&str, &str)]| {
        let gate = gate_of(cookie);
        let mut answer = None;
        let said = events(|| answer = Some(with(&gate, "POST", headers)));
        assert_eq!(answer.unwrap(), cross_site(), "the client is told nothing");
        said
    };
    let site = |value| ("sec-fetch-site", value);
    let proxied = [("origin", "https://app.example.com"), site("same-origin")];
    let other = EVIL;
    let alias = [("origin", "http://localhost:3000"), site("same-origin")];
    let local = || TokenSource::cookie("at").public_origin("http://127.0.0.1:3000");
    for (said, parts) in [
        (
            said(TokenSource::cookie("at"), &proxied),
            &["public_origin", "https://app.example.com", "host, app.example:", "same-origin"][..],
        ),
        (
            said(TokenSource::cookie("at"), &other),
            &["trusted_origin", "https://evil.example", "cross-site"],
        ),
        (said(local(), &alias), &["open", "http://127.0.0.1:3000", "http://localhost:3000"]),
    ] {
        for part in parts {
            assert!(!cfg!(feature = "tracing") || said.contains(part), "{part}: {said}");
        }
        assert!(!said.contains(&good()[..40]));
    }
}

#[test]
fn a_preflight_that_is_refused_says_that_cors_belongs_outside() {
    let gate = Gate::new(JwtAuthLayer::new(builder::<RegisteredClaims>().build().unwrap()));
    let preflight = request(
        "OPTIONS",
        &[("origin", "https://a.example"), ("access-control-request-method", "PUT")],
    );
    let said = events(|| assert_eq!(gate.send(preflight), bare()));
    let expected = ["INFO", "kind=\"preflight\"", "CORS layer outside"];
    for part in expected {
        assert!(!cfg!(feature = "tracing") || said.contains(part), "{part}: {said}");
    }
}

#[test]
fn b61_the_query_has_a_name_of_its_own() {
    let gate = Gate::new(layer(TokenSource::query_named("token")));
    let get = |query: &str| {
        let uri = format!("/events?{query}");
        let request = Request::get(uri).header("accept", "text/event-stream");
        gate.send(request.body(String::new()).unwrap())
    };
    let private = accepted().with("cache-control", "private");
    assert_eq!(get(&format!("token={}", good())), private);
    assert_eq!(get(&format!("access_token={}", good())), bare());
    assert_eq!(get("token=a&token=b"), invalid_request());
}

#[test]
fn a_websocket_offers_the_token_behind_a_prefix() {
    let gate = Gate::new(layer(TokenSource::websocket_protocol_prefix("bearer.")));
    let offers = |offers: String| gate.send(request("GET", &[("sec-websocket-protocol", offers)]));
    assert_eq!(offers(format!("chat, bearer.{}", good())), accepted());
    assert_eq!(offers(format!("bearer, {}", good())), bare());
    assert_eq!(offers("chat, bearer.".into()), invalid_request());
}

/// A token in two cookies, as in `B54`.
fn chunks() -> CustomSourceBuilder {
    fn chunk(headers: &HeaderMap, name: &str) -> Option<String> {
        let all = headers.get_all(header::COOKIE).iter().map(|value| value.to_str().unwrap());
        let mut pairs = all.flat_map(|value| value.split("; "));
        pairs.find_map(|pair| Some(pair.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
    }
    TokenSource::custom_builder(|_, _, headers| {
        Some(chunk(headers, "sb-token.0")? + &chunk(headers, "sb-token.1")?)
    })
    .cookies(|name| name.starts_with("sb-token."))
}

#[test]
fn b54_a_token_in_chunks_is_guarded_and_stripped_like_a_cookie() {
    let token = good();
    let (one, two) = token.split_at(50);
    let cookies = format!("a=1; sb-token.0={one}; sb-token.1={two}; b=2");
    let gate = Gate::new(layer(chunks().build().unwrap()));
    let send = |method: &str, headers: &[(&str, &str)]| {
        gate.send(request(method, &[headers, &[("cookie", &cookies)]].concat()))
    };
    assert_eq!(send("GET", &[]), accepted());
    assert_eq!(send("POST", &EVIL), cross_site());
    assert_eq!(send("POST", &[("sec-fetch-site", "same-origin")]), accepted());
    let trusting = chunks().trusted_origin("https://evil.example").build().unwrap();
    let request = request("POST", &[("cookie", &*cookies), EVIL[0], EVIL[1]]);
    assert_eq!(Gate::new(layer(trusting)).send(request), accepted());

    let bearer = format!("Bearer {token}");
    let beside = [("authorization", &*bearer), EVIL[0], EVIL[1]];
    assert_eq!(send("POST", &beside), accepted(), "a header counts by itself");
}

#[tokio::test]
async fn b54_what_a_function_reads_is_taken_out() {
    use tower::{Layer, ServiceExt, service_fn};

    let source = chunks().header(header::HeaderName::from_static("x-chunk")).build().unwrap();
    let service =
        layer(source).strip_token().layer(service_fn(async |request: Request<String>| {
            let cookies = request.headers().get_all(header::COOKIE).iter();
            let cookies: Vec<_> = cookies.map(|value| value.to_str().unwrap().to_owned()).collect();
            assert!(!request.headers().contains_key("x-chunk"));
            Ok::<_, std::convert::Infallible>(http::Response::new(cookies.join("|")))
        }));
    let token = good();
    let (one, two) = token.split_at(50);
    let request = Request::get("/")
        .header("cookie", format!("a=1; sb-token.0={one}; sb-token.1={two}"))
        .header("cookie", "sb-token.2=x; b=2")
        .header("x-chunk", "y");
    let response = service.oneshot(request.body(String::new()).unwrap()).await.unwrap();
    assert_eq!((response.status().as_u16(), &**response.body()), (200, "a=1|b=2"));
}

#[test]
fn a_function_that_is_not_ambient_has_no_origins() {
    let plain = || TokenSource::custom_builder(|_, _, _| Some(json!(1).to_string()));
    assert!(plain().build().is_ok());
    for wrong in [
        plain().trusted_origin("https://a.example"),
        plain().ambient().trusted_origin("a.example"),
        plain().header(header::COOKIE),
        plain().ambient().forwarded_method("x-forwarded-method"),
    ] {
        assert!(wrong.build().is_err());
    }
    assert!(plain().ambient().public_origin("https://a.example").build().is_ok());
}
