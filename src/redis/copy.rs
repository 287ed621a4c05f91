//! The copy of the denylist that a process keeps, and its age.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    Redis,
    entry::{self, Keys},
    failure::Failure,
    reply::Found,
};
use crate::{
    clock::{Clock, unix_seconds},
    observe::{DenylistReport, Observer, Outage},
    revocation::{MemoryDenylist, Revocation},
};

/// The copy, which the denylist and the task that follows share.
pub(super) struct LocalCopy {
    pub(super) redis: Redis,
    pub(super) keys: Keys,
    pub(super) view: MemoryDenylist,
    /// Revocations that the store may not have. They are in the view, too.
    unsaved: Mutex<Vec<Revocation>>,
    /// Whether more are unsaved than that, so that the list must be read again.
    pub(super) read_again: AtomicBool,
    pub(super) progress: Progress,
    /// Whether the scripts and the rights were tried.
    pub(super) tried: AtomicBool,
    pub(super) outage: Outage,
    pub(super) observer: OnceLock<Arc<dyn Observer>>,
    /// When the observer was last told, as `contact`.
    told: AtomicU64,
    clock: Arc<dyn Clock>,
    stale_after: u64,
    start: Instant,
    /// When the last read was sent that was answered, in milliseconds from the start, plus one;
    /// 0 before the first one.
    contact: AtomicU64,
    /// Whether the copy had no room for something.
    full: AtomicBool,
}

/// The part of the list that was read. It outlives the connection that has read it.
#[derive(Default)]
pub(super) struct Progress {
    /// The number of the last change that was read.
    pub(super) seen: AtomicU64,
    /// The time since which the list has been whole, in milliseconds by the clock of the store; 0
    /// if the list was not read yet.
    pub(super) since: AtomicU64,
    /// The number of further readings for which other machines wait until this one has written
    /// back what the list has lost. It is limited, so that nobody waits for ever for a machine
    /// that cannot write.
    pub(super) holds_left: AtomicU8,
}

impl LocalCopy {
    /// An empty copy, which is stale.
    pub(super) fn new(
        redis: Redis,
        max_revocations: usize,
        stale_after: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            keys: Keys::new(redis.prefix()),
            redis,
            view: MemoryDenylist::with(max_revocations, Box::new(Arc::clone(&clock))),
            unsaved: Mutex::default(),
            read_again: AtomicBool::new(false),
            progress: Progress::default(),
            tried: AtomicBool::new(false),
            outage: Outage::default(),
            observer: OnceLock::new(),
            told: AtomicU64::new(0),
            clock,
            stale_after: u64::try_from(stale_after.as_millis()).unwrap_or(u64::MAX),
            start: Instant::now(),
            contact: AtomicU64::new(0),
            full: AtomicBool::new(false),
        }
    }

    #[inline]
    pub(super) fn is_fresh(&self) -> bool {
        match self.contact.load(Ordering::Acquire) {
            0 => false,
            contact => self.elapsed().saturating_sub(contact - 1) < self.stale_after,
        }
    }

    /// Tells the observer of the copy, at most once a second unless it is `at_once`.
    pub(super) fn report(&self, at_once: bool) {
        let Some(observer) = self.observer.get() else { return };
        let now = self.elapsed();
        let told = self.told.load(Ordering::Relaxed);
        if !at_once && told != 0 && now.saturating_sub(told) < REPORTED {
            return;
        }
        self.told.store(now.max(1), Ordering::Relaxed);
        let lag = match self.contact.load(Ordering::Acquire) {
            0 => None,
            contact => Some(Duration::from_millis(now.saturating_sub(contact - 1))),
        };
        observer.denylist(&DenylistReport::new(lag, self.view.len()));
    }

    /// The time since the start, in milliseconds.
    pub(super) fn elapsed(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Everything that was in the store at the time `sent` is in the view.
    pub(super) fn mark_fresh(&self, sent: u64) {
        self.contact.store(sent.saturating_add(1), Ordering::SeqCst);
        // `mark_full` stores in the opposite order, so one of them sees the other.
        if self.is_full() {
            self.contact.store(0, Ordering::SeqCst);
        }
    }

    /// The copy lacks an entry, so it no longer answers by itself.
    #[cold]
    pub(super) fn mark_full(&self) {
        self.full.store(true, Ordering::SeqCst);
        self.contact.store(0, Ordering::SeqCst);
    }

    /// Call this before the whole list is read.
    pub(super) fn clear_full(&self) {
        self.full.store(false, Ordering::SeqCst);
    }

    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::SeqCst)
    }

    pub(super) fn now(&self) -> i64 {
        unix_seconds(self.clock.now())
    }

    /// The time that other machines have to write back what a list has lost: at least as long as
    /// it takes them to connect again.
    pub(super) fn write_back_period(&self) -> Duration {
        let connected = LONGEST_PAUSE + self.redis.connection().connect_timeout();
        Duration::from_millis(self.stale_after).max(connected + BLOCK)
    }

    /// The time, in milliseconds, that other machines wait after each step of a machine that writes
    /// back: longer than it takes that machine to notice that its connection is dead, and to connect
    /// again.
    pub(super) fn hold_millis(&self) -> u64 {
        let connection = self.redis.connection();
        let noticed = BLOCK + connection.timeout();
        let hold = noticed + LONGEST_PAUSE + connection.connect_timeout() + HOLD_MARGIN;
        u64::try_from(hold.as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn unsaved(&self) -> MutexGuard<'_, Vec<Revocation>> {
        // No code that holds the lock panics half way.
        self.unsaved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds the revocations of these names in the store.
    pub(super) async fn find(&self, names: Vec<String>) -> Result<Vec<Revocation>, Failure> {
        let mut pipe = redis::pipe();
        pipe.cmd("TIME").get(&self.keys.since).get(&self.keys.count).exists(&self.keys.writing);
        pipe.cmd("HMGET").arg(&self.keys.entries).arg(names);
        let found: Found = self.redis.connection().ask(&self.keys.nothing, &pipe).await?;
        let age = |since: u64| Duration::from_millis(found.now.saturating_sub(since));
        // The list has lost changes that were seen here. The follower will notice it, too.
        let is_behind = found.count < self.progress.seen.load(Ordering::Relaxed);
        let is_young = found.since.is_none_or(|since| age(since) < self.write_back_period());
        if is_behind || found.is_held || is_young {
            return Err(Failure::Young);
        }
        found.entries.iter().flatten().map(|entry| entry::read(entry)).collect()
    }
}

/// The time that the store holds an answer back while nothing changes.
pub(super) const BLOCK: Duration = Duration::from_millis(250);

/// The time by which a hold is longer than connecting again.
const HOLD_MARGIN: Duration = Duration::from_millis(500);

/// How often the observer is told, in milliseconds.
const REPORTED: u64 = 1000;

/// The longest pause between two attempts to follow.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(1);
