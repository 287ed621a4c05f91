//! A bounded map from texts to values that keeps those which are used: read by all
//! threads at once without a lock, and not to be emptied by a flood.
//!
//! A text has its place in one of many sets of eight, by a keyed hash of its end; what
//! is found there counts only if the whole text is the same. Each place counts how often
//! it was used lately. Where there is no room, a hand goes round the places and takes one
//! off each count; what has none left goes. Who wants to be let in then must come a
//! second time, so texts that come once push out nothing.

mod slots;

use std::{
    array,
    hash::{BuildHasher, RandomState},
    sync::{
        OnceLock,
        atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed},
    },
};

use zeroize::Zeroizing;

use self::slots::{Entry, FREE, Slots, WAYS};

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
        look: impl FnOnce(&V) -> T,
    ) -> Option<T> {
        self.table.get()?.slots(place)?.find(place.tag, text, look)
    }

    /// Keeps a value for a text, if there is room for it or it is worth more than what
    /// has to go. `bytes` is what the value takes; what `is_over` may go before all else.
    pub(crate) fn insert(
        &self,
        place: Place,
        text: &str,
        bytes: usize,
        value: V,
        is_over: impl Fn(&V) -> bool,
    ) {
        let table = self.table.get_or_init(|| Table::new(self.most));
        let bytes = bytes.saturating_add(text.len()).saturating_add(OVERHEAD);
        // One alone shall not take the room of many.
        if bytes > self.most / 16 {
            return;
        }
        // What is over goes little by little, also where nobody comes for its place.
        table.pass(|slots, slot| slots.holds(slot, &is_over));
        // Taken before it is used, so that many threads together keep to the limit.
        let sum = table.bytes.fetch_add(bytes, Relaxed).saturating_add(bytes);
        match table.make_room(place, text, sum.saturating_sub(self.most), &is_over) {
            Some(slot) => {
                let text = Zeroizing::new(Box::from(text));
                table.put(place, slot, Entry { text, value, bytes });
            }
            None => {
                table.forget(bytes);
            }
        }
    }

    /// What all of it takes now, in bytes.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.table.get().map_or(0, |table| table.bytes.load(Relaxed))
    }
}

struct Table<V> {
    /// A power of two of them, and that less one.
    sets: Box<[Slots<V>]>,
    mask: usize,
    /// The tags of texts that came to each set when there was no room.
    came: Box<[[AtomicU32; CAME]]>,
    /// What all entries take, and the table itself.
    bytes: AtomicUsize,
    /// The slot that the hand points to.
    hand: AtomicUsize,
}

impl<V> Table<V> {
    fn new(most: usize) -> Self {
        let sets = (most / USUAL / WAYS).max(1).next_power_of_two();
        let mask = sets - 1;
        let sets: Box<[_]> = (0..sets).map(|_| Slots::new()).collect();
        let came: Box<[_]> = sets.iter().map(|_| array::from_fn(|_| AtomicU32::new(0))).collect();
        let own = size_of_val(&*sets).saturating_add(size_of_val(&*came));
        Self { sets, mask, came, bytes: AtomicUsize::new(own), hand: AtomicUsize::new(0) }
    }

    #[inline]
    fn slots(&self, place: Place) -> Option<&Slots<V>> {
        self.sets.get(place.index & self.mask)
    }

    /// The slot that a text may take, if `excess` bytes go that are too many.
    fn make_room(
        &self,
        place: Place,
        text: &str,
        excess: usize,
        is_over: &impl Fn(&V) -> bool,
    ) -> Option<usize> {
        let slots = self.slots(place)?;
        if let Some(same) = slots.tagged(place.tag).find(|slot| slots.has(*slot, text)) {
            return Some(same);
        }
        let free = slots.tagged(FREE).next();
        if excess == 0 && free.is_some() {
            return free;
        }
        if !self.comes_again(place)? {
            return None;
        }
        let mut gone = 0_usize;
        for _ in 0..MOST_PASSED {
            if gone >= excess {
                let over = || (0..WAYS).find(|slot| slots.holds(*slot, is_over));
                return free.or_else(over).or_else(|| slots.least_used(self.hand.load(Relaxed)));
            }
            let goes = |slots: &Slots<V>, slot| slots.holds(slot, is_over) || slots.use_up(slot);
            gone = gone.saturating_add(self.pass(goes));
        }
        None
    }

    /// Whether a text came before; if not, it is noted.
    fn comes_again(&self, place: Place) -> Option<bool> {
        let came = self.came.get(place.index & self.mask)?;
        let again = came.iter().any(|tag| tag.load(Relaxed) == place.tag);
        if !again {
            came.get(self.hand.load(Relaxed) % CAME)?.store(place.tag, Relaxed);
        }
        Some(again)
    }

    /// Moves the hand past one slot, which is emptied if it `goes`. Gives the bytes that
    /// went.
    fn pass(&self, goes: impl Fn(&Slots<V>, usize) -> bool) -> usize {
        let hand = self.hand.fetch_add(1, Relaxed);
        let slot = hand % WAYS;
        let slots = self.sets.get((hand / WAYS) & self.mask);
        let gone = slots.filter(|slots| goes(slots, slot)).and_then(|slots| slots.take(slot));
        gone.map_or(0, |entry| self.forget(entry.bytes))
    }

