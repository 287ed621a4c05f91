//! The rules that can be shadow rules. Observers and the verifier have them.

use std::fmt;

/// A [shadow rule](crate::verifier::VerifierBuilder::shadow). Once the rule is enforced, the
/// [kind](crate::ErrorKind::name) of the error has the same name, with one exception: a token that
/// lacks the claim which the rule needs is then refused as `missing_claim`.
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
    pub const ALL: &[Self] = &[
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
    pub const fn name(self) -> &'static str {
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
