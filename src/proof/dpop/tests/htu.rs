//! Row d05: the address of the request.

use axum::extract::OriginalUri;
use http::Uri;
use proptest::prelude::*;

use super::*;
use crate::http_url::{normal_path, parse};

/// Whether a proof with this `htu` is accepted.
fn fits(dpop: &DPoP, htu: &str, request: &Request<()>) -> bool {
    dpop.0.urls.has(htu, request.into())
}

fn of(urls: &[&str]) -> DPoP {
    let builder = DPoP::optional().replay_store(Store::default());
    urls.iter().fold(builder, |builder, url| builder.public_url(url)).build().unwrap()
}

#[test]
fn d05_the_same_address() {
    let host = "https://api.example.com";
    for (uri, rest) in [
        ("/me", "/me"),
        ("/me?a=b", "/me"),
        ("/me", "/me?a=b"),
        ("/me", "/me#part"),
        ("/me?a=b", "/me?c=d#e?f"),
        ("/me?a=b", "/me?a=%zz&b=/../c"),
        ("/", ""),
        ("/", "/"),
        ("/", "?a"),
        ("/", "#a"),
        ("/?a", "/#/other"),
        // RFC 3986 §6.2.2.2: unreserved characters need no escape.
        ("/~me", "/%7Eme"),
        ("/~me", "/%7eme"),
        ("/%7eme", "/~me"),
        ("/a-b_c.d", "/%61%2Db%5Fc%2ed"),
        // §6.2.2.1: the case of an escape.
        ("/a%2fb", "/a%2Fb"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        // §6.2.2.3: dot segments.
        ("/me", "/a/../me"),
        ("/me", "/./me"),
        ("/me", "/../me"),
        ("/me", "/../../me"),
        ("/me", "/%2e%2E/me"),
        ("/a/", "/a/."),
        ("/a/", "/a/b/.."),
        ("/a/", "/a/%2e"),
        ("/", "/.."),
        ("/", "/a/.."),
        ("/a/b", "/a//../b"),
        ("//", "/.//"),
        ("/...", "/..."),
        ("/.a/..b", "/.a/..b"),
        // Not in a URI, and not escaped by browsers.
        ("/a|b[1]^c", "/a|b[1]^c"),
        ("/a:@!$&'()*+,;=", "/a:@!$&'()*+,;="),
        // Not a prefix here, since it has an address of its own.
        ("http://evil.example/me", "/me"),
    ] {
        let request = request("GET", uri, &[]);
        let htu = format!("{host}{rest}");
        assert!(fits(&of(&[host]), &htu, &request), "{uri} is {htu}");
    }
}

/// A client removes them before it sends the request. A router does not: axum's `/files/{*path}` takes
/// `/files/../me`.
#[test]
fn d05_a_request_with_dot_segments_has_no_proof() {
    let host = "https://api.example.com";
    for uri in ["/files/../me", "/files/%2e%2E/me", "/./me", "/me/.", "/me/..", "/.."] {
        for htu in ["/me", "/me/", "/", uri] {
            let request = request("GET", uri, &[]);
            assert!(!fits(&of(&[host]), &format!("{host}{htu}"), &request), "{uri}, {htu}");
        }
    }
}

#[test]
fn d05_another_spelling_of_the_origin() {
    let request = request("GET", "/me", &[]);
    for (url, htu) in [
        ("https://api.example.com", "https://API.Example.COM/me"),
        ("https://api.example.com", "HTTPS://api.example.com/me"),
        ("https://api.example.com", "https://api.example.com:443/me"),
        ("https://api.example.com", "https://api.example.com:/me"),
        ("https://api.example.com", "https://api.example.com:0443/me"),
        ("https://api.example.com", "https://%61pi.example.com/me"),
        ("https://api.example.com:443", "https://api.example.com/me"),
        ("https://api.example.com:8443", "https://api.example.com:8443/me"),
        ("http://localhost:80", "http://LOCALHOST/me"),
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000/me"),
        ("https://[2001:db8::1]", "https://[2001:DB8:0:0:0:0:0:1]:443/me"),
        ("https://[2001:DB8::0001]:8443", "https://[2001:db8::1]:8443/me"),
        ("https://xn--bcher-kva.example", "https://XN--BCHER-KVA.example/me"),
    ] {
        assert!(fits(&of(&[url]), htu, &request), "{url} is {htu}");
    }
}

#[test]
fn d05_another_address() {
    let host = "https://api.example.com";
    for (uri, htu) in [
        ("/me", "https://api.example.com/you"),
        ("/me", "https://api.example.com/ME"),
        ("/me", "https://api.example.com/me/"),
        ("/me/", "https://api.example.com/me"),
        ("/me", "https://api.example.com//me"),
        ("//me", "https://api.example.com/me"),
        ("/a/b", "https://api.example.com/a%2Fb"),
        ("/a%2Fb", "https://api.example.com/a/b"),
        ("/a%2fb", "https://api.example.com/a%252fb"),
        ("/a:b", "https://api.example.com/a%3Ab"),
        ("/a+b", "https://api.example.com/a%20b"),
        ("/a|b", "https://api.example.com/a%7Cb"),
        ("/me", "https://api.example.com/me%00"),
        ("/me", "https://api.example.com/me;a"),
        ("/me", "https://api.example.com"),
        ("/me", "http://api.example.com/me"),
        ("/me", "http://api.example.com:443/me"),
        ("/me", "https://api.example.com:80/me"),
        ("/me", "https://api.example.com:8443/me"),
        ("/me", "https://api.example.com:65979/me"),
        ("/me", "https://api.example.com:443:443/me"),
        ("/me", "https://api.example.com:+443/me"),
        ("/me", "https://api.example.com:443a/me"),
        ("/me", "https://example.com/me"),
        ("/me", "https://api.example.com.evil.example/me"),
        ("/me", "https://api.example.com./me"),
        ("/me", "https://xapi.example.com/me"),
        ("/me", "https://evil.example/https://api.example.com/me"),
        ("/me", "https://evil.example?https://api.example.com/me"),
        ("/me", "https://api.example.com@evil.example/me"),
        // User information, also an empty one.
        ("/me", "https://user@api.example.com/me"),
        ("/me", "https://user:password@api.example.com/me"),
        ("/me", "https://@api.example.com/me"),
        ("/me", "https://evil.example\\@api.example.com/me"),
        ("/me", "https://evil.example%40api.example.com/me"),
        // Not an absolute URI.
        ("/me", ""),
        ("/me", "/me"),
        ("/me", "//api.example.com/me"),
        ("/me", "api.example.com/me"),
        ("/me", "https:/api.example.com/me"),
        ("/me", "https:api.example.com/me"),
        ("/me", "https:///me"),
        ("/me", "https://:443/me"),
        ("/me", "wss://api.example.com/me"),
        ("/me", "httpsx://api.example.com/me"),
        ("/me", "view-source:https://api.example.com/me"),
        // Broken escapes.
        ("/me", "https://api.example.com/me%"),
        ("/me", "https://api.example.com/me%6"),
        ("/me", "https://api.example.com/%6/me"),
        ("/me", "https://api.example.com/m%gg"),
        ("/me", "https://api.example.com/m%+5"),
        ("/m%zz", "https://api.example.com/m%zz"),
        ("/me%", "https://api.example.com/me%"),
        // Bytes that no URI has.
        ("/me", "https://api.example.com\\me"),
        ("/me", "https://api.example.com/\\me"),
        ("/me", "https://api.example.com/..\\me"),
        ("/me", " https://api.example.com/me"),
        ("/me", "https://api.example.com/me "),
        ("/me", "https://api.example.com/m\te"),
        ("/me", "https://api.example.com/me\n"),
        ("/me", "https://api.example.com/me?\u{1}"),
        ("/me", "https://api.example.com/\0me"),
        ("/me", "https://api.example.com/mé"),
        ("/me", "https://ａpi.example.com/me"),
        ("/me", "https://api.example.com/<me>"),
        // Other spellings of an address.
        ("/me", "https://[::ffff:127.0.0.1]/me"),
        ("/me", "https://[fe80::1%25eth0]/me"),
        ("/me", "https://[::1/me"),
        ("/me", "https://[::1]x/me"),
        ("/me", "https://[api.example.com]/me"),
        // No path at all.
        ("*", "https://api.example.com/*"),
        ("*", "https://api.example.com/"),
        ("api.example.com:443", "https://api.example.com/"),
    ] {
        let method = if uri.starts_with('/') { "GET" } else { "OPTIONS" };
        let request = request(method, uri, &[]);
        assert!(!fits(&of(&[host]), htu, &request), "{uri} is not {htu}");
    }
    let request = request("GET", "/me", &[]);
    for (url, htu) in [
        ("http://127.0.0.1", "http://127.1/me"),
        ("http://127.0.0.1", "http://0x7f.0.0.1/me"),
        ("http://127.0.0.1", "http://2130706433/me"),
        ("http://127.0.0.1", "http://localhost/me"),
        ("http://[::1]", "http://127.0.0.1/me"),
        ("https://xn--bcher-kva.example", "https://bücher.example/me"),
        ("https://xn--bcher-kva.example", "https://b%C3%BCcher.example/me"),
    ] {
        assert!(!fits(&of(&[url]), htu, &request), "{url} is not {htu}");
    }
}

#[test]
fn d05_a_path_that_leads_to_the_service() {
    let dpop = of(&["https://x.example/api/", "https://y.example", "https://z.example/a/b/../c"]);
    for (uri, htu) in [
        ("/me", "https://x.example/api/me"),
        ("/me", "https://x.example/v1/../api/me"),
        ("/", "https://x.example/api/"),
        ("/", "https://x.example/api"),
        ("/api/me", "https://x.example/api/api/me"),
        ("/me", "https://y.example/me"),
        ("/me", "https://z.example/a/c/me"),
    ] {
        assert!(fits(&dpop, htu, &request("GET", uri, &[])), "{uri} is {htu}");
    }
    for (uri, htu) in [
        ("/me", "https://x.example/me"),
        ("/me", "https://x.example/apime"),
        ("/me", "https://x.example/API/me"),
        ("/me", "https://x.example/api//me"),
        ("/api/me", "https://x.example/api/me"),
        ("/me", "https://y.example/api/me"),
        ("/", "https://x.example/"),
        ("/", "https://x.example"),
        // It never leads out of the service.
        ("/../me", "https://x.example/me"),
        ("/me", "https://x.example/api/../me"),
    ] {
        assert!(!fits(&dpop, htu, &request("GET", uri, &[])), "{uri} is not {htu}");
    }
}

#[test]
fn d05_a_forged_host_counts_for_nothing() {
    let mut request = request("GET", "https://evil.example/me", &[]);
    for (name, value) in [
        ("host", "evil.example"),
        ("forwarded", "host=evil.example;proto=https"),
        ("x-forwarded-host", "evil.example"),
        ("x-original-url", "/you"),
    ] {
        request.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let dpop = of(&[URL]);
    assert!(fits(&dpop, "https://api.example.com/me", &request));
    assert!(!fits(&dpop, "https://evil.example/me", &request));
    assert!(!fits(&dpop, "https://api.example.com/you", &request));
}

#[test]
fn a_host_that_is_trusted() {
    let dpop = DPoP::optional()
        .replay_store(Store::default())
        .dangerous()
        .trust_host()
        .public_url("https://x.example/api")
        .build()
        .unwrap();
    let with = |uri: &str, hosts: &[&'static str]| {
        let mut request = request("GET", uri, &[]);
        for host in hosts {
            request.headers_mut().append("host", HeaderValue::from_static(host));
        }
        request
    };
    for (uri, hosts, htu) in [
        ("/me", &["a.example"][..], "https://a.example/me"),
        ("/me", &["A.example:443"], "https://a.example/me"),
        ("/me", &["a.example:8443"], "https://a.example:8443/me"),
        ("https://a.example/me", &[], "https://a.example/me"),
        ("https://a.example/me", &["b.example"], "https://a.example/me"),
        ("/me", &["a.example"], "https://x.example/api/me"),
    ] {
        assert!(fits(&dpop, htu, &with(uri, hosts)), "{uri} {hosts:?} is {htu}");
    }
    for (uri, hosts, htu) in [
        ("/me", &[][..], "https://a.example/me"),
        ("/me", &["a.example", "a.example"], "https://a.example/me"),
        ("/me", &["a.example, b.example"], "https://a.example/me"),
        ("/me", &["user@a.example"], "https://a.example/me"),
        ("/me", &["a.example"], "https://b.example/me"),
        ("/me", &["a.example"], "http://a.example/me"),
        ("/me", &["a.example"], "https://a.example/you"),
        ("https://a.example/me", &["b.example"], "https://b.example/me"),
    ] {
        assert!(!fits(&dpop, htu, &with(uri, hosts)), "{uri} {hosts:?} is not {htu}");
    }
}

#[test]
fn the_address_before_a_router_has_shortened_it() {
    let with = DPoP::optional()
        .replay_store(Store::default())
        .public_url(URL)
        .original_uri::<OriginalUri>()
        .build()
        .unwrap();
    let mut nested = request("GET", "/me", &[]);
    let (whole, short) = (format!("{URL}/api/me"), format!("{URL}/me"));
    assert!(fits(&with, &short, &nested), "without the extension, it is that of the request");
    nested.extensions_mut().insert(OriginalUri(Uri::from_static("/api/me?a=b")));
    assert!(fits(&with, &whole, &nested));
    assert!(!fits(&with, &short, &nested));
    assert!(fits(&of(&[URL]), &short, &nested), "only where it is asked for");
}

#[test]
fn what_is_normal() {
    for (path, normal) in [
        ("", "/"),
        ("/", "/"),
        ("/a/b", "/a/b"),
        // RFC 3986 §5.2.4.
        ("/a/b/c/./../../g", "/a/g"),
        ("/./", "/"),
        ("/../", "/"),
        ("/a//", "/a//"),
        ("/a/..//b", "//b"),
        ("/%41%2f%2F%7e", "/A%2F%2F~"),
        ("/%25%32%65", "/%252e"),
    ] {
        assert_eq!(normal_path(path).as_deref(), Some(normal), "{path}");
    }
    for path in ["a", "*", "a/b", "?", "/%", "/%4", "/%4g", "/ ", "/\\", "/ü", "/\"", "/{a}"] {
        assert_eq!(normal_path(path), None, "{path}");
    }
}

proptest! {
    #[test]
    fn normal_stays_normal(path in "/([a.%2eEfF/~]|%2e|%2F|\\.\\.|%7[eE]){0,12}") {
        if let Some(normal) = normal_path(&path) {
            prop_assert_eq!(normal_path(&normal), Some(normal.clone()));
            prop_assert!(normal.starts_with('/'));
            prop_assert!(!normal.split('/').any(|segment| segment == "." || segment == ".."));
        }
    }

    #[test]
    fn it_takes_any_text(text in "\\PC*", more in "[a-zA-Z:/?#@\\[\\]%.0-9 \\\\]{0,40}") {
        for text in [&*text, &*more, &format!("https://{text}"), &format!("https://{more}")] {
            let _ = parse(text);
            let _ = normal_path(text);
            let _ = of(&[URL]).0.urls.has(text, (&request("GET", "/me", &[])).into());
        }
    }

    #[test]
    fn only_the_same_text_is_the_same_without_escapes_and_dots(
        one in "(/[a-c]{0,2}){1,3}", other in "(/[a-c]{0,2}){1,3}",
    ) {
        let request = request("GET", &one, &[]);
        let is_same = fits(&of(&[URL]), &format!("{URL}{other}"), &request);
        prop_assert_eq!(is_same, one == other);
    }
}
