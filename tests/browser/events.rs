//! Server-sent events that end with their token, as an `EventSource` sees them: the recipe of the guide.

#[path = "../streams/channel.rs"]
mod channel;
#[path = "../streams/recipes/sse.rs"]
mod recipe;

use std::time::Duration;

use axum::{Router, response::Html, routing::get};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_jwt_auth::{
    Claims, JwtAuthLayer, TokenSource, Verifier,
    revocation::{MemoryDenylist, Revocation},
    testing::{TestClock, TestIssuer},
};

use crate::chromium::{Browser, Chromium, until};

/// Notes what it hears. `again` is an `EventSource` that connects once more by itself, and `closed` one
/// that has given up.
const PAGE: &str = "<!DOCTYPE html><title>events</title><script>
    window.heard = [];
    const source = new EventSource('/events');
    source.onopen = () => heard.push('open');
    source.onmessage = (event) => heard.push(event.data);
    source.addEventListener('end', (event) => heard.push(`end: ${event.data}`));
    source.onerror = () => heard.push(source.readyState === EventSource.CLOSED ? 'closed' : 'again');
</script>";

struct Service {
    clock: TestClock,
    issuer: TestIssuer,
    list: MemoryDenylist,
    url: String,
}

impl Service {
    async fn start() -> Self {
        let clock = TestClock::new();
        let issuer = TestIssuer::new().with_clock(clock.clone());
        let list = MemoryDenylist::builder().clock(clock.clone()).build().unwrap();
        let verifier: Verifier = issuer.verifier_builder().denylist(list.clone()).build().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let cookie = TokenSource::cookie("at").public_origin(&url).build().unwrap();
        let events = async |claims: Claims| recipe::events(claims, channel::news());
        let app = Router::new()
            .route("/events", get(events))
            .layer(JwtAuthLayer::new(verifier).source(cookie))
            .route("/", get(async || Html(PAGE)));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { clock, issuer, list, url }
    }

    /// Gives the browser a token of this session for five minutes, in a cookie that no script sees.
    async fn log_in(&self, browser: &Browser, session: &str) {
        let token = self.issuer.token().subject("ada").claim("sid", session);
        let token = token.expires_in(Duration::from_secs(300)).sign();
        let cookie = json!({
            "name": "at", "value": token, "domain": "127.0.0.1", "path": "/", "httpOnly": true,
            "secure": false, "sameSite": "Lax", "expires": -1,
        });
        browser.set_cookies(&[cookie]).await;
    }

    fn log_out(&self, session: &str) {
        let until = self.clock.unix_seconds() + 3600;
        self.list.insert(Revocation::session(self.issuer.issuer(), session, until)).unwrap();
    }
}

async fn hears(browser: &Browser, expected: Value) {
    let heard = async || browser.run("return window.heard").await;
    let what = format!("{expected}");
    until(&what, async || heard().await == expected).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs CHROMEDRIVER: the path of chromedriver, with chromium"]
async fn s01_an_event_source_hears_the_end_and_is_refused_afterwards() {
    let (service, chromium) = (Service::start().await, Chromium::start());
    let browser = chromium.browser().await;
    service.log_in(&browser, "first").await;
    browser.open(&service.url).await;
    hears(&browser, json!(["open", "first"])).await;

    service.log_out("first");
    hears(&browser, json!(["open", "first", "end: revoked", "again", "closed"])).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs CHROMEDRIVER: the path of chromedriver, with chromium"]
async fn s01_an_event_source_goes_on_with_a_new_token() {
    let (service, chromium) = (Service::start().await, Chromium::start());
    let browser = chromium.browser().await;
    service.log_in(&browser, "first").await;
    browser.open(&service.url).await;
    hears(&browser, json!(["open", "first"])).await;

    // The page has a new token before the old one ends, and its stream does not know.
    service.clock.advance(Duration::from_secs(240));
    service.log_in(&browser, "second").await;
    service.clock.advance(Duration::from_secs(120));
    let expected = json!(["open", "first", "end: expired", "again", "open", "first"]);
    hears(&browser, expected).await;
}
