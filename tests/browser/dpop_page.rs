//! The page with a key (`DPOP=1`): what its key, its token and its cookie are good for, in the page and
//! elsewhere.

use std::time::Duration;

use base64_simd::URL_SAFE_NO_PAD;
use reqwest::{Client, Method, header::HeaderMap};
use serde_json::{Value, json};
use tower_jwt_auth::testing::TestProofKey;

use crate::{
    app::App,
    chromium::{Browser, Chromium, until},
    {is_logged_in, log_in, token_cookies},
};

/// Keeps the requests of the page, and their answers. The clock of the browser is wrong from now on.
const LISTEN: &str = "
    Date.now = () => 0;
    window.heard = [];
    const ask = window.fetch;
    window.fetch = async (url, request) => {
        const response = await ask(url, request);
        window.heard.push({
            path: new URL(url, location.href).pathname,
            method: request.method,
            headers: { ...request.headers },
            status: response.status,
            body: await response.clone().text(),
        });
        return response;
    };";

/// Has the page refresh, and call a route with its new access token, as it does when another tab has
/// logged in. Gives what it has sent and heard.
async fn heard_of(browser: &Browser) -> Vec<Value> {
    browser.run(LISTEN).await;
    browser.run("new BroadcastChannel('sessions').postMessage('changed')").await;
    let is_done = "return window.heard.some((one) => one.path === '/auth/sessions')";
    until("the page to ask", async || browser.run(is_done).await == true).await;
    browser.run("return window.heard").await.as_array().unwrap().clone()
}

/// What was sent with the last request to this path, and the status of the answer.
fn sent(heard: &[Value], path: &str) -> (String, String, u64) {
    let one = heard.iter().rfind(|one| one["path"] == path).unwrap();
    let header = |name: &str| one["headers"][name].as_str().unwrap_or_default().to_owned();
    (header("authorization"), header("dpop"), one["status"].as_u64().unwrap())
}

/// What somebody has copied from a browser.
struct Copied {
    client: Client,
    url: String,
    token: String,
    cookies: String,
    /// The proofs that the page has sent, with their paths.
    proofs: Vec<(Method, String, String)>,
}

