//! A bounded map from texts to values that keeps those which are used: read by all
//! threads at once without a lock, and not to be emptied by a flood.
//!
//! A text has its place in one of many sets of eight, by a keyed hash of its end; what
//! is found there counts only if the whole text is the same. Each place counts how often
//! it was used lately. Where there is no room, who wants to be let in must come again, so
//! texts that come once push out nothing. Each time it comes, it takes the place of one in
//! its own set, or in the next ones, that has no use left; if there is none, it halves their
//! counts. So it gets in after a few times, whatever was used before.

mod slots;
#[cfg(test)]
mod tests;

use std::{
    array,
    hash::{BuildHasher, RandomState},
    mem,
    sync::{
        OnceLock,
        atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed},
    },
};

use zeroize::Zeroizing;

use self::slots::{Entry, Slots, WAYS};

/// The map; takes no memory to speak of before the first value comes.
pub(crate) struct HotSet<V> {
    hasher: RandomState,
    most: usize,
    table: OnceLock<Table<V>>,
}

/// Where a text belongs.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    index: usize,
    /// Tells most texts of a set apart; never 0, which is that of a free place.
    tag: u32,
}

/// What becomes of a value that was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was of use.
    Used,
    /// It was not, and may be another time.
    Stays,
    Goes,
}

impl<V> HotSet<V> {
    /// A map that takes so many bytes at most.
    pub(crate) fn new(most: usize) -> Self {
        Self { hasher: RandomState::new(), most, table: OnceLock::new() }
    }

    /// Where a text belongs. Its end decides: that is where texts differ which somebody
    /// has signed.
    #[inline]
    pub(crate) fn place(&self, text: &str) -> Place {
        let bytes = text.as_bytes();
        let end = bytes.last_chunk::<DECIDING>().map_or(bytes, |end| end);
        let hash = self.hasher.hash_one(end);
        // The low half picks the set, the high half is the tag.
        #[allow(clippy::cast_possible_truncation, reason = "any bits will do")]
        Place { index: hash as usize, tag: (hash >> 32) as u32 | 1 }
    }

    /// Shows the value of a text to `look`, if it is there.
    #[inline]
    pub(crate) fn find<T>(
        &self,
        place: Place,
        text: &str,
        look: impl FnOnce(&V) -> (T, Fate),
    ) -> Option<T> {
        let table = self.table.get()?;
        let slots = table.set(place.index)?;
        let (slot, (answer, fate)) = slots.find(place.tag, text, look)?;
        match fate {
            Fate::Used => slots.count_use(slot),
            Fate::Stays => {}
            Fate::Goes => drop(table.clear(slots, slot)),
        }
        Some(answer)
    }

    /// Keeps a value for a text, if there is room for it or it comes so often that it is
    /// worth more than what has to go. `bytes` is what the value takes; what `is_over` goes.
    pub(crate) fn insert(
        &self,
        place: Place,
        text: &str,
        bytes: usize,
        value: V,
        is_over: impl Fn(&V) -> bool,
    ) {
        let bytes = bytes.saturating_add(text.len()).saturating_add(OVERHEAD);
        // One alone shall not take the room of many.
        if bytes > self.most / 4 {
            return;
        }
        let table = self.table.get_or_init(|| Table::new(self.most));
        table.sweep(is_over);
        // Taken before it is used, so that many threads together keep to the limit.
        let (reserved, sum) = Reserved::take(table, bytes);
        if let Some(slot) = table.make_room(place, text, sum.saturating_sub(self.most)) {
            let text = Zeroizing::new(Box::from(text));
            table.put(place, slot, Entry { text, value, bytes: reserved.keep() });
        }
    }

    /// What all of it takes now, in bytes.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.table.get().map_or(0, |table| table.counters.bytes.load(Relaxed))
    }
}

struct Table<V> {
    /// A power of two of them, and that less one.
    sets: Box<[Slots<V>]>,
    mask: usize,
    /// The texts that came to each set when there was no room: 28 bits of a tag, and how
    /// often it came.
    came: Box<[[AtomicU32; CAME]]>,
    counters: Counters,
}

/// What is written by all who put something in: by itself, away from what all read.
#[repr(align(128))]
struct Counters {
    /// What all entries take, and the table itself.
    bytes: AtomicUsize,
    /// The slot that is looked at next for what is over.
    hand: AtomicUsize,
}

impl<V> Table<V> {
    fn new(most: usize) -> Self {
        let sets = (most / USUAL / WAYS).max(1).next_power_of_two();
        let mask = sets - 1;
        let sets: Box<[_]> = (0..sets).map(|_| Slots::new()).collect();
        let came: Box<[_]> = sets.iter().map(|_| array::from_fn(|_| AtomicU32::new(0))).collect();
        let own = size_of_val(&*sets).saturating_add(size_of_val(&*came));
        let counters = Counters { bytes: AtomicUsize::new(own), hand: AtomicUsize::new(0) };
        Self { sets, mask, came, counters }
    }

    #[inline]
    fn set(&self, index: usize) -> Option<&Slots<V>> {
        self.sets.get(index & self.mask)
    }

    /// The slot that a text may take, if `excess` bytes go that are too many.
    fn make_room(&self, place: Place, text: &str, excess: usize) -> Option<usize> {
        let own = self.set(place.index)?;
        if let Some(same) = own.slot_of(place.tag, text) {
            return Some(same);
        }
        let mut slot = own.free();
        if excess == 0 && slot.is_some() {
            return slot;
        }
        // The counts of what is used all the time do not come down by halves alone.
        let insists = match self.comings(place)? {
            0 => return None,
            comings => comings >= MOST_COMINGS,
        };
        let mut gone = 0_usize;
        for step in 0..MOST_SETS {
            let slots = self.set(place.index.wrapping_add(step))?;
            while slot.is_none() || gone < excess {
                let Some(least) = slots.least_used(insists) else { break };
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

    /// How often a text came before when there was no room; notes that it comes.
    fn comings(&self, place: Place) -> Option<u32> {
        let came = self.came.get(place.index & self.mask)?;
        let tag = place.tag & !MOST_COMINGS;
        for noted in came {
            let before = noted.load(Relaxed);
            if before & !MOST_COMINGS == tag {
                let comings = before & MOST_COMINGS;
                noted.store(tag | comings.saturating_add(1).min(MOST_COMINGS), Relaxed);
                return Some(comings);
            }
        }
        came.get(self.counters.hand.load(Relaxed) % CAME)?.store(tag | 1, Relaxed);
        Some(0)
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

    fn put(&self, place: Place, slot: usize, entry: Entry<V>) {
        let former = self.set(place.index).and_then(|slots| slots.put(slot, place.tag, entry));
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

/// How many texts are remembered of each set that came to it in vain.
const CAME: usize = 2 * WAYS;

/// How often one must come that is let in for that alone, and the bits that count it.
const MOST_COMINGS: u32 = 15;

/// How many sets are looked at for the bytes that one needs.
const MOST_SETS: usize = 4;

/// How many bytes of a text decide where it belongs: as many as a whole signature of
/// HS256 has, and more.
const DECIDING: usize = 64;

/// What an entry is expected to take at the least, in bytes: there is one slot for as
/// many.
const USUAL: usize = 1024;

/// What an entry takes besides its text and its value.
const OVERHEAD: usize = 96;
