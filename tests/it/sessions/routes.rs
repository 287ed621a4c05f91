//! The routes that log in, refresh and log out, as browsers and other clients see them.

use http::{Method, Request, StatusCode, header};
use hyper::body as http_body;
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_jwt_auth::{
    issue::{Grant, TokenCookies},
    refresh::Login,
    refresh::Session,
    revocation::MemoryDenylist,
    verifier::RuleError,
};

use super::client::{Client, ORIGIN, SAME, app, builder};

#[tokio::test]
async fn a_client_that_is_no_browser_has_its_tokens_in_the_body() {
    let client = Client(app(&builder().build().unwrap()));
    let answer = client.post("/auth/login", &[("accept", "application/json")], json!({})).await;
    assert_eq!(answer.status, 200);
    assert!(answer.cookies().is_empty());
    assert_eq!(answer.body["token_type"], "Bearer");
    assert_eq!(answer.body["expires_in"], 900);
    assert_eq!(answer.body["scope"], "read");
    let (access, refresh) = answer.tokens();
    assert_eq!(client.me(&access).await, 200);

    let answer = client.post("/auth/refresh", &[], json!({ "refresh_token": refresh })).await;
    assert_eq!(answer.status, 200);
    assert!(answer.cookies().is_empty());
    let (newer, next) = answer.tokens();
    assert_ne!((&newer, &next), (&access, &refresh));
    assert_eq!(client.me(&newer).await, 200);

    let answer = client.post("/auth/logout", &[], json!({ "refresh_token": next })).await;
    assert_eq!(answer.status, 204);
    for token in [&access, &newer] {
        assert_eq!(client.me(token).await, 401);
    }
    let answer = client.post("/auth/refresh", &[], json!({ "refresh_token": next })).await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json");
    assert!(answer.headers.contains_key(header::WWW_AUTHENTICATE));
    assert_eq!(answer.body["error"], "invalid_grant");
}

#[tokio::test]
async fn w05_a_browser_has_its_tokens_in_cookies_alone() {
    let client = Client(app(&builder().build().unwrap()));
    let browser = [SAME, ("accept", "application/json")];
    let login = client.post("/auth/login", &browser, json!({})).await;
    assert_eq!(login.status, 200);
    assert_eq!(login.body, json!({ "expires_in": 900 }));
    let cookies = login.cookies();
    assert_eq!(cookies[0].0, "__Host-at");
    assert_eq!(cookies[0].2, "HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=900");
    assert_eq!(cookies[1].0, "__Secure-rt");
    assert_eq!(cookies[1].2, "HttpOnly; SameSite=Strict; Secure; Path=/auth; Max-Age=1209600");
    assert_eq!(cookies[2].0, "__Host-sid");
    assert_eq!(cookies[2].2, "HttpOnly; SameSite=Strict; Secure; Path=/; Max-Age=1209600");

    let cookie = login.cookie_header();
    let sent = [SAME, ("cookie", &*cookie)];
    assert_eq!(client.send(Method::GET, "/me", &sent, "").await.status, 200);
    let refreshed = client.send(Method::POST, "/auth/refresh", &sent, "").await;
    assert_eq!(refreshed.status, 200);
    assert_eq!(refreshed.body, json!({ "expires_in": 900 }));
    assert_ne!(refreshed.cookie_header(), cookie);

    let cookie = refreshed.cookie_header();
    let sent = [SAME, ("cookie", &*cookie)];
    let logout = client.send(Method::POST, "/auth/logout", &sent, "").await;
    assert_eq!(logout.status, 204);
    for (name, value, attributes) in logout.cookies() {
        assert_eq!(value, "", "{name}");
        assert!(attributes.contains("Max-Age=0"), "{attributes}");
    }
    assert_eq!(logout.cookies().len(), 3);
    assert_eq!(client.send(Method::GET, "/me", &sent, "").await.status, 401);
    let over = client.send(Method::POST, "/auth/refresh", &sent, "").await;
    assert_eq!((over.status, over.cookies().len()), (StatusCode::UNAUTHORIZED, 3));
}

