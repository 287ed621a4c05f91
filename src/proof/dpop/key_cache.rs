//! The keys of proofs that come again, made ready once.

use std::fmt;

use base64_simd::URL_SAFE_NO_PAD;

use crate::{digest, keys::ProofKey, token_cache::TokenCache};

/// Keys by the header that they came in: for the same bytes, all checks of a header have the same
/// result. A header is found by its SHA-256, because the cache looks at the end of a text, and
/// headers of different keys may end in the same way.
pub(super) struct KeyCache(TokenCache<ProofKey>);

/// The name of a header.
pub(super) struct Name(String);

impl Name {
    pub(super) fn of(header: &str) -> Self {
        Self(URL_SAFE_NO_PAD.encode_to_string(digest::sha256(&[header.as_bytes()])))
    }
}

impl KeyCache {
    pub(super) fn new() -> Self {
        Self(TokenCache::new(MOST))
    }

    /// Hands the key of a header to `check`: the one that is kept, or what `read` makes. That one is
    /// kept if the check succeeds.
    pub(super) fn with<T, E>(
        &self,
        name: &Name,
        read: impl FnOnce() -> Result<ProofKey, E>,
        check: impl FnOnce(&ProofKey) -> Result<T, E>,
    ) -> Result<T, E> {
        let place = self.0.place(name.0.as_bytes());
        if let Some(hit) = place.get()
            && let Some(key) = hit.value()
        {
            let result = check(key)?;
            hit.count_use();
            return Ok(result);
        }
        let key = read()?;
        let result = check(&key)?;
        if let Some(admission) = place.admit() {
            let bytes = key.bytes();
            place.insert(admission, &name.0, key, bytes, |_| false);
        }
        Ok(result)
    }

    #[cfg(test)]
    pub(super) fn has(&self, name: &Name) -> bool {
        self.0.place(name.0.as_bytes()).get().is_some()
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.0.bytes()
    }
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyCache").field("bytes", &self.0.bytes()).finish()
    }
}

/// Some thousand keys. It takes no memory to speak of before the first one comes.
pub(super) const MOST: usize = 4 << 20;