    fn put(&self, place: Place, slot: usize, entry: Entry<V>) {
        let slots = self.slots(place);
        if let Some(former) = slots.and_then(|slots| slots.put(slot, place.tag, entry)) {
            self.forget(former.bytes);
        }
    }

    fn forget(&self, bytes: usize) -> usize {
        self.bytes.fetch_sub(bytes, Relaxed);
        bytes
    }
}

/// How many tags are remembered of each set.
const CAME: usize = 2 * WAYS;

/// How many bytes of a text decide where it belongs: as many as a whole signature of
/// HS256 has, and more.
const DECIDING: usize = 64;

/// What an entry is expected to take at the least, in bytes: there is one slot for as
/// many.
const USUAL: usize = 1024;

/// What an entry takes besides its text and its value.
const OVERHEAD: usize = 96;

/// How far the hand goes for one newcomer.
const MOST_PASSED: usize = 16;

#[cfg(test)]
mod tests {
    use std::{ops::Range, thread};

    use super::*;

    const MOST: usize = 1 << 20;
    const LENGTH: usize = 500;

    fn text(number: usize) -> String {
        format!("{number:0>LENGTH$}")
    }

    /// Puts it in, if it is not there, as one who looks for it would.
    fn ask(set: &HotSet<usize>, number: usize) -> bool {
        let (text, place) = (text(number), set.place(&text(number)));
        let found = set.find(place, &text, |value| *value);
        assert!(found.is_none_or(|found| found == number));
        if found.is_none() {
            set.insert(place, &text, 500, number, |_| false);
        }
        assert!(set.bytes() <= MOST);
        found.is_some()
    }

    fn ask_all(set: &HotSet<usize>, numbers: Range<usize>) {
        for number in numbers {
            ask(set, number);
        }
    }

    /// How many of these are there.
    fn count(set: &HotSet<usize>, numbers: impl Iterator<Item = usize>) -> usize {
        let there = |number: &usize| {
            let text = text(*number);
            set.find(set.place(&text), &text, |_| ()).is_some()
        };
        numbers.filter(there).count()
    }

    #[test]
    fn what_was_put_in_is_found() {
        let set = HotSet::new(MOST);
        assert_eq!(set.bytes(), 0, "nothing is taken in advance");
        assert!(!ask(&set, 1) && ask(&set, 1) && !ask(&set, 2) && ask(&set, 1));
        let one = text(1);
        set.insert(set.place(&one), &one, 500, 7, |_| false);
        assert_eq!(set.find(set.place(&one), &one, |value| *value), Some(7), "replaced");
        // The same end, and so the same place.
        let other = format!("x{one}");
        assert_eq!(set.find(set.place(&other), &other, |value| *value), None);
    }

    #[test]
    fn a_flood_pushes_out_nothing_that_is_used() {
        let set = HotSet::new(MOST);
        ask_all(&set, 0..200);
        ask_all(&set, 1_000..20_000);
        assert_eq!(count(&set, 0..200), 200, "nor what came first");
        ask_all(&set, 0..200);
        for number in 20_000..40_000 {
            ask(&set, number);
            ask(&set, number);
            // Each comes once while some 2,000 others come and go.
            ask(&set, number % 100 * 2);
        }
        let kept = count(&set, (0..200).step_by(2));
        assert!(kept >= 95, "{kept} of 100");
    }

    #[test]
    fn what_comes_again_gets_in() {
        let set = HotSet::new(MOST);
        ask_all(&set, 0..5_000);
        for _ in 0..20 {
            ask_all(&set, 10_000..10_200);
        }
        let kept = count(&set, 10_000..10_200);
        assert!(kept >= 195, "{kept} of 200");
    }

    #[test]
    fn what_is_over_makes_room() {
        let set = HotSet::new(MOST);
        ask_all(&set, 0..5_000);
        let full = set.bytes();
        let insert = |number: usize, is_over: fn(&usize) -> bool| {
            let text = text(number);
            set.insert(set.place(&text), &text, 500, number, is_over);
        };
        // Each that comes looks at one.
        (10_000..14_000).for_each(|number| insert(number, |number| *number < 5_000));
        assert!(count(&set, 0..5_000) == 0 && count(&set, 10_000..14_000) > 500);
        assert!(set.bytes() <= full + 2_000);
    }

    #[test]
    fn one_that_is_too_large_is_left_out() {
        let set = HotSet::new(MOST);
        let text = text(1);
        for bytes in [MOST / 16, usize::MAX] {
            set.insert(set.place(&text), &text, bytes, 1, |_| false);
            assert_eq!(set.find(set.place(&text), &text, |_| ()), None);
        }
    }

    #[test]
    fn the_sum_is_right_in_the_end() {
        let set = HotSet::new(MOST);
        thread::scope(|scope| {
            for start in 0..4_usize {
                let set = &set;
                scope.spawn(move || {
                    for step in 0..5_000 {
                        let number = (start * 7 + step * 13) % 1_500;
                        let text = text(number);
                        set.insert(set.place(&text), &text, 500, number, |_| false);
                    }
                });
            }
        });
        assert!(set.bytes() <= MOST);
        let table = set.table.get().unwrap();
        for _ in 0..table.sets.len() * WAYS {
            table.pass(|_, _| true);
        }
        assert_eq!(set.bytes(), Table::<usize>::new(MOST).bytes.load(Relaxed), "all have gone");
    }
}
