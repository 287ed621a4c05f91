//! The API as a browser asks it, over HTTP and in this process; `tests/browser` has the same with a
//! real one.

#[path = "../api.rs"]
mod api;
mod layers;
mod server;
#[allow(dead_code, reason = "tests/it uses the rest")]
#[path = "../../../tests/it/slow_clients.rs"]
mod slow_clients;

use std::path::Path;

use reqwest::{Client, Method, RequestBuilder, header::HeaderMap};
use serde_json::{Value, json};

use self::server::Server;

pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_spa_api"))
}

/// An answer of the API.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header that the answer may have once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        once(&self.headers, name)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A header that may come once.
pub(crate) fn once<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(|value| value.to_str().unwrap());
    assert!(values.next().is_none(), "{name} twice");
    value
}

pub(crate) fn request(server: &Server, method: Method, path: &str) -> RequestBuilder {
    let client = Client::builder().no_proxy().build().unwrap();
    client.request(method, format!("{}{path}", server.api))
}

pub(crate) async fn ask(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, body: response.bytes().await.unwrap().into() }
}

/// Asks as a page of this origin does.
pub(crate) async fn get(server: &Server, origin: &str, path: &str, token: Option<&str>) -> Answer {
    let request = request(server, Method::GET, path).header("origin", origin);
    ask(match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    })
    .await
}

/// Asks as a browser does before it sends a request with a token.
pub(crate) async fn preflight(server: &Server, origin: &str, path: &str) -> Answer {
    let request = request(server, Method::OPTIONS, path).header("origin", origin);
    let request = request.header("access-control-request-method", "GET");
    ask(request.header("access-control-request-headers", "authorization")).await
}

pub(crate) async fn log_in(server: &Server, username: &str, password: &str) -> Answer {
    let request = request(server, Method::POST, "/login").header("origin", &server.page);
    let body = json!({ "username": username, "password": password });
    ask(request.header("content-type", "application/json").body(body.to_string())).await
}

pub(crate) async fn token_of(server: &Server, username: &str) -> String {
    let answer = log_in(server, username, "secret").await;
    assert_eq!(answer.status, 200);
    answer.json()["access_token"].as_str().unwrap().into()
}
