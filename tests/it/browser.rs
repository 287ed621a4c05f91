//! A cookie is sent by the browser and not by the page, so it counts only
//! where the page is shown to be one of ours.

use http::Request;
use tower_jwt_auth::{Algorithm, JwtAuthLayer, RegisteredClaims, TokenSource};

use crate::{
    gate::{
        Answer, Gate, accepted, bare, cookie_gate, cross_site, gate, invalid_token, request,
        without_claims,
    },
    support::{builder, claims, key},
};

const UNSAFE: [&str; 9] =
    ["POST", "PUT", "PATCH", "DELETE", "CONNECT", "TRACE", "QUERY", "PROPFIND", "get"];

const OWN: (&str, &str) = ("origin", "https://app.example");

fn good() -> String {
    key(Algorithm::ES256).token(&claims())
}

/// A request to a gate with the good cookie and these headers.
fn with(gate: &Gate, method: &str, headers: &[(&str, &str)]) -> Answer {
    let cookie = format!("at={}", good());
    gate.send(request(method, &[headers, &[("cookie", &cookie)]].concat()))
}

fn site(value: &str) -> (&str, &str) {
    ("sec-fetch-site", value)
}

fn gate_of(cookie: TokenSource) -> Gate {
    Gate::new(JwtAuthLayer::new(builder::<RegisteredClaims>().build().unwrap()).source(cookie))
}

#[test]
fn w02_a_cookie_from_elsewhere_does_nothing_unsafe() {
    let refused: &[&[(&str, &str)]] = &[
        &[],
        &[site("cross-site")],
        &[site("same-site")],
        &[site("none")],
        &[site("")],
        &[site("SAME-ORIGIN")],
        &[site("same-origin, same-origin")],
        &[site("same-origin ,")],
        &[site("same-origin"), site("same-origin")],
        &[site("same-origin"), site("cross-site")],
        &[site("cross-site"), OWN],
        &[site("same-site"), OWN],
        &[site("none"), OWN],
        &[site("same-site"), ("origin", "https://evil.app.example")],
        &[site("same-origin"), ("origin", "https://evil.example")],
        &[site("same-origin"), ("origin", "null")],
        &[site("same-origin"), ("origin", "")],
        &[site("same-origin"), OWN, OWN],
        &[("origin", "null")],
        &[("origin", "")],
        &[OWN, OWN],
        &[OWN, ("origin", "https://evil.example")],
        &[("origin", "https://evil.example"), OWN],
        &[("origin", "https://app.example https://app.example")],
        &[("origin", "https://app.example, https://app.example")],
        &[("origin", "https://app.example.evil.example")],
        &[("origin", "https://evilapp.example")],
        &[("origin", "https://evil.example/app.example")],
        &[("origin", "https://evil.example?app.example")],
        &[("origin", "https://evil.example#app.example")],
        &[("origin", "https://app.example@evil.example")],
        &[("origin", "https://evil.example@app.example")],
        &[("origin", "https://app.example:443@evil.example")],
        &[("origin", "https://app.example\\.evil.example")],
        &[("origin", "https://app.example%2eevil.example")],
        &[("origin", "https://sub.app.example")],
        &[("origin", "https://app.example.")],
        &[("origin", "https://app.example:8443")],
        &[("origin", "https://app.example:")],
        &[("origin", "https://app.example:0443x")],
        &[("origin", "https://app.example/")],
        &[("origin", " https://app.example")],
        &[("origin", "https:/app.example")],
        &[("origin", "https:app.example")],
        &[("origin", "//app.example")],
        &[("origin", "app.example")],
        &[("origin", "ftp://app.example")],
        &[("origin", "file://")],
        &[("origin", "chrome-extension://app.example")],
        &[("origin", "https://аpp.example")],
        &[("origin", "http://app.example:443x")],
        &[("referer", "https://app.example/page")],
        &[("x-http-method-override", "GET")],
        &[("x-http-method", "GET"), ("x-method-override", "HEAD")],
        &[("content-type", "text/plain")],
        &[("x-requested-with", "XMLHttpRequest")],
        &[("sec-fetch-mode", "same-origin"), ("sec-fetch-dest", "empty")],
        &[("x-forwarded-host", "evil.example"), ("origin", "https://evil.example")],
        &[("forwarded", "host=evil.example"), ("origin", "https://evil.example")],
        &[("host", "evil.example"), ("origin", "https://evil.example")],
        &[("host", "evil.example"), OWN],
    ];
    for method in UNSAFE {
        for headers in refused {
            assert_eq!(with(cookie_gate(), method, headers), cross_site(), "{method} {headers:?}");
        }
    }
}

