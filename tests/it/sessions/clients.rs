//! Who gets tokens in which way: browsers, other clients, web views, and browsers in development.

use http::{Method, StatusCode, header};
use serde_json::json;
use tower_jwt_auth::{issue::TokenCookies, refresh::Login};

use super::client::{Client, ORIGIN, SAME, app, app_with, builder};
use crate::privacy::events;

const JSON: (&str, &str) = ("accept", "application/json");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

#[tokio::test]
async fn the_cookie_of_a_load_balancer_makes_no_browser() {
    let client = Client(app(&builder().build().unwrap()));
    let balanced = ("cookie", "AWSALB=abc; JSESSIONID=def");
    let login = client.post("/auth/login", &[JSON, balanced], json!({})).await;
    let (_, refresh) = login.tokens();
    assert!(login.cookies().is_empty());
    let body = json!({ "refresh_token": refresh });
    let refreshed = client.post("/auth/refresh", &[balanced], body).await;
    assert!(refreshed.cookies().is_empty());
    refreshed.tokens();
    for own in ["__Host-at=x", "a=b; __Secure-rt=x", "__Host-sid="] {
        let login = client.post("/auth/login", &[JSON, ("cookie", own)], json!({})).await;
        assert_eq!((login.cookies().len(), login.body.get("access_token")), (3, None), "{own}");
    }
}

