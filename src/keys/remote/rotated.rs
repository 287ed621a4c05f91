//! The difference between two documents of keys.

use std::collections::BTreeSet;

use crate::{
    keys::{Key, KeySet},
    token::Header,
};

/// The ids of keys that came, and of those that went.
pub(super) struct Rotated {
    pub(super) added: Vec<Box<str>>,
    pub(super) removed: Vec<Box<str>>,
}

impl Rotated {
    /// `None` if the ids are the same.
    pub(super) fn between(old: &KeySet, new: &KeySet) -> Option<Self> {
        let (old, new) = (ids(old), ids(new));
        let added: Vec<_> = new.difference(&old).cloned().collect();
        let removed: Vec<_> = old.difference(&new).cloned().collect();
        (!added.is_empty() || !removed.is_empty()).then_some(Self { added, removed })
    }
}

/// The ids of keys, in order.
pub(super) fn ids(keys: &KeySet) -> BTreeSet<Box<str>> {
    // No token is accepted with a longer one.
    let ids = keys.iter().filter_map(Key::kid).filter(|id| id.len() <= Header::LONGEST_KID);
    ids.map(Box::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alg::Algorithm;

    #[test]
    fn ids_are_compared() {
        let set = |ids: &[&str]| -> KeySet {
            ids.iter().map(|id| Key::of_zeros(Algorithm::HS256).with_kid(*id)).collect()
        };
        let between = |old: &[&str], new: &[&str]| {
            let rotated = Rotated::between(&set(old), &set(new))?;
            Some((rotated.added.concat(), rotated.removed.concat()))
        };
        assert_eq!(between(&["a", "b"], &["b", "a", "a"]), None);
        assert_eq!(between(&["a", "b"], &["c", "b"]), Some(("c".into(), "a".into())));
        assert_eq!(between(&[], &["b", "a"]), Some(("ab".into(), "".into())));
        let long = "k".repeat(Header::LONGEST_KID + 1);
        assert_eq!(between(&["a"], &["a", &long]), None, "no token can name it");
    }
}
