//! Proofs in the memory of this process.

mod counts;
mod table;

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use self::{
    counts::{Counts, End, Seconds},
    table::{Ends, Table},
};
use super::{Insertion, PresentedProof, ReplayStore};
use crate::{
    digest::Thumbprint,
    error::{ConfigError, StoreError},
    maybe_ready::MaybeReady,
};

/// Remembers the proofs that one process has accepted; cheap to clone, and all clones share one
/// store.
///
/// An insert waits only for others in the same small part of the store, and never for all of it to
/// grow. A proof takes less than 50 bytes, and less than 100 if each is of another key;
/// `docs/performance.md` has the measurement.
///
/// # Rules
///
/// 1. A live proof is never removed. A full store refuses new proofs with
///    [`Insertion::Full`], after it has checked the limit of the key.
/// 2. Proofs that have expired do not count for the limits. New proofs take their places.
/// 3. If the clock is set back, the store does not accept a proof that it may have forgotten: it
///    fails, and the verifier answers 503, until the clock is where it was, or new proofs expire
///    after all that the store has forgotten.
///
/// # Defaults
///
/// - at most 1,000,000 live proofs, some 14,000 requests in a second with the default window
/// - at most 5 % of them by the same key, some 700 requests in a second
///
/// # Security
///
/// A second process knows nothing of these proofs, and would accept them once more. With several
/// machines, use a store that they share. After a restart, the store is empty: a proof from before
/// may be accepted once more while it is in the window.
///
/// # Example
/// ```
/// use tower_jwt_auth::proof::{Insertion, MemoryReplayStore, PresentedProof, ReplayStore};
///
/// let store = MemoryReplayStore::builder().max_proofs(100_000).build()?;
/// let proof = PresentedProof::new([1; 32].into(), [2; 32].into(), 1_800_000_000, 1_800_000_070);
/// let insert = || store.insert(proof).now_or_never().and_then(Result::ok);
/// assert_eq!(insert(), Some(Insertion::Inserted));
/// assert_eq!(insert(), Some(Insertion::Replayed));
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct MemoryReplayStore(Arc<Proofs>);

/// The locks are taken in the order of the fields. No two locks of one field are held at once.
struct Proofs {
    /// The ends of proofs by their ids, in parts by the hash of the id.
    ids: Box<[Mutex<Table<End>>]>,
    /// The live proofs of each key, in parts by the hash of the key.
    keys: Box<[Mutex<Table<Counts>>]>,
    /// All live proofs.
    all: Mutex<Seconds>,
    /// Nobody outside knows it, so nobody can make proofs that get in each other's way.
    hasher: RandomState,
    max_proofs: usize,
    max_proofs_per_key: usize,
}

impl MemoryReplayStore {
    /// An empty store with the defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::with(MOST, MOST / PART_OF_KEY)
    }

    /// Starts to build an empty store.
    pub fn builder() -> MemoryReplayStoreBuilder {
        MemoryReplayStoreBuilder { max_proofs: MOST, max_proofs_per_key: None }
    }

    fn with(max_proofs: usize, max_proofs_per_key: usize) -> Self {
        let parts = (max_proofs / PART).next_power_of_two().min(MOST_PARTS);
        Self(Arc::new(Proofs {
            ids: (0..parts).map(|_| Mutex::new(Table::new())).collect(),
            keys: (0..parts).map(|_| Mutex::new(Table::new())).collect(),
            all: Mutex::default(),
            hasher: RandomState::new(),
            max_proofs,
            max_proofs_per_key,
        }))
    }

    /// The number of live proofs at the time of the last insert.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.0.all).last()
    }

    /// Whether there was no live proof at the time of the last insert.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl ReplayStore for MemoryReplayStore {
    fn insert(&self, proof: PresentedProof) -> MaybeReady<Result<Insertion, StoreError>> {
        MaybeReady::Ready(self.0.insert(proof))
    }
}

