//! The answers of the server.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{Html, IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tower_jwt_auth::{
    Claims,
    sessions::{Login, Sessions},
};

use crate::{
    App,
    attempts::TooMany,
    problem::{Body, Problem},
    users::User,
};

/// The claims about a user in an access token, beside the registered claims.
#[derive(Serialize, Deserialize)]
pub(crate) struct Profile {
    pub(crate) email: String,
}

#[derive(Deserialize)]
pub(crate) struct Credentials {
    email: String,
    password: String,
}

/// Answers the same for an email that is known as for a new one: who registers is not told
/// who has registered. (They can still try to log in with what they chose. A real service
/// writes to that address, and has no account before somebody answers.)
pub(crate) async fn register(
    State(app): State<App>,
    parts: Parts,
    body: Body<Credentials>,
) -> Result<Response, Problem> {
    let Body(Credentials { email, password }) = body;
    let email = normal(&email)?;
    if password.chars().count() < 8 {
        return Err(unprocessable("a password has 8 characters at the least"));
    }
    if password.len() > 1024 {
        return Err(unprocessable("a password has 1024 bytes at the most"));
    }
    let client = app.client(&parts)?;
    let registration = app.attempts.register(client).map_err(too_many)?;
    let password = app.passwords.hash(password, client).await?;
    registration.done();
    app.users.add(User { id: random_id()?, email, password }).await?;
    Ok((StatusCode::CREATED, Json(json!({ "detail": "you can log in now" }))).into_response())
}

/// Answers the same to an unknown email as to a wrong password, and takes as long.
pub(crate) async fn login(
    State(app): State<App>,
    parts: Parts,
    body: Body<Credentials>,
) -> Result<Response, Problem> {
    let Body(Credentials { email, password }) = body;
    let email = normal(&email)?;
    let client = app.client(&parts)?;
    let attempt = app.attempts.begin(&email, client).map_err(too_many)?;
    // If the client hangs up now, or a store does not answer, the attempt is dropped and does
    // not count.
    let user = app.users.by_email(&email).await?;
    let known = app.passwords.is_of(password, user.as_ref(), client).await?;
    let Some(user) = user.filter(|_| known) else {
        attempt.failed();
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "wrong email or password"));
    };
    drop(attempt);
    let login = Login::new(user.id).label(label(&parts.headers));
    Ok(app.sessions.login(&parts, login).await.into_response())
}

pub(crate) async fn me(user: Claims<Profile>) -> Json<Value> {
    let claims = user.registered();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let ends = claims.expires_at().and_then(|time| u64::try_from(time.floor()).ok());
    Json(json!({
        "sub": claims.subject(),
        "email": user.email,
        "session": claims.session_id(),
        "expires_in": ends.map(|ends| ends.saturating_sub(now)),
    }))
}

/// A page without scripts.
pub(crate) async fn account(user: Claims<Profile>) -> Html<String> {
    let email = user.email.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    Html(format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Account</title>\n\
         <link rel=\"icon\" href=\"/favicon.svg\" type=\"image/svg+xml\">\n\
         <link rel=\"stylesheet\" href=\"/style.css\">\n\
         <main><h1>Account</h1><p id=\"email\">{email}</p><p><a href=\"/\">Sessions</a></p></main>\n\
         </html>\n"
    ))
}

pub(crate) async fn sessions(
    State(app): State<App>,
    user: Claims<Profile>,
) -> Result<Json<Value>, Problem> {
    let list = app.sessions.list(subject(&user)).await?;
    let current = user.registered().session_id();
    let list = list.iter().map(|session| {
        json!({
            "id": session.id(),
            "label": session.label(),
            "created_at": session.created_at(),
            "refreshed_at": session.refreshed_at(),
            "expires_at": session.expires_at(),
            "current": current == Some(session.id()),
        })
    });
    Ok(Json(list.collect()))
}

/// Ends a session of the user's own; another's is as unknown as one that never was.
pub(crate) async fn end_session(
    State(app): State<App>,
    user: Claims<Profile>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(id) =
        id.map_err(|_| Problem::new(StatusCode::NOT_FOUND, "there is no such session"))?;
    if !app.sessions.end_own(subject(&user), &id).await? {
        return Err(Problem::new(StatusCode::NOT_FOUND, "there is no such session"));
    }
    let is_current = user.registered().session_id() == Some(&id);
    Ok(ended(&app.sessions, is_current))
}

pub(crate) async fn logout_all(
    State(app): State<App>,
    user: Claims<Profile>,
) -> Result<Response, Problem> {
    app.sessions.end_all(subject(&user)).await?;
    Ok(ended(&app.sessions, true))
}

fn ended(sessions: &Sessions, with_cookies: bool) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    if with_cookies {
        sessions.cookies().clear(response.headers_mut());
    }
    response
}

/// The issuer gives a subject to every token.
fn subject(user: &Claims<Profile>) -> &str {
    user.registered().subject().unwrap_or_default()
}

/// An email as it is stored. Whether it is one, only a mail to it would show.
fn normal(email: &str) -> Result<String, Problem> {
    let email = email.trim().to_lowercase();
    let parts =
        email.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
    if !parts || email.len() > 254 || email.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(unprocessable("this is no email address"));
    }
    Ok(email)
}

fn too_many(refused: TooMany) -> Problem {
    Problem::new(StatusCode::TOO_MANY_REQUESTS, refused.what).retry_after(refused.wait)
}

fn unprocessable(detail: &'static str) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
}

fn random_id() -> Result<String, Problem> {
    let mut id = [0; 16];
    aws_lc_rs::rand::fill(&mut id).map_err(|_| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "there are no random bytes")
    })?;
    Ok(id.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A label by which a user may recognize a session, such as `Firefox on Linux`. The client
/// says it of itself, so it proves nothing.
fn label(headers: &HeaderMap) -> String {
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let agent = agent.unwrap_or_default();
    let first = |rules: &[(&str, &'static str)]| {
        rules.iter().find(|(word, _)| agent.contains(word)).map(|(_, name)| *name)
    };
    // The order counts: Edge says that it is Chrome, and Chrome that it is Safari.
    let browser = first(&[
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("CriOS/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let system = first(&[
        ("Android", "Android"),
        ("iPhone", "iOS"),
        ("iPad", "iPadOS"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(name), None) | (None, Some(name)) => name.into(),
        (None, None) => "Unknown client".into(),
    }
}