#[tokio::test]
async fn a_browser_gets_no_tokens_in_a_body_even_for_one_that_it_sent() {
    let client = Client(app(&builder().build().unwrap()));
    for browser in [&[SAME][..], &[("origin", ORIGIN)], &[("cookie", "__Host-at=x")]] {
        let body = json!({ "refresh_token": client.tokens().await.1 });
        let refreshed = client.post("/auth/refresh", browser, body).await;
        assert_eq!((refreshed.status, refreshed.cookies().len()), (StatusCode::OK, 3));
        assert_eq!(refreshed.body, json!({ "expires_in": 900 }));
    }
    // A page of another site must not log its visitor in to an account of its own.
    let token = client.tokens().await.1;
    let form = format!("grant_type=refresh_token&refresh_token={token}");
    let evil = [FORM, ("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
    let refreshed = client.send(Method::POST, "/auth/refresh", &evil, form.clone()).await;
    assert_eq!((refreshed.status, refreshed.cookies().len()), (StatusCode::FORBIDDEN, 0));
    assert_eq!(client.send(Method::POST, "/auth/refresh", &[FORM], form).await.status, 200);
    // A wrong token in a body says nothing of the cookies.
    let wrong = json!({ "refresh_token": "x" });
    let refused = client.post("/auth/refresh", &[SAME], wrong).await;
    assert_eq!((refused.status, refused.cookies().len()), (StatusCode::UNAUTHORIZED, 0));
}

#[tokio::test]
async fn a_client_refreshes_with_the_form_of_rfc_6749() {
    let client = Client(app(&builder().build().unwrap()));
    let (_, refresh) = client.tokens().await;
    let form = format!("grant_type=refresh_token&refresh_token={refresh}&client_id=app&scope=read");
    let with_charset = ("content-type", "application/x-www-form-urlencoded;charset=UTF-8");
    let refreshed = client.send(Method::POST, "/auth/refresh", &[with_charset], form).await;
    assert_eq!((refreshed.status, refreshed.cookies().len()), (StatusCode::OK, 0));
    let (_, refresh) = refreshed.tokens();

    let good = format!("grant_type=refresh_token&refresh_token={refresh}");
    for (form, code) in [
        (format!("refresh_token={refresh}"), "invalid_request"),
        (format!("grant_type=password&refresh_token={refresh}"), "unsupported_grant_type"),
        (format!("{good}&refresh_token={refresh}"), "invalid_request"),
        ("grant_type=refresh_token&refresh_token=%".into(), "invalid_request"),
        ("grant_type=refresh_token".into(), "invalid_request"),
        (format!("{good}&scope=root"), "invalid_scope"),
    ] {
        let answer = client.send(Method::POST, "/auth/refresh", &[FORM], form.clone()).await;
        assert_eq!(
            (answer.status, &answer.body["error"]),
            (StatusCode::BAD_REQUEST, &json!(code)),
            "{form}"
        );
    }
    // A browser without the cookie sends an empty form.
    assert_eq!(client.send(Method::POST, "/auth/refresh", &[FORM], "").await.status, 401);
    for kind in ["text/plain", "multipart/form-data; boundary=x", "application/jsonp"] {
        let headers = [("content-type", kind)];
        let answer = client.send(Method::POST, "/auth/refresh", &headers, "x").await;
        assert_eq!(answer.status, 415, "{kind}");
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json");
        // Without a body, its type does not matter.
        assert_eq!(client.send(Method::POST, "/auth/refresh", &headers, "").await.status, 401);
    }
    let form = format!("refresh_token={refresh}&csrf=1");
    assert_eq!(client.send(Method::POST, "/auth/logout", &[FORM], form).await.status, 204);
    let body = json!({ "refresh_token": refresh });
    assert_eq!(client.post("/auth/refresh", &[], body).await.status, 401);
}

#[tokio::test]
async fn b80_a_web_view_of_another_site() {
    let page = [("origin", "https://localhost"), ("sec-fetch-site", "cross-site")];
    let cookies = || TokenCookies::builder().public_origin(ORIGIN);

    // With the usual cookies, the login would seem to work.
    let usual = cookies().trusted_origin("https://localhost").build().unwrap();
    let client = Client(app(&builder().cookies(usual).build().unwrap()));
    let mut login = None;
    let said = said(async || login = Some(client.post("/auth/login", &page, json!({})).await));
    let login = login.unwrap();
    assert_eq!((login.status, login.cookies().len()), (StatusCode::FORBIDDEN, 0));
    for part in ["a login is refused", "https://localhost", "without_same_site()"] {
        assert!(!cfg!(feature = "tracing") || said.contains(part), "{part}: {said}");
    }
    assert!(!login.body.to_string().contains("same_site"));

    // Behind a form that opens a page of ours, they do, and for an extension, too.
    let form = [page[0], page[1], ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    assert_eq!(client.post("/auth/login", &form, json!({})).await.status, 200);
    let extension = "chrome-extension://abc";
    let trusting = cookies().trusted_origin(extension).build().unwrap();
    let client = Client(app(&builder().cookies(trusting).build().unwrap()));
    let from_extension = [("origin", extension), ("sec-fetch-site", "none")];
    assert_eq!(client.post("/auth/login", &from_extension, json!({})).await.status, 200);

    let own = || cookies().without_same_site();
    assert!(own().build().is_err(), "no origin is trusted");
    let plain = TokenCookies::builder().development("http://127.0.0.1:3000");
    let plain = plain.trusted_origin("https://localhost").without_same_site();
    assert!(plain.build().is_err(), "`Partitioned` needs `Secure`");
    let own = own().trusted_origin("https://localhost").build().unwrap();
    let client = Client(app(&builder().cookies(own).build().unwrap()));
    let login = client.post("/auth/login", &page, json!({})).await;
    assert_eq!((login.status, login.cookies().len()), (StatusCode::OK, 3));
    for (name, _, attributes) in login.cookies() {
        for part in ["HttpOnly", "SameSite=None", "Secure", "Partitioned"] {
            assert!(attributes.contains(part), "{name}: {attributes}");
        }
    }
    let all = login.cookie_header();
    let cookie = ("cookie", &*all);
    let sent = [page[0], page[1], cookie];
    assert_eq!(client.send(Method::GET, "/me", &sent, "").await.status, 200);
    for elsewhere in [
        &[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "none")],
        &[],
    ] {
        let sent = [elsewhere, &[cookie]].concat();
        assert_eq!(client.send(Method::GET, "/me", &sent, "").await.status, 403);
        assert_eq!(client.send(Method::POST, "/auth/refresh", &sent, "").await.status, 403);
    }
    assert_eq!(client.send(Method::POST, "/auth/refresh", &sent, "").await.status, 200);
    let logout = client.send(Method::POST, "/auth/logout", &sent, "").await;
    for (name, _, attributes) in logout.cookies() {
        assert!(attributes.contains("SameSite=None; Secure; Partitioned"), "{name}: {attributes}");
    }
}

/// What is logged while this is done.
fn said(work: impl AsyncFnOnce()) -> String {
    events(|| block_on(work()))
}

/// Runs a future that does not wait for anything.
fn block_on(future: impl Future<Output = ()>) {
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
    };
    let poll = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(poll, Poll::Ready(()), "it waits");
}

#[tokio::test]
async fn b66_development_on_names_of_this_machine_and_in_a_lan() {
    let own = TokenCookies::builder().development("http://app.localhost:3000").build().unwrap();
    let client = Client(app(&builder().cookies(own).build().unwrap()));
    let here = [("host", "app.localhost:3000"), ("origin", "http://app.localhost:3000")];
    assert_eq!(client.post("/auth/login", &here, json!({})).await.cookies().len(), 3);

    let phone = "http://192.168.1.20:3000";
    assert!(TokenCookies::builder().development(phone).build().is_err(), "only by name");
    let lan = |origin: &str| TokenCookies::builder().dangerous().development_in_lan(origin).build();
    for wrong in
        ["http://app.example.com", "http://8.8.8.8", "https://192.168.1.20", "192.168.1.20"]
    {
        assert!(lan(wrong).is_err(), "{wrong}");
    }
    let client = Client(app(&builder().cookies(lan(phone).unwrap()).build().unwrap()));
    let login = |host: &'static str, origin: &'static str| {
        let (client, headers) = (&client, [("host", host), ("origin", origin)]);
        async move { client.post("/auth/login", &headers, json!({})).await }
    };
    let answer = login("192.168.1.20:3000", phone).await;
    assert_eq!((answer.status, &*answer.cookies()[0].0), (StatusCode::OK, "at"));
    assert!(answer.cookies().iter().all(|cookie| !cookie.2.contains("Secure")));
    for (host, origin) in [
        ("192.168.1.21:3000", "http://192.168.1.21:3000"),
        ("evil.example", phone),
        ("192.168.1.20:3000", "http://evil.example"),
        ("192.168.1.20", "http://192.168.1.20"),
    ] {
        assert_eq!(login(host, origin).await.status, 403, "{host} {origin}");
    }
}

#[tokio::test]
async fn a_refusal_says_what_a_browser_did_not_send() {
    let client = Client(app(&builder().build().unwrap()));
    let browser = client.post("/auth/login", &[SAME], json!({})).await;
    let sid = browser.cookies()[2].1.clone();
    let sid = format!("__Host-sid={sid}");
    let path = said(async || {
        let sent = [SAME, ("cookie", &*sid)];
        assert_eq!(client.send(Method::POST, "/auth/refresh", &sent, "").await.status, 401);
    });
    let nothing = said(async || {
        let answer = client.send(Method::POST, "/auth/refresh", &[SAME], "").await;
        assert_eq!(answer.status, 401);
        assert!(!answer.body.to_string().contains("__Secure-rt"));
    });
    let evil = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
    let login = said(async || {
        assert_eq!(client.post("/auth/login", &evil, json!({})).await.status, 403);
    });
    let preflight = said(async || {
        let asked = [evil[0], ("access-control-request-method", "POST")];
        assert_eq!(client.send(Method::OPTIONS, "/auth/refresh", &asked, "").await.status, 405);
    });
    if cfg!(feature = "tracing") {
        for said in [&path, &nothing] {
            assert!(said.contains("`__Secure-rt`"), "{said}");
            assert!(said.contains("the user must log in again"), "{said}");
        }
        assert!(login.contains("a login is refused"), "{login}");
        assert!(login.contains("https://evil.example") && !login.contains("cookie"), "{login}");
        assert!(preflight.contains("CORS layer outside"), "{preflight}");
    }
}

#[tokio::test]
async fn a_login_until_the_browser_closes_has_no_max_age_and_keeps_it_so() {
    let sessions = builder().build().unwrap();
    let client = Client(app_with(&sessions, Login::new("ada").until_browser_closes()));
    let mut answer = client.post("/auth/login", &[SAME], json!({})).await;
    for _ in 0..3 {
        assert_eq!(answer.cookies().len(), 3);
        for (name, value, attributes) in answer.cookies() {
            assert!(!value.is_empty() && !attributes.contains("Max-Age"), "{name}: {attributes}");
        }
        let all = answer.cookie_header();
        let sent = [SAME, ("cookie", &*all)];
        assert_eq!(client.send(Method::GET, "/me", &sent, "").await.status, 200);
        answer = client.send(Method::POST, "/auth/refresh", &sent, "").await;
    }
    let session = &sessions.list("ada").await.unwrap()[0];
    assert!(session.ends_with_browser());
    let day = 24 * 60 * 60;
    assert!(session.expires_at() - session.refreshed_at() <= day);
}
