//! The schedule by which keys sign and are published.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;

use super::signing::SigningKey;
use crate::{
    clock::Clock,
    error::ConfigError,
    keys::{KeySet, LiveKeys},
};

/// The keys of an issuer. Times are in seconds since 1970.
pub(super) struct KeyRing {
    /// In the order in which they sign.
    keys: ArcSwap<Vec<ScheduledKey>>,
    /// Locked while the keys are changed.
    changing: Mutex<()>,
    issuer: Box<str>,
    live: LiveKeys,
}

#[derive(Clone)]
struct ScheduledKey {
    key: SigningKey,
    /// The time from which it signs; `None` if it never does.
    signs_from: Option<i64>,
    /// The time when its last token has expired; `None` while it may sign.
    gone_at: Option<i64>,
}

impl KeyRing {
    /// Makes a ring of a key that signs and `others` that are only published.
    pub(super) fn new(
        issuer: &str,
        signing: SigningKey,
        others: Vec<SigningKey>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        let others =
            others.into_iter().map(|key| ScheduledKey { key, signs_from: None, gone_at: None });
        let signing = ScheduledKey { key: signing, signs_from: Some(i64::MIN), gone_at: None };
        Self::of(issuer, others.chain([signing]).collect(), clock)
    }

    /// Makes a ring of keys, each with the time from which it signs, in this order. Each key is
    /// kept for some time after the next one has begun to sign. The `others` are only published.
    pub(super) fn scheduled(
        issuer: &str,
        keys: &[(i64, SigningKey)],
        others: &[SigningKey],
        now: i64,
        kept_for: i64,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        Self::of(issuer, schedule(keys, others, &[], now, kept_for), clock)
    }

    fn of(
        issuer: &str,
        keys: Vec<ScheduledKey>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        let live = LiveKeys::new(issuer, key_set(issuer, &keys)?, clock);
        let (none, changing) = (ArcSwap::default(), Mutex::new(()));
        let ring = Self { keys: none, changing, issuer: issuer.into(), live };
        ring.set(keys)?;
        Ok(ring)
    }

    /// The key that signs now.
    pub(super) fn signing(&self, now: i64) -> Option<SigningKey> {
        let keys = self.keys.load();
        if keys.iter().any(|placed| placed.is_gone(now)) {
            self.tidy(now);
        }
        keys.iter().rfind(|placed| placed.signs(now)).map(|placed| placed.key.clone())
    }

    /// Signs with a key from `signs_from`, and keeps the others until their tokens have expired.
    /// If this is the key that signs now, it continues, and keys that were waiting do not follow.
    pub(super) fn add(
        &self,
        key: SigningKey,
        now: i64,
        signs_from: i64,
        others_gone_at: i64,
    ) -> Result<(), ConfigError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut keys = Vec::clone(&self.keys.load());
        keys.retain(|placed| !placed.is_gone(now));
        let of_this_id = keys.iter().find(|placed| placed.key.kid() == key.kid()).cloned();
        if of_this_id.as_ref().is_some_and(|placed| !placed.key.is_same_key(&key)) {
            return Err(ConfigError::InvalidName(
                "another key with this id is in use, give the next key another id with `with_kid`",
            ));
        }
        // It signs or is waiting for it. If its time were moved, no key might sign until then.
        let is_last = |it: &ScheduledKey| it.signs_from.is_some() && it.gone_at.is_none();
        if of_this_id.as_ref().is_some_and(is_last) {
            return Ok(());
        }
        let signer = keys.iter().rfind(|placed| placed.signs(now));
        let goes_on = signer.is_some_and(|placed| placed.key.kid() == key.kid());
        let began = of_this_id.and_then(|placed| placed.signs_from).filter(|_| goes_on);
        keys.retain(|placed| placed.key.kid() != key.kid());
        for placed in keys.iter_mut().filter(|placed| placed.signs_from.is_some()) {
            if goes_on && !placed.signs(now) {
                placed.signs_from = None;
            }
            placed.gone_at.get_or_insert(others_gone_at);
        }
        keys.push(ScheduledKey {
            key,
            signs_from: Some(began.unwrap_or(signs_from)),
            gone_at: None,
        });
        self.set(keys)
    }

    /// Takes these keys in place of all others, as [`scheduled`](Self::scheduled) does. A key that
    /// stays is kept for no shorter time than before: it may get a successor whose time is past.
    pub(super) fn reschedule(
        &self,
        keys: &[(i64, SigningKey)],
        others: &[SigningKey],
        now: i64,
        kept_for: i64,
    ) -> Result<(), ConfigError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.set(schedule(keys, others, &self.keys.load(), now, kept_for))
    }

    /// Signs with a key at once, and drops all others.
    pub(super) fn replace(&self, key: SigningKey) -> Result<(), ConfigError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.set(vec![ScheduledKey { key, signs_from: Some(i64::MIN), gone_at: None }])
    }

    /// The keys that are published, as a JWK set (RFC 7517 §5).
    pub(super) fn jwks(&self, now: i64) -> String {
        let keys = self.keys.load();
        let published = keys.iter().filter(|placed| !placed.is_gone(now));
        let jwks: Vec<_> = published.filter_map(|placed| placed.key.public_jwk()).collect();
        format!(r#"{{"keys":[{}]}}"#, jwks.join(","))
    }

    /// The names of the algorithms of the keys that are published.
    pub(super) fn published_algorithms(&self, now: i64) -> Vec<&'static str> {
        let keys = self.keys.load();
        let published = keys.iter().filter(|placed| !placed.is_gone(now));
        let public = published.filter(|placed| placed.key.public_jwk().is_some());
        let mut names: Vec<_> = public.map(|placed| placed.key.algorithm().name()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    pub(super) fn live(&self) -> LiveKeys {
        self.live.clone()
    }

    #[cold]
    fn tidy(&self, now: i64) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut keys = Vec::clone(&self.keys.load());
        // Somebody else may have done it meanwhile.
        if !keys.iter().any(|placed| placed.is_gone(now)) {
            return;
        }
        keys.retain(|placed| !placed.is_gone(now));
        // These keys were all accepted before, so this does not fail.
        let _ = self.set(keys);
    }

    fn set(&self, keys: Vec<ScheduledKey>) -> Result<(), ConfigError> {
        let mut ends: Vec<_> = keys.iter().filter_map(|placed| placed.gone_at).collect();
        ends.sort_unstable();
        ends.dedup();
        let later = ends.into_iter().map(|end| {
            let left: Vec<_> = keys.iter().filter(|placed| !placed.is_gone(end)).cloned().collect();
            Ok((end, key_set(&self.issuer, &left)?))
        });
        let later: Result<_, ConfigError> = later.collect();
        self.live.set(key_set(&self.issuer, &keys)?, later?);
        self.keys.store(Arc::new(keys));
        Ok(())
    }
}

