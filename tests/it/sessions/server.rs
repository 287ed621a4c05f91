//! The application as a client sees it that is no browser.

use std::time::{Duration, Instant};

use reqwest::{Method, header::HeaderMap};
use serde_json::json;

use tower_jwt_auth::testing::CookieSession;

use super::app::{App, EMAIL, PASSWORD, ask, refuses, tokens};

fn set_cookies(headers: &HeaderMap) -> Vec<&str> {
    headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect()
}

#[tokio::test]
async fn a_session_from_the_login_to_the_logout() {
    let app = App::start(&[]);
    let (access, refresh) = app.logged_in().await;
    let me = app.me(&access).await;
    assert_eq!((me.status, &me.body["email"]), (200, &json!(EMAIL)));
    assert_eq!(me.headers["cache-control"], "no-store");
    assert_ne!(me.body["sub"], json!(EMAIL));

    let next = app.refresh(&refresh).await;
    assert_eq!(next.headers["cache-control"], "no-store");
    let (access, next) = tokens(&next);
    assert_eq!(app.me(&access).await.status, 200);

    // With neither a token nor its shape there is nothing to log out.
    assert_eq!(ask(app.post("/auth/logout")).await.status, 401);
    let logout = ask(app.json("/auth/logout", &json!({"refresh_token": next}))).await;
    assert_eq!(logout.status, 204);
    assert_eq!(app.me(&access).await.body["error"], "invalid_token");
    let over = app.refresh(&next).await;
    assert_eq!((over.status, &over.body["error"]), (401, &json!("invalid_grant")));
}

#[tokio::test]
async fn a_token_that_is_used_twice_ends_its_session() {
    let app = App::start(&[]);
    let (_, first) = app.logged_in().await;
    let (_, second) = tokens(&app.refresh(&first).await);
    let (access, third) = tokens(&app.refresh(&second).await);
    assert_eq!(app.refresh(&first).await.status, 401);
    assert_eq!(app.refresh(&third).await.status, 401);
    assert_eq!(app.me(&access).await.status, 401, "the access token is revoked with it");
}

#[tokio::test]
async fn a_user_sees_and_ends_their_own_sessions_alone() {
    let app = App::start(&[]);
    let (one, _) = app.logged_in().await;
    let login = app.json("/auth/login", &json!({"email": EMAIL, "password": PASSWORD}));
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    let (other, _) = tokens(&ask(login.header("user-agent", agent)).await);
    assert_eq!(app.register("eve@example.com").await.status, 201);
    let (eve, _) = tokens(&app.login("eve@example.com", PASSWORD).await);

    let list = ask(app.get("/auth/sessions").bearer_auth(&one)).await.body;
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 2);
    let at = |current: bool| list.iter().find(|session| session["current"] == current).unwrap();
    assert_eq!(at(false)["label"], "Firefox on Linux");
    let id = at(false)["id"].as_str().unwrap();
    assert!(at(true)["expires_at"].as_i64() > at(true)["created_at"].as_i64());

    let path = format!("/auth/sessions/{id}");
    let end =
        async |token: &str| ask(app.request(Method::DELETE, &path).bearer_auth(token)).await.status;
    assert_eq!(end(&eve).await, 404);
    assert_eq!(app.me(&other).await.status, 200);
    assert_eq!(end(&one).await, 204);
    assert_eq!(end(&one).await, 404);
    assert_eq!(app.me(&other).await.status, 401);
    assert_eq!(app.me(&one).await.status, 200);

    let (third, refresh) = tokens(&app.login(EMAIL, PASSWORD).await);
    assert_eq!(ask(app.post("/auth/logout-all").bearer_auth(&one)).await.status, 204);
    for token in [&one, &third] {
        assert_eq!(app.me(token).await.status, 401);
    }
    assert_eq!(app.refresh(&refresh).await.status, 401);
    assert_eq!(app.me(&eve).await.status, 200);
    let (again, _) = tokens(&app.login(EMAIL, PASSWORD).await);
    assert_eq!(app.me(&again).await.status, 200);
}

