//! Pages without scripts: a browser is sent to renew its session, and comes back.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{Router, body::Body, response::IntoResponse, routing::get};
use http::{HeaderMap, Request, header, request::Parts};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_jwt_auth::{
    Claims,
    issue::{Grant, TokenCookies},
    refresh::{Login, MemoryRefreshStore, RefreshTokens},
    sessions::Sessions,
    verifier::RuleError,
};

use super::{issuer, set};
use crate::support::FixedClock;

const ORIGIN: &str = "https://app.example.com";

/// What a browser sends with a page that its user opens.
const OPENED: [(&str, &str); 3] =
    [("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];

/// A browser that follows redirects only if it is told to.
struct Browser {
    app: Router,
    sessions: Sessions,
    clock: FixedClock,
    cookies: BTreeMap<String, String>,
    /// Whether the application gives no more access tokens.
    suspended: Arc<AtomicBool>,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn location(&self) -> &str {
        assert_eq!(self.status, 303, "{}", self.body);
        assert_eq!(self.headers[header::CACHE_CONTROL], "no-store");
        self.headers[header::LOCATION].to_str().unwrap()
    }
}

impl Browser {
    /// One that has logged in.
    async fn new(login: Login) -> Self {
        let clock = FixedClock::default();
        let refresh = RefreshTokens::builder(MemoryRefreshStore::new())
            .grace(Duration::from_secs(10))
            .clock(clock.clone());
        let suspended = Arc::<AtomicBool>::default();
        let is_suspended = Arc::clone(&suspended);
        let sessions = Sessions::builder(issuer(&clock).build().unwrap())
            .grant(move |session| {
                let grant = match is_suspended.load(Relaxed) {
                    true => Err(RuleError::forbidden("the user is suspended")),
                    false => Ok(Grant::of_session(&session)),
                };
                async move { grant }
            })
            .refresh_tokens(refresh.build().unwrap())
            .cookies(TokenCookies::builder().public_origin(ORIGIN).build().unwrap())
            .build()
            .unwrap();
        let login = {
            let sessions = sessions.clone();
            move |parts: Parts| async move { sessions.login(&parts, login).await.into_response() }
        };
        let optional = sessions.layer().unwrap().optional();
        let app = Router::new()
            .route("/page", get(page).post(page))
            .route_layer(sessions.layer().unwrap())
            .route("/news", get(news).route_layer(optional))
            .route_layer(sessions.page_layer())
            .route("/auth/login", axum::routing::post(login))
            .route_service(sessions.renew_path(), sessions.renew_service());
        let mut browser = Self { app, sessions, clock, cookies: BTreeMap::new(), suspended };
        let answer =
            browser.send("POST", "/auth/login", &[("sec-fetch-site", "same-origin")]).await;
        assert_eq!((answer.status, browser.cookies.len()), (200, 3));
        browser
    }

    async fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let sent = self
            .cookies
            .iter()
            .filter(|(name, _)| **name != "__Secure-rt" || path.starts_with("/auth/"));
        let sent: Vec<_> = sent.map(|(name, value)| format!("{name}={value}")).collect();
        request = request.header("cookie", sent.join("; "));
        let response =
            self.app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let (pair, rest) = cookie.to_str().unwrap().split_once("; ").unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            match rest.contains("Max-Age=0") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.into(), value.into()),
            };
        }
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        let (status, headers) = (parts.status.as_u16(), parts.headers);
        Answer { status, headers, body: String::from_utf8(body).unwrap() }
    }

    async fn open(&mut self, path: &str) -> Answer {
        self.send("GET", path, &OPENED).await
    }

    /// Lets the access token expire, and the browser forget its cookie.
    fn wait(&mut self, seconds: u64) {
        set(&self.clock, seconds);
        self.cookies.remove("__Host-at");
        self.cookies.remove("__Host-renewed");
    }
}

async fn page(user: Claims) -> String {
    format!("page of {}", user.subject().unwrap_or_default())
}

async fn news(user: Option<Claims>) -> String {
    format!("news for {}", user.map_or("a guest".into(), |user| user.subject().unwrap().to_owned()))
}

async fn ada() -> Browser {
    Browser::new(Login::new("ada")).await
}

