//! Where keys come from: given once, or fetched again and again.

use std::fmt;

use super::{
    Key, KeySet,
    live::LiveKeys,
    remote::{Asked, Deadline, RemoteKeys},
    trusted::{Generation, StillTrusted, Trusted},
};
use crate::{
    alg::{Algorithm, AlgorithmSet},
    error::ConfigError,
};

/// What a verifier takes its keys from, made by [`IntoKeySource`].
#[derive(Clone, Debug)]
pub struct KeySource(Source);

#[derive(Clone, Debug)]
enum Source {
    Fixed(KeySet),
    Live(LiveKeys),
    #[allow(dead_code, reason = "made by the feature `remote`")]
    Remote(RemoteKeys),
}

impl KeySource {
    /// Keys of this process, which may change.
    #[allow(dead_code, reason = "for the feature `issue`")]
    pub(crate) fn live(keys: LiveKeys) -> Self {
        Self(Source::Live(keys))
    }

    #[allow(dead_code, reason = "for the feature `remote`")]
    pub(super) fn remote(keys: RemoteKeys) -> Self {
        Self(Source::Remote(keys))
    }
}

/// What [`VerifierBuilder::keys`](crate::verifier::VerifierBuilder::keys) takes: a
/// key, several, a set, the `Result` of making one, whose error `build()` then
/// gives, and with the feature `remote` a `RemoteKeys`.
pub trait IntoKeySource {
    /// The keys, or why there are none.
    ///
    /// # Errors
    ///
    /// What went wrong when the key was made.
    fn into_key_source(self) -> Result<KeySource, ConfigError>;
}

impl IntoKeySource for KeySource {
    fn into_key_source(self) -> Result<KeySource, ConfigError> {
        Ok(self)
    }
}

impl IntoKeySource for KeySet {
    fn into_key_source(self) -> Result<KeySource, ConfigError> {
        Ok(KeySource(Source::Fixed(self)))
    }
}

impl IntoKeySource for Key {
    fn into_key_source(self) -> Result<KeySource, ConfigError> {
        KeySet::new([self]).into_key_source()
    }
}

impl IntoKeySource for Vec<Key> {
    fn into_key_source(self) -> Result<KeySource, ConfigError> {
        KeySet::new(self).into_key_source()
    }
}

impl<const N: usize> IntoKeySource for [Key; N] {
    fn into_key_source(self) -> Result<KeySource, ConfigError> {
        KeySet::new(self).into_key_source()
    }
}

impl<K: IntoKeySource> IntoKeySource for Result<K, ConfigError> {
    fn into_key_source(self) -> Result<KeySource, ConfigError> {
        self?.into_key_source()
    }
}

/// All keys of a verifier.
#[derive(Default)]
pub(crate) struct Sources {
    fixed: Option<Trusted>,
    live: Box<[LiveKeys]>,
    remote: Box<[RemoteKeys]>,
}

impl Sources {
    /// # Errors
    ///
    /// There is no key that can be used.
    pub(crate) fn new(sources: Vec<KeySource>) -> Result<Self, ConfigError> {
        let (mut fixed, mut live, mut remote) = (None::<KeySet>, Vec::new(), Vec::new());
        for source in sources {
            match source.0 {
                Source::Fixed(keys) => fixed = Some(fixed.unwrap_or_default().and(keys)),
                Source::Live(keys) => live.push(keys),
                Source::Remote(keys) => remote.push(keys),
            }
        }
        let unusable = fixed.as_ref().filter(|keys| keys.is_empty());
        if let Some(keys) = unusable {
            let reasons = keys.reasons();
            return Err(if reasons.is_empty() {
                ConfigError::NoKeys
            } else {
                ConfigError::NoUsableKeys(reasons)
            });
        }
        if fixed.is_none() && live.is_empty() && remote.is_empty() {
            return Err(ConfigError::NoKeys);
        }
        Ok(Self { fixed: fixed.map(Trusted::new), live: live.into(), remote: remote.into() })
    }

    /// The keys that were given once.
    pub(crate) fn fixed(&self) -> Option<&KeySet> {
        self.fixed.as_ref().map(|trusted| &trusted.keys)
    }

    /// The keys that are fetched.
    #[allow(dead_code, reason = "for the feature `remote`")]
    pub(crate) fn remote(&self) -> &[RemoteKeys] {
        &self.remote
    }

    /// All algorithms that some key may verify, now or after a rotation: those of shared
    /// secrets only if there is one now.
    pub(crate) fn algorithms(&self) -> AlgorithmSet {
        let public = Algorithm::ALL.iter().copied().filter(|one| !one.is_symmetric());
        let changing = public.filter(|_| !self.remote.is_empty() || !self.live.is_empty());
        let live = self.live.iter().map(|keys| keys.with(|trusted| trusted.keys.algorithms()));
        let now = self.fixed().map(KeySet::algorithms).into_iter().chain(live);
        changing.chain(now.collect::<Vec<_>>().iter().flat_map(|set| set.iter())).collect()
    }

    /// The issuer that each key is bound to, if it is to one.
    pub(crate) fn issuers(&self) -> impl Iterator<Item = Option<&str>> {
        let fixed = self.fixed().into_iter().flat_map(KeySet::iter).map(Key::issuer);
        let live = self.live.iter().map(|keys| Some(keys.issuer()));
        fixed.chain(live).chain(self.remote.iter().map(RemoteKeys::issuer))
    }

    /// Shows one source after the other to `attempt`, until one settles it, and where
    /// it stands among those whose keys change, if it is one. None is shown where such a
    /// source has no keys that may be used. Takes no lock and waits for nothing.
    #[inline]
    pub(crate) fn each<T>(
        &self,
        mut attempt: impl FnMut(Option<&Trusted>, Option<usize>) -> Option<T>,
    ) -> Option<T> {
        if let Some(fixed) = &self.fixed
            && let Some(settled) = attempt(Some(fixed), None)
        {
            return Some(settled);
        }
        let mut live = self.live.iter();
        if let Some(settled) =
            live.find_map(|keys| keys.with(|trusted| attempt(Some(trusted), None)))
        {
            return Some(settled);
        }
        let mut remote = self.remote.iter().enumerate();
        remote.find_map(|(place, keys)| keys.with(|trusted| attempt(trusted, Some(place))))
    }

    /// Whether keys that vouched for a token are still those of a source, and may be used.
    #[inline]
    pub(crate) fn still_trust(&self, generation: Generation) -> Option<StillTrusted> {
        self.each(|trusted, _| trusted?.is_still(generation))
    }

    /// Asks those of these sources that may have keys for this issuer to look for new
    /// ones.
    #[cold]
    pub(crate) fn ask(
        &self,
        places: Places,
        issuer: Option<&str>,
        name: &str,
        deadline: Option<Deadline>,
    ) -> Vec<Asked> {
        let remote = self.remote.iter().enumerate();
        remote
            .filter(|(place, _)| places.contains(*place))
            .filter(|(_, keys)| keys.issuer().is_none_or(|bound| issuer == Some(bound)))
            .map(|(_, keys)| keys.ask(name, deadline))
            .collect()
    }
}

/// Some of the sources whose keys change: a bit each, and the last one for all that are
/// beyond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places(u64);

impl Places {
    pub(crate) fn add(&mut self, place: usize) {
        self.0 |= Self::bit(place);
    }

    fn contains(self, place: usize) -> bool {
        self.0 & Self::bit(place) != 0
    }

    fn bit(place: usize) -> u64 {
        1 << place.min(63)
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        list.entries(self.fixed()).entries(&self.live).entries(&self.remote).finish()
    }
}
