//! The history of an issuer's keys: since when they are there, how long their tokens live, and the
//! ones that were removed. It knows neither network nor observers.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::status::{RemovedKey, Rotation};
use crate::{
    keys::{Key, KeySet},
    token::Header,
};

/// When the last token of each key expires that was verified with it.
pub(super) struct Expiries(Box<[(Box<str>, AtomicI64)]>);

impl Expiries {
    /// Those of the keys of a document. The expiry of a key that was there before stays.
    pub(super) fn new(keys: &KeySet, former: Option<&Self>) -> Self {
        let known = |id: &str| former.and_then(|former| former.last(id)).unwrap_or(NEVER);
        // In order, so that each can be found.
        let kept = |id: Box<str>| {
            let last = AtomicI64::new(known(&id));
            (id, last)
        };
        Self(ids(keys).into_iter().map(kept).collect())
    }

    /// Takes a token with this header that was verified.
    pub(super) fn note_of(&self, header: &Header<'_>, expires_at: i64) {
        if let Some(id) = header.kid() {
            self.note(id, expires_at);
        }
    }

    /// Takes a token of this key that was verified.
    pub(super) fn note(&self, id: &str, expires_at: i64) {
        if let Some(last) = self.of(id)
            // Mostly, somebody has noted a later one.
            && last.load(Ordering::Relaxed) < expires_at
        {
            last.fetch_max(expires_at, Ordering::Relaxed);
        }
    }

    /// When the last token of this key expires, if one was verified.
    pub(super) fn last(&self, id: &str) -> Option<i64> {
        self.of(id).map(|last| last.load(Ordering::Relaxed)).filter(|last| *last != NEVER)
    }

    fn of(&self, id: &str) -> Option<&AtomicI64> {
        let place = self.0.binary_search_by(|(own, _)| (**own).cmp(id)).ok()?;
        self.0.get(place).map(|(_, last)| last)
    }
}

/// The keys that there are and were.
#[derive(Default)]
pub(super) struct KeyHistory {
    /// The keys that there are, by their ids.
    present: BTreeMap<Box<str>, Present>,
    last_rotation: Option<Rotation>,
    /// Those that were removed lately, the last one at the end.
    removed: Vec<Removed>,
}

struct Present {
    first_seen: SystemTime,
    /// When it was last reported that the key is old.
    told_at: Option<SystemTime>,
}

struct Removed {
    key: RemovedKey,
    /// Until when its uses are remembered.
    until: Duration,
}

/// A key that was removed before its tokens had expired.
pub(super) struct RemovedEarly {
    pub(super) id: Box<str>,
    pub(super) left: Duration,
}

impl KeyHistory {
    /// Takes the first document.
    pub(super) fn begin(&mut self, keys: &KeySet, wall: SystemTime) {
        for id in ids(keys) {
            self.present.entry(id).or_insert(Present { first_seen: wall, told_at: None });
        }
    }

    /// Takes the difference of a new document, and returns the keys that were removed too early.
    /// `last_expiry` is when the last token of a key expires. `now` is the time of the plan.
    pub(super) fn rotate(
        &mut self,
        rotated: &Rotated,
        last_expiry: impl Fn(&str) -> Option<i64>,
        now: Duration,
        wall: SystemTime,
    ) -> Vec<RemovedEarly> {
        let mut early = Vec::new();
        self.forget(now);
        for id in &rotated.added {
            self.removed.retain(|removed| *removed.key.id != **id);
            self.present.entry(id.clone()).or_insert(Present { first_seen: wall, told_at: None });
        }
        for id in &rotated.removed {
            self.present.remove(id);
            let until = last_expiry(id).map(time).filter(|until| *until > wall);
            if let Some(left) = until.and_then(|until| until.duration_since(wall).ok()) {
                early.push(RemovedEarly { id: id.clone(), left });
            }
            if self.removed.len() >= MOST_REMOVED {
                self.removed.remove(0);
            }
            let key = RemovedKey {
                id: id.to_string(),
                removed_at: wall,
                tokens_expire_at: until,
                last_used: None,
            };
            self.removed.push(Removed { key, until: now.saturating_add(LATELY) });
        }
        let texts = |ids: &[Box<str>]| ids.iter().map(|id| id.to_string()).collect();
        let (added, removed) = (texts(&rotated.added), texts(&rotated.removed));
        self.last_rotation = Some(Rotation { at: wall, added, removed });
        early
    }

