//! Sessions: log in, refresh, log out, in browsers and in other clients. Needs the feature
//! `issue`.
//!
//! [`Sessions`] puts the parts of [`issue`](crate::issue) and
//! [`revocation`](crate::revocation) together. The application keeps its own login: what
//! it does to know a user, and what it says of them in a token.
//!
//! # Rules
//!
//! 1. A login opens a session: an access token for a quarter of an hour, and a refresh
//!    token that rotates at each use.
//! 2. A browser gets both as [cookies](TokenCookies) and never in a body, so that no script
//!    can read them. A client that is no browser, says `Accept: application/json` and sends
//!    no cookie gets them in the body (RFC 6749 §5.1).
//! 3. A refresh token comes in its cookie, or in the JSON body as `refresh_token`; in both
//!    is refused. A cookie counts only if the request comes from the same origin.
//! 4. A logout ends the session and revokes its access tokens: they are refused at once,
//!    here and, with a denylist that is shared, everywhere.
//! 5. The reuse of a spent refresh token does the same.
//! 6. Every answer is `Cache-Control: no-store`; a refusal is `application/problem+json`.
//!
//! # Example: a whole service
//! ```
//! use axum::{Json, Router, extract::State, http::{StatusCode, request::Parts}, routing::{get, post}};
//! use axum::response::{IntoResponse, Response};
//! use tower_jwt_auth::{
//!     Algorithm, Claims, ConfigError, RegisteredClaims,
//!     issue::{SigningKey, TokenIssuer},
//!     sessions::{Login, Sessions},
//! };
//!
//! fn app() -> Result<Router, ConfigError> {
//!     let issuer = TokenIssuer::builder()
//!         .issuer("https://app.example.com")
//!         .audience("https://app.example.com/api")
//!         .key(SigningKey::generate(Algorithm::EdDSA)?)
//!         .build()?;
//!     let sessions = Sessions::builder(issuer).build()?;
//!     Ok(Router::new()
//!         .route("/me", get(me))
//!         .route_layer(sessions.layer()?)
//!         .route("/auth/login", post(login))
//!         .route_service("/auth/refresh", sessions.refresh_service())
//!         .route_service("/auth/logout", sessions.logout_service())
//!         .with_state(sessions))
//! }
//!
//! async fn me(user: Claims) -> String {
//!     user.subject().unwrap_or_default().to_owned()
//! }
//!
//! #[derive(serde::Deserialize)]
//! struct Credentials {
//!     email: String,
//!     password: String,
//! }
//!
//! async fn login(State(sessions): State<Sessions>, parts: Parts, Json(body): Json<Credentials>) -> Response {
//!     match check_password(&body.email, &body.password).await {
//!         Some(user_id) => sessions.login(&parts, Login::new(user_id)).await.into_response(),
//!         None => StatusCode::UNAUTHORIZED.into_response(),
//!     }
//! }
//! # async fn check_password(_: &str, _: &str) -> Option<String> { None }
//! # app().unwrap();
//! ```
//!
//! # Deployment
//!
//! By default all is in memory: for one process, until it ends. For several, give them one
//! [`RefreshStore`](crate::refresh::RefreshStore) and one [`Denylist`], and one
//! signing key: with one of them alone, a logout holds on one machine and not on the others.
//! The feature `redis` has both.
//!
//! The refresh cookie is sent below `/auth` alone. For routes elsewhere, say
//! [`TokenCookies::refresh_path`]. Behind a proxy, say [`TokenCookies::public_origin`]; to
//! try things out where a browser wants it, [`TokenCookies::development`].
//!
//! The routes that refresh and log out wait 10 s for a body. Outside of a tokio runtime with a
//! time driver, which `#[tokio::main]` makes, they do not limit the time. Heads of requests and
//! idle connections are the server's to limit: `axum::serve` does not, and `examples/serve` shows
//! how to.

mod answer;
mod builder;
mod routes;

use std::{fmt, sync::Arc, time::Duration};

