//! All that can happen, and what each means to the client.

use std::{borrow::Cow, fmt, time::Duration};

use super::{
    mcp::McpFault,
    proof::{CertificateFault, ProofFault},
};
use crate::json::JsonFault;

/// The kind of an [`Error`](super::Error).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    // ----- the request (RFC 6750 §3.1: none, or `invalid_request`)
    /// The request has no token in any of the places that are looked at.
    MissingToken,
    /// The request is not one that RFC 6750 §2 allows.
    InvalidRequest(InvalidRequest),
    /// The request is a CORS preflight, which browsers send without a token.
    Preflight,
    /// The request to refresh has no refresh token.
    #[non_exhaustive]
    MissingRefreshToken {
        /// The cookie that browsers send it in, and the path below which they do.
        reason: Box<str>,
    },
    /// A cookie brought the token of an unsafe request, or a request wants to log in, and nothing
    /// shows that it comes from the same origin.
    #[non_exhaustive]
    CrossSite {
        /// It says what the browser said, what was expected, and what to set.
        reason: Box<str>,
    },

    // ----- the token (RFC 6750 §3.1: `invalid_token`)
    /// The token has more bytes than are accepted.
    TokenTooLong {
        /// The length that is accepted, in bytes.
        limit: usize,
    },
    /// The token is not a JSON Web Signature in compact form (RFC 7515 §7.1).
    MalformedToken,
    /// The token has five parts: it is encrypted (RFC 7516 §7.1), which is not supported.
    Encrypted,
    /// The token has no signature: its `alg` is `none` (RFC 7519 §6).
    Unsigned,
    /// The token's header is not an acceptable JOSE header (RFC 7515 §4).
    MalformedHeader {
        /// The registered member at fault, if it is one.
        member: Option<&'static str>,
        /// The fault of that member, or of the header.
        fault: JsonFault,
    },
    /// The header has a member that changes how the token must be read, such
    /// as `crit` (RFC 7515 §4.1.11) or `b64` (RFC 7797): none is supported.
    UnsupportedHeader(&'static str),
    /// A parameter of the header, which is required with a certain value, is missing or has another
    /// one; its name.
    HeaderParameter(Box<str>),
    /// The algorithm is unknown, or not one that is allowed here.
    AlgorithmNotAllowed,
    /// The `typ` of the header is not one that is allowed here (RFC 8725 §3.11).
    TokenType,
    /// No configured key fits the token's `kid` and algorithm.
    UnknownKey,
    /// The signature is not one of the configured keys that fit.
    Signature,
    /// None of the keys that were tried has made the signature, and more keys fit than are tried.
    #[non_exhaustive]
    KeysNotTried {
        /// The number of keys that were tried.
        tried: usize,
        /// The number of keys that fit.
        fitting: usize,
    },
    /// The payload is not a claims set (RFC 7519 §7.2): no JSON object, a
    /// repeated name, or a registered claim of a wrong JSON type.
    MalformedClaims {
        /// The claim at fault: a registered one, or of a token with a valid signature the name
        /// that is repeated. A name of the token is escaped, and cut at 64 characters.
        claim: Option<Cow<'static, str>>,
        /// The fault of that claim, or of the payload.
        fault: JsonFault,
    },
    /// A claim that is required is missing, `null` or empty.
    MissingClaim(Cow<'static, str>),
    /// The token's time is over (`exp`, RFC 7519 §4.1.4).
    Expired,
    /// The token's time has not come (`nbf`, RFC 7519 §4.1.5).
    NotYetValid,
    /// The token was issued in the future (`iat`, RFC 7519 §4.1.6).
    IssuedInFuture,
    /// The token was issued longer ago than the maximum age.
    TooOld,
    /// The issuer is not one of those that are trusted (`iss`).
    Issuer,
    /// The token is meant for somebody else (`aud`).
    Audience,
    /// The token is that of another client (`client_id`).
    Client,
    /// The token has the claim `events`: it is a logout token or another security event (RFC
    /// 8417 §2.2, OpenID Connect Back-Channel Logout 1.0 §2.4), and no access token.
    SecurityEvent,
    /// The token is bound to a key of its sender (`cnf`, RFC 7800), which
    /// nothing here checks.
    SenderConstrained,
    /// The token is bound to a key (`cnf.jkt`), and was not sent as `Authorization: DPoP`, but as
    /// `Bearer`, in a cookie or in the query (RFC 9449 §7.2).
    DpopScheme,
    /// The token is not bound to its sender, and was sent as `Authorization: DPoP`, or must be bound.
    NotSenderConstrained,
    /// The token is bound to a client certificate (`cnf`, RFC 8705 §3), and the request does not have
    /// that certificate.
    Certificate(CertificateFault),
    /// The claims do not fit the type of the application.
    #[non_exhaustive]
    ClaimsType {
        /// The part that did not fit, without any value of the token.
        detail: Box<str>,
    },
    /// A rule of the application refused the token.
    #[non_exhaustive]
    Rule {
        /// The reason that the rule gave.
        reason: Cow<'static, str>,
    },

    /// The token was revoked: by itself, with its session, or with all of its subject.
    Revoked,

    // ----- the refresh token (RFC 6749 §5.2: `invalid_grant`)
    /// The text is not a refresh token, or its session has ended.
    RefreshToken,
    /// The refresh token was spent before: somebody has a copy of it, and its session is
    /// ended.
    #[non_exhaustive]
    RefreshTokenReused {
        /// The id of the session.
        session: Box<str>,
    },

    // ----- the proof (RFC 9449 §7.1: `invalid_dpop_proof` or `use_dpop_nonce`)
    /// The DPoP proof is not one for this request.
    DpopProof(ProofFault),
    /// The DPoP proof lacks a nonce of this server, or has an old one (RFC 9449 §9).
    #[non_exhaustive]
    DpopNonce {
        /// The nonce for the next proof. The answer has it in the header `DPoP-Nonce`.
        nonce: Box<str>,
    },
    /// One key has presented more proofs than are accepted within their time.
    #[non_exhaustive]
    TooManyProofs {
        /// When it is sensible to ask again.
        retry_after: Duration,
    },

    // ----- the login (RFC 9470 §3: `insufficient_user_authentication`)
    /// The token is valid, and its login is too old or too weak for this.
    #[non_exhaustive]
    UserAuthentication {
        /// The authentication contexts that are accepted (`acr`), the preferred one first; empty if
        /// any is.
        acr_values: Box<[Box<str>]>,
        /// The age that the login may have.
        max_age: Option<Duration>,
        /// The scopes that the resource needs, too.
        scopes: Box<[Box<str>]>,
    },

    // ----- the authority (RFC 6750 §3.1: `insufficient_scope`)
    /// The token does not have the scopes that are needed.
    #[non_exhaustive]
    InsufficientScope {
        /// The scopes that the resource needs.
        required: Box<[Box<str>]>,
        /// Those of them that the token does not have.
        missing: Box<[Box<str>]>,
    },
    /// The token is valid, and does not allow this.
    #[non_exhaustive]
    Forbidden {
        /// The policy that the token does not satisfy, or the reason of a rule or a handler.
        policy: Cow<'static, str>,
    },

    // ----- the message
    /// The request has a good token, and is not one that an [MCP](crate#features) server gets.
    Mcp(McpFault),

    // ----- the server
    /// The keys to check the token with cannot be had from the identity provider
    /// now.
    #[non_exhaustive]
    KeysUnavailable {
        /// When it is sensible to ask again.
        retry_after: Duration,
    },
    /// The token's key is not known yet. The key set, or the resolver of its issuer, is asked
    /// soon: the key may have been published since it was asked last.
    #[non_exhaustive]
    KeyPending {
        /// When it is sensible to ask again.
        retry_after: Duration,
    },
    /// A part that is needed for the decision cannot be reached now.
    #[non_exhaustive]
    Unavailable {
        /// When it is sensible to ask again.
        retry_after: Duration,
    },
    /// A part that is needed for the decision has failed.
    Failed,
    /// A token cannot be issued as it was asked for.
    #[non_exhaustive]
    Issue {
        /// The problem, and how to fix it.
        reason: Cow<'static, str>,
    },
    /// The clock of this machine is before 1970.
    Clock,
    /// The service is wired without the layer that it needs.
    #[non_exhaustive]
    MissingLayer {
        /// The layer that is missing.
        layer: &'static str,
        /// The type whose claims were asked for.
        claims: &'static str,
    },
}

/// How a request contradicts RFC 6750 §2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidRequest {
    /// Different tokens in several places, or a place twice that may occur once.
    SeveralTokens,
    /// A scheme without a token behind it.
    EmptyToken,
    /// Bytes or syntax that no token has.
    MalformedCredentials,
    /// A body that may have a token was not complete in time.
    LateBody,
    /// A body that must have a token is of a type that is not read.
    MediaType,
    /// A body that must have a token is malformed, or has a parameter twice or none (RFC 6749 §5.2).
    MalformedBody,
    /// The form of a body asks for another grant than that of a refresh token. The code is
    /// `unsupported_grant_type` (RFC 6749 §5.2).
    GrantType,
    /// The form of a body asks for a scope that the session does not have. The code is
    /// `invalid_scope` (RFC 6749 §5.2, §6).
    Scope,
    /// A request for a token has no client certificate, and must have one; or its certificate cannot be
    /// read (RFC 8705 §3).
    ClientCertificate,
}

