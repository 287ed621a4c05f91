//! The check, and what it says of a refusal.

use http::Request;

use super::*;

fn guard(public: Option<&str>, trusted: &[&str]) -> Guard {
    let mut guard = Guard::default();
    if let Some(origin) = public {
        guard.set_public(origin).unwrap();
    }
    trusted.iter().for_each(|origin| guard.add_trusted(origin).unwrap());
    guard
}

/// `headers` as `name: value` lines, on top of `host: app.example`.
fn passes(method: &str, headers: &[(&str, &str)], trusted: &[&str]) -> bool {
    let mut request = Request::builder().method(method).uri("/").header("host", "app.example");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    guard(None, trusted).check(&parts.method, &parts.uri, &parts.headers).is_ok()
}

#[test]
fn safe_methods_pass_but_for_websockets() {
    for method in ["GET", "HEAD", "OPTIONS"] {
        assert!(passes(method, &[("origin", "https://evil.example")], &[]));
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "CONNECT", "TRACE", "get", "QUERY"] {
        assert!(!passes(method, &[], &[]), "{method}");
    }
    assert!(!passes("GET", &[("upgrade", "h2c, WebSocket")], &[]));
    let own = [("upgrade", "websocket"), ("origin", "https://app.example")];
    assert!(passes("GET", &own, &[]));
}

#[test]
fn evidence_is_positive() {
    let own = ("origin", "https://app.example");
    let site = |value| ("sec-fetch-site", value);
    assert!(passes("POST", &[site("same-origin")], &[]));
    assert!(passes("POST", &[own], &[]));
    assert!(passes("POST", &[site("same-origin"), own], &[]));
    assert!(passes("POST", &[("origin", "https://APP.example:443")], &[]));
    assert!(passes("POST", &[("origin", "http://app.example")], &[]));
    for headers in [
        &[][..],
        &[site("cross-site")],
        &[site("same-site")],
        &[site("none")],
        &[site("none"), own],
        &[site("Same-Origin")],
        &[site("same-origin"), site("same-origin")],
        &[site("cross-site"), own],
        &[site("same-site"), ("origin", "https://evil.app.example")],
        &[site("same-origin"), ("origin", "https://evil.example")],
        &[("origin", "null")],
        &[site("same-origin"), ("origin", "null")],
        &[own, own],
        &[own, ("origin", "https://evil.example")],
        &[("origin", "https://app.example.evil.example")],
        &[("origin", "https://app.example:8443")],
        &[("origin", "https://app.example/")],
        &[("origin", "https://evil@app.example")],
        &[("origin", "app.example")],
        &[("origin", "ftp://app.example")],
        &[("x-http-method-override", "GET")],
        &[("referer", "https://app.example/")],
    ] {
        assert!(!passes("POST", headers, &[]), "{headers:?}");
    }
}

#[test]
fn trusted_origins_pass() {
    let trusted = ["https://admin.example:8443", "capacitor://localhost"];
    let admin = ("origin", "https://admin.example:8443");
    assert!(passes("POST", &[admin], &trusted));
    assert!(passes("POST", &[("sec-fetch-site", "cross-site"), admin], &trusted));
    assert!(passes("POST", &[("sec-fetch-site", "same-origin"), admin], &trusted));
    assert!(passes("POST", &[("origin", "capacitor://localhost")], &trusted));
    assert!(!passes("POST", &[("sec-fetch-site", "none"), admin], &trusted));
    assert!(!passes("POST", &[("origin", "https://admin.example")], &trusted));
    for text in ["", "null", "app.example", "https://", "https://a/b", "https://a:x", "://a"] {
        assert!(Origin::new(text).is_err(), "{text:?}");
    }
}

#[test]
fn with_a_public_origin_the_host_has_no_say() {
    let guard = guard(Some("https://app.example"), &[]);
    let with = |origin: &str, host: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("origin", origin.parse().unwrap());
        headers.insert("host", host.parse().unwrap());
        guard.check(&Method::POST, &Uri::from_static("/"), &headers).is_ok()
    };
    assert!(with("https://app.example", "inside:3000"));
    assert!(!with("https://evil.example", "evil.example"));
    assert!(!with("http://app.example", "app.example"));
    for bad in ["ftp://app.example", "app.example", "https://app.example/x", ""] {
        assert!(Origin::of_a_service(bad).is_err(), "{bad}");
    }
}