#[tokio::test]
async fn other_sites_neither_log_in_nor_refresh_nor_log_out() {
    let client = Client(app(&builder().build().unwrap()));
    let cookie = client.post("/auth/login", &[SAME], json!({})).await.cookie_header();
    let cookie = ("cookie", &*cookie);
    for from in [
        &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")][..],
        &[("sec-fetch-site", "same-site"), ("origin", "https://other.example.com")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", ORIGIN), ("origin", ORIGIN)],
        &[("sec-fetch-site", "none")],
    ] {
        let login = client.post("/auth/login", from, json!({})).await;
        assert_eq!((login.status, login.cookies().len()), (StatusCode::FORBIDDEN, 0), "{from:?}");
        for path in ["/auth/refresh", "/auth/logout"] {
            let answer = client.send(Method::POST, path, &[from, &[cookie]].concat(), "").await;
            assert_eq!((answer.status, answer.cookies().len()), (StatusCode::FORBIDDEN, 0));
        }
    }
    // A cookie is no proof by itself; a login has none.
    for path in ["/auth/refresh", "/auth/logout"] {
        assert_eq!(client.send(Method::POST, path, &[cookie], "").await.status, 403);
    }
    assert_eq!(client.post("/auth/login", &[], json!({})).await.cookies().len(), 3);
    assert_eq!(client.send(Method::POST, "/auth/refresh", &[SAME, cookie], "").await.status, 200);
}

#[tokio::test]
async fn what_is_no_refresh_is_told_so() {
    let client = Client(app(&builder().build().unwrap()));
    let login = client.post("/auth/login", &[SAME], json!({})).await;
    let cookie = login.cookie_header();
    let sent = [SAME, ("cookie", &*cookie)];
    let both = client.post("/auth/refresh", &sent, json!({ "refresh_token": "x" })).await;
    assert_eq!(
        (both.status, &both.body["error"]),
        (StatusCode::BAD_REQUEST, &json!("invalid_request"))
    );

    for body in
        ["{", "[]", "{\"refresh_token\":7}", "{\"refresh_token\":\"a\",\"refresh_token\":\"b\"}"]
    {
        let json = [("content-type", "application/json")];
        let answer = client.send(Method::POST, "/auth/refresh", &json, body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json");
    }
    let large = json!({ "refresh_token": "x".repeat(20_000) });
    assert_eq!(client.post("/auth/refresh", &[], large).await.status, 400);
    assert_eq!(client.post("/auth/refresh", &[], json!({})).await.status, 401);
    assert_eq!(
        client.send(Method::POST, "/auth/refresh", &[], "refresh_token=x").await.status,
        415
    );
    for path in ["/auth/refresh", "/auth/logout"] {
        let answer = client.send(Method::GET, path, &[], "").await;
        assert_eq!(
            (answer.status, &answer.headers[header::ALLOW]),
            (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse().unwrap())
        );
    }
}

#[tokio::test]
async fn w04_a_cookie_that_a_sibling_domain_has_planted_is_refused() {
    let sessions = builder().build().unwrap();
    let client = Client(app(&sessions));
    let own = client.post("/auth/login", &[SAME], json!({})).await.cookie_header();
    let mallory = sessions.open(Login::new("mallory")).await.unwrap();
    let planted = format!("__Secure-rt={}", mallory.refresh());

    // Alone, it logs nobody in as Mallory, and out neither.
    for path in ["/auth/refresh", "/auth/logout"] {
        let answer = client.send(Method::POST, path, &[SAME, ("cookie", &planted)], "").await;
        assert_eq!(answer.status, 401);
    }
    assert_eq!(sessions.list("mallory").await.unwrap().len(), 1);
    // An access token cannot be planted, so two of them are two of ours.
    for both in [format!("__Host-at=x; {own}"), format!("{own}; __Host-at=x")] {
        let answer = client.send(Method::GET, "/me", &[SAME, ("cookie", &both)], "").await;
        assert_eq!(answer.status, 400);
    }
    // Beside our own, it keeps nobody from refreshing.
    for rubbish in [&*planted, "__Secure-rt=x", "__Secure-rt="] {
        for both in [format!("{rubbish}; {own}"), format!("{own}; {rubbish}")] {
            let sent = [SAME, ("cookie", &*both)];
            let refreshed = client.send(Method::POST, "/auth/refresh", &sent, "").await;
            assert_eq!(refreshed.status, 200);
            let at = format!("__Host-at={}", refreshed.cookies()[0].1);
            let me = client.send(Method::GET, "/me", &[("cookie", &at)], "").await;
            assert_eq!(me.body, "ada");
        }
    }
    let sent = [SAME, ("cookie", &*format!("{planted}; {own}"))];
    assert_eq!(client.send(Method::POST, "/auth/logout", &sent, "").await.status, 204);
    assert_eq!(sessions.list("mallory").await.unwrap().len(), 1);
    assert!(sessions.list("ada").await.unwrap().is_empty());
}

#[tokio::test]
async fn what_cannot_be_issued_spends_no_token_and_leaves_no_session() {
    use std::sync::{Arc, Mutex};

    let size = Arc::new(Mutex::new(10));
    let seen = Arc::clone(&size);
    let sessions = builder()
        .grant(move |session: Session| {
            let roles = "x".repeat(*seen.lock().unwrap());
            async move { Ok(Grant::of_session(&session).claims(&json!({ "roles": roles }))) }
        })
        .build()
        .unwrap();
    let client = Client(app(&sessions));
    let own = client.post("/auth/login", &[SAME], json!({})).await.cookie_header();
    let sent = [SAME, ("cookie", &*own)];
    *size.lock().unwrap() = 5_000;
    let answer = client.send(Method::POST, "/auth/refresh", &sent, "").await;
    assert_eq!((answer.status, answer.cookies().len()), (StatusCode::INTERNAL_SERVER_ERROR, 0));
    assert_eq!(client.post("/auth/login", &[SAME], json!({})).await.status, 500);
    assert_eq!(sessions.list("ada").await.unwrap().len(), 1);
    *size.lock().unwrap() = 10;
    let live = sessions.list("ada").await.unwrap()[0].clone();
    assert_eq!(live.refreshed_at(), live.created_at(), "nothing was spent");
    assert_eq!(client.send(Method::POST, "/auth/refresh", &sent, "").await.status, 200);
}

#[tokio::test]
async fn a_login_ends_the_session_that_the_browser_had() {
    let sessions = builder().build().unwrap();
    let client = Client(app(&sessions));
    let first = client.post("/auth/login", &[SAME], json!({})).await.cookie_header();
    client.post("/auth/login", &[SAME, ("cookie", &first)], json!({})).await;
    assert_eq!(sessions.list("ada").await.unwrap().len(), 1);
    let sent = [SAME, ("cookie", &*first)];
    assert_eq!(client.send(Method::GET, "/me", &sent, "").await.status, 401);
}

#[tokio::test]
async fn guesses_are_not_remembered() {
    let list = MemoryDenylist::new();
    let client = Client(app(&builder().denylist(list.clone()).build().unwrap()));
    let (_, refresh) = client.tokens().await;
    let guess = "A".repeat(64);
    let other = format!("{}{}", &guess[..40], &refresh[40..]);
    for token in [&guess, &other] {
        let body = json!({ "refresh_token": token });
        assert_eq!(client.post("/auth/logout", &[], body.clone()).await.status, 204);
        assert_eq!(client.post("/auth/refresh", &[], body).await.status, 401);
    }
    assert!(list.is_empty());
    let body = json!({ "refresh_token": refresh });
    assert_eq!(client.post("/auth/refresh", &[], body).await.status, 200);
}

#[tokio::test]
async fn a_logout_goes_by_either_token() {
    let client = Client(app(&builder().build().unwrap()));
    // By the access token alone.
    let (access, refresh) = client.tokens().await;
    let bearer = format!("Bearer {access}");
    let bearer = [("authorization", &*bearer)];
    assert_eq!(client.send(Method::POST, "/auth/logout", &bearer, "").await.status, 204);
    assert_eq!(client.me(&access).await, 401);
    let again = client.post("/auth/refresh", &[], json!({ "refresh_token": refresh })).await;
    assert_eq!(again.status, 401);
    // A second time it is no token any more.
    assert_eq!(client.send(Method::POST, "/auth/logout", &bearer, "").await.status, 401);
    // By a refresh token that was spent, beside an access token that is revoked.
    let (access, spent) = client.tokens().await;
    client.post("/auth/refresh", &[], json!({ "refresh_token": spent })).await;
    for _ in 0..2 {
        let body = json!({ "refresh_token": spent });
        assert_eq!(client.post("/auth/logout", &bearer, body).await.status, 204);
    }
    assert_eq!(client.me(&access).await, 401);
    // With nothing, there is nobody to log out; with what is none, nobody to tell.
    assert_eq!(client.send(Method::POST, "/auth/logout", &[], "").await.status, 401);
    let body = json!({ "refresh_token": "x" });
    assert_eq!(client.post("/auth/logout", &[], body).await.status, 204);
}

/// A body that does not come.
struct Never;

impl http_body::Body for Never {
    type Data = &'static [u8];
    type Error = std::io::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<&'static [u8]>, std::io::Error>>> {
        std::task::Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let sessions = builder().build().unwrap();
    let tokens = sessions.open(Login::new("ada")).await.unwrap();
    let bearer = format!("Bearer {}", tokens.access().as_str());
    for service in [sessions.refresh_service(), sessions.logout_service()] {
        for kind in ["application/json", "text/plain"] {
            let begin = tokio::time::Instant::now();
            let request = Request::post("/auth/logout").header("content-type", kind);
            let request = request.header("authorization", &bearer).body(Never).unwrap();
            let response = service.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), 408);
            assert_eq!(response.headers()["content-type"], "application/problem+json");
            assert_eq!(begin.elapsed().as_secs(), 10);
        }
    }
    assert_eq!(sessions.list("ada").await.unwrap().len(), 1);
}

