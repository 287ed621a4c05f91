//! The events of keys.

use std::{fmt, time::Duration};

/// How a fetch of keys has ended.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct KeyFetch<'k> {
    /// The name of the issuer: as it is configured, or the pattern that it matches. For keys without
    /// an issuer, where they come from.
    pub issuer: &'k str,
    /// How it has ended.
    pub outcome: FetchOutcome,
}

impl<'k> KeyFetch<'k> {
    /// Creates an event. Use it in tests of your observer.
    #[must_use]
    pub const fn new(issuer: &'k str, outcome: FetchOutcome) -> Self {
        Self { issuer, outcome }
    }
}

/// How a fetch of keys, or the lookup of one, has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FetchOutcome {
    /// The document is another one than before, or a key was found.
    Renewed,
    /// The document is the same.
    Unchanged,
    /// There is no key of this id.
    Absent,
    /// It failed. The present keys stay.
    Failed,
}

impl FetchOutcome {
    /// All outcomes.
    #[cfg(feature = "metrics")]
    pub(in crate::observe) const ALL: [Self; 4] =
        [Self::Renewed, Self::Unchanged, Self::Absent, Self::Failed];

    /// The name of the outcome, such as `renewed`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Renewed => "renewed",
            Self::Unchanged => "unchanged",
            Self::Absent => "absent",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for FetchOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The state of a set of keys.
///
/// Several sets may have one issuer, such as those of two verifiers: `set` tells them apart.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct KeyReport<'k> {
    /// As in [`KeyFetch::issuer`].
    pub issuer: &'k str,
    /// The number of the set in this process, from 1.
    pub set: u64,
    /// The number of keys, also if they are too old to be used.
    pub keys: usize,
    /// The time since keys were last fetched or found to be unchanged; `None` before that.
    pub age: Option<Duration>,
    /// Whether tokens can be verified: keys were fetched, and are not older than
    /// `RemoteKeysBuilder::max_stale`.
    pub usable: bool,
}

impl<'k> KeyReport<'k> {
    /// Creates a report of the set 0, which is usable if it has keys. Use it in tests of your observer.
    #[must_use]
    pub const fn new(issuer: &'k str, keys: usize, age: Option<Duration>) -> Self {
        Self { issuer, set: 0, keys, age, usable: keys > 0 }
    }
}

/// The end of a set of keys: nobody uses it any more, and no further report of it comes.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct KeysDropped<'k> {
    /// As in [`KeyFetch::issuer`].
    pub issuer: &'k str,
    /// As in [`KeyReport::set`].
    pub set: u64,
}

impl<'k> KeysDropped<'k> {
    /// Creates an event. Use it in tests of your observer.
    #[must_use]
    pub const fn new(issuer: &'k str, set: u64) -> Self {
        Self { issuer, set }
    }
}

/// A difference between two documents of keys.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct KeyRotation<'k> {
    /// As in [`KeyFetch::issuer`].
    pub issuer: &'k str,
    /// The ids of the keys that were added.
    pub added: &'k [Box<str>],
    /// The ids of the keys that were removed.
    pub removed: &'k [Box<str>],
}

impl<'k> KeyRotation<'k> {
    /// Creates an event. Use it in tests of your observer.
    #[must_use]
    pub const fn new(issuer: &'k str, added: &'k [Box<str>], removed: &'k [Box<str>]) -> Self {
        Self { issuer, added, removed }
    }
}

/// A key that was removed while its tokens had not expired.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct EarlyRemoval<'k> {
    /// As in [`KeyFetch::issuer`].
    pub issuer: &'k str,
    /// The id of the key.
    pub id: &'k str,
    /// The time from the removal until the last of its tokens expires that was verified here.
    pub left: Duration,
}

impl<'k> EarlyRemoval<'k> {
    /// Creates an event. Use it in tests of your observer.
    #[must_use]
    pub const fn new(issuer: &'k str, id: &'k str, left: Duration) -> Self {
        Self { issuer, id, left }
    }
}

/// The use of a key that was removed.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RemovedKeyUse<'k> {
    /// As in [`KeyFetch::issuer`].
    pub issuer: &'k str,
    /// The id of the key.
    pub id: &'k str,
}

impl<'k> RemovedKeyUse<'k> {
    /// Creates an event. Use it in tests of your observer.
    #[must_use]
    pub const fn new(issuer: &'k str, id: &'k str) -> Self {
        Self { issuer, id }
    }
}

/// A key that is older than it should be.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct OldKey<'k> {
    /// As in [`KeyFetch::issuer`].
    pub issuer: &'k str,
    /// The id of the key.
    pub id: &'k str,
    /// The time since this process first saw it.
    pub age: Duration,
}

impl<'k> OldKey<'k> {
    /// Creates an event. Use it in tests of your observer.
    #[must_use]
    pub const fn new(issuer: &'k str, id: &'k str, age: Duration) -> Self {
        Self { issuer, id, age }
    }
}
