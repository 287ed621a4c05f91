//! The example `spa_api`: a page, and its API on another origin.

#[path = "../../examples/spa_api/tests/server.rs"]
mod server;

use std::{env, path::PathBuf, time::Duration};

use serde_json::{Value, json};

use self::server::Server;
use crate::chromium::{Browser, Chromium, foreign, screenshot, until};

/// `cargo test --workspace` builds it beside the tests.
fn program() -> PathBuf {
    let tests = env::current_exe().unwrap();
    let program = tests.parent().unwrap().with_file_name("spa_api");
    assert!(program.exists(), "build it with `cargo build --package spa_api`");
    program
}

/// An answer, as the page shows it.
struct Shown {
    status: String,
    challenge: String,
    id: String,
    body: Value,
}

/// Clicks, and waits until the page shows an answer.
async fn click(browser: &Browser, button: &str) -> Shown {
    browser.run("document.getElementById('status').textContent = ''").await;
    browser.click(button).await;
    until("an answer", async || !browser.text("status").await.is_empty()).await;
    let body = browser.text("body").await;
    Shown {
        status: browser.text("status").await,
        challenge: browser.text("challenge").await,
        id: browser.text("request-id").await,
        body: serde_json::from_str(&body).unwrap_or(Value::String(body)),
    }
}

async fn log_in(browser: &Browser, page: &str, username: &str) -> Shown {
    browser.open(page).await;
    browser.fill("username", username).await;
    browser.fill("password", "secret").await;
    click(browser, "#guest button").await
}

/// The page reads it all, and the log has the same id.
async fn is_readable(shown: &Shown, server: &Server, status: u16, challenge: &str) {
    assert_eq!(shown.status, status.to_string());
    assert!(shown.challenge.starts_with("Bearer"), "{}", shown.challenge);
    assert!(shown.challenge.contains(challenge), "{}", shown.challenge);
    assert_eq!(shown.body["status"], status);
    let lines = server.logged(&format!("id=\"{}\"", shown.id)).await;
    assert!(lines.iter().any(|line| line.contains(&format!("status={status}"))), "{lines:?}");
}

