//! Sessions: log in, refresh, log out, in browsers and in other clients. Requires the feature
//! `issue`.
//!
//! [`Sessions`] puts the parts of [`issue`](crate::issue) and
//! [`revocation`](crate::revocation) together. The application keeps its own login: it
//! identifies the users, and decides the claims of their tokens.
//!
//! # Rules
//!
//! 1. A login opens a session: an access token for a quarter of an hour, and a refresh
//!    token that rotates at each use.
//! 2. A browser gets both as [cookies](TokenCookies) and never in a body, so that no script
//!    can read them. A client gets them in the body (RFC 6749 §5.1) if it is not a browser and
//!    sends `Accept: application/json`, or a DPoP proof if these are checked. A client is a browser if it
//!    sends `Sec-Fetch-Site`, `Origin` or one of these cookies. Other cookies, such as that of a load
//!    balancer, make no difference.
//! 3. A refresh token is sent in its cookie, or in the body: as the form of RFC 6749 §6, or as
//!    `refresh_token` in JSON. Two different ones are refused. A cookie counts only if the request
//!    comes from the same origin. A browser that sends its token in the body gets the next ones
//!    in cookies.
//! 4. A logout ends the session and revokes its access tokens. They are refused at once on this
//!    machine, and with a shared denylist on all machines.
//! 5. The reuse of a spent refresh token does the same.
//! 6. With [`dpop`](SessionsBuilder::dpop) or [`mutual_tls`](SessionsBuilder::mutual_tls), the session
//!    of a client that is not a browser is bound to its key or to its certificate. A client that
//!    has only the refresh token can neither use the session nor end it. Tokens in cookies are not bound:
//!    a login that would get cookies is refused if it has a proof, or if tokens must be bound.
//! 7. With [`dpop_in_browsers`](SessionsBuilder::dpop_in_browsers), the session of a browser is bound to
//!    a key of its page, too. Its access token is in the body, which is the only exception to rule 2,
//!    and its refresh token is in the cookie.
//! 8. Every answer is `Cache-Control: no-store`; a refusal is `application/problem+json`.
//!
//! # Example: a whole service
//! ```
//! use axum::{Json, Router, extract::State, http::{StatusCode, header::WWW_AUTHENTICATE, request::Parts}, routing::{get, post}};
//! use axum::response::{IntoResponse, Response};
//! use tower_jwt_auth::{
//!     Algorithm, Claims, ConfigError,
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
//!         // A 401 needs a challenge (RFC 9110 §15.5.2).
//!         None => (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")]).into_response(),
//!     }
//! }
//! # async fn check_password(_: &str, _: &str) -> Option<String> { None }
//! # app().unwrap();
//! ```
//!
//! # Deployment
//!
//! By default, sessions and revocations are in memory: they are for one process, and end with
//! it. Several processes must share a [`RefreshStore`](crate::refresh::RefreshStore), a
//! [`Denylist`] and a signing key. If they share only one of the two stores, a logout takes
//! effect only on one machine. The feature `redis` has both stores.
//!
//! The refresh cookie is sent only below `/auth`. For routes elsewhere, set
//! [`TokenCookiesBuilder::refresh_path`]. Behind a proxy, set [`TokenCookiesBuilder::public_origin`]. For plain
//! HTTP on your own machine, use [`TokenCookiesBuilder::development`].
//!
//! The routes that refresh and log out wait 10 s for a body. Outside of a tokio runtime with a
//! time driver, which `#[tokio::main]` makes, they do not limit the time. The server must limit
//! the time for the head of a request and for idle connections: `axum::serve` does not, and
//! `examples/serve` shows how to.
//!
//! [`TokenCookiesBuilder::refresh_path`]: crate::issue::TokenCookiesBuilder::refresh_path
//! [`TokenCookiesBuilder::public_origin`]: crate::issue::TokenCookiesBuilder::public_origin
//! [`TokenCookiesBuilder::development`]: crate::issue::TokenCookiesBuilder::development

mod answer;
mod body;
mod builder;
mod delivery;
mod pages;
mod proof;
mod renew;
mod return_path;
mod routes;
mod step_up;

