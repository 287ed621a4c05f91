//! Families in the memory of this process.

use std::{
    collections::BTreeSet,
    fmt,
    hash::{BuildHasher, RandomState},
    ops::RangeInclusive,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::store::{Family, RefreshStore, Rotated, Rotation, Session};
use crate::{
    error::{ConfigError, StoreError},
    maybe_ready::MaybeReady,
};

/// Keeps families in the memory of one process; cheap to clone, and all clones share one store.
///
/// A family takes less than 500 bytes, with a subject of 12 characters and a label of 16;
/// `docs/performance.md` has the measurement. An operation reads only the families of its id
/// or of its subject, and removes a few whose time is over.
///
/// # Defaults
///
/// - at most 1,000,000 families, one for each session; if there are more, the one that would end
///   first is removed
#[derive(Clone)]
pub struct MemoryRefreshStore(Arc<Mutex<Families>>);

/// Families, each with a number, and the numbers in three orders.
///
/// The orders are trees, because a hash map of a million entries moves all of them when it
/// grows, while all requests wait.
struct Families {
    all: Vec<Option<Box<OrderedFamily>>>,
    /// The number of families that were ever added.
    count: u64,
    /// The numbers that are not in use.
    free: Vec<u32>,
    /// By the hash of the id. The text decides.
    by_id: BTreeSet<(u64, u32)>,
    /// By the hash of the subject. The text decides.
    by_subject: BTreeSet<(u64, u32)>,
    /// By the time when a family ends.
    by_end: BTreeSet<(i64, u32)>,
    hasher: RandomState,
    most: usize,
}

/// A family, and the number of families that were added before it.
struct OrderedFamily {
    family: Family,
    order: u64,
}

impl MemoryRefreshStore {
    /// An empty store with the defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::with_room_for(MOST)
    }

    /// Starts to build an empty store.
    pub fn builder() -> MemoryRefreshStoreBuilder {
        MemoryRefreshStoreBuilder { max_sessions: MOST }
    }

    fn with_room_for(most: usize) -> Self {
        Self(Arc::new(Mutex::new(Families {
            all: Vec::new(),
            count: 0,
            free: Vec::new(),
            by_id: BTreeSet::new(),
            by_subject: BTreeSet::new(),
            by_end: BTreeSet::new(),
            hasher: RandomState::new(),
            most,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Families> {
        // No code that holds the lock panics half way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RefreshStore for MemoryRefreshStore {
    fn create(&self, family: Family, now: i64) -> MaybeReady<Result<(), StoreError>> {
        let mut families = self.lock();
        if let Some(number) = families.find(family.session.id()) {
            if families.is_alive(number, now) {
                return MaybeReady::Ready(Err(StoreError::new(
                    "a family of this id already exists",
                )));
            }
            families.take(number);
        }
        families.sweep(now);
        families.make_room();
        families.put(family);
        MaybeReady::Ready(Ok(()))
    }

    fn get(&self, id: &str, now: i64) -> MaybeReady<Result<Option<Family>, StoreError>> {
        let families = self.lock();
        let number = families.find(id).filter(|number| families.is_alive(*number, now));
        MaybeReady::Ready(Ok(number.and_then(|number| families.at(number)).cloned()))
    }

    fn rotate(&self, rotation: Rotation) -> MaybeReady<Result<Rotated, StoreError>> {
        let mut families = self.lock();
        families.sweep(rotation.now());
        let rotated = families.find(rotation.id()).and_then(|number| {
            let family = families.at_mut(number)?;
            let before = family.session.expires_at();
            let rotated = family.rotate(&rotation);
            let after = family.session.expires_at();
            match &rotated {
                Rotated::Rotated(_) | Rotated::Repeated { .. } => {
                    if before != after {
                        families.by_end.remove(&(before, number));
                        families.by_end.insert((after, number));
                    }
                }
                Rotated::Reused(_) | Rotated::Expired => {
                    families.take(number);
                }
                Rotated::Unknown => {}
            }
            Some(rotated)
        });
        MaybeReady::Ready(Ok(rotated.unwrap_or(Rotated::Unknown)))
    }

    fn list(&self, subject: &str, now: i64) -> MaybeReady<Result<Vec<Session>, StoreError>> {
        let families = self.lock();
        let alive = families.of_subject(subject).filter(|number| families.is_alive(*number, now));
        let sessions = alive.filter_map(|number| Some(families.at(number)?.session.clone()));
        MaybeReady::Ready(Ok(sessions.collect()))
    }

    fn displace(
        &self,
        subject: &str,
        most: usize,
        now: i64,
    ) -> MaybeReady<Result<Option<Vec<Session>>, StoreError>> {
        let mut families = self.lock();
        let mut newest: Vec<_> = families
            .of_subject(subject)
            .filter(|number| families.is_alive(*number, now))
            .filter_map(|number| Some((families.kept(number)?.order, number)))
            .collect();
        newest.sort_unstable_by(|one, other| other.cmp(one));
        let oldest = newest.split_off(newest.len().min(most));
        let ended = oldest.into_iter().filter_map(|(_, number)| families.take(number));
        MaybeReady::Ready(Ok(Some(ended.map(|family| family.session).collect())))
    }

    fn end(&self, id: &str) -> MaybeReady<Result<Option<Session>, StoreError>> {
        let mut families = self.lock();
        let ended = families.find(id).and_then(|number| families.take(number));
        MaybeReady::Ready(Ok(ended.map(|family| family.session)))
    }

    fn end_all(&self, subject: &str) -> MaybeReady<Result<Vec<Session>, StoreError>> {
        let mut families = self.lock();
        let numbers: Vec<u32> = families.of_subject(subject).collect();
        let ended = numbers.into_iter().filter_map(|number| families.take(number));
        MaybeReady::Ready(Ok(ended.map(|family| family.session).collect()))
    }
}

impl Families {
    fn kept(&self, number: u32) -> Option<&OrderedFamily> {
        self.all.get(index(number))?.as_deref()
    }

    fn at(&self, number: u32) -> Option<&Family> {
        self.kept(number).map(|kept| &kept.family)
    }

    fn at_mut(&mut self, number: u32) -> Option<&mut Family> {
        self.all.get_mut(index(number))?.as_deref_mut().map(|kept| &mut kept.family)
    }

    fn is_alive(&self, number: u32, now: i64) -> bool {
        self.at(number).is_some_and(|family| now < family.session.expires_at())
    }

    /// The family of this id, even if it has ended.
    fn find(&self, id: &str) -> Option<u32> {
        let mut same =
            self.by_id.range(all_of(self.hasher.hash_one(id))).map(|(_, number)| *number);
        same.find(|number| self.at(*number).is_some_and(|family| family.session.id() == id))
    }

    /// The families of a subject, even if they have ended.
    fn of_subject(&self, subject: &str) -> impl Iterator<Item = u32> {
        let same = self.by_subject.range(all_of(self.hasher.hash_one(subject)));
        let is = move |family: &Family| family.session.subject() == subject;
        same.map(|(_, number)| *number).filter(move |number| self.at(*number).is_some_and(is))
    }

    /// Adds a family whose id is not in use.
    fn put(&mut self, mut family: Family) {
        shrink(&mut family.session);
        let Some(number) = self.free.pop().or_else(|| u32::try_from(self.all.len()).ok()) else {
            // There is room for no more than numbers.
            return;
        };
        let (id, subject, end) = self.places(&family.session);
        let family = Some(Box::new(OrderedFamily { family, order: self.count }));
        self.count = self.count.wrapping_add(1);
        match self.all.get_mut(index(number)) {
            Some(place) => *place = family,
            None => self.all.push(family),
        }
        self.by_id.insert((id, number));
        self.by_subject.insert((subject, number));
        self.by_end.insert((end, number));
    }

    fn take(&mut self, number: u32) -> Option<Family> {
        let OrderedFamily { family, .. } = *self.all.get_mut(index(number))?.take()?;
        let (id, subject, end) = self.places(&family.session);
        self.by_id.remove(&(id, number));
        self.by_subject.remove(&(subject, number));
        self.by_end.remove(&(end, number));
        self.free.push(number);
        Some(family)
    }

    /// Removes a few families that have ended, so that no operation takes long.
    fn sweep(&mut self, now: i64) {
        for _ in 0..AT_ONCE {
            match self.by_end.first().copied() {
                Some((end, number)) if end <= now => drop(self.take(number)),
                _ => return,
            }
        }
    }

    /// Removes the family that ends first if there is no room for another one.
    fn make_room(&mut self) {
        while self.by_end.len() >= self.most {
            let Some((_, number)) = self.by_end.first().copied() else { return };
            self.take(number);
        }
    }

    fn places(&self, session: &Session) -> (u64, u64, i64) {
        let (id, subject) = (session.id(), session.subject());
        (self.hasher.hash_one(id), self.hasher.hash_one(subject), session.expires_at())
    }
}

/// Frees the memory that the texts do not use.
fn shrink(session: &mut Session) {
    let Session { id, subject, client_id, scope, label, .. } = session;
    id.shrink_to_fit();
    subject.shrink_to_fit();
    [client_id, scope, label].into_iter().flatten().for_each(String::shrink_to_fit);
}

fn all_of(hash: u64) -> RangeInclusive<(u64, u32)> {
    (hash, 0)..=(hash, u32::MAX)
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl Default for MemoryRefreshStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryRefreshStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryRefreshStore").finish_non_exhaustive()
    }
}

/// Builds a [`MemoryRefreshStore`].
#[derive(Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct MemoryRefreshStoreBuilder {
    max_sessions: usize,
}

impl MemoryRefreshStoreBuilder {
    /// Sets the largest number of sessions in the store. If there are more, the one that would
    /// end first is removed. Default: 1,000,000.
    pub fn max_sessions(mut self, most: usize) -> Self {
        self.max_sessions = most;
        self
    }

    /// Builds the store.
    ///
    /// # Errors
    ///
    /// The number of sessions is 0, or more than 4,294,967,295.
    pub fn build(self) -> Result<MemoryRefreshStore, ConfigError> {
        if self.max_sessions == 0 || u32::try_from(self.max_sessions).is_err() {
            return Err(ConfigError::OutOfRange(
                "a store of refresh tokens has room for 1 to 4294967295 sessions",
            ));
        }
        Ok(MemoryRefreshStore::with_room_for(self.max_sessions))
    }
}

const MOST: usize = 1_000_000;

/// The number of ended families that are removed at a time.
const AT_ONCE: usize = 8;

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU64, Ordering::Relaxed},
        time::{Duration, SystemTime, UNIX_EPOCH},
    };

    use super::{
        super::{Login, RefreshTokens},
        *,
    };
    use crate::clock::Clock;

    fn family(id: &str, subject: &str, ends_at: i64) -> Family {
        serde_json::from_value(serde_json::json!({
            "session": {
                "id": id, "subject": subject, "created_at": 0, "refreshed_at": 0,
                "idle_until": ends_at, "ends_at": 10_000,
            },
            "current": "A".repeat(43),
        }))
        .unwrap()
    }

    fn create(store: &MemoryRefreshStore, id: &str, subject: &str, ends_at: i64, now: i64) -> bool {
        store.create(family(id, subject, ends_at), now).now_or_never().unwrap().is_ok()
    }

    fn ids(store: &MemoryRefreshStore, subject: &str, now: i64) -> Vec<String> {
        let sessions = store.list(subject, now).now_or_never().unwrap().unwrap();
        let mut ids: Vec<_> = sessions.into_iter().map(|session| session.id).collect();
        ids.sort();
        ids
    }

    /// That the numbers are in all three orders, and nothing else is.
    fn check(store: &MemoryRefreshStore, len: usize) {
        let families = store.lock();
        let there: Vec<u32> =
            (0..).zip(&families.all).filter(|(_, one)| one.is_some()).map(|(n, _)| n).collect();
        assert_eq!(there.len(), len);
        assert_eq!(there.len() + families.free.len(), families.all.len());
        for order in [&families.by_id, &families.by_subject] {
            let mut numbers: Vec<_> = order.iter().map(|(_, number)| *number).collect();
            numbers.sort_unstable();
            assert_eq!(numbers, there);
        }
        for (end, number) in &families.by_end {
            assert_eq!(families.at(*number).unwrap().session.expires_at(), *end);
        }
        assert_eq!(families.by_end.len(), len);
    }

    #[test]
    fn it_is_bounded_and_drops_what_ends_first() {
        let store = MemoryRefreshStore::builder().max_sessions(3).build().unwrap();
        for (id, ends_at) in [("a", 300), ("b", 100), ("c", 200), ("d", 400)] {
            assert!(create(&store, id, "s", ends_at, 0));
        }
        assert_eq!(ids(&store, "s", 0), ["a", "c", "d"]);
        check(&store, 3);
        assert!(create(&store, "e", "s", 1000, 350));
        check(&store, 2);
        assert_eq!(ids(&store, "s", 350), ["d", "e"]);
    }

    #[tokio::test]
    async fn a_rotation_moves_the_end_and_nothing_else() {
        #[derive(Clone, Default)]
        struct Hand(Arc<AtomicU64>);
        impl Clock for Hand {
            fn now(&self) -> SystemTime {
                UNIX_EPOCH + Duration::from_secs(self.0.load(Relaxed))
            }
        }
        let (store, clock) = (MemoryRefreshStore::with_room_for(2), Hand::default());
        let tokens = RefreshTokens::builder(store.clone())
            .idle_lifetime(Duration::from_secs(100))
            .grace(Duration::ZERO)
            .clock(clock.clone());
        let tokens = tokens.build().unwrap();
        let first = tokens.open(Login::new("one")).await.unwrap();
        clock.0.store(10, Relaxed);
        tokens.open(Login::new("two")).await.unwrap();
        clock.0.store(20, Relaxed);
        tokens.rotate(first.token().as_str()).await.unwrap();
        check(&store, 2);
        tokens.open(Login::new("three")).await.unwrap();
        let left = ["one", "two", "three"].map(|subject| ids(&store, subject, 20).len());
        assert_eq!(left, [1, 0, 1], "the second would end before the first now");
        assert!(tokens.rotate(first.token().as_str()).await.is_err(), "it was spent");
        check(&store, 1);
    }

    #[test]
    fn a_number_is_used_again_for_another_subject() {
        let store = MemoryRefreshStore::new();
        assert!(create(&store, "a", "s", 100, 0) && !create(&store, "a", "t", 100, 50));
        assert!(create(&store, "a", "t", 300, 100), "the former one is over");
        assert!(ids(&store, "s", 0).is_empty());
        assert!(create(&store, "b", "s", 300, 100) && create(&store, "c", "s", 300, 100));
        assert_eq!(store.end("b").now_or_never().unwrap().unwrap().unwrap().id, "b");
        assert!(store.end("b").now_or_never().unwrap().unwrap().is_none());
        assert!(create(&store, "d", "t", 300, 100));
        assert_eq!(
            (ids(&store, "s", 100), ids(&store, "t", 100)),
            (vec!["c".into()], vec!["a".into(), "d".into()])
        );
        check(&store, 3);
        assert_eq!(store.end_all("t").now_or_never().unwrap().unwrap().len(), 2);
        check(&store, 1);
    }
}