use http::{Response, request::Parts};

use self::routes::Route;
pub use self::{answer::SessionTokens, builder::SessionsBuilder, routes::SessionService};
pub use crate::refresh::{Login, Session};
use crate::{
    claims::RegisteredClaims,
    error::{ConfigError, Error, ErrorKind, StoreError},
    issue::{AccessToken, Body, Grant, TokenCookies, TokenIssuer},
    layer::JwtAuthLayer,
    maybe_ready::MaybeReady,
    observe::{self, Outage},
    refresh::{IssuedToken, RefreshTokens, TokenStatus},
    revocation::{Denylist, Revocation},
    source::TokenSources,
    verifier::{Verifier, VerifierBuilder},
};

/// Opens, refreshes and ends sessions; cheap to clone.
///
/// See the [module docs](self) for an example and the rules.
#[derive(Clone)]
pub struct Sessions(Arc<SessionsInner>);

struct SessionsInner {
    issuer: TokenIssuer,
    refresh: RefreshTokens,
    denylist: Arc<dyn Denylist>,
    cookies: TokenCookies,
    /// Where an access token is looked for.
    sources: TokenSources,
    grant: Option<Box<MakeGrant>>,
    /// Of the access token that logs out.
    verifier: Verifier<RegisteredClaims>,
    outage: Outage,
}

type MakeGrant = dyn Fn(Session) -> MaybeReady<Result<Grant, Error>> + Send + Sync;

impl Sessions {
    /// A builder, for tokens of this issuer.
    pub fn builder(issuer: TokenIssuer) -> SessionsBuilder {
        SessionsBuilder::new(issuer)
    }

    /// Answers a login, when the application knows who it is: with cookies, or with the
    /// tokens in the body. See the [rules](self). A session that the browser had before ends.
    ///
    /// The answer is 200, and may be changed: its status and `Location` to redirect a form,
    /// its body to greet the user.
    pub async fn login(&self, request: &Parts, login: Login) -> Response<Body> {
        let Parts { method, uri, headers, .. } = request;
        let cookies = &self.0.cookies;
        let opened = async {
            cookies.check_login(method, uri, headers)?;
            self.open_for(login, (!answer::wants_tokens(headers)).then_some(cookies)).await
        };
        let tokens = match opened.await {
            Ok(tokens) => tokens,
            Err(error) => return refuse(error),
        };
        let answer = match self.answer(&tokens, !answer::wants_tokens(headers)) {
            Ok(answer) => answer,
            Err(error) => {
                // Nobody has its token, and it would last for days.
                let _ = self.end(tokens.session().id()).await;
                return refuse(error);
            }
        };
        // The browser forgets the token of the session that it had, so that ends.
        if let Ok(Some(former)) = cookies.find_refresh(method, uri, headers)
            && let Ok(TokenStatus::Active(session)) = self.0.refresh.token_status(former).await
            && let Err(error) = self.end(session.id()).await
        {
            observe::refused(&error);
        }
        answer
    }

    /// Opens a session, for an answer of the application's own.
    ///
    /// # Errors
    ///
    /// As of [`RefreshTokens::open`] and [`TokenIssuer::issue`]; what the application's
    /// [grant](SessionsBuilder::grant) refuses: it is asked before the session is in the store.
    /// No other session has ended then, unless a store failed while those beyond the cap ended.
    ///
    /// # Cancel safety
    ///
    /// Dropped half way, a session may be there whose token nobody has. It counts until it is
    /// idle for too long, or until newer ones displace it.
    pub async fn open(&self, login: Login) -> Result<SessionTokens, Error> {
        self.open_for(login, None).await
    }

