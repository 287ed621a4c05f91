//! Where a token may stand in a request, and where not (RFC 6750 §2, RFC 9110
//! §11).

use http::{HeaderName, Request};
use tower_jwt_auth::{Algorithm, JwtAuthLayer, RegisteredClaims, TokenSource};

use crate::{
    gate::{
        Gate, accepted, accepted_for, bare, cookie_gate, gate, invalid_request, invalid_token,
        request, without_claims,
    },
    support::{builder, claims, claims_with, key},
};

fn good() -> String {
    key(Algorithm::ES256).token(&claims())
}

fn layer() -> JwtAuthLayer<RegisteredClaims> {
    JwtAuthLayer::new(builder().build().unwrap())
}

#[test]
fn t01_no_token_is_a_bare_challenge() {
    assert_eq!(gate().get::<&str>(&[]), bare());
    assert_eq!(gate().get(&[("x-other", "1")]), bare());
    for method in ["GET", "POST", "OPTIONS", "HEAD", "TRACE", "get"] {
        assert_eq!(gate().send(request::<&str>(method, &[])), bare(), "{method}");
    }
    assert_eq!(cookie_gate().send(request("POST", &[("cookie", "other=1")])), bare());
}

#[test]
fn t01_a_realm_stands_in_every_challenge() {
    let gate = Gate::new(layer().realm("a \"b\""));
    let challenge = |answer: crate::gate::Answer| answer.headers[1].1.clone();
    assert_eq!(challenge(gate.get::<&str>(&[])), r#"Bearer realm="a \"b\"""#);
    for (headers, error) in [("Bearer", "invalid_request"), ("Bearer x", "invalid_token")] {
        let start = format!(r#"Bearer realm="a \"b\"", error="{error}", error_description=""#);
        let challenge = challenge(gate.get(&[("authorization", headers)]));
        assert!(challenge.starts_with(&start), "{challenge}");
    }
}

#[test]
fn t02_the_scheme_has_no_case_and_may_be_followed_by_blanks() {
    for scheme in ["Bearer ", "bearer ", "BEARER ", "bEaReR ", "Bearer  ", "bearer      "] {
        let value = format!("{scheme}{}", good());
        assert_eq!(gate().get(&[("authorization", &value)]), accepted(), "{scheme:?}");
        assert_eq!(gate().get(&[("AUTHORIZATION", value + "  ")]), accepted(), "{scheme:?}");
    }
}

#[test]
fn t03_another_scheme_is_no_token() {
    let good = good();
    for scheme in [
        "Basic ", "Token ", "Bearerx ", "xBearer ", "JWT ", "DPoP ", "Bearer\t", "Bearer:", "", "B",
    ] {
        let value = format!("{scheme}{good}");
        assert_eq!(gate().get(&[("authorization", &value)]), bare(), "{scheme:?}");
        assert_eq!(gate().get(&[("authorization", scheme)]), bare(), "{scheme:?}");
    }
    assert_eq!(gate().get(&[("authorization", "Basic YWxpY2U6cGFzcw==")]), bare());
    assert_eq!(gate().get(&[("authorization", format!("Basic, Bearer {good}"))]), bare());
}

#[test]
fn t04_a_scheme_without_a_token_is_a_bad_request() {
    for value in ["Bearer", "bearer", "Bearer ", "Bearer      "] {
        assert_eq!(gate().get(&[("authorization", value)]), invalid_request(), "{value:?}");
        // A cookie does not make up for it.
        let headers = [("authorization", value), ("cookie", &format!("at={}", good()))];
        assert_eq!(cookie_gate().get(&headers), invalid_request(), "{value:?}");
    }
}

#[test]
fn t05_two_tokens_in_the_header_are_a_bad_request() {
    let (token, other) = (good(), key(Algorithm::HS256).token(&claims()));
    let (one, two) = (format!("Bearer {token}"), format!("Bearer {other}"));
    for (first, second) in [
        (&*one, &*two),
        (&one, &one),
        ("Basic YTpi", &one),
        (&one, "Basic YTpi"),
        ("", &one),
        (&one, ""),
        ("Bearer", &one),
    ] {
        let headers = [("authorization", first), ("authorization", second)];
        assert_eq!(gate().get(&headers), invalid_request());
    }
    for rest in [", Bearer b", ",Bearer b", ", b", ",", " b", " realm=x", ", realm=\"x\""] {
        let value = format!("{one}{rest}");
        assert_eq!(gate().get(&[("authorization", value)]), invalid_request(), "{rest:?}");
    }
    for value in [format!("{one}, {two}"), format!("{one} {token}"), format!("Bearer , {token}")] {
        assert_eq!(gate().get(&[("authorization", value)]), invalid_request());
    }
    assert_eq!(gate().get(&[("authorization", "Bearer a, Bearer b")]), invalid_request());
}

#[test]
fn t06_bytes_outside_visible_ascii_are_a_bad_request() {
    let good = good();
    for byte in (0x80..=0xff).chain([b'\t']) {
        let at = |token: &str, place| {
            let mut value = format!("Bearer {token}").into_bytes();
            value.insert(place, byte);
            gate().get(&[("authorization", value)])
        };
        assert_eq!(at(&good, 8), invalid_request(), "{byte:#x}");
        assert_eq!(at(&good, 7 + good.len()), invalid_request(), "{byte:#x}");
        assert_eq!(at("", 7), invalid_request(), "{byte:#x}");
        // There it is another scheme.
        assert_eq!(at(&good, 0), bare(), "{byte:#x}");
        assert_eq!(at(&good, 6), bare(), "{byte:#x}");
        let cookie = [b"at=", &[byte][..], good.as_bytes(), b";"].concat();
        let answer = cookie_gate().get(&[("cookie", cookie)]);
        assert_eq!(answer, if byte == b'\t' { accepted() } else { invalid_request() });
    }
    assert_eq!(gate().get(&[("authorization", "Bearer ä.b.c")]), invalid_request());
}

#[test]
fn t09_cookies_are_read_as_they_are_written() {
    let good = good();
    let with = |cookie: &str| cookie_gate().get(&[("cookie", cookie.replace('%', &good))]);
    for cookie in [
        "at=%",
        "at=\"%\"",
        "a=b; at=%; Path=/; HttpOnly; Secure",
        "a=b;at=%;c=d",
        "$Version=1; at=%; $Path=/",
        ";;  at = % ;",
        "\tat=%",
        "AT=x; At=y; at=%; a=t; ata=t; =at; at",
        "a=\"x; at=%; b=y\"",
    ] {
        assert_eq!(with(cookie), accepted(), "{cookie}");
    }
    for cookie in [
        "", "at=", "at=\"\"", "AT=%", "=at=%", "x=at=%", "xat=%", "at", "a%74=%", "at,x=%",
        "x,at=%",
    ] {
        assert_eq!(with(cookie), bare(), "{cookie}");
    }
    // No prefix and no blank of another kind makes the name of it.
    for name in ["\u{2000}at", "\u{a0}at", "at\u{85}", "\u{feff}at"] {
        assert_eq!(with(&format!("{name}=%")), bare(), "{name:?}");
    }
    for cookie in ["at=\"%", "at=%\"", "at=\"\"%\"\"", "at=%,x", "at=\"", "at=x=%"] {
        assert_eq!(with(cookie), invalid_token(), "{cookie}");
    }
    for cookie in ["at=% x", "at=x %", "at=\" %\""] {
        assert_eq!(with(cookie), invalid_request(), "{cookie}");
    }
}

#[test]
fn t10_a_place_that_was_not_asked_for_is_not_looked_at() {
    let good = good();
    for uri in [format!("/?access_token={good}"), format!("/{good}"), format!("/?token={good}")] {
        let request = Request::builder().uri(&uri).body(String::new()).unwrap();
        assert_eq!(gate().send(request), bare());
    }
    let bearer = format!("bearer, {good}");
    for (name, value) in [
        ("sec-websocket-protocol", &bearer),
        ("cookie", &format!("at={good}")),
        ("x-access-token", &good),
        ("access_token", &good),
    ] {
        assert_eq!(gate().get(&[(name, value)]), bare(), "{name}");
    }
    let without = Gate::new(layer().sources([]));
    assert_eq!(without.bearer(&good), bare());
}

#[test]
fn t10_a_place_that_was_asked_for_is() {
    let good = good();
    let again = layer().source(TokenSource::authorization());
    assert_eq!(Gate::new(again).bearer(&good), accepted(), "one place, named twice");

    let query = Gate::new(layer().source(TokenSource::query()));
    let mut private = accepted();
    private.headers.push(("cache-control".into(), "private".into()));
    let request = Request::builder().uri(format!("/?a=1&access_token={good}"));
    assert_eq!(query.send(request.body(String::new()).unwrap()), private);

    let socket = Gate::new(layer().source(TokenSource::websocket_protocol("bearer")));
    let answer = socket.get(&[("sec-websocket-protocol", format!("chat, bearer, {good}"))]);
    assert_eq!(answer, accepted());

    let header = Gate::new(layer().source(TokenSource::header(HeaderName::from_static("x-at"))));
    for value in [good.clone(), format!("Bearer {good}")] {
        assert_eq!(header.get(&[("x-at", &value)]), accepted());
        assert_eq!(header.get(&[("x-at", &value), ("x-at", &value)]), invalid_request());
    }
}

#[test]
fn t11_a_query_that_is_encoded_wrongly_is_a_bad_request() {
    let good = good();
    let gate = Gate::new(layer().source(TokenSource::query()));
    let with = |query: &str| {
        let uri = format!("/?{}", query.replace('$', &good));
        gate.send(Request::builder().uri(uri).body(String::new()).unwrap())
    };
    for value in ["%FF", "%", "%4", "%zz", "%+1", "%C3", "%C0%80", "%ED%A0%80", "$%", "%$", "$%FF"]
    {
        assert_eq!(with(&format!("access_token={value}")), invalid_request(), "{value}");
    }
    assert_eq!(with("access_token=$&access_token=$"), invalid_request());
    assert_eq!(with("access_token=$&access_token"), invalid_request());
    assert_eq!(with("access_token="), invalid_request());
    for value in ["%00", "%20$", "+$", "%C3%A4", "$%0A", "$%2E"] {
        assert_eq!(with(&format!("access_token={value}")), invalid_token(), "{value}");
    }
    for query in ["", "ACCESS_TOKEN=$", "access%5Ftoken=$", "access_token[]=$", "x;access_token=$"]
    {
        assert_eq!(with(query), bare(), "{query}");
    }
    let encoded: String = good.bytes().map(|byte| format!("%{byte:02x}")).collect();
    assert_eq!(with(&format!("access_token={encoded}")).status, 200);
}

#[test]
fn t12_a_token_over_the_limit_is_refused() {
    let padded = |length: usize| {
        let token = |room: usize| {
            key(Algorithm::HS256).token(&claims_with(serde_json::json!({"room": "x".repeat(room)})))
        };
        (length * 3 / 4 - 500..length).map(token).find(|token| token.len() >= length).unwrap()
    };
    // Four characters hold three bytes, so not every length can be hit.
    let long = padded(8192);
    let gate_of = |limit| Gate::of(builder::<RegisteredClaims>().max_token_len(limit));
    assert_eq!(gate_of(long.len()).bearer(&long), accepted());
    assert_eq!(gate_of(long.len() - 1).bearer(&long), invalid_token());
    assert_eq!(gate().bearer(&padded(8193)), invalid_token());
    for megabyte in ["x".repeat(1 << 20), ".".repeat(1 << 20), good() + &"A".repeat(1 << 20)] {
        assert_eq!(gate().bearer(&megabyte), invalid_token());
        assert_eq!(cookie_gate().get(&[("cookie", format!("at={megabyte}"))]), invalid_token());
    }
    let blanks = format!("Bearer {}{}{}", " ".repeat(1 << 20), good(), " ".repeat(1 << 20));
    assert_eq!(gate().get(&[("authorization", blanks)]), accepted(), "blanks are no token");
}

#[test]
fn t13_a_preflight_passes_only_if_asked_for_and_without_claims() {
    let good = ("authorization", &*format!("Bearer {}", good()));
    let origin = ("origin", "https://other.example");
    let wants = ("access-control-request-method", "DELETE");
    let open = Gate::new(layer().allow_preflight());
    assert_eq!(gate().send(request("OPTIONS", &[origin, wants])), bare());
    assert_eq!(open.send(request("OPTIONS", &[origin, wants])), without_claims());
    assert_eq!(open.send(request("OPTIONS", &[origin, wants, good])), without_claims());
    for (method, headers) in [
        ("OPTIONS", &[origin][..]),
        ("OPTIONS", &[wants]),
        ("OPTIONS", &[]),
        ("GET", &[origin, wants]),
        ("POST", &[origin, wants, ("x-http-method-override", "OPTIONS")]),
        ("options", &[origin, wants]),
    ] {
        assert_eq!(open.send(request(method, headers)), bare(), "{method} {headers:?}");
    }
    assert_eq!(open.send(request("OPTIONS", &[good])), accepted());
}

#[test]
fn t14_parted_cookie_headers_are_one() {
    let good = format!("at={}", good());
    for headers in [
        &[("cookie", "a=1"), ("cookie", &good)][..],
        &[("cookie", &good), ("cookie", "b=2")],
        &[("cookie", "a=1; b=2"), ("cookie", ""), ("cookie", &good), ("cookie", "c=3")],
    ] {
        assert_eq!(cookie_gate().get(headers), accepted());
    }
}

#[test]
fn t15_a_request_is_not_known_by_the_one_before_it() {
    assert_eq!(gate().bearer(&good()), accepted());
    assert_eq!(gate().get::<&str>(&[]), bare());
    let bob = key(Algorithm::ES256).token(&claims_with(serde_json::json!({"sub": "bob"})));
    assert_eq!(gate().bearer(&bob), accepted_for("bob"));
    assert_eq!(gate().bearer("x"), invalid_token());
    let optional = Gate::new(layer().optional());
    assert_eq!(optional.bearer(&good()), accepted());
    assert_eq!(optional.get::<&str>(&[]), without_claims());
    assert_eq!(optional.bearer("x"), invalid_token());
}

#[test]
fn t15_claims_of_an_outer_layer_do_not_pass_as_those_of_an_inner_one() {
    let good = format!("at={}", good());
    let cookies = layer().sources([TokenSource::cookie("at").build().unwrap()]);
    for inner in [layer().optional(), layer().pass_through(), layer().allow_preflight().optional()]
    {
        let nested = tower::Layer::layer(&inner, crate::gate::handler::<RegisteredClaims>());
        let gate = Gate::around(&cookies, crate::gate::Inner::new(nested));
        assert_eq!(gate.get(&[("cookie", &good)]), without_claims());
    }
}

#[test]
fn t16_what_only_looks_like_a_token_is_none() {
    let bearer = format!("Bearer {}", good());
    for name in [
        "proxy-authorization",
        "x-forwarded-authorization",
        "x-authorization",
        "authorization-info",
        "authentication",
        "www-authenticate",
        "x-original-authorization",
        "x-forwarded-user",
    ] {
        assert_eq!(gate().get(&[(name, &bearer)]), bare(), "{name}");
    }
    for scheme in
        ["Вearer", "Ｂearer", "Bеarer", "Bearer\u{a0}", "\u{200b}Bearer", "\u{feff}Bearer"]
    {
        let value = bearer.replace("Bearer", scheme);
        assert_eq!(gate().get(&[("authorization", value)]), bare(), "{scheme:?}");
    }
    for body in [bearer.clone(), format!("access_token={}", good())] {
        let mut request = request("GET", &[("content-type", "application/x-www-form-urlencoded")]);
        *request.body_mut() = body.clone();
        assert_eq!(gate().send(request), bare());
        let mut request = self::request("POST", &[("x-http-method-override", "GET")]);
        *request.body_mut() = body;
        assert_eq!(gate().send(request), bare());
    }
}
