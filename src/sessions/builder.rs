//! What sessions are made of.

use std::{fmt, future::Future, sync::Arc};

use super::{MakeGrant, Sessions, SessionsInner};
use crate::{
    error::{ConfigError, Error},
    issue::{Grant, TokenCookies, TokenIssuer},
    maybe_ready::MaybeReady,
    observe::Outage,
    refresh::{MemoryRefresh, RefreshTokens, Session},
    revocation::{Denylist, MemoryDenylist},
    source::TokenSources,
    verifier::{RuleError, Verifier, VerifierBuilder},
};

/// Builds [`Sessions`].
///
/// # Defaults
///
/// - refresh tokens: in memory, with the [defaults](crate::refresh::RefreshTokensBuilder)
///   of theirs
/// - denylist: in memory
/// - cookies: [`TokenCookies::new`]
/// - what an access token says: subject, client and scope of the session
#[must_use = "a builder does nothing until it is built"]
pub struct SessionsBuilder {
    issuer: TokenIssuer,
    refresh: Option<RefreshTokens>,
    denylist: Option<Arc<dyn Denylist>>,
    cookies: TokenCookies,
    grant: Option<Box<MakeGrant>>,
}

impl SessionsBuilder {
    pub(super) fn new(issuer: TokenIssuer) -> Self {
        Self { issuer, refresh: None, denylist: None, cookies: TokenCookies::new(), grant: None }
    }

    /// Opens sessions with these refresh tokens.
    pub fn refresh_tokens(mut self, refresh: RefreshTokens) -> Self {
        self.refresh = Some(refresh);
        self
    }

    /// Revokes access tokens with this list.
    pub fn denylist(mut self, list: impl Denylist) -> Self {
        self.denylist = Some(Arc::new(list));
        self
    }

    /// Gives browsers these cookies.
    pub fn cookies(mut self, cookies: TokenCookies) -> Self {
        self.cookies = cookies;
        self
    }

    /// Says what an access token of a session is to say: asked at the login and at each
    /// refresh, so that a change of the user's rights is known within the lifetime of a
    /// token. The session's id is added to it.
    ///
    /// [`RuleError::refuse`] ends the session: for a user who is gone, or may not come in any
    /// more. Every other error is 503, and the refresh token stays as it is.
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

    /// The sessions.
    ///
    /// # Errors
    ///
    /// As of [`VerifierBuilder::build`], of the verifier for the tokens.
    pub fn build(self) -> Result<Sessions, ConfigError> {
        let clock = self.issuer.clock();
        let refresh = match self.refresh {
            Some(refresh) => refresh,
            None => RefreshTokens::builder(MemoryRefresh::new()).clock(clock.clone()).build()?,
        };
        let denylist = self
            .denylist
            .unwrap_or_else(|| Arc::new(MemoryDenylist::with(MemoryDenylist::CAPACITY, clock)));
        let mut sources = TokenSources::new();
        sources.add(self.cookies.source().into());
        Ok(Sessions(Arc::new(SessionsInner {
            verifier: verifier(&self.issuer, &denylist).build()?,
            issuer: self.issuer,
            refresh,
            denylist,
            cookies: self.cookies,
            sources,
            grant: self.grant,
            outage: Outage::default(),
        })))
    }
}

/// The builder of a verifier for the tokens of this issuer.
pub(super) fn verifier(issuer: &TokenIssuer, denylist: &Arc<dyn Denylist>) -> VerifierBuilder {
    let audiences = issuer.audiences();
    let builder = Verifier::builder()
        .keys(issuer.key_set())
        .access_tokens_only()
        .denylist(Arc::clone(denylist))
        .clock(issuer.clock());
    audiences.fold(builder, VerifierBuilder::audience)
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
