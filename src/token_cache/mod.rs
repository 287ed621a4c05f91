//! A bounded map from texts to values that keeps those which are used: read by all
//! threads at once without a lock, and not to be emptied by a flood.
//!
//! A text has its place in one of many sets of eight, by a keyed hash of its end; what
//! is found there counts only if the whole text is the same. Each place counts how often
//! it was used lately.
//!
//! A new text is admitted while there is credit: admitting one costs one credit, and the first
//! reuse of one gives two back. Without credit, or without room, a text is admitted when it comes
//! again. So texts that come once evict nothing, and many of them take neither time nor memory.
//! Without room, a text takes the slot of a value in its own set or the next ones that was not
//! used lately; if there is no such slot, it halves their counts. So the text gets in after
//! a few times, whatever was used before.

mod slots;
#[cfg(test)]
mod tests;

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    mem,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use zeroize::Zeroizing;

use self::slots::{Entry, LoadedEntry, MOST_MISSES, Slots, WAYS};

/// The map; takes no memory to speak of before the first value comes.
pub(crate) struct TokenCache<V> {
    hasher: RandomState,
    most: usize,
    /// Elsewhere: there may be a hundred thousand verifiers whose maps stay empty.
    table: OnceLock<Box<Table<V>>>,
}

/// The place of a text in the cache, whether it is there or not.
pub(crate) struct Place<'a, V> {
    cache: &'a TokenCache<V>,
    text: &'a [u8],
    position: Position,
}

/// The set that a text belongs to, and what tells it apart there.
#[derive(Clone, Copy)]
struct Position {
    index: usize,
    /// Differs between most texts of a set. It is never 0, which marks a free slot.
    tag: u32,
}

/// A value that was found, as it was at that moment.
pub(crate) struct Hit<'t, V> {
    table: &'t Table<V>,
    slots: &'t Slots<V>,
    slot: usize,
    entry: LoadedEntry<V>,
}

impl<V> Hit<'_, V> {
    #[inline]
    pub(crate) fn value(&self) -> Option<&V> {
        self.entry.as_ref().map(|entry| &entry.value)
    }

    /// Counts that the value was of use, which keeps it.
    #[inline]
    pub(crate) fn count_use(&self) {
        if self.slots.count_use(self.slot) {
            self.table.pay_back();
        }
    }

    #[cold]
    pub(crate) fn remove(&self) {
        self.table.clear(self.slots, self.slot);
    }
}

impl<V> TokenCache<V> {
    /// A map that takes so many bytes at most.
    pub(crate) fn new(most: usize) -> Self {
        Self { hasher: RandomState::new(), most, table: OnceLock::new() }
    }

    /// The place of a text. The end of the text decides: texts that somebody has signed differ
    /// there.
    #[inline]
    pub(crate) fn place<'a>(&'a self, text: &'a [u8]) -> Place<'a, V> {
        Place { cache: self, text, position: self.position(text) }
    }

    #[inline]
    fn position(&self, bytes: &[u8]) -> Position {
        let end = bytes.last_chunk::<DECIDING>().map_or(bytes, |end| end);
        let mut hasher = self.hasher.build_hasher();
        hasher.write(end);
        let hash = hasher.finish();
        // The low half picks the set, the high half is the tag.
        #[allow(clippy::cast_possible_truncation, reason = "any bits will do")]
        Position { index: hash as usize, tag: (hash >> 32) as u32 | 1 }
    }

    /// Its present size in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.table.get().map_or(0, |table| table.counters.bytes.load(Relaxed))
    }
}

