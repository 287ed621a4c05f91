//! The routes that refresh and log out.

use std::{
    convert::Infallible,
    future::IntoFuture,
    task::{Context, Poll},
};

use http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use tower_service::Service;
use zeroize::Zeroizing;

use super::{
    Renewal, Sessions,
    answer::is_browser,
    body::{BodyToken, malformed, token_in_body},
    delivery::Delivery,
};
use crate::{
    error::{BoxError, Error, ErrorKind, InvalidRequest},
    issue::{Body, method_not_allowed},
    maybe_ready::{MaybeReady, MaybeReadyFuture},
    observe,
    refresh::TokenStatus,
    source::{Fault, RawToken, TokenLocation},
};

/// One of the routes of [`Sessions`]; made by [`Sessions::refresh_service`],
/// [`Sessions::logout_service`] and [`Sessions::renew_service`], which list its answers.
#[derive(Clone, Debug)]
pub struct SessionService {
    sessions: Sessions,
    route: Route,
}

#[derive(Clone, Copy, Debug)]
enum Route {
    Refresh,
    Logout,
    Renew,
}

impl Sessions {
    /// Makes a service for `/auth/refresh`, which answers `POST` with the next tokens. For
    /// another path, set
    /// [`TokenCookiesBuilder::refresh_path`](crate::issue::TokenCookiesBuilder::refresh_path).
    ///
    /// | request | answer |
    /// |---|---|
    /// | the refresh cookie, from the same origin | 200, cookies, `{"expires_in":900}` |
    /// | `grant_type=refresh_token&refresh_token=…` as `application/x-www-form-urlencoded` (RFC 6749 §6) | 200, the tokens in the body (§5.1) |
    /// | `{"refresh_token":"…"}` as `application/json` | the same |
    /// | a token in the body, from a browser of the same origin | 200, cookies, `{"expires_in":900}` |
    /// | with [`dpop_in_browsers`](super::SessionsBuilder::dpop_in_browsers): the refresh cookie, from the same origin, with a proof by the key of the session | 200, cookies, the access token in the body |
    /// | none of these | 401 |
    /// | two different tokens, a malformed body, or a form without a token | 400 `invalid_request` |
    /// | a form with another `grant_type` | 400 `unsupported_grant_type` |
    /// | a form with a `scope` that the session does not have | 400 `invalid_scope` |
    /// | a body of another type | 415 |
    /// | a body that is not complete after 10 s | 408 |
    /// | a token that is spent, unknown, or of a session that has ended | 401 `invalid_grant`, and the cookies are removed |
    /// | a cookie, or a token in a browser's body, not shown to come from the same origin | 403 |
    /// | the token of a session that is bound to a key, without a good proof | 400 `invalid_dpop_proof` or `use_dpop_nonce` (RFC 9449 §5, §8); the session does not change |
    /// | the same with a proof by another key, or without the certificate of the session | 401 `invalid_grant`; the session does not change |
    /// | the token of a session that is not bound, and must be by now (`required()`) | 401 `invalid_grant`; the session does not change |
    /// | a store does not answer, or a step-up was a moment ago | 503: the token may be presented again, within the grace |
    ///
    /// A 401 has the challenges of the [layer](Self::layer): `Bearer`, and with
    /// [`dpop`](super::SessionsBuilder::dpop) also `DPoP`, or only that if it is required. `invalid_grant` is
    /// 401, and not 400 as in RFC 6749 §5.2, so that a page knows by the status that its user must log in.
    pub fn refresh_service(&self) -> SessionService {
        SessionService { sessions: self.clone(), route: Route::Refresh }
    }

    /// Makes a service for [`renew_path`](Self::renew_path), to which a
    /// [`page_layer`](Self::page_layer) sends browsers. It answers `GET` with new cookies, and with
    /// the address of the page that the browser has come from.
    ///
    /// | request | answer |
    /// |---|---|
    /// | the refresh cookie, from a browser that opens a page | 303 to the page, cookies |
    /// | the same, after a form was sent | 200, cookies, a page that asks to send the form again |
    /// | no refresh token, or one whose session has ended | 303 to the page, and the cookies are removed |
    /// | an access token that is still valid | the same as with the refresh cookie, without new cookies |
    /// | the session cannot be renewed now: a store does not answer, or the grant refuses | 303 to the page, which sees a guest; the cookies stay |
    /// | anything but a browser that opens a page of this site | 403 |
    ///
    /// The page is the path in the parameter `to`. A path that may lead to another host counts as
    /// `/`.
    ///
    /// If the browser breaks off before it has the new cookies, it presents the spent token again.
    /// Within the [grace](crate::refresh::RefreshTokensBuilder::grace), it gets the same cookies;
    /// after that, its session ends as if the token had been stolen.
    pub fn renew_service(&self) -> SessionService {
        SessionService { sessions: self.clone(), route: Route::Renew }
    }

