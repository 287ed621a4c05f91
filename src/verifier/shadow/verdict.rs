//! The shadow rules that would refuse a token.

use std::{
    fmt,
    sync::atomic::{AtomicU16, Ordering},
};

use crate::{alg::Algorithm, shadow_rule::ShadowRule};

/// The shadow rules that would have refused a token; returned by
/// [`Claims::shadow`](crate::Claims::shadow).
///
/// `Display` writes the names with commas: `audience, expired`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ShadowVerdict(RuleSet);

impl ShadowVerdict {
    /// Whether no shadow rule would have refused the token.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == RuleSet::NONE
    }

    /// Whether this rule would have refused the token.
    #[must_use]
    pub fn contains(self, rule: ShadowRule) -> bool {
        self.0.contains(rule)
    }

    /// The rules that would have refused the token.
    pub fn iter(self) -> impl Iterator<Item = ShadowRule> {
        self.0.iter()
    }
}

impl fmt::Display for ShadowVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, rule) in self.iter().enumerate() {
            write!(f, "{}{rule}", if place == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl fmt::Debug for ShadowVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// A set of rules: a bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::verifier) struct RuleSet(u16);

impl RuleSet {
    const NONE: Self = Self(0);
    /// The rules whose verdict changes with the time.
    const OF_TIME: Self = Self(
        bit(ShadowRule::Expired)
            | bit(ShadowRule::NotYetValid)
            | bit(ShadowRule::IssuedInFuture)
            | bit(ShadowRule::TooOld),
    );

    pub(super) fn insert(&mut self, rule: ShadowRule) {
        self.0 |= bit(rule);
    }

    /// Inserts the rule if it refuses.
    pub(super) fn insert_if(&mut self, refuses: bool, rule: ShadowRule) {
        if refuses {
            self.insert(rule);
        }
    }

    #[inline]
    pub(super) fn contains(self, rule: ShadowRule) -> bool {
        self.0 & bit(rule) != 0
    }

    #[inline]
    pub(super) fn iter(self) -> impl Iterator<Item = ShadowRule> {
        ShadowRule::ALL.iter().copied().filter(move |rule| self.contains(*rule))
    }

    /// The rules of the set whose verdict depends on the time.
    pub(super) fn of_time(self) -> Self {
        Self(self.0 & Self::OF_TIME.0)
    }
}

const fn bit(rule: ShadowRule) -> u16 {
    1 << rule as u16
}

/// The verdict that is kept with the claims of a token. The part that does not depend on the time was
/// found once; the other part is that of the last request.
#[derive(Debug, Default)]
pub(in crate::verifier) struct KeptVerdict {
    refused: AtomicU16,
    /// The values of the header, if a rule on it would refuse the token: the claims have no header.
    seen: Option<Box<SeenHeader>>,
}

/// Values of a header, for events.
#[derive(Clone, Debug)]
pub(super) struct SeenHeader {
    pub(super) algorithm: Algorithm,
    /// Escaped and cut.
    pub(super) typ: Option<Box<str>>,
}

impl KeptVerdict {
    pub(super) fn new(refused: RuleSet, seen: Option<Box<SeenHeader>>) -> Self {
        Self { refused: AtomicU16::new(refused.0), seen }
    }

    pub(in crate::verifier) fn get(&self) -> ShadowVerdict {
        ShadowVerdict(RuleSet(self.refused.load(Ordering::Relaxed)))
    }

    pub(super) fn seen(&self) -> Option<&SeenHeader> {
        self.seen.as_deref()
    }

    /// Replaces the part that depends on the time, and returns the whole. The memory is written to
    /// only if that has changed, because all requests with the token share it.
    #[inline]
    pub(super) fn with_times(&self, times: RuleSet) -> RuleSet {
        let before = self.refused.load(Ordering::Relaxed);
        let now = (before & !RuleSet::OF_TIME.0) | times.of_time().0;
        if now != before {
            self.refused.store(now, Ordering::Relaxed);
        }
        RuleSet(now)
    }
}

impl Clone for KeptVerdict {
    fn clone(&self) -> Self {
        Self::new(self.get().0, self.seen.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_has_a_bit_and_a_name_of_its_own() {
        let mut set = RuleSet::default();
        for (place, rule) in ShadowRule::ALL.iter().copied().enumerate() {
            assert!(!set.contains(rule), "{rule}");
            set.insert(rule);
            assert_eq!(set.iter().count(), place + 1);
            assert_eq!(ShadowRule::ALL.iter().filter(|one| one.name() == rule.name()).count(), 1);
        }
        let of_time: Vec<_> = set.of_time().iter().map(ShadowRule::name).collect();
        assert_eq!(of_time, ["expired", "not_yet_valid", "issued_in_future", "too_old"]);
    }

    #[test]
    fn only_the_part_of_the_time_is_replaced() {
        let set = |rules: &[ShadowRule]| {
            let mut set = RuleSet::default();
            rules.iter().for_each(|rule| set.insert(*rule));
            set
        };
        let kept = KeptVerdict::new(set(&[ShadowRule::Audience]), None);
        assert_eq!(kept.get().to_string(), "audience");
        kept.with_times(set(&[ShadowRule::Expired]));
        assert_eq!(kept.get().to_string(), "audience, expired");
        assert_eq!(format!("{:?}", kept.get()), "{Audience, Expired}");
        // The other part stays as it is.
        kept.with_times(set(&[ShadowRule::Issuer]));
        assert_eq!(kept.get().to_string(), "audience");
        assert!(!kept.get().is_empty() && KeptVerdict::default().get().is_empty());
    }
}
