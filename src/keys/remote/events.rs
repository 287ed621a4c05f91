//! The events of the keys: to the log, and to observers.

use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{
    fetch,
    history::{RemovedEarly, Rotated},
    refresher::{Adopted, Refresher, Snapshot},
};
use crate::{
    error::{ConfigError, FetchError},
    keys::{answer::id_of, set::KeySet},
    observe::{
        self, EarlyRemoval, FetchOutcome, KeyFetch, KeyReport, KeyRotation, KeysDropped, Observer,
        Observers, OldKey, RemovedKeyUse,
    },
};

impl Refresher {
    /// Reports to these observers from now on, unless others were there before.
    pub(super) fn observe(&self, observers: &Observers, issuer: Option<&str>) {
        if self.observed.set(observers, issuer) {
            self.report();
            // From now on, the task does.
            self.changed.notify_one();
        }
    }

    /// Reports how a fetch has ended.
    pub(super) fn tell(&self, outcome: &Result<Adopted, FetchError>, early: &[RemovedEarly]) {
        match outcome {
            Ok(adopted) => self.tell_adopted(adopted, early),
            Err(error) => observe::keys_not_fetched(&self.outage, error),
        }
        let outcome = match outcome {
            Ok(adopted) if adopted.renewed => FetchOutcome::Renewed,
            Ok(_) => FetchOutcome::Unchanged,
            Err(_) => FetchOutcome::Failed,
        };
        self.tell_observers(|observer, issuer| {
            observer.keys_fetched(&KeyFetch { issuer, outcome });
        });
        self.tell_state();
        self.tell_old();
    }

    fn tell_adopted(&self, adopted: &Adopted, early: &[RemovedEarly]) {
        let from = fetch::shown(self.location().url());
        observe::keys_fetched(&self.outage, &from);
        if let Some(Rotated { added, removed }) = &adopted.rotated {
            observe::keys_rotated(&from, added, removed);
            self.tell_observers(|observer, issuer| {
                observer.keys_rotated(&KeyRotation { issuer, added, removed });
            });
        }
        for RemovedEarly { id, left } in early {
            observe::key_removed_early(&from, id, *left);
            self.tell_observers(|observer, issuer| {
                observer.key_removed_early(&EarlyRemoval { issuer, id, left: *left });
            });
        }
        for skipped in adopted.news.iter().flat_map(KeySet::skipped) {
            let reason = skipped.reason();
            let harmless =
                matches!(reason, ConfigError::KeyUse(_) | ConfigError::UnsupportedKey(_));
            observe::key_skipped(&from, skipped, harmless);
        }
    }

    /// Reports that a token needs a key that was removed lately.
    pub(super) fn tell_removed(&self, name: &str) {
        let Some(id) = id_of(name) else { return };
        let (now, wall) = (self.now(), self.clock.now());
        if self.state().history.note_use(id, now, wall) {
            let from = fetch::shown(self.location().url());
            if observe::removed_key_used(&self.removed_used, &from, id) {
                self.tell_observers(|observer, issuer| {
                    observer.removed_key_used(&RemovedKeyUse { issuer, id });
                });
            }
        }
    }

    /// Reports the keys that are older than they should be.
    fn tell_old(&self) {
        let Some(limit) = self.policy.old_after else { return };
        let old = self.state().history.old(limit, self.clock.now());
        for (id, age) in &old {
            observe::key_is_old(&fetch::shown(self.location().url()), id, *age);
            self.tell_observers(|observer, issuer| {
                observer.key_is_old(&OldKey { issuer, id, age: *age });
            });
        }
    }

    /// Reports the present state: that the keys are too old, if they are, and to observers.
    pub(super) fn tell_state(&self) {
        self.tell_too_old();
        self.report();
    }

    /// Reports that the keys have become too old to be used, if they have.
    pub(super) fn tell_too_old(&self) {
        if self.current.load().as_ref().is_some_and(|keys| !self.is_good(keys)) {
            let from = || fetch::shown(self.location().url());
            observe::keys_too_old(&self.too_old, from, || self.age());
        }
    }

    /// Tells the observers of the present keys.
    fn report(&self) {
        if !self.observed.is_set() || self.state().closed {
            return;
        }
        let current = self.current.load();
        let current = current.as_ref();
        let keys = current.map_or(0, |now: &Arc<Snapshot>| now.trusted.keys.len());
        let usable = current.is_some_and(|now| self.is_good(now));
        let (age, issuer) = (self.age(), &*self.name());
        self.observed.tell_state(|observer, set| {
            observer.keys(&KeyReport { set, usable, ..KeyReport::new(issuer, keys, age) });
        });
    }

    /// Tells the observers that the keys are no longer in use.
    pub(super) fn tell_dropped(&self) {
        if self.observed.is_set() {
            let issuer = &*self.name();
            self.observed.tell_state(|observer, set| {
                observer.keys_dropped(&KeysDropped { issuer, set });
            });
        }
    }

    /// The time until the state is to be reported again: to observers, and to the log while keys
    /// cannot be fetched.
    pub(super) fn report_interval(&self) -> Option<Duration> {
        let is_due = self.observed.is_set() || self.state().last_error.is_some();
        is_due.then_some(REPORTED)
    }

    /// The time since keys were last fetched.
    fn age(&self) -> Option<Duration> {
        let last_success = self.state().last_success;
        last_success.map(|at| self.since(at))
    }

    fn since(&self, time: SystemTime) -> Duration {
        self.clock.now().duration_since(time).unwrap_or_default()
    }

    fn tell_observers(&self, event: impl Fn(&dyn Observer, &str)) {
        if self.observed.is_set() {
            self.observed.tell(&self.name(), event);
        }
    }

    /// The name of the issuer, or else where its keys come from.
    fn name(&self) -> Cow<'_, str> {
        match &self.issuer {
            Some(issuer) => Cow::Borrowed(issuer),
            None => Cow::Owned(fetch::shown(self.location().url())),
        }
    }
}

/// How often the state of the keys is reported.
const REPORTED: Duration = Duration::from_secs(10);