impl ScheduledKey {
    fn signs(&self, now: i64) -> bool {
        self.signs_from.is_some_and(|from| from <= now)
    }

    fn is_gone(&self, now: i64) -> bool {
        self.gone_at.is_some_and(|gone_at| gone_at <= now)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.load().iter().map(|placed| &placed.key)).finish()
    }
}

/// The keys that are not gone. The first of them has no beginning, so that a key signs at any time.
fn schedule(
    keys: &[(i64, SigningKey)],
    others: &[SigningKey],
    present: &[ScheduledKey],
    now: i64,
    kept_for: i64,
) -> Vec<ScheduledKey> {
    let signer = present.iter().rfind(|placed| placed.signs(now));
    let end_so_far = |key: &SigningKey| {
        if signer.is_some_and(|placed| placed.key.kid() == key.kid()) {
            return now.saturating_add(kept_for);
        }
        let placed = present.iter().find(|placed| placed.key.kid() == key.kid());
        placed.and_then(|placed| placed.gone_at).unwrap_or(i64::MIN)
    };
    let is_scheduled = |other: &SigningKey| keys.iter().any(|(_, key)| key.kid() == other.kid());
    let others = others.iter().filter(|other| !is_scheduled(other)).cloned();
    let others = others.map(|key| ScheduledKey { key, signs_from: None, gone_at: None });
    let ends = keys.iter().skip(1).map(|(next, _)| Some(next.saturating_add(kept_for)));
    let placed = keys.iter().zip(ends.chain([None])).map(|((from, key), gone_at)| ScheduledKey {
        key: key.clone(),
        signs_from: Some(*from),
        gone_at: gone_at.map(|end| end.max(end_so_far(key))),
    });
    let mut placed: Vec<_> = placed.filter(|placed| !placed.is_gone(now)).collect();
    if let Some(first) = placed.first_mut() {
        first.signs_from = Some(i64::MIN);
    }
    others.chain(placed).collect()
}

fn key_set(issuer: &str, keys: &[ScheduledKey]) -> Result<KeySet, ConfigError> {
    let keys: Result<Vec<_>, _> = keys.iter().map(|placed| placed.key.verifying_key()).collect();
    Ok(KeySet::new(keys?).with_issuer(issuer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alg::Algorithm;

    #[test]
    fn somebody_signs_at_any_time() {
        let key = || SigningKey::generate(Algorithm::EdDSA).unwrap();
        let (one, next) = (key(), key());
        let clock = Arc::new(crate::clock::SystemClock);
        let ring = KeyRing::new("i", one.clone(), vec![next.clone()], clock).unwrap();
        let signs = |now| ring.signing(now).map(|key| key.kid().to_owned());
        // Add the key that signs already, and then the next one twice.
        ring.add(one.clone(), 0, 100, 200).unwrap();
        assert_eq!(signs(0).as_deref(), Some(one.kid()));
        ring.add(next.clone(), 0, 100, 200).unwrap();
        ring.add(next.clone(), 50, 150, 250).unwrap();
        assert_eq!(signs(99).as_deref(), Some(one.kid()));
        assert_eq!(signs(100).as_deref(), Some(next.kid()));
        assert_eq!(ring.jwks(199).matches("kid").count(), 2);
        assert_eq!(ring.jwks(200).matches("kid").count(), 1);
        assert_eq!(signs(i64::MAX).as_deref(), Some(next.kid()));
        assert!(ring.add(key().with_kid(next.kid()), 200, 300, 400).is_err());
        // A key that is gone may come again.
        ring.add(one.clone(), 300, 400, 500).unwrap();
        assert_eq!(signs(399).as_deref(), Some(next.kid()));
        assert_eq!(signs(400).as_deref(), Some(one.kid()));
        // Go back to the key that still signs, while another one is waiting.
        ring.add(next.clone(), 450, 550, 650).unwrap();
        let third = key();
        ring.add(third.clone(), 460, 560, 660).unwrap();
        ring.add(one.clone(), 470, 570, 670).unwrap();
        for now in [470, 569, 570, 10_000] {
            assert_eq!(signs(now).as_deref(), Some(one.kid()), "{now}");
        }
        // Go back to the last key before its tokens have expired: the other signs until then.
        ring.add(next.clone(), 20_000, 20_100, 20_200).unwrap();
        ring.add(one.clone(), 20_150, 20_250, 20_350).unwrap();
        assert_eq!(signs(20_249).as_deref(), Some(next.kid()));
        assert_eq!(signs(20_250).as_deref(), Some(one.kid()));
    }
}
