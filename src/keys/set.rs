//! Several keys, and which of them a token is tried with.

use std::{fmt, str, sync::Arc};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    jwk::{self, Trust},
    key::Key,
    signature::Authentic,
};
use crate::{
    alg::{Algorithm, AlgorithmSet},
    error::{ConfigError, Error, ErrorKind},
    json,
};

/// A set of keys; cheap to clone.
///
/// See the [module docs](super) for how a token finds its key.
#[derive(Clone, Default)]
pub struct KeySet {
    keys: Arc<[Key]>,
    skipped: Arc<[SkippedKey]>,
}

impl KeySet {
    /// A set of these keys.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = Key>) -> Self {
        Self { keys: keys.into_iter().collect(), skipped: Arc::default() }
    }

    /// The public keys of a JWK set document (RFC 7517 §5).
    ///
    /// Each key stands for itself: one that cannot be used is left out, with
    /// its reason in [`KeySet::skipped`]. Private keys and shared secrets are
    /// left out too, for they have no place in a published document.
    ///
    /// # Errors
    ///
    /// The text is not a JWK set.
    pub fn from_jwks(document: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::read(&documents_keys(document.as_ref())?, Trust::Public)
    }

    /// The keys of a JWK set document that may hold shared secrets (`kty: oct`)
    /// and private members, which are ignored.
    ///
    /// # Security
    ///
    /// For documents from your own configuration only. Whoever can change the
    /// document can sign tokens.
    ///
    /// # Errors
    ///
    /// The text is not a JWK set.
    pub fn from_private_jwks(document: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::read(&documents_keys(document.as_ref())?, Trust::Private)
    }

    /// The public keys of a document that may have at most so many; `None` if it
    /// has more.
    #[allow(dead_code, reason = "for what fetches, which the feature `remote` brings")]
    pub(crate) fn from_jwks_of_at_most(
        limit: usize,
        document: &[u8],
    ) -> Result<Option<Self>, ConfigError> {
        let keys = documents_keys(document)?;
        if keys.len() > limit { Ok(None) } else { Self::read(&keys, Trust::Public).map(Some) }
    }

    /// Binds all keys to an issuer; see [`Key::with_issuer`].
    #[must_use]
    pub fn with_issuer(mut self, issuer: impl Into<String>) -> Self {
        let issuer = issuer.into();
        self.keys = self.iter().map(|key| key.clone().with_issuer(&*issuer)).collect();
        self
    }

    /// The keys of a document that were left out, and why.
    #[must_use]
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// The same as texts, one a key.
    pub(crate) fn reasons(&self) -> Vec<String> {
        self.skipped.iter().map(ToString::to_string).collect()
    }

    /// The keys.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter()
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// These keys and those.
    pub(crate) fn and(self, other: Self) -> Self {
        if self.is_empty() && self.skipped.is_empty() {
            return other;
        }
        Self {
            keys: self.iter().chain(other.iter()).cloned().collect(),
            skipped: self.skipped.iter().chain(other.skipped()).cloned().collect(),
        }
    }

    /// All algorithms that some key may verify.
    pub(crate) fn algorithms(&self) -> AlgorithmSet {
        self.iter().flat_map(Key::algorithms).collect()
    }

    /// Finds the key whose signature this is, and the issuer that it speaks for
    /// alone. With an issuer given, keys of others are passed over.
    #[inline]
    pub(crate) fn verify(
        &self,
        issuer: Option<&str>,
        kid: Option<&str>,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(Authentic, Option<&str>), Miss> {
        // A key of that id is the one that is meant, also if it does not fit.
        let named = kid.filter(|kid| self.iter().any(|key| key.kid() == Some(kid)));
        let candidates = self
            .iter()
            .filter(|key| match (kid, named) {
                (None, _) => true,
                (Some(_), Some(named)) => key.kid() == Some(named),
                (Some(_), None) => key.kid().is_none(),
            })
            .filter(|key| match (issuer, key.issuer()) {
                (Some(issuer), Some(bound)) => issuer == bound,
                _ => true,
            })
            .filter_map(|key| Some((key, key.prepared(algorithm)?)));
        let mut tried = false;
        for (key, prepared) in candidates.take(MOST_TRIED) {
            tried = true;
            if let Some(authentic) = prepared.verify(message, signature) {
                return Ok((authentic, key.issuer()));
            }
        }
        let error = Error::new(if tried { ErrorKind::Signature } else { ErrorKind::UnknownKey });
        Err(Miss { error, may_come: named.is_none() && !algorithm.is_symmetric() })
    }

    fn read(document: &[&RawValue], trust: Trust) -> Result<Self, ConfigError> {
        let (mut keys, mut skipped) = (Vec::new(), Vec::new());
        for (index, text) in document.iter().enumerate() {
            let (jwk, kid) = jwk::read(text.get(), trust);
            match jwk.and_then(Key::from_jwk_parts) {
                Ok(key) => keys.push(key),
                Err(reason) => skipped.push(SkippedKey { index, kid, reason }),
            }
        }
        Ok(Self { keys: keys.into(), skipped: skipped.into() })
    }
}

/// The keys of a JWK set, each as it stands.
fn documents_keys(document: &[u8]) -> Result<Vec<&RawValue>, ConfigError> {
    #[derive(Deserialize)]
    struct Document<'a> {
        #[serde(borrow)]
        keys: Vec<&'a RawValue>,
    }
    str::from_utf8(document)
        .ok()
        .and_then(json::object::<Document<'_>>)
        .map(|document| document.keys)
        .ok_or(ConfigError::MalformedKey("the document is no JWK set (RFC 7517 §5)"))
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet").field("keys", &self.keys).field("skipped", &self.skipped).finish()
    }
}

impl FromIterator<Key> for KeySet {
    fn from_iter<I: IntoIterator<Item = Key>>(keys: I) -> Self {
        Self::new(keys)
    }
}

/// No key of a set vouches for a token.
#[derive(Debug)]
pub(crate) struct Miss {
    pub(crate) error: Error,
    /// Whether a published set may have the key one day: this one has none that the
    /// token names, and it is one that is published.
    pub(crate) may_come: bool,
}

/// A key of a document that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedKey {
    index: usize,
    kid: Option<String>,
    reason: ConfigError,
}

impl SkippedKey {
    /// Its place in the document, from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Its id, if it has a readable one.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Why it cannot be used.
    #[must_use]
    pub fn reason(&self) -> &ConfigError {
        &self.reason
    }
}

impl fmt::Display for SkippedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {}", self.index)?;
        if let Some(kid) = &self.kid {
            let start: String = kid.chars().take(64).collect();
            write!(f, " ({start:?}{})", if start.len() < kid.len() { "…" } else { "" })?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// How many keys a token is tried with: what an attacker can make us do.
const MOST_TRIED: usize = 4;
