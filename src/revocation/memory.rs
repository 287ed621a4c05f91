//! Revocations in the memory of this process.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState},
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;

use super::{Denylist, Presented, Revocation, record::Kind};
use crate::{
    clock::{Clock, SystemClock, unix_seconds},
    error::StoreError,
    step::Step,
};

/// A denylist for one process; cheap to clone, and all clones are one list.
///
/// A question takes no lock and costs a tenth of a microsecond. Revocations whose time
/// is over make room as others are added.
///
/// # Defaults
///
/// - at most 1,000,000 revocations, of some 200 bytes each; a full list takes no more,
///   and says so
/// - clock: that of the system
#[derive(Clone)]
pub struct MemoryDenylist(Arc<List>);

struct List {
    /// Copied when it changes, so that nobody waits who reads.
    entries: ArcSwap<Entries>,
    hasher: RandomState,
    /// The part that is swept next; held by who writes.
    sweep: Mutex<usize>,
    most: usize,
    clock: Box<dyn Clock>,
}

/// Of a copy, the parts that have not changed are shared.
#[derive(Clone)]
struct Entries {
    parts: Box<[Arc<Part>]>,
    /// How many there are of each kind: most lists have one kind alone.
    counts: [usize; 3],
}

/// Revocations by the hash of what they name; which one it is, the text decides.
#[derive(Clone)]
struct Part {
    found: HashMap<u64, Vec<Arc<Revocation>>, BuildHasherDefault<Hashed>>,
    /// When the first of them is over.
    first_over: i64,
}

impl MemoryDenylist {
    /// How many revocations there is room for by default.
    pub const CAPACITY: usize = 1_000_000;

    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Self::CAPACITY, SystemClock)
    }

    /// An empty list that takes the time from this clock, and has room for so many
    /// revocations.
    #[must_use]
    pub fn with(most: usize, clock: impl Clock) -> Self {
        Self(Arc::new(List {
            entries: ArcSwap::from_pointee(Entries::new()),
            hasher: RandomState::new(),
            sweep: Mutex::new(0),
            most,
            clock: Box::new(clock),
        }))
    }

    /// How many revocations there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.entries.load().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a revocation, in the place of one of the same that holds for less.
    ///
    /// # Errors
    ///
    /// The list is full.
    pub fn insert(&self, revocation: Revocation) -> Result<(), StoreError> {
        self.insert_all([revocation])
    }

    /// Adds many at once, or none where there is no room: each part is copied once.
    pub(crate) fn insert_all(
        &self,
        revocations: impl IntoIterator<Item = Revocation>,
    ) -> Result<(), StoreError> {
        let list = &*self.0;
        let now = unix_seconds(list.clock.now());
        let mut next = list.sweep.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries = Entries::clone(&list.entries.load());
        let mut new: HashMap<usize, Vec<(u64, Revocation)>> = HashMap::new();
        for revocation in revocations.into_iter().filter(|one| one.until() > now) {
            let (kind, name) = revocation.name();
            let hash = list.hash(kind, revocation.issuer(), name);
            let part = new.entry(place(hash)).or_default();
            if !entries.at(hash).iter().any(|one| one.covers(&revocation)) {
                part.push((hash, revocation));
            }
        }
        let count: usize = new.values().map(Vec::len).sum();
        if entries.len().saturating_add(count) > list.most {
            (0..PARTS).for_each(|place| entries.change(place, now, Vec::new()));
            if entries.len().saturating_add(count) > list.most {
                return Err(StoreError::new("the denylist is full"));
            }
        }
        new.into_iter().for_each(|(place, new)| entries.change(place, now, new));
        *next = (*next + 1) % PARTS;
        entries.change(*next, now, Vec::new());
        list.entries.store(Arc::new(entries));
        Ok(())
    }

    #[allow(dead_code, reason = "for the feature `redis`")]
    pub(crate) fn hash_of(&self, revocation: &Revocation) -> u64 {
        let (kind, name) = revocation.name();
        self.0.hash(kind, revocation.issuer(), name)
    }

    #[allow(dead_code, reason = "for the feature `redis`")]
    pub(crate) fn insert_page(
        &self,
        page: impl IntoIterator<Item = Revocation>,
        covered: &mut std::collections::HashSet<u64>,
    ) -> Result<(), StoreError> {
        let page: Vec<_> = page.into_iter().collect();
        self.insert_all(page.clone())?;
        for one in page {
            let hash = self.hash_of(&one);
            let entries = self.0.entries.load();
            if entries.at(hash).iter().all(|there| !there.key().eq(&one.key()) || one.covers(there))
            {
                covered.insert(hash);
            }
        }
        Ok(())
    }

    #[allow(dead_code, reason = "for the feature `redis`")]
    pub(crate) fn not_covered(&self, covered: &std::collections::HashSet<u64>) -> Vec<Revocation> {
        self.revocations().into_iter().filter(|one| !covered.contains(&self.hash_of(one))).collect()
    }

    /// Whether a revocation names this token.
    #[must_use]
    #[inline]
    pub fn contains(&self, token: Presented<'_>) -> bool {
        let entries = self.0.entries.load();
        token.each().any(|(kind, name)| {
            if entries.counts.get(kind as usize) == Some(&0) {
                return false;
            }
            let found = entries.at(self.0.hash(kind, token.issuer(), name));
            found.iter().any(|one| {
                one.name() == (kind, name)
                    && one.issuer() == token.issuer()
                    && one.before().is_none_or(|before| token.is_before(before))
            })
        })
    }

    /// All revocations whose time is not over.
    #[must_use]
    pub fn revocations(&self) -> Vec<Revocation> {
        let now = unix_seconds(self.0.clock.now());
        let entries = self.0.entries.load_full();
        let all = entries.parts.iter().flat_map(|part| part.found.values().flatten());
        all.filter(|one| one.until() > now).map(|one| Revocation::clone(one)).collect()
    }
}

