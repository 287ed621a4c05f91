//! Revocation: tokens that are refused before they expire.
//!
//! Without it, a token is valid until it expires, even if its user has logged out. With a
//! [`Denylist`], every request checks whether its token is one of the few that end early.
//!
//! # Rules
//!
//! 1. A [`Revocation`] names one token (`jti`), all tokens of one session (`sid`), or the
//!    tokens of a subject that were issued until some time. All are of one issuer.
//! 2. It lasts until the tokens that it names have expired, by every clock that is
//!    within 5 minutes of this one.
//! 3. With a denylist, a token must have a `jti`, because it could not be revoked without one.
//!    [`without_token_id`](crate::verifier::VerifierBuilder::without_token_id) turns this off.
//! 4. If the denylist does not answer, the response is 503.
//!
//! # Example: one token
//! ```
//! use tower_jwt_auth::{
//!     Claims, Key, Verifier,
//!     revocation::{Denylist, MemoryDenylist, Revocation},
//! };
//!
//! # async fn revoke(claims: Claims, now: i64) -> Result<(), Box<dyn std::error::Error>> {
//! let denylist = MemoryDenylist::new();
//! let verifier = Verifier::builder()
//!     .issuer("https://login.example.com")
//!     .audience("https://api.example.com")
//!     .keys(Key::hs256([7; 32]))
//!     .denylist(denylist.clone())
//!     .build()?;
//!
//! if let Some(revocation) = Revocation::of_token(claims.registered()) {
//!     denylist.revoke(revocation).await.map_err(tower_jwt_auth::Error::from)?;
//! }
//! # Ok(()) }
//! ```
//!
//! # Deployment
//!
//! [`MemoryDenylist`] is for one process. With several processes, a logout would take effect
//! only in one of them: use a store that they share, such as the one of the feature `redis`.

mod memory;
mod record;
mod watch;
mod watched;
mod watchers;

use std::{fmt, sync::Arc};

pub use self::{
    memory::{MemoryDenylist, MemoryDenylistBuilder},
    record::{Revocation, TokenIds},
    watchers::Watchers,
};
pub(crate) use self::{
    watch::Watch,
    watched::{Difference, Ended, Look, WatchedToken},
};
use crate::{
    claims::RegisteredClaims,
    error::{ConfigError, Error, ErrorKind, StoreError},
    maybe_ready::MaybeReady,
    observe::{Observer, Observers, Outage, of_list},
};

/// A list of revocations.
///
/// Implement it for a store of your own. [`Revocation::key`] and [`TokenIds::keys`] are for
/// stores that look up entries by a text.
pub trait Denylist: Send + Sync + 'static {
    /// Adds a revocation. After this has returned, the tokens are refused, even after a restart
    /// if the list is persistent.
    ///
    /// # Errors
    ///
    /// The store cannot be reached, or is full. The revocation may have no effect.
    fn revoke(&self, revocation: Revocation) -> MaybeReady<Result<(), StoreError>>;

    /// Whether a revocation names this token. A list must answer or fail within seconds by itself: neither
    /// a request nor a stream has a time limit for the answer.
    ///
    /// # Errors
    ///
    /// The store cannot be reached.
    fn is_revoked(&self, token: TokenIds<'_>) -> MaybeReady<Result<bool, StoreError>>;

    /// Reports its [state](Observer::denylist) to this observer from now on. A verifier that has
    /// an observer calls it when it is built. Several verifiers may share a list: report to the
    /// first observer only. Default: nothing is reported.
    fn observe(&self, observer: Arc<dyn Observer>) {
        _ = observer;
    }

    /// The streams that wait for revocations, see [`validity`](crate::validity). A list that hears of
    /// each revocation, also of those that another process makes, has [`Watchers`] and
    /// [tells](Watchers::tell) them; a list around another one forwards this call. Default: `None`.
    /// Then [`is_revoked`](Self::is_revoked) is called for each stream at least every 30 s, and a stream
    /// ends up to 30 s later.
    fn watchers(&self) -> Option<&Watchers> {
        None
    }
}

