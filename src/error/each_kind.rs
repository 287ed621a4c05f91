//! A value of each kind, for tests that must not leave one out.

use std::time::Duration;

use super::{CertificateFault, ErrorKind as Kind, InvalidRequest, McpFault, ProofFault};
use crate::json::JsonFault;

macro_rules! rows {
    ($($pattern:pat => $value:expr,)+) => {
        /// A value of each kind, and one of each fault that has a name or a status of its own.
        pub(crate) fn each_kind() -> Vec<Kind> {
            // A kind without a row does not compile.
            let row = |kind: &Kind| match kind {
                $($pattern => stringify!($pattern),)+
            };
            let of_row = |value: Kind, pattern: &str| {
                assert_eq!(row(&value), pattern);
                value
            };
            vec![$(of_row($value, stringify!($pattern)),)+]
        }
    };
}

rows! {
    Kind::MissingToken => Kind::MissingToken,
    Kind::InvalidRequest(_) => Kind::InvalidRequest(InvalidRequest::SeveralTokens),
    Kind::Preflight => Kind::Preflight,
    Kind::MissingRefreshToken { .. } => Kind::MissingRefreshToken { reason: "".into() },
    Kind::CrossSite { .. } => Kind::CrossSite { reason: "".into() },
    Kind::TokenTooLong { .. } => Kind::TokenTooLong { limit: 1 },
    Kind::MalformedToken => Kind::MalformedToken,
    Kind::Encrypted => Kind::Encrypted,
    Kind::Unsigned => Kind::Unsigned,
    Kind::MalformedHeader { .. } => Kind::MalformedHeader { member: None, fault: FAULT },
    Kind::UnsupportedHeader(_) => Kind::UnsupportedHeader("crit"),
    Kind::HeaderParameter(_) => Kind::HeaderParameter("client".into()),
    Kind::AlgorithmNotAllowed => Kind::AlgorithmNotAllowed,
    Kind::TokenType => Kind::TokenType,
    Kind::UnknownKey => Kind::UnknownKey,
    Kind::Signature => Kind::Signature,
    Kind::KeysNotTried { .. } => Kind::KeysNotTried { tried: 4, fitting: 5 },
    Kind::MalformedClaims { .. } => Kind::MalformedClaims { claim: None, fault: FAULT },
    Kind::MissingClaim(_) => Kind::MissingClaim("sub".into()),
    Kind::Expired => Kind::Expired,
    Kind::NotYetValid => Kind::NotYetValid,
    Kind::IssuedInFuture => Kind::IssuedInFuture,
    Kind::TooOld => Kind::TooOld,
    Kind::Issuer => Kind::Issuer,
    Kind::Audience => Kind::Audience,
    Kind::Client => Kind::Client,
    Kind::SenderConstrained => Kind::SenderConstrained,
    Kind::DpopScheme => Kind::DpopScheme,
    Kind::NotSenderConstrained => Kind::NotSenderConstrained,
    Kind::Certificate(_) => Kind::Certificate(CertificateFault::Missing),
    Kind::DpopProof(ProofFault::Replayed) => Kind::DpopProof(ProofFault::Replayed),
    Kind::DpopProof(_) => Kind::DpopProof(ProofFault::Time),
    Kind::DpopNonce { .. } => Kind::DpopNonce { nonce: "n".into() },
    Kind::TooManyProofs { .. } => Kind::TooManyProofs { retry_after: LATER },
    Kind::UserAuthentication { .. } => Kind::UserAuthentication {
        acr_values: words(),
        max_age: Some(LATER),
        scopes: words(),
    },
    Kind::SecurityEvent => Kind::SecurityEvent,
    Kind::ClaimsType { .. } => Kind::ClaimsType { detail: "".into() },
    Kind::Rule { .. } => Kind::Rule { reason: "".into() },
    Kind::Revoked => Kind::Revoked,
    Kind::RefreshToken => Kind::RefreshToken,
    Kind::RefreshTokenReused { .. } => Kind::RefreshTokenReused { session: "s".into() },
    Kind::InsufficientScope { .. } => Kind::InsufficientScope {
        required: words(),
        missing: words(),
    },
    Kind::Forbidden { .. } => Kind::Forbidden { policy: "".into() },
    Kind::Mcp(McpFault::MediaType) => Kind::Mcp(McpFault::MediaType),
    Kind::Mcp(McpFault::TooLarge) => Kind::Mcp(McpFault::TooLarge),
    Kind::Mcp(McpFault::Incomplete) => Kind::Mcp(McpFault::Incomplete),
    Kind::Mcp(McpFault::LateBody) => Kind::Mcp(McpFault::LateBody),
    Kind::Mcp(McpFault::BatchTooLong) => Kind::Mcp(McpFault::BatchTooLong),
    Kind::Mcp(McpFault::NotJson) => Kind::Mcp(McpFault::NotJson),
    Kind::Mcp(McpFault::TooManyOperations) => Kind::Mcp(McpFault::TooManyOperations),
    Kind::Mcp(McpFault::Malformed) => Kind::Mcp(McpFault::Malformed),
    Kind::Mcp(McpFault::HeaderMismatch) => Kind::Mcp(McpFault::HeaderMismatch),
    Kind::Mcp(McpFault::Revision) => Kind::Mcp(McpFault::Revision),
    Kind::Mcp(McpFault::UnknownSession) => Kind::Mcp(McpFault::UnknownSession),
    Kind::KeysUnavailable { .. } => Kind::KeysUnavailable { retry_after: LATER },
    Kind::KeyPending { .. } => Kind::KeyPending { retry_after: LATER },
    Kind::Unavailable { .. } => Kind::Unavailable { retry_after: LATER },
    Kind::Failed => Kind::Failed,
    Kind::Issue { .. } => Kind::Issue { reason: "".into() },
    Kind::Clock => Kind::Clock,
    Kind::MissingLayer { .. } => Kind::MissingLayer { layer: "l", claims: "c" },
}

const FAULT: JsonFault = JsonFault::Syntax;
const LATER: Duration = Duration::from_secs(7);

fn words() -> Box<[Box<str>]> {
    ["a".into(), "b".into()].into()
}