    /// Notes that a token names this key, and returns whether it was removed lately.
    pub(super) fn note_use(&mut self, id: &str, now: Duration, wall: SystemTime) -> bool {
        self.forget(now);
        let removed = self.removed.iter_mut().find(|removed| removed.key.id == id);
        removed.map(|removed| removed.key.last_used = Some(wall)).is_some()
    }

    /// The keys that are older than this and whose age was not reported today, with their age.
    pub(super) fn old(&mut self, limit: Duration, wall: SystemTime) -> Vec<(Box<str>, Duration)> {
        let mut old = Vec::new();
        for (id, key) in &mut self.present {
            let since = |time: SystemTime| wall.duration_since(time).unwrap_or_default();
            let age = since(key.first_seen);
            if age > limit && key.told_at.is_none_or(|told| since(told) >= A_DAY) {
                key.told_at = Some(wall);
                old.push((id.clone(), age));
            }
        }
        old
    }

    pub(super) fn last_rotation(&self) -> Option<&Rotation> {
        self.last_rotation.as_ref()
    }

    /// The keys that were removed lately.
    pub(super) fn removed(&self, now: Duration) -> Vec<RemovedKey> {
        let lately = self.removed.iter().filter(|removed| now < removed.until);
        lately.map(|removed| removed.key.clone()).collect()
    }

    /// Since when the oldest of the present keys is known.
    pub(super) fn oldest_since(&self) -> Option<SystemTime> {
        self.present.values().map(|key| key.first_seen).min()
    }

    fn forget(&mut self, now: Duration) {
        self.removed.retain(|removed| now < removed.until);
    }
}

/// The difference between two documents of keys: the ids of keys that were added, and of those that
/// were removed. A key that was replaced under the same id, or without one, is not noticed.
pub(super) struct Rotated {
    pub(super) added: Vec<Box<str>>,
    pub(super) removed: Vec<Box<str>>,
}

impl Rotated {
    /// `None` if the ids are the same.
    pub(super) fn between(old: &KeySet, new: &KeySet) -> Option<Self> {
        let (old, new) = (ids(old), ids(new));
        let added: Vec<_> = new.difference(&old).cloned().collect();
        let removed: Vec<_> = old.difference(&new).cloned().collect();
        (!added.is_empty() || !removed.is_empty()).then_some(Self { added, removed })
    }
}

/// The ids of keys, in order.
pub(super) fn ids(keys: &KeySet) -> BTreeSet<Box<str>> {
    // No token is accepted with a longer one.
    let ids = keys.iter().filter_map(Key::kid).filter(|id| id.len() <= Header::LONGEST_KID);
    ids.map(Box::from).collect()
}

/// A time in seconds since 1970.
fn time(seconds: i64) -> SystemTime {
    let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or_default().min(LATEST));
    UNIX_EPOCH.checked_add(seconds).unwrap_or(UNIX_EPOCH)
}

/// No token was verified.
const NEVER: i64 = i64::MIN;

/// 9999-12-31T23:59:59Z: a token may say anything.
const LATEST: u64 = 253_402_300_799;

/// For how long a token that needs a removed key is reported: longer than access tokens live.
const LATELY: Duration = Duration::from_secs(24 * 3600);

const A_DAY: Duration = Duration::from_secs(24 * 3600);