/// The meaning of an error to the client. Each kind belongs to one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// No token: a challenge without a code.
    NoToken,
    /// `invalid_request`.
    InvalidRequest,
    /// A request that another site may have forged.
    CrossSite,
    /// `invalid_token`.
    InvalidToken,
    /// `insufficient_scope`.
    InsufficientScope,
    /// `invalid_grant`.
    InvalidGrant,
    /// `invalid_dpop_proof`.
    InvalidProof,
    /// `use_dpop_nonce`.
    UseNonce,
    /// `insufficient_user_authentication`.
    UserAuthentication,
    /// The client asks too often.
    TooManyRequests,
    /// A message that is malformed, or is for a session of somebody else. The token is not at fault.
    Message,
    /// Not the client's fault, and it passes.
    Unavailable,
    /// Not the client's fault.
    Failed,
}

impl Class {
    /// The error code of RFC 6750 §3.1, RFC 6749 §5.2, RFC 9449 §7.1 or RFC 9470 §3.
    pub(crate) fn code(self) -> Option<&'static str> {
        match self {
            Self::InvalidRequest => Some("invalid_request"),
            Self::InvalidToken => Some("invalid_token"),
            Self::InsufficientScope => Some("insufficient_scope"),
            Self::InvalidGrant => Some("invalid_grant"),
            Self::InvalidProof => Some("invalid_dpop_proof"),
            Self::UseNonce => Some("use_dpop_nonce"),
            Self::UserAuthentication => Some("insufficient_user_authentication"),
            Self::NoToken
            | Self::CrossSite
            | Self::TooManyRequests
            | Self::Message
            | Self::Unavailable
            | Self::Failed => None,
        }
    }

    /// The status code of gRPC.
    pub(crate) fn grpc_code(self) -> i32 {
        match self {
            Self::NoToken
            | Self::InvalidRequest
            | Self::InvalidToken
            | Self::InvalidGrant
            | Self::InvalidProof
            | Self::UseNonce
            | Self::UserAuthentication => UNAUTHENTICATED,
            Self::Message => 3,
            Self::InsufficientScope | Self::CrossSite => 7,
            Self::TooManyRequests => 8,
            Self::Unavailable => 14,
            Self::Failed => 13,
        }
    }
}