/// Without a runtime, no timer is needed for a body that is there.
#[test]
fn a_body_that_is_there_needs_no_runtime() {
    use std::{
        future::Future,
        pin::pin,
        task::{Context, Poll, Waker},
    };

    let service = builder().build().unwrap().refresh_service();
    let request = Request::post("/auth/refresh").header("content-type", "application/json");
    let answer = pin!(service.oneshot(request.body(String::from("{}")).unwrap()));
    let Poll::Ready(answer) = answer.poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("it waits")
    };
    assert_eq!(answer.unwrap().status(), 401);
}

#[tokio::test]
async fn t17_a_bad_access_cookie_keeps_nobody_from_logging_out() {
    let sessions = builder().build().unwrap();
    let client = Client(app(&sessions));
    for bad in ["__Host-at=x", "__Host-at=a b", "__Host-at=x; __Host-at=y", "__Host-at="] {
        let login = client.post("/auth/login", &[SAME], json!({})).await;
        let all = login.cookie_header();
        let (_, refresh) = all.split_once("; ").unwrap();
        let both = format!("{bad}; {refresh}");
        let sent = [SAME, ("cookie", &*both)];
        let logout = client.send(Method::POST, "/auth/logout", &sent, "").await;
        assert_eq!((logout.status.as_u16(), logout.cookies().len()), (204, 3), "{bad}");
        assert!(sessions.list("ada").await.unwrap().is_empty());
        // Without a refresh token, nobody is logged out, and the cookies go all the same.
        let sent = [SAME, ("cookie", bad)];
        let logout = client.send(Method::POST, "/auth/logout", &sent, "").await;
        assert!([400, 401].contains(&logout.status.as_u16()), "{bad}");
        assert_eq!(logout.cookies().len(), 3, "{bad}");
        let cross = [("sec-fetch-site", "cross-site"), ("cookie", bad)];
        let logout = client.send(Method::POST, "/auth/logout", &cross, "").await;
        assert_eq!(logout.cookies().len(), 0, "{bad}");
    }
}

