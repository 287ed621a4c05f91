//! The events that observers are told.

use std::{fmt, time::Duration};

use crate::{error::Error, shadow_rule::ShadowRule};

/// A decision of a [`JwtAuthLayer`](crate::JwtAuthLayer) on a request.
///
/// A request has one for each layer that it passes. There is one more if it passes a layer and is
/// then refused further in, by a [`RequireLayer`](crate::RequireLayer), an extractor or a handler that
/// answers with a [`Rejection`](crate::response::Rejection): the innermost layer around reports it.
/// So with one layer, the number of requests is that of all decisions less those of
/// [`scheme`](Self::scheme) [`Within`](Scheme::Within).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Decision<'d> {
    /// Whether the request passes.
    pub outcome: Outcome,
    /// How its token was sent.
    pub scheme: Scheme,
    /// Why it does not pass, or passes without claims.
    pub error: Option<&'d Error>,
}

impl<'d> Decision<'d> {
    /// It is a constant, so that a request does not write it anew.
    pub(crate) fn accepted(scheme: Scheme) -> &'static Decision<'static> {
        const fn with(scheme: Scheme) -> Decision<'static> {
            Decision { outcome: Outcome::Accepted, scheme, error: None }
        }
        match scheme {
            Scheme::Bearer => const { &with(Scheme::Bearer) },
            Scheme::Cookie => const { &with(Scheme::Cookie) },
            Scheme::None => const { &with(Scheme::None) },
            Scheme::Within => const { &with(Scheme::Within) },
        }
    }

    pub(crate) fn anonymous(scheme: Scheme, error: &'d Error) -> Self {
        Self { outcome: Outcome::Anonymous, scheme, error: Some(error) }
    }

    pub(crate) fn refused(scheme: Scheme, error: &'d Error) -> Self {
        let unavailable = error.is_server_fault();
        let outcome = if unavailable { Outcome::Unavailable } else { Outcome::Refused };
        Self { outcome, scheme, error: Some(error) }
    }

    /// Creates a decision. Use it in tests of your observer.
    #[must_use]
    pub const fn new(outcome: Outcome, scheme: Scheme, error: Option<&'d Error>) -> Self {
        Self { outcome, scheme, error }
    }

    /// The [name of the kind](crate::ErrorKind::name) of the error, or `none`.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.error.map_or("none", |error| error.kind().name())
    }
}

/// Whether a request passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// It passes with claims.
    Accepted,
    /// It passes without claims, as the layer's mode allows.
    Anonymous,
    /// It is refused, and the client is at fault.
    Refused,
    /// It cannot be decided: the server is at fault.
    Unavailable,
}

impl Outcome {
    /// The name of the outcome, such as `accepted`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Anonymous => "anonymous",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
        }
    }
}

/// How a token was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scheme {
    /// Explicitly: in a header, the query or a subprotocol.
    Bearer,
    /// In a cookie only.
    Cookie,
    /// There is no token.
    None,
    /// The request had passed the layer, and was refused further in.
    Within,
}

impl Scheme {
    /// The name of the scheme, such as `bearer`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::Cookie => "cookie",
            Self::None => "none",
            Self::Within => "within",
        }
    }
}

/// Whether a token was found among those that were verified before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CacheLookup {
    /// It was found, and is still trusted.
    Hit,
    /// It was not found, or must be verified again.
    Miss,
    /// It was verified, and not kept: there is no room, or it came for the first time while many
    /// others do. It was a [`Miss`](Self::Miss) before.
    Full,
}

impl CacheLookup {
    /// The name of the result, such as `hit`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Full => "full",
        }
    }
}

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
    pub(super) const ALL: [Self; 4] = [Self::Renewed, Self::Unchanged, Self::Absent, Self::Failed];

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
    pub(super) const ALL: [Self; 6] = [
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

/// Shows each by its name.
macro_rules! by_name {
    ($($type:ident),*) => {
        $(impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        })*
    };
}

by_name!(Outcome, Scheme, CacheLookup, FetchOutcome, RefreshOutcome, ShadowOutcome);
