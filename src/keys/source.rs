//! The sources of keys: given once, those of this process, or fetched again and again.

use std::{collections::HashMap, fmt};

#[cfg(feature = "issue")]
use super::live::{LiveKeys, LoadedPlan};
#[cfg(feature = "remote")]
use super::remote::{LoadedKeys, RemoteKeys};
use super::{
    by_id::KeysById,
    key::Key,
    set::KeySet,
    trusted::{Generation, StillTrusted, Trusted},
};
use crate::{
    alg::{Algorithm, AlgorithmSet},
    claims::NumericDate,
    error::ConfigError,
    observe::Observers,
    token::Compact,
};

/// A source of a verifier's keys, made by [`IntoKeySource`].
#[derive(Clone, Debug)]
pub struct KeySource(Source);

#[derive(Clone, Debug)]
enum Source {
    Given(KeySet),
    ById(KeysById),
    #[cfg(feature = "issue")]
    Live(LiveKeys),
    #[cfg(feature = "remote")]
    Remote(RemoteKeys),
}

impl KeySource {
    /// Keys of this process, which may change.
    #[cfg(feature = "issue")]
    pub(crate) fn live(keys: LiveKeys) -> Self {
        Self(Source::Live(keys))
    }
}

/// A value that [`VerifierBuilder::keys`](crate::verifier::VerifierBuilder::keys) accepts:
/// a key, several keys, a key set, [`KeysById`], and with the feature `remote` a `RemoteKeys`. It
/// can also be the `Result` of making one of them; `build()` then returns its error.
pub trait IntoKeySource {
    /// Converts the value into a source of keys.
    ///
    /// # Errors
    ///
    /// Returns the error that occurred when the key was made.
    fn into_key_source(self) -> Result<KeySource, ConfigError>;
}

impl IntoKeySource for KeySource {
    fn into_key_source(self) -> Result<KeySource, ConfigError> {
        Ok(self)
    }
}

