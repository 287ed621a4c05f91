//! The keys that were looked up. Readers take no lock; one writer at a time changes them.

use std::{
    hash::RandomState,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use papaya::HashMap;

use crate::{
    clock::is_set_back,
    expiring::ExpiringMap,
    keys::{
        key::Key,
        set::KeySet,
        trusted::{Generation, StillTrusted, Trusted},
    },
};

/// The keys, by their ids and by the names of their generations.
pub(super) struct Table {
    by_id: HashMap<Box<str>, Arc<CachedKey>, RandomState>,
    by_generation: HashMap<Generation, Arc<CachedKey>, RandomState>,
    /// Locked by writers only.
    order: Mutex<Order>,
}

/// The same keys in the order in which they go. Those of either kind evict only each other.
struct Order {
    /// Keys of ids that have verified a token. They outlast their use, so that their ids are known.
    proven: ExpiringMap<Box<str>, Arc<CachedKey>>,
    /// The others: anybody can name them.
    new: ExpiringMap<Box<str>, Arc<CachedKey>>,
}

/// The times of a key, in seconds since 1970.
#[derive(Clone, Copy)]
pub(super) struct Times {
    /// When it was looked up.
    pub(super) looked_up: i64,
    /// When it is due to be looked up again.
    pub(super) renew_from: i64,
    /// When it may not be used any more.
    pub(super) good_until: i64,
    /// When its id is not known any more, if it has verified a token.
    pub(super) known_until: i64,
}

/// A key that was looked up.
pub(crate) struct CachedKey {
    id: Box<str>,
    trusted: Trusted,
    times: Times,
    /// When it is due to be looked up again; later than in its times if that has failed.
    renew_from: AtomicI64,
    /// Whether it is being looked up again.
    is_renewing: AtomicBool,
    /// Whether its id has verified a token.
    is_proven: AtomicBool,
}

impl CachedKey {
    /// The key, which is the only one of its set.
    pub(crate) fn trusted(&self) -> &Trusted {
        &self.trusted
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Whether its id has verified a token.
    pub(super) fn is_proven(&self) -> bool {
        self.is_proven.load(Ordering::Relaxed)
    }

    /// Whether it may be used. A clock that is set back must not prolong that.
    fn is_good(&self, now: i64) -> bool {
        now < self.times.good_until && !is_set_back(now, self.times.looked_up)
    }

    /// Whether the caller is to look it up again: one is, each time it is due. A key that has
    /// verified nothing is not: anybody can name it.
    pub(super) fn is_due(&self, now: i64) -> bool {
        now >= self.renew_from.load(Ordering::Relaxed)
            && self.is_proven()
            && !self.is_renewing.swap(true, Ordering::Relaxed)
    }

    /// Notes that it could not be looked up again, and when to try next.
    pub(super) fn postpone(&self, until: i64) {
        self.renew_from.store(until, Ordering::Relaxed);
        self.is_renewing.store(false, Ordering::Relaxed);
    }
}

impl Table {
    pub(super) fn new(max_keys: usize, max_new: usize) -> Self {
        Self {
            by_id: HashMap::with_hasher(RandomState::new()),
            by_generation: HashMap::with_hasher(RandomState::new()),
            order: Mutex::new(Order {
                proven: ExpiringMap::new(max_keys),
                new: ExpiringMap::new(max_new),
            }),
        }
    }

    /// The key of an id, if it may be used.
    pub(super) fn find(&self, id: &str, now: i64) -> Option<Arc<CachedKey>> {
        self.by_id.pin().get(id).filter(|key| key.is_good(now)).cloned()
    }

    /// Whether this id has verified a token, and its key has not ended long ago.
    pub(super) fn is_known(&self, id: &str) -> bool {
        self.by_id.pin().get(id).is_some_and(|key| key.is_proven())
    }

    /// Notes that a key has verified a token, and returns whether that is news of a key in use.
    pub(super) fn prove(&self, key: &Arc<CachedKey>, now: i64) -> bool {
        let mut order = self.order();
        if !order.new.get(key.id(), now).is_some_and(|there| Arc::ptr_eq(there, key)) {
            return false;
        }
        order.new.remove(key.id());
        key.is_proven.store(true, Ordering::Relaxed);
        for gone in order.proven.insert(key.id.clone(), Arc::clone(key), key.times.known_until, now)
        {
            self.take(&gone);
        }
        true
    }

    /// Whether the key of this generation may be used. Gives the key, too, if the caller is to
    /// look it up again.
    pub(super) fn still_trust(
        &self,
        generation: Generation,
        now: i64,
    ) -> Option<(StillTrusted, Option<Arc<CachedKey>>)> {
        let keys = self.by_generation.pin();
        let key = keys.get(&generation).filter(|key| key.is_good(now))?;
        let evidence = key.trusted.is_still(generation)?;
        Some((evidence, key.is_due(now).then(|| Arc::clone(key))))
    }

    /// Puts the key of an id in the place of its former one. If there is no room, the key of the
    /// same kind that ends first goes.
    pub(super) fn insert(&self, id: &str, key: Key, times: Times) {
        let mut order = self.order();
        let proven = order.proven.remove(id);
        let is_proven = proven.is_some();
        if let Some(former) = proven.or_else(|| order.new.remove(id)) {
            self.by_generation.pin().remove(&former.trusted.generation());
        }
        let key = Arc::new(CachedKey {
            id: id.into(),
            trusted: Trusted::new(KeySet::new([key])),
            times,
            renew_from: AtomicI64::new(times.renew_from),
            is_renewing: AtomicBool::new(false),
            is_proven: AtomicBool::new(is_proven),
        });
        let Order { proven, new } = &mut *order;
        let (kind, until) =
            if is_proven { (proven, times.known_until) } else { (new, times.good_until) };
        for gone in kind.insert(id.into(), Arc::clone(&key), until, times.looked_up) {
            self.take(&gone);
        }
        self.by_generation.pin().insert(key.trusted.generation(), Arc::clone(&key));
        self.by_id.pin().insert(id.into(), key);
    }

    /// Removes the key of an id.
    pub(super) fn remove(&self, id: &str) {
        let mut order = self.order();
        if let Some(gone) = order.proven.remove(id).or_else(|| order.new.remove(id)) {
            self.take(&gone);
        }
    }

    fn take(&self, gone: &CachedKey) {
        self.by_id.pin().remove(&gone.id);
        self.by_generation.pin().remove(&gone.trusted.generation());
    }

    fn order(&self) -> MutexGuard<'_, Order> {
        // No code panics while it holds the lock. If it did, the maps would still be whole.
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alg::Algorithm;

    fn times(until: i64) -> Times {
        Times { looked_up: 0, renew_from: until / 2, good_until: until, known_until: until }
    }

    fn insert(table: &Table, id: &str, until: i64) {
        table.insert(id, Key::of_zeros(Algorithm::HS256), times(until));
    }

    fn prove(table: &Table, id: &str) {
        assert!(table.prove(&table.find(id, 0).unwrap(), 0));
    }

    #[test]
    fn it_is_bounded_and_both_maps_agree() {
        let table = Table::new(3, 2);
        for (id, until) in [("a", 300), ("b", 100), ("c", 200), ("d", 400)] {
            insert(&table, id, until);
            prove(&table, id);
        }
        insert(&table, "d", 500);
        assert!(table.is_known("d"), "it is the same id");
        let there = |now| {
            let mut ids: Vec<_> = ["a", "b", "c", "d"]
                .into_iter()
                .filter(|id| table.find(id, now).is_some())
                .collect();
            ids.sort_unstable();
            ids.concat()
        };
        assert_eq!(there(0), "acd", "the one that ends first is evicted");
        assert_eq!(table.by_generation.len(), 3);
        assert_eq!(
            (there(199), there(200), there(499), there(500)),
            ("acd".into(), "ad".into(), "d".into(), String::new())
        );
        let generation = table.find("a", 0).unwrap().trusted().generation();
        assert!(table.still_trust(generation, 299).is_some());
        assert!(table.still_trust(generation, 300).is_none());
        // A clock that is set back a little is a correction, and no more than that.
        assert!(table.find("a", -60).is_some() && table.still_trust(generation, -60).is_some());
        assert!(table.find("a", -61).is_none() && table.still_trust(generation, -61).is_none());
        table.remove("a");
        assert!(table.still_trust(generation, 0).is_none());
        assert_eq!((table.by_id.len(), table.by_generation.len()), (2, 2));
        table.remove("a");
    }

    #[test]
    fn a_key_that_has_verified_nothing_evicts_none_that_has() {
        let table = Table::new(1, 2);
        insert(&table, "a", 100);
        prove(&table, "a");
        for id in ["x", "y", "z"] {
            insert(&table, id, 1000);
        }
        assert!(table.is_known("a") && !table.is_known("y"));
        assert!(table.find("a", 0).is_some() && table.find("x", 0).is_none());
        assert_eq!((table.by_id.len(), table.by_generation.len()), (3, 3));
        prove(&table, "z");
        assert!(table.find("a", 0).is_none(), "there is one place");
        let gone = table.find("y", 0).unwrap();
        table.remove("y");
        assert!(!table.prove(&gone, 0) && table.find("y", 0).is_none());
    }

    #[test]
    fn one_caller_renews_a_key_that_is_due() {
        let table = Table::new(3, 3);
        insert(&table, "a", 100);
        let key = table.find("a", 0).unwrap();
        assert!(!key.is_due(50), "it has verified nothing");
        prove(&table, "a");
        assert!(!key.is_due(49) && key.is_due(50) && !key.is_due(51));
        key.postpone(60);
        assert!(!key.is_due(59) && key.is_due(60));
    }
}
