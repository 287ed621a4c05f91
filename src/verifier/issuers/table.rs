//! The table of issuers and their engines. Readers take no lock; one writer at a time changes it.

use std::{
    collections::BTreeSet,
    hash::RandomState,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use arc_swap::{ArcSwapOption, Guard};
use papaya::HashMap;

use crate::{clock::is_set_back, verifier::engine::Engine};

pub(super) struct Table<C> {
    /// The map frees removed entries some time later. A removed engine must go at once, with the
    /// task that fetches its keys, so the map holds entries, and their engines are taken out.
    entries: HashMap<Arc<str>, IssuerEntry<C>, RandomState>,
    /// Locked by writers only.
    changes: Mutex<Changes>,
}

/// The entry of an issuer.
struct IssuerEntry<C> {
    engine: ArcSwapOption<Engine<C>>,
    /// When it is due to be resolved again, in seconds since 1970; [`NEVER`] if the application
    /// added it.
    until: AtomicI64,
    /// When it was resolved.
    resolved: AtomicI64,
    /// Whether a request has needed it since then.
    needed: AtomicBool,
}

/// The engine of an issuer at one moment.
pub(in crate::verifier) struct LoadedEngine<C>(Guard<Option<Arc<Engine<C>>>>);

impl<C> LoadedEngine<C> {
    fn new(loaded: Guard<Option<Arc<Engine<C>>>>) -> Option<Self> {
        loaded.is_some().then(|| Self(loaded))
    }

    #[inline]
    pub(in crate::verifier) fn engine(&self) -> &Arc<Engine<C>> {
        self.0.as_ref().expect("`new` has checked it, and a guard does not change")
    }
}

/// An engine that was found.
pub(super) struct FoundEngine<C> {
    pub(super) engine: LoadedEngine<C>,
    /// Whether it is due to be resolved again.
    pub(super) is_old: bool,
}

#[derive(Default)]
struct Changes {
    /// The resolved issuers, by the time when they are due to be resolved again.
    resolved: BTreeSet<(i64, Box<str>)>,
}

impl<C> Table<C> {
    pub(super) fn new() -> Self {
        let entries = HashMap::with_hasher(RandomState::new());
        Self { entries, changes: Mutex::default() }
    }

    /// Adds an engine for these issuers, in place of those that they have.
    pub(super) fn add(&self, issuers: &[Arc<str>], engine: &Arc<Engine<C>>) {
        let mut changes = self.changes();
        for issuer in issuers {
            self.put(&mut changes, issuer, engine, (NEVER, NEVER));
        }
    }

    /// Removes an issuer, and returns whether it was present.
    pub(super) fn remove(&self, issuer: &str) -> bool {
        let mut changes = self.changes();
        self.take(&mut changes, issuer)
    }

    /// Keeps the engine of a resolved issuer, if there are fewer than `most`, and returns whether
    /// there was room. An issuer that the application added stays as it is. Only an issuer whose
    /// lifetime is over, and that no request has needed since, makes room.
    pub(super) fn keep(
        &self,
        issuer: &str,
        engine: &Arc<Engine<C>>,
        (now, until): (i64, i64),
        most: usize,
    ) -> bool {
        let mut changes = self.changes();
        let former = self.entries.pin().get(issuer).map(IssuerEntry::until);
        if former == Some(NEVER) {
            return true;
        }
        while let Some((until, _)) = changes.resolved.first()
            && is_over(*until, now)
        {
            if let Some((_, issuer)) = changes.resolved.pop_first() {
                self.take(&mut changes, &issuer);
            }
        }
        if former.is_none() && changes.resolved.len() >= most {
            let Some(unneeded) = self.unneeded(&changes, now) else { return false };
            self.take(&mut changes, &unneeded);
        }
        self.put(&mut changes, issuer, engine, (now, until.min(NEVER - 1)));
        true
    }

    /// Removes an issuer that the resolver no longer knows, unless the application added it.
    pub(super) fn drop_resolved(&self, issuer: &str) {
        let mut changes = self.changes();
        let until = self.entries.pin().get(issuer).map(IssuerEntry::until);
        if until.is_some_and(|until| until != NEVER) {
            self.take(&mut changes, issuer);
        }
    }

    /// The engine of an issuer. `now` is called only if the issuer was resolved.
    #[inline]
    pub(super) fn find(&self, issuer: &str, now: impl FnOnce() -> i64) -> Option<FoundEngine<C>> {
        let entries = self.entries.pin();
        let entry = entries.get(issuer)?;
        let until = entry.until();
        let is_old = until != NEVER && {
            let now = now();
            // A clock that is set back must not prolong it.
            if is_over(until, now) || is_set_back(now, entry.resolved.load(Ordering::Relaxed)) {
                return None;
            }
            now >= until
        };
        if is_old {
            entry.needed.store(true, Ordering::Relaxed);
        }
        Some(FoundEngine { engine: LoadedEngine::new(entry.engine.load())?, is_old })
    }

    /// The engine of an issuer, whatever the time.
    pub(super) fn get(&self, issuer: &str) -> Option<Arc<Engine<C>>> {
        self.entries.pin().get(issuer)?.engine.load_full()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.entries.pin().keys().map(|issuer| issuer.to_string()).collect()
    }

    fn put(
        &self,
        changes: &mut Changes,
        issuer: &str,
        engine: &Arc<Engine<C>>,
        (resolved, until): (i64, i64),
    ) {
        let entries = self.entries.pin();
        match entries.get(issuer) {
            Some(entry) => {
                changes.forget(issuer, entry.until());
                // A reader may see one of these stores before the other: then it only asks once more.
                entry.until.store(until, Ordering::Relaxed);
                entry.resolved.store(resolved, Ordering::Relaxed);
                entry.needed.store(false, Ordering::Relaxed);
                entry.engine.store(Some(Arc::clone(engine)));
            }
            None => {
                // The key is the engine's own text of the issuer: the rules read the same memory again
                // that was read to find the engine.
                let name = engine.named(issuer).map_or_else(|| issuer.into(), Arc::clone);
                entries.insert(name, IssuerEntry::new(engine, (resolved, until)));
            }
        }
        if until != NEVER {
            changes.resolved.insert((until, issuer.into()));
        }
    }

    fn take(&self, changes: &mut Changes, issuer: &str) -> bool {
        let entries = self.entries.pin();
        let Some(entry) = entries.remove(issuer) else { return false };
        changes.forget(issuer, entry.until());
        entry.engine.store(None);
        true
    }

    /// An issuer whose lifetime is over, and that no request has needed since.
    fn unneeded(&self, changes: &Changes, now: i64) -> Option<Box<str>> {
        let entries = self.entries.pin();
        let is_unneeded = |issuer: &str| {
            entries.get(issuer).is_some_and(|entry| !entry.needed.load(Ordering::Relaxed))
        };
        let over = changes.resolved.iter().take_while(|(until, _)| *until <= now);
        let mut issuers = over.map(|(_, issuer)| issuer).take(LOOKED_AT);
        issuers.find(|issuer| is_unneeded(issuer)).cloned()
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        // An engine may panic when it is dropped. The changes are whole nevertheless.
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Changes {
    /// Forgets that an issuer was resolved, if it was.
    fn forget(&mut self, issuer: &str, until: i64) {
        if until != NEVER {
            self.resolved.remove(&(until, issuer.into()));
        }
    }
}

impl<C> IssuerEntry<C> {
    fn new(engine: &Arc<Engine<C>>, (resolved, until): (i64, i64)) -> Self {
        let (engine, needed) = (ArcSwapOption::from(Some(Arc::clone(engine))), false.into());
        Self { engine, until: until.into(), resolved: resolved.into(), needed }
    }

    fn until(&self) -> i64 {
        self.until.load(Ordering::Relaxed)
    }
}

/// Whether an issuer must no longer be used.
fn is_over(until: i64, now: i64) -> bool {
    now >= until.saturating_add(GRACE)
}

/// The time of an issuer that the application added: no other time is as late.
const NEVER: i64 = i64::MAX;

/// Seconds for which an issuer that cannot be resolved again remains valid.
const GRACE: i64 = 24 * 3600;

/// How many issuers are checked to find one that makes room.
const LOOKED_AT: usize = 100;

#[cfg(test)]
mod tests {
    use std::collections::HashMap as Map;

    use super::*;
    use crate::{claims::RegisteredClaims, keys::Key, verifier::Verifier};

    fn engine() -> Arc<Engine<RegisteredClaims>> {
        let builder = Verifier::builder().issuer("i").audience("a").keys(Key::hs256([7; 32]));
        Arc::clone(builder.build().unwrap().engine().unwrap())
    }

    /// The same by looking at each entry: when it is to be resolved again, by issuer.
    type Slow = Map<String, Option<i64>>;

    fn keep(slow: &mut Slow, issuer: &str, now: i64, until: i64, most: usize) {
        if slow.get(issuer) == Some(&None) {
            return;
        }
        slow.retain(|_, until| until.is_none_or(|until| now < until + GRACE));
        let resolved = slow.iter().filter_map(|(name, until)| Some(((*until)?, name)));
        if !slow.contains_key(issuer) && resolved.clone().count() >= most {
            let first = resolved.min().filter(|(until, _)| *until <= now);
            let Some(first) = first.map(|(_, name)| name.clone()) else { return };
            slow.remove(&first);
        }
        slow.insert(issuer.into(), Some(until));
    }

    #[test]
    fn random_changes_are_as_those_of_a_table_that_is_looked_through() {
        let (table, engine, mut slow) = (Table::new(), engine(), Slow::new());
        let (mut now, mut seed) = (0_i64, 1_u64);
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        for _ in 0..20_000 {
            now += i64::try_from(random(8_000)).unwrap();
            let issuer = random(12).to_string();
            match random(8) {
                0 => {
                    table.add(&[issuer.as_str().into()], &engine);
                    slow.insert(issuer, None);
                }
                1 => assert_eq!(table.remove(&issuer), slow.remove(&issuer).is_some()),
                2 => {
                    table.drop_resolved(&issuer);
                    if slow.get(&issuer).is_some_and(Option::is_some) {
                        slow.remove(&issuer);
                    }
                }
                _ => {
                    let until = now + i64::try_from(random(5_000)).unwrap();
                    table.keep(&issuer, &engine, (now, until), 5);
                    keep(&mut slow, &issuer, now, until, 5);
                }
            }
            let there = |name: &str| {
                let until = table.entries.pin().get(name)?.until();
                Some((until != NEVER).then_some(until))
            };
            let mut names = table.names();
            names.sort();
            let mut expected: Vec<_> = slow.keys().cloned().collect();
            expected.sort();
            assert_eq!(names, expected);
            assert!(slow.iter().all(|(name, until)| there(name) == Some(*until)));
            let resolved =
                slow.iter().filter_map(|(name, until)| Some(((*until)?, name.as_str().into())));
            assert_eq!(table.changes().resolved, resolved.collect());
        }
    }

    #[test]
    fn a_verifier_that_is_removed_or_replaced_is_dropped_at_once() {
        let (table, first, second) = (Table::new(), engine(), engine());
        let there = |engine: &Arc<_>| Arc::strong_count(engine) - 1;
        table.add(&["i".into(), "j".into()], &first);
        assert_eq!(there(&first), 2);
        table.add(&["i".into()], &second);
        assert_eq!((there(&first), there(&second)), (1, 1));
        assert!(table.remove("j") && !table.remove("j"));
        assert_eq!((there(&first), there(&second)), (0, 1));
        assert!(table.get("j").is_none());
    }
}