/// The status code of gRPC for a request without valid credentials. Its answer has a challenge.
pub(crate) const UNAUTHENTICATED: i32 = 16;

impl ErrorKind {
    pub(crate) fn class(&self) -> Class {
        match self {
            Self::MissingToken | Self::Preflight | Self::MissingRefreshToken { .. } => {
                Class::NoToken
            }
            Self::InvalidRequest(_) => Class::InvalidRequest,
            Self::CrossSite { .. } => Class::CrossSite,
            Self::TokenTooLong { .. }
            | Self::MalformedToken
            | Self::Encrypted
            | Self::Unsigned
            | Self::MalformedHeader { .. }
            | Self::UnsupportedHeader(_)
            | Self::HeaderParameter(_)
            | Self::AlgorithmNotAllowed
            | Self::TokenType
            | Self::UnknownKey
            | Self::Signature
            | Self::KeysNotTried { .. }
            | Self::MalformedClaims { .. }
            | Self::MissingClaim(_)
            | Self::Expired
            | Self::NotYetValid
            | Self::IssuedInFuture
            | Self::TooOld
            | Self::Issuer
            | Self::Audience
            | Self::Client
            | Self::SenderConstrained
            | Self::DpopScheme
            | Self::NotSenderConstrained
            | Self::Certificate(_)
            | Self::SecurityEvent
            | Self::ClaimsType { .. }
            | Self::Rule { .. }
            | Self::Revoked => Class::InvalidToken,
            Self::RefreshToken | Self::RefreshTokenReused { .. } => Class::InvalidGrant,
            Self::DpopProof(_) => Class::InvalidProof,
            Self::DpopNonce { .. } => Class::UseNonce,
            Self::TooManyProofs { .. } => Class::TooManyRequests,
            Self::UserAuthentication { .. } => Class::UserAuthentication,
            Self::InsufficientScope { .. } | Self::Forbidden { .. } => Class::InsufficientScope,
            Self::Mcp(_) => Class::Message,
            Self::KeysUnavailable { .. } | Self::KeyPending { .. } | Self::Unavailable { .. } => {
                Class::Unavailable
            }
            Self::Failed | Self::Issue { .. } | Self::Clock | Self::MissingLayer { .. } => {
                Class::Failed
            }
        }
    }

