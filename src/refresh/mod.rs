//! Refresh tokens that rotate (RFC 6749 §6, RFC 9700 §4.14).
//!
//! # Rules
//!
//! 1. A refresh token is opaque: it is random, and only its digest is stored. It is not a JWT,
//!    so it can never pass for an access token, nor an access token for it.
//! 2. All tokens of one login belong to one session, and only its newest token is live. A
//!    rotation spends the live token, and makes its successor live. A store keeps the session
//!    together with the digests of its tokens, as a [`Family`].
//! 3. If a spent token is presented, it may have been stolen. So the session ends.
//! 4. Within a short grace, the token that was spent last gives the same successor again, as
//!    long as that was not used. A client whose answer was lost needs this, and so do two tabs
//!    of a browser. It does not make the grace longer.
//! 5. A session ends if it is not refreshed within the idle lifetime, and always after the
//!    absolute lifetime. A login may make both shorter.
//! 6. A rotation is one step in the store, so one of two simultaneous requests wins.
//! 7. A session keeps when and how the user has logged in. A rotation does not change that: only
//!    another login does, by [`Sessions::step_up`](crate::sessions::Sessions::step_up).
//! 8. A session that is bound to a key or to a certificate ([`Login::jkt`], [`Login::x5t_s256`]) is
//!    refreshed only by a client that has it. Others cannot end the session, even with a spent token.
//!
//! # Example: log in, refresh, log out
//! ```
//! use tower_jwt_auth::refresh::{Login, MemoryRefreshStore, RefreshTokens};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let refresh = RefreshTokens::builder(MemoryRefreshStore::new()).build()?;
//! let opened = refresh.open(Login::new("user-1").label("Firefox on Linux")).await?;
//!
//! let next = refresh.rotate(opened.token().as_str()).await?;
//! assert_eq!(next.session().id(), opened.session().id());
//!
//! refresh.end(next.session().id()).await?;
//! let error = refresh.rotate(next.token().as_str()).await.unwrap_err();
//! assert_eq!(error.code(), Some("invalid_grant"));
//! # Ok(()) }
//! ```

mod authentication;
mod login;
mod memory;
mod store;
mod token;

use std::{fmt, num::NonZeroU32, sync::Arc, time::Duration};

pub(crate) use self::authentication::Authentication;
#[allow(unused_imports, reason = "for the feature `redis`")]
pub(crate) use self::store::Previous;
use self::token::Parts;
pub use self::{
    login::Login,
    memory::{MemoryRefreshStore, MemoryRefreshStoreBuilder},
    store::{Digest, Family, RefreshStore, Rotated, Rotation, Session},
    token::RefreshToken,
};
use crate::{
    claims::Confirmation,
    clock::{Clock, SystemClock, unix_seconds},
    error::{ConfigError, Error, ErrorKind, StoreError},
    maybe_ready::MaybeReady,
    observe::{self, Observer, Observers, Outage, RefreshOutcome, RefreshReport},
    random::random,
    rules::seconds,
};

/// Opens sessions, rotates their tokens and ends them; cheap to clone.
///
/// See the [module docs](self) for the rules.
#[derive(Clone)]
pub struct RefreshTokens(Arc<RefreshInner>);

struct RefreshInner {
    store: Box<dyn RefreshStore>,
    idle: i64,
    browser_idle: NonZeroU32,
    absolute: i64,
    grace: i64,
    max_sessions: usize,
    clock: Box<dyn Clock>,
    outage: Outage,
    observers: Observers,
}

impl RefreshTokens {
    /// Starts to build refresh tokens whose families are kept in this store.
    pub fn builder(store: impl RefreshStore) -> RefreshTokensBuilder {
        RefreshTokensBuilder {
            store: Box::new(store),
            idle: Duration::from_secs(14 * DAY),
            browser_idle: Duration::from_secs(DAY),
            absolute: Duration::from_secs(90 * DAY),
            grace: Duration::from_secs(10),
            max_sessions: 100,
            clock: Box::new(SystemClock),
            observers: Observers::default(),
        }
    }

