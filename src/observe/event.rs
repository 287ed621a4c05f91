//! The events that observers are told.

use std::time::Duration;

use crate::error::Error;

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
    /// In `Authorization: DPoP`, with a proof.
    Dpop,
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
            Self::Dpop => "dpop",
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
