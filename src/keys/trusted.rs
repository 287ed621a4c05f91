//! One generation of keys, and what was learned of their tokens.

use std::sync::atomic::{AtomicU64, Ordering};

use super::KeySet;
use crate::token::HeaderMemo;

/// Keys that are trusted together, and the headers of tokens that they signed:
/// with the keys, these go too.
pub(crate) struct Trusted {
    pub(crate) keys: KeySet,
    pub(crate) headers: HeaderMemo,
    generation: Generation,
}

/// The name of some keys that are trusted together; no others ever have it.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub(crate) struct Generation(u64);

/// Evidence that the keys which once vouched for a token are still trusted; made
/// only by [`Trusted::is_still`].
#[derive(Debug)]
pub(crate) struct StillTrusted(());

impl Trusted {
    pub(crate) fn new(keys: KeySet) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let generation = Generation(NEXT.fetch_add(1, Ordering::Relaxed));
        Self { keys, headers: HeaderMemo::default(), generation }
    }

    pub(crate) fn generation(&self) -> Generation {
        self.generation
    }

    /// Whether these are still the keys of that name.
    #[inline]
    pub(super) fn is_still(&self, generation: Generation) -> Option<StillTrusted> {
        (self.generation == generation).then_some(StillTrusted(()))
    }
}