#[tokio::test]
async fn w06_nobody_is_told_who_has_registered() {
    let app = App::start(&[]);
    let (new, known) = (app.register(EMAIL).await, app.register(" ADA@example.com ").await);
    assert_eq!((new.status, new.body), (known.status, known.body));
    assert_eq!(app.login(EMAIL, PASSWORD).await.status, 200);

    let timed = async |email: &str| {
        let mut shortest = Duration::MAX;
        for _ in 0..4 {
            let begin = Instant::now();
            let answer = app.login(email, "wrong password").await;
            shortest = shortest.min(begin.elapsed());
            assert_eq!((answer.status, &answer.body["detail"]), (401, &json!(WRONG)));
        }
        shortest
    };
    let (known, unknown) = (timed(EMAIL).await, timed("nobody@example.com").await);
    // A lookup without a hash would take a fiftieth.
    assert!(unknown > known / 4 && known > unknown / 4, "{known:?}, {unknown:?}");
}

const WRONG: &str = "wrong email or password";

#[tokio::test]
async fn guessing_is_limited_by_email() {
    let app = App::start(&[]);
    assert_eq!(app.register(EMAIL).await.status, 201);
    for _ in 0..10 {
        assert_eq!(app.login(EMAIL, "wrong password").await.status, 401);
    }
    let refused = app.login("Ada@Example.com", PASSWORD).await;
    assert_eq!(refused.status, 429);
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=300).contains(&wait));
    assert_eq!(app.login("eve@example.com", "wrong password").await.status, 401);
}

#[tokio::test]
async fn bad_requests_are_told_what_is_wrong() {
    let app = App::start(&[]);
    for path in ["/auth/login", "/auth/register"] {
        let raw = |kind: &str, body: String| {
            ask(app.post(path).header("content-type", kind.to_owned()).body(body))
        };
        assert_eq!(raw("application/json", "{".into()).await.status, 400);
        assert_eq!(raw("application/json", "{}".into()).await.status, 422);
        assert_eq!(raw("text/plain", "{}".into()).await.status, 415);
        let form = "email=ada%40example.com&password=correct+horse";
        assert_eq!(raw("application/x-www-form-urlencoded", form.into()).await.status, 415);
        let large = json!({"email": EMAIL, "password": "x".repeat(20_000)}).to_string();
        assert_eq!(raw("application/json", large).await.status, 413);
        for email in ["", "ada", "@", "a@", "@b", "a b@c", "a\u{0}@b", &"a@".repeat(128)] {
            let body = json!({"email": email, "password": PASSWORD}).to_string();
            assert_eq!(raw("application/json", body).await.status, 422, "{email:?}");
        }
    }
    for password in ["", "1234567", &"x".repeat(1025)] {
        let body = json!({"email": EMAIL, "password": password});
        assert_eq!(ask(app.json("/auth/register", &body)).await.status, 422);
    }
    assert_eq!(ask(app.get("/nowhere")).await.status, 404);
    let bare = ask(app.get("/me")).await;
    assert_eq!(bare.headers["www-authenticate"], "Bearer realm=\"auth_server\"");
}

#[tokio::test]
async fn a_browser_gets_cookies_and_no_tokens() {
    let app = App::start(&[]);
    assert_eq!(app.register(EMAIL).await.status, 201);
    let login = || app.json("/auth/login", &json!({"email": EMAIL, "password": PASSWORD}));
    let answer = ask(login().header("sec-fetch-site", "same-origin")).await;
    assert_eq!((answer.status, &answer.body), (200, &json!({"expires_in": 900})));
    let cookies = set_cookies(&answer.headers);
    let [access, refresh, session] = cookies[..] else { panic!("{cookies:?}") };
    assert!(access.starts_with("__Host-at=") && refresh.starts_with("__Secure-rt="));
    assert!(session.starts_with("__Host-sid="));
    let session = CookieSession::from_headers(&answer.headers);

    let with = |method, path| {
        app.request(method, path).header("cookie", session.cookie_header(path).unwrap())
    };
    assert_eq!(ask(with(Method::GET, "/me")).await.status, 200);
    for path in ["/auth/logout", "/auth/logout-all", "/auth/refresh"] {
        for site in ["same-site", "cross-site", "none"] {
            let request = with(Method::POST, path).header("sec-fetch-site", site);
            assert_eq!(ask(request).await.status, 403, "{path}, {site}");
        }
        assert_eq!(ask(with(Method::POST, path)).await.status, 403, "{path}");
    }
    let cross = ask(login().header("sec-fetch-site", "cross-site")).await;
    assert_eq!((cross.status, set_cookies(&cross.headers).len()), (403, 0));
    // Another site's request comes without the cookies, and is not to remove them.
    let bare = app.post("/auth/logout").header("sec-fetch-site", "cross-site");
    let bare = ask(bare).await;
    assert_eq!((bare.status, set_cookies(&bare.headers).len()), (401, 0));
    let out = with(Method::POST, "/auth/logout-all").header("origin", &app.url);
    let out = ask(out).await;
    assert_eq!((out.status, set_cookies(&out.headers).len()), (204, 3));
    assert_eq!(ask(with(Method::GET, "/me")).await.status, 401);
}

