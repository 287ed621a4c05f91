//! The applications in a real browser: what cookies, other sites and the page's own script
//! can and cannot do there.
//!
//! Each test has threads, for a browser that is dropped waits for its end.

mod aide_recipe;
#[allow(dead_code, reason = "tests/it uses the rest")]
#[path = "../it/sessions/app.rs"]
mod app;
mod chromium;
mod dpop_page;
mod events;
mod spa_api;
mod swagger_ui;

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    app::{App, EMAIL, PASSWORD},
    chromium::{Browser, Chromium, foreign, screenshot, until},
};

/// Registers, opens the page and logs in with its form.
async fn log_in(app: &App, browser: &Browser) {
    app.register(EMAIL).await;
    browser.open(&app.url).await;
    until("the form", async || browser.shows("guest").await).await;
    browser.fill("email", EMAIL).await;
    browser.fill("password", PASSWORD).await;
    browser.click("button[value=login]").await;
    until("the user", async || browser.shows("user").await).await;
    assert_eq!(browser.text("user-title").await, EMAIL);
}

/// The names of the cookies, and their values.
async fn token_cookies(browser: &Browser) -> Vec<(String, String)> {
    let text = |cookie: &Value, name: &str| cookie[name].as_str().unwrap().to_owned();
    let cookies = browser.cookies().await;
    cookies.iter().map(|cookie| (text(cookie, "name"), text(cookie, "value"))).collect()
}