#[test]
fn http_2_names_its_host_in_the_uri() {
    let uri: Uri = "https://app.example/x".parse().unwrap();
    let with = |origin: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("origin", origin.parse().unwrap());
        Guard::default().check(&Method::POST, &uri, &headers).is_ok()
    };
    assert!(with("https://app.example"));
    assert!(!with("http://app.example"), "the request came over TLS, the page did not");
    assert!(!with("https://other.example"));
}

#[test]
fn an_extension_is_trusted_by_its_name_with_what_browsers_send() {
    let trusted = ["chrome-extension://abcdef", "https://admin.example"];
    let extension = ("origin", "chrome-extension://abcdef");
    let site = |value| ("sec-fetch-site", value);
    for value in ["none", "cross-site"] {
        assert!(passes("POST", &[site(value), extension], &trusted), "{value}");
    }
    assert!(passes("POST", &[extension], &trusted));
    for headers in [
        [site("none"), ("origin", "chrome-extension://other")],
        [site("none"), ("origin", "https://admin.example")],
        [site("none"), ("origin", "null")],
        [site("None"), extension],
    ] {
        assert!(!passes("POST", &headers, &trusted), "{headers:?}");
    }
    assert!(!passes("POST", &[site("none"), extension, extension], &trusted));
    assert!(!passes("POST", &[site("none"), extension], &[]));
}

#[test]
fn the_method_of_the_proxy_decides() {
    let mut guard = guard(Some("https://app.example"), &[]);
    guard.set_method_header("x-original-method").unwrap();
    let with = |method: &Method, values: &[(&'static str, &'static str)]| {
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            headers.append(*name, value.parse().unwrap());
        }
        guard.check(method, &Uri::from_static("/auth"), &headers).is_ok()
    };
    let name = "x-original-method";
    for method in ["GET", "HEAD", "OPTIONS"] {
        assert!(with(&Method::GET, &[(name, method)]), "{method}");
        assert!(!with(&Method::POST, &[(name, method)]), "{method}");
        assert!(!with(&Method::GET, &[(name, method), ("sec-websocket-key", "x")]));
        assert!(!with(&Method::GET, &[(name, method), ("upgrade", "websocket")]));
    }
    for headers in [
        &[][..],
        &[(name, "POST")],
        &[(name, "get")],
        &[(name, "GET ,POST")],
        &[(name, "")],
        &[(name, "GET"), (name, "GET")],
        &[("x-forwarded-method", "GET")],
    ] {
        assert!(!with(&Method::GET, headers), "{headers:?}");
    }
    let own = ("origin", "https://app.example");
    assert!(with(&Method::GET, &[(name, "POST"), own]));
    assert!(!with(&Method::GET, &[(name, "POST"), ("origin", "https://evil.example")]));
}

#[test]
fn a_refusal_says_what_was_said_what_is_expected_and_what_to_set() {
    let reason = |guard: &Guard, host: &str, headers: &[(&str, &str)]| {
        let mut request = Request::post("/").header("host", host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let error = guard.check(&parts.method, &parts.uri, &parts.headers).unwrap_err();
        error.to_string()
    };
    let site = |value| ("sec-fetch-site", value);
    let origin = |value| ("origin", value);
    let plain = Guard::default();
    let app = guard(Some("https://app.example"), &["https://admin.example"]);
    let local = guard(Some("http://127.0.0.1:3000"), &[]);
    for (guard, host, headers, parts) in [
        (
            &plain,
            "127.0.0.1:8080",
            &[site("same-origin"), origin("https://app.example")][..],
            &[
                "`Sec-Fetch-Site: same-origin`",
                "`Origin: https://app.example`",
                "127.0.0.1:8080",
                "set `public_origin(\"https://app.example\")`",
            ][..],
        ),
        (
            &plain,
            "api.example",
            &[site("cross-site"), origin("https://other.example")],
            &["add `trusted_origin(\"https://other.example\")`"],
        ),
        (
            &app,
            "inside",
            &[site("same-origin"), origin("https://www.example")],
            &["`https://admin.example`", "correct `public_origin`"],
        ),
        (&plain, "a", &[], &["no `Sec-Fetch-Site` and no `Origin`", "`Authorization`"]),
        (&plain, "a", &[origin("null")], &["`Origin: null`", "sandboxed"]),
        (&plain, "a", &[origin("https://a"), origin("https://a")], &["more than once"]),
        (&plain, "a", &[site("none"), origin("https://a")], &["address bar"]),
        (
            &plain,
            "a",
            &[origin("https://b")],
            &["`public_origin(\"https://b\")`", "`trusted_origin(\"https://b\")`"],
        ),
        (
            &local,
            "localhost:3000",
            &[site("same-origin"), origin("http://localhost:3000")],
            &["open `http://127.0.0.1:3000` in place of `http://localhost:3000`"],
        ),
        (
            &plain,
            "127.0.0.1:3000",
            &[site("cross-site"), origin("http://localhost:3000")],
            &["open `http://127.0.0.1:3000` in place of `http://localhost:3000`"],
        ),
    ] {
        let reason = reason(guard, host, headers);
        for part in parts {
            assert!(reason.contains(part), "{part} is not in: {reason}");
        }
    }
    let long = format!("https://{}", "x".repeat(500));
    let reason = reason(&plain, "a", &[("sec-fetch-site", "a\tb"), ("origin", &long)]);
    assert!(reason.contains("a\\tb"), "{reason}");
}

#[test]
fn a_page_without_tls_is_none_of_a_service_whose_cookies_want_tls() {
    let mut guard = guard(None, &[]);
    guard.require_tls(true);
    let with = |origin: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("origin", origin.parse().unwrap());
        headers.insert("host", origin.split_once("://").unwrap().1.parse().unwrap());
        guard.check(&Method::POST, &Uri::from_static("/"), &headers).is_ok()
    };
    assert!(with("https://app.example") && with("http://localhost:3000"));
    assert!(!with("http://app.example"));
}

