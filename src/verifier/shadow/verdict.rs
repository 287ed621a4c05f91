//! The rules in the shadow that refuse a token.

use std::{
    fmt,
    sync::atomic::{AtomicU16, Ordering},
};

/// A rule in the [shadow](crate::verifier::VerifierBuilder::shadow). Its name is the one that the
/// [kind](crate::ErrorKind::name) of the error has once the rule is enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ShadowRule {
    /// The algorithm of the token (`algorithm_not_allowed`).
    Algorithm,
    /// The `typ` of its header (`token_type`).
    TokenType,
    /// A parameter of its header that is required (`header_parameter`).
    HeaderParameter,
    /// Its issuer; also if it names none (`issuer`).
    Issuer,
    /// Its audience; also if it names none (`audience`).
    Audience,
    /// Its client; also if it names none (`client`).
    Client,
    /// A claim that is required (`missing_claim`).
    MissingClaim,
    /// The claim `events` (`security_event`).
    SecurityEvent,
    /// The claim `cnf` (`sender_constrained`).
    SenderConstrained,
    /// A `sub` that is a number (`malformed_claims`).
    MalformedClaims,
    /// Its `exp`, with a smaller leeway (`expired`).
    Expired,
    /// Its `nbf`, with a smaller leeway (`not_yet_valid`).
    NotYetValid,
    /// Its `iat`, with a smaller leeway (`issued_in_future`).
    IssuedInFuture,
    /// Its age; also if it has no `iat` (`too_old`).
    TooOld,
}

impl ShadowRule {
    /// All rules.
    pub(super) const ALL: [Self; 14] = [
        Self::Algorithm,
        Self::TokenType,
        Self::HeaderParameter,
        Self::Issuer,
        Self::Audience,
        Self::Client,
        Self::MissingClaim,
        Self::SecurityEvent,
        Self::SenderConstrained,
        Self::MalformedClaims,
        Self::Expired,
        Self::NotYetValid,
        Self::IssuedInFuture,
        Self::TooOld,
    ];

    /// The name of the rule, as events have it: `audience`, `token_type`. A name does not change.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Algorithm => "algorithm_not_allowed",
            Self::TokenType => "token_type",
            Self::HeaderParameter => "header_parameter",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Client => "client",
            Self::MissingClaim => "missing_claim",
            Self::SecurityEvent => "security_event",
            Self::SenderConstrained => "sender_constrained",
            Self::MalformedClaims => "malformed_claims",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::IssuedInFuture => "issued_in_future",
            Self::TooOld => "too_old",
        }
    }
}

impl fmt::Display for ShadowRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The rules in the shadow that would have refused a token; returned by
/// [`Claims::shadow`](crate::Claims::shadow).
///
/// `Display` writes the names with commas: `audience, expired`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ShadowVerdict(RuleSet);

impl ShadowVerdict {
    /// Whether no rule in the shadow would have refused the token.
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
        ShadowRule::ALL.into_iter().filter(move |rule| self.contains(*rule))
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
pub(in crate::verifier) struct KeptVerdict(AtomicU16);

impl KeptVerdict {
    pub(in crate::verifier) fn get(&self) -> ShadowVerdict {
        ShadowVerdict(RuleSet(self.0.load(Ordering::Relaxed)))
    }

    /// Replaces the part that depends on the time, and returns the whole. The memory is written to
    /// only if that has changed, because all requests with the token share it.
    #[inline]
    pub(super) fn with_times(&self, times: RuleSet) -> RuleSet {
        let before = self.0.load(Ordering::Relaxed);
        let now = (before & !RuleSet::OF_TIME.0) | times.of_time().0;
        if now != before {
            self.0.store(now, Ordering::Relaxed);
        }
        RuleSet(now)
    }
}

impl From<RuleSet> for KeptVerdict {
    fn from(refused: RuleSet) -> Self {
        Self(AtomicU16::new(refused.0))
    }
}

impl Clone for KeptVerdict {
    fn clone(&self) -> Self {
        Self::from(self.get().0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_has_a_bit_and_a_name_of_its_own() {
        let mut set = RuleSet::default();
        for (place, rule) in ShadowRule::ALL.into_iter().enumerate() {
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
        let kept = KeptVerdict::from(set(&[ShadowRule::Audience]));
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