impl Denylist for MemoryDenylist {
    fn revoke(&self, revocation: Revocation) -> Step<Result<(), StoreError>> {
        Step::Ready(self.insert(revocation))
    }

    #[inline]
    fn is_revoked(&self, token: Presented<'_>) -> Step<Result<bool, StoreError>> {
        Step::Ready(Ok(self.contains(token)))
    }
}

impl List {
    #[inline]
    fn hash(&self, kind: Kind, issuer: &str, name: &str) -> u64 {
        self.hasher.hash_one((kind, issuer, name))
    }
}

impl Entries {
    fn new() -> Self {
        let part = Arc::new(Part { found: HashMap::default(), first_over: i64::MAX });
        Self { parts: vec![part; PARTS].into(), counts: [0; 3] }
    }

    fn len(&self) -> usize {
        self.counts.iter().sum()
    }

    /// The revocations whose name has this hash.
    #[inline]
    fn at(&self, hash: u64) -> &[Arc<Revocation>] {
        let part = self.parts.get(place(hash));
        part.and_then(|part| part.found.get(&hash)).map_or(&[], Vec::as_slice)
    }

    /// Takes out of a part what is over, and adds what is new.
    fn change(&mut self, place: usize, now: i64, new: Vec<(u64, Revocation)>) {
        let Some(part) = self.parts.get_mut(place) else { return };
        if new.is_empty() && now < part.first_over {
            return;
        }
        let part = Arc::make_mut(part);
        for (kind, count) in self.counts.iter_mut().enumerate() {
            *count = count.saturating_sub(part.count(kind));
        }
        part.found.retain(|_, found| {
            found.retain(|one| one.until() > now);
            !found.is_empty()
        });
        for (hash, new) in new {
            add(part.found.entry(hash).or_default(), new);
        }
        for (kind, count) in self.counts.iter_mut().enumerate() {
            *count = count.saturating_add(part.count(kind));
        }
        let times = part.found.values().flatten().map(|one| one.until());
        part.first_over = times.min().unwrap_or(i64::MAX);
    }
}

impl Part {
    fn count(&self, kind: usize) -> usize {
        let all = self.found.values().flatten();
        all.filter(|one| one.name().0 as usize == kind).count()
    }
}

/// Adds a revocation; of two that name the same, what each revokes stays revoked.
fn add(found: &mut Vec<Arc<Revocation>>, new: Revocation) {
    if !found.iter().any(|one| one.covers(&new)) {
        found.retain(|one| !new.covers(one));
        found.push(Arc::new(new));
    }
}

fn place(hash: u64) -> usize {
    // The map goes by the other bits.
    usize::try_from(hash >> 32).unwrap_or_default() % PARTS
}

