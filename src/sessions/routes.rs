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

use super::{
    Sessions,
    answer::{answer, is_json, refuse},
};
use crate::{
    error::{BoxError, Error, ErrorKind, InvalidRequest},
    issue::{Body, method_not_allowed},
    json,
    maybe_ready::{MaybeReady, MaybeReadyFuture},
    refresh::TokenStatus,
    runtime::runtime_with_timer,
    source::{Fault, RawToken, TokenLocation},
};

/// One of the routes of [`Sessions`]; made by [`Sessions::refresh_service`] and
/// [`Sessions::logout_service`], which list its answers.
#[derive(Clone, Debug)]
pub struct SessionService {
    sessions: Sessions,
    route: Route,
}

#[derive(Clone, Copy, Debug)]
enum Route {
    Refresh,
    Logout,
}

impl Sessions {
    /// Makes a service for `/auth/refresh`, which answers `POST` with the next tokens. For
    /// another path, set
    /// [`TokenCookiesBuilder::refresh_path`](crate::issue::TokenCookiesBuilder::refresh_path).
    ///
    /// | request | answer |
    /// |---|---|
    /// | the refresh cookie, from the same origin | 200, cookies, `{"expires_in":900}` |
    /// | `{"refresh_token":"…"}` as `application/json` | 200, the tokens in the body (RFC 6749 §5.1) |
    /// | neither | 401 |
    /// | two different tokens, or a malformed JSON body | 400 |
    /// | a body that is not complete after 10 s | 408 |
    /// | a token that is spent, unknown, or of a session that has ended | 401 `invalid_grant`, and the cookies are removed |
    /// | the cookie, not shown to come from the same origin | 403 |
    /// | a store does not answer | 503: the token may be presented again, within the grace |
    pub fn refresh_service(&self) -> SessionService {
        SessionService { sessions: self.clone(), route: Route::Refresh }
    }

    /// Makes a service for `/auth/logout`, which answers `POST` by ending the session.
    ///
    /// The session is the one of the refresh token, in its cookie or in the JSON body as
    /// `refresh_token`, or of the access token, in `Authorization` or in its cookie. With a token
    /// in `Authorization`, the access cookie is not read, and a refresh cookie that is not shown
    /// to come from the same origin is ignored. The refresh token ends its session even if the
    /// access cookie is malformed or doubled.
    ///
    /// | request | answer |
    /// |---|---|
    /// | a token of a session, even of one that has ended (RFC 7009 §2.2) | 204, the cookies are removed |
    /// | no token | 401, the cookies are removed |
    /// | only an access cookie that is malformed or doubled | 400, the cookies are removed |
    /// | a cookie, not shown to come from the same origin | 403 |
    /// | a body that is not complete after 10 s | 408 |
    /// | a store does not answer | 503: the session may not have ended |
    ///
    /// No cookies are removed if the request says that it comes from another origin.
    pub fn logout_service(&self) -> SessionService {
        SessionService { sessions: self.clone(), route: Route::Logout }
    }
}