#[tokio::test]
async fn a_page_is_renewed_and_comes_back() {
    let mut browser = ada().await;
    assert_eq!(browser.open("/page").await.body, "page of ada");
    for (time, path, expected) in
        [(1000, "/page?a=b&c=%20//x", "page of ada"), (2000, "/news", "news for ada")]
    {
        browser.wait(time);
        let away = browser.open(path).await.location().to_owned();
        assert!(away.starts_with("/auth/renew?to=%2F") || away.starts_with("/auth/renew?to=/"));
        let back = browser.open(&away).await;
        assert_eq!(back.location(), path);
        assert_eq!(browser.open(path).await.body, expected);
    }
    // One that is there and has expired, as a browser keeps it that has no `Max-Age`.
    let mut browser = Browser::new(Login::new("ada").until_browser_closes()).await;
    set(&browser.clock, 1000);
    for path in ["/page", "/news"] {
        let away = browser.open(path).await.location().to_owned();
        assert_eq!(browser.open(&away).await.location(), path);
        assert!(browser.open(path).await.body.ends_with("ada"));
        browser.wait(3000);
    }
}

#[tokio::test]
async fn only_a_browser_that_opens_a_page_is_sent_away() {
    let mut browser = ada().await;
    browser.wait(1000);
    let with = |name: &'static str, value: &'static str| {
        let mut headers: Vec<_> = OPENED.iter().copied().filter(|(one, _)| *one != name).collect();
        headers.push((name, value));
        headers
    };
    for headers in [
        with("sec-fetch-mode", "cors"),
        with("sec-fetch-dest", "iframe"),
        with("sec-fetch-dest", "empty"),
        with("sec-fetch-site", "cross-site"),
        with("sec-purpose", "prefetch"),
        with("sec-purpose", "prefetch;prerender"),
        with("authorization", "Bearer x"),
        Vec::new(),
    ] {
        assert_eq!(browser.send("GET", "/page", &headers).await.status, 401, "{headers:?}");
        if headers.iter().all(|(name, _)| *name != "authorization") {
            let renew = browser.send("GET", "/auth/renew?to=/page", &headers).await;
            assert_eq!(renew.status, 403, "{headers:?}");
        }
    }
    assert_eq!(browser.send("HEAD", "/page", &OPENED).await.status, 401);
    for path in ["//evil.example/page", "/\\evil.example"] {
        let uri = path.parse::<http::Uri>();
        if uri.is_ok() {
            assert_ne!(browser.open(path).await.status, 303, "{path}");
        }
    }
    // Nobody who was never logged in.
    browser.cookies.clear();
    assert_eq!(browser.open("/page").await.status, 401);
}

#[tokio::test]
async fn nobody_is_sent_to_another_site() {
    let mut browser = ada().await;
    for bad in [
        "https://evil.example",
        "//evil.example",
        "%2F%2Fevil.example",
        "/%5Cevil.example",
        "%09//evil.example",
        "/a%0d%0aset-cookie:x",
        "evil.example",
        "/auth/renew?to=/",
        "",
    ] {
        for name in ["to", "other"] {
            browser.wait(1000);
            let answer = browser.open(&format!("/auth/renew?{name}={bad}")).await;
            assert_eq!(answer.location(), "/", "{bad}");
        }
    }
    browser.wait(1000);
    let answer = browser.open("/auth/renew?again=//evil.example").await;
    assert!(!answer.body.contains("evil"), "{}", answer.body);
}

#[tokio::test]
async fn redirects_do_not_go_in_circles() {
    // A browser that does not keep the access token.
    let mut browser = ada().await;
    browser.wait(1000);
    let away = browser.open("/page").await.location().to_owned();
    assert_eq!(browser.open(&away).await.location(), "/page");
    browser.cookies.remove("__Host-at");
    assert_eq!(browser.open("/page").await.status, 401);
    assert_eq!(browser.open("/news").await.body, "news for a guest");

    // A session that has ended.
    let mut browser = ada().await;
    browser.sessions.end_all("ada").await.unwrap();
    browser.wait(1000);
    let away = browser.open("/page").await.location().to_owned();
    assert_eq!(browser.open(&away).await.location(), "/page");
    assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), ["__Host-renewed"]);
    assert_eq!(browser.open("/page").await.status, 401);

    // A refresh cookie that was lost.
    let mut browser = ada().await;
    browser.cookies.remove("__Secure-rt");
    browser.wait(1000);
    let away = browser.open("/page").await.location().to_owned();
    assert_eq!(browser.open(&away).await.location(), "/page");
    assert_eq!(browser.open("/page").await.status, 401);
}

