//! The copy of the denylist that a process keeps, and how new it is.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    Redis,
    entry::{self, Keys},
    failure::Failure,
};
use crate::{
    clock::{Clock, unix_seconds},
    observe::Outage,
    revocation::{MemoryDenylist, Revocation},
};

/// The copy, which the list and the task that follows have a share in.
pub(super) struct LocalCopy {
    pub(super) redis: Redis,
    pub(super) keys: Keys,
    pub(super) view: MemoryDenylist,
    /// What the store may not have. It is in the view, too.
    unsaved: Mutex<Vec<Revocation>>,
    /// Whether there are more of them.
    pub(super) read_again: AtomicBool,
    pub(super) progress: Progress,
    /// Whether scripts and rights were tried.
    pub(super) tried: AtomicBool,
    pub(super) outage: Outage,
    clock: Arc<dyn Clock>,
    stale_after: u64,
    start: Instant,
    /// When the last read was sent that was answered, in milliseconds from the start and
    /// one more; 0 for none.
    contact: AtomicU64,
    /// Whether the copy lacks something for which it has no room.
    full: AtomicBool,
}

/// How far the list was read. It outlives the connection that has read it.
#[derive(Default)]
pub(super) struct Progress {
    /// The number of the last change that was read.
    pub(super) seen: AtomicU64,
    /// Since when the list has been whole, in milliseconds by the clock of the store; 0 if it was
    /// not read so far.
    pub(super) since: AtomicU64,
    /// How often the list may still be read with others kept waiting, until what it has lost is
    /// written back: a machine that cannot do it keeps nobody waiting for ever.
    pub(super) claims: AtomicU8,
}

impl LocalCopy {
    /// An empty copy, which is stale.
    pub(super) fn new(
        redis: Redis,
        capacity: usize,
        stale_after: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            keys: Keys::new(redis.prefix()),
            redis,
            view: MemoryDenylist::with(capacity, Arc::clone(&clock)),
            unsaved: Mutex::default(),
            read_again: AtomicBool::new(false),
            progress: Progress::default(),
            tried: AtomicBool::new(false),
            outage: Outage::default(),
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

    /// The milliseconds since the start.
    pub(super) fn elapsed(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// All that was in the store when this was sent is in the view.
    pub(super) fn knows_all(&self, sent: u64) {
        self.contact.store(sent.saturating_add(1), Ordering::SeqCst);
        // In this order, and the other way round there: one of the two sees the other.
        if self.is_full() {
            self.contact.store(0, Ordering::SeqCst);
        }
    }

    /// The copy lacks what was to be put in: it answers by itself no more.
    #[cold]
    pub(super) fn has_no_room(&self) {
        self.full.store(true, Ordering::SeqCst);
        self.contact.store(0, Ordering::SeqCst);
    }

    /// The whole list is about to be read.
    pub(super) fn has_room(&self) {
        self.full.store(false, Ordering::SeqCst);
    }

    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::SeqCst)
    }

    pub(super) fn now(&self) -> i64 {
        unix_seconds(self.clock.now())
    }

    /// How long others take to write back what they know, from a list that is lost: at least
    /// as long as it takes them to connect again.
    pub(super) fn write_back(&self) -> Duration {
        let connected = LONGEST_PAUSE + self.redis.connection().connect_timeout();
        Duration::from_millis(self.stale_after).max(connected + BLOCK)
    }

    pub(super) fn unsaved(&self) -> MutexGuard<'_, Vec<Revocation>> {
        // What is done under it does not panic half way.
        self.unsaved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the store has under these names.
    pub(super) async fn find(&self, names: Vec<String>) -> Result<Vec<Revocation>, Failure> {
        let mut pipe = redis::pipe();
        pipe.cmd("TIME").get(&self.keys.since).get(&self.keys.count).exists(&self.keys.writing);
        pipe.cmd("HMGET").arg(&self.keys.entries).arg(names);
        type Answer = ((u64, u64), Option<u64>, Option<u64>, bool, Vec<Option<String>>);
        let (time, since, count, writing, found): Answer =
            self.redis.connection().ask(&self.keys.nothing, &pipe).await?;
        let now = time.0.saturating_mul(1000).saturating_add(time.1 / 1000);
        let age = |since: u64| Duration::from_millis(now.saturating_sub(since));
        // It has lost changes that were seen here, which the follower has yet to notice.
        let is_behind = count.unwrap_or_default() < self.progress.seen.load(Ordering::Relaxed);
        if is_behind || writing || since.is_none_or(|since| age(since) < self.write_back()) {
            return Err(Failure::Young);
        }
        found.iter().flatten().map(|entry| entry::read(entry)).collect()
    }
}

/// How long the store holds an answer back while there is nothing new.
pub(super) const BLOCK: Duration = Duration::from_millis(250);

/// The longest time from one attempt to follow to the next.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(1);