    /// Opens a session: call it when the user has logged in. If the subject then has more
    /// sessions than it may have, its oldest ones end; see [`IssuedToken::displaced`].
    ///
    /// # Errors
    ///
    /// The subject is empty, or the store cannot be reached.
    pub async fn open(&self, login: Login) -> Result<IssuedToken, Error> {
        let mut issued = self.store(self.prepare(login)?).await?;
        match self.end_displaced(&issued.session).await {
            Ok(displaced) => {
                issued.displaced = displaced;
                Ok(issued)
            }
            Err(error) => {
                self.undo(&issued).await;
                Err(error)
            }
        }
    }

    /// Makes a session without storing it.
    pub(crate) fn prepare(&self, login: Login) -> Result<NewSession, Error> {
        if login.subject.is_empty() {
            return Err(Error::new(ErrorKind::Issue { reason: "the subject is empty".into() }));
        }
        let now = self.now();
        let longest = self.0.absolute;
        let lifetime =
            login.lifetime.map_or(longest, |lifetime| seconds(lifetime).clamp(1, longest));
        let (parts, ends_at) = (Parts::new()?, now.saturating_add(lifetime));
        let (authentication, confirmation) = (login.authentication(now), login.confirmation());
        let mut session = Session {
            id: parts.id(),
            subject: login.subject,
            client_id: login.client_id,
            scope: login.scope,
            label: login.label,
            created_at: now,
            refreshed_at: now,
            idle_until: now,
            ends_at,
            browser_idle: login.until_browser_closes.then_some(self.0.browser_idle),
            authentication: None,
            confirmation: confirmation.map(Box::new),
        };
        session.set_authentication(authentication);
        session.idle_until = now.saturating_add(session.idle(self.0.idle));
        let family = Family { session: session.clone(), current: parts.digest(), previous: None };
        let (token, displaced) = (parts.to_token(), Vec::new());
        let issued = IssuedToken { token, session, repeated: false, displaced };
        Ok(NewSession { issued, family })
    }

    /// Creates a session in the store, however many its subject has.
    pub(crate) async fn store(&self, new: NewSession) -> Result<IssuedToken, Error> {
        self.wait_for(self.0.store.create(new.family, self.now())).await?;
        Ok(new.issued)
    }

    /// Finds the sessions that a new one displaces, so that one subject cannot fill the store.
    /// The caller must end them, although a store with [`displace`](RefreshStore::displace) may
    /// have done so already.
    ///
    /// Call it after the session was created: of many logins at once, the last one then sees
    /// all of them.
    pub(crate) async fn find_displaced(&self, new: &Session) -> Result<Vec<Session>, Error> {
        let most = self.0.max_sessions.max(1);
        let displaced = self.0.store.displace(&new.subject, most, self.now());
        if let Some(displaced) = self.wait_for(displaced).await? {
            return Ok(displaced);
        }
        // All logins sort the sessions in the same way, so they keep the same ones.
        let mut others = self.list(&new.subject).await?;
        others.retain(|session| session.id != new.id);
        Ok(others.split_off(others.len().min(most - 1)))
    }

    async fn end_displaced(&self, new: &Session) -> Result<Vec<Session>, Error> {
        let displaced = self.find_displaced(new).await?;
        for session in &displaced {
            self.end(session.id()).await?;
        }
        Ok(displaced)
    }

    /// Ends a session whose token was given to nobody, if the store answers.
    pub(crate) async fn undo(&self, issued: &IssuedToken) {
        let _ = self.end(issued.session.id()).await;
    }

    /// Spends a token, and gives its successor.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::RefreshToken`] if the text is not a token, or its session has ended, or is bound to
    /// a key or a certificate: [`Sessions`](crate::sessions::Sessions) check the proof of those;
    /// [`ErrorKind::RefreshTokenReused`] if the token was spent before, which ends its session.
    /// If the store does not answer, the token may have been spent: it can be presented again
    /// within the grace.
    ///
    /// # Cancel safety
    ///
    /// If the answer is lost, the token gives the same successor again within the grace.
    pub async fn rotate(&self, token: &str) -> Result<IssuedToken, Error> {
        self.rotate_proven(token, None).await
    }

    /// Spends a token of a client that has `proven` this, and gives its successor.
    pub(crate) async fn rotate_proven(
        &self,
        token: &str,
        proven: Option<Confirmation>,
    ) -> Result<IssuedToken, Error> {
        let parts = self.read(token)?;
        let salt = Digest::new(random()?);
        let next = parts.successor(salt);
        match self.rotate_to(&parts, &next, salt, None, proven).await? {
            Rotated::Repeated { salt, .. } if salt == NO_SUCCESSOR => Err(step_up_just_made()),
            rotated => given(rotated, &parts, &next),
        }
    }

