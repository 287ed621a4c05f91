//! The revocations by what they name: everybody reads them without a lock, one at a time
//! writes.

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

/// Several maps, because each one is copied as a whole when it grows: only writers wait for
/// that, and for a small part of the entries.
pub(super) struct Table {
    parts: Box<[Part]>,
    /// Of all maps, so that one view serves for each of them.
    collector: Arc<Collector>,
    hasher: RandomState,
    /// How many there are of each kind: most lists have one kind only.
    counts: [AtomicUsize; 3],
}

type Part = HashMap<Entry, Times, BuildHasherDefault<Hashed>>;

/// What a revocation names. The hash is kept, so that a map that grows does not read the
/// texts again.
struct Entry {
    hash: u64,
    kind: Kind,
    issuer: Arc<str>,
    text: Box<str>,
}

/// When a revocation is over, and until when its tokens were issued. Both only get later, so
/// each is right by itself.
pub(super) struct Times {
    until: AtomicI64,
    before: AtomicI64,
}

/// What a revocation or a token names, not copied, and its hash.
#[derive(Clone, Copy)]
pub(super) struct Name<'a> {
    pub(super) hash: u64,
    pub(super) kind: Kind,
    pub(super) issuer: &'a str,
    pub(super) text: &'a str,
}

/// What became of a revocation that may be over.
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

    /// Keeps what is found from being freed; one serves for all lookups of a request.
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

    /// All of them, with the hash of each; what changes meanwhile is there or not.
    pub(super) fn iter<'v>(
        &'v self,
        view: &'v LocalGuard<'_>,
    ) -> impl Iterator<Item = (u64, &'v Times, Name<'v>)> {
        let entries = self.parts.iter().flat_map(|part| part.iter(view));
        entries.map(|(entry, times)| (entry.hash, times, entry.name()))
    }

    /// Makes the times of a revocation later if these are, and gives them as they then are.
    /// Called by the one who writes.
    pub(super) fn merge(&self, name: Name<'_>, until: i64, before: i64) -> Option<(i64, i64)> {
        let view = self.view();
        let times = self.find(name, &view)?;
        times.until.fetch_max(until, Relaxed);
        times.before.fetch_max(before, Relaxed);
        Some((times.until(), times.before()))
    }

    /// Adds a revocation that is not there. Called by the one who writes.
    pub(super) fn insert(&self, name: Name<'_>, issuer: Arc<str>, until: i64, before: i64) {
        let (Some(part), view) = (self.part(name.hash), self.view()) else { return };
        // Before the entry: where there is no such kind, nobody looks.
        if let Some(count) = self.count(name.kind) {
            count.fetch_add(1, Relaxed);
        }
        // A map that fills up by itself takes long to say that something is missing.
        part.reserve(1, &view);
        let entry = Entry { hash: name.hash, kind: name.kind, issuer, text: name.text.into() };
        let times = Times { until: AtomicI64::new(until), before: AtomicI64::new(before) };
        part.insert(entry, times, &view);
    }

    /// Removes a revocation whose name has this hash, if its time is over. Of two with the
    /// same hash, it may be either. Called by the one who writes.
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
        // Within a map, the lowest and the highest bits decide.
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
    /// The hash only saves reading the texts.
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

/// For keys that are hashes already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Not called by these keys, and correct nevertheless.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    #[inline]
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// A power of two of them, and that less one.
const PARTS: u64 = 64;
const MASK: u64 = PARTS - 1;