    /// The name of the kind, as events have it: `expired`, `unknown_key`. A name does not change.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::MissingToken => "missing_token",
            Self::InvalidRequest(_) => "invalid_request",
            Self::Preflight => "preflight",
            Self::MissingRefreshToken { .. } => "missing_refresh_token",
            Self::CrossSite { .. } => "cross_site",
            Self::TokenTooLong { .. } => "token_too_long",
            Self::MalformedToken => "malformed_token",
            Self::Encrypted => "encrypted",
            Self::Unsigned => "unsigned",
            Self::MalformedHeader { .. } => "malformed_header",
            Self::UnsupportedHeader(_) => "unsupported_header",
            Self::HeaderParameter(_) => "header_parameter",
            Self::AlgorithmNotAllowed => "algorithm_not_allowed",
            Self::TokenType => "token_type",
            Self::UnknownKey => "unknown_key",
            Self::Signature => "signature",
            Self::KeysNotTried { .. } => "keys_not_tried",
            Self::MalformedClaims { .. } => "malformed_claims",
            Self::MissingClaim(_) => "missing_claim",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::IssuedInFuture => "issued_in_future",
            Self::TooOld => "too_old",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Client => "client",
            Self::SenderConstrained => "sender_constrained",
            Self::DpopScheme => "dpop_scheme",
            Self::NotSenderConstrained => "not_sender_constrained",
            Self::Certificate(_) => "certificate",
            Self::DpopProof(ProofFault::Replayed) => "dpop_replayed",
            Self::DpopProof(_) => "dpop_proof",
            Self::DpopNonce { .. } => "dpop_nonce",
            Self::TooManyProofs { .. } => "too_many_proofs",
            Self::UserAuthentication { .. } => "user_authentication",
            Self::SecurityEvent => "security_event",
            Self::ClaimsType { .. } => "claims_type",
            Self::Rule { .. } => "rule",
            Self::Revoked => "revoked",
            Self::RefreshToken => "refresh_token",
            Self::RefreshTokenReused { .. } => "refresh_token_reused",
            Self::InsufficientScope { .. } => "insufficient_scope",
            Self::Forbidden { .. } => "forbidden",
            Self::Mcp(fault) => fault.name(),
            Self::KeysUnavailable { .. } => "keys_unavailable",
            Self::KeyPending { .. } => "key_pending",
            Self::Unavailable { .. } => "unavailable",
            Self::Failed => "failed",
            Self::Issue { .. } => "issue",
            Self::Clock => "clock",
            Self::MissingLayer { .. } => "missing_layer",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingToken => f.write_str("the request has no token"),
            Self::InvalidRequest(InvalidRequest::SeveralTokens) => {
                f.write_str("the request has more than one token, send one in one place")
            }
            Self::InvalidRequest(InvalidRequest::EmptyToken) => {
                f.write_str("the authorization scheme has no token behind it")
            }
            Self::InvalidRequest(InvalidRequest::MalformedCredentials) => {
                f.write_str("the credentials have bytes or syntax that no token has")
            }
            Self::InvalidRequest(InvalidRequest::LateBody) => {
                f.write_str("the request's body was not complete in time")
            }
            Self::InvalidRequest(InvalidRequest::MediaType) => f.write_str(
                "the request's body is neither `application/json` nor \
                 `application/x-www-form-urlencoded`",
            ),
            Self::InvalidRequest(InvalidRequest::MalformedBody) => f.write_str(
                "the request's body must be a JSON object with `refresh_token`, or a form with \
                 `grant_type=refresh_token` and `refresh_token`, each of them once, and at most \
                 16 KiB",
            ),
            Self::InvalidRequest(InvalidRequest::GrantType) => f.write_str(
                "the form asks for another grant: this route has only `grant_type=refresh_token`",
            ),
            Self::InvalidRequest(InvalidRequest::Scope) => {
                f.write_str("the form asks for a scope that the session does not have")
            }
            Self::InvalidRequest(InvalidRequest::ClientCertificate) => f.write_str(
                "the request for a token has no client certificate that can be read, and must have \
                 one",
            ),
            Self::Preflight => f.write_str(
                "the request is a CORS preflight, which has no token: put the CORS layer outside \
                 of this one, so that it answers preflights, or set `allow_preflight()`, which an MCP \
                 server does not take",
            ),
            Self::MissingRefreshToken { reason } => {
                write!(f, "the request has no refresh token: {reason}")
            }
            Self::CrossSite { reason } => f.write_str(reason),
            Self::TokenTooLong { limit } => write!(f, "the token has more than {limit} bytes"),
            Self::MalformedToken => {
                f.write_str("the token is not three parts of unpadded base64url")
            }
            Self::Encrypted => f.write_str(
                "the token has five parts: it is encrypted (JWE), have the issuer sign it only",
            ),
            Self::Unsigned => f.write_str("the token has no signature (`alg: none`)"),
            Self::MalformedHeader { member: Some(name), fault } => {
                write!(f, "`{name}` in the token's header {}{}", says(*fault), must(*fault, name))
            }
            Self::MalformedHeader { member: None, fault: JsonFault::Repeated } => {
                f.write_str("the token's header repeats a name")
            }
            Self::MalformedHeader { member: None, .. } => {
                f.write_str("the token's header is not one JSON object")
            }
            Self::UnsupportedHeader(name) => {
                write!(f, "the token's header has `{name}`, which is not supported")
            }
            Self::HeaderParameter(name) => write!(
                f,
                "the token's header parameter `{name}` is missing or not what is required"
            ),
            Self::AlgorithmNotAllowed => {
                f.write_str("the token's algorithm is unknown or not allowed here")
            }
            Self::TokenType => f.write_str("the token's `typ` is not allowed here"),
            Self::UnknownKey => f.write_str("no key fits the token's `kid` and algorithm"),
            Self::Signature => f.write_str("the signature is not that of a configured key"),
            Self::KeysNotTried { tried, fitting } => write!(
                f,
                "{fitting} keys fit the token's algorithm, and the signature is not that of the \
                 {tried} which were tried: give the keys ids, and have the issuer name one in `kid`"
            ),
            Self::MalformedClaims { claim: Some(name), fault } => {
                write!(f, "the claim `{name}` {}{}", says(*fault), must(*fault, name))
            }
            Self::MalformedClaims { claim: None, fault: JsonFault::Repeated } => {
                f.write_str("the payload repeats a name")
            }
            Self::MalformedClaims { claim: None, .. } => {
                f.write_str("the payload is not one JSON object")
            }
            Self::MissingClaim(name) => write!(f, "the claim `{name}` is required and missing"),
            Self::Expired => f.write_str("the token has expired"),
            Self::NotYetValid => f.write_str("the token is not valid yet"),
            Self::IssuedInFuture => f.write_str("the token was issued in the future"),
            Self::TooOld => f.write_str("the token is older than the maximum age"),
            Self::Issuer => f.write_str("the token's issuer is not trusted here"),
            Self::Audience => f.write_str("the token is meant for another audience"),
            Self::Client => {
                f.write_str("the token's client is not one of those that are named here")
            }
            Self::SecurityEvent => f.write_str(
                "the token has the claim `events`: it is a logout token or another security event, \
                 and no access token",
            ),
            Self::SenderConstrained => f.write_str(
                "the token is bound to its sender's key (`cnf`), which is not checked here",
            ),
            Self::DpopScheme => f.write_str(
                "the token is bound to a key (`cnf.jkt`): it must be sent as `Authorization: DPoP`, \
                 with a proof",
            ),
            Self::NotSenderConstrained => f.write_str(
                "the token is not bound to its sender, and was sent as `Authorization: DPoP`, or \
                 must be bound here",
            ),
            Self::Certificate(fault) => {
                write!(f, "the token is bound to a client certificate: {fault}")
            }
            Self::DpopProof(fault) => write!(f, "the DPoP proof is refused: {fault}"),
            Self::DpopNonce { .. } => {
                f.write_str("the DPoP proof lacks a nonce of this server, or has an old one")
            }
            Self::TooManyProofs { retry_after } => write!(
                f,
                "one key has presented too many DPoP proofs, try again in {} s",
                seconds_up(*retry_after)
            ),
            Self::UserAuthentication { .. } => {
                f.write_str("the login of the token is too old or too weak for this")
            }
            Self::ClaimsType { detail } => {
                write!(f, "the claims do not fit the application's type: {detail}")
            }
            Self::Rule { reason } => write!(f, "a rule refused the token: {reason}"),
            Self::Revoked => f.write_str("the token was revoked"),
            Self::RefreshToken => {
                f.write_str("the refresh token is none of a session that goes on")
            }
            Self::RefreshTokenReused { session } => {
                write!(f, "the refresh token was spent before, the session {session} is ended")
            }
            Self::InsufficientScope { missing, .. } => {
                write!(f, "the token lacks the scope {}", missing.join(" "))
            }
            Self::Forbidden { policy } => write!(f, "the token does not allow this: {policy}"),
            Self::Mcp(fault) => fault.fmt(f),
            Self::KeysUnavailable { retry_after } => write!(
                f,
                "the keys to check the token with cannot be had now, try again in {} s",
                seconds_up(*retry_after)
            ),
            Self::KeyPending { retry_after } => write!(
                f,
                "the token's key is not known yet and is looked for soon, try again in {} s",
                seconds_up(*retry_after)
            ),
            Self::Unavailable { retry_after } => write!(
                f,
                "the token cannot be decided on now, try again in {} s",
                seconds_up(*retry_after)
            ),
            Self::Failed => f.write_str("a rule for tokens has failed"),
            Self::Issue { reason } => write!(f, "the token cannot be issued: {reason}"),
            Self::Clock => f.write_str("the clock of this machine is before 1970, set it"),
            Self::MissingLayer { layer, claims } => {
                write!(f, "no `{layer}` for the claims `{claims}` wraps this service, add it")
            }
        }
    }
}

