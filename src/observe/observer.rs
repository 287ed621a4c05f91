//! The trait of observers, and what they are told.

use std::{sync::Arc, time::Duration};

use crate::error::Error;

/// Is told of decisions, of keys and of stores.
///
/// Every method does nothing unless it is implemented. A method is called where the event
/// happens, often on the way of a request: it must return at once, and must not block. If it
/// panics, so does its caller.
///
/// See the [module docs](super) for where to give it.
pub trait Observer: Send + Sync + 'static {
    /// A layer has decided on a request.
    fn decided(&self, decision: &Decision<'_>) {
        _ = decision;
    }

    /// Whether [`verified`](Self::verified) is to be called. It is asked once, when the verifier is
    /// built: otherwise, every request would read the clock. Default: `false`.
    fn times_verification(&self) -> bool {
        false
    }

    /// A verifier took so long for one token, with the time that it waited for keys, the denylist
    /// and rules.
    fn verified(&self, took: Duration) {
        _ = took;
    }

    /// A token was looked for among those that were verified before.
    fn token_cache(&self, lookup: CacheLookup) {
        _ = lookup;
    }

    /// The cache of a verifier had `former` bytes, and has `bytes` now. When the verifier is
    /// dropped, it has 0.
    fn token_cache_resized(&self, former: usize, bytes: usize) {
        _ = (former, bytes);
    }

    /// Keys were fetched, or one was looked up by its id.
    fn keys_fetched(&self, fetch: &KeyFetch<'_>) {
        _ = fetch;
    }

    /// The state of the keys of an issuer: after each fetch, and every ten seconds.
    fn keys(&self, report: &KeyReport<'_>) {
        _ = report;
    }

    /// The document of an issuer's keys has others than before.
    fn keys_rotated(&self, rotation: &KeyRotation<'_>) {
        _ = rotation;
    }

    /// A key was removed while tokens that it has signed had not expired: its provider removed it
    /// too early, and those tokens are refused.
    fn key_removed_early(&self, key: &EarlyRemoval<'_>) {
        _ = key;
    }

    /// A token names a key that its provider has removed. At most one call in ten seconds for each
    /// issuer. The token was not verified, so it may be made up.
    fn removed_key_used(&self, key: &RemovedKeyUse<'_>) {
        _ = key;
    }

    /// A key is older than it should be. One call a day for each key.
    fn key_is_old(&self, key: &OldKey<'_>) {
        _ = key;
    }

    /// The state of a denylist: after each change, and while it is followed at least once a second.
    fn denylist(&self, report: &DenylistReport) {
        _ = report;
    }

    /// A refresh token was presented.
    fn refreshed(&self, outcome: RefreshOutcome) {
        _ = outcome;
    }

    /// A rule in the shadow has looked at a token that passes. `rule` is its name.
    fn shadow(&self, rule: &str, outcome: ShadowOutcome) {
        _ = (rule, outcome);
    }
}

/// The methods of an observer that hands each event on to others.
macro_rules! forward {
    ($this:ident, $others:expr) => {
        forward! {
            $this, $others,
            decided(decision: &Decision<'_>),
            verified(took: Duration),
            token_cache(lookup: CacheLookup),
            token_cache_resized(former: usize, bytes: usize),
            keys_fetched(fetch: &KeyFetch<'_>),
            keys(report: &KeyReport<'_>),
            keys_rotated(rotation: &KeyRotation<'_>),
            key_removed_early(key: &EarlyRemoval<'_>),
            removed_key_used(key: &RemovedKeyUse<'_>),
            key_is_old(key: &OldKey<'_>),
            denylist(report: &DenylistReport),
            refreshed(outcome: RefreshOutcome),
            shadow(rule: &str, outcome: ShadowOutcome),
        }

        fn times_verification(&$this) -> bool {
            $others.into_iter().any(|other| other.times_verification())
        }
    };
    ($this:ident, $others:expr, $($method:ident($($argument:ident: $type:ty),*),)*) => {
        $(fn $method(&$this, $($argument: $type),*) {
            for other in $others {
                other.$method($($argument),*);
            }
        })*
    };
}

impl<O: Observer + ?Sized> Observer for Arc<O> {
    forward!(self, [&**self]);
}

/// Two observers in the place of one.
pub(super) struct Both(pub(super) Arc<dyn Observer>, pub(super) Arc<dyn Observer>);

impl Observer for Both {
    forward!(self, [&self.0, &self.1]);
}

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
    pub(crate) fn accepted(scheme: Scheme) -> Self {
        Self { outcome: Outcome::Accepted, scheme, error: None }
    }

    pub(crate) fn anonymous(scheme: Scheme, error: &'d Error) -> Self {
        Self { outcome: Outcome::Anonymous, scheme, error: Some(error) }
    }

    pub(crate) fn refused(scheme: Scheme, error: &'d Error) -> Self {
        let unavailable = error.is_server_fault();
        let outcome = if unavailable { Outcome::Unavailable } else { Outcome::Refused };
        Self { outcome, scheme, error: Some(error) }
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

/// The state of the keys of an issuer.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct KeyReport<'k> {
    /// As in [`KeyFetch::issuer`].
    pub issuer: &'k str,
    /// The number of keys.
    pub keys: usize,
    /// The time since keys were last fetched or found to be unchanged; `None` before that.
    pub age: Option<Duration>,
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

/// The use of a key that was removed.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RemovedKeyUse<'k> {
    /// As in [`KeyFetch::issuer`].
    pub issuer: &'k str,
    /// The id of the key.
    pub id: &'k str,
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

/// The state of a denylist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DenylistReport {
    /// The time since the store last told all changes; zero for a list in memory. `None` before
    /// the list was read for the first time.
    pub lag: Option<Duration>,
    /// The number of revocations in this process.
    pub entries: usize,
}

impl DenylistReport {
    /// A report of a denylist of your own.
    #[must_use]
    pub const fn new(lag: Option<Duration>, entries: usize) -> Self {
        Self { lag, entries }
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

/// The decision of a rule in the shadow on a token that passes.
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