/// Whether the user is still logged in, as the page sees it when it is loaded anew.
async fn is_logged_in(app: &App, browser: &Browser) -> bool {
    browser.open(&app.url).await;
    let settled = async || browser.shows("user").await || browser.shows("guest").await;
    until("the page", settled).await;
    browser.shows("user").await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs CHROMEDRIVER: the path of chromedriver, with chromium"]
async fn w01_no_script_sees_a_token() {
    let (app, chromium) = (App::start(&[]), Chromium::start());
    let browser = chromium.browser().await;
    app.register(EMAIL).await;
    browser.open(&app.url).await;
    until("the form", async || browser.shows("guest").await).await;
    // Keeps what the page is answered.
    browser
        .run(
            "window.heard = []; const ask = window.fetch;
             window.fetch = async (...request) => {
                 const response = await ask(...request);
                 window.heard.push(await response.clone().text());
                 return response;
             };",
        )
        .await;
    browser.fill("email", EMAIL).await;
    browser.fill("password", PASSWORD).await;
    browser.click("button[value=login]").await;
    until("the user", async || browser.shows("user").await).await;
    let status = "return fetch('/auth/refresh', { method: 'POST' }).then((r) => r.status)";
    let mut tokens = token_cookies(&browser).await;
    assert_eq!(browser.run(status).await, 200);
    tokens.extend(token_cookies(&browser).await);
    assert_eq!(tokens.len(), 6);
    // The id of the session is known to the page, and no token.
    tokens.retain(|(name, _)| !name.ends_with("sid"));

    assert_eq!(browser.run("return document.cookie").await, "");
    let seen = browser
        .run(
            "return [document.documentElement.outerHTML, JSON.stringify(localStorage),
                     JSON.stringify(sessionStorage), ...window.heard].join('\\n')",
        )
        .await;
    let seen = seen.as_str().unwrap();
    assert!(seen.contains("expires_in") && seen.contains(EMAIL), "{seen}");
    for (name, value) in tokens {
        assert!(value.len() > 30 && !seen.contains(&value), "{name}");
    }
    assert!(!seen.contains("eyJ"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs CHROMEDRIVER: the path of chromedriver, with chromium"]
async fn w02_another_origin_can_end_nothing() {
    let (app, chromium) = (App::start(&[]), Chromium::start());
    let browser = chromium.browser().await;
    log_in(&app, &browser).await;
    // Of the same site at another port, with which the browser sends the cookies, and of
    // another site.
    let port = foreign(&app.url).await;
    for (site, host) in [("same-site", "127.0.0.1"), ("cross-site", "localhost")] {
        let page = format!("http://{host}:{port}/");
        for path in ["/auth/logout", "/auth/logout-all", "/auth/refresh"] {
            browser.open(&page).await;
            browser
                .run(&format!("document.querySelector('form[action$=\"{path}\"]').submit()"))
                .await;
            let there = format!("{}{path}", app.url);
            until("the answer", async || browser.url().await == there).await;
            let body = browser.text_of("body").await;
            let status = if site == "same-site" { "403" } else { "401" };
            assert!(body.contains(&format!("\"status\":{status}")), "{site}, {path}: {body}");
            assert!(is_logged_in(&app, &browser).await, "{site}, {path}");

            browser.open(&page).await;
            let send = format!(
                "return fetch('{there}', {{ method: 'POST', mode: 'no-cors', credentials: 'include' }})
                    .then((response) => response.type, () => 'failed')"
            );
            let answer = browser.run(&send).await;
            assert!(answer == "opaque" || answer == "failed", "{answer}");
            // Without a preflight that is answered, the browser does not even send it.
            let send = send
                .replace("'no-cors'", "'cors', headers: { 'content-type': 'application/json' }");
            assert_eq!(browser.run(&send).await, "failed");
            assert!(is_logged_in(&app, &browser).await, "{site}, {path}");
        }
        browser.open(&page).await;
        let read = format!(
            "return fetch('{}/me', {{ credentials: 'include' }}).then(() => 'read', () => 'failed')",
            app.url
        );
        assert_eq!(browser.run(&read).await, "failed", "{site}");
    }
    // What the page itself sends is taken.
    assert!(is_logged_in(&app, &browser).await);
    browser.click("#logout-all").await;
    until("the question", async || browser.shows("confirm-yes").await).await;
    browser.click("#confirm-yes").await;
    until("the form", async || browser.shows("guest").await).await;
    assert!(!is_logged_in(&app, &browser).await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs CHROMEDRIVER: the path of chromedriver, with chromium"]
async fn another_origin_can_log_nobody_in() {
    let (app, chromium) = (App::start(&[]), Chromium::start());
    let browser = chromium.browser().await;
    app.register(EMAIL).await;
    let port = foreign(&app.url).await;
    for host in ["127.0.0.1", "localhost"] {
        for form in ["#login", "#login-json"] {
            browser.open(&format!("http://{host}:{port}/")).await;
            browser.run(&format!("document.querySelector('{form}').submit()")).await;
            let there = format!("{}/auth/login", app.url);
            until("the answer", async || browser.url().await == there).await;
            let body = browser.text_of("body").await;
            assert!(body.contains("\"status\":415"), "{host}, {form}: {body}");
            assert!(browser.cookies().await.is_empty());
        }
    }
    assert!(!is_logged_in(&app, &browser).await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs CHROMEDRIVER: the path of chromedriver, with chromium"]
async fn the_page_refreshes_by_itself() {
    let (app, chromium) = (App::start(&[("ACCESS_SECS", "3")]), Chromium::start());
    let browser = chromium.browser().await;
    log_in(&app, &browser).await;
    let before = token_cookies(&browser).await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert!(browser.shows("user").await);
    assert_eq!(browser.text("user-title").await, EMAIL);
    let after = token_cookies(&browser).await;
    assert_eq!((before.len(), after.len()), (3, 3));
    for (name, old) in &before {
        let new = after.iter().find(|(other, _)| other == name).map(|(_, value)| value);
        // The session is the same, and both tokens are others.
        assert_eq!(new == Some(old), name.ends_with("sid"), "{name}");
    }
    // A page that is loaded when the access token is over refreshes, too.
    browser.open("about:blank").await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(is_logged_in(&app, &browser).await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs CHROMEDRIVER: the path of chromedriver, with chromium"]
async fn after_the_logout_back_shows_nothing() {
    let (app, chromium) = (App::start(&[]), Chromium::start());
    let browser = chromium.browser().await;
    log_in(&app, &browser).await;
    let elsewhere = format!("{}/health", app.url);
    browser.open(&elsewhere).await;
    browser.driver.back().await.unwrap();
    until("the user", async || browser.shows("user").await).await;
    browser.click("#logout").await;
    until("the form", async || browser.shows("guest").await).await;
    assert!(browser.cookies().await.is_empty());
    assert!(!browser.source().await.contains(EMAIL));
    browser.open(&elsewhere).await;
    for _ in 0..2 {
        browser.driver.back().await.unwrap();
        until("the form", async || browser.shows("guest").await).await;
        assert!(!browser.source().await.contains(EMAIL));
        browser.driver.forward().await.unwrap();
        until("the other page", async || browser.url().await == elsewhere).await;
    }

    // The same if another tab logs out while the page is in the browser's memory.
    log_in(&app, &browser).await;
    browser.open(&elsewhere).await;
    let first = browser.driver.window().await.unwrap();
    let second = browser.driver.new_tab().await.unwrap();
    browser.driver.switch_to_window(second).await.unwrap();
    assert!(is_logged_in(&app, &browser).await);
    browser.click("#logout").await;
    until("the form", async || browser.shows("guest").await).await;
    browser.driver.switch_to_window(first).await.unwrap();
    browser.driver.back().await.unwrap();
    until("the form", async || browser.shows("guest").await).await;
    assert!(!browser.source().await.contains(EMAIL));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs CHROMEDRIVER: the path of chromedriver, with chromium"]
async fn tabs_refresh_at_once_and_sessions_end_from_the_list() {
    let (app, chromium) = (App::start(&[]), Chromium::start());
    let (browser, other) = (chromium.browser().await, chromium.browser().await);
    log_in(&app, &browser).await;
    log_in(&app, &other).await;

    let first = browser.driver.window().await.unwrap();
    let second = browser.driver.new_tab().await.unwrap();
    // Not by way of the page's lock, so that they do meet.
    let many = "const ask = () => fetch('/auth/refresh', { method: 'POST' }).then((r) => r.status);
                window.many = Promise.all([ask(), ask(), ask(), ask()]);";
    browser.driver.switch_to_window(second).await.unwrap();
    assert!(is_logged_in(&app, &browser).await);
    browser.run(many).await;
    browser.driver.switch_to_window(first).await.unwrap();
    browser.run(many).await;
    assert_eq!(browser.run("return window.many").await, json!([200, 200, 200, 200]));
    assert!(is_logged_in(&app, &browser).await);

    until("both sessions", async || browser.count("#sessions li").await == 2).await;
    screenshot(&browser, "logged-in").await;
    browser.click("#sessions button").await;
    until("one session", async || browser.count("#sessions li").await == 1).await;
    let focused = "return document.activeElement.id";
    until("the focus", async || browser.run(focused).await == "sessions-title").await;
    let me = "return fetch('/me').then((response) => response.status)";
    assert_eq!(other.run(me).await, 401, "its access token is refused at once");
    assert!(!is_logged_in(&app, &other).await);
    assert!(is_logged_in(&app, &browser).await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs CHROMEDRIVER: the path of chromedriver, with chromium"]
async fn the_browser_takes_the_cookies_as_they_are_meant() {
    for (variables, names, secure) in [
        (&[][..], ["__Host-at", "__Secure-rt", "__Host-sid"], true),
        (&[("DEVELOPMENT_COOKIES", "1")], ["at", "rt", "sid"], false),
    ] {
        let (app, chromium) = (App::start(variables), Chromium::start());
        let browser = chromium.browser().await;
        log_in(&app, &browser).await;
        let cookies = browser.cookies().await;
        assert_eq!(cookies.len(), 3, "{cookies:?}");
        let expected = [("/", "Lax"), ("/auth", "Strict"), ("/", "Strict")];
        for (name, (path, same_site)) in names.into_iter().zip(expected) {
            let cookie = cookies.iter().find(|cookie| cookie["name"] == name).unwrap();
            assert_eq!(cookie["httpOnly"], true, "{name}");
            assert_eq!(cookie["secure"], secure, "{name}");
            assert_eq!(cookie["sameSite"], same_site, "{name}");
            assert_eq!(cookie["path"], path, "{name}");
            // One that is not for this host alone would begin with a dot.
            assert_eq!(cookie["domain"], "127.0.0.1", "{name}");
            assert_eq!(cookie["session"], false, "{name}: it has a lifetime");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs CHROMEDRIVER: the path of chromedriver, with chromium"]
async fn the_page_tells_what_is_wrong_and_fits_a_phone() {
    let (app, chromium) = (App::start(&[]), Chromium::start());
    let browser = chromium.browser().await;
    browser.open(&app.url).await;
    until("the form", async || browser.shows("guest").await).await;
    screenshot(&browser, "logged-out").await;
    browser.fill("email", EMAIL).await;
    browser.fill("password", PASSWORD).await;
    browser.click("button[value=login]").await;
    let says = async |text: &str| browser.text("status").await.contains(text);
    until("a refusal", async || says("Wrong email or password.").await).await;
    let marked = "return ['email', 'password'].map((id) => document.getElementById(id))
        .every((field) => field.ariaInvalid === 'true') && document.activeElement.id";
    assert_eq!(browser.run(marked).await, "password");
    screenshot(&browser, "refused").await;
    browser.click("button[value=register]").await;
    until("a hint", async || says("You can log in now").await).await;
    browser.phone().await;
    screenshot(&browser, "phone").await;
    let fits = "return document.documentElement.scrollWidth <= innerWidth";
    assert_eq!(browser.run(fits).await, true);
    browser.dark().await;
    screenshot(&browser, "phone-dark").await;
    browser.click("button[value=login]").await;
    until("the user", async || browser.shows("user").await).await;
    let focused = browser.run("return document.activeElement.id").await;
    assert_eq!(focused, "user-title");
    screenshot(&browser, "phone-dark-logged-in").await;
    assert_eq!(browser.run(fits).await, true);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs CHROMEDRIVER: the path of chromedriver, with chromium"]
async fn a_page_without_scripts_is_renewed_when_it_is_opened() {
    let (app, chromium) = (App::start(&[("ACCESS_SECS", "2")]), Chromium::start());
    let browser = chromium.browser().await;
    log_in(&app, &browser).await;
    let account = format!("{}/account?a=b", app.url);
    let names = async || {
        let cookies = token_cookies(&browser).await.into_iter();
        cookies.map(|(name, _)| name).collect::<Vec<_>>()
    };
    let expired = async || {
        browser.open("about:blank").await;
        let gone = async || !names().await.contains(&"__Host-at".to_owned());
        until("the end of the access token", gone).await;
    };
    expired().await;
    browser.open(&account).await;
    assert_eq!(browser.url().await, account);
    assert_eq!(browser.text("email").await, EMAIL);

    // A link of another site comes without the strict cookies. One of this site has them.
    let port = foreign(&app.url).await;
    expired().await;
    browser.open(&format!("http://localhost:{port}/")).await;
    browser.run(&format!("location.href = '{account}'")).await;
    until("the page", async || browser.url().await == account).await;
    let body = async || browser.text_of("body").await;
    until("a refusal", async || body().await.contains("401")).await;
    let waited = async || !names().await.contains(&"__Host-renewed".to_owned());
    until("the mark to go", waited).await;
    browser.run("location.href = '/account'").await;
    let plain = format!("{}/account", app.url);
    until("the next page", async || browser.url().await == plain).await;
    assert_eq!(browser.text("email").await, EMAIL);

    // A session that has ended is not renewed, and its cookies go.
    let ended = "return fetch('/auth/logout-all', { method: 'POST' }).then((r) => r.status)";
    assert_eq!(browser.run(ended).await, 204);
    browser.open(&account).await;
    until("a refusal", async || body().await.contains("401")).await;
    assert_eq!(browser.url().await, account);
}
