//! The order in which revocations end.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::table::{Name, Over, Table};

/// The order in which revocations end, and the issuers that they share.
#[derive(Default)]
pub(super) struct Due {
    /// The hashes of names, by the second in which they may be over. Each revocation has one
    /// place. If it was extended, it is moved when its former end comes.
    order: BTreeMap<i64, Vec<u64>>,
    /// The number of revocations of each issuer.
    issuers: HashMap<Arc<str>, usize>,
}

impl Due {
    /// Adds a revocation that is not in the table.
    pub(super) fn insert(&mut self, table: &Table, name: Name<'_>, until: i64, before: i64) {
        let issuer = match self.issuers.get_key_value(name.issuer) {
            Some((issuer, _)) => Arc::clone(issuer),
            None => Arc::from(name.issuer),
        };
        *self.issuers.entry(Arc::clone(&issuer)).or_default() += 1;
        table.insert(name, issuer, until, before);
        self.push(until, name.hash);
    }

    /// Removes the revocation that is due first if it is over. Says whether one was due.
    pub(super) fn remove_one(&mut self, table: &Table, now: i64) -> bool {
        let Some(mut first) = self.order.first_entry().filter(|first| *first.key() <= now) else {
            return false;
        };
        let hash = first.get_mut().pop();
        if first.get().is_empty() {
            first.remove();
        }
        match hash.map_or(Over::Missing, |hash| table.remove_over(hash, now)) {
            Over::Removed(issuer) => self.forget(&issuer),
            Over::Lasts(until) => hash.into_iter().for_each(|hash| self.push(until, hash)),
            Over::Missing => {}
        }
        true
    }

    fn push(&mut self, until: i64, hash: u64) {
        // Most seconds have several. A second with one takes no more memory than that.
        self.order.entry(until).or_insert_with(|| Vec::with_capacity(1)).push(hash);
    }

    fn forget(&mut self, issuer: &str) {
        if let Some(count) = self.issuers.get_mut(issuer) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.issuers.remove(issuer);
            }
        }
    }
}