/// How many requests of this method and path there were.
fn count(server: &Server, method: &str, path: &str) -> usize {
    let span = format!("method={method} path=\"{path}\"");
    server.log().lines().filter(|line| line.contains(&span) && line.contains("answered")).count()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs CHROMEDRIVER: the path of chromedriver, with chromium"]
async fn a_page_of_another_origin_asks_after_a_preflight() {
    let (server, chromium) = (Server::start(&program(), &[]), Chromium::start());
    let browser = chromium.browser().await;
    let shown = log_in(&browser, &server.page, "ada").await;
    assert_eq!(shown.status, "200");
    until("the user", async || browser.shows("user").await).await;
    until("its line", async || count(&server, "POST", "/login") == 1).await;
    assert_eq!(count(&server, "OPTIONS", "/login"), 1);

    let shown = click(&browser, "#me").await;
    assert_eq!((&*shown.status, &shown.body["subject"]), ("200", &json!("ada")));
    until("its line", async || count(&server, "GET", "/me") == 1).await;
    assert_eq!(count(&server, "OPTIONS", "/me"), 1);
    // The browser keeps the answer to the preflight.
    assert_eq!(click(&browser, "#me").await.status, "200");
    until("the second line", async || count(&server, "GET", "/me") == 2).await;
    assert_eq!(count(&server, "OPTIONS", "/me"), 1);
    screenshot(&browser, "spa-api").await;

    let kept = "return [document.cookie, localStorage.length, sessionStorage.length,
                        document.documentElement.outerHTML.includes('eyJ')]";
    assert_eq!(browser.run(kept).await, json!(["", 0, 0, false]));
    assert!(browser.cookies().await.is_empty());
    // A reload forgets the token.
    browser.open(&server.page).await;
    assert!(!browser.shows("user").await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs CHROMEDRIVER: the path of chromedriver, with chromium"]
async fn a_page_of_another_origin_can_read_every_refusal() {
    let (server, chromium) = (Server::start(&program(), &[]), Chromium::start());
    let browser = chromium.browser().await;
    browser.open(&server.page).await;
    let shown = click(&browser, "#nothing").await;
    is_readable(&shown, &server, 401, "Bearer").await;
    browser.fill("username", "ada").await;
    browser.fill("password", "terces").await;
    let shown = click(&browser, "#guest button").await;
    is_readable(&shown, &server, 401, "Bearer").await;
    assert_eq!(shown.body["detail"], "wrong username or password");

    assert_eq!(log_in(&browser, &server.page, "ada").await.status, "200");
    let shown = click(&browser, "#changed").await;
    is_readable(&shown, &server, 401, "error=\"invalid_token\"").await;
    assert_eq!(shown.body["error"], "invalid_token");
    let shown = click(&browser, "#reports").await;
    is_readable(&shown, &server, 403, "error=\"insufficient_scope\"").await;
    assert_eq!(shown.body["missing_scope"], "reports");
    screenshot(&browser, "spa-api-refused").await;

    assert_eq!(log_in(&browser, &server.page, "grace").await.status, "200");
    let shown = click(&browser, "#reports").await;
    assert_eq!((&*shown.status, &shown.body[11]["month"]), ("200", &json!(12)));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs CHROMEDRIVER: the path of chromedriver, with chromium"]
async fn a_page_with_an_expired_token_asks_for_a_login() {
    let server = Server::start(&program(), &[("ACCESS_SECS", "2")]);
    let chromium = Chromium::start();
    let browser = chromium.browser().await;
    assert_eq!(log_in(&browser, &server.page, "ada").await.status, "200");
    until("the user", async || browser.shows("user").await).await;
    tokio::time::sleep(Duration::from_millis(3100)).await;
    let shown = click(&browser, "#me").await;
    is_readable(&shown, &server, 401, "error=\"invalid_token\"").await;
    until("the form", async || browser.shows("guest").await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs CHROMEDRIVER: the path of chromedriver, with chromium"]
async fn a_foreign_page_can_read_no_answer_even_with_a_token() {
    let (server, chromium) = (Server::start(&program(), &[]), Chromium::start());
    let browser = chromium.browser().await;
    browser.open(&server.page).await;
    let login = format!(
        "return fetch('{}/login', {{
             method: 'POST',
             headers: {{ 'content-type': 'application/json' }},
             body: '{{\"username\":\"ada\",\"password\":\"secret\"}}',
         }}).then((answer) => answer.json()).then((body) => body.access_token, () => 'failed')",
        server.api
    );
    let token = browser.run(&login).await;
    let token = token.as_str().unwrap();
    assert!(token.len() > 100, "{token}");
    let ask = |bearer: &str| {
        let headers = format!("{{ headers: {{ authorization: 'Bearer {bearer}' }} }}");
        format!(
            "return fetch('{}/me', {headers}).then((a) => a.status, () => 'failed')",
            server.api
        )
    };
    assert_eq!(browser.run(&ask(token)).await, 200);

    // Of the same site at another port, and of another site.
    let port = foreign(&server.api).await;
    for (host, before) in [("127.0.0.1", 1), ("localhost", 3)] {
        until("the lines", async || count(&server, "GET", "/me") == before).await;
        browser.open(&format!("http://{host}:{port}/")).await;
        assert_eq!(browser.run(&login).await, "failed", "{host}");
        assert_eq!(browser.run(&ask(token)).await, "failed", "{host}");
        // After such a preflight, the browser does not send the request.
        assert_eq!(count(&server, "GET", "/me"), before, "{host}");
        // A request without a preflight is sent, and its answer is not readable.
        let simple = |mode: &str| {
            format!(
                "return fetch('{}/me', {{ mode: '{mode}' }}).then((a) => a.type + a.status, () => 'failed')",
                server.api
            )
        };
        assert_eq!(browser.run(&simple("cors")).await, "failed", "{host}");
        assert_eq!(browser.run(&simple("no-cors")).await, "opaque0", "{host}");
    }

    until("the lines", async || count(&server, "GET", "/me") == 5).await;

    // The same page by another name is of another origin.
    let (_, port) = server.page.rsplit_once(':').unwrap();
    let shown = log_in(&browser, &format!("http://localhost:{port}"), "ada").await;
    assert!(shown.status.starts_with("no answer"), "{}", shown.status);
    assert!(!browser.shows("user").await);
    assert_eq!((count(&server, "GET", "/me"), count(&server, "POST", "/login")), (5, 1));
}
