//! The revocations by the names in them. Many readers and one writer use the table at once.

use std::{
    hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering::Relaxed},
    },
};

use papaya::{Equivalent, HashMap};
use seize::{Collector, LocalGuard};

use super::super::{Revocation, record::Kind};

/// Several maps, because a map is copied as a whole when it grows. So a writer waits only for a
/// small part of the entries, and readers never wait.
pub(super) struct Table {
    parts: Box<[Part]>,
    /// Shared by all maps, so that one view serves for each of them.
    collector: Arc<Collector>,
    hasher: RandomState,
    /// The number of revocations of each kind. Most lists have only one kind.
    counts: [AtomicUsize; 3],
}

type Part = HashMap<Entry, Times, BuildHasherDefault<Hashed>>;

/// The name in a revocation. The hash is kept, so that a map that grows does not read the texts
/// again.
struct Entry {
    hash: u64,
    kind: Kind,
    issuer: Arc<str>,
    text: Box<str>,
}

/// The end of a revocation, and the time until which its tokens were issued. Both only get
/// later, so a reader may see one without the other.
pub(super) struct Times {
    until: AtomicI64,
    before: AtomicI64,
}

/// The name in a revocation or a token, borrowed, and its hash.
#[derive(Clone, Copy)]
pub(super) struct Name<'a> {
    pub(super) hash: u64,
    pub(super) kind: Kind,
    pub(super) issuer: &'a str,
    pub(super) text: &'a str,
}

/// The outcome for a revocation that may be over.
pub(super) enum Over {
    Removed(Arc<str>),
    /// It lasts until then.
    Lasts(i64),
    Missing,
}

impl Table {
    pub(super) fn new() -> Self {
        let collector = Arc::new(Collector::new());
        let part = |_| {
            let part = HashMap::builder().hasher(BuildHasherDefault::default());
            part.shared_collector(Arc::clone(&collector)).build()
        };
        Self {
            parts: (0..PARTS).map(part).collect(),
            collector,
            hasher: RandomState::new(),
            counts: Default::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.counts.iter().map(|count| count.load(Relaxed)).sum()
    }

    #[inline]
    pub(super) fn has_none_of(&self, kind: Kind) -> bool {
        self.count(kind).is_none_or(|count| count.load(Relaxed) == 0)
    }

    #[inline]
    pub(super) fn name<'a>(&self, kind: Kind, issuer: &'a str, text: &'a str) -> Name<'a> {
        Name { hash: self.hasher.hash_one((kind, issuer, text)), kind, issuer, text }
    }

    pub(super) fn name_of<'a>(&self, revocation: &'a Revocation) -> Name<'a> {
        let (kind, text) = revocation.name();
        self.name(kind, revocation.issuer(), text)
    }

    /// Keeps the entries that are found from being freed. One serves for all lookups of a request.
    #[inline]
    pub(super) fn view(&self) -> LocalGuard<'_> {
        self.collector.enter()
    }

    #[inline]
    pub(super) fn find<'v>(&self, name: Name<'_>, view: &'v LocalGuard<'_>) -> Option<&'v Times> {
        self.part(name.hash)?.get(&name, view)
    }

    #[cfg(any(test, feature = "redis"))]
    pub(super) fn has(&self, name: Name<'_>) -> bool {
        self.find(name, &self.view()).is_some()
    }

    /// All revocations, with the hash of each. Changes in the meantime may or may not be seen.
    pub(super) fn iter<'v>(
        &'v self,
        view: &'v LocalGuard<'_>,
    ) -> impl Iterator<Item = (u64, &'v Times, Name<'v>)> {
        let entries = self.parts.iter().flat_map(|part| part.iter(view));
        entries.map(|(entry, times)| (entry.hash, times, entry.name()))
    }

    /// Makes the times of a revocation later if these are later, and gives the new ones. Only the
    /// writer may call it.
    pub(super) fn merge(&self, name: Name<'_>, until: i64, before: i64) -> Option<(i64, i64)> {
        let view = self.view();
        let times = self.find(name, &view)?;
        times.until.fetch_max(until, Relaxed);
        times.before.fetch_max(before, Relaxed);
        Some((times.until(), times.before()))
    }

    /// Adds a revocation that is not in the table. Only the writer may call it.
    pub(super) fn insert(&self, name: Name<'_>, issuer: Arc<str>, until: i64, before: i64) {
        let (Some(part), view) = (self.part(name.hash), self.view()) else { return };
        // Before the entry, because readers do not look for a kind whose count is zero.
        if let Some(count) = self.count(name.kind) {
            count.fetch_add(1, Relaxed);
        }
        // Without this, a map may fill up so far that it takes long to find that an entry is
        // missing.
        part.reserve(1, &view);
        let entry = Entry { hash: name.hash, kind: name.kind, issuer, text: name.text.into() };
        let times = Times { until: AtomicI64::new(until), before: AtomicI64::new(before) };
        part.insert(entry, times, &view);
    }

    /// Removes a revocation whose name has this hash, if it is over. Of two with the same hash,
    /// it may be either. Only the writer may call it.
    pub(super) fn remove_over(&self, hash: u64, now: i64) -> Over {
        let (Some(part), view) = (self.part(hash), self.view()) else { return Over::Missing };
        match part.remove_if(&AnyOf(hash), |_, times| times.until() <= now, &view) {
            Ok(None) => Over::Missing,
            Err((_, times)) => Over::Lasts(times.until()),
            Ok(Some((entry, _))) => {
                if let Some(count) = self.count(entry.kind) {
                    count.fetch_sub(1, Relaxed);
                }
                Over::Removed(Arc::clone(&entry.issuer))
            }
        }
    }

    #[inline]
    fn part(&self, hash: u64) -> Option<&Part> {
        // A map itself uses the lowest and the highest bits.
        let place = usize::try_from(hash >> 32 & MASK).ok()?;
        self.parts.get(place)
    }

    #[inline]
    fn count(&self, kind: Kind) -> Option<&AtomicUsize> {
        self.counts.get(kind as usize)
    }
}

impl Times {
    #[inline]
    pub(super) fn until(&self) -> i64 {
        self.until.load(Relaxed)
    }

    #[inline]
    pub(super) fn before(&self) -> i64 {
        self.before.load(Relaxed)
    }
}

impl Entry {
    #[inline]
    fn name(&self) -> Name<'_> {
        Name { hash: self.hash, kind: self.kind, issuer: &self.issuer, text: &self.text }
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.name().equivalent(other)
    }
}

impl Eq for Entry {}

impl Hash for Entry {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Hash for Name<'_> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Equivalent<Entry> for Name<'_> {
    /// Compares the hashes first, to save reading the texts.
    #[inline]
    fn equivalent(&self, entry: &Entry) -> bool {
        self.hash == entry.hash
            && self.kind == entry.kind
            && *self.text == *entry.text
            && *self.issuer == *entry.issuer
    }
}

/// Any revocation whose name has this hash.
struct AnyOf(u64);

impl Hash for AnyOf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

impl Equivalent<Entry> for AnyOf {
    fn equivalent(&self, entry: &Entry) -> bool {
        self.0 == entry.hash
    }
}

/// A hasher for keys that are hashes already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // These keys do not call it. It is correct nevertheless.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    #[inline]
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// The number of maps, a power of two, and the mask for it.
const PARTS: u64 = 64;
const MASK: u64 = PARTS - 1;
