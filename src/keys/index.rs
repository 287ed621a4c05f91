//! Where the keys of a large set are that a token may be tried with.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    iter,
};

use super::Key;
use crate::alg::Algorithm;

/// The places of keys, by what a token asks for, in the order of the set.
///
/// It names all keys that are to be tried, and may name others: whoever asks looks at the
/// key itself. So nothing depends on hashes being different.
pub(super) struct Index {
    ids: HashMap<u64, Vec<usize>>,
    places: HashMap<u64, Vec<usize>>,
    hasher: RandomState,
}

/// Which keys a token may be tried with, by their ids.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub(super) enum Named<'k> {
    /// Those of this id.
    Id(&'k str),
    /// Those that have none.
    None,
    /// All of them.
    Any,
}

/// Which keys, by the issuer that they are bound to.
#[derive(Hash)]
enum Bound<'k> {
    To(&'k str),
    ToNone,
    Any,
}

impl Named<'_> {
    pub(super) fn fits(self, key: &Key) -> bool {
        match self {
            Self::Id(id) => key.kid() == Some(id),
            Self::None => key.kid().is_none(),
            Self::Any => true,
        }
    }
}

impl Index {
    /// An index, if there are so many keys that it is worth it.
    pub(super) fn of(keys: &[Key]) -> Option<Self> {
        if keys.len() <= MOST_WITHOUT {
            return None;
        }
        let mut index =
            Self { ids: HashMap::new(), places: HashMap::new(), hasher: RandomState::new() };
        for (place, key) in keys.iter().enumerate() {
            if let Some(id) = key.kid() {
                index.ids.entry(index.hasher.hash_one(id)).or_default().push(place);
            }
            let named = key.kid().map_or(Named::None, Named::Id);
            let bound = key.issuer().map_or(Bound::ToNone, Bound::To);
            for algorithm in key.algorithms() {
                for named in [&named, &Named::Any] {
                    for bound in [&bound, &Bound::Any] {
                        let hash = index.hasher.hash_one((named, bound, algorithm));
                        index.places.entry(hash).or_default().push(place);
                    }
                }
            }
        }
        Some(index)
    }

    /// The keys that may have this id.
    pub(super) fn with_id(&self, id: &str) -> &[usize] {
        self.ids.get(&self.hasher.hash_one(id)).map_or(&[], Vec::as_slice)
    }

    /// The keys that may be tried; those of an issuer together with those that are bound to
    /// none.
    pub(super) fn find(
        &self,
        named: Named<'_>,
        issuer: Option<&str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = usize> {
        let (one, other) = match issuer {
            None => (self.places(named, Bound::Any, algorithm), [].as_slice()),
            Some(issuer) => (
                self.places(named, Bound::To(issuer), algorithm),
                self.places(named, Bound::ToNone, algorithm),
            ),
        };
        in_order(one, other)
    }

    fn places(&self, named: Named<'_>, bound: Bound<'_>, algorithm: Algorithm) -> &[usize] {
        let hash = self.hasher.hash_one((named, bound, algorithm));
        self.places.get(&hash).map_or(&[], Vec::as_slice)
    }
}

/// Two lists that are in order, as one that is in order.
fn in_order<'i>(one: &'i [usize], other: &'i [usize]) -> impl Iterator<Item = usize> + use<'i> {
    let (mut one, mut other) = (one.iter().peekable(), other.iter().peekable());
    iter::from_fn(move || match (one.peek(), other.peek()) {
        (Some(first), Some(second)) if second < first => other.next(),
        (Some(_), _) => one.next(),
        (None, _) => other.next(),
    })
    .copied()
}

/// So few keys are looked at one by one, which is quicker.
const MOST_WITHOUT: usize = 16;