    /// The same for these cookies, if there are to be any.
    async fn open_for(
        &self,
        login: Login,
        cookies: Option<&TokenCookies>,
    ) -> Result<SessionTokens, Error> {
        let prepared = self.0.refresh.prepare(login)?;
        // What may be refused comes first: nothing is opened, and nothing ends, for that.
        let session = prepared.opened.session();
        let access = self.issue(self.grant(session.clone()).await?, session)?;
        cookies.map_or(Ok(()), |cookies| cookies.check_length(&access))?;

        let mut opened = self.0.refresh.keep(prepared).await?;
        let room = async {
            self.0.refresh.displace_older(&mut opened).await?;
            self.end_displaced(opened.displaced()).await
        };
        let room: Result<(), Error> = room.await;
        match room {
            Ok(()) => Ok(self.tokens(access, opened)),
            Err(error) => {
                // Nobody has its token.
                self.0.refresh.undo(&opened).await;
                Err(error)
            }
        }
    }

    /// Takes a refresh token, and gives the next tokens.
    ///
    /// # Errors
    ///
    /// As of [`RefreshTokens::rotate`]; the access tokens of a session whose token was
    /// reused are revoked. What the application's [grant](SessionsBuilder::grant) refuses
    /// ends the session.
    pub async fn refresh(&self, token: &str) -> Result<SessionTokens, Error> {
        self.refresh_for(token, None).await
    }

    /// The same for these cookies, if there are to be any.
    async fn refresh_for(
        &self,
        token: &str,
        cookies: Option<&TokenCookies>,
    ) -> Result<SessionTokens, Error> {
        // What may fail comes first: a token that is spent for nothing may be taken for
        // stolen when it comes again.
        let access = match self.0.refresh.token_status(token).await? {
            TokenStatus::Unknown => return Err(ErrorKind::RefreshToken.into()),
            TokenStatus::Used(session) => {
                // Before its family goes: what fails now can be done again.
                self.revoke(session.id()).await?;
                None
            }
            TokenStatus::Active(session) => {
                let access = self.issue(self.grant_or_end(&session).await?, &session)?;
                cookies.map_or(Ok(()), |cookies| cookies.check_length(&access))?;
                Some(access)
            }
        };
        let opened = match self.0.refresh.rotate(token).await {
            Ok(opened) => opened,
            Err(error) => {
                if let ErrorKind::RefreshTokenReused { session } = error.kind() {
                    self.revoke(session).await?;
                }
                return Err(error);
            }
        };
        // What was spent gives no successor, so there is one.
        let access = access.ok_or(ErrorKind::Failed)?;
        Ok(self.tokens(access, opened))
    }

    /// What the application says of a session; it may end it.
    async fn grant_or_end(&self, session: &Session) -> Result<Grant, Error> {
        match self.grant(session.clone()).await {
            Err(error) if matches!(error.kind(), ErrorKind::Rule { .. }) => {
                observe::refused(&error);
                self.end(session.id()).await?;
                Err(ErrorKind::RefreshToken.into())
            }
            granted => granted,
        }
    }

    /// Ends sessions that the store may have ended already, and revokes their access tokens:
    /// those would outlive them, and nobody would know of them any more. So all revocations
    /// begin before the first is waited for, and one that fails keeps no other from being made.
    async fn end_displaced(&self, displaced: &[Session]) -> Result<(), Error> {
        let revoking: Vec<_> =
            displaced.iter().map(|session| self.revoking(session.id())).collect();
        let mut done = Ok(());
        for revoked in revoking {
            done = done.and(self.added(revoked.await));
        }
        for session in displaced {
            done = done.and(self.0.refresh.end(session.id()).await.map(drop));
        }
        done
    }

    /// The sessions of a subject that have not ended, the newest first.
    ///
    /// # Errors
    ///
    /// The store cannot be reached.
    pub async fn list(&self, subject: &str) -> Result<Vec<Session>, Error> {
        self.0.refresh.list(subject).await
    }

    /// Ends a session and revokes its access tokens: a logout.
    ///
    /// # Errors
    ///
    /// A store cannot be reached. The session may go on: call it again.
    ///
    /// # Cancel safety
    ///
    /// Dropped half way, the access tokens may be revoked and the session go on.
    pub async fn end(&self, id: &str) -> Result<(), Error> {
        // In this order, for what fails half way can then be done again; and both in any
        // case, for a session lasts longer than its access tokens.
        let revoked = self.revoke(id).await;
        self.0.refresh.end(id).await?;
        revoked
    }

