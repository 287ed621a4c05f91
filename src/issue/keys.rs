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
        let keys: Vec<_> = others.chain([signing]).collect();
        let live = LiveKeys::new(issuer, key_set(issuer, &keys)?, clock);
        let (keys, changing) = (ArcSwap::from_pointee(keys), Mutex::new(()));
        Ok(Self { keys, changing, issuer: issuer.into(), live })
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

    pub(super) fn live(&self) -> LiveKeys {
        self.live.clone()
    }

    #[cold]
    fn tidy(&self, now: i64) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut keys = Vec::clone(&self.keys.load());
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
