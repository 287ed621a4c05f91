//! A hash table that reuses the places of entries whose time is over.

use std::mem;

/// A value that can be removed after a while.
pub(super) trait Ends {
    /// The second in which its time is over.
    fn end(&self) -> i64;
}

/// Entries by the hashes of their names, with open addressing and linear probing. Nothing is removed by itself: a
/// new entry takes the first place on its way that is free or whose entry is over. When three quarters
/// of the places are in use, the entries that are not over move to a table of the right size.
///
/// So there is no list of what ends when, and a small table has no long pause when it grows.
///
/// A hash stands for its name. It depends on a secret, so nobody can look for two names with the same
/// one, and among a million entries a name has that of another one by chance once in 10^13 times.
/// A whole name would need twice the memory, and an insert would read more of it.
pub(super) struct Table<V> {
    slots: Box<[Option<(u64, V)>]>,
    /// The number of places that are not free.
    used: usize,
    /// The latest end of an entry that was removed.
    forgotten: i64,
}

impl<V: Ends> Table<V> {
    pub(super) fn new() -> Self {
        Self { slots: Box::new([]), used: 0, forgotten: i64::MIN }
    }

    /// The latest end of an entry that was removed. An entry that ends later was never removed.
    pub(super) fn forgotten(&self) -> i64 {
        self.forgotten
    }

    /// The value of this hash, even if it is over.
    pub(super) fn get_mut(&mut self, hash: u64) -> Option<&mut V> {
        let at = self.way(hash).find(|at| match self.slots.get(*at) {
            Some(Some((found, _))) => *found == hash,
            _ => true,
        })?;
        match self.slots.get_mut(at) {
            Some(Some((_, value))) => Some(value),
            _ => None,
        }
    }

    /// Puts a value in, in the place of an older one of this hash.
    pub(super) fn put(&mut self, hash: u64, value: V, now: i64) {
        // With a free place at the end of every way.
        if self.used * 4 >= self.slots.len() * 3 {
            self.rebuild(now);
        }
        let mut place = None;
        for at in self.way(hash) {
            match self.slots.get(at) {
                Some(Some((found, _))) if *found == hash => {
                    place = Some(at);
                    break;
                }
                Some(Some((_, entry))) => {
                    if place.is_none() && is_over(entry, now) {
                        place = Some(at);
                    }
                }
                _ => {
                    if place.is_none() {
                        place = Some(at);
                        self.used += 1;
                    }
                    break;
                }
            }
        }
        let slot = place.and_then(|at| self.slots.get_mut(at));
        if let Some((former, entry)) = slot.and_then(|slot| slot.replace((hash, value)))
            && former != hash
        {
            self.forgotten = self.forgotten.max(entry.end());
        }
    }

    /// The places where an entry of this hash may be, in order.
    fn way(&self, hash: u64) -> impl Iterator<Item = usize> + use<V> {
        // The number of places is a power of two, or 0.
        let (places, mask) = (self.slots.len(), self.slots.len().wrapping_sub(1));
        let first = usize::try_from(hash & u64::from(u32::MAX)).unwrap_or_default();
        (0..places).map(move |step| first.wrapping_add(step) & mask)
    }

    #[cold]
    fn rebuild(&mut self, now: i64) {
        let kept = self.slots.iter().flatten().filter(|(_, entry)| !is_over(entry, now)).count();
        let places = ((kept + 1) * 8 / 5).next_power_of_two().max(LEAST);
        let slots = (0..places).map(|_| None).collect();
        let former = mem::replace(&mut self.slots, slots);
        self.used = kept;
        for (hash, entry) in former.into_iter().flatten() {
            if is_over(&entry, now) {
                self.forgotten = self.forgotten.max(entry.end());
                continue;
            }
            let free = self.way(hash).find(|at| self.slots.get(*at).is_some_and(Option::is_none));
            if let Some(slot) = free.and_then(|at| self.slots.get_mut(at)) {
                *slot = Some((hash, entry));
            }
        }
    }

    #[cfg(test)]
    pub(super) fn slots(&self) -> usize {
        self.slots.len()
    }
}

fn is_over<V: Ends>(entry: &V, now: i64) -> bool {
    entry.end().saturating_add(LATE) <= now
}

/// The seconds that an entry is kept after its end. Another thread may have read the clock before it
/// got the lock.
const LATE: i64 = 2;

/// The least number of places.
const LEAST: usize = 8;
