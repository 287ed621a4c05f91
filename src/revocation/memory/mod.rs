//! A denylist in the memory of this process.

mod due;
mod table;

#[cfg(any(test, feature = "redis"))]
use std::collections::HashSet;
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use self::{due::Due, table::Table};
use super::{Denylist, Revocation, TokenIds, Watchers};
use crate::{
    clock::{Clock, SystemClock, unix_seconds},
    error::{ConfigError, StoreError},
    maybe_ready::MaybeReady,
    observe::{DenylistReport, Observer},
};

/// A denylist for one process; cheap to clone, and all clones share one list.
///
/// A lookup takes no lock, so no writer delays it, and its cost does not depend on the
/// number of revocations. Each insert removes a few revocations that are over.
///
/// A revocation takes about 150 bytes if its name has 22 characters; `docs/performance.md` has
/// the measurement. Revocations of the same issuer share its text.
///
/// # Rules
///
/// 1. A token is revoked if a revocation has the same issuer and the same `jti`, `sid` or
///    `sub`, compared as whole texts.
/// 2. Of two revocations that name the same, the later of each time
///    holds.
/// 3. A full list removes revocations that are over, and only as many as it needs. If there are
///    too few, [`insert`](Self::insert) fails, and the list stays as it was.
///
/// # Defaults
///
/// - at most 1,000,000 revocations
/// - clock: the system clock
#[derive(Clone)]
pub struct MemoryDenylist(Arc<List>);

struct List {
    /// All requests read it, without a lock.
    table: Table,
    /// Locked by writers only.
    due: Mutex<Due>,
    most: usize,
    clock: Box<dyn Clock>,
    observer: OnceLock<Arc<dyn Observer>>,
    /// Told after the table has changed and the lock is free. They are told of what the list has no
    /// room for, too: its token must not be taken for good.
    watchers: Watchers,
}

impl MemoryDenylist {
    /// An empty list with the defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::with(MOST, Box::new(SystemClock))
    }

    /// Starts to build an empty list.
    pub fn builder() -> MemoryDenylistBuilder {
        MemoryDenylistBuilder { max_revocations: MOST, clock: Box::new(SystemClock) }
    }

    #[cfg(feature = "issue")]
    pub(crate) fn with_clock(clock: impl Clock) -> Self {
        Self::with(MOST, Box::new(clock))
    }

    pub(crate) fn with(most: usize, clock: Box<dyn Clock>) -> Self {
        let (table, due, observer) = (Table::new(), Mutex::default(), OnceLock::new());
        Self(Arc::new(List { table, due, most, clock, observer, watchers: Watchers::new() }))
    }

    /// The number of revocations.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.table.len()
    }

    /// Whether the list is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a revocation. If the list already has one that names the same, the later times of
    /// both hold.
    ///
    /// # Errors
    ///
    /// The list is full.
    pub fn insert(&self, revocation: Revocation) -> Result<(), StoreError> {
        let (mut due, now) = (self.0.due(), self.0.now());
        if revocation.keep_until() <= now {
            return Ok(());
        }
        let inserted = self.0.insert(&mut due, &revocation, now).map(drop);
        drop(due);
        self.0.watchers.tell(&revocation);
        self.report();
        inserted
    }

    /// Tells the observer how many revocations there are.
    fn report(&self) {
        if let Some(observer) = self.0.observer.get() {
            observer.denylist(&DenylistReport::new(Some(Duration::ZERO), self.len()));
        }
    }

    /// Adds many at once, or none if there is no room for all of them.
    #[cfg(any(test, feature = "redis"))]
    pub(crate) fn insert_all(
        &self,
        revocations: impl IntoIterator<Item = Revocation>,
    ) -> Result<(), StoreError> {
        let list = &*self.0;
        let (mut due, now) = (list.due(), list.now());
        let all: Vec<_> = revocations.into_iter().filter(|one| one.keep_until() > now).collect();
        let names = all.iter().map(|one| list.table.name_of(one));
        let new: HashSet<u64> =
            names.filter(|name| !list.table.has(*name)).map(|name| name.hash).collect();
        let inserted = list.make_room(&mut due, new.len(), now).and_then(|()| {
            all.iter().try_for_each(|one| list.insert(&mut due, one, now).map(drop))
        });
        drop(due);
        all.iter().for_each(|one| list.watchers.tell(one));
        inserted
    }

    /// Adds a page of a longer list. `covered` gets the [hash](Self::hash_of) of each revocation
    /// that is over, or that says as much as this list then says of the same name. A revocation
    /// for which there is no room is left out.
    ///
    /// Other writers wait only for this page.
    ///
    /// # Errors
    ///
    /// There was no room for some of them.
    #[cfg(any(test, feature = "redis"))]
    pub(crate) fn insert_page(
        &self,
        page: impl IntoIterator<Item = Revocation>,
        covered: &mut HashSet<u64>,
    ) -> Result<(), StoreError> {
        let list = &*self.0;
        let (mut due, now) = (list.due(), list.now());
        let (mut done, page) = (Ok(()), page.into_iter().collect::<Vec<_>>());
        for one in &page {
            let says_all = one.keep_until() <= now
                || match list.insert(&mut due, one, now) {
                    Ok(says_all) => says_all,
                    Err(full) => {
                        done = Err(full);
                        false
                    }
                };
            if says_all {
                covered.insert(self.hash_of(one));
            }
        }
        drop(due);
        page.iter().for_each(|one| list.watchers.tell(one));
        done
    }

    /// The revocations that are not over and whose [hash](Self::hash_of) is not in `covered`. It
    /// reads all of them: with many, call it where it may block.
    #[cfg(any(test, feature = "redis"))]
    pub(crate) fn not_covered(&self, covered: &HashSet<u64>) -> Vec<Revocation> {
        self.collect(|hash| !covered.contains(&hash))
    }

    /// A keyed hash of the name in a revocation. It does not change while this list lives.
    #[cfg(any(test, feature = "redis"))]
    pub(crate) fn hash_of(&self, revocation: &Revocation) -> u64 {
        self.0.table.name_of(revocation).hash
    }

    /// Whether a revocation names this token.
    #[must_use]
    #[inline]
    pub fn contains(&self, token: TokenIds<'_>) -> bool {
        let (table, mut view) = (&self.0.table, None);
        token.each().any(|(kind, text)| {
            if table.has_none_of(kind) {
                return false;
            }
            let view = view.get_or_insert_with(|| table.view());
            let name = table.name(kind, token.issuer(), text);
            table.find(name, view).is_some_and(|times| token.is_issued_until(times.before()))
        })
    }

    /// All revocations that are not over.
    #[must_use]
    pub fn revocations(&self) -> Vec<Revocation> {
        self.collect(|_| true)
    }

    /// The revocations that are not over and whose hash is `wanted`.
    fn collect(&self, wanted: impl Fn(u64) -> bool) -> Vec<Revocation> {
        let (table, now) = (&self.0.table, self.0.now());
        let view = table.view();
        let all = table.iter(&view).filter(|(hash, times, _)| times.until() > now && wanted(*hash));
        all.map(|(_, times, name)| {
            Revocation::of(name.kind, name.issuer, name.text, times.until(), times.before())
        })
        .collect()
    }
}

