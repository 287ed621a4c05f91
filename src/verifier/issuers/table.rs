//! Which issuer has which verifier: everybody reads it without a lock, one at a time
//! writes.

use std::{
    collections::BTreeSet,
    hash::RandomState,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use arc_swap::{ArcSwapOption, Guard};
use papaya::HashMap;

use crate::verifier::Verifier;

pub(super) struct Table<C> {
    /// The map frees what it held some time later. A verifier that is removed goes at once,
    /// with the task that fetches its keys: so the map holds places, and these are emptied.
    places: HashMap<Arc<str>, ArcSwapOption<Entry<C>>, RandomState>,
    /// Held by who writes.
    changes: Mutex<Changes>,
}

pub(super) struct Entry<C> {
    pub(super) verifier: Verifier<C>,
    /// When it is to be resolved again, in seconds since 1970; never if it was added
    /// by hand.
    until: Option<i64>,
    /// Whether somebody has needed it since then.
    needed: AtomicBool,
}

/// An entry as it was at one moment; `None` if it is being removed.
pub(super) type Loaded<C> = Guard<Option<Arc<Entry<C>>>>;

/// How an issuer is found.
pub(super) enum Found<'t, C> {
    Fresh(&'t Verifier<C>),
    /// To be resolved again.
    Old(&'t Verifier<C>),
    Missing,
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

    /// Puts a verifier in the place of what was there for these issuers.
    pub(super) fn add(&self, issuers: &[Arc<str>], verifier: &Verifier<C>) {
        let mut changes = self.changes();
        for issuer in issuers {
            self.put(&mut changes, issuer, Entry::new(verifier, None));
        }
    }

    /// Removes an issuer, and says whether it was there.
    pub(super) fn remove(&self, issuer: &str) -> bool {
        let mut changes = self.changes();
        self.take(&mut changes, issuer)
    }

    /// Keeps what was resolved, but for an issuer that was added by hand: at most so many of
    /// them. One whose lifetime is over, and that nobody has asked for since, makes room; no
    /// other does. Says whether there was room.
    pub(super) fn keep(
        &self,
        issuer: &str,
        verifier: &Verifier<C>,
        (now, until): (i64, i64),
        most: usize,
    ) -> bool {
        let mut changes = self.changes();
        let is_by_hand = |entry: Loaded<C>| entry.as_ref().is_some_and(|it| it.until.is_none());
        if self.load(issuer).is_some_and(is_by_hand) {
            return true;
        }
        while let Some((until, _)) = changes.resolved.first()
            && is_over(*until, now)
        {
            if let Some((_, issuer)) = changes.resolved.pop_first() {
                self.take(&mut changes, &issuer);
            }
        }
        let is_new = !self.places.pin().contains_key(issuer);
        if is_new && changes.resolved.len() >= most {
            let Some(unneeded) = self.unneeded(&changes, now) else { return false };
            self.take(&mut changes, &unneeded);
        }
        self.put(&mut changes, issuer, Entry::new(verifier, Some(until)));
        true
    }

    /// The resolver knows it no more; what was added by hand stays.
    pub(super) fn drop_resolved(&self, issuer: &str) {
        let mut changes = self.changes();
        let was_resolved = || self.load(issuer)?.as_ref()?.until;
        if was_resolved().is_some() {
            self.take(&mut changes, issuer);
        }
    }

    #[inline]
    pub(super) fn load(&self, issuer: &str) -> Option<Loaded<C>> {
        self.places.pin().get(issuer).map(ArcSwapOption::load)
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.places.pin().keys().map(|issuer| issuer.to_string()).collect()
    }

    fn put(&self, changes: &mut Changes, issuer: &str, entry: Entry<C>) {
        let (places, until, name) = (self.places.pin(), entry.until, entry.name(issuer));
        let entry = Some(Arc::new(entry));
        match places.get(issuer) {
            Some(place) => changes.forget(issuer, place.swap(entry).as_deref()),
            None => drop(places.insert(name, ArcSwapOption::new(entry))),
        }
        if let Some(until) = until {
            changes.resolved.insert((until, issuer.into()));
        }
    }

    fn take(&self, changes: &mut Changes, issuer: &str) -> bool {
        let places = self.places.pin();
        let Some(place) = places.remove(issuer) else { return false };
        changes.forget(issuer, place.swap(None).as_deref());
        true
    }

    /// One whose lifetime is over, and that nobody has needed since.
    fn unneeded(&self, changes: &Changes, now: i64) -> Option<Box<str>> {
        let is_unneeded = |issuer: &str| {
            let entry = self.load(issuer);
            let entry = entry.as_ref().and_then(|entry| entry.as_deref());
            entry.is_some_and(|entry| !entry.needed.load(Ordering::Relaxed))
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
    fn forget<C>(&mut self, issuer: &str, former: Option<&Entry<C>>) {
        if let Some(until) = former.and_then(|former| former.until) {
            self.resolved.remove(&(until, issuer.into()));
        }
    }
}

impl<C> Entry<C> {
    fn new(verifier: &Verifier<C>, until: Option<i64>) -> Self {
        Self { verifier: verifier.clone(), until, needed: AtomicBool::new(false) }
    }

    /// The name of an issuer, in the place where its verifier has it: what was read to find
    /// the verifier is read again by its rules.
    fn name(&self, issuer: &str) -> Arc<str> {
        let own = self.verifier.issuers().unwrap_or_default().iter().find(|own| ***own == *issuer);
        own.map_or_else(|| issuer.into(), Arc::clone)
    }

    /// One that was added by hand asks for no time.
    #[inline]
    pub(super) fn found(&self, now: impl FnOnce() -> i64) -> Found<'_, C> {
        let Some(until) = self.until else { return Found::Fresh(&self.verifier) };
        let now = now();
        if is_over(until, now) {
            Found::Missing
        } else if now >= until {
            self.needed.store(true, Ordering::Relaxed);
            Found::Old(&self.verifier)
        } else {
            Found::Fresh(&self.verifier)
        }
    }
}

/// Whether an issuer is not to be used any more, resolved again or not.
fn is_over(until: i64, now: i64) -> bool {
    now >= until.saturating_add(GRACE)
}

/// Seconds for which an issuer serves on that cannot be resolved again.
const GRACE: i64 = 24 * 3600;

/// How many issuers are looked at to find one that makes room.
const LOOKED_AT: usize = 100;

#[cfg(test)]
mod tests {
    use std::collections::HashMap as Map;

    use super::*;
    use crate::{claims::RegisteredClaims, keys::Key};

    fn verifier() -> Verifier {
        let keys = Key::hs256([7; 32]).unwrap();
        Verifier::<RegisteredClaims>::builder()
            .issuer("i")
            .audience("a")
            .keys(keys)
            .build()
            .unwrap()
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
        let (table, verifier, mut slow) = (Table::new(), verifier(), Slow::new());
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
                    table.add(&[issuer.as_str().into()], &verifier);
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
                    table.keep(&issuer, &verifier, (now, until), 5);
                    keep(&mut slow, &issuer, now, until, 5);
                }
            }
            let there = |name: &str| table.load(name).map(|entry| entry.as_ref().unwrap().until);
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
        let (table, first, second) = (Table::new(), verifier(), verifier());
        let there = |verifier: &Verifier| Arc::strong_count(&verifier.0) - 1;
        table.add(&["i".into(), "j".into()], &first);
        assert_eq!(there(&first), 2);
        table.add(&["i".into()], &second);
        assert_eq!((there(&first), there(&second)), (1, 1));
        assert!(table.remove("j") && !table.remove("j"));
        assert_eq!((there(&first), there(&second)), (0, 1));
        assert!(table.load("j").is_none());
    }
}