#[tokio::test]
async fn t07_a_token_in_a_header_logs_out_whatever_the_cookies_are() {
    let sessions = builder().build().unwrap();
    let client = Client(app(&sessions));
    let browser = client.post("/auth/login", &[SAME], json!({})).await.cookie_header();
    let doubled = "__Host-sid=x; __Host-sid=y";
    for cookies in [&*browser, "__Host-at=deleted", "__Host-at=x; __Host-at=y", doubled] {
        for site in ["cross-site", "same-site", "none"] {
            let (access, _) = client.tokens().await;
            let bearer = format!("Bearer {access}");
            let headers =
                [("authorization", &*bearer), ("cookie", cookies), ("sec-fetch-site", site)];
            assert_eq!(client.send(Method::GET, "/me", &headers, "").await.status, 200);
            let logout = client.send(Method::POST, "/auth/logout", &headers, "").await;
            assert_eq!((logout.status.as_u16(), logout.cookies().len()), (204, 0));
            assert_eq!(client.me(&access).await, 401);
        }
    }
    // The browser's own session is another one.
    let sent = [SAME, ("cookie", &*browser)];
    assert_eq!(client.send(Method::GET, "/me", &sent, "").await.status, 200);
}

#[tokio::test]
async fn t08_the_same_refresh_token_in_cookie_and_body_is_one() {
    let client = Client(app(&builder().build().unwrap()));
    let login = client.post("/auth/login", &[SAME], json!({})).await;
    let refresh = login.cookies().into_iter().find(|(name, ..)| name == "__Secure-rt").unwrap().1;
    let all = login.cookie_header();
    let sent = [SAME, ("cookie", &*all)];
    let other = client.tokens().await.1;
    let body = json!({ "refresh_token": other });
    assert_eq!(client.post("/auth/refresh", &sent, body).await.status, 400);
    let body = json!({ "refresh_token": refresh });
    let refreshed = client.post("/auth/refresh", &sent, body).await;
    assert_eq!((refreshed.status.as_u16(), refreshed.cookies().len()), (200, 3));
}