impl IntoKeySource for KeySet {
    fn into_key_source(self) -> Result<KeySource, ConfigError> {
        Ok(KeySource(Source::Given(self)))
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

impl IntoKeySource for KeysById {
    fn into_key_source(self) -> Result<KeySource, ConfigError> {
        Ok(KeySource(Source::ById(self)))
    }
}

#[cfg(feature = "remote")]
impl IntoKeySource for RemoteKeys {
    fn into_key_source(self) -> Result<KeySource, ConfigError> {
        Ok(KeySource(Source::Remote(self)))
    }
}

impl<K: IntoKeySource> IntoKeySource for Result<K, ConfigError> {
    fn into_key_source(self) -> Result<KeySource, ConfigError> {
        self?.into_key_source()
    }
}

/// All keys of a verifier.
pub(crate) struct KeySources {
    given: Option<Given>,
    #[cfg(feature = "issue")]
    live: Box<[LiveKeys]>,
    #[cfg(feature = "remote")]
    remote: Box<[RemoteKeys]>,
    /// Apart from the others: a token's id must be read before it is known which key it is.
    by_id: Box<[KeysById]>,
}

/// Keys that were given once.
enum Given {
    /// All keys are bound to one issuer, or none is bound to any.
    Together(Trusted),
    /// Each issuer has its own keys and those that are bound to no issuer. The same key may be
    /// bound to several issuers.
    ByIssuer { issuers: HashMap<Box<str>, Trusted>, others: Trusted, all: KeySet },
}

impl KeySources {
    /// # Errors
    ///
    /// There is no usable key.
    pub(crate) fn new(sources: Vec<KeySource>) -> Result<Self, ConfigError> {
        let mut given = None::<KeySet>;
        #[cfg(feature = "issue")]
        let mut live = Vec::new();
        #[cfg(feature = "remote")]
        let mut remote = Vec::new();
        let mut by_id = Vec::new();
        for source in sources {
            match source.0 {
                Source::Given(keys) => given = Some(given.unwrap_or_default().and(keys)),
                Source::ById(keys) => by_id.push(keys),
                #[cfg(feature = "issue")]
                Source::Live(keys) => live.push(keys),
                #[cfg(feature = "remote")]
                Source::Remote(keys) => remote.push(keys),
            }
        }
        let unusable = given.as_ref().filter(|keys| keys.is_empty());
        if let Some(keys) = unusable {
            let reasons = keys.reasons();
            return Err(if reasons.is_empty() {
                ConfigError::NoKeys
            } else {
                ConfigError::NoUsableKeys(reasons)
            });
        }
        let sources = Self {
            given: given.map(Given::new),
            #[cfg(feature = "issue")]
            live: live.into(),
            #[cfg(feature = "remote")]
            remote: remote.into(),
            by_id: by_id.into(),
        };
        if sources.of(None).next().is_none() && sources.by_id.is_empty() {
            return Err(ConfigError::NoKeys);
        }
        Ok(sources)
    }

    /// The keys that were given once.
    pub(crate) fn given(&self) -> Option<&KeySet> {
        self.given.as_ref().map(|given| match given {
            Given::Together(trusted) => &trusted.keys,
            Given::ByIssuer { all, .. } => all,
        })
    }

    /// The keys that are fetched.
    #[cfg(feature = "remote")]
    pub(crate) fn remote(&self) -> &[RemoteKeys] {
        &self.remote
    }

    /// The keys that are looked up by their ids.
    #[inline]
    pub(crate) fn by_id(&self) -> &[KeysById] {
        &self.by_id
    }

    /// All algorithms that a key may verify, now or after a rotation. Those of shared secrets are
    /// included only if there is a shared secret now.
    pub(crate) fn algorithms(&self) -> AlgorithmSet {
        let mut all = self.given().map(KeySet::algorithms).unwrap_or_default();
        let public = || Algorithm::ALL.iter().copied().filter(|one| !one.is_symmetric());
        for source in self.of(None).filter(|source| !matches!(source, SourceOfKeys::Given(_))) {
            let now = source.load().trusted().map(|trusted| trusted.keys.algorithms());
            all = all.iter().chain(now.unwrap_or_default().iter()).chain(public()).collect();
        }
        if !self.by_id.is_empty() {
            all = all.iter().chain(public()).collect();
        }
        all
    }

    /// The issuer that each key is bound to; `None` for a key that is bound to none.
    pub(crate) fn issuers(&self) -> impl Iterator<Item = Option<&str>> {
        let given = self.given().into_iter().flat_map(KeySet::iter).map(Key::issuer);
        given.chain(self.issuers_of_others())
    }

    /// The same for keys that were not given once. They are public.
    fn issuers_of_others(&self) -> impl Iterator<Item = Option<&str>> {
        let by_id = self.by_id.iter().map(KeysById::issuer);
        by_id.chain(self.of(None).filter_map(|source| match source {
            SourceOfKeys::Given(_) => None,
            #[cfg(feature = "issue")]
            SourceOfKeys::Live(keys) => Some(Some(keys.issuer())),
            #[cfg(feature = "remote")]
            SourceOfKeys::Remote(keys) => Some(keys.issuer()),
        }))
    }

    /// Whether a shared secret for one of these algorithms may sign for an issuer that also has
    /// public keys.
    pub(crate) fn mix_secrets_and_public_keys(&self, algorithms: AlgorithmSet) -> bool {
        let given = || self.given().into_iter().flat_map(KeySet::iter);
        let public = given().filter(|key| !key.is_secret()).map(Key::issuer);
        let public: Vec<_> = public.chain(self.issuers_of_others()).collect();
        let is_used =
            |key: &&Key| key.algorithms().any(|one| one.is_symmetric() && algorithms.contains(one));
        given().filter(is_used).map(Key::issuer).any(|secret| {
            public.iter().any(|public| secret.is_none() || public.is_none() || secret == *public)
        })
    }

    /// Whether one of the keys is a secret that is shorter than its hash.
    pub(crate) fn has_short_secret(&self) -> bool {
        self.given().is_some_and(|keys| keys.iter().any(Key::is_short))
    }

    /// Texts that everybody can derive from the public keys of an issuer: of the first 16 that are
    /// there now.
    pub(crate) fn public_texts(&self, issuer: Option<&str>) -> Vec<Vec<u8>> {
        let mut texts = Vec::new();
        let mut left = 16;
        for source in self.of(issuer) {
            let loaded = source.load();
            let Some(trusted) = loaded.trusted() else { continue };
            let keys = trusted.keys.iter().map(Key::public_texts);
            for of_key in keys.filter(|of_key| !of_key.is_empty()).take(left) {
                texts.extend(of_key);
                left -= 1;
            }
        }
        texts
    }

    /// The hosts from which keys may be fetched over plain `http`.
    #[cfg(feature = "remote")]
    pub(crate) fn http_hosts(&self) -> Vec<String> {
        self.remote.iter().flat_map(RemoteKeys::http_hosts).collect()
    }

    #[cfg(not(feature = "remote"))]
    pub(crate) fn http_hosts(&self) -> Vec<String> {
        Vec::new()
    }

    /// Has the keys that are fetched or looked up tell these observers, under the name of this
    /// issuer if it must not be their own.
    pub(crate) fn observe(&self, observers: &Observers, issuer: Option<&str>) {
        self.by_id.iter().for_each(|keys| keys.observe(observers, issuer));
        #[cfg(feature = "remote")]
        self.remote.iter().for_each(|keys| keys.observe(observers, issuer));
    }

    /// Whether the issuer of a token decides which keys it is verified with.
    #[inline]
    pub(crate) fn are_by_issuer(&self) -> bool {
        matches!(self.given, Some(Given::ByIssuer { .. }))
    }

    /// The sources of keys for tokens of an issuer. The issuer is ignored unless the keys are
    /// [by issuer](Self::are_by_issuer).
    #[inline]
    pub(crate) fn of(&self, issuer: Option<&str>) -> impl Iterator<Item = SourceOfKeys<'_>> {
        let given = self.given.as_ref().map(|given| match given {
            Given::Together(trusted) => trusted,
            Given::ByIssuer { issuers, others, .. } => {
                issuer.and_then(|issuer| issuers.get(issuer)).unwrap_or(others)
            }
        });
        let sources = given.into_iter().map(SourceOfKeys::Given);
        #[cfg(feature = "issue")]
        let sources = sources.chain(self.live.iter().map(SourceOfKeys::Live));
        #[cfg(feature = "remote")]
        let sources = sources.chain(self.remote.iter().map(SourceOfKeys::Remote));
        sources
    }

    /// Whether the keys that verified a token of this issuer are still those of a source and may
    /// be used.
    #[inline]
    pub(crate) fn still_trust(
        &self,
        issuer: Option<&str>,
        generation: Generation,
    ) -> Option<StillTrusted> {
        for source in self.of(issuer) {
            if let Some(trusted) = source.load().trusted()
                && let Some(evidence) = trusted.is_still(generation)
            {
                return Some(evidence);
            }
        }
        self.by_id.iter().find_map(|keys| keys.still_trust(generation))
    }
}

impl Given {
    fn new(all: KeySet) -> Self {
        let first = all.iter().next().and_then(Key::issuer);
        let are_together = all.iter().all(|key| key.issuer() == first);
        if are_together {
            return Self::Together(Trusted::new(all));
        }
        let of = |issuer: Option<&str>| {
            let keys = all.iter().filter(|key| key.issuer().is_none() || key.issuer() == issuer);
            Trusted::new(keys.cloned().collect())
        };
        let issuers = all.iter().filter_map(Key::issuer).map(|one| (one.into(), of(Some(one))));
        Self::ByIssuer { issuers: issuers.collect(), others: of(None), all: all.clone() }
    }
}

/// One of the sources of a verifier.
#[derive(Clone, Copy)]
pub(crate) enum SourceOfKeys<'s> {
    Given(&'s Trusted),
    #[cfg(feature = "issue")]
    Live(&'s LiveKeys),
    #[cfg(feature = "remote")]
    Remote(&'s RemoteKeys),
}

/// The keys of a source at one moment.
pub(crate) enum LoadedSource<'s> {
    Given(&'s Trusted),
    #[cfg(feature = "issue")]
    Live(LoadedPlan),
    #[cfg(feature = "remote")]
    Remote(LoadedKeys),
}

impl<'s> SourceOfKeys<'s> {
    /// Loads its present keys, without a lock and without waiting.
    #[inline]
    pub(crate) fn load(self) -> LoadedSource<'s> {
        match self {
            Self::Given(trusted) => LoadedSource::Given(trusted),
            #[cfg(feature = "issue")]
            Self::Live(keys) => LoadedSource::Live(keys.load()),
            #[cfg(feature = "remote")]
            Self::Remote(keys) => LoadedSource::Remote(keys.load()),
        }
    }

    /// The keys that are fetched, if this source fetches: a missing key may come.
    #[cfg(feature = "remote")]
    pub(crate) fn remote(self) -> Option<RemoteKeys> {
        match self {
            Self::Remote(keys) => Some(keys.clone()),
            _ => None,
        }
    }
}

impl LoadedSource<'_> {
    /// Notes when a token expires that was verified with these keys: a provider that removes a key
    /// before that has its tokens refused.
    #[inline]
    #[allow(unused_variables, reason = "without the feature `remote`")]
    pub(crate) fn note_expiry(&self, token: Compact<'_>, expires_at: Option<NumericDate>) {
        #[cfg(feature = "remote")]
        if let (Self::Remote(keys), Some(expires_at)) = (self, expires_at) {
            keys.note_expiry(token, expires_at.ceil());
        }
    }

    /// The keys; `None` if the source has no usable keys.
    #[inline]
    pub(crate) fn trusted(&self) -> Option<&Trusted> {
        match self {
            Self::Given(trusted) => Some(trusted),
            #[cfg(feature = "issue")]
            Self::Live(plan) => Some(plan.trusted()),
            #[cfg(feature = "remote")]
            Self::Remote(keys) => keys.trusted(),
        }
    }
}

impl fmt::Debug for KeySources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        list.entries(self.given());
        #[cfg(feature = "issue")]
        list.entries(&self.live);
        #[cfg(feature = "remote")]
        list.entries(&self.remote);
        list.entries(&self.by_id);
        list.finish()
    }
}
