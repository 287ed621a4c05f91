//! Browsers whose pages have a key: the access token is in the body, the refresh token in a cookie,
//! and both are bound to the key. `tests/browser` has the page.

use std::time::UNIX_EPOCH;

use axum::{Router, extract::State, response::IntoResponse, routing::post};
use http::{Method, StatusCode, request::Parts};
use serde_json::json;
use tower_jwt_auth::{
    Claims, JwtAuthLayer, Verifier,
    proof::{DPoP, MemoryReplayStore, Nonces},
    refresh::{Login, MemoryRefreshStore, RefreshTokens},
    sessions::{Sessions, SessionsBuilder},
    testing::TestProofKey,
};

use super::client::{Answer, Client, ORIGIN, SAME, app_with, builder};

const TEXT: (&str, &str) = ("content-type", "text/plain");

fn dpop() -> DPoP {
    let dpop = DPoP::optional().public_url(ORIGIN).replay_store(MemoryReplayStore::new());
    dpop.build().unwrap()
}

fn in_browsers() -> SessionsBuilder {
    builder().dpop(dpop()).dpop_in_browsers()
}

/// A page of these sessions, with a key of its own.
struct Page {
    client: Client,
    key: TestProofKey,
    cookies: String,
    access: String,
}

impl Page {
    fn new(sessions: &Sessions) -> Self {
        let step_up = Router::new()
            .route("/auth/step-up", post(step_up))
            .route_layer(sessions.layer().unwrap())
            .with_state(sessions.clone());
        let router = app_with(sessions, Login::new("ada").scope("read")).merge(step_up);
        let (cookies, access) = Default::default();
        Self { client: Client(router), key: TestProofKey::new(), cookies, access }
    }

    async fn logged_in(sessions: &Sessions) -> Self {
        let mut page = Self::new(sessions);
        let answer = page.post("/auth/login").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        page.keep(&answer);
        page
    }

    /// Keeps what an answer brings.
    fn keep(&mut self, answer: &Answer) {
        self.cookies = answer.cookie_header();
        self.access = answer.body["access_token"].as_str().unwrap().into();
    }

    fn proof(&self, path: &str) -> String {
        self.key.proof("POST", format!("{ORIGIN}{path}")).sign()
    }

    /// A request for new tokens, as the page sends it.
    async fn post(&self, path: &str) -> Answer {
        let proof = self.proof(path);
        self.send(path, &[SAME, ("cookie", &self.cookies), ("dpop", &proof)]).await
    }

    async fn send(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.client.send(Method::POST, path, headers, "").await
    }

    /// A request with the access token, and a proof by this key.
    async fn call(&self, path: &str, key: &TestProofKey) -> Answer {
        let proof = key.proof("POST", format!("{ORIGIN}{path}")).token(&self.access).sign();
        let dpop = format!("DPoP {}", self.access);
        let headers = [SAME, ("cookie", &self.cookies), ("authorization", &dpop), ("dpop", &proof)];
        self.send(path, &headers).await
    }
}

async fn step_up(
    State(sessions): State<Sessions>,
    user: Claims,
    parts: Parts,
) -> impl IntoResponse {
    let login = Login::new(user.subject().unwrap_or_default()).acr("mfa");
    sessions.step_up(&parts, login).await
}

fn names(answer: &Answer) -> Vec<String> {
    answer.cookies().into_iter().map(|(name, ..)| name).collect()
}

/// That nothing in an answer is a token.
fn assert_nothing_given(answer: &Answer) {
    assert!(answer.body.get("access_token").is_none(), "{}", answer.body);
    assert!(
        answer.cookies().iter().all(|(_, value, _)| value.is_empty()),
        "{:?}",
        answer.cookies()
    );
}

#[tokio::test]
async fn a16_a_page_has_the_access_token_in_the_body_and_the_refresh_token_in_a_cookie() {
    let sessions = in_browsers().build().unwrap();
    let mut page = Page::new(&sessions);
    for path in ["/auth/login", "/auth/refresh"] {
        // Whether or not it asks for JSON.
        for accept in ["application/json", "*/*"] {
            let proof = page.proof(path);
            let headers = [SAME, ("cookie", &*page.cookies), ("dpop", &*proof), ("accept", accept)];
            let answer = page.send(path, &headers).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            let body = answer.body.as_object().unwrap();
            let mut members: Vec<_> = body.keys().map(String::as_str).collect();
            members.sort_unstable();
            assert_eq!(members, ["access_token", "expires_in", "scope", "token_type"]);
            assert_eq!((&body["token_type"], &body["scope"]), (&json!("DPoP"), &json!("read")));
            assert_eq!(names(&answer), ["__Secure-rt", "__Host-sid"]);
            for (name, value, attributes) in answer.cookies() {
                let path = if name == "__Secure-rt" { "/auth" } else { "/" };
                for expected in ["HttpOnly", "SameSite=Strict", "Secure", &format!("Path={path}")] {
                    assert!(attributes.split("; ").any(|one| one == expected), "{attributes}");
                }
                assert!(
                    attributes.contains("Max-Age=") && !answer.body.to_string().contains(&value)
                );
            }
            page.keep(&answer);
            assert_eq!(page.call("/me", &page.key).await.status, 200);
        }
    }
    let session = &sessions.list("ada").await.unwrap()[0];
    assert_eq!(session.jkt(), Some(page.key.jkt()));

    // One that ends with the browser.
    let router = app_with(&sessions, Login::new("bob").until_browser_closes());
    let page = Page { client: Client(router), ..page };
    let answer = page.post("/auth/login").await;
    assert_eq!(names(&answer), ["__Secure-rt", "__Host-sid"]);
    assert!(answer.cookies().iter().all(|(.., attributes)| !attributes.contains("Max-Age")));
}