impl<B> Service<Request<B>> for SessionService
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
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
        B: http_body::Body<Error: Into<BoxError>>,
    {
        let presented = match self.presented_refresh(parts, body, false).await {
            Ok(Some(presented)) => presented,
            Ok(None) => return refuse(ErrorKind::MissingToken.into()),
            Err(error) => return refuse(error),
        };
        let cookies = presented.in_cookie.then_some(&self.0.cookies);
        let refreshed = self.refresh_for(&presented.token, cookies).await;
        match refreshed.and_then(|tokens| answer(&tokens, cookies)) {
            Ok(response) => response,
            Err(error) => {
                let is_final = error.code() == Some("invalid_grant");
                let mut response = refuse(error);
                if is_final && let Some(cookies) = cookies {
                    cookies.clear(response.headers_mut());
                }
                response
            }
        }
    }

    async fn answer_logout<B>(&self, parts: &Parts, body: B) -> Response<Body>
    where
        B: http_body::Body<Error: Into<BoxError>>,
    {
        let (mut response, is_logged_out) = match self.log_out(parts, body).await {
            Ok(()) => (no_content(), true),
            Err(Fault { error, location }) => {
                let is_bad_cookie =
                    matches!(location, TokenLocation::OnlyInCookie(_)) && error.is_bad_token();
                // Such a client is logged in nowhere, and its cookies are of no use.
                let is_logged_out =
                    is_bad_cookie || error.is_missing_token() || error.is_invalid_token();
                (refuse(error), is_logged_out)
            }
        };
        // A page of another site must not remove them: its requests come without cookies.
        let Parts { method, uri, headers, .. } = parts;
        if is_logged_out && self.0.cookies.check_login(method, uri, headers).is_ok() {
            self.0.cookies.clear(response.headers_mut());
        }
        response
    }

    async fn log_out<B>(&self, parts: &Parts, body: B) -> Result<(), Fault>
    where
        B: http_body::Body<Error: Into<BoxError>>,
    {
        let Parts { method, uri, headers, .. } = parts;
        let found = self.0.sources.find(method, uri, headers);
        let in_header = matches!(&found, Ok(Some(one)) if one.location() == TokenLocation::Other);
        let refresh = self.presented_refresh(parts, body, in_header).await;
        let access = match found {
            // The cookie does not count, but the refresh token does.
            Err(Fault { error, location: TokenLocation::OnlyInCookie(_) })
                if error.is_bad_token() && matches!(refresh, Ok(Some(_))) =>
            {
                None
            }
            found => found?,
        };
        let refresh = refresh?;
        let access = access.as_ref().map(RawToken::text).transpose()?;
        let mut ended = None;
        // Only if the session exists: a guessed token must not fill the denylist.
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
                // A token without a session is revoked by its own id.
                None => Ok(self.revoke_token(&claims).await?),
            },
            // It may have expired, and it is revoked if it belongs to that session.
            Err(error) if error.is_invalid_token() && refresh.is_some() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Finds the refresh token of a request. A fault of the cookie is ignored if the client has
    /// sent an access token `in_header`.
    async fn presented_refresh<B>(
        &self,
        parts: &Parts,
        body: B,
        in_header: bool,
    ) -> Result<Option<PresentedRefresh>, Error>
    where
        B: http_body::Body<Error: Into<BoxError>>,
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
                Ok(Some(PresentedRefresh { token, in_cookie: true }))
            }
            (None, Some(token)) => Ok(Some(PresentedRefresh { token, in_cookie: false })),
            (None, None) => Ok(None),
        }
    }
}

/// A refresh token, and whether it came in a cookie or in the body.
struct PresentedRefresh {
    token: Zeroizing<String>,
    in_cookie: bool,
}

#[derive(Deserialize)]
struct RefreshBody {
    refresh_token: Option<Zeroizing<String>>,
}

/// Finds the refresh token in a JSON body. A body of another type is read and ignored: the
/// connection can be used again only after the whole request was read.
async fn in_body<B>(headers: &HeaderMap, body: B) -> Result<Option<Zeroizing<String>>, Error>
where
    B: http_body::Body<Error: Into<BoxError>>,
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

/// Waits for a body for a limited time. Outside of a tokio runtime with a timer, the server must
/// limit the time itself.
async fn in_time<F: Future>(body: F) -> Result<F::Output, Error> {
    let mut body = pin!(body);
    // Most bodies have already arrived, and need no timer.
    if let Poll::Ready(done) = poll_fn(|context| Poll::Ready(body.as_mut().poll(context))).await {
        return Ok(done);
    }
    if runtime_with_timer().is_none() {
        return Ok(body.await);
    }
    let late = ErrorKind::InvalidRequest(InvalidRequest::LateBody);
    timeout(LATEST, body).await.map_err(|_| late.into())
}

fn no_content() -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    never_stored(response)
}

fn only_post() -> Response<Body> {
    never_stored(method_not_allowed("POST"))
}

fn never_stored(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The longest body in bytes: more than a refresh token in JSON needs.
const LONGEST: usize = 16 * 1024;

/// The time that a body may take: far more than a slow network needs for so few bytes.
const LATEST: Duration = Duration::from_secs(10);