impl Copied {
    /// Everything that there is to copy.
    async fn of(app: &App, browser: &Browser, heard: &[Value]) -> Self {
        let (authorization, ..) = sent(heard, "/me");
        let token = authorization.strip_prefix("DPoP ").unwrap().to_owned();
        let cookies = token_cookies(browser).await;
        let names: Vec<_> = cookies.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["__Host-sid", "__Secure-rt"], "there is no access cookie");
        let cookies: Vec<_> =
            cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let text = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
        let proofs = heard.iter().map(|one| {
            let method = text(one, "method").parse().unwrap();
            (method, text(one, "path"), text(&one["headers"], "dpop"))
        });
        Self {
            client: Client::builder().no_proxy().build().unwrap(),
            url: app.url.clone(),
            token,
            cookies: cookies.join("; "),
            proofs: proofs.collect(),
        }
    }

    /// Sends a request with this, as a browser of the same origin would.
    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (u16, HeaderMap, String) {
        let request = self.client.request(method, format!("{}{path}", self.url));
        let request = request.header("sec-fetch-site", "same-origin");
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        (status, headers, response.text().await.unwrap())
    }

    /// The nonce of the server that the page has used, which everybody can use.
    fn nonce(&self) -> String {
        let nonce = |(_, _, proof): &(Method, String, String)| {
            let payload = URL_SAFE_NO_PAD.decode_to_vec(proof.split('.').nth(1)?).ok()?;
            let claims: Value = serde_json::from_slice(&payload).ok()?;
            Some(claims["nonce"].as_str()?.to_owned())
        };
        self.proofs.iter().find_map(nonce).expect("the page has sent a nonce")
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs CHROMEDRIVER: the path of chromedriver, with chromium"]
async fn d_page_logs_in_calls_refreshes_and_logs_out_with_its_key() {
    let app = App::start(&[("DPOP", "1"), ("ACCESS_SECS", "4")]);
    let chromium = Chromium::start();
    let browser = chromium.browser().await;
    log_in(&app, &browser).await;
    let heard = heard_of(&browser).await;
    let (authorization, proof, status) = sent(&heard, "/me");
    assert!(authorization.starts_with("DPoP ") && !proof.is_empty() && status == 200, "{heard:?}");

    // It refreshes by itself.
    let refreshed =
        "return window.heard.find((one) => one.path === '/auth/refresh' && one.status === 200)";
    until("a refresh", async || !browser.run(refreshed).await.is_null()).await;
    let answer = browser.run(refreshed).await;
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["token_type"], "DPoP");
    let refresh_token = &token_cookies(&browser).await[1].1;
    assert!(body.get("refresh_token").is_none() && !body.to_string().contains(refresh_token));
    // One without its token.
    assert_eq!(answer["headers"].get("authorization"), None);
    let later =
        "return window.heard.filter((one) => one.path === '/me' && one.status === 200).length";
    until("calls with the next token", async || browser.run(later).await.as_u64() > Some(1)).await;

    // After a reload, the token is fetched anew, and the key is the same.
    let own = "return (async () => {
        const opened = indexedDB.open('dpop', 1);
        await new Promise((done) => opened.addEventListener('success', done));
        const found = opened.result.transaction('keys').objectStore('keys').get('own');
        await new Promise((done) => found.addEventListener('success', done));
        opened.result.close();
        const pair = found.result;
        if (!pair) return null;
        const { x, y } = await crypto.subtle.exportKey('jwk', pair.publicKey);
        return [x, y];
    })()";
    let before = browser.run(own).await;
    assert!(before.is_array());
    browser.driver.refresh().await.unwrap();
    until("the user", async || browser.shows("user").await).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(is_logged_in(&app, &browser).await, "also when the access token is over");
    assert_eq!(browser.run(own).await, before);

    // So does another tab.
    let first = browser.driver.window().await.unwrap();
    let second = browser.driver.new_tab().await.unwrap();
    browser.driver.switch_to_window(second).await.unwrap();
    assert!(is_logged_in(&app, &browser).await);
    browser.click("#logout").await;
    until("the form", async || browser.shows("guest").await).await;
    assert!(browser.cookies().await.is_empty());
    // The next one is made when a tab asks whether anybody is logged in.
    assert_ne!(browser.run(own).await, before, "the key is gone");
    browser.driver.switch_to_window(first).await.unwrap();
    until("the form", async || browser.shows("guest").await).await;

    // The next login is with another key.
    log_in(&app, &browser).await;
    let next = browser.run(own).await;
    assert!(next.is_array() && next != before);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs CHROMEDRIVER: the path of chromedriver, with chromium"]