#[tokio::test]
async fn a16_what_was_copied_from_a_page_is_useless_without_its_key() {
    let sessions = in_browsers().build().unwrap();
    let page = Page::logged_in(&sessions).await;
    let thief = TestProofKey::new();

    // The access token: as a bearer token, as a cookie, without a proof, with another key.
    let bearer = format!("Bearer {}", page.access);
    let dpop = format!("DPoP {}", page.access);
    let cookie = format!("__Host-at={}", page.access);
    let with_own = page.proof("/me");
    for headers in [
        &[("authorization", &*bearer)][..],
        &[("authorization", &dpop)],
        &[SAME, ("cookie", &cookie)],
        &[SAME, ("cookie", &cookie), ("dpop", &with_own)],
    ] {
        assert_eq!(page.send("/me", headers).await.status, 401, "{headers:?}");
    }
    assert_eq!(page.call("/me", &thief).await.status, 401);

    // The refresh cookie: in a browser and elsewhere, to refresh, to log out and to step up.
    let token = page.cookies.split_once("__Secure-rt=").unwrap().1.split(';').next().unwrap();
    let json = json!({"refresh_token": token});
    for path in ["/auth/refresh", "/auth/logout"] {
        let theirs = thief.proof("POST", format!("{ORIGIN}{path}")).sign();
        let cookie = ("cookie", &*page.cookies);
        let missing = page.send(path, &[SAME, cookie]).await;
        assert_eq!(
            (missing.status.as_u16(), &missing.body["error"]),
            (400, &json!("invalid_dpop_proof"))
        );
        assert_nothing_given(&missing);
        let other = page.send(path, &[SAME, cookie, ("dpop", &theirs)]).await;
        assert_eq!(other.status, 401, "{}", other.body);
        assert_nothing_given(&other);
        for client in [&[("accept", "application/json")][..], &[SAME]] {
            let answer = page.client.post(path, client, json.clone()).await;
            assert_eq!(answer.status, 400, "{}", answer.body);
            let theirs = thief.proof("POST", format!("{ORIGIN}{path}")).sign();
            let with_theirs = [client, &[("dpop", &*theirs)]].concat();
            let answer = page.client.post(path, &with_theirs, json.clone()).await;
            assert_eq!(answer.status, 401, "{}", answer.body);
            assert_nothing_given(&answer);
        }
    }

    // A login of the thief's own ends the session of whoever has the cookie, but not a bound one.
    let theirs = thief.proof("POST", format!("{ORIGIN}/auth/login")).sign();
    let login = app_with(&sessions, Login::new("eve"));
    let headers = [SAME, ("cookie", &*page.cookies), ("dpop", &*theirs)];
    let answer = Client(login).send(Method::POST, "/auth/login", &headers, "").await;
    assert_eq!(answer.status, 200);

    // The page goes on, and only its own login ends the session.
    assert_eq!(sessions.list("ada").await.unwrap().len(), 1);
    assert_eq!(page.call("/me", &page.key).await.status, 200);
    let first = sessions.list("ada").await.unwrap()[0].id().to_owned();
    assert_eq!(page.post("/auth/login").await.status, 200);
    let left = sessions.list("ada").await.unwrap();
    assert!(left.len() == 1 && left[0].id() != first);
}

