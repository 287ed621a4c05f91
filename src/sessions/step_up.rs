//! A stronger or a more recent login within a session (RFC 9470).

use http::{Response, request::Parts};

use super::{Renewal, SessionTokens, Sessions};
use crate::{error::Error, issue::Body, refresh::Login, request_head::RequestHead};

impl Sessions {
    /// Answers a step-up in a browser, after the application has identified the user once more: the
    /// session has the new login, and the browser gets new cookies. Use it where a
    /// [`StepUp`](crate::authorize::StepUp) has asked for a stronger or a more recent login; see the
    /// [guide](crate::guides::sessions#step-up).
    ///
    /// The session is that of the refresh cookie, so the route must be below its path (`/auth` by
    /// default). Of the login, its subject, [`acr`](Login::acr), [`amr`](Login::amr) and
    /// [`auth_time`](Login::auth_time) count; everything else stays as it is: the id of the session,
    /// its end, its scope. If [`layer`](Self::layer) has accepted the DPoP proof of the request, the same
    /// proof counts here.
    ///
    /// | request | answer |
    /// |---|---|
    /// | the refresh cookie, from the same origin | 200, cookies, `{"expires_in":900}` |
    /// | with [`dpop_in_browsers`](super::SessionsBuilder::dpop_in_browsers), the same with a proof by the key of the session | 200, cookies, the access token in the body |
    /// | the login of another subject | 403 |
    /// | no refresh cookie | 401: [`login`](Self::login) opens a session |
    /// | a token that is spent, unknown, or of a session that has ended | 401 `invalid_grant`, and the cookies are removed |
    /// | a cookie, not shown to come from the same origin | 403 |
    /// | a store does not answer, or another step-up of this session was a moment ago | 503 |
    ///
    /// # Security
    ///
    /// - Tokens that were given before do not gain: an access token says of which login it is, and
    ///   the refresh token is spent. It gives no successor, not even within the
    ///   [grace](crate::refresh::RefreshTokensBuilder::grace): it is answered 503 while the grace lasts,
    ///   so that another tab tries again with the new cookie. After that, it ends the session, as
    ///   every spent token does.
    /// - If somebody else has refreshed the session with a copy of the token just before, that one is
    ///   spent as well.
    /// - The access token from before is valid until it expires, as the weaker login that it was.
    /// - If the answer is lost, the user must log in again.
    ///
    /// # Example: a second factor
    /// ```
    /// use axum::{extract::State, http::{StatusCode, request::Parts}};
    /// use axum::response::{IntoResponse, Response};
    /// use tower_jwt_auth::{Claims, sessions::{Login, Sessions}};
    ///
    /// // At `/auth/step-up`, behind `sessions.layer()`.
    /// async fn step_up(
    ///     State(sessions): State<Sessions>,
    ///     user: Claims,
    ///     parts: Parts,
    ///     code: String,
    /// ) -> Response {
    ///     let subject = user.subject().unwrap_or_default();
    ///     if !check_code(subject, &code).await {
    ///         return StatusCode::FORBIDDEN.into_response();
    ///     }
    ///     let login = Login::new(subject).acr("mfa").amr(["pwd", "otp"]);
    ///     sessions.step_up(&parts, login).await.into_response()
    /// }
    /// # async fn check_code(_: &str, _: &str) -> bool { false }
    /// ```
    pub async fn step_up(&self, request: &Parts, login: Login) -> Response<Body> {
        let Parts { method, uri, headers, .. } = request;
        let cookies = &self.0.cookies;
        let token = match cookies.find_refresh(method, uri, headers) {
            Ok(Some(token)) => token,
            Ok(None) => return self.refuse(cookies.explain_missing(uri, headers), request),
            Err(error) => return self.refuse(error, request),
        };
        let (login, delivery) = (Some(login), self.to_browser());
        let renewal = Renewal { login, delivery, ..Renewal::of(token, Some(request.into())) };
        let renewed = self.renew(renewal).await.and_then(|tokens| {
            let mut response = delivery.answer(&tokens)?;
            let now = self.0.issuer.now();
            self.0.proofs.add_nonce(tokens.session(), request, &mut response, now);
            Ok(response)
        });
        match renewed {
            Ok(response) => response,
            Err(error) => {
                let is_final = error.code() == Some("invalid_grant");
                let mut response = self.refuse(error, request);
                if is_final {
                    cookies.clear(response.headers_mut());
                }
                response
            }
        }
    }

    /// Takes the refresh token of a user who was identified once more, and gives the next tokens of the
    /// session, which has the new login: a [step-up](Self::step_up) of a client that is not a browser,
    /// or with an answer of your own.
    ///
    /// # Errors
    ///
    /// See [`refresh_for_request`](Self::refresh_for_request). [`ErrorKind::Forbidden`]: the login is
    /// that of another subject. [`ErrorKind::Unavailable`]: the token was spent a moment ago by another
    /// step-up.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped half way, the token may be spent, and the user must log in again.
    ///
    /// [`ErrorKind::Forbidden`]: crate::ErrorKind::Forbidden
    /// [`ErrorKind::Unavailable`]: crate::ErrorKind::Unavailable
    pub async fn step_up_for_request<'r>(
        &self,
        token: &str,
        login: Login,
        request: impl Into<RequestHead<'r>>,
    ) -> Result<SessionTokens, Error> {
        let (login, request) = (Some(login), Some(request.into()));
        self.renew(Renewal { login, ..Renewal::of(token, request) }).await
    }
}
