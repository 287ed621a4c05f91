//! Revocations, for all machines of a service.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use tokio::{runtime::Handle, task::AbortHandle};

use super::{
    Redis,
    connection::Retry,
    copy::{BLOCK, LocalCopy},
    failure::Failure,
    follow::{self, Follower},
    not_reached,
};
use crate::{
    clock::{Clock, SystemClock},
    error::{ConfigError, StoreError},
    maybe_ready::MaybeReady,
    revocation::{Denylist, Revocation, TokenIds},
};

/// A denylist in Redis of which each process keeps a copy; cheap to clone, and all clones
/// are one. Made by [`Redis::denylist`].
///
/// # Rules
///
/// 1. A background task follows the changes in the store, and puts them into the copy. It
///    ends with the last clone.
/// 2. While the copy is fresh, it answers without I/O and without a lock. It is fresh if the
///    store has answered within [`stale_after`](RedisDenylistBuilder::stale_after), and has
///    proved that it is a primary that takes writes.
/// 3. When the copy is stale, what is in it is still revoked. For all other tokens the store
///    is asked, with the same proof. Where it does not answer, the verifier answers 503.
/// 4. After a break, the task reads the whole list before it follows on. It writes back what
///    the copy has and the store has lost.
/// 5. A list that is new, or of which a machine has noticed that it has lost changes, is not used
///    for one stale period (2.25 s at the least), in which other machines write back what they
///    know, nor for 3 s after the last of them has written.
/// 6. A revocation is in the copy of the process that made it at once, and in the others
///    when the store has told them: within milliseconds, or once the copy is stale.
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

/// What all clones hold, and the task does not.
struct DenylistInner {
    copy: Arc<LocalCopy>,
    task: Mutex<Option<AbortHandle>>,
}

impl RedisDenylist {
    /// Whether the copy is new enough to answer by itself.
    #[must_use]
    #[inline]
    pub fn is_fresh(&self) -> bool {
        self.0.copy.is_fresh()
    }

    /// How many revocations there are in the copy.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.copy.view.len()
    }

    /// Whether there is none in the copy.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[cold]
    fn ask(&self, token: TokenIds<'_>) -> MaybeReady<Result<bool, StoreError>> {
        // The runtime of the task may have gone.
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
            // A copy that is full asks the next time, too.
            let _ = copy.view.insert_all(found);
            Ok(is_revoked)
        })
    }
}

impl Denylist for RedisDenylist {
    fn revoke(&self, revocation: Revocation) -> MaybeReady<Result<(), StoreError>> {
        let copy = Arc::clone(&self.0.copy);
        if revocation.until() <= copy.now() {
            return MaybeReady::Ready(Ok(()));
        }
        if copy.view.insert(revocation.clone()).is_err() {
            copy.has_no_room();
        }
        // Also where nobody waits for the answer, or for the first step.
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
        // Before the look into the copy: it is at least as new as that.
        let fresh = copy.is_fresh();
        if copy.view.contains(token) {
            return MaybeReady::Ready(Ok(true));
        }
        if fresh { MaybeReady::Ready(Ok(false)) } else { self.ask(token) }
    }
}

impl DenylistInner {
    /// Starts the task if it does not run, and there is a runtime.
    fn tend(&self, follower: Option<Follower>) {
        let Ok(runtime) = Handle::try_current() else { return };
        // What is done under it does not panic.
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

/// Sees to it that a revocation is written by the task if it was not acknowledged.
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
                // More than are kept apart are found in the copy.
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
/// - capacity: 1,000,000 revocations, of about 150 bytes each. A copy that is full is
///   stale: the store is asked
/// - not lazy: `build` fails where the store does not answer
/// - clock: that of the system
#[must_use = "a builder does nothing until it is built"]
pub struct RedisDenylistBuilder {
    redis: Redis,
    stale_after: Duration,
    capacity: usize,
    lazy: bool,
    clock: Arc<dyn Clock>,
}

impl RedisDenylistBuilder {
    pub(super) fn new(redis: Redis) -> Self {
        Self {
            redis,
            stale_after: Duration::from_secs(5),
            capacity: 1_000_000,
            lazy: false,
            clock: Arc::new(SystemClock),
        }
    }

    /// For how long the copy answers while the store does not: so much later than elsewhere
    /// a logout may hold here. From 1 s to 5 minutes; no shorter than the time-out of a
    /// command and a quarter of a second. Default: 5 s.
    pub fn stale_after(mut self, time: Duration) -> Self {
        self.stale_after = time;
        self
    }

    /// How many revocations the copy has room for. Default: 1,000,000.
    pub fn capacity(mut self, most: usize) -> Self {
        self.capacity = most;
        self
    }

    /// Starts also where the store does not answer: the copy is stale until it does.
    pub fn lazy(mut self) -> Self {
        self.lazy = true;
        self
    }

    /// Takes the time from this clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Reads the list, and starts to follow it. The script and the commands are tried once, on
    /// keys that are deleted again. If the list is new or has lost its data, this waits until
    /// it may be used: for one stale period, and until nobody writes back any more.
    ///
    /// # Errors
    ///
    /// A number is out of range, the list has more revocations than the copy has room for, the store does not answer or is refused as by
    /// [`RedisBuilder::build`](super::RedisBuilder::build), or this is not called on a tokio
    /// runtime.
    pub async fn build(self) -> Result<RedisDenylist, ConfigError> {
        if self.capacity == 0 {
            return Err(ConfigError::OutOfRange("the copy of the denylist has room for nothing"));
        }
        let shortest = (self.redis.connection().timeout() + BLOCK).max(Duration::from_secs(1));
        if self.stale_after < shortest || self.stale_after > Duration::from_secs(300) {
            return Err(ConfigError::OutOfRange(
                "the copy of the denylist is stale after 1 s to 5 minutes, and after longer than \
                 the time-out of a command and a quarter of a second",
            ));
        }
        if Handle::try_current().is_err() {
            return Err(not_reached(Failure::NoRuntime));
        }
        let copy = LocalCopy::new(self.redis, self.capacity, self.stale_after, self.clock);
        let copy = Arc::new(copy);
        let follower = if self.lazy {
            None
        } else {
            let mut follower = Follower::begin(&copy).await.map_err(not_reached)?;
            // An empty list is ready when others have had the time to write back.
            while !copy.is_fresh() {
                if copy.is_full() {
                    return Err(not_reached(follow::FULL));
                }
                follower = follower.follow(&copy).await.map_err(not_reached)?;
            }
            Some(follower)
        };
        let held = DenylistInner { copy, task: Mutex::new(None) };
        held.tend(follower);
        Ok(RedisDenylist(Arc::new(held)))
    }
}

impl fmt::Debug for RedisDenylistBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisDenylistBuilder")
            .field("stale_after", &self.stale_after)
            .field("capacity", &self.capacity)
            .field("lazy", &self.lazy)
            .finish_non_exhaustive()
    }
}

/// How many revocations that were not acknowledged are kept apart.
const MOST_UNSAVED: usize = 10_000;