/// The part of a message that names the fault of a member.
fn says(fault: JsonFault) -> &'static str {
    match fault {
        JsonFault::Syntax => "is no valid JSON",
        JsonFault::Repeated => "is repeated",
        JsonFault::WrongType => "has a wrong JSON type, or a value that it cannot have",
        JsonFault::Missing => "is missing",
    }
}

/// The values that a member may have (RFC 7515 §4.1, RFC 7519 §4.1), if its value is not one.
fn must(fault: JsonFault, name: &str) -> &'static str {
    match (fault, name) {
        (JsonFault::WrongType, "exp" | "nbf" | "iat") => {
            ": it must be a JSON number, the seconds since 1970"
        }
        (JsonFault::WrongType, "aud") => ": it must be a JSON string or an array of strings",
        (JsonFault::WrongType, "kid") => ": it must be a JSON string of 1 to 256 bytes",
        (
            JsonFault::WrongType,
            "iss" | "sub" | "jti" | "client_id" | "sid" | "alg" | "typ" | "cty",
        ) => ": it must be a JSON string",
        _ => "",
    }
}

/// Whole seconds in which the time is over, as `Retry-After` has them (RFC 9110
/// §10.2.3): at least one.
pub(crate) fn seconds_up(time: Duration) -> u64 {
    u64::try_from(time.as_millis().div_ceil(1000).max(1)).unwrap_or(u64::MAX)
}