#[test]
fn w02_what_no_text_is_proves_nothing() {
    let cookie = format!("at={}", good()).into_bytes();
    for (name, value) in [
        ("origin", &b"https://app.example\xff"[..]),
        ("origin", b"\xff"),
        ("sec-fetch-site", b"same-origin\xff"),
        ("sec-fetch-site", b"\x80"),
    ] {
        for rest in [("x", &b"x"[..]), ("origin", b"https://app.example")] {
            let headers = [("cookie", &cookie[..]), (name, value), rest];
            assert_eq!(cookie_gate().send(request("POST", &headers)), cross_site());
        }
    }
}

#[test]
fn w02_a_cookie_from_our_own_page_counts() {
    let own: &[&[(&str, &str)]] = &[
        &[site("same-origin")],
        &[site("same-origin"), OWN],
        &[OWN],
        &[("origin", "https://app.example:443")],
        &[("origin", "HTTPS://APP.EXAMPLE")],
        &[OWN, ("x-http-method-override", "DELETE")],
        &[OWN, ("referer", "https://evil.example/")],
    ];
    for method in UNSAFE {
        for headers in own {
            assert_eq!(with(cookie_gate(), method, headers), accepted(), "{method} {headers:?}");
        }
    }
}

#[test]
fn w02_a_safe_method_needs_no_proof_unless_it_opens_a_socket() {
    for method in ["GET", "HEAD", "OPTIONS"] {
        for headers in [&[][..], &[site("cross-site")], &[("origin", "null")]] {
            assert_eq!(with(cookie_gate(), method, headers), accepted(), "{method} {headers:?}");
        }
    }
    for upgrade in ["websocket", "WebSocket", "h2c, websocket", "foo,websocket ,bar"] {
        let socket = ("upgrade", upgrade);
        assert_eq!(with(cookie_gate(), "GET", &[socket]), cross_site(), "{upgrade}");
        let evil = [socket, ("origin", "https://evil.example")];
        assert_eq!(with(cookie_gate(), "GET", &evil), cross_site(), "{upgrade}");
        assert_eq!(with(cookie_gate(), "GET", &[socket, OWN]), accepted(), "{upgrade}");
    }
    let two = [("upgrade", "h2c"), ("upgrade", "websocket")];
    assert_eq!(with(cookie_gate(), "GET", &two), cross_site());
}

#[test]
fn w02_the_host_of_the_request_is_the_one_that_was_asked() {
    let send = |uri: &str, hosts: &[&str], origin: &str| {
        let mut request = Request::builder().method("POST").uri(uri).header("origin", origin);
        for host in hosts {
            request = request.header("host", *host);
        }
        let request = request.header("cookie", format!("at={}", good()));
        cookie_gate().send(request.body(String::new()).unwrap())
    };
    for (uri, hosts, origin, good) in [
        ("https://app.example/", &[][..], "https://app.example", true),
        ("https://app.example/", &["evil.example"], "https://app.example", true),
        ("https://app.example/", &["evil.example"], "https://evil.example", false),
        ("https://app.example/", &[], "http://app.example", false),
        ("https://app.example:8443/", &[], "https://app.example:8443", true),
        ("https://app.example:8443/", &[], "https://app.example", false),
        ("/", &["app.example:8443"], "https://app.example:8443", true),
        ("/", &["[::1]:80"], "http://[::1]", true),
        ("/", &["[::1]"], "http://[::1]:8080", false),
        ("/", &[], "https://app.example", false),
        ("/", &[""], "https://", false),
        ("/", &["null"], "null", false),
        ("/", &["app.example", "app.example"], "https://app.example", false),
        ("/", &["evil.example, app.example"], "https://app.example", false),
        ("/", &["evil.example@app.example"], "https://app.example", false),
        ("/", &["app.example:99999"], "https://app.example:99999", false),
        ("/", &["app.example/x"], "https://app.example/x", false),
    ] {
        let expected = if good { accepted() } else { cross_site() };
        assert_eq!(send(uri, hosts, origin), expected, "{uri} {hosts:?} {origin}");
    }
}