impl<'a, V> Place<'a, V> {
    /// The value of the text, if it is there. Bytes that are not UTF-8 match no text.
    #[inline]
    pub(crate) fn get(&self) -> Option<Hit<'a, V>> {
        let table = &**self.cache.table.get()?;
        let slots = table.set(self.position.index)?;
        let (slot, entry) = slots.find(self.position.tag, self.text)?;
        Some(Hit { table, slots, slot, entry })
    }

    /// Whether the text may come in now.
    #[inline]
    pub(crate) fn admit(&self) -> Option<Admission> {
        let most = self.cache.most;
        let table = self.cache.table.get_or_init(|| Box::new(Table::new(most)));
        table.admit(self.position, self.text, most)
    }

    /// Keeps a value for the text, which is admitted, unless it is too large, and says whether it
    /// does. `bytes` is the size of the value. An old value goes if it `is_over`.
    pub(crate) fn insert(
        &self,
        admission: Admission,
        text: &str,
        value: V,
        bytes: usize,
        is_over: impl Fn(&V) -> bool,
    ) -> bool {
        let Some(table) = self.cache.table.get() else { return false };
        let most = self.cache.most;
        let bytes = bytes.saturating_add(text.len()).saturating_add(OVERHEAD);
        // One value must not take the room of many.
        if bytes > most / 4 {
            return false;
        }
        table.sweep(is_over);
        // Reserved before it is used, so that many threads together keep to the limit.
        let (reserved, sum) = Reserved::take(table, bytes);
        let slot = table.pick_slot(self.position, admission, sum.saturating_sub(most));
        let Some(slot) = slot else { return false };
        let text = Zeroizing::new(Box::from(text));
        table.put(self.position, slot, Entry { text, value, bytes: reserved.keep() });
        true
    }
}

struct Table<V> {
    /// A power of two of them, and that less one.
    sets: Box<[Slots<V>]>,
    mask: usize,
    counters: Counters,
}

/// The counters that writers change. They are apart from the data that all threads read.
#[repr(align(128))]
struct Counters {
    /// The size of all entries and of the table.
    bytes: AtomicUsize,
    /// The slot that is looked at next for what is over.
    hand: AtomicUsize,
    /// How many are let in that have not come before.
    credit: AtomicUsize,
    /// How many came on no credit.
    turn: AtomicUsize,
}

/// The slot that a text may take.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Admission {
    /// This one, which holds the text already.
    Existing(usize),
    /// A free one.
    Free,
    /// A free one, or that of a value which was not used lately.
    EvictUnused,
    /// A free one, or that of the value which is used least.
    EvictAny,
}

impl<V> Table<V> {
    fn new(most: usize) -> Self {
        let sets = (most / USUAL / WAYS).max(1).next_power_of_two();
        let mask = sets - 1;
        let sets: Box<[_]> = (0..sets).map(|_| Slots::new()).collect();
        let own = size_of_val(&*sets);
        let counters = Counters {
            bytes: AtomicUsize::new(own),
            hand: AtomicUsize::new(0),
            credit: AtomicUsize::new(MOST_CREDIT),
            turn: AtomicUsize::new(0),
        };
        Self { sets, mask, counters }
    }

    #[inline]
    fn set(&self, index: usize) -> Option<&Slots<V>> {
        self.sets.get(index & self.mask)
    }

    /// Decides whether a text may come in now.
    fn admit(&self, position: Position, text: &[u8], most: usize) -> Option<Admission> {
        let own = self.set(position.index)?;
        if let Some(same) = own.slot_of(position.tag, text) {
            return Some(Admission::Existing(same));
        }
        let has_room = self.counters.bytes.load(Relaxed) < most && own.free().is_some();
        if has_room && self.borrow() {
            return Some(Admission::Free);
        }
        self.admit_by_misses(position)
    }

    fn admit_by_misses(&self, position: Position) -> Option<Admission> {
        // Texts that are not admitted note themselves in turn.
        let replace_at = self.counters.turn.load(Relaxed);
        self.counters.turn.store(replace_at.wrapping_add(1), Relaxed);
        match self.set(position.index)?.note_miss(position.tag, replace_at) {
            0 => None,
            // Halving does not bring down the counts of values that are used all the time.
            MOST_MISSES.. => Some(Admission::EvictAny),
            _ => Some(Admission::EvictUnused),
        }
    }