use std::{fmt, sync::Arc, time::Duration};

use http::{Response, request::Parts};

pub use self::{
    answer::SessionTokens,
    builder::SessionsBuilder,
    pages::{PageFuture, PageLayer, Pages},
    routes::SessionService,
};
use self::{
    answer::{is_browser, refuse, wants_tokens},
    delivery::Delivery,
    proof::BindingProofs,
};
pub use crate::refresh::{Login, Session};
use crate::{
    claims::RegisteredClaims,
    error::{ConfigError, Error, ErrorKind, InvalidRequest, StoreError},
    issue::{AccessToken, Body, Grant, TokenCookies, TokenIssuer},
    layer::JwtAuthLayer,
    maybe_ready::MaybeReady,
    observe::{self, Observers, Outage},
    refresh::{Authentication, IssuedToken, RefreshTokens, TokenStatus},
    request_head::RequestHead,
    response::Challenge,
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
    /// The path of the route that renews the sessions of pages without scripts.
    renew_path: Box<str>,
    /// The places where a logout looks for an access token.
    sources: TokenSources,
    grant: Option<Box<MakeGrant>>,
    /// Verifies the access token that logs out.
    verifier: Verifier<RegisteredClaims>,
    /// The challenge of refusals, which is that of the layer.
    challenge: Challenge,
    observers: Observers,
    outage: Outage,
    proofs: BindingProofs,
    /// Whether browsers are pages that sign proofs.
    dpop_in_browsers: bool,
}

type MakeGrant = dyn Fn(Session) -> MaybeReady<Result<Grant, Error>> + Send + Sync;

impl Sessions {
    /// Answers a login after the application has identified the user: with cookies, or with the
    /// tokens in the body, see the [rules](self). A DPoP proof is checked last, because it is spent. The
    /// session that the browser had before ends, if the route of the login is below the path of the
    /// refresh cookie (`/auth` by default): browsers send that cookie nowhere else.
    ///
    /// The answer is 200. The application may change it: its status and `Location` to redirect
    /// a form, its body to greet the user.
    ///
    /// | request | answer |
    /// |---|---|
    /// | a browser says that it comes from another origin | 403 |
    /// | a DPoP proof that is not valid, or that is missing and required | 400 `invalid_dpop_proof` |
    /// | a DPoP proof without the nonce of this service | 400 `use_dpop_nonce`, `DPoP-Nonce` |
    /// | a DPoP proof from a browser, without [`dpop_in_browsers`](SessionsBuilder::dpop_in_browsers) | 400 `invalid_dpop_proof`: its cookies cannot be bound to a key |
    /// | a client certificate that cannot be read, or that is missing and required | 400 `invalid_request` |
    /// | a login that would get cookies, and proofs or certificates are required | 400, as if they were missing |
    /// | a store does not answer | 503 |
    pub async fn login(&self, request: &Parts, login: Login) -> Response<Body> {
        let Parts { method, uri, headers, .. } = request;
        let (cookies, proofs) = (&self.0.cookies, &self.0.proofs);
        // A client that sends a proof wants a bound token, and only one in the body can be bound.
        let for_key = proofs.has_proof(headers) && !is_browser(headers, cookies);
        let delivery = match for_key || wants_tokens(headers, cookies) {
            true => Delivery::Body,
            false => self.to_browser(),
        };
        let opened = async {
            cookies.check_login(method, uri, headers)?;
            let now = self.0.issuer.now();
            let login = match delivery {
                Delivery::Body => proofs.bind(login, request.into(), now).await?,
                Delivery::Page(_) => proofs.bind_to_key(login, request.into(), now).await?,
                // They are not bound to a key: a page cannot hash what it cannot read.
                Delivery::Cookies(_) => {
                    proofs.check_cookies(&login, headers)?;
                    login
                }
            };
            self.open_for(login, delivery).await
        };
        let tokens = match opened.await {
            Ok(tokens) => tokens,
            Err(error) => return self.refuse(error, request),
        };
        let answer = match delivery.answer(&tokens) {
            Ok(mut answer) => {
                let now = self.0.issuer.now();
                proofs.add_nonce(tokens.session(), request, &mut answer, now);
                answer
            }
            Err(error) => {
                // Its token was given to nobody, and would last for days.
                let _ = self.end(tokens.session().id()).await;
                return self.refuse(error, request);
            }
        };
        // The browser forgets the token of its former session, so that session ends. One that is bound
        // does not, if its token was sent by somebody else.
        if let Ok(Some(former)) = cookies.find_refresh(method, uri, headers)
            && let Ok(TokenStatus::Active(session)) = self.0.refresh.token_status(former).await
            && is_of_same_client(&session, tokens.session())
            && let Err(error) = self.end(session.id()).await
        {
            observe::refused(&error);
        }
        answer
    }

