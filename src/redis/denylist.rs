//! A denylist for all machines of a service.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use tokio::task::AbortHandle;

use super::{
    Redis,
    connection::Retry,
    copy::{BLOCK, LocalCopy},
    failure::{Failure, unusable},
    follow::{self, Follower},
};
use crate::{
    clock::{Clock, SystemClock},
    error::{ConfigError, StoreError},
    maybe_ready::MaybeReady,
    observe::Observer,
    revocation::{Denylist, Revocation, TokenIds, Watchers},
    runtime::runtime_with_timer,
};

/// A denylist in Redis that each process keeps a copy of; cheap to clone, and all clones share
/// one copy. Made by [`Redis::denylist`].
///
/// # Rules
///
/// 1. A background task follows the changes in the store, and adds them to the copy. It ends
///    with the last clone.
/// 2. While the copy is fresh, it answers without I/O and without a lock. It is fresh if the
///    store has answered within [`stale_after`](RedisDenylistBuilder::stale_after), and has
///    proved that it is a primary that accepts writes.
/// 3. When the copy is stale, the tokens that it names are still revoked. For all other tokens,
///    the store is asked, with the same proof. If it does not answer, the verifier answers 503.
/// 4. After a lost connection, the task reads the whole list before it follows the changes
///    again. It writes back the revocations of the copy that the store has lost.
/// 5. A list that is new, or has lost changes that a machine had seen, is not used for one stale
///    period (at least 2.25 s), so that other machines can write back what they know. It is
///    not used either until 3 s after the last of them has written; longer time-outs of
///    [`RedisBuilder`](super::RedisBuilder) lengthen that.
/// 6. A revocation takes effect at once in the process that made it. In the others, it takes
///    effect when the store has told them: within milliseconds, or once their copy is stale.
///
/// # Example
/// ```no_run
/// use tower_jwt_auth::{redis::Redis, revocation::{Denylist, Revocation}};
///
/// # async fn start(expires_at: i64) -> Result<(), Box<dyn std::error::Error>> {
/// let redis = Redis::builder("redis://127.0.0.1:6379").build().await?;
/// let denylist = redis.denylist().build().await?;
/// let logout = Revocation::session("https://login.example.com", "session-1", expires_at);
/// denylist.revoke(logout).await.map_err(tower_jwt_auth::Error::from)?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisDenylist(Arc<DenylistInner>);

/// The part that all clones share, without the task.
struct DenylistInner {
    copy: Arc<LocalCopy>,
    task: Mutex<Option<AbortHandle>>,
}

impl RedisDenylist {
    fn new(copy: Arc<LocalCopy>, follower: Option<Follower>) -> Self {
        let held = DenylistInner { copy, task: Mutex::new(None) };
        held.tend(follower);
        Self(Arc::new(held))
    }

    /// Whether the copy has been updated lately enough to answer by itself.
    #[must_use]
    #[inline]
    pub fn is_fresh(&self) -> bool {
        self.0.copy.is_fresh()
    }

    /// The number of revocations in the copy.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.copy.view.len()
    }

    /// Whether the copy is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[cold]
    fn ask(&self, token: TokenIds<'_>) -> MaybeReady<Result<bool, StoreError>> {
        // The task may have ended with its runtime.
        self.0.tend(None);
        let keys: Vec<String> = token.keys().collect();
        if keys.is_empty() {
            return MaybeReady::Ready(Ok(false));
        }
        let issued_at = token.issued_at();
        let copy = Arc::clone(&self.0.copy);
        MaybeReady::pending(async move {
            let found = copy.find(keys).await?;
            let is_revoked = found.iter().any(|one| one.revokes(issued_at));
            // If the copy is full, the next request asks the store, too.
            let _ = copy.view.insert_all(found);
            Ok(is_revoked)
        })
    }
}

impl Denylist for RedisDenylist {
    fn revoke(&self, revocation: Revocation) -> MaybeReady<Result<(), StoreError>> {
        let copy = Arc::clone(&self.0.copy);
        if revocation.keep_until() <= copy.now() {
            return MaybeReady::Ready(Ok(()));
        }
        if copy.view.insert(revocation.clone()).is_err() {
            copy.mark_full();
        }
        copy.report(true);
        // Also if the future is dropped, even before it is polled.
        let unsaved = Unsaved(Some((Arc::clone(&copy), revocation.clone())));
        MaybeReady::pending(async move {
            let unsaved = unsaved;
            let script = copy.keys.revoke(&revocation, copy.now())?;
            let _: i64 = copy.redis.connection().script(&script, Retry::Once).await?;
            unsaved.saved();
            Ok(())
        })
    }

    #[inline]
    fn is_revoked(&self, token: TokenIds<'_>) -> MaybeReady<Result<bool, StoreError>> {
        let copy = &self.0.copy;
        // Before the lookup, so that the copy is at least as fresh as this says.
        let fresh = copy.is_fresh();
        if copy.view.contains(token) {
            return MaybeReady::Ready(Ok(true));
        }
        if fresh { MaybeReady::Ready(Ok(false)) } else { self.ask(token) }
    }

    fn observe(&self, observer: Arc<dyn Observer>) {
        if self.0.copy.observer.set(observer).is_ok() {
            self.0.copy.report(true);
        }
    }

    fn watchers(&self) -> Option<&Watchers> {
        self.0.copy.view.watchers()
    }
}

