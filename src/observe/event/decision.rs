//! Decisions on requests, and lookups of tokens.

use std::fmt;

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
    /// It is a constant, so that a request does not write it anew.
    pub(crate) fn accepted(scheme: Scheme) -> &'static Decision<'static> {
        const fn with(scheme: Scheme) -> Decision<'static> {
            Decision { outcome: Outcome::Accepted, scheme, error: None }
        }
        match scheme {
            Scheme::Bearer => const { &with(Scheme::Bearer) },
            Scheme::Dpop => const { &with(Scheme::Dpop) },
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

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
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

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether a token was found among those that were verified before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CacheLookup {
    /// It was found, and its keys are still trusted: it is decided without its signature.
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

impl fmt::Display for CacheLookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
