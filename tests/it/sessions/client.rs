//! A client of the routes that log in, refresh and log out.

use axum::{Router, body::Body, response::IntoResponse, routing::get};
use http::{HeaderMap, Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_jwt_auth::{
    Algorithm, Claims,
    issue::{SigningKey, TokenCookies, TokenIssuer},
    refresh::Login,
    sessions::{Sessions, SessionsBuilder},
};

pub(super) const ORIGIN: &str = "https://app.example.com";

pub(super) fn builder() -> SessionsBuilder {
    let issuer = TokenIssuer::builder()
        .issuer(ORIGIN)
        .audience("https://app.example.com/api")
        .key(SigningKey::generate(Algorithm::EdDSA).unwrap())
        .build()
        .unwrap();
    Sessions::builder(issuer)
        .cookies(TokenCookies::builder().public_origin(ORIGIN).build().unwrap())
}

pub(super) fn app(sessions: &Sessions) -> Router {
    app_with(sessions, Login::new("ada").scope("read"))
}

/// The routes, with this login.
pub(super) fn app_with(sessions: &Sessions, login: Login) -> Router {
    let login = {
        let sessions = sessions.clone();
        move |parts: Parts| async move { sessions.login(&parts, login).await.into_response() }
    };
    Router::new()
        .route("/me", get(me).post(me))
        .route_layer(sessions.layer().unwrap())
        .route("/auth/login", axum::routing::post(login))
        .route_service("/auth/refresh", sessions.refresh_service())
        .route_service("/auth/logout", sessions.logout_service())
}

async fn me(user: Claims) -> String {
    user.subject().unwrap_or_default().to_owned()
}

/// A client of the routes.
pub(super) struct Client(pub(super) Router);

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Client {
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).unwrap();
        let response: Response<Body> = self.0.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        if path.starts_with("/auth/") {
            assert_eq!(parts.headers[header::CACHE_CONTROL], "no-store", "{path}");
        }
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(super) async fn post(&self, path: &str, headers: &[(&str, &str)], body: Value) -> Answer {
        let json = [headers, &[("content-type", "application/json")]].concat();
        self.send(Method::POST, path, &json, body.to_string()).await
    }

    /// Logs in without a browser.
    pub(super) async fn tokens(&self) -> (String, String) {
        let answer = self.post("/auth/login", &[("accept", "application/json")], json!({})).await;
        assert_eq!(answer.status, 200);
        answer.tokens()
    }

    pub(super) async fn me(&self, access: &str) -> StatusCode {
        let bearer = format!("Bearer {access}");
        self.send(Method::GET, "/me", &[("authorization", &bearer)], "").await.status
    }
}

impl Answer {
    pub(super) fn tokens(&self) -> (String, String) {
        let text = |name: &str| self.body[name].as_str().unwrap().to_owned();
        (text("access_token"), text("refresh_token"))
    }

    /// The cookies that are set: name, value, attributes.
    pub(super) fn cookies(&self) -> Vec<(String, String, String)> {
        let cookies = self.headers.get_all(header::SET_COOKIE).iter();
        cookies
            .map(|cookie| {
                let (pair, rest) = cookie.to_str().unwrap().split_once("; ").unwrap();
                let (name, value) = pair.split_once('=').unwrap();
                (name.to_owned(), value.to_owned(), rest.to_owned())
            })
            .collect()
    }

    pub(super) fn cookie_header(&self) -> String {
        let pairs = self.cookies().into_iter().map(|(name, value, _)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }
}

pub(super) const SAME: (&str, &str) = ("sec-fetch-site", "same-origin");