    /// Ends a session if it is one of this subject's, and says whether it was: for a list in
    /// which a user ends their own.
    ///
    /// # Errors
    ///
    /// As of [`end`](Self::end).
    pub async fn end_own(&self, subject: &str, id: &str) -> Result<bool, Error> {
        let own = self.list(subject).await?.iter().any(|session| session.id() == id);
        if own {
            self.end(id).await?;
        }
        Ok(own)
    }

    /// Ends all sessions of a subject and revokes their access tokens, and those without a
    /// session that were issued to it before this second: a logout everywhere, or a new
    /// password. Who logs in after it has a new session.
    ///
    /// # Errors
    ///
    /// As of [`end`](Self::end).
    pub async fn end_all(&self, subject: &str) -> Result<(), Error> {
        let (issuer, now) = (&self.0.issuer, self.0.issuer.now());
        // Not those of this second: a session may be opened in the rest of it.
        let before = now.saturating_sub(1);
        let all = Revocation::subject(issuer.issuer(), subject, before, issuer.last_expiry());
        let mut done = self.add(all).await;
        for session in self.list(subject).await? {
            done = done.and(self.revoke(session.id()).await);
        }
        // Also where that has failed: a session lasts longer than its access tokens.
        for session in self.0.refresh.end_all(subject).await? {
            done = done.and(self.revoke(session.id()).await);
        }
        done
    }

    /// A layer that takes the access tokens of these sessions, from `Authorization` and from
    /// the cookie.
    ///
    /// # Errors
    ///
    /// As of [`VerifierBuilder::build`].
    pub fn layer(&self) -> Result<JwtAuthLayer, ConfigError> {
        Ok(self.layer_of(self.verifier().build()?))
    }

    /// The same around a verifier of your own, made with [`verifier`](Self::verifier): one that
    /// reads a type of the application, or has more rules.
    ///
    /// # Example
    /// ```
    /// # use tower_jwt_auth::{ConfigError, JwtAuthLayer, sessions::Sessions};
    /// #[derive(serde::Deserialize)]
    /// struct User {
    ///     name: String,
    /// }
    ///
    /// # fn layer(sessions: &Sessions) -> Result<JwtAuthLayer<User>, ConfigError> {
    /// let layer = sessions.layer_of(sessions.verifier().claims::<User>().build()?);
    /// # Ok(layer) }
    /// ```
    pub fn layer_of<C>(&self, verifier: Verifier<C>) -> JwtAuthLayer<C> {
        JwtAuthLayer::new(verifier).source(self.0.cookies.source())
    }

    /// The builder of a verifier for these sessions: with the issuer's keys, name and
    /// audience, for access tokens alone (RFC 9068), and with the denylist.
    pub fn verifier(&self) -> VerifierBuilder {
        builder::verifier(&self.0.issuer, &self.0.denylist)
    }

    /// The cookies.
    #[must_use]
    pub fn cookies(&self) -> &TokenCookies {
        &self.0.cookies
    }

    /// The issuer.
    #[must_use]
    pub fn issuer(&self) -> &TokenIssuer {
        &self.0.issuer
    }

    /// A service for `/auth/refresh`, which answers `POST` with the next tokens. At another
    /// path, say so to [`TokenCookies::refresh_path`].
    ///
    /// | what comes | answer |
    /// |---|---|
    /// | the refresh cookie, of the same origin | 200, cookies, `{"expires_in":900}` |
    /// | `{"refresh_token":"…"}` as `application/json` | 200, the tokens in the body (RFC 6749 §5.1) |
    /// | neither | 401 |
    /// | both, or a body that is none of this | 400 |
    /// | a body that is not complete after 10 s | 408 |
    /// | a token that is spent, unknown, or of a session that has ended | 401 `invalid_grant`, and the cookies are removed |
    /// | the cookie, not shown to be of the same origin | 403 |
    /// | a store does not answer | 503: the token may be presented again, within the grace |
    pub fn refresh_service(&self) -> SessionService {
        SessionService::new(self.clone(), Route::Refresh)
    }