    /// Spends a token of a user who has logged in again, and gives another one: it is not made of the
    /// spent one, so who has that does not get it within the grace.
    ///
    /// If the token was rotated a moment ago, its successor is spent, too: whoever has got it is not
    /// the one who has logged in.
    pub(crate) async fn step_up(
        &self,
        token: &str,
        login: Authentication,
        proven: Option<Confirmation>,
    ) -> Result<IssuedToken, Error> {
        let mut parts = self.read(token)?;
        let next = parts.unrelated()?;
        for _ in 0..MOST_SUCCESSORS {
            let login = Some(Box::new(login.clone()));
            match self.rotate_to(&parts, &next, NO_SUCCESSOR, login, proven).await? {
                Rotated::Repeated { salt, .. } if salt == NO_SUCCESSOR => break,
                Rotated::Repeated { salt, .. } => parts = parts.successor(salt),
                rotated => return given(rotated, &parts, &next),
            }
        }
        Err(step_up_just_made())
    }

    fn read(&self, token: &str) -> Result<Parts, Error> {
        Parts::read(token).ok_or_else(|| {
            self.tell(RefreshOutcome::Unknown);
            Error::new(ErrorKind::RefreshToken)
        })
    }

    async fn rotate_to(
        &self,
        parts: &Parts,
        next: &Parts,
        salt: Digest,
        authentication: Option<Box<Authentication>>,
        proven: Option<Confirmation>,
    ) -> Result<Rotated, Error> {
        let rotation = Rotation {
            id: parts.id(),
            presented: parts.digest(),
            next: next.digest(),
            salt,
            now: self.now(),
            grace: self.0.grace,
            idle: self.0.idle,
            authentication,
            proven,
        };
        let rotated = self.wait_for(self.0.store.rotate(rotation)).await;
        self.tell(outcome_of(&rotated));
        rotated
    }

    /// Finds out whether a token can be used, without using it.
    ///
    /// # Errors
    ///
    /// The store cannot be reached.
    pub async fn token_status(&self, token: &str) -> Result<TokenStatus, Error> {
        let Some(parts) = Parts::read(token) else { return Ok(TokenStatus::Unknown) };
        let now = self.now();
        Ok(match self.wait_for(self.0.store.get(&parts.id(), now)).await? {
            Some(family) if family.takes(parts.digest(), now) => {
                TokenStatus::Active(family.session)
            }
            Some(family) => TokenStatus::Spent(family.session),
            None => TokenStatus::Unknown,
        })
    }

    /// Lists the sessions of a subject that have not ended, newest first.
    ///
    /// # Errors
    ///
    /// The store cannot be reached.
    pub async fn list(&self, subject: &str) -> Result<Vec<Session>, Error> {
        let now = self.now();
        let mut sessions = self.wait_for(self.0.store.list(subject, now)).await?;
        sessions.retain(|session| session.expires_at() > now);
        sessions.sort_by(|one, other| {
            other.created_at.cmp(&one.created_at).then_with(|| one.id.cmp(&other.id))
        });
        Ok(sessions)
    }

    /// Ends the session of this id; `None` if it does not exist.
    ///
    /// Its access tokens are valid until they expire, unless they are
    /// [revoked](crate::revocation).
    ///
    /// # Errors
    ///
    /// The store cannot be reached, and the session may not have ended.
    pub async fn end(&self, id: &str) -> Result<Option<Session>, Error> {
        self.wait_for(self.0.store.end(id)).await
    }

    /// Ends all sessions of a subject.
    ///
    /// # Errors
    ///
    /// The store cannot be reached, and some sessions may not have ended.
    pub async fn end_all(&self, subject: &str) -> Result<Vec<Session>, Error> {
        self.wait_for(self.0.store.end_all(subject)).await
    }