impl DenylistInner {
    /// Starts the task if it does not run and there is a runtime.
    fn tend(&self, follower: Option<Follower>) {
        let Some(runtime) = runtime_with_timer() else { return };
        // No code that holds the lock panics.
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_none_or(AbortHandle::is_finished) {
            let run = follow::run(Arc::clone(&self.copy), follower);
            *task = Some(runtime.spawn(run).abort_handle());
        }
    }
}

impl Drop for DenylistInner {
    fn drop(&mut self) {
        let task = self.task.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task.take() {
            task.abort();
        }
    }
}

/// Leaves a revocation to the task if the store has not acknowledged it.
struct Unsaved(Option<(Arc<LocalCopy>, Revocation)>);

impl Unsaved {
    fn saved(mut self) {
        self.0 = None;
    }
}

impl Drop for Unsaved {
    fn drop(&mut self) {
        if let Some((copy, revocation)) = self.0.take() {
            let mut unsaved = copy.unsaved();
            if unsaved.len() < MOST_UNSAVED {
                unsaved.push(revocation);
            } else {
                // The task then finds all of them in the copy.
                copy.read_again.store(true, Ordering::Relaxed);
            }
        }
    }
}

impl fmt::Debug for RedisDenylist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisDenylist")
            .field("fresh", &self.is_fresh())
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// Builds a [`RedisDenylist`].
///
/// # Defaults
///
/// - stale after: 5 s without an answer from the store
/// - at most 1,000,000 revocations, of about 150 bytes each. A full copy is stale: the store is
///   asked
/// - clock: the system clock
#[must_use = "a builder does nothing until it is built"]
pub struct RedisDenylistBuilder {
    redis: Redis,
    stale_after: Duration,
    max_revocations: usize,
    clock: Arc<dyn Clock>,
}

impl Redis {
    /// Starts to build the denylist. One is enough for a process: each follows by itself.
    pub fn denylist(&self) -> RedisDenylistBuilder {
        RedisDenylistBuilder {
            redis: self.clone(),
            stale_after: Duration::from_secs(5),
            max_revocations: 1_000_000,
            clock: Arc::new(SystemClock),
        }
    }
}

impl RedisDenylistBuilder {
    /// Sets how long the copy answers while the store does not: a logout may take effect so much
    /// later on this machine. From 1 s to 5 minutes, and at least the time-out of a command plus
    /// 250 ms. Default: 5 s.
    pub fn stale_after(mut self, time: Duration) -> Self {
        self.stale_after = time;
        self
    }

    /// Sets the largest number of revocations in the copy. Default: 1,000,000.
    pub fn max_revocations(mut self, most: usize) -> Self {
        self.max_revocations = most;
        self
    }

    /// Sets the clock that says which revocations are over. Default: the system clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Reads the list, and starts to follow it. The script and the commands are tried once, on
    /// separate keys that are deleted again. If the list is new or has lost its data, this waits
    /// until it may be used: for one stale period, and until nobody writes back any more. To start
    /// even if the store does not answer, call [`lazy`](Self::lazy) instead.
    ///
    /// # Errors
    ///
    /// A number is out of range, the list has more revocations than the copy has room for, the
    /// store does not answer or is refused as by
    /// [`RedisBuilder::build`](super::RedisBuilder::build), or the caller is not on a tokio
    /// runtime.
    pub async fn build(self) -> Result<RedisDenylist, ConfigError> {
        let copy = self.copy()?;
        let failed = |failure: Failure| unusable(failure, copy.redis.prefix());
        let mut follower = Follower::begin(&copy).await.map_err(failed)?;
        // A new list is ready when others have had time to write back.
        while !copy.is_fresh() {
            if copy.is_full() {
                return Err(unusable(follow::FULL, copy.redis.prefix()));
            }
            follower = follower.follow(&copy).await.map_err(failed)?;
        }
        Ok(RedisDenylist::new(copy, Some(follower)))
    }

    /// Follows the list as soon as the store answers. Until then the copy is stale, and each
    /// token is looked up in the store.
    ///
    /// # Errors
    ///
    /// A number is out of range, or the caller is not on a tokio runtime.
    pub fn lazy(self) -> Result<RedisDenylist, ConfigError> {
        Ok(RedisDenylist::new(self.copy()?, None))
    }

    fn copy(self) -> Result<Arc<LocalCopy>, ConfigError> {
        if self.max_revocations == 0 {
            return Err(ConfigError::OutOfRange(
                "the `max_revocations` of the denylist must be at least 1",
            ));
        }
        let shortest = (self.redis.connection().timeout() + BLOCK).max(Duration::from_secs(1));
        if self.stale_after < shortest || self.stale_after > Duration::from_secs(300) {
            return Err(ConfigError::OutOfRange(
                "`stale_after` of the denylist must be from 1 s to 5 minutes, and at least \
                 `timeout` plus 250 ms",
            ));
        }
        if runtime_with_timer().is_none() {
            return Err(unusable(Failure::NoRuntime, self.redis.prefix()));
        }
        let copy = LocalCopy::new(self.redis, self.max_revocations, self.stale_after, self.clock);
        Ok(Arc::new(copy))
    }
}

impl fmt::Debug for RedisDenylistBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisDenylistBuilder")
            .field("stale_after", &self.stale_after)
            .field("max_revocations", &self.max_revocations)
            .finish_non_exhaustive()
    }
}

/// The number of unacknowledged revocations that are kept apart from the copy.
const MOST_UNSAVED: usize = 10_000;