    /// Makes a service for `/auth/logout`, which answers `POST` by ending the session.
    ///
    /// The session is the one of the refresh token, in its cookie or in the body as
    /// `refresh_token` (JSON or a form), or of the access token, in `Authorization` or in its cookie. With a token
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
    /// | the refresh token of a session that is bound to a key or to a certificate, without a proof | 400 or 401, as at a [refresh](Self::refresh_service); the session does not end |
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
                Route::Renew if parts.method == Method::GET => sessions.answer_renew(&parts).await,
                Route::Renew => only(&parts, "GET"),
                _ if parts.method != Method::POST => only(&parts, "POST"),
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
        let Parts { method, uri, headers, .. } = parts;
        let body = token_in_body(headers, body, true).await;
        let presented = match self.presented_refresh(parts, body, false) {
            Ok(Some(presented)) => presented,
            Ok(None) => return self.refuse(self.0.cookies.explain_missing(uri, headers), parts),
            Err(error) => return self.refuse(error, parts),
        };
        // A page can read a body, so a browser gets no token in one but one that is bound to the key of
        // the page. The page may be of another site that logs its user in to an account of its own.
        let to_browser = presented.in_cookie || is_browser(headers, &self.0.cookies);
        if to_browser
            && !presented.in_cookie
            && let Err(error) = self.0.cookies.check_login(method, uri, headers)
        {
            return self.refuse(error, parts);
        }
        let delivery = if to_browser { self.to_browser() } else { Delivery::Body };
        let (token, request) = (&*presented.token, Some(parts.into()));
        let scope = presented.scope.as_deref();
        let refreshed =
            self.renew(Renewal { delivery, scope, ..Renewal::of(token, request) }).await;
        let answered = refreshed.and_then(|tokens| {
            let mut response = delivery.answer(&tokens)?;
            let now = self.0.issuer.now();
            self.0.proofs.add_nonce(tokens.session(), parts, &mut response, now);
            Ok(response)
        });
        match answered {
            Ok(response) => response,
            Err(error) => {
                let is_final = error.code() == Some("invalid_grant");
                let mut response = self.refuse(error, parts);
                if is_final && presented.in_cookie {
                    self.0.cookies.clear(response.headers_mut());
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
                (self.refuse(error, parts), is_logged_out)
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
        let in_header = matches!(
            &found,
            Ok(Some(one)) if matches!(one.location(), TokenLocation::Other | TokenLocation::DPoP)
        );
        let body = token_in_body(headers, body, false).await;
        let refresh = self.presented_refresh(parts, body, in_header);
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
            && let TokenStatus::Active(session) | TokenStatus::Spent(session) =
                self.0.refresh.token_status(&presented.token).await?
        {
            // A client that has only the token must not end the session of another one.
            let now = self.0.issuer.now();
            self.0.proofs.proven(&session, Some(parts.into()), now).await?;
            self.end(session.id()).await?;
            if session.jkt().is_some() {
                // The proof is spent, and the session's access tokens are revoked.
                return Ok(());
            }
            ended = Some(session.id().to_owned());
        }
        let Some(access) = access else {
            let nothing = refresh.is_none();
            return if nothing { Err(Error::from(ErrorKind::MissingToken).into()) } else { Ok(()) };
        };
        match self.0.verifier.verify_request(access, parts).await {
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
    fn presented_refresh(
        &self,
        parts: &Parts,
        in_body: Result<Option<BodyToken>, Error>,
        in_header: bool,
    ) -> Result<Option<PresentedRefresh>, Error> {
        let Parts { method, uri, headers, .. } = parts;
        let in_cookie = match self.0.cookies.find_refresh(method, uri, headers) {
            Err(_) if in_header => None,
            found => found?,
        };
        match (in_cookie, in_body?) {
            // The same text twice is one token.
            (Some(token), Some(BodyToken { token: Some(other), .. })) if *token != **other => {
                Err(ErrorKind::InvalidRequest(InvalidRequest::SeveralTokens).into())
            }
            (Some(token), other) => {
                let (token, scope) = (token.to_owned().into(), other.and_then(|body| body.scope));
                Ok(Some(PresentedRefresh { token, scope, in_cookie: true }))
            }
            (None, Some(BodyToken { token: Some(token), scope })) => {
                Ok(Some(PresentedRefresh { token, scope, in_cookie: false }))
            }
            // A required parameter is missing (RFC 6749 §5.2).
            (None, Some(BodyToken { token: None, .. })) => Err(malformed()),
            (None, None) => Ok(None),
        }
    }
}

/// A refresh token, and whether it came in a cookie or in the body.
struct PresentedRefresh {
    token: Zeroizing<String>,
    /// The scope that the client requests.
    scope: Option<String>,
    in_cookie: bool,
}

fn no_content() -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    never_stored(response)
}

fn only(parts: &Parts, method: &'static str) -> Response<Body> {
    let is_preflight = parts.method == Method::OPTIONS
        && parts.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if is_preflight {
        observe::refused(&ErrorKind::Preflight.into());
    }
    never_stored(method_not_allowed(method))
}

fn never_stored(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
