//! An index of a large key set.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
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

/// The keys that a token may be tried with, by their ids.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub(super) enum Named<'k> {
    /// Those of this id.
    Id(&'k str),
    /// Those without an id.
    None,
    /// All of them.
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
            for algorithm in key.algorithms() {
                for named in [&named, &Named::Any] {
                    let hash = index.hasher.hash_one((named, algorithm));
                    index.places.entry(hash).or_default().push(place);
                }
            }
        }
        Some(index)
    }

    /// The keys that may have this id.
    pub(super) fn with_id(&self, id: &str) -> &[usize] {
        self.ids.get(&self.hasher.hash_one(id)).map_or(&[], Vec::as_slice)
    }

    /// The keys that may be tried.
    pub(super) fn find(&self, named: Named<'_>, algorithm: Algorithm) -> &[usize] {
        let hash = self.hasher.hash_one((named, algorithm));
        self.places.get(&hash).map_or(&[], Vec::as_slice)
    }
}

/// So few keys are looked at one by one, which is quicker.
const MOST_WITHOUT: usize = 16;
