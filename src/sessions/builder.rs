//! The builder of [`Sessions`].

use std::{fmt, future::Future, sync::Arc};

use super::{MakeGrant, Sessions, SessionsInner, proof::BindingProofs, verifier};
use crate::{
    error::{ConfigError, Error},
    issue::{Grant, TokenCookies, TokenIssuer},
    maybe_ready::MaybeReady,
    observe::{Observer, Observers, Outage},
    proof::{DPoP, MutualTls},
    refresh::{MemoryRefreshStore, RefreshTokens, Session},
    response::Challenge,
    revocation::{Denylist, MemoryDenylist},
    source::TokenSources,
    verifier::RuleError,
};

/// Builds [`Sessions`].
///
/// # Defaults
///
/// - refresh tokens: in memory, with their own
///   [defaults](crate::refresh::RefreshTokensBuilder)
/// - denylist: in memory
/// - cookies: [`TokenCookies::new`]
/// - claims of an access token: the subject, client and scope of the session
/// - observers: none
/// - sessions are not bound to a key or to a certificate
/// - browsers: both tokens in cookies, and none in a body
#[must_use = "a builder does nothing until it is built"]
pub struct SessionsBuilder {
    issuer: TokenIssuer,
    refresh: Option<RefreshTokens>,
    denylist: Option<Arc<dyn Denylist>>,
    cookies: TokenCookies,
    grant: Option<Box<MakeGrant>>,
    observers: Observers,
    proofs: BindingProofs,
    dpop_in_browsers: bool,
}

impl Sessions {
    /// Starts to build sessions whose access tokens are signed by this issuer.
    pub fn builder(issuer: TokenIssuer) -> SessionsBuilder {
        let cookies = TokenCookies::new();
        SessionsBuilder {
            issuer,
            refresh: None,
            denylist: None,
            cookies,
            grant: None,
            observers: Observers::default(),
            proofs: BindingProofs::default(),
            dpop_in_browsers: false,
        }
    }
}

impl SessionsBuilder {
    /// Uses these refresh tokens.
    pub fn refresh_tokens(mut self, refresh: RefreshTokens) -> Self {
        self.refresh = Some(refresh);
        self
    }

    /// Revokes access tokens with this denylist.
    pub fn denylist(mut self, list: impl Denylist) -> Self {
        self.denylist = Some(Arc::new(list));
        self
    }

    /// Gives browsers their tokens in these cookies.
    pub fn cookies(mut self, cookies: TokenCookies) -> Self {
        self.cookies = cookies;
        self
    }

    /// Decides the claims of a session's access tokens with this function. It is called at the
    /// login and at each refresh, so a change of the user's rights takes effect within the
    /// lifetime of a token. The session's id is added to the claims.
    ///
    /// [`RuleError::refuse`] ends the session: use it if the user no longer exists, or may not
    /// log in any more. With [`RuleError::forbidden`], the answer is 403; with every other error,
    /// it is 503. Then the refresh token stays as it is.
    ///
    /// # Example: roles from a database
    /// ```
    /// use tower_jwt_auth::{
    ///     issue::{Grant, TokenIssuer},
    ///     sessions::{Session, Sessions},
    ///     verifier::RuleError,
    /// };
    ///
    /// # #[derive(serde::Serialize)] struct User { roles: Vec<String> }
    /// # async fn find_user(_: &str) -> std::io::Result<Option<User>> { Ok(None) }
    /// fn sessions(issuer: TokenIssuer) -> Result<Sessions, tower_jwt_auth::ConfigError> {
    ///     Sessions::builder(issuer)
    ///         .grant(|session: Session| async move {
    ///             match find_user(session.subject()).await? {
    ///                 Some(user) => Ok(Grant::of_session(&session).claims(&user)),
    ///                 None => Err(RuleError::refuse("the user is gone")),
    ///             }
    ///         })
    ///         .build()
    /// }
    /// ```
    pub fn grant<F, Fut>(mut self, grant: F) -> Self
    where
        F: Fn(Session) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Grant, RuleError>> + Send + 'static,
    {
        self.grant = Some(Box::new(move |session| {
            let granted = grant(session);
            MaybeReady::pending(async move { granted.await.map_err(Error::from) })
        }));
        self
    }

