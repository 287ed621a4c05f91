//! One generation of keys, and what was learned of their tokens.

use super::KeySet;
use crate::token::HeaderMemo;

/// Keys that are trusted together, and the headers of tokens that they signed:
/// with the keys, these go too.
#[derive(Default)]
pub(crate) struct Trusted {
    pub(crate) keys: KeySet,
    pub(crate) headers: HeaderMemo,
}

impl Trusted {
    pub(crate) fn new(keys: KeySet) -> Self {
        Self { keys, headers: HeaderMemo::default() }
    }
}