#[tokio::test]
async fn a_session_that_cannot_be_renewed_locks_nobody_out() {
    let mut browser = ada().await;
    browser.suspended.store(true, Relaxed);
    browser.wait(1000);
    let before = browser.cookies.clone();
    let away = browser.open("/news").await.location().to_owned();
    assert_eq!(browser.open(&away).await.location(), "/news");
    assert_eq!(browser.open("/news").await.body, "news for a guest");
    assert_eq!(browser.open("/page").await.status, 401);
    // The session is not over.
    assert!(before.iter().all(|(name, value)| browser.cookies.get(name) == Some(value)));
    browser.suspended.store(false, Relaxed);
    browser.wait(1011);
    let away = browser.open("/page").await.location().to_owned();
    assert_eq!(browser.open(&away).await.location(), "/page");
    assert_eq!(browser.open("/page").await.body, "page of ada");
}

#[tokio::test]
async fn a_token_within_the_leeway_is_renewed() {
    // It is kept by the browser, as one without `Max-Age` is.
    let mut browser = ada().await;
    let access = browser.cookies["__Host-at"].clone();
    browser.wait(901);
    browser.cookies.insert("__Host-at".into(), access.clone());
    let away = browser.open("/page").await.location().to_owned();
    assert_eq!(browser.open(&away).await.location(), "/page");
    assert_ne!(browser.cookies["__Host-at"], access);
    assert_eq!(browser.open("/page").await.body, "page of ada");
}

#[tokio::test]
async fn a_session_is_not_renewed_before_its_time() {
    let mut browser = ada().await;
    let before = browser.cookies.clone();
    let sibling = [("sec-fetch-site", "same-site"), OPENED[1], OPENED[2]];
    for headers in [&OPENED, &sibling] {
        let answer = browser.send("GET", "/auth/renew?to=/page", headers).await;
        assert_eq!(answer.location(), "/page");
        assert_eq!(browser.send("GET", "/auth/renew?again=/page", headers).await.status, 200);
        assert_eq!(browser.cookies, before, "no token is spent");
    }
}

#[tokio::test]
async fn a_navigation_that_is_broken_off_does_not_end_the_session() {
    let mut browser = ada().await;
    browser.wait(1000);
    let away = browser.open("/page").await.location().to_owned();
    let before = browser.cookies.clone();
    browser.open(&away).await;
    let renewed = std::mem::replace(&mut browser.cookies, before);
    set(&browser.clock, 1009);
    let away = browser.open("/page").await.location().to_owned();
    assert_eq!(browser.open(&away).await.location(), "/page");
    assert_eq!(browser.cookies["__Secure-rt"], renewed["__Secure-rt"], "the same successor");
    assert_eq!(browser.open("/page").await.body, "page of ada");
}

#[tokio::test]
async fn a_form_is_to_be_sent_again() {
    let mut browser = ada().await;
    browser.wait(1000);
    let form = [
        ("sec-fetch-site", "same-origin"),
        OPENED[1],
        OPENED[2],
        ("referer", "https://app.example.com/page?x=%22%3E&y='"),
    ];
    let away = browser.send("POST", "/page", &form).await.location().to_owned();
    let notice = browser.open(&away).await;
    assert_eq!(notice.status, 200);
    assert_eq!(notice.headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(notice.headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
    assert!(notice.body.contains("send the form again"), "{}", notice.body);
    assert!(notice.body.contains("<a href=\"/page?x=%22%3E&amp;y=&#39;\">"), "{}", notice.body);
    assert_eq!(browser.send("POST", "/page", &form).await.body, "page of ada");
    // That of another site is refused as before.
    browser.wait(3000);
    let evil = [("sec-fetch-site", "same-site"), OPENED[1], OPENED[2]];
    assert_eq!(browser.send("POST", "/page", &evil).await.status, 401);
    browser.sessions.end_all("ada").await.unwrap();
    let away = browser.send("POST", "/page", &form).await.location().to_owned();
    assert_eq!(browser.open(&away).await.location(), "/page?x=%22%3E&y='");
}
