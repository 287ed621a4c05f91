//! The routes that refresh and log out.

use std::{
    convert::Infallible,
    future::{Future, IntoFuture, poll_fn},
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;
use tokio::time::timeout;
use tower_service::Service;
use zeroize::Zeroizing;

use super::{Sessions, answer::is_json, refuse};
use crate::{
    error::{Error, ErrorKind, InvalidRequest},
    issue::{Body, method_not_allowed},
    json,
    maybe_ready::{MaybeReady, MaybeReadyFuture},
    refresh::TokenStatus,
    runtime::runtime_with_timer,
    source::{Fault, RawToken, TokenLocation},
};

/// One of the routes of [`Sessions`], made by [`Sessions::refresh_service`] and
/// [`Sessions::logout_service`], which say what it answers.
#[derive(Clone, Debug)]
pub struct SessionService {
    sessions: Sessions,
    route: Route,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Route {
    Refresh,
    Logout,
}

impl SessionService {
    pub(super) fn new(sessions: Sessions, route: Route) -> Self {
        Self { sessions, route }
    }
}

impl<B> Service<Request<B>> for SessionService
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Cause>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = MaybeReadyFuture<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Self { sessions, route } = self.clone();
        let (parts, body) = request.into_parts();
        let answer = async move {
            Ok(match route {
                _ if parts.method != Method::POST => only_post(),
                Route::Refresh => sessions.answer_refresh(&parts, body).await,
                Route::Logout => sessions.answer_logout(&parts, body).await,
            })
        };
        MaybeReady::pending(answer).into_future()
    }
}

impl Sessions {
    async fn answer_refresh<B>(&self, parts: &Parts, body: B) -> Response<Body>
    where
        B: http_body::Body<Error: Into<Cause>>,
    {
        let presented = match self.presented(parts, body, false).await {
            Ok(Some(presented)) => presented,
            Ok(None) => return refuse(ErrorKind::MissingToken.into()),
            Err(error) => return refuse(error),
        };
        let cookies = presented.in_cookie.then_some(&self.0.cookies);
        let refreshed = self.refresh_for(&presented.token, cookies).await;
        match refreshed.and_then(|tokens| self.answer(&tokens, presented.in_cookie)) {
            Ok(response) => response,
            Err(error) => {
                let over = error.code() == Some("invalid_grant") && presented.in_cookie;
                let mut response = refuse(error);
                if over {
                    self.0.cookies.clear(response.headers_mut());
                }
                response
            }
        }
    }

    async fn answer_logout<B>(&self, parts: &Parts, body: B) -> Response<Body>
    where
        B: http_body::Body<Error: Into<Cause>>,
    {
        let mut response = match self.log_out(parts, body).await {
            Ok(()) => {
                let mut response = Response::new(Body::default());
                *response.status_mut() = StatusCode::NO_CONTENT;
                let no_store = HeaderValue::from_static("no-store");
                response.headers_mut().insert(header::CACHE_CONTROL, no_store);
                response
            }
            Err(Fault { error, location }) => {
                // Who is logged in nowhere has nothing to lose, and a cookie that does not count
                // is of no use.
                let in_cookie =
                    matches!(location, TokenLocation::InCookie(_)) && error.is_bad_token();
                let is_over = in_cookie || error.is_missing_token() || error.is_invalid_token();
                let response = refuse(error);
                if !is_over {
                    return response;
                }
                response
            }
        };
        // A page of another site may not have them removed: its requests come without them.
        let Parts { method, uri, headers, .. } = parts;
        if self.0.cookies.check_login(method, uri, headers).is_ok() {
            self.0.cookies.clear(response.headers_mut());
        }
        response
    }