/// For keys that are hashes already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Not for what is no hash, and correct nevertheless.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl Default for MemoryDenylist {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryDenylist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryDenylist").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Enough that a copy is small.
const PARTS: usize = 256;

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU64, Ordering},
        time::{Duration, SystemTime, UNIX_EPOCH},
    };

    use super::*;
    use crate::claims::RegisteredClaims;

    #[derive(Clone, Default)]
    struct Hand(Arc<AtomicU64>);

    impl Clock for Hand {
        fn now(&self) -> SystemTime {
            UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::Relaxed))
        }
    }

    fn list(most: usize) -> (MemoryDenylist, Hand) {
        let clock = Hand::default();
        (MemoryDenylist::with(most, clock.clone()), clock)
    }

    fn claims(json: &str) -> RegisteredClaims {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn it_revokes_what_it_names_and_nothing_else() {
        let (list, _) = list(10);
        let token = claims(r#"{"iss":"i","jti":"j","sid":"d","sub":"s","iat":5}"#);
        let is_revoked = |claims: &RegisteredClaims| list.contains(Presented::new(claims));
        for other in [
            Revocation::token("x", "j", 9),
            Revocation::token("i", "d", 9),
            Revocation::session("i", "j", 9),
            Revocation::subject("i", "s", 4, 9),
            Revocation::subject("i", "j", 9, 9),
        ] {
            list.insert(other).unwrap();
            assert!(!is_revoked(&token));
        }
        list.insert(Revocation::subject("i", "s", 5, 9)).unwrap();
        assert!(is_revoked(&token));
        assert!(!is_revoked(&claims(r#"{"iss":"i","sub":"s","iat":6}"#)));
        assert!(is_revoked(&claims(r#"{"iss":"i","sub":"s"}"#)), "nobody knows when");
        list.insert(Revocation::token("i", "j", 9)).unwrap();
        list.insert(Revocation::session("i", "d2", 9)).unwrap();
        assert!(is_revoked(&claims(r#"{"iss":"i","jti":"j"}"#)));
        assert!(is_revoked(&claims(r#"{"iss":"i","jti":"k","sid":"d2"}"#)));
        assert!(!is_revoked(&claims("{}")));
    }

    #[test]
    fn v03_entries_die_with_the_tokens_they_name() {
        let (list, clock) = list(1_000_000);
        for number in 0..2_000 {
            list.insert(Revocation::token("i", &number.to_string(), 100)).unwrap();
        }
        assert_eq!(list.len(), 2_000);
        assert_eq!(list.revocations().len(), 2_000);
        // 300 s longer than the tokens, for clocks that differ.
        clock.0.store(399, Ordering::Relaxed);
        list.insert(Revocation::token("i", "0", 100)).unwrap();
        assert_eq!(list.len(), 2_000);
        clock.0.store(400, Ordering::Relaxed);
        assert!(list.revocations().is_empty());
        for number in 0..300 {
            list.insert(Revocation::token("i", &format!("new {number}"), 500)).unwrap();
        }
        assert_eq!(list.len(), 300, "each new one sweeps a part");
        list.insert(Revocation::token("i", "over", 50)).unwrap();
        assert_eq!(list.len(), 300, "what is over is not added");
    }

    #[test]
    fn v03_a_full_list_says_so_and_keeps_what_it_has() {
        let (list, clock) = list(2);
        list.insert(Revocation::token("i", "a", 1)).unwrap();
        list.insert(Revocation::token("i", "b", 9)).unwrap();
        let new = Revocation::token("i", "c", 1000);
        assert!(list.insert(new.clone()).is_err());
        assert!(list.contains(Presented::new(&claims(r#"{"iss":"i","jti":"a"}"#))));
        clock.0.store(301, Ordering::Relaxed);
        list.insert(new).unwrap();
        assert_eq!(list.len(), 2);
    }

    #[test]
    fn of_two_that_differ_neither_is_lost() {
        let (list, clock) = list(10);
        list.insert(Revocation::subject("i", "s", 10, 100)).unwrap();
        list.insert(Revocation::subject("i", "s", 5, 1000)).unwrap();
        let issued = |at| claims(&format!(r#"{{"iss":"i","sub":"s","iat":{at}}}"#));
        assert!(list.contains(Presented::new(&issued(10))));
        clock.0.store(500, Ordering::Relaxed);
        list.insert(Revocation::subject("i", "s", 4, 900)).unwrap();
        assert!(list.contains(Presented::new(&issued(5))));
        assert!(!list.contains(Presented::new(&issued(6))));
        assert_eq!(list.len(), 1);
    }

    #[test]
    fn traits() {
        fn check<T: Clone + Send + Sync + Unpin + fmt::Debug>() {}
        check::<MemoryDenylist>();
    }
}