    /// The lifetime of a token that is not used.
    #[must_use]
    pub fn idle_lifetime(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.0.idle).unwrap_or_default())
    }

    /// The seconds until a session ends.
    pub(crate) fn left(&self, session: &Session) -> u64 {
        u64::try_from(session.expires_at().saturating_sub(self.now())).unwrap_or_default()
    }

    /// The seconds until a session ends that is refreshed now and then never again. If it was
    /// refreshed within the longest grace, the same token may be presented once more, which does
    /// not change the end.
    pub(crate) fn left_if_idle(&self, session: &Session) -> u64 {
        let now = self.now();
        if now.saturating_sub(session.refreshed_at) <= seconds(MINUTE) {
            return self.left(session);
        }
        let end = now.saturating_add(session.idle(self.0.idle)).min(session.ends_at);
        u64::try_from(end.saturating_sub(now)).unwrap_or_default()
    }

    /// Waits for the store, and reports a failure to the operator.
    async fn wait_for<T: Unpin>(
        &self,
        answer: MaybeReady<Result<T, StoreError>>,
    ) -> Result<T, Error> {
        self.0.outage.record("refresh tokens", answer.await)
    }

    fn tell(&self, outcome: RefreshOutcome) {
        self.0.observers.tell(|observer| observer.refreshed(&RefreshReport::new(outcome)));
    }

    fn now(&self) -> i64 {
        unix_seconds(self.0.clock.now())
    }
}

/// The token that a rotation gives, or the reason of its refusal.
fn given(rotated: Rotated, presented: &Parts, next: &Parts) -> Result<IssuedToken, Error> {
    let displaced = Vec::new();
    match rotated {
        Rotated::Rotated(session) => {
            Ok(IssuedToken { token: next.to_token(), session, repeated: false, displaced })
        }
        Rotated::Repeated { session, salt } => {
            let token = presented.successor(salt).to_token();
            Ok(IssuedToken { token, session, repeated: true, displaced })
        }
        Rotated::Reused(session) => {
            observe::refresh_token_reused(session.id());
            let session = session.id.into_boxed_str();
            Err(Error::new(ErrorKind::RefreshTokenReused { session }))
        }
        Rotated::Expired | Rotated::Unknown => Err(Error::new(ErrorKind::RefreshToken)),
    }
}

/// A token that was spent a moment ago by a step-up. A browser that has sent it at the same time has
/// the next one soon, and a thief never has.
#[cold]
fn step_up_just_made() -> Error {
    let kind = ErrorKind::Unavailable { retry_after: Duration::from_secs(1) };
    Error::with_source(kind, "the refresh token was spent a moment ago by a step-up")
}

/// The outcome that observers are told for an answer of the store.
fn outcome_of(rotated: &Result<Rotated, Error>) -> RefreshOutcome {
    match rotated {
        Ok(Rotated::Rotated(_)) => RefreshOutcome::Rotated,
        Ok(Rotated::Repeated { .. }) => RefreshOutcome::Repeated,
        Ok(Rotated::Reused(_)) => RefreshOutcome::Reused,
        Ok(Rotated::Expired) => RefreshOutcome::Expired,
        Ok(Rotated::Unknown) => RefreshOutcome::Unknown,
        Err(_) => RefreshOutcome::Unavailable,
    }
}

impl fmt::Debug for RefreshTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshTokens")
            .field("idle", &self.0.idle)
            .field("absolute", &self.0.absolute)
            .field("grace", &self.0.grace)
            .finish_non_exhaustive()
    }
}

/// Whether a refresh token can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "there are these three")]
pub enum TokenStatus {
    /// It can be rotated now.
    Active(Session),
    /// It was rotated before, so it is spent, and its session has not ended. It can only end the
    /// session.
    Spent(Session),
    /// It belongs to no session, or its session has ended.
    Unknown,
}

/// A session that is not stored yet.
pub(crate) struct NewSession {
    pub(crate) issued: IssuedToken,
    family: Family,
}

/// A session and its live token.
#[derive(Debug)]
pub struct IssuedToken {
    token: RefreshToken,
    session: Session,
    repeated: bool,
    displaced: Vec<Session>,
}