impl Proofs {
    fn insert(&self, proof: PresentedProof) -> Result<Insertion, StoreError> {
        let PresentedProof { now, expires_at, .. } = proof;
        if expires_at <= now {
            // The caller refuses such a proof, and so does this store.
            return Ok(Insertion::Replayed);
        }
        let (id, key) = (self.hash(&proof.id), self.hash(&proof.key));
        let (Some(ids), Some(keys)) = (part(&self.ids, id), part(&self.keys, key)) else {
            return Err(StoreError::new("a replay store has at least one part"));
        };
        // Both before the first look: a lock waits for all that was read before it, and in a large store
        // each look waits for the memory. So the two wait together.
        let (mut ids, mut keys) = (lock(ids), lock(keys));
        let mut counts = keys.get_mut(key);
        if ids.get_mut(id).is_some_and(|end| end.end() > now) {
            return Ok(Insertion::Replayed);
        }
        if expires_at <= ids.forgotten() {
            return Err(StoreError::new(
                "the clock of this machine was set back: the proof may have been accepted before",
            ));
        }
        if let Some(counts) = &mut counts {
            let (live, retry_after) = counts.live(now);
            if live >= self.max_proofs_per_key {
                return Ok(Insertion::TooManyOfKey { retry_after });
            }
        }
        let mut all = lock(&self.all);
        let (live, retry_after) = all.live(now);
        if live >= self.max_proofs {
            return Ok(Insertion::Full { retry_after });
        }
        all.add(expires_at, 1);
        drop(all);
        match counts {
            Some(counts) => counts.add(expires_at, now),
            None => keys.put(key, Counts::first(expires_at), now),
        }
        drop(keys);
        ids.put(id, End::at(expires_at), now);
        Ok(Insertion::Inserted)
    }

    fn hash(&self, name: &Thumbprint) -> u64 {
        self.hasher.hash_one(name.as_bytes())
    }
}

/// The part of this hash. Its lower bits choose the place within.
fn part<T>(parts: &[T], hash: u64) -> Option<&T> {
    parts.get(usize::try_from(hash >> 48).unwrap_or_default() & parts.len().wrapping_sub(1))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code that holds a lock panics.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Builds a [`MemoryReplayStore`].
#[must_use = "a builder does nothing until it is built"]
#[derive(Debug)]
pub struct MemoryReplayStoreBuilder {
    max_proofs: usize,
    max_proofs_per_key: Option<usize>,
}

impl MemoryReplayStoreBuilder {
    /// Sets the largest number of live proofs. If there are as many, further requests are answered
    /// 503. A live proof is there for as long as the time window of proofs, so this number divided
    /// by the window is the largest rate of requests. Default: 1,000,000.
    pub fn max_proofs(mut self, most: usize) -> Self {
        self.max_proofs = most;
        self
    }

    /// Sets the largest number of live proofs by the same key. If there are as many, further requests
    /// of this key are answered 429. Default: 5 % of [`max_proofs`](Self::max_proofs), and at least 1.
    pub fn max_proofs_per_key(mut self, most: usize) -> Self {
        self.max_proofs_per_key = Some(most);
        self
    }

    /// Builds the store.
    ///
    /// # Errors
    ///
    /// A limit is 0 or above 4,294,967,295, or the limit for a key is above that for all.
    pub fn build(self) -> Result<MemoryReplayStore, ConfigError> {
        let all = self.max_proofs;
        let key = self.max_proofs_per_key.unwrap_or_else(|| (all / PART_OF_KEY).max(1));
        if all == 0 || key == 0 || u32::try_from(all).is_err() {
            return Err(ConfigError::OutOfRange(
                "`max_proofs` and `max_proofs_per_key` of a replay store must be from 1 to \
                 4,294,967,295",
            ));
        }
        if key > all {
            return Err(ConfigError::OutOfRange(
                "`max_proofs_per_key` of a replay store must not be above its `max_proofs`",
            ));
        }
        Ok(MemoryReplayStore::with(all, key))
    }
}

impl Default for MemoryReplayStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryReplayStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryReplayStore").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// The default limit of live proofs.
const MOST: usize = 1_000_000;

/// The part of all proofs that one key may have by default: 5 %.
const PART_OF_KEY: usize = 20;

/// The number of proofs for which there is a part of its own. To move so many takes some ten
/// microseconds.
const PART: usize = 1_000;

/// The largest number of parts, a power of two. A hash has 16 bits for it.
const MOST_PARTS: usize = 1 << 16;

#[cfg(test)]
mod tests;
