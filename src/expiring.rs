//! A map that forgets: each entry has a deadline, and there are at most so many.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, HashMap},
    hash::Hash,
};

/// A bounded map with deadlines, in seconds since 1970; `now` is an argument. If it
/// is full, the entry that expires first is evicted first.
#[derive(Debug)]
pub(crate) struct ExpiringMap<K, V> {
    entries: HashMap<K, (V, ExpiryKey)>,
    order: BTreeMap<ExpiryKey, K>,
    most: usize,
    count: u64,
}

/// When an entry expires, and a number that makes it the only one.
type ExpiryKey = (i64, u64);

impl<K: Clone + Eq + Hash, V> ExpiringMap<K, V> {
    /// A map of at most so many entries, and room for one at the least.
    pub(crate) fn new(most: usize) -> Self {
        Self { entries: HashMap::new(), order: BTreeMap::new(), most: most.max(1), count: 0 }
    }

    /// Puts an entry in, or in the place of its older one, until `deadline`. Gives the
    /// entries that had to go.
    pub(crate) fn insert(&mut self, key: K, value: V, deadline: i64, now: i64) -> Vec<V> {
        let mut gone = Vec::new();
        self.remove(&key);
        while let Some(first) = self.order.first_entry() {
            let over = first.key().0 <= now;
            if !over && self.entries.len() < self.most {
                break;
            }
            let key = first.remove();
            gone.extend(self.entries.remove(&key).map(|(value, _)| value));
        }
        let place = (deadline, self.count);
        self.count = self.count.wrapping_add(1);
        self.order.insert(place, key.clone());
        self.entries.insert(key, (value, place));
        gone
    }

    /// The value, if its time is not over.
    pub(crate) fn get<Q>(&self, key: &Q, now: i64) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.entries.get(key).filter(|(_, place)| now < place.0).map(|(value, _)| value)
    }

    /// How many entries it has, those included whose time is over and that are still there.
    #[cfg(all(feature = "mcp", test))]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    #[cfg(feature = "mcp")]
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn remove<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let (value, place) = self.entries.remove(key)?;
        self.order.remove(&place);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_expire() {
        let mut map = ExpiringMap::new(10);
        map.insert("a", 1, 100, 0);
        assert_eq!(map.get("a", 99), Some(&1));
        assert_eq!(map.get("a", 100), None);
        map.insert("a", 2, 200, 100);
        assert_eq!(map.get("a", 199), Some(&2));
        assert_eq!((map.entries.len(), map.order.len()), (1, 1));
        assert_eq!(map.remove("a"), Some(2));
        assert_eq!((map.entries.len(), map.order.len()), (0, 0));
    }

    #[test]
    fn it_is_bounded_and_drops_what_ends_first() {
        let mut map = ExpiringMap::new(3);
        for (key, deadline) in [("a", 300), ("b", 100), ("c", 200), ("d", 400)] {
            map.insert(key, (), deadline, 0);
        }
        assert_eq!(map.get("b", 0), None);
        assert!(["a", "c", "d"].iter().all(|key| map.get(*key, 0).is_some()));
        map.insert("e", (), 1000, 350);
        assert_eq!(map.entries.len(), 2, "what was over is gone");
    }
}