#[tokio::test]
async fn a16_a_proof_of_a_page_is_good_once() {
    let sessions = in_browsers().build().unwrap();
    let mut page = Page::logged_in(&sessions).await;
    let proof = page.proof("/auth/refresh");
    let cookies = page.cookies.clone();
    let headers = [SAME, ("cookie", &*cookies), ("dpop", &*proof)];
    let first = page.send("/auth/refresh", &headers).await;
    assert_eq!(first.status, 200);
    // Within the grace, so it is not the token that is refused.
    let again = page.send("/auth/refresh", &headers).await;
    assert_eq!((again.status.as_u16(), &again.body["error"]), (400, &json!("invalid_dpop_proof")));
    assert_nothing_given(&again);
    page.keep(&first);

    let proof = page.key.proof("POST", format!("{ORIGIN}/me")).token(&page.access).sign();
    let dpop = format!("DPoP {}", page.access);
    let headers = [("authorization", &*dpop), ("dpop", &*proof)];
    assert_eq!(page.send("/me", &headers).await.status, 200);
    assert_eq!(page.send("/me", &headers).await.status, 401);
    assert_eq!(page.send("/auth/logout", &headers).await.status, 400, "for another address");
}

#[tokio::test]
async fn a16_a_browser_without_a_key_gets_nothing() {
    let sessions = in_browsers().build().unwrap();
    let page = Page::new(&sessions);
    for headers in [&[SAME][..], &[SAME, ("accept", "application/json")], &[SAME, ("dpop", "x")]] {
        let answer = page.send("/auth/login", headers).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["error"]),
            (400, &json!("invalid_dpop_proof"))
        );
        assert!(answer.cookies().is_empty());
    }
    assert!(sessions.list("ada").await.unwrap().is_empty());

    // A session from before, whose store is the same.
    let store = MemoryRefreshStore::new();
    let tokens = || RefreshTokens::builder(store.clone()).build().unwrap();
    let before = builder().refresh_tokens(tokens()).build().unwrap();
    let old = Client(app_with(&before, Login::new("ada")));
    let old = old.send(Method::POST, "/auth/login", &[SAME], "").await;
    let cookies = old.cookie_header();
    let now = in_browsers().refresh_tokens(tokens()).build().unwrap();
    let page = Page { cookies, ..Page::new(&now) };
    let answer = page.post("/auth/refresh").await;
    assert_eq!((answer.status.as_u16(), &answer.body["error"]), (401, &json!("invalid_grant")));
    assert_eq!(names(&answer), ["__Host-at", "__Secure-rt", "__Host-sid"]);
    assert_nothing_given(&answer);

    // Other clients are as before.
    let (access, refresh) = page.client.tokens().await;
    assert_eq!(page.client.me(&access).await, 200);
    let next = json!({"refresh_token": refresh});
    let next = page.client.post("/auth/refresh", &[("accept", "application/json")], next).await;
    assert_eq!(next.body["token_type"], "Bearer");
    // The cookie of an access token counts nowhere, not even that of one that is not bound.
    let cookie = format!("__Host-at={access}");
    for path in ["/me", "/auth/logout"] {
        assert_eq!(page.send(path, &[SAME, ("cookie", &cookie)]).await.status, 401, "{path}");
    }
    assert_eq!(page.client.me(&access).await, 200);
    // What they have gets into no page.
    let (_, refresh) = next.tokens();
    let proof = page.proof("/auth/refresh");
    let body = json!({"refresh_token": refresh});
    let stolen = page.client.post("/auth/refresh", &[SAME, ("dpop", &proof)], body).await;
    assert_eq!(stolen.status, 401);
    assert_nothing_given(&stolen);
}