    async fn log_out<B>(&self, parts: &Parts, body: B) -> Result<(), Fault>
    where
        B: http_body::Body<Error: Into<Cause>>,
    {
        let Parts { method, uri, headers, .. } = parts;
        let found = self.0.sources.find(method, uri, headers);
        let in_header = matches!(&found, Ok(Some(one)) if one.location() == TokenLocation::Sent);
        let refresh = self.presented(parts, body, in_header).await;
        let access = match found {
            // The cookie does not count, but the refresh token does.
            Err(Fault { error, location: TokenLocation::InCookie(_) })
                if error.is_bad_token() && matches!(refresh, Ok(Some(_))) =>
            {
                None
            }
            found => found?,
        };
        let refresh = refresh?;
        let access = access.as_ref().map(RawToken::text).transpose()?;
        let mut ended = None;
        // Of a session that there is: a guess is no reason to remember anything.
        if let Some(presented) = &refresh
            && let TokenStatus::Active(session) | TokenStatus::Used(session) =
                self.0.refresh.token_status(&presented.token).await?
        {
            self.end(session.id()).await?;
            ended = Some(session.id().to_owned());
        }
        let Some(access) = access else {
            let nothing = refresh.is_none();
            return if nothing { Err(Error::from(ErrorKind::MissingToken).into()) } else { Ok(()) };
        };
        match self.0.verifier.verify(access).await {
            Ok(claims) => match claims.session_id() {
                Some(id) if ended.as_deref() != Some(id) => Ok(self.end(id).await?),
                Some(_) => Ok(()),
                // A token of no session is revoked by itself.
                None => Ok(self.revoke_token(&claims).await?),
            },
            // It may have expired, and is revoked if it is that session's.
            Err(error) if error.is_invalid_token() && refresh.is_some() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The refresh token of a request. Where the client has sent a token `in_header`, no cookie
    /// is at fault.
    async fn presented<B>(
        &self,
        parts: &Parts,
        body: B,
        in_header: bool,
    ) -> Result<Option<TokenIds>, Error>
    where
        B: http_body::Body<Error: Into<Cause>>,
    {
        let Parts { method, uri, headers, .. } = parts;
        let in_body = in_body(headers, body).await;
        let in_cookie = match self.0.cookies.find_refresh(method, uri, headers) {
            Err(_) if in_header => None,
            found => found?,
        };
        match (in_cookie, in_body?) {
            // The same text twice is one token.
            (Some(token), Some(other)) if *token != **other => {
                Err(ErrorKind::InvalidRequest(InvalidRequest::SeveralTokens).into())
            }
            (Some(token), _) => {
                let token = Zeroizing::new(token.to_owned());
                Ok(Some(TokenIds { token, in_cookie: true }))
            }
            (None, Some(token)) => Ok(Some(TokenIds { token, in_cookie: false })),
            (None, None) => Ok(None),
        }
    }
}

/// A refresh token, and how it came.
struct TokenIds {
    token: Zeroizing<String>,
    in_cookie: bool,
}

#[derive(Deserialize)]
struct RefreshBody {
    refresh_token: Option<Zeroizing<String>>,
}

/// The refresh token in a body of JSON; a body of another type is not looked at. It is read in
/// any case: a connection goes on only where the request was read.
async fn in_body<B>(headers: &HeaderMap, body: B) -> Result<Option<Zeroizing<String>>, Error>
where
    B: http_body::Body<Error: Into<Cause>>,
{
    if body.is_end_stream() {
        return Ok(None);
    }
    let malformed = || ErrorKind::InvalidRequest(InvalidRequest::MalformedCredentials);
    let collected = in_time(Limited::new(body, LONGEST).collect()).await?;
    if !headers.get(header::CONTENT_TYPE).is_some_and(|value| is_json(value.as_bytes())) {
        return Ok(None);
    }
    let bytes = match collected {
        Ok(collected) => Zeroizing::new(collected.to_bytes().to_vec()),
        Err(_) => return Err(malformed().into()),
    };
    if bytes.is_empty() {
        return Ok(None);
    }
    let text = std::str::from_utf8(&bytes).ok();
    let body = text.and_then(json::object::<RefreshBody>).ok_or_else(malformed)?;
    Ok(body.refresh_token)
}

/// Waits for a body, but not for ever. Outside of a tokio runtime with a timer, the server must
/// have a limit of its own.
async fn in_time<F: Future>(body: F) -> Result<F::Output, Error> {
    let mut body = pin!(body);
    // Most bodies are there, and need no timer.
    if let Poll::Ready(done) = poll_fn(|context| Poll::Ready(body.as_mut().poll(context))).await {
        return Ok(done);
    }
    if runtime_with_timer().is_none() {
        return Ok(body.await);
    }
    let late = ErrorKind::InvalidRequest(InvalidRequest::LateBody);
    timeout(LATEST, body).await.map_err(|_| late.into())
}

fn only_post() -> Response<Body> {
    let mut response = method_not_allowed("POST");
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What ends a body.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// More than a refresh token and what stands around it.
const LONGEST: usize = 16 * 1024;
/// Far more than a slow network needs for so few bytes.
const LATEST: Duration = Duration::from_secs(10);