#[cfg(feature = "issue")]
#[test]
fn a_login_by_get_is_a_page_that_is_opened() {
    let login = |method: &Method, said: &[(&'static str, &str)]| {
        let mut headers = HeaderMap::new();
        headers.insert("host", "app.example".parse().unwrap());
        for (name, value) in said {
            headers.append(*name, value.parse().unwrap());
        }
        guard(None, &[]).check_login(method, &Uri::from_static("/"), &headers).is_ok()
    };
    let foreign = ("sec-fetch-site", "cross-site");
    let opened = [foreign, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    assert!(login(&Method::GET, &opened));
    assert!(login(&Method::GET, &[("sec-fetch-site", "same-origin")]));
    assert!(login(&Method::GET, &[("sec-fetch-site", "same-site")]));
    assert!(login(&Method::GET, &[("origin", "https://app.example")]));
    assert!(!login(&Method::POST, &opened));
    for said in [
        &[foreign][..],
        &[foreign, ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")],
        &[foreign, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
        &[("sec-fetch-site", "same-origin"), foreign],
    ] {
        assert!(!login(&Method::GET, said), "{said:?}");
    }
}

#[test]
fn a_refusal_says_which_method_the_proxy_has_named() {
    let mut guard = guard(Some("https://app.example"), &[]);
    guard.set_method_header("x-original-method").unwrap();
    let reason = |method: Option<&str>| {
        let mut headers = HeaderMap::new();
        headers.insert("sec-fetch-site", "none".parse().unwrap());
        if let Some(method) = method {
            headers.insert("x-original-method", method.parse().unwrap());
        }
        let error = guard.check(&Method::GET, &Uri::from_static("/"), &headers).unwrap_err();
        error.to_string()
    };
    let advice = "let the proxy set `x-original-method`";
    let absent = reason(None);
    assert!(absent.contains("no `x-original-method`") && absent.contains(advice), "{absent}");
    let unknown = reason(Some("get"));
    assert!(unknown.contains("`x-original-method: get`") && unknown.contains(advice), "{unknown}");
    let post = reason(Some("POST"));
    assert!(post.contains("`x-original-method: POST`") && !post.contains(advice), "{post}");
}

#[cfg(feature = "issue")]
#[test]
fn a_login_whose_cookies_would_not_come_back_is_told() {
    let is_told = |said: &[(&'static str, &str)]| {
        let mut headers = HeaderMap::new();
        for (name, value) in said {
            headers.append(*name, value.parse().unwrap());
        }
        unusable_login(&headers).is_some()
    };
    let site = |value| ("sec-fetch-site", value);
    let app = ("origin", "capacitor://localhost");
    let page = ("origin", "https://localhost");
    // Old web views do not send `Sec-Fetch-Site`.
    assert!(is_told(&[app]) && is_told(&[app, site("cross-site")]));
    assert!(is_told(&[page, site("cross-site")]) && !is_told(&[page]));
    assert!(!is_told(&[page, site("same-site")]) && !is_told(&[]));
    assert!(!is_told(&[("origin", "chrome-extension://abc")]));
}
