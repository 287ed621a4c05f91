//! The page of Swagger UI: what it makes of a document of `openapi`.

use axum::{
    Json,
    http::header::CONTENT_TYPE,
    response::{Html, IntoResponse},
    routing::get,
};
use tokio::net::TcpListener;
use tower_jwt_auth::{
    JwtAuthLayer, authorize::Scopes, extract::Subject, openapi::ApiSecurity, testing::TestIssuer,
};
use utoipa::openapi::{InfoBuilder, OpenApiBuilder};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::chromium::{Browser, Chromium, screenshot, until};

const PAGE: &str = r##"<!DOCTYPE html><title>Orders</title><link rel="stylesheet" href="/ui.css">
    <div id="ui"></div><script src="/ui.js"></script>
    <script>SwaggerUIBundle({ url: "/openapi.json", dom_id: "#ui", docExpansion: "full",
                              tryItOutEnabled: true, validatorUrl: null })</script>"##;

/// Lists the orders of the user.
#[utoipa::path(get, path = "/orders", operation_id = "list", responses((status = 200, description = "orders", body = String)))]
async fn list(subject: Subject) -> String {
    format!("orders of {subject}")
}

#[utoipa::path(get, path = "/health", operation_id = "health", responses((status = 200, description = "yes")))]
async fn health() -> &'static str {
    "alive"
}

/// A service with a page of its document; gives its URL.
async fn service(issuer: &TestIssuer) -> String {
    let layer = JwtAuthLayer::new(issuer.verifier());
    let security = ApiSecurity::builder(layer).build().unwrap();
    let orders = OpenApiRouter::new().routes(routes!(list));
    let router = security
        .secured(orders, Scopes::all_of(["orders:read"]))
        .merge(security.public(OpenApiRouter::new().routes(routes!(health))));
    let info = InfoBuilder::new().title("Orders").version("1.0.0").build();
    let document = OpenApiBuilder::new().info(info).build();
    let (router, document) = security.finish(router, document).unwrap();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../interop/node_modules/swagger-ui-dist/");
    let file = |name: &str, kind: &'static str| {
        let path = format!("{folder}{name}");
        let text =
            std::fs::read_to_string(path).expect("tests/run --install brings swagger-ui-dist");
        get(async move || ([(CONTENT_TYPE, kind)], text.clone()).into_response())
    };
    let router = router
        .route("/", get(async || Html(PAGE)))
        .route("/ui.js", file("swagger-ui-bundle.js", "text/javascript"))
        .route("/ui.css", file("swagger-ui.css", "text/css"))
        .route("/openapi.json", get(async move || Json(document)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Executes an operation on the page, and gives the status and the body that the page shows.
async fn execute(browser: &Browser, operation: &str) -> (String, String) {
    let within = |part: &str| format!("#operations-default-{operation} {part}");
    let answer = within(".live-responses-table .response");
    if browser.count(&within(".btn-clear")).await > 0 {
        browser.click(&within(".btn-clear")).await;
        until("no answer", async || browser.count(&answer).await == 0).await;
    }
    browser.click(&within(".execute")).await;
    until("the answer", async || browser.count(&answer).await > 0).await;
    let text = async |part: &str| {
        let selector = format!("{answer} {part}");
        let script = format!("return document.querySelector('{selector}')?.innerText ?? ''");
        browser.run(&script).await.as_str().unwrap().trim().to_owned()
    };
    (text(".response-col_status").await, text(".response-col_description").await)
}

async fn authorize(browser: &Browser, token: &str) {
    browser.click(".auth-wrapper .authorize").await;
    until("the dialog", async || browser.count("#auth-bearer-value").await == 1).await;
    browser.fill("auth-bearer-value", token).await;
    browser.click(".modal-ux .auth-btn-wrapper .authorize").await;
    browser.click(".modal-ux .btn-done").await;
    until("the page", async || browser.count(".modal-ux").await == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs CHROMEDRIVER: the path of chromedriver, with chromium; and tests/interop/node_modules"]
async fn swagger_ui_authorizes_and_tries_out() {
    let issuer = TestIssuer::new();
    let url = service(&issuer).await;
    let chromium = Chromium::start();
    let browser = chromium.browser().await;
    browser.open(&url).await;
    let execute_buttons = async || browser.count(".execute").await == 2;
    until("the operations", execute_buttons).await;
    // It shows what is required, and a padlock only where something is.
    let said = browser.text_of("#operations-default-list .opblock-description").await;
    assert!(said.contains("Requires the scope orders:read."), "{said}");
    assert_eq!(browser.count("#operations-default-list .authorization__btn").await, 1);
    assert_eq!(browser.count("#operations-default-health .authorization__btn").await, 0);

    assert_eq!(execute(&browser, "health").await.0, "200");
    let (status, body) = execute(&browser, "list").await;
    assert!(status.starts_with("401"), "{status}: {body}");

    let token = |scope: &str| issuer.token().subject("ada").scopes([scope]).sign();
    authorize(&browser, &token("orders:read")).await;
    let (status, body) = execute(&browser, "list").await;
    screenshot(&browser, "swagger-ui").await;
    assert!(status.starts_with("200") && body.contains("orders of ada"), "{status}: {body}");
    assert_eq!(execute(&browser, "health").await.0, "200");

    // Logged out, and in again with another scope.
    browser.click(".auth-wrapper .authorize").await;
    browser.click(".modal-ux .auth-btn-wrapper .btn:not(.btn-done)").await;
    browser.click(".modal-ux .btn-done").await;
    assert!(execute(&browser, "list").await.0.starts_with("401"));
    authorize(&browser, &token("orders")).await;
    assert!(execute(&browser, "list").await.0.starts_with("403"));
}