#[tokio::test]
async fn a16_the_cookie_of_a_page_counts_from_the_same_origin_only() {
    let sessions = in_browsers().build().unwrap();
    let page = Page::logged_in(&sessions).await;
    for path in ["/auth/refresh", "/auth/logout", "/auth/login"] {
        for site in ["cross-site", "same-site"] {
            let proof = page.proof(path);
            let site = ("sec-fetch-site", site);
            let headers = [site, ("cookie", &*page.cookies), ("dpop", &*proof)];
            let answer = page.send(path, &headers).await;
            assert_eq!(answer.status, 403, "{path}");
            assert!(answer.cookies().is_empty());
        }
        if path != "/auth/login" {
            let proof = page.proof(path);
            let silent = [TEXT, ("cookie", &*page.cookies), ("dpop", &*proof)];
            assert_eq!(page.send(path, &silent).await.status, 403, "{path}");
        }
    }
    assert_eq!(sessions.list("ada").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a16_a_page_logs_out_and_steps_up_with_its_key() {
    let sessions = in_browsers().build().unwrap();
    let mut page = Page::logged_in(&sessions).await;
    // The layer has spent the proof of this request.
    let stronger = page.call("/auth/step-up", &page.key).await;
    assert_eq!(stronger.status, 200, "{}", stronger.body);
    assert_eq!(names(&stronger), ["__Secure-rt", "__Host-sid"]);
    assert_eq!(stronger.body["token_type"], "DPoP");
    // A session of the same user that is bound to another key is not stepped up.
    let other = Page::logged_in(&sessions).await;
    let mixed = Page {
        access: page.access.clone(),
        key: page.key.clone(),
        cookies: other.cookies.clone(),
        client: Client(page.client.0.clone()),
    };
    let answer = mixed.call("/auth/step-up", &page.key).await;
    assert!(answer.status.is_client_error(), "{}", answer.body);
    assert_nothing_given(&answer);

    page.keep(&stronger);
    let acr = |sessions: &[tower_jwt_auth::sessions::Session]| {
        sessions.iter().filter_map(|session| session.acr().map(String::from)).collect::<Vec<_>>()
    };
    assert_eq!(acr(&sessions.list("ada").await.unwrap()), ["mfa"]);
    assert_eq!(page.call("/me", &page.key).await.status, 200);
    let gone = page.post("/auth/logout").await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_nothing_given(&gone);
    assert_eq!(page.call("/me", &page.key).await.status, 401, "its token is revoked");
    assert_eq!(sessions.list("ada").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a16_a_layer_that_ignores_bindings_vouches_for_nobody() {
    let sessions = in_browsers().build().unwrap();
    let page = Page::logged_in(&sessions).await;
    let verifier = Verifier::builder()
        .keys(sessions.issuer().key_source())
        .audience("https://app.example.com/api")
        .dangerous()
        .ignore_confirmation();
    let layer = JwtAuthLayer::new(verifier.build().unwrap());
    let router = Router::new()
        .route("/auth/step-up", post(step_up))
        .route_layer(layer)
        .with_state(sessions.clone());
    let client = Client(router);
    // Somebody has copied the access token and the cookie.
    let bearer = format!("Bearer {}", page.access);
    let copied = [SAME, ("authorization", &*bearer), ("cookie", &*page.cookies)];
    let thief = TestProofKey::new().proof("POST", format!("{ORIGIN}/auth/step-up")).sign();
    for (dpop, status) in [(None, 400), (Some(&*thief), 401)] {
        let proof: Vec<_> = dpop.map(|proof| ("dpop", proof)).into_iter().collect();
        let headers = [&copied[..], &proof].concat();
        let answer = client.send(Method::POST, "/auth/step-up", &headers, "").await;
        assert_eq!(answer.status, status, "{}", answer.body);
        assert_nothing_given(&answer);
    }
    assert_eq!(sessions.list("ada").await.unwrap()[0].acr(), None);
}

#[tokio::test]
async fn a16_a_page_is_told_the_nonce_and_tries_again() {
    let nonces = Nonces::new([7; 32]).unwrap().any_client_clock();
    let dpop = DPoP::required().public_url(ORIGIN).nonces(nonces).build().unwrap();
    let sessions = builder().dpop(dpop).dpop_in_browsers().build().unwrap();
    let page = Page::new(&sessions);
    let first = page.post("/auth/login").await;
    assert_eq!((first.status.as_u16(), &first.body["error"]), (400, &json!("use_dpop_nonce")));
    let nonce = first.headers["dpop-nonce"].to_str().unwrap();
    // The nonce says the time, and the clock of the browser is wrong.
    let proof = page.key.proof("POST", format!("{ORIGIN}/auth/login")).issued_at(UNIX_EPOCH);
    let proof = proof.nonce(nonce).sign();
    let again = page.send("/auth/login", &[SAME, ("dpop", &proof)]).await;
    assert_eq!(again.status, 200, "{}", again.body);
}

#[tokio::test]
async fn a16_a_page_without_scripts_has_no_user() {
    let sessions = in_browsers().build().unwrap();
    let page = Page::logged_in(&sessions).await;
    let router = Router::new()
        .route("/page", axum::routing::get(async |_: Claims| "in"))
        .route_layer(sessions.layer().unwrap())
        .route_layer(sessions.page_layer())
        .route_service(sessions.renew_path(), sessions.renew_service());
    let opened = [
        SAME,
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
        ("cookie", &page.cookies),
    ];
    let client = Client(router);
    let answer = client.send(Method::GET, "/page", &opened, "").await;
    assert_eq!(answer.status, 401, "it is not sent to the route that renews");
    let answer = client.send(Method::GET, "/auth/renew?to=/page", &opened, "").await;
    assert_eq!(
        (answer.status.as_u16(), answer.headers["location"].to_str().unwrap()),
        (303, "/page")
    );
    assert!(answer.cookies().is_empty());
    assert_eq!(sessions.list("ada").await.unwrap().len(), 1);
}

#[test]
fn a16_pages_get_no_token_that_is_not_bound() {
    let refused = builder().dpop_in_browsers().build().unwrap_err().to_string();
    assert!(refused.contains(".dpop(…)"), "{refused}");
    // In any order.
    assert!(builder().dpop_in_browsers().dpop(dpop()).build().is_ok());
}