/// How many removed keys are kept.
const MOST_REMOVED: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{alg::Algorithm, keys::Key};

    fn set(ids: &[&str]) -> KeySet {
        ids.iter().map(|id| Key::of_zeros(Algorithm::HS256).with_kid(*id)).collect()
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    const HOUR: u64 = 3600;

    #[test]
    fn the_last_expiry_of_each_key_is_kept_across_documents() {
        let first = Expiries::new(&set(&["b", "a"]), None);
        first.note("a", 100);
        first.note("a", 50);
        first.note("unknown", 100);
        assert_eq!(
            (first.last("a"), first.last("b"), first.last("unknown")),
            (Some(100), None, None)
        );
        let second = Expiries::new(&set(&["a", "c"]), Some(&first));
        assert_eq!((second.last("a"), second.last("b"), second.last("c")), (Some(100), None, None));
        second.note("a", 101);
        assert_eq!(second.last("a"), Some(101));
    }

    #[test]
    fn a_rotation_is_remembered_and_a_removal_that_came_too_early_is_returned() {
        let (old, new) = (set(&["a", "b"]), set(&["b", "c"]));
        let mut history = KeyHistory::default();
        history.begin(&old, at(1000));
        assert_eq!(history.oldest_since(), Some(at(1000)));
        let rotated = Rotated::between(&old, &new).unwrap();
        let early = history.rotate(&rotated, |_| Some(2600), Duration::ZERO, at(2000));
        assert_eq!(early.len(), 1);
        assert_eq!((&*early[0].id, early[0].left), ("a", Duration::from_secs(600)));
        let last = history.last_rotation().unwrap();
        assert_eq!(
            (last.at, &*last.added, &*last.removed),
            (at(2000), &["c".into()][..], &["a".into()][..])
        );
        let removed = &history.removed(Duration::ZERO)[0];
        assert_eq!((removed.removed_at, removed.tokens_expire_at), (at(2000), Some(at(2600))));
        assert_eq!(removed.last_used, None);
        // `b` has been there from the beginning.
        assert_eq!(history.oldest_since(), Some(at(1000)));
        // A use is noted for a day.
        assert!(history.note_use("a", Duration::from_secs(1), at(2001)));
        assert!(!history.note_use("b", Duration::from_secs(1), at(2001)));
        assert_eq!(history.removed(Duration::ZERO)[0].last_used, Some(at(2001)));
        assert!(!history.note_use("a", LATELY, at(2002)));
        assert!(history.removed(LATELY).is_empty());
    }

    #[test]
    fn a_key_that_is_removed_in_time_or_comes_back_is_no_event() {
        let (old, new) = (set(&["a", "b"]), set(&["b"]));
        let mut history = KeyHistory::default();
        history.begin(&old, at(0));
        let gone = Rotated::between(&old, &new).unwrap();
        let back = Rotated::between(&new, &old).unwrap();
        for last_expiry in [None, Some(0), Some(2000), Some(i64::MIN)] {
            assert!(history.rotate(&gone, |_| last_expiry, Duration::ZERO, at(2000)).is_empty());
            assert_eq!(history.removed(Duration::ZERO)[0].tokens_expire_at, None);
            history.rotate(&back, |_| None, Duration::ZERO, at(2000));
            assert!(history.removed(Duration::ZERO).is_empty());
        }
        // No date is too far.
        assert_eq!(history.rotate(&gone, |_| Some(i64::MAX), Duration::ZERO, at(1)).len(), 1);
    }

    #[test]
    fn ids_are_compared() {
        let set = |ids: &[&str]| -> KeySet {
            ids.iter().map(|id| Key::of_zeros(Algorithm::HS256).with_kid(*id)).collect()
        };
        let between = |old: &[&str], new: &[&str]| {
            let rotated = Rotated::between(&set(old), &set(new))?;
            Some((rotated.added.concat(), rotated.removed.concat()))
        };
        assert_eq!(between(&["a", "b"], &["b", "a", "a"]), None);
        assert_eq!(between(&["a", "b"], &["c", "b"]), Some(("c".into(), "a".into())));
        assert_eq!(between(&[], &["b", "a"]), Some(("ab".into(), "".into())));
        let long = "k".repeat(Header::LONGEST_KID + 1);
        assert_eq!(between(&["a"], &["a", &long]), None, "no token can name it");
    }

    #[test]
    fn removed_keys_are_bounded() {
        let mut history = KeyHistory::default();
        for round in 0..3 * MOST_REMOVED {
            let (old, new) = (set(&[&format!("k{round}")]), set(&["b"]));
            let rotated = Rotated::between(&old, &new).unwrap();
            history.rotate(&rotated, |_| None, Duration::ZERO, at(1));
        }
        let removed = history.removed(Duration::ZERO);
        assert_eq!(removed.len(), MOST_REMOVED);
        assert_eq!(removed.last().unwrap().id, "k299");
        assert_eq!(history.present.len(), 1);
    }

    #[test]
    fn an_old_key_is_told_once_a_day() {
        let mut history = KeyHistory::default();
        history.begin(&set(&["a"]), at(0));
        let limit = Duration::from_secs(48 * HOUR);
        let old = |history: &mut KeyHistory, hours: u64| {
            history.old(limit, at(hours * HOUR)).into_iter().map(|(id, _)| id).collect::<String>()
        };
        assert_eq!(old(&mut history, 48), "");
        assert_eq!(old(&mut history, 49), "a");
        assert_eq!(old(&mut history, 72), "");
        assert_eq!(old(&mut history, 73), "a");
        // A clock that goes back does no harm.
        assert_eq!(old(&mut history, 1), "");
    }
}
