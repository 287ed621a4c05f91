//! The events of denylists, refresh tokens and shadow rules.

use std::{fmt, time::Duration};

use crate::shadow_rule::ShadowRule;

/// The state of a denylist. A list that is dropped reports a last time, without lag and entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DenylistReport {
    /// The time since the store last told all changes; zero for a list in memory. `None` before
    /// the list was read for the first time.
    pub lag: Option<Duration>,
    /// The number of revocations in this process. A list in memory also counts those that are over,
    /// until it removes them at further revocations.
    pub entries: usize,
    /// The number of the list in this process, from 1, which tells several lists apart. A list does not
    /// set it: an observer is told the number of the list that it was handed to.
    pub list: u64,
}

impl DenylistReport {
    /// A report of a denylist of your own.
    #[must_use]
    pub const fn new(lag: Option<Duration>, entries: usize) -> Self {
        Self { lag, entries, list: 0 }
    }
}

/// The outcome for a refresh token that was presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefreshOutcome {
    /// It was spent for its successor.
    Rotated,
    /// It was presented again within the grace, and gave the same successor.
    Repeated,
    /// It had been spent, and its session has ended.
    Reused,
    /// Its session was over.
    Expired,
    /// It belongs to no session.
    Unknown,
    /// The store did not answer.
    Unavailable,
}

impl RefreshOutcome {
    /// All outcomes.
    #[cfg(feature = "metrics")]
    pub(in crate::observe) const ALL: [Self; 6] = [
        Self::Rotated,
        Self::Repeated,
        Self::Reused,
        Self::Expired,
        Self::Unknown,
        Self::Unavailable,
    ];

    /// The name of the outcome, such as `rotated`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rotated => "rotated",
            Self::Repeated => "repeated",
            Self::Reused => "reused",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
            Self::Unavailable => "unavailable",
        }
    }
}

impl fmt::Display for RefreshOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A refresh token that was presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefreshReport {
    /// The outcome.
    pub outcome: RefreshOutcome,
}

impl RefreshReport {
    /// Creates an event. Use it in tests of your observer.
    #[must_use]
    pub const fn new(outcome: RefreshOutcome) -> Self {
        Self { outcome }
    }
}

/// A shadow rule has looked at the token of a request that passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShadowReport {
    /// The rule.
    pub rule: ShadowRule,
    /// The decision of the rule.
    pub outcome: ShadowOutcome,
}

impl ShadowReport {
    /// Creates an event. Use it in tests of your observer.
    #[must_use]
    pub const fn new(rule: ShadowRule, outcome: ShadowOutcome) -> Self {
        Self { rule, outcome }
    }
}

/// The decision of a shadow rule on a token that passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ShadowOutcome {
    /// The rule would let it pass.
    Accepted,
    /// The rule would refuse it.
    Refused,
}

impl ShadowOutcome {
    /// The name of the outcome, such as `refused`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for ShadowOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