    /// Adds an observer of [refresh tokens](Observer::refreshed), of the denylist, and of the
    /// verifiers that [`Sessions::verifier_builder`] makes; see [`observe`](crate::observe). Do not add
    /// it to that builder again: it would be told of each decision twice. Default: none.
    ///
    /// Refresh tokens that were [set](Self::refresh_tokens) have
    /// [their own](crate::refresh::RefreshTokensBuilder::observer).
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers.add(observer);
        self
    }

    /// Binds the sessions of clients that are not browsers to the key of their DPoP proofs (RFC 9449
    /// §5). Such a client sends a proof with its login, and one by the same key with each refresh. Its
    /// access tokens have `cnf.jkt`, their `token_type` is `DPoP`, and the layers of these sessions
    /// accept them with a proof only. Without a proof, a login opens a session that is not bound, unless
    /// the proof is [required](DPoP::required). Default: no session is bound.
    ///
    /// Sessions in cookies are not bound: no script can read them, and so no page can sign a proof
    /// for them. A login of a browser with a proof is refused (400 `invalid_dpop_proof`), and if proofs are
    /// required, so is every login that would get cookies. For pages that have a key, add
    /// [`dpop_in_browsers`](Self::dpop_in_browsers).
    ///
    /// # Example
    /// ```
    /// use tower_jwt_auth::{ConfigError, issue::TokenIssuer, proof::DPoP, sessions::Sessions};
    ///
    /// # fn sessions(issuer: TokenIssuer, dpop: DPoP) -> Result<Sessions, ConfigError> {
    /// let sessions = Sessions::builder(issuer).dpop(dpop).build()?;
    /// # Ok(sessions) }
    /// ```
    pub fn dpop(mut self, dpop: DPoP) -> Self {
        self.proofs.dpop = Some(dpop);
        self
    }

    /// Binds the sessions of clients that are not browsers to their client certificate (RFC 8705 §4).
    /// Each refresh needs the same certificate. The access tokens have `cnf.x5t#S256`, and the layers of
    /// these sessions accept them with the certificate only. Without one, a login opens a session that
    /// is not bound, unless the certificate is [required](MutualTls::required): then it is answered 400
    /// `invalid_request`, and so is a login that would get cookies, which are not bound. A certificate in
    /// the header of a peer that is not a trusted proxy counts as missing. Default: no session is bound.
    pub fn mutual_tls(mut self, mutual_tls: MutualTls) -> Self {
        self.proofs.mutual_tls = Some(mutual_tls);
        self
    }

    /// Binds the sessions of browsers to a key of the page, which signs DPoP proofs. The page makes the
    /// key by WebCrypto with `extractable: false` and keeps it in IndexedDB, so that no script can copy
    /// it. It requires [`dpop`](Self::dpop). Default: browsers have unbound sessions in cookies.
    ///
    /// | | a page with a key | a page without one |
    /// |---|---|---|
    /// | access token | the body of the login and of the refresh; the page keeps it in memory | in a cookie |
    /// | sent as | `Authorization: DPoP`, with a proof | a cookie, by the browser |
    /// | refresh token | in a cookie, never in a body; needs a proof by the same key | in a cookie |
    /// | copied, without the key | useless | good until it expires |
    ///
    /// This holds for every browser: a login without a proof is refused (400 `invalid_dpop_proof`), and a
    /// session from before that is not bound is not refreshed (401 `invalid_grant`). The cookie of an
    /// access token is neither set nor read, so [pages without scripts](Sessions::page_layer) have no user.
    /// Other clients are as before. `examples/auth_server` has such a page.
    ///
    /// A page of another origin needs a [trusted
    /// origin](crate::issue::TokenCookiesBuilder::trusted_origin) and a CORS layer with
    /// [`cors_allowed_headers`](crate::proof::cors_allowed_headers) and
    /// [`cors_exposed_headers`](crate::proof::cors_exposed_headers).
    ///
    /// # Security
    ///
    /// A script that was smuggled into the page (XSS) cannot take the session away. But it can read the
    /// access token, and it can have proofs signed while the page is open. It can also make proofs in
    /// advance, which [nonces](crate::proof::Nonces) limit to two minutes (RFC 9449 §11.2). Tokens in
    /// cookies cannot be read by such a script, and they protect against nothing else that it may do.
    /// Malware that reads the files of the browser finds the key, too.
    ///
    /// # Example
    /// ```
    /// use tower_jwt_auth::{
    ///     ConfigError,
    ///     issue::TokenIssuer,
    ///     proof::{DPoP, MemoryReplayStore, Nonces},
    ///     sessions::Sessions,
    /// };
    ///
    /// fn sessions(issuer: TokenIssuer, nonce_secret: [u8; 32]) -> Result<Sessions, ConfigError> {
    ///     let dpop = DPoP::required()
    ///         .public_url("https://app.example.com")
    ///         .replay_store(MemoryReplayStore::new())
    ///         // The clocks of browsers may be wrong.
    ///         .nonces(Nonces::new(nonce_secret)?.any_client_clock())
    ///         .build()?;
    ///     Sessions::builder(issuer).dpop(dpop).dpop_in_browsers().build()
    /// }
    /// # use tower_jwt_auth::{Algorithm, issue::SigningKey};
    /// # let issuer = TokenIssuer::builder().issuer("https://a.example").audience("b")
    /// #     .key(SigningKey::generate(Algorithm::EdDSA)?).build()?;
    /// # sessions(issuer.clone(), [7; 32])?;
    /// # assert!(Sessions::builder(issuer).dpop_in_browsers().build().is_err());
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn dpop_in_browsers(mut self) -> Self {
        self.dpop_in_browsers = true;
        self
    }

    /// Builds the sessions.
    ///
    /// # Errors
    ///
    /// [`dpop_in_browsers`](Self::dpop_in_browsers) without [`dpop`](Self::dpop); and see
    /// [`VerifierBuilder::build`](crate::verifier::VerifierBuilder::build): the sessions
    /// verify their own tokens.
    pub fn build(self) -> Result<Sessions, ConfigError> {
        if self.dpop_in_browsers && self.proofs.dpop.is_none() {
            return Err(ConfigError::Conflict(
                "`.dpop_in_browsers()` gives access tokens to pages, so they must be bound to a key: \
                 add `.dpop(…)`, or leave it out to keep tokens in cookies",
            ));
        }
        let clock = self.issuer.clock();
        let refresh = match self.refresh {
            Some(refresh) => refresh,
            None => {
                let refresh = RefreshTokens::builder(MemoryRefreshStore::new());
                refresh.clock(clock.clone()).observers(self.observers.clone()).build()?
            }
        };
        let denylist = self.denylist.unwrap_or_else(|| Arc::new(MemoryDenylist::with_clock(clock)));
        let mut sources = TokenSources::new().with_dpop(self.proofs.dpop.is_some());
        if !self.dpop_in_browsers {
            sources.add(self.cookies.source());
        }
        let verifier = verifier(&self.issuer, &denylist, &self.observers, &self.proofs).build()?;
        Ok(Sessions(Arc::new(SessionsInner {
            challenge: Challenge::with_dpop(None, verifier.dpop_challenge().as_ref()),
            verifier,
            issuer: self.issuer,
            refresh,
            denylist,
            renew_path: self.cookies.renew_path().into(),
            cookies: self.cookies,
            sources,
            grant: self.grant,
            observers: self.observers,
            proofs: self.proofs,
            dpop_in_browsers: self.dpop_in_browsers,
            outage: Outage::default(),
        })))
    }
}

impl fmt::Debug for SessionsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionsBuilder")
            .field("issuer", &self.issuer)
            .field("refresh", &self.refresh)
            .field("cookies", &self.cookies)
            .finish_non_exhaustive()
    }
}