#[tokio::test]
async fn t17_a_login_below_an_optional_layer_takes_the_place_of_a_revoked_cookie() {
    let sessions = builder().build().unwrap();
    let layer = sessions.layer().unwrap().optional();
    let client = Client(app(&sessions).layer(layer));
    let first = client.post("/auth/login", &[SAME], json!({})).await.cookie_header();
    sessions.end_all("ada").await.unwrap();
    let sent = [SAME, ("cookie", &*first)];
    let login = client.post("/auth/login", &sent, json!({})).await;
    let names: Vec<_> = login.cookies().into_iter().map(|(name, ..)| name).collect();
    assert_eq!((login.status.as_u16(), names.len()), (200, 3), "{names:?}");
    assert!(!login.cookies()[0].1.is_empty());
}

#[tokio::test]
async fn the_application_says_what_a_token_says_and_may_end_a_session() {
    use std::sync::{Arc, Mutex};

    let state = Arc::new(Mutex::new("there"));
    let seen = Arc::clone(&state);
    let sessions = builder()
        .grant(move |session: Session| {
            let state = *seen.lock().unwrap();
            async move {
                match state {
                    "there" => Ok(Grant::of_session(&session).claims(&json!({ "role": "admin" }))),
                    "gone" => Err(RuleError::refuse("the user is gone")),
                    _ => Err(std::io::Error::other("no database"))?,
                }
            }
        })
        .build()
        .unwrap();
    let client = Client(app(&sessions));
    let (access, refresh) = client.tokens().await;
    let claims = sessions
        .verifier_builder()
        .claims::<Value>()
        .build()
        .unwrap()
        .verify(&access)
        .await
        .unwrap();
    assert_eq!(claims["role"], "admin");

    // Nothing is spent where the answer is 503.
    let body = json!({ "refresh_token": refresh });
    *state.lock().unwrap() = "broken";
    for _ in 0..2 {
        let answer = client.post("/auth/refresh", &[], body.clone()).await;
        assert_eq!(answer.status, 503);
        assert!(answer.headers.contains_key(header::RETRY_AFTER));
    }
    *state.lock().unwrap() = "there";
    let (access, refresh) = client.post("/auth/refresh", &[], body).await.tokens();

    *state.lock().unwrap() = "gone";
    let body = json!({ "refresh_token": refresh });
    let answer = client.post("/auth/refresh", &[], body.clone()).await;
    assert_eq!(
        (answer.status, &answer.body["error"]),
        (StatusCode::UNAUTHORIZED, &json!("invalid_grant"))
    );
    assert_eq!(client.me(&access).await, 401, "its access tokens are revoked");
    *state.lock().unwrap() = "there";
    assert_eq!(client.post("/auth/refresh", &[], body).await.status, 401);
    assert!(sessions.list("ada").await.unwrap().is_empty());
}

