//! Several keys, and which of them a token is tried with.

use std::{fmt, str, sync::Arc};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    form::{Form, wrong_form},
    index::{Index, Named},
    jwk::{self, Trust},
    key::Key,
    signature::{Authentic, Prepared},
};
use crate::{
    alg::{Algorithm, AlgorithmSet},
    error::{ConfigError, Error, ErrorKind},
    few::Few,
    json,
};

/// A set of keys; cheap to clone.
///
/// See the [module docs](super) for how a token finds its key.
#[derive(Clone, Default)]
pub struct KeySet {
    keys: Few<Key>,
    skipped: Arc<[SkippedKey]>,
    /// Of a large set.
    index: Option<Arc<Index>>,
}

impl KeySet {
    /// A set of these keys.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = Key>) -> Self {
        Self::of(keys.into_iter().collect(), Arc::default())
    }

    /// The public keys of a JWK set document (RFC 7517 §5).
    ///
    /// Each key stands for itself: one that cannot be used is left out, with
    /// its reason in [`KeySet::skipped`]. Private keys and shared secrets are
    /// left out too, because they have no place in a published document.
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
    /// For documents from your own configuration only. Anybody who can change the
    /// document can sign tokens.
    ///
    /// # Errors
    ///
    /// The text is not a JWK set.
    pub fn from_private_jwks(document: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::read(&documents_keys(document.as_ref())?, Trust::Private)
    }

    /// The public keys of a document that may have at most so many; `None` if it
    /// has more. It is a JWK set, or an object that has a PEM text for each id.
    #[cfg(feature = "remote")]
    pub(crate) fn from_document_of_at_most(
        limit: usize,
        document: &[u8],
    ) -> Result<Option<Self>, ConfigError> {
        match documents_keys(document) {
            Ok(keys) if keys.len() > limit => Ok(None),
            Ok(keys) => Self::read(&keys, Trust::Public).map(Some),
            Err(error) => match super::pem_map::read(document) {
                Some(texts) if texts.len() > limit => Ok(None),
                Some(texts) => Ok(Some(Self::of_pem_texts(texts))),
                None => Err(error),
            },
        }
    }

    #[cfg(feature = "remote")]
    fn of_pem_texts(texts: Vec<(String, String)>) -> Self {
        let (mut keys, mut skipped) = (Vec::new(), Vec::new());
        for (index, (kid, text)) in texts.into_iter().enumerate() {
            match Key::from_pem(text) {
                Ok(key) => keys.push(key.with_kid(kid)),
                Err(reason) => skipped.push(SkippedKey { index, kid: Some(kid), reason }),
            }
        }
        Self::of(keys.into(), skipped.into())
    }

    /// Binds all keys to an issuer; see [`Key::with_issuer`].
    #[must_use]
    pub fn with_issuer(self, issuer: impl Into<String>) -> Self {
        let issuer = issuer.into();
        let keys = self.iter().map(|key| key.clone().with_issuer(&*issuer)).collect();
        Self::of(keys, self.skipped)
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
        Self::of(
            self.iter().chain(other.iter()).cloned().collect(),
            self.skipped.iter().chain(other.skipped()).cloned().collect(),
        )
    }

    /// All algorithms that some key may verify.
    pub(crate) fn algorithms(&self) -> AlgorithmSet {
        self.iter().flat_map(Key::algorithms).collect()
    }

    /// Whether one of the keys has made this signature, of any bytes: published vectors are
    /// mostly about bytes that are no token. For the tests of this crate; not part of its API.
    #[doc(hidden)]
    pub fn have_signed(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.verify(None, algorithm, message, signature).is_ok()
    }

    /// Finds the key whose signature this is, and the issuer that it is bound to.
    #[inline]
    pub(crate) fn verify(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(Authentic, Option<&str>), Miss> {
        if let Some(index) = &self.index {
            return self.verify_indexed(index, kid, algorithm, message, signature);
        }
        // A key of that id is the one that is meant, also if it does not fit.
        let is_named = kid.is_some_and(|kid| self.iter().any(|key| key.kid() == Some(kid)));
        let named = named(kid, is_named);
        let candidates = self.iter().filter(|key| named.fits(key));
        try_each(fitting(candidates, algorithm), is_named, algorithm, message, signature)
    }

    /// The same for a large set, without a look at each key.
    #[inline(never)]
    fn verify_indexed(
        &self,
        index: &Index,
        kid: Option<&str>,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(Authentic, Option<&str>), Miss> {
        let (candidates, is_named) = self.indexed(index, kid, algorithm);
        try_each(fitting(candidates, algorithm), is_named, algorithm, message, signature)
    }

    /// The keys that the index has for a token, and whether one has the token's id.
    fn indexed<'s, 'q>(
        &'s self,
        index: &'q Index,
        kid: Option<&'q str>,
        algorithm: Algorithm,
    ) -> (impl Iterator<Item = &'s Key> + use<'s, 'q>, bool) {
        let is_named = kid.is_some_and(|kid| {
            let mut keys = index.with_id(kid).iter().filter_map(|place| self.keys.get(*place));
            keys.any(|key| key.kid() == Some(kid))
        });
        let named = named(kid, is_named);
        let keys = index.find(named, algorithm).iter().filter_map(|place| self.keys.get(*place));
        (keys.filter(move |key| named.fits(key)), is_named)
    }

    fn of(keys: Few<Key>, skipped: Arc<[SkippedKey]>) -> Self {
        let index = Index::of(&keys).map(Arc::new);
        Self { keys, skipped, index }
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
        Ok(Self::of(keys.into(), skipped.into()))
    }
}

/// The keys that a token with this id is tried with.
#[inline]
fn named(kid: Option<&str>, is_named: bool) -> Named<'_> {
    match kid {
        None => Named::Any,
        Some(id) if is_named => Named::Id(id),
        Some(_) => Named::None,
    }
}