impl<D: Denylist + ?Sized> Denylist for Arc<D> {
    fn revoke(&self, revocation: Revocation) -> MaybeReady<Result<(), StoreError>> {
        (**self).revoke(revocation)
    }

    fn is_revoked(&self, token: TokenIds<'_>) -> MaybeReady<Result<bool, StoreError>> {
        (**self).is_revoked(token)
    }

    fn observe(&self, observer: Arc<dyn Observer>) {
        (**self).observe(observer);
    }

    fn watchers(&self) -> Option<&Watchers> {
        (**self).watchers()
    }
}

/// Evidence that no revocation names a token. Only [`Revocations`] makes it.
#[derive(Debug)]
pub(crate) struct NotRevoked(());

/// The denylist of a verifier, if it has one.
#[derive(Clone, Default)]
pub(crate) struct Revocations {
    list: Option<Arc<dyn Denylist>>,
    is_set_twice: bool,
    /// Accepts a token if the denylist does not answer.
    fail_open: bool,
    outage: Arc<Outage>,
}

impl Revocations {
    pub(crate) fn set(&mut self, list: impl Denylist) {
        self.is_set_twice = self.list.replace(Arc::new(list)).is_some();
    }

    /// # Errors
    ///
    /// A second list was set: the revocations of the first would be dropped without a word.
    pub(crate) fn check_config(&self) -> Result<(), ConfigError> {
        match self.is_set_twice {
            true => Err(ConfigError::Conflict(
                "the verifier has a denylist already, call `.denylist(…)` once; \
                 `Sessions::verifier_builder` has set the one of the sessions",
            )),
            false => Ok(()),
        }
    }

    pub(crate) fn fail_open(&mut self) {
        self.fail_open = true;
    }

    pub(crate) fn fails_open(&self) -> bool {
        self.fail_open
    }

    pub(crate) fn observe(&self, observers: &Observers) {
        if let (Some(list), Some(observer)) = (&self.list, observers.to_one()) {
            list.observe(of_list(observer));
        }
    }

    pub(crate) fn is_configured(&self) -> bool {
        self.list.is_some()
    }

    /// Checks a token that has passed all other checks.
    #[inline]
    pub(crate) fn check(&self, claims: &RegisteredClaims) -> MaybeReady<Result<NotRevoked, Error>> {
        // The ids take a while to find.
        match self.list {
            Some(_) => self.check_ids(TokenIds::new(claims)),
            None => MaybeReady::Ready(Ok(NotRevoked(()))),
        }
    }

    /// The streams that wait for revocations, if the denylist tells of them.
    pub(crate) fn watchers(&self) -> Option<&Watchers> {
        self.list.as_ref()?.watchers()
    }

    /// Checks the token with these ids.
    #[inline]
    pub(crate) fn check_ids(&self, token: TokenIds<'_>) -> MaybeReady<Result<NotRevoked, Error>> {
        let Some(list) = &self.list else { return MaybeReady::Ready(Ok(NotRevoked(()))) };
        match list.is_revoked(token) {
            MaybeReady::Ready(answer) => MaybeReady::Ready(self.verdict(answer)),
            MaybeReady::Pending(answer) => {
                let revocations = self.clone();
                MaybeReady::pending(async move { revocations.verdict(answer.await) })
            }
        }
    }

    #[inline]
    fn verdict(&self, answer: Result<bool, StoreError>) -> Result<NotRevoked, Error> {
        match answer {
            Err(error) if self.fail_open => {
                self.outage.passed_unchecked(error);
                Ok(NotRevoked(()))
            }
            answer => match self.outage.record("denylist", answer)? {
                false => Ok(NotRevoked(())),
                true => Err(Error::new(ErrorKind::Revoked)),
            },
        }
    }
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocations")
            .field("configured", &self.is_configured())
            .field("fail_open", &self.fail_open)
            .finish()
    }
}