impl Denylist for MemoryDenylist {
    fn revoke(&self, revocation: Revocation) -> MaybeReady<Result<(), StoreError>> {
        MaybeReady::Ready(self.insert(revocation))
    }

    #[inline]
    fn is_revoked(&self, token: TokenIds<'_>) -> MaybeReady<Result<bool, StoreError>> {
        MaybeReady::Ready(Ok(self.contains(token)))
    }

    fn observe(&self, observer: Arc<dyn Observer>) {
        if self.0.observer.set(observer).is_ok() {
            self.report();
        }
    }

    fn watchers(&self) -> Option<&Watchers> {
        Some(&self.0.watchers)
    }
}

impl List {
    fn due(&self) -> MutexGuard<'_, Due> {
        // No code that holds the lock panics. If it did, an entry would stay too long.
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> i64 {
        unix_seconds(self.clock.now())
    }

    /// Adds a revocation that is not over. Says whether the list then says no more of the same
    /// name than this revocation.
    fn insert(&self, due: &mut Due, revocation: &Revocation, now: i64) -> Result<bool, StoreError> {
        let name = self.table.name_of(revocation);
        let (until, before) =
            (revocation.keep_until(), revocation.issued_until().unwrap_or(i64::MAX));
        // A few at a time, so that an insert is short: it adds only one.
        for _ in 0..AT_ONCE {
            if !due.remove_one(&self.table, now) {
                break;
            }
        }
        if let Some(merged) = self.table.merge(name, until, before) {
            return Ok(merged == (until, before));
        }
        self.make_room(due, 1, now)?;
        due.insert(&self.table, name, until, before);
        Ok(true)
    }

    /// Removes as many revocations that are over as it takes to add `more`.
    fn make_room(&self, due: &mut Due, more: usize, now: i64) -> Result<(), StoreError> {
        while self.table.len().saturating_add(more) > self.most {
            if !due.remove_one(&self.table, now) {
                return Err(StoreError::new(
                    "the denylist is full: set a larger `max_revocations`",
                ));
            }
        }
        Ok(())
    }
}

/// Builds a [`MemoryDenylist`].
#[must_use = "a builder does nothing until it is built"]
pub struct MemoryDenylistBuilder {
    max_revocations: usize,
    clock: Box<dyn Clock>,
}

impl MemoryDenylistBuilder {
    /// Sets the largest number of revocations in the list. If it is full, a logout fails with an
    /// error. Default: 1,000,000.
    pub fn max_revocations(mut self, most: usize) -> Self {
        self.max_revocations = most;
        self
    }

    /// Sets the clock that says which revocations are over. Default: the system clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Builds the list.
    ///
    /// # Errors
    ///
    /// The number of revocations is 0.
    pub fn build(self) -> Result<MemoryDenylist, ConfigError> {
        if self.max_revocations == 0 {
            return Err(ConfigError::OutOfRange("a denylist has room for at least one revocation"));
        }
        Ok(MemoryDenylist::with(self.max_revocations, self.clock))
    }
}

impl fmt::Debug for MemoryDenylistBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryDenylistBuilder")
            .field("max_revocations", &self.max_revocations)
            .finish_non_exhaustive()
    }
}

impl Default for MemoryDenylist {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryDenylist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryDenylist").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// The default limit of revocations.
const MOST: usize = 1_000_000;

/// The number of revocations that an insert removes if they are over.
const AT_ONCE: usize = 8;

#[cfg(test)]
mod tests;