/// Those keys that serve the algorithm.
#[inline]
fn fitting<'s>(
    keys: impl Iterator<Item = &'s Key>,
    algorithm: Algorithm,
) -> impl Iterator<Item = (&'s Key, &'s Prepared)> {
    keys.filter_map(move |key| Some((key, key.prepared(algorithm)?)))
}

#[inline]
fn try_each<'s>(
    mut candidates: impl Iterator<Item = (&'s Key, &'s Prepared)>,
    is_named: bool,
    algorithm: Algorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<(Authentic, Option<&'s str>), Miss> {
    let mut tried = 0;
    for (key, prepared) in candidates.by_ref().take(MOST_TRIED) {
        tried += 1;
        if let Some(authentic) = prepared.verify(message, signature) {
            return Ok((authentic, key.issuer()));
        }
    }
    Err(miss(tried, candidates.count(), is_named, algorithm))
}

#[cold]
fn miss(tried: usize, others: usize, is_named: bool, algorithm: Algorithm) -> Miss {
    let error = Error::new(match (tried, others) {
        (0, _) => ErrorKind::UnknownKey,
        (_, 0) => ErrorKind::Signature,
        _ => ErrorKind::KeysNotTried { tried, fitting: tried.saturating_add(others) },
    });
    Miss { error, may_be_published: !is_named && !algorithm.is_symmetric() }
}

/// The keys of a JWK set, each as its JSON text.
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
        .ok_or_else(|| wrong_form(document, Form::Jwks, "the document is no JWK set (RFC 7517 §5)"))
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
    /// Whether a published set may have the key one day: this one is
    /// published, and has no key that the token names.
    #[cfg_attr(not(feature = "remote"), expect(dead_code, reason = "only sets are fetched"))]
    pub(crate) may_be_published: bool,
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

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*, sample::select};

    use super::*;

    /// The keys that a token is tried with, as the rules of the module say it.
    fn defined<'s>(set: &'s KeySet, kid: Option<&str>, algorithm: Algorithm) -> Vec<&'s Key> {
        let named = kid.filter(|kid| set.iter().any(|key| key.kid() == Some(kid)));
        let all = set.iter();
        let named = all.filter(|key| match (kid, named) {
            (None, _) => true,
            (Some(_), Some(named)) => key.kid() == Some(named),
            (Some(_), None) => key.kid().is_none(),
        });
        named.filter(|key| key.prepared(algorithm).is_some()).take(MOST_TRIED).collect()
    }

    fn names() -> impl Strategy<Value = Option<&'static str>> {
        option::of(select(vec!["a", "b", "c", "d"]))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn an_index_finds_the_keys_that_are_defined_in_their_order(
            keys in vec((names(), 0..3_usize), 17..60),
            kid in names(),
        ) {
            let secret = |n: usize| vec![u8::try_from(n + 1).unwrap(); 64];
            let kinds = [Key::hs256(secret(0)), Key::hs384(secret(1)), Key::hs512(secret(2))];
            let kinds = kinds.map(Result::unwrap);
            let set: KeySet = keys
                .iter()
                .map(|(kid, kind)| {
                    kid.iter().fold(kinds[*kind].clone(), |key, kid| key.with_kid(*kid))
                })
                .collect();
            let index = set.index.as_deref().unwrap();
            for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512, Algorithm::RS256] {
                let (found, is_named) = set.indexed(index, kid, algorithm);
                let found: Vec<_> =
                    fitting(found, algorithm).map(|(key, _)| key).take(MOST_TRIED).collect();
                let expected = defined(&set, kid, algorithm);
                prop_assert!(found.iter().map(|key| std::ptr::from_ref(*key))
                    .eq(expected.iter().map(|key| std::ptr::from_ref(*key))));
                let has_id = kid.is_some_and(|kid| keys.iter().any(|(one, ..)| *one == Some(kid)));
                prop_assert_eq!(is_named, has_id);
            }
        }
    }

    #[test]
    fn a_set_keeps_its_index_through_all_changes() {
        let key = |n: usize| Key::hs256([7; 32]).unwrap().with_kid(n.to_string());
        let set: KeySet = (0..16).map(key).collect();
        assert!(set.index.is_none());
        let both = set.clone().and(KeySet::new([key(16)])).with_issuer("i");
        let index = both.index.as_deref().unwrap();
        let (found, is_named) = both.indexed(index, Some("16"), Algorithm::HS256);
        assert_eq!(found.map(Key::kid).collect::<Vec<_>>(), [Some("16")]);
        assert!(is_named);
    }
}