#[tokio::test]
async fn users_end_their_own_sessions_and_all_of_them() {
    let sessions = builder().build().unwrap();
    let client = Client(app(&sessions));
    let (one, _) = client.tokens().await;
    let (two, refresh) = client.tokens().await;
    let list = sessions.list("ada").await.unwrap();
    assert_eq!(list.len(), 2);
    let other = sessions.open(Login::new("eve")).await.unwrap();
    assert!(!sessions.end_own("ada", other.session().id()).await.unwrap());
    assert_eq!(client.me(other.access().as_str()).await, 200);

    sessions.end_all("ada").await.unwrap();
    for access in [&one, &two] {
        assert_eq!(client.me(access).await, 401);
    }
    let body = json!({ "refresh_token": refresh });
    assert_eq!(client.post("/auth/refresh", &[], body).await.status, 401);
    assert_eq!(client.me(other.access().as_str()).await, 200);
    // Who logs in again, also in this very second, is logged in.
    let (new, _) = client.tokens().await;
    assert_eq!(client.me(&new).await, 200);
    let id = sessions.list("ada").await.unwrap()[0].id().to_owned();
    assert!(sessions.end_own("ada", &id).await.unwrap());
    assert_eq!(client.me(&new).await, 401);
}

#[tokio::test]
async fn w03_development_cookies_are_for_loopback_alone() {
    for origin in ["https://app.example.com", "http://example.com", "http://127.0.0.1.example.com"]
    {
        assert!(TokenCookies::builder().development(origin).build().is_err(), "{origin}");
    }
    for origin in ["http://localhost:3000", "http://127.0.0.1", "http://[::1]:8080"] {
        assert!(TokenCookies::builder().development(origin).build().is_ok(), "{origin}");
    }
    let cookies = TokenCookies::builder().development("http://127.0.0.1:3000").build().unwrap();
    let client = Client(app(&builder().cookies(cookies).build().unwrap()));
    let here = [("host", "127.0.0.1:3000"), ("origin", "http://127.0.0.1:3000")];
    let login = client.post("/auth/login", &here, json!({})).await;
    assert_eq!(login.cookies()[0].0, "at");
    assert!(login.cookies().iter().all(|cookie| !cookie.2.contains("Secure")));
    let elsewhere = [("host", "app.example.com")];
    assert_eq!(client.post("/auth/login", &elsewhere, json!({})).await.status, 403);
}