#[tokio::test]
async fn its_keys_are_public() {
    let app = App::start(&[]);
    let keys = ask(app.get("/.well-known/jwks.json")).await;
    assert_eq!(keys.body["keys"][0]["kty"], "OKP");
    assert!(keys.headers["cache-control"].to_str().unwrap().starts_with("public"));
    assert!(keys.body["keys"][0].get("d").is_none());
    for path in ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"] {
        let metadata = ask(app.get(path)).await;
        assert_eq!(metadata.body["issuer"], app.url);
        assert_eq!(metadata.body["jwks_uri"], format!("{}/.well-known/jwks.json", app.url));
        assert!(metadata.headers["cache-control"].to_str().unwrap().starts_with("public"));
    }
    assert_eq!(ask(app.get("/health")).await.status, 200);
    for path in ["/", "/app.js", "/style.css", "/favicon.svg"] {
        assert_eq!(ask(app.get(path)).await.headers["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn a16_browsers_may_have_to_prove_a_key_and_other_clients_need_none() {
    let (app, usual) = (App::start(&[("DPOP", "1")]), App::start(&[]));
    let (access, refresh) = app.logged_in().await;
    assert_eq!(app.me(&access).await.status, 200);
    assert_eq!(app.refresh(&refresh).await.status, 200);
    // The same page, with another part that sends its requests.
    let text = async |app: &App, path: &str| ask(app.get(path)).await.body.to_string();
    assert_eq!(text(&app, "/app.js").await, text(&usual, "/app.js").await);
    assert!(text(&app, "/session.js").await.contains("dpop+jwt"));
    assert!(!text(&usual, "/session.js").await.contains("dpop+jwt"));

    let login = json!({"email": EMAIL, "password": PASSWORD});
    let browser = app.json("/auth/login", &login).header("sec-fetch-site", "same-origin");
    let refused = ask(browser).await;
    assert_eq!((refused.status, &refused.body["error"]), (400, &json!("invalid_dpop_proof")));
    assert!(set_cookies(&refused.headers).is_empty());
}

#[test]
fn wrong_settings_are_told_in_one_line() {
    for (name, value, said) in [
        ("BIND", "nonsense", "BIND=nonsense"),
        ("LOG", "loud", "LOG is"),
        ("PUBLIC_URL", "ftp://app.example.com", "PUBLIC_URL=ftp:"),
        ("ACCESS_SECS", "soon", "ACCESS_SECS is whole seconds"),
        ("ACCESS_SECS", "0", "at least a second"),
        ("ACCESS_SECS", "90000", "at most an hour"),
        ("SIGNING_KEY", "/nowhere.pem", "SIGNING_KEY=/nowhere.pem"),
        ("SIGNING_KEY", "Cargo.toml", "SIGNING_KEY=Cargo.toml"),
        ("DEVELOPMENT_COOKIES", "yes", "DEVELOPMENT_COOKIES is 0 or 1"),
        ("DPOP", "yes", "DPOP is 0 or 1"),
        ("DPOP_NONCE_SECRET", "0123456789abcdef0123456789abcdef", "DPOP_NONCE_SECRET needs DPOP=1"),
    ] {
        let output = refuses(&[(name, value)]);
        let text = String::from_utf8(output.stderr).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert!(!output.status.success() && output.stdout.is_empty(), "{name}={value}");
        assert!(lines.len() == 1 && lines[0].starts_with("auth_server: "), "{text}");
        assert!(lines[0].contains(said), "{name}={value}: {text}");
    }
    let elsewhere = [("DEVELOPMENT_COOKIES", "1"), ("PUBLIC_URL", "http://app.example.com")];
    assert!(!refuses(&elsewhere).status.success());
    for (name, value) in [("DPOP_NONCE_SECRET", "short"), ("PUBLIC_URL", "http://app.example.com")]
    {
        let output = refuses(&[("DPOP", "1"), (name, value)]);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && text.contains(name) && text.lines().count() == 1,
            "{text}"
        );
    }
}