    /// The slot that a text may take, if `excess` bytes go that are too many.
    fn pick_slot(&self, position: Position, admission: Admission, excess: usize) -> Option<usize> {
        let free = self.set(position.index)?.free();
        let admission = match admission {
            Admission::Free if excess == 0 && free.is_some() => return free,
            // It is too large for the room that there is.
            Admission::Free => self.admit_by_misses(position)?,
            admission => admission,
        };
        let (mut slot, even_if_used) = match admission {
            Admission::Existing(slot) => (Some(slot), false),
            admission => (free, matches!(admission, Admission::EvictAny)),
        };
        let mut gone = 0_usize;
        for step in 0..MOST_SETS {
            let slots = self.set(position.index.wrapping_add(step))?;
            while slot.is_none() || gone < excess {
                let Some(least) = slots.least_used(even_if_used) else { break };
                gone = gone.saturating_add(self.clear(slots, least));
                if step == 0 {
                    slot = slot.or(Some(least));
                }
            }
            if gone >= excess || slot.is_none() {
                break;
            }
        }
        slot.filter(|_| gone >= excess)
    }

    /// Takes of the credit, if there is any.
    fn borrow(&self) -> bool {
        let less = |credit: usize| credit.checked_sub(1);
        self.counters.credit.fetch_update(Relaxed, Relaxed, less).is_ok()
    }

    /// One that was let in has come again: two more may be.
    #[cold]
    fn pay_back(&self) {
        let more = |credit: usize| Some(credit.saturating_add(2).min(MOST_CREDIT));
        let _ = self.counters.credit.fetch_update(Relaxed, Relaxed, more);
    }

    /// Looks at the next slot: what is over goes little by little, also where nobody comes
    /// for it or for its place.
    fn sweep(&self, is_over: impl Fn(&V) -> bool) {
        let hand = self.counters.hand.fetch_add(1, Relaxed);
        if let Some(slots) = self.set(hand / WAYS)
            && slots.holds(hand % WAYS, is_over)
        {
            self.clear(slots, hand % WAYS);
        }
    }

    fn put(&self, position: Position, slot: usize, entry: Entry<V>) {
        let former =
            self.set(position.index).and_then(|slots| slots.put(slot, position.tag, entry));
        if let Some(former) = former {
            self.forget(former.bytes);
        }
    }

    /// Empties a slot, and gives the bytes that have gone.
    fn clear(&self, slots: &Slots<V>, slot: usize) -> usize {
        slots.take(slot).map_or(0, |entry| self.forget(entry.bytes))
    }

    fn forget(&self, bytes: usize) -> usize {
        self.counters.bytes.fetch_sub(bytes, Relaxed);
        bytes
    }
}

/// Bytes that are counted before they are taken, and given back if they are not.
struct Reserved<'t, V> {
    table: &'t Table<V>,
    bytes: usize,
}

impl<'t, V> Reserved<'t, V> {
    /// Also gives what all together take with them.
    fn take(table: &'t Table<V>, bytes: usize) -> (Self, usize) {
        let before = table.counters.bytes.fetch_add(bytes, Relaxed);
        (Self { table, bytes }, before.saturating_add(bytes))
    }

    /// They are taken by an entry.
    fn keep(self) -> usize {
        let bytes = self.bytes;
        mem::forget(self);
        bytes
    }
}

impl<V> Drop for Reserved<'_, V> {
    fn drop(&mut self) {
        self.table.forget(self.bytes);
    }
}

/// How many are let in at once while none comes again.
const MOST_CREDIT: usize = 1024;

/// How many sets are looked at for the bytes that one needs.
const MOST_SETS: usize = 4;

/// How many bytes of a text decide where it belongs: 96 bits of a signature in base64url.
const DECIDING: usize = 16;

/// The smallest expected size of an entry in bytes. The table has one slot for each.
const USUAL: usize = 1024;

/// The size of an entry besides its text and its value.
const OVERHEAD: usize = 96;