    /// A service for `/auth/logout`, which answers `POST` by ending the session.
    ///
    /// The session is the one of the refresh token, in its cookie or in the JSON body as
    /// `refresh_token`, or of the access token, in `Authorization` or in its cookie. With a token
    /// in `Authorization`, the access cookie is not read, and a refresh cookie that is not shown
    /// to be of the same origin is ignored. An access cookie that is malformed or doubled does not
    /// keep the refresh token from ending its session.
    ///
    /// | what comes | answer |
    /// |---|---|
    /// | a token of a session, also of one that has ended (RFC 7009 §2.2) | 204, the cookies are removed |
    /// | no token | 401, the cookies are removed |
    /// | only an access cookie that is malformed or doubled | 400, the cookies are removed |
    /// | a cookie, not shown to be of the same origin | 403 |
    /// | a body that is not complete after 10 s | 408 |
    /// | a store does not answer | 503: the session may go on |
    ///
    /// A request that says that it comes from another origin has no cookies removed.
    pub fn logout_service(&self) -> SessionService {
        SessionService::new(self.clone(), Route::Logout)
    }

    /// What the access token of a session is to say.
    async fn grant(&self, session: Session) -> Result<Grant, Error> {
        match &self.0.grant {
            Some(make) => make(session).await,
            None => Ok(Grant::of_session(&session)),
        }
    }

    fn issue(&self, grant: Grant, session: &Session) -> Result<AccessToken, Error> {
        // No longer than the session, also if nobody refreshes it again.
        let left = Duration::from_secs(self.0.refresh.left_if_idle(session));
        self.0.issuer.issue(grant.session_id(session.id()).at_most(left))
    }

    fn tokens(&self, access: AccessToken, opened: IssuedToken) -> SessionTokens {
        let left = self.0.refresh.left(opened.session());
        SessionTokens::new(access, opened, left)
    }

    async fn revoke(&self, session_id: &str) -> Result<(), Error> {
        self.added(self.revoking(session_id).await)
    }

    /// Begins to revoke the access tokens of a session.
    fn revoking(&self, session_id: &str) -> MaybeReady<Result<(), StoreError>> {
        let issuer = &self.0.issuer;
        let revocation = Revocation::session(issuer.issuer(), session_id, issuer.last_expiry());
        self.0.denylist.revoke(revocation)
    }

    async fn revoke_token(&self, claims: &RegisteredClaims) -> Result<(), Error> {
        match Revocation::of_token(claims) {
            Some(revocation) => self.add(revocation).await,
            None => Ok(()),
        }
    }

    /// Adds to the denylist, and tells the operator when that fails.
    async fn add(&self, revocation: Revocation) -> Result<(), Error> {
        self.added(self.0.denylist.revoke(revocation).await)
    }

    fn added(&self, answer: Result<(), StoreError>) -> Result<(), Error> {
        match answer {
            Ok(()) => {
                self.0.outage.answered("denylist");
                Ok(())
            }
            Err(error) => {
                let error = Error::from(error);
                self.0.outage.failed("denylist", &error);
                Err(error)
            }
        }
    }

    fn answer(&self, tokens: &SessionTokens, with_cookies: bool) -> Result<Response<Body>, Error> {
        answer::answer(tokens, with_cookies.then_some(&self.0.cookies))
    }
}

fn refuse(error: Error) -> Response<Body> {
    observe::refused(&error);
    answer::refusal(error)
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("issuer", &self.0.issuer)
            .field("refresh", &self.0.refresh)
            .field("cookies", &self.0.cookies)
            .finish_non_exhaustive()
    }
}
