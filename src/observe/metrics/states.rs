//! The gauges that several sets of keys, or several denylists, share.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use metrics::{Counter, counter, gauge};

use super::series::{
    ALL_KEY_EVENTS, DENYLIST_ENTRIES, DENYLIST_LAG, KEYS, KEYS_AGE, KEYS_USABLE, SHADOW, as_f64,
    key_events, key_refreshes,
};
use crate::{
    observe::event::{
        DenylistReport, FetchOutcome, KeyReport, KeysDropped, ShadowOutcome, ShadowReport,
    },
    shadow_rule::ShadowRule,
};

/// The last report of each, and the counters of shadow rules.
#[derive(Default)]
pub(super) struct States {
    /// By the issuer, and by the number of the set.
    keys: Mutex<BTreeMap<Box<str>, Sets>>,
    /// By the number of the list.
    lists: Mutex<BTreeMap<u64, DenylistReport>>,
    /// By the rule: how many tokens it would accept, and refuse.
    shadow: [(OnceLock<Counter>, OnceLock<Counter>); ShadowRule::ALL.len()],
}

type Sets = BTreeMap<u64, KeyState>;

struct KeyState {
    keys: usize,
    age: Option<f64>,
    usable: bool,
}

impl States {
    pub(super) fn keys(&self, report: &KeyReport<'_>) {
        let KeyReport { issuer, set, keys, usable, .. } = *report;
        let age = report.age.map(|age| age.as_secs_f64());
        let mut all = lock(&self.keys);
        let sets = all.entry(issuer.into()).or_insert_with(|| {
            // An alert on the first of them needs the value before it.
            for outcome in FetchOutcome::ALL {
                key_refreshes(issuer, outcome).increment(0);
            }
            ALL_KEY_EVENTS.into_iter().for_each(|event| key_events(issuer, event).increment(0));
            Sets::new()
        });
        sets.insert(set, KeyState { keys, age, usable });
        write_keys(issuer, sets);
    }

    pub(super) fn keys_dropped(&self, dropped: &KeysDropped<'_>) {
        let mut all = lock(&self.keys);
        let Some(sets) = all.get_mut(dropped.issuer) else { return };
        sets.remove(&dropped.set);
        if !sets.is_empty() {
            return write_keys(dropped.issuer, sets);
        }
        all.remove(dropped.issuer);
        for name in [KEYS, KEYS_AGE, KEYS_USABLE] {
            gauge!(name, "issuer" => dropped.issuer.to_owned()).set(f64::NAN);
        }
    }

    pub(super) fn denylist(&self, report: &DenylistReport) {
        let mut lists = lock(&self.lists);
        lists.insert(report.list, *report);
        // A list that was never read is as old as can be.
        let lag = |list: &DenylistReport| list.lag.map_or(f64::INFINITY, |lag| lag.as_secs_f64());
        gauge!(DENYLIST_LAG).set(lists.values().map(lag).fold(0.0, f64::max));
        gauge!(DENYLIST_ENTRIES).set(as_f64(lists.values().map(|list| list.entries).sum()));
        // It says no more than no list. A list that was dropped reports this last.
        if report.entries == 0 && report.lag.is_some_and(|lag| lag.is_zero()) {
            lists.remove(&report.list);
        }
    }

    pub(super) fn shadow(&self, report: &ShadowReport) {
        let ShadowReport { rule, outcome } = *report;
        let find = || counter!(SHADOW, "rule" => rule.name(), "outcome" => outcome.name());
        let kept = self.shadow.get(rule as usize).map(|(accepted, refused)| match outcome {
            ShadowOutcome::Accepted => accepted,
            ShadowOutcome::Refused => refused,
        });
        match kept {
            Some(kept) => kept.get_or_init(find).increment(1),
            None => find().increment(1),
        }
    }
}

fn write_keys(issuer: &str, sets: &Sets) {
    let issuer = || issuer.to_owned();
    let keys = sets.values().map(|set| set.keys).sum();
    gauge!(KEYS, "issuer" => issuer()).set(as_f64(keys));
    let is_usable = sets.values().all(|set| set.usable);
    gauge!(KEYS_USABLE, "issuer" => issuer()).set(f64::from(u8::from(is_usable)));
    if let Some(age) = sets.values().filter_map(|set| set.age).reduce(f64::max) {
        gauge!(KEYS_AGE, "issuer" => issuer()).set(age);
    }
}

fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    // If a recorder panics, the state is still whole.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
