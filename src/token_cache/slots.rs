//! The slots of one set.

use std::{
    array,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU32, Ordering::Relaxed},
    },
};

use arc_swap::{ArcSwapOption, Guard};
use zeroize::Zeroizing;

/// Eight places for texts: their tags and counts are in one cache line, what they hold is
/// in the next. Tags and counts may lag behind what is held: an entry knows its text.
///
/// Beside them are notes of texts that were not admitted: 28 bits of the tag, and 4 bits that
/// count.
#[repr(C, align(64))]
pub(super) struct Slots<V> {
    tags: [AtomicU32; WAYS],
    uses: [AtomicU8; WAYS],
    misses: [AtomicU32; MISS_SLOTS],
    entries: [ArcSwapOption<Entry<V>>; WAYS],
}

pub(super) struct Entry<V> {
    pub(super) text: Zeroizing<Box<str>>,
    pub(super) value: V,
    pub(super) bytes: usize,
}

/// An entry, or none, as it was at one moment.
pub(super) type LoadedEntry<V> = Guard<Option<Arc<Entry<V>>>>;

impl<V> Slots<V> {
    pub(super) fn new() -> Self {
        Self {
            tags: array::from_fn(|_| AtomicU32::new(FREE)),
            uses: array::from_fn(|_| AtomicU8::new(0)),
            misses: array::from_fn(|_| AtomicU32::new(0)),
            entries: array::from_fn(|_| ArcSwapOption::empty()),
        }
    }

    #[inline]
    fn tagged(&self, tag: u32) -> impl Iterator<Item = usize> {
        let tags = self.tags.iter().enumerate();
        tags.filter(move |(_, at)| at.load(Relaxed) == tag).map(|(slot, _)| slot)
    }

    /// The entry of a text, if it is here, and its slot.
    #[inline]
    pub(super) fn find(&self, tag: u32, text: &[u8]) -> Option<(usize, LoadedEntry<V>)> {
        for slot in self.tagged(tag) {
            let entry = self.entries.get(slot)?.load();
            if entry.as_ref().is_some_and(|entry| entry.text.as_bytes() == text) {
                return Some((slot, entry));
            }
        }
        None
    }

    /// The slot that holds a text.
    pub(super) fn slot_of(&self, tag: u32, text: &[u8]) -> Option<usize> {
        self.find(tag, text).map(|(slot, _)| slot)
    }

    /// A slot that holds nothing.
    pub(super) fn free(&self) -> Option<usize> {
        self.tagged(FREE).next()
    }

    /// Whether there is a value for which this is so.
    pub(super) fn holds(&self, slot: usize, what: impl Fn(&V) -> bool) -> bool {
        let looks = |at: &ArcSwapOption<Entry<V>>| {
            at.load().as_deref().is_some_and(|entry| what(&entry.value))
        };
        self.entries.get(slot).is_some_and(looks)
    }

    /// Puts an entry in, and gives what was there.
    pub(super) fn put(&self, slot: usize, tag: u32, entry: Entry<V>) -> Option<Arc<Entry<V>>> {
        // One that takes the place of another is not the next to go.
        self.uses.get(slot)?.store(NEW, Relaxed);
        let former = self.entries.get(slot)?.swap(Some(Arc::new(entry)));
        self.tags.get(slot)?.store(tag, Relaxed);
        former
    }

    /// Empties a slot, and gives what was there.
    pub(super) fn take(&self, slot: usize) -> Option<Arc<Entry<V>>> {
        self.tags.get(slot)?.store(FREE, Relaxed);
        self.entries.get(slot)?.swap(None)
    }

    /// Counts up to a limit: what is used all the time is not written to. Says whether it is
    /// the first use.
    #[inline]
    pub(super) fn count_use(&self, slot: usize) -> bool {
        let Some(at) = self.uses.get(slot) else { return false };
        let uses = at.load(Relaxed);
        if uses < MOST_USES {
            at.store(uses.saturating_add(USE), Relaxed);
        }
        uses <= NEW
    }

    /// How often a text was not admitted before. Notes that it came again; if it was not noted,
    /// it replaces the note at `replace_at`.
    pub(super) fn note_miss(&self, tag: u32, replace_at: usize) -> u32 {
        let tag = tag & !MOST_MISSES;
        for noted in &self.misses {
            let before = noted.load(Relaxed);
            if before & !MOST_MISSES == tag {
                let misses = before & MOST_MISSES;
                noted.store(tag | misses.saturating_add(1).min(MOST_MISSES), Relaxed);
                return misses;
            }
        }
        if let Some(noted) = self.misses.get(replace_at % MISS_SLOTS) {
            noted.store(tag | 1, Relaxed);
        }
        0
    }

    /// The slot whose value was used least, if it has no use left, or in any case with `even_if_used`.
    /// Else the counts of all are halved.
    pub(super) fn least_used(&self, even_if_used: bool) -> Option<usize> {
        let taken = self.tags.iter().zip(&self.uses).enumerate();
        let taken = taken.filter(|(_, (tag, _))| tag.load(Relaxed) != FREE);
        let uses = taken.map(|(slot, (_, uses))| (uses.load(Relaxed), slot));
        let (least, slot) = uses.min()?;
        if least == 0 || even_if_used {
            return Some(slot);
        }
        for uses in &self.uses {
            uses.store(uses.load(Relaxed) / 2, Relaxed);
        }
        None
    }
}

pub(super) const WAYS: usize = 8;

/// As many as fit into the cache line.
const MISS_SLOTS: usize = 6;

/// The number of misses after which a text is admitted in any case, and the bits that count
/// them.
pub(super) const MOST_MISSES: u32 = 15;

/// The tag of a slot that holds nothing.
const FREE: u32 = 0;

/// The count of a value that was not used yet.
const NEW: u8 = 1;

/// The count of one use. Four halvings forget it, and seven forget many.
const USE: u8 = 8;
const MOST_USES: u8 = 64;