async fn d_no_script_can_export_the_key_of_the_page() {
    let (app, chromium) = (App::start(&[("DPOP", "1")]), Chromium::start());
    let browser = chromium.browser().await;
    log_in(&app, &browser).await;
    let tried = browser
        .run(
            "return (async () => {
                const opened = indexedDB.open('dpop', 1);
                await new Promise((done) => opened.addEventListener('success', done));
                const found = opened.result.transaction('keys').objectStore('keys').get('own');
                await new Promise((done) => found.addEventListener('success', done));
                const { privateKey } = found.result;
                const wrapping = await crypto.subtle.generateKey(
                    { name: 'AES-GCM', length: 256 }, true, ['wrapKey']);
                const algorithm = { name: 'AES-GCM', iv: new Uint8Array(12) };
                const ways = [
                    () => crypto.subtle.exportKey('jwk', privateKey),
                    () => crypto.subtle.exportKey('pkcs8', privateKey),
                    () => crypto.subtle.wrapKey('jwk', privateKey, wrapping, algorithm),
                    () => crypto.subtle.wrapKey('pkcs8', privateKey, wrapping, algorithm),
                ];
                const names = [];
                for (const way of ways) {
                    names.push(await way().then(() => 'exported', (error) => error.name));
                }
                return { names, extractable: privateKey.extractable, usages: privateKey.usages,
                         text: JSON.stringify(privateKey) };
            })()",
        )
        .await;
    let refused = "InvalidAccessError";
    assert_eq!(
        tried,
        json!({
            "names": [refused, refused, refused, refused],
            "extractable": false,
            "usages": ["sign"],
            "text": "{}",
        })
    );
    // Neither the token nor the key is anywhere else.
    let seen = browser
        .run(
            "return [document.documentElement.outerHTML, document.cookie,
                     JSON.stringify(localStorage), JSON.stringify(sessionStorage)].join('\\n')",
        )
        .await;
    assert!(!seen.as_str().unwrap().contains("eyJ"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs CHROMEDRIVER: the path of chromedriver, with chromium"]
async fn d_what_is_copied_from_the_page_is_useless_elsewhere() {
    let (app, chromium) = (App::start(&[("DPOP", "1")]), Chromium::start());
    let browser = chromium.browser().await;
    log_in(&app, &browser).await;
    let heard = heard_of(&browser).await;
    assert_eq!(sent(&heard, "/me").2, 200, "the page itself uses it");
    let copied = Copied::of(&app, &browser, &heard).await;
    let (bearer, dpop) = (format!("Bearer {}", copied.token), format!("DPoP {}", copied.token));
    let as_cookie = format!("{}; __Host-at={}", copied.cookies, copied.token);
    let cookie = ("cookie", &*copied.cookies);

    // Without the key.
    for headers in [
        &[("authorization", &*bearer), cookie][..],
        &[("authorization", &*dpop), cookie],
        &[("cookie", &*as_cookie)],
    ] {
        let (status, _, body) = copied.send(Method::GET, "/me", headers).await;
        assert_eq!(status, 401, "{headers:?}: {body}");
    }
    for path in ["/auth/refresh", "/auth/logout"] {
        let (status, headers, body) = copied.send(Method::POST, path, &[cookie]).await;
        assert!(status == 400 && body.contains("invalid_dpop_proof"), "{path}: {status} {body}");
        assert!(!headers.contains_key("set-cookie") && !body.contains("access_token"));
    }

    // With another key, and all that is needed besides.
    let thief = TestProofKey::new();
    let nonce = copied.nonce();
    let proof = thief.proof("GET", format!("{}/me", app.url)).token(&copied.token).nonce(&*nonce);
    let headers = [("authorization", &*dpop), ("dpop", &proof.sign()), cookie];
    let (status, _, body) = copied.send(Method::GET, "/me", &headers).await;
    assert!(status == 401 && body.contains("invalid_dpop_proof"), "{status} {body}");
    for path in ["/auth/refresh", "/auth/logout"] {
        let proof = thief.proof("POST", format!("{}{path}", app.url)).nonce(&*nonce).sign();
        let (status, _, body) = copied.send(Method::POST, path, &[cookie, ("dpop", &proof)]).await;
        assert!(status == 401 && body.contains("invalid_grant"), "{path}: {status} {body}");
        assert!(!body.contains("access_token"));
    }

    // With every proof that the page has ever sent: where it was sent, and elsewhere.
    assert!(copied.proofs.len() >= 2);
    for (method, path, proof) in &copied.proofs {
        let headers = [("authorization", &*dpop), ("dpop", proof), cookie];
        let (status, _, body) = copied.send(method.clone(), path, &headers).await;
        assert!(matches!(status, 400 | 401), "{method} {path}: {status} {body}");
        // Those without a nonce were never accepted.
        let is_refused = body.contains("invalid_dpop_proof") || body.contains("use_dpop_nonce");
        assert!(is_refused, "{method} {path}: {body}");
        let refresh = [cookie, ("dpop", &**proof)];
        let (status, _, body) = copied.send(Method::POST, "/auth/refresh", &refresh).await;
        assert!(matches!(status, 400 | 401) && !body.contains("access_token"), "{status} {body}");
    }

    // The page has noticed nothing.
    assert!(is_logged_in(&app, &browser).await);
    let (status, _, _) = copied.send(Method::GET, "/me", &[("authorization", &dpop)]).await;
    assert_eq!(status, 401);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs CHROMEDRIVER: the path of chromedriver, with chromium"]
async fn d_cookies_copied_into_another_browser_log_nobody_in() {
    let (app, chromium) = (App::start(&[("DPOP", "1")]), Chromium::start());
    let (browser, other) = (chromium.browser().await, chromium.browser().await);
    log_in(&app, &browser).await;
    other.open(&format!("{}/health", app.url)).await;
    other.set_cookies(&browser.cookies().await).await;
    assert_eq!(other.cookies().await.len(), 2);
    assert!(!is_logged_in(&app, &other).await, "its key is another one");
    assert!(other.cookies().await.is_empty(), "they are of no use there");
    assert!(is_logged_in(&app, &browser).await);
}
