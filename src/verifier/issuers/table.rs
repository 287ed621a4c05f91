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

use crate::verifier::engine::Engine;

pub(super) struct Table<C> {
    /// The map frees what it held some time later. An engine that is removed goes at once, with
    /// the task that fetches its keys: so the map holds places, and these are emptied.
    places: HashMap<Arc<str>, IssuerEntry<C>, RandomState>,
    /// Locked by writers only.
    changes: Mutex<Changes>,
}

/// The place of an issuer.
struct IssuerEntry<C> {
    engine: ArcSwapOption<Engine<C>>,
    /// When it is to be resolved again, in seconds since 1970; [`NEVER`] if it was added by hand.
    until: AtomicI64,
    /// Whether somebody has needed it since then.
    needed: AtomicBool,
}

/// The engine of an issuer, as it was at one moment.
pub(in crate::verifier) struct LoadedEngine<C>(Guard<Option<Arc<Engine<C>>>>);

impl<C> LoadedEngine<C> {
    fn new(loaded: Guard<Option<Arc<Engine<C>>>>) -> Option<Self> {
        loaded.is_some().then(|| Self(loaded))
    }

    #[inline]
    pub(in crate::verifier) fn engine(&self) -> &Arc<Engine<C>> {
        self.0.as_ref().expect("`new` has looked, and it does not change")
    }
}

/// An engine that was found.
pub(super) struct FoundEngine<C> {
    pub(super) engine: LoadedEngine<C>,
    /// Whether it is to be resolved again.
    pub(super) is_old: bool,
}

#[derive(Default)]
struct Changes {
    /// The issuers that were resolved, by the time when they are to be resolved again.
    resolved: BTreeSet<(i64, Box<str>)>,
}

impl<C> Table<C> {
    pub(super) fn new() -> Self {
        let places = HashMap::with_hasher(RandomState::new());
        Self { places, changes: Mutex::default() }
    }

    /// Puts an engine in the place of what was there for these issuers.
    pub(super) fn add(&self, issuers: &[Arc<str>], engine: &Arc<Engine<C>>) {
        let mut changes = self.changes();
        for issuer in issuers {
            self.put(&mut changes, issuer, engine, NEVER);
        }
    }

    /// Removes an issuer, and says whether it was there.
    pub(super) fn remove(&self, issuer: &str) -> bool {
        let mut changes = self.changes();
        self.take(&mut changes, issuer)
    }

    /// Keeps what was resolved, at most so many. An issuer that was added by hand stays as it is.
    /// One whose lifetime is over, and that nobody has asked for since, makes room; no
    /// other does. Says whether there was room.
    pub(super) fn keep(
        &self,
        issuer: &str,
        engine: &Arc<Engine<C>>,
        (now, until): (i64, i64),
        most: usize,
    ) -> bool {
        let mut changes = self.changes();
        let former = self.places.pin().get(issuer).map(IssuerEntry::until);
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
        self.put(&mut changes, issuer, engine, until.min(NEVER - 1));
        true
    }

    /// The resolver knows it no more; what was added by hand stays.
    pub(super) fn drop_resolved(&self, issuer: &str) {
        let mut changes = self.changes();
        let until = self.places.pin().get(issuer).map(IssuerEntry::until);
        if until.is_some_and(|until| until != NEVER) {
            self.take(&mut changes, issuer);
        }
    }

    /// The engine of an issuer. Of one that was added by hand, nobody asks for the time.
    #[inline]
    pub(super) fn find(&self, issuer: &str, now: impl FnOnce() -> i64) -> Option<FoundEngine<C>> {
        let places = self.places.pin();
        let place = places.get(issuer)?;
        let until = place.until();
        let is_old = until != NEVER && {
            let now = now();
            if is_over(until, now) {
                return None;
            }
            now >= until
        };
        if is_old {
            place.needed.store(true, Ordering::Relaxed);
        }
        Some(FoundEngine { engine: LoadedEngine::new(place.engine.load())?, is_old })
    }

    /// The engine of an issuer, whatever the time.
    pub(super) fn get(&self, issuer: &str) -> Option<Arc<Engine<C>>> {
        self.places.pin().get(issuer)?.engine.load_full()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.places.pin().keys().map(|issuer| issuer.to_string()).collect()
    }

    fn put(&self, changes: &mut Changes, issuer: &str, engine: &Arc<Engine<C>>, until: i64) {
        let places = self.places.pin();
        match places.get(issuer) {
            Some(place) => {
                changes.forget(issuer, place.until());
                // A reader may see one of the two before the other: then it asks again in vain.
                place.until.store(until, Ordering::Relaxed);
                place.needed.store(false, Ordering::Relaxed);
                place.engine.store(Some(Arc::clone(engine)));
            }
            None => {
                // In the place where the engine has it: what was read to find the engine is read
                // again by its rules.
                let name = engine.named(issuer).map_or_else(|| issuer.into(), Arc::clone);
                places.insert(name, IssuerEntry::new(engine, until));
            }
        }
        if until != NEVER {
            changes.resolved.insert((until, issuer.into()));
        }
    }

    fn take(&self, changes: &mut Changes, issuer: &str) -> bool {
        let places = self.places.pin();
        let Some(place) = places.remove(issuer) else { return false };
        changes.forget(issuer, place.until());
        place.engine.store(None);
        true
    }

    /// One whose lifetime is over, and that nobody has needed since.
    fn unneeded(&self, changes: &Changes, now: i64) -> Option<Box<str>> {
        let places = self.places.pin();
        let is_unneeded = |issuer: &str| {
            places.get(issuer).is_some_and(|place| !place.needed.load(Ordering::Relaxed))
        };
        let over = changes.resolved.iter().take_while(|(until, _)| *until <= now);
        let mut issuers = over.map(|(_, issuer)| issuer).take(LOOKED_AT);
        issuers.find(|issuer| is_unneeded(issuer)).cloned()
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        // An application's verifier may panic when it is dropped: then all is in order.
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
    fn new(engine: &Arc<Engine<C>>, until: i64) -> Self {
        let (engine, needed) = (ArcSwapOption::from(Some(Arc::clone(engine))), false.into());
        Self { engine, until: until.into(), needed }
    }

    fn until(&self) -> i64 {
        self.until.load(Ordering::Relaxed)
    }
}

/// Whether an issuer is not to be used any more, resolved again or not.
fn is_over(until: i64, now: i64) -> bool {
    now >= until.saturating_add(GRACE)
}

/// Of an issuer that is not resolved: no other time is as late.
const NEVER: i64 = i64::MAX;

/// Seconds for which an issuer serves on that cannot be resolved again.
const GRACE: i64 = 24 * 3600;

/// How many issuers are looked at to find one that makes room.
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
                let until = table.places.pin().get(name)?.until();
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