    /// Opens a session. Use it if the application makes the answer itself.
    ///
    /// # Errors
    ///
    /// See [`RefreshTokens::open`] and [`TokenIssuer::issue`]. [`ErrorKind::Issue`] if nobody could use
    /// or refresh the tokens: the login is bound to a key or to a certificate
    /// ([`Login::jkt`], [`Login::x5t_s256`]) and these sessions check none, or it is not bound and must be.
    /// The application's
    /// [grant](SessionsBuilder::grant) may refuse: it is called before the session is stored. No
    /// other session has ended then, unless a store failed while those beyond the cap ended.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped half way, there may be a session whose token was given to nobody. The
    /// session counts until it has been idle for too long, or newer ones displace it.
    pub async fn open(&self, login: Login) -> Result<SessionTokens, Error> {
        self.open_for(login, Delivery::Body).await
    }

    /// Opens a session that is bound to what the request proves to have: with
    /// [`dpop`](SessionsBuilder::dpop) the key of its DPoP proof (RFC 9449 §5), with
    /// [`mutual_tls`](SessionsBuilder::mutual_tls) its client certificate (RFC 8705 §4). Without a
    /// proof, the session is not bound, unless it must be.
    ///
    /// # Errors
    ///
    /// See [`open`](Self::open); and [`ErrorKind::DpopProof`] or [`ErrorKind::DpopNonce`] if the proof is
    /// not valid, or is missing and required; [`ErrorKind::InvalidRequest`] with
    /// [`InvalidRequest::ClientCertificate`] if the certificate is.
    pub async fn open_for_request<'r>(
        &self,
        login: Login,
        request: impl Into<RequestHead<'r>>,
    ) -> Result<SessionTokens, Error> {
        let login = self.0.proofs.bind(login, request.into(), self.0.issuer.now()).await?;
        self.open_for(login, Delivery::Body).await
    }

    /// Opens a session whose tokens can be delivered in this way.
    async fn open_for(&self, login: Login, delivery: Delivery<'_>) -> Result<SessionTokens, Error> {
        let new = self.0.refresh.prepare(login)?;
        delivery.check_new(new.issued.session())?;
        self.0.proofs.check_new(new.issued.session())?;
        // The steps that may refuse come first: then nothing is opened, and nothing ends.
        let session = new.issued.session();
        let access = self.issue(self.grant(session.clone()).await?, session)?;
        delivery.check_length(&access)?;

        let issued = self.0.refresh.store(new).await?;
        match self.end_displaced(issued.session()).await {
            Ok(()) => Ok(self.tokens(access, issued)),
            Err(error) => {
                // Its token was given to nobody.
                self.0.refresh.undo(&issued).await;
                Err(error)
            }
        }
    }

    /// Takes a refresh token, and gives the next tokens.
    ///
    /// # Errors
    ///
    /// See [`RefreshTokens::rotate`]. If the token was reused, the access tokens of its session
    /// are revoked. If the application's [grant](SessionsBuilder::grant) refuses, the session
    /// ends. The token of a session that is bound to its client is refused, and the session does not
    /// change: use [`refresh_for_request`](Self::refresh_for_request).
    pub async fn refresh(&self, token: &str) -> Result<SessionTokens, Error> {
        self.renew(Renewal::of(token, None)).await
    }

    /// Takes a refresh token, and gives the next tokens. If the session is bound to a key or to a
    /// certificate, the request must prove that it has it.
    ///
    /// # Errors
    ///
    /// See [`refresh`](Self::refresh). A request without a proof, or with that of another key, is
    /// refused, also with a spent token, and the session does not change: [`ErrorKind::DpopProof`],
    /// [`ErrorKind::DpopNonce`] or [`ErrorKind::RefreshToken`].
    pub async fn refresh_for_request<'r>(
        &self,
        token: &str,
        request: impl Into<RequestHead<'r>>,
    ) -> Result<SessionTokens, Error> {
        let request = Some(request.into());
        self.renew(Renewal::of(token, request)).await
    }

    /// Gives the next tokens of a session.
    async fn renew(&self, renewal: Renewal<'_>) -> Result<SessionTokens, Error> {
        let Renewal { token, login, delivery, request, scope } = renewal;
        let now = self.0.issuer.now();
        let authentication = login.as_ref().map(|login| login.authentication(now));
        // The steps that may fail come first: a token that is spent without an answer may count as
        // stolen when it is presented again.
        let (access, proven) = match self.0.refresh.token_status(token).await? {
            TokenStatus::Unknown => return Err(ErrorKind::RefreshToken.into()),
            TokenStatus::Spent(session) => {
                // Only the client itself ends its session by a spent token.
                let proven = self.0.proofs.proven(&session, request, now).await?;
                // Before its family is deleted: if this fails, it can be done again.
                self.revoke_session(session.id()).await?;
                (None, proven)
            }
            TokenStatus::Active(mut session) => {
                delivery.check_known(&session)?;
                self.0.proofs.check_known(&session)?;
                let proven = self.0.proofs.proven(&session, request, now).await?;
                scope.map_or(Ok(()), |scope| check_scope(&session, scope))?;
                if let Some(login) = &login {
                    check_subject(login, &session)?;
                }
                if let Some(authentication) = &authentication {
                    session.set_authentication(Authentication::clone(authentication));
                }
                let access = self.issue(self.grant_or_end(&session).await?, &session)?;
                delivery.check_length(&access)?;
                (Some(access), proven)
            }
        };
        let rotated = match authentication {
            Some(login) => self.0.refresh.step_up(token, login, proven).await,
            None => self.0.refresh.rotate_proven(token, proven).await,
        };
        let issued = match rotated {
            Ok(issued) => issued,
            Err(error) => {
                if let ErrorKind::RefreshTokenReused { session } = error.kind() {
                    self.revoke_session(session).await?;
                }
                return Err(error);
            }
        };
        // A spent token gives no successor, so there is an access token.
        let access = access.ok_or(ErrorKind::Failed)?;
        Ok(self.tokens(access, issued))
    }

    /// Asks the application for the claims of a session, and ends the session if it refuses.
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

    /// Ends the sessions that a new one displaces, and revokes their access tokens.
    ///
    /// The store may have ended them already, and then nobody else knows of them. So all
    /// revocations start before the first is awaited, and all are made even if one fails.
    async fn end_displaced(&self, new: &Session) -> Result<(), Error> {
        let displaced = self.0.refresh.find_displaced(new).await?;
        let revoking: Vec<_> =
            displaced.iter().map(|session| self.start_revoking_session(session.id())).collect();
        let mut done = Ok(());
        for revoked in revoking {
            done = done.and(self.record(revoked.await));
        }
        for session in &displaced {
            done = done.and(self.0.refresh.end(session.id()).await.map(drop));
        }
        done
    }

    /// Lists the sessions of a subject that have not ended, newest first.
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
    /// A store cannot be reached. The session may not have ended: call it again.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped half way, the access tokens may be revoked, and the session not ended.
    pub async fn end(&self, id: &str) -> Result<(), Error> {
        // In this order, so that it can be done again after a failure. The session ends even if
        // the revocation fails: it lasts longer than its access tokens.
        let revoked = self.revoke_session(id).await;
        self.0.refresh.end(id).await?;
        revoked
    }

    /// Ends a session if it belongs to this subject, and says whether it did: for a list in
    /// which users end their own sessions.
    ///
    /// # Errors
    ///
    /// See [`end`](Self::end).
    pub async fn end_own(&self, subject: &str, id: &str) -> Result<bool, Error> {
        let own = self.list(subject).await?.iter().any(|session| session.id() == id);
        if own {
            self.end(id).await?;
        }
        Ok(own)
    }

    /// Ends all sessions of a subject and revokes their access tokens: a logout everywhere, or
    /// after a change of the password. Access tokens without a session are revoked, too, if they
    /// were issued before this second. A later login opens a new session.
    ///
    /// # Errors
    ///
    /// See [`end`](Self::end).
    pub async fn end_all(&self, subject: &str) -> Result<(), Error> {
        let (issuer, now) = (&self.0.issuer, self.0.issuer.now());
        // Without those of this second: a session may be opened in the rest of it.
        let before = now.saturating_sub(1);
        let all = Revocation::subject(issuer.issuer(), subject, before, issuer.last_expiry());
        let mut done = self.add_revocation(all).await;
        for session in self.list(subject).await? {
            done = done.and(self.revoke_session(session.id()).await);
        }
        // Even if that has failed: a session lasts longer than its access tokens.
        for session in self.0.refresh.end_all(subject).await? {
            done = done.and(self.revoke_session(session.id()).await);
        }
        done
    }

    /// Makes a layer that accepts the access tokens of these sessions, from `Authorization` and
    /// from the cookie. With [`dpop_in_browsers`](SessionsBuilder::dpop_in_browsers) there is no such
    /// cookie, and none is read.
    ///
    /// # Errors
    ///
    /// See [`VerifierBuilder::build`].
    pub fn layer(&self) -> Result<JwtAuthLayer, ConfigError> {
        Ok(self.layer_with(self.verifier_builder().build()?))
    }

    /// Makes the same layer with another verifier, which was made with
    /// [`verifier_builder`](Self::verifier_builder): one with a type of claims or rules of your own.
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
    /// let layer = sessions.layer_with(sessions.verifier_builder().claims::<User>().build()?);
    /// # Ok(layer) }
    /// ```
    pub fn layer_with<C>(&self, verifier: Verifier<C>) -> JwtAuthLayer<C> {
        let layer = JwtAuthLayer::new(verifier);
        match self.0.dpop_in_browsers {
            true => layer,
            false => layer.source(self.0.cookies.source()),
        }
    }

    /// Starts to build a verifier for these sessions: with the issuer's keys, name and audience,
    /// and with the denylist. It accepts only access tokens (RFC 9068), and those of bound sessions with
    /// a proof.
    pub fn verifier_builder(&self) -> VerifierBuilder {
        verifier(&self.0.issuer, &self.0.denylist, &self.0.observers, &self.0.proofs)
    }

    /// The cookies.
    #[must_use]
    pub fn cookies(&self) -> &TokenCookies {
        &self.0.cookies
    }

    /// The path of the route that renews the sessions of [pages without scripts](Self::page_layer):
    /// `renew` below the path of the refresh cookie, `/auth/renew` by default.
    #[must_use]
    pub fn renew_path(&self) -> &str {
        &self.0.renew_path
    }

    /// The issuer.
    #[must_use]
    pub fn issuer(&self) -> &TokenIssuer {
        &self.0.issuer
    }

    /// Reports an error, and answers with only as much of it as the client may know.
    fn refuse(&self, error: Error, request: &Parts) -> Response<Body> {
        refuse(error, &self.0.challenge, request)
    }

    /// The places in which a browser gets its tokens.
    fn to_browser(&self) -> Delivery<'_> {
        match self.0.dpop_in_browsers {
            true => Delivery::Page(&self.0.cookies),
            false => Delivery::Cookies(&self.0.cookies),
        }
    }

    /// Asks the application for the claims of a session's access token.
    async fn grant(&self, session: Session) -> Result<Grant, Error> {
        match &self.0.grant {
            Some(make) => make(session).await,
            None => Ok(Grant::of_session(&session)),
        }
    }

    fn issue(&self, grant: Grant, session: &Session) -> Result<AccessToken, Error> {
        // It must not outlive the session, even if nobody refreshes the session again.
        let left = Duration::from_secs(self.0.refresh.left_if_idle(session));
        self.0.issuer.issue(grant.within_session(session).at_most(left))
    }

    fn tokens(&self, access: AccessToken, issued: IssuedToken) -> SessionTokens {
        let left = self.0.refresh.left(issued.session());
        SessionTokens::new(access, issued, left)
    }

    /// Revokes the access tokens of a session.
    async fn revoke_session(&self, session_id: &str) -> Result<(), Error> {
        self.record(self.start_revoking_session(session_id).await)
    }

    fn start_revoking_session(&self, session_id: &str) -> MaybeReady<Result<(), StoreError>> {
        let issuer = &self.0.issuer;
        let revocation = Revocation::session(issuer.issuer(), session_id, issuer.last_expiry());
        self.0.denylist.revoke(revocation)
    }

    async fn revoke_token(&self, claims: &RegisteredClaims) -> Result<(), Error> {
        match Revocation::of_token(claims) {
            Some(revocation) => self.add_revocation(revocation).await,
            None => Ok(()),
        }
    }

    async fn add_revocation(&self, revocation: Revocation) -> Result<(), Error> {
        self.record(self.0.denylist.revoke(revocation).await)
    }

    /// Reports to the operator whether the denylist has answered.
    fn record(&self, answer: Result<(), StoreError>) -> Result<(), Error> {
        self.0.outage.record("denylist", answer)
    }
}