#[test]
fn w02_trusted_origins_are_named_in_full() {
    let cookie = TokenSource::cookie("at").trusted_origin("https://admin.example:8443");
    let gate = gate_of(cookie.build().unwrap());
    let admin = ("origin", "https://admin.example:8443");
    for headers in [&[admin][..], &[site("cross-site"), admin], &[site("same-site"), admin], &[OWN]]
    {
        assert_eq!(with(&gate, "POST", headers), accepted(), "{headers:?}");
    }
    for headers in [
        &[][..],
        &[admin, admin],
        &[admin, OWN],
        &[site("none"), admin],
        &[site("cross-site"), OWN],
        &[("origin", "https://admin.example")],
        &[("origin", "http://admin.example:8443")],
        &[("origin", "https://admin.example:8443.evil.example")],
        &[("origin", "https://x.admin.example:8443")],
        &[("origin", "null")],
    ] {
        assert_eq!(with(&gate, "POST", headers), cross_site(), "{headers:?}");
    }
    for origin in ["", "*", "null", "admin.example", "https://*.example", "https://a.example/"] {
        assert!(TokenSource::cookie("at").trusted_origin(origin).build().is_err(), "{origin:?}");
    }
}

#[test]
fn w02_no_mode_of_the_layer_lets_it_pass() {
    let layer = || {
        JwtAuthLayer::new(builder::<RegisteredClaims>().build().unwrap())
            .source(TokenSource::cookie("at").build().unwrap())
    };
    let evil = [site("cross-site"), ("origin", "https://evil.example")];
    assert_eq!(with(&Gate::new(layer().optional()), "POST", &evil), cross_site());
    assert_eq!(with(&Gate::new(layer().strip_token()), "POST", &evil), cross_site());
    assert_eq!(with(&Gate::new(layer().pass_through()), "POST", &evil), without_claims());
    let basic = [site("cross-site"), ("authorization", "Basic YTpi")];
    assert_eq!(with(cookie_gate(), "POST", &basic), cross_site());
    // The answer is the same whatever the cookie is worth.
    for cookie in ["at=x", "at=\"", "at=a.b.c"] {
        let answer = cookie_gate().send(request("POST", &[("cookie", cookie)]));
        assert_eq!(answer, cross_site(), "{cookie}");
    }
    let open = TokenSource::cookie("at").dangerous().without_cross_site_check().build().unwrap();
    assert_eq!(with(&gate_of(open), "POST", &evil), accepted(), "only by this name");
}

#[test]
fn w02_the_cookie_header_is_no_way_around() {
    let header = TokenSource::header(http::header::COOKIE);
    let layer = JwtAuthLayer::new(builder::<RegisteredClaims>().build().unwrap());
    let gate = Gate::new(layer.source(header));
    let cookie = ("cookie", good());
    let send = |method, headers: &[_]| gate.send(request(method, headers));
    assert_eq!(send("GET", std::slice::from_ref(&cookie)), accepted());
    assert_eq!(send("POST", std::slice::from_ref(&cookie)), cross_site());
    let site = |site: &str| ("sec-fetch-site", site.to_owned());
    assert_eq!(send("POST", &[cookie.clone(), site("cross-site")]), cross_site());
    assert_eq!(send("POST", &[cookie, site("same-origin")]), accepted());
}

#[test]
fn w07_a_header_is_not_sent_by_itself() {
    let bearer = format!("Bearer {}", good());
    let token = ("authorization", &*bearer);
    for method in UNSAFE {
        for headers in [
            &[token][..],
            &[token, site("cross-site"), ("origin", "https://evil.example")],
            &[token, ("origin", "null")],
            &[token, site("none")],
            &[token, ("cookie", "other=1"), site("cross-site")],
        ] {
            for gate in [gate(), cookie_gate()] {
                assert_eq!(gate.send(request(method, headers)), accepted(), "{method} {headers:?}");
            }
        }
        let bad = [("authorization", "Bearer x"), site("cross-site")];
        assert_eq!(cookie_gate().send(request(method, &bad)), invalid_token());
        let none = [site("cross-site"), ("cookie", "other=1")];
        assert_eq!(cookie_gate().send(request(method, &none)), bare());
    }
}
