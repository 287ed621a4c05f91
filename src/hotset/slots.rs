//! The places of one set.

use std::{
    array,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU32, Ordering::Relaxed},
    },
};

use arc_swap::ArcSwapOption;
use zeroize::Zeroizing;

/// Eight places for texts: their tags and counts are in one cache line, what they hold is
/// in the next. Tags and counts may lag behind what is held: an entry knows its text.
#[repr(align(64))]
pub(super) struct Slots<V> {
    tags: [AtomicU32; WAYS],
    uses: [AtomicU8; WAYS],
    entries: [ArcSwapOption<Entry<V>>; WAYS],
}

pub(super) struct Entry<V> {
    pub(super) text: Zeroizing<Box<str>>,
    pub(super) value: V,
    pub(super) bytes: usize,
}

impl<V> Slots<V> {
    pub(super) fn new() -> Self {
        Self {
            tags: array::from_fn(|_| AtomicU32::new(FREE)),
            uses: array::from_fn(|_| AtomicU8::new(0)),
            entries: array::from_fn(|_| ArcSwapOption::empty()),
        }
    }

    #[inline]
    pub(super) fn tagged(&self, tag: u32) -> impl Iterator<Item = usize> {
        let tags = self.tags.iter().enumerate();
        tags.filter(move |(_, at)| at.load(Relaxed) == tag).map(|(slot, _)| slot)
    }

    /// Shows the value of a text to `look`, if it is here, and counts that.
    #[inline]
    pub(super) fn find<T>(&self, tag: u32, text: &str, look: impl FnOnce(&V) -> T) -> Option<T> {
        for slot in self.tagged(tag) {
            let entry = self.entries.get(slot)?.load();
            if let Some(entry) = entry.as_deref().filter(|entry| **entry.text == *text) {
                self.count_use(slot);
                return Some(look(&entry.value));
            }
        }
        None
    }

    /// Puts an entry in, and gives what was there.
    pub(super) fn put(&self, slot: usize, tag: u32, entry: Entry<V>) -> Option<Arc<Entry<V>>> {
        // One that takes the place of another is not the next to go.
        self.uses.get(slot)?.store(1, Relaxed);
        let former = self.entries.get(slot)?.swap(Some(Arc::new(entry)));
        self.tags.get(slot)?.store(tag, Relaxed);
        former
    }

    /// Empties a slot, and gives what was there.
    pub(super) fn take(&self, slot: usize) -> Option<Arc<Entry<V>>> {
        self.tags.get(slot)?.store(FREE, Relaxed);
        self.entries.get(slot)?.swap(None)
    }

    /// Whether a slot holds this text.
    pub(super) fn has(&self, slot: usize, text: &str) -> bool {
        self.looks(slot, |entry| **entry.text == *text)
    }

    /// Whether there is a value for which this holds.
    pub(super) fn holds(&self, slot: usize, what: impl Fn(&V) -> bool) -> bool {
        self.looks(slot, |entry| what(&entry.value))
    }

    fn looks(&self, slot: usize, what: impl Fn(&Entry<V>) -> bool) -> bool {
        self.entries.get(slot).is_some_and(|at| at.load().as_deref().is_some_and(what))
    }

    /// Counts up to a limit: what is used all the time is not written to.
    #[inline]
    fn count_use(&self, slot: usize) {
        let Some(at) = self.uses.get(slot) else { return };
        let uses = at.load(Relaxed);
        if uses < MOST_USES {
            at.store(uses.saturating_add(USE), Relaxed);
        }
    }

    /// The first slot from `start` on that has no use left; all that are looked at lose one.
    pub(super) fn least_used(&self, start: usize) -> Option<usize> {
        (0..WAYS).map(|step| start.wrapping_add(step) % WAYS).find(|slot| self.use_up(*slot))
    }

    /// Takes one use off, and says whether there was none left.
    pub(super) fn use_up(&self, slot: usize) -> bool {
        let Some(at) = self.uses.get(slot) else { return false };
        let uses = at.load(Relaxed);
        at.store(uses.saturating_sub(1), Relaxed);
        uses == 0
    }
}

pub(super) const WAYS: usize = 8;

/// The tag of a slot that holds nothing.
pub(super) const FREE: u32 = 0;

/// So often the hand passes by what was used once; what was used often it passes by
/// `MOST_USES` times.
const USE: u8 = 8;
const MOST_USES: u8 = 64;