/// A builder of a verifier for the tokens of this issuer.
fn verifier(
    issuer: &TokenIssuer,
    denylist: &Arc<dyn Denylist>,
    observers: &Observers,
    proofs: &BindingProofs,
) -> VerifierBuilder {
    let audiences = issuer.audiences();
    let mut builder = Verifier::builder()
        .keys(issuer.key_source())
        .access_tokens_only()
        .denylist(Arc::clone(denylist))
        .clock(issuer.clock())
        .observers(observers.clone());
    if let Some(dpop) = &proofs.dpop {
        builder = builder.dpop(dpop.clone());
    }
    if let Some(mutual_tls) = &proofs.mutual_tls {
        builder = builder.mutual_tls(mutual_tls.clone());
    }
    audiences.fold(builder, VerifierBuilder::audience)
}

/// Whether a login is one of the session's user.
fn check_subject(login: &Login, session: &Session) -> Result<(), Error> {
    match login.subject() == session.subject() {
        true => Ok(()),
        false => Err(Error::forbidden("a step-up must be of the same subject as its session")),
    }
}

/// Whether a new session is of the client that had a former one. One that is not bound is of whoever has
/// its token.
fn is_of_same_client(former: &Session, new: &Session) -> bool {
    former.confirmation.as_deref().is_none_or(|bound| bound.is_met_by(new.confirmation.as_deref()))
}

/// A refresh token that is to give the next tokens.
struct Renewal<'r> {
    token: &'r str,
    /// The new login, if this is a step-up.
    login: Option<Login>,
    /// The places in which the client gets the next tokens.
    delivery: Delivery<'r>,
    /// The request that proves what the session is bound to.
    request: Option<RequestHead<'r>>,
    /// The scope that the client asks for.
    scope: Option<&'r str>,
}

impl<'r> Renewal<'r> {
    /// A refresh whose tokens go to whoever has called.
    fn of(token: &'r str, request: Option<RequestHead<'r>>) -> Self {
        Self { token, login: None, delivery: Delivery::Body, request, scope: None }
    }
}

/// Refuses a scope that is not one of the session's (RFC 6749 §6). The client gets all that the session
/// has, and the answer says so (§5.1).
fn check_scope(session: &Session, asked: &str) -> Result<(), Error> {
    let granted: Vec<_> = session.scope().unwrap_or_default().split(' ').collect();
    match asked.split(' ').filter(|scope| !scope.is_empty()).all(|one| granted.contains(&one)) {
        true => Ok(()),
        false => Err(ErrorKind::InvalidRequest(InvalidRequest::Scope).into()),
    }
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
