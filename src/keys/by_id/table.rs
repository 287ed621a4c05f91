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
    /// The order in which they end. Locked by writers only.
    order: Mutex<ExpiringMap<Box<str>, Arc<CachedKey>>>,
}

/// A key that was looked up.
pub(crate) struct CachedKey {
    id: Box<str>,
    trusted: Trusted,
    /// When it may not be used any more, in seconds since 1970.
    good_until: i64,
    /// When it is due to be looked up again.
    renew_from: AtomicI64,
    /// Whether it is being looked up again.
    is_renewing: AtomicBool,
}

impl CachedKey {
    /// The key, which is the only one of its set.
    pub(crate) fn trusted(&self) -> &Trusted {
        &self.trusted
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Whether the caller is to look it up again: one is, each time it is due.
    pub(super) fn is_due(&self, now: i64) -> bool {
        now >= self.renew_from.load(Ordering::Relaxed)
            && !self.is_renewing.swap(true, Ordering::Relaxed)
    }

    /// Notes that it could not be looked up again, and when to try next.
    pub(super) fn postpone(&self, until: i64) {
        self.renew_from.store(until, Ordering::Relaxed);
        self.is_renewing.store(false, Ordering::Relaxed);
    }
}

impl Table {
    pub(super) fn new(max_keys: usize) -> Self {
        Self {
            by_id: HashMap::with_hasher(RandomState::new()),
            by_generation: HashMap::with_hasher(RandomState::new()),
            order: Mutex::new(ExpiringMap::new(max_keys)),
        }
    }

    /// The key of an id, if it may be used.
    pub(super) fn find(&self, id: &str, now: i64) -> Option<Arc<CachedKey>> {
        self.by_id.pin().get(id).filter(|key| now < key.good_until).cloned()
    }

    /// Whether the key of this generation may be used. Gives the key, too, if the caller is to
    /// look it up again.
    pub(super) fn still_trust(
        &self,
        generation: Generation,
        now: i64,
    ) -> Option<(StillTrusted, Option<Arc<CachedKey>>)> {
        let keys = self.by_generation.pin();
        let key = keys.get(&generation).filter(|key| now < key.good_until)?;
        let evidence = key.trusted.is_still(generation)?;
        Some((evidence, key.is_due(now).then(|| Arc::clone(key))))
    }

    /// Puts the key of an id in the place of its former one. If there is no room, the key that
    /// ends first goes.
    pub(super) fn insert(
        &self,
        id: &str,
        key: Key,
        (now, renew_from, good_until): (i64, i64, i64),
    ) {
        let key = Arc::new(CachedKey {
            id: id.into(),
            trusted: Trusted::new(KeySet::new([key])),
            good_until,
            renew_from: AtomicI64::new(renew_from),
            is_renewing: AtomicBool::new(false),
        });
        let mut order = self.order();
        if let Some(former) = order.remove(id) {
            self.by_generation.pin().remove(&former.trusted.generation());
        }
        for gone in order.insert(id.into(), Arc::clone(&key), good_until, now) {
            self.take(&gone);
        }
        self.by_generation.pin().insert(key.trusted.generation(), Arc::clone(&key));
        self.by_id.pin().insert(id.into(), key);
    }

    /// Removes the key of an id.
    pub(super) fn remove(&self, id: &str) {
        if let Some(gone) = self.order().remove(id) {
            self.take(&gone);
        }
    }

    fn take(&self, gone: &CachedKey) {
        self.by_id.pin().remove(&gone.id);
        self.by_generation.pin().remove(&gone.trusted.generation());
    }

    fn order(&self) -> MutexGuard<'_, ExpiringMap<Box<str>, Arc<CachedKey>>> {
        // No code panics while it holds the lock. If it did, the map would still be whole.
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alg::Algorithm;

    #[test]
    fn it_is_bounded_and_both_maps_agree() {
        let table = Table::new(3);
        let key = || Key::of_zeros(Algorithm::HS256);
        for (id, until) in [("a", 300), ("b", 100), ("c", 200), ("d", 400), ("d", 500)] {
            table.insert(id, key(), (0, 50, until));
        }
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
        table.remove("a");
        assert!(table.still_trust(generation, 0).is_none());
        assert_eq!((table.by_id.len(), table.by_generation.len()), (2, 2));
        table.remove("a");
    }

    #[test]
    fn one_caller_renews_a_key_that_is_due() {
        let table = Table::new(3);
        table.insert("a", Key::of_zeros(Algorithm::HS256), (0, 50, 100));
        let key = table.find("a", 0).unwrap();
        assert!(!key.is_due(49) && key.is_due(50) && !key.is_due(51));
        key.postpone(60);
        assert!(!key.is_due(59) && key.is_due(60));
    }
}