impl IssuedToken {
    /// The token. Give it only to its client.
    #[must_use]
    pub fn token(&self) -> &RefreshToken {
        &self.token
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Whether the token before it was presented again within its grace, so that this token was
    /// already given.
    #[must_use]
    pub fn is_repeated(&self) -> bool {
        self.repeated
    }

    /// The sessions that ended because the subject had too many
    /// ([`max_sessions`](RefreshTokensBuilder::max_sessions)).
    ///
    /// Their access tokens are valid until they expire, unless they are
    /// [revoked](crate::revocation::Revocation::session):
    /// [`Sessions`](crate::sessions::Sessions) does that.
    #[must_use]
    pub fn displaced(&self) -> &[Session] {
        &self.displaced
    }
}

/// Builds [`RefreshTokens`].
///
/// # Defaults
///
/// - idle lifetime: 14 days; 24 hours for a session that ends with the browser
/// - absolute lifetime: 90 days
/// - grace: 10 s
/// - sessions of a subject: at most 100
/// - clock: the system clock
/// - observers: none
#[must_use = "a builder does nothing until it is built"]
pub struct RefreshTokensBuilder {
    store: Box<dyn RefreshStore>,
    idle: Duration,
    browser_idle: Duration,
    absolute: Duration,
    grace: Duration,
    max_sessions: usize,
    clock: Box<dyn Clock>,
    observers: Observers,
}

impl RefreshTokensBuilder {
    /// Sets how long a session lasts without a refresh, in whole seconds. Default: 14 days.
    pub fn idle_lifetime(mut self, lifetime: Duration) -> Self {
        self.idle = lifetime;
        self
    }

    /// Sets how long a session that [ends with the browser](Login::until_browser_closes) lasts
    /// without a refresh, in whole seconds. It is at most the idle lifetime of other sessions.
    /// Each session keeps the value that it was opened with. Default: 24 hours.
    pub fn browser_idle_lifetime(mut self, lifetime: Duration) -> Self {
        self.browser_idle = lifetime;
        self
    }

    /// Sets how long a session lasts at most, in whole seconds. Default: 90 days.
    pub fn absolute_lifetime(mut self, lifetime: Duration) -> Self {
        self.absolute = lifetime;
        self
    }

    /// Sets how long a spent token gives the same successor again, in whole seconds; at most
    /// 60 s. With zero, it never does. Default: 10 s.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Limits the sessions that a subject may have at once. At the next login, its oldest one
    /// ends. Default: 100.
    pub fn max_sessions(mut self, most: usize) -> Self {
        self.max_sessions = most;
        self
    }

    /// Takes the time from this clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Adds an observer, which is told [what became of each token](Observer::refreshed) that was
    /// presented; see the [observers](crate::observe). Default: none.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers.add(observer);
        self
    }

    pub(crate) fn observers(mut self, observers: Observers) -> Self {
        self.observers = observers;
        self
    }

    /// Builds the refresh tokens.
    ///
    /// # Errors
    ///
    /// A lifetime is shorter than a minute, or the grace is longer than a minute.
    pub fn build(self) -> Result<RefreshTokens, ConfigError> {
        if self.idle < MINUTE || self.browser_idle < MINUTE || self.absolute < MINUTE {
            return Err(ConfigError::OutOfRange(
                "`idle_lifetime`, `browser_idle_lifetime` and `absolute_lifetime` of a session must \
                 be at least a minute",
            ));
        }
        // Longer than any session.
        let browser_idle = u32::try_from(self.browser_idle.as_secs()).unwrap_or(u32::MAX);
        if self.grace > MINUTE {
            return Err(ConfigError::OutOfRange(
                "`grace` must be at most a minute: a longer one gives a thief time to use a spent \
                 token",
            ));
        }
        Ok(RefreshTokens(Arc::new(RefreshInner {
            store: self.store,
            idle: seconds(self.idle),
            browser_idle: NonZeroU32::new(browser_idle).unwrap_or(NonZeroU32::MIN),
            absolute: seconds(self.absolute),
            grace: seconds(self.grace),
            max_sessions: self.max_sessions,
            clock: self.clock,
            outage: Outage::default(),
            observers: self.observers,
        })))
    }
}

impl fmt::Debug for RefreshTokensBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshTokensBuilder")
            .field("idle", &self.idle)
            .field("absolute", &self.absolute)
            .field("grace", &self.grace)
            .finish_non_exhaustive()
    }
}

/// The salt of a token that was spent by a step-up: it gives no successor.
const NO_SUCCESSOR: Digest = Digest::new([0; 32]);

/// How many tokens a step-up spends at most, each the successor of the one before.
const MOST_SUCCESSORS: usize = 3;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: u64 = 24 * 60 * 60;
