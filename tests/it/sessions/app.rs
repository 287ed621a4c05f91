//! The example that is a whole application, as a process of its own.

use std::{
    env,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

/// The application, until it is dropped.
pub(crate) struct App {
    process: Child,
    pub(crate) url: String,
    client: Client,
}

/// What an application answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

pub(crate) const EMAIL: &str = "ada@example.com";
pub(crate) const PASSWORD: &str = "correct horse";

pub(crate) fn command(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(example("auth_server"));
    command.env_clear().env("BIND", "127.0.0.1:0").envs(variables.iter().copied());
    command
}

/// The program of an example. `cargo test` builds them beside the tests.
pub(crate) fn example(name: &str) -> PathBuf {
    let tests = env::current_exe().unwrap();
    let example = tests.parent().unwrap().with_file_name("examples").join(name);
    assert!(example.exists(), "build it with `cargo build --examples --all-features`");
    example
}

/// Starts an application that is to end at once.
pub(crate) fn refuses(variables: &[(&str, &str)]) -> Output {
    command(variables).output().unwrap()
}

impl App {
    pub(crate) fn start(variables: &[(&str, &str)]) -> Self {
        let mut command = command(variables);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.strip_prefix("listening on ").and_then(|rest| rest.split(',').next());
        let Some(url) = url.map(String::from) else {
            panic!("it does not listen: {line:?}, {:?}", process.wait())
        };
        Self { process, url, client: Client::builder().no_proxy().build().unwrap() }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    /// A request with JSON, as of a client that is no browser.
    pub(crate) fn json(&self, path: &str, body: &Value) -> RequestBuilder {
        let headers = self.post(path).header("accept", "application/json");
        headers.header("content-type", "application/json").body(body.to_string())
    }

    pub(crate) async fn register(&self, email: &str) -> Answer {
        ask(self.json("/auth/register", &json!({"email": email, "password": PASSWORD}))).await
    }

    pub(crate) async fn login(&self, email: &str, password: &str) -> Answer {
        ask(self.json("/auth/login", &json!({"email": email, "password": password}))).await
    }

    /// A user who has registered and logged in: the access and the refresh token.
    pub(crate) async fn logged_in(&self) -> (String, String) {
        assert_eq!(self.register(EMAIL).await.status, 201);
        tokens(&self.login(EMAIL, PASSWORD).await)
    }

    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        ask(self.json("/auth/refresh", &json!({"refresh_token": token}))).await
    }

    pub(crate) async fn me(&self, access: &str) -> Answer {
        ask(self.get("/me").bearer_auth(access)).await
    }
}

/// Sends a request, and sees what every answer has.
pub(crate) async fn ask(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert!(headers["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    let body: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
    if status >= 400 {
        assert_eq!(headers["content-type"], "application/problem+json", "{body}");
        assert_eq!(body["status"], status, "{body}");
    }
    Answer { status, headers, body }
}

pub(crate) fn tokens(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let text = |name: &str| answer.body[name].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
