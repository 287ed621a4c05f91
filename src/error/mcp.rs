//! The faults of a request to an MCP server.

use std::fmt;

use http::StatusCode;

/// Why a request with a good token does not reach an MCP server. The token is not at fault, so the
/// answer has no challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum McpFault {
    /// The body is not `application/json` in UTF-8, or it has a `Content-Encoding`: 415.
    MediaType,
    /// The body has more bytes than are read: 413.
    TooLarge,
    /// The body has ended too early: 400.
    Incomplete,
    /// The body has not arrived within the time that it may take: 408.
    LateBody,
    /// The body is not JSON: 400.
    NotJson,
    /// The body is JSON, and not one JSON-RPC message, or a batch of them, or two readers may understand it
    /// differently: 400.
    Malformed,
    /// The batch has more messages than are accepted: 400.
    BatchTooLong,
    /// The body names more than 1,000 tools, prompts, resources and methods: 400.
    TooManyOperations,
    /// `Mcp-Method` or `Mcp-Name` does not say what the body says, or is malformed: 400.
    HeaderMismatch,
    /// The request is one of a revision of the protocol that is not accepted: 400.
    Revision,
    /// The `Mcp-Session-Id` is not that of a session of this principal: 404.
    UnknownSession,
}

impl McpFault {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::LateBody => StatusCode::REQUEST_TIMEOUT,
            Self::Incomplete
            | Self::NotJson
            | Self::Malformed
            | Self::BatchTooLong
            | Self::TooManyOperations
            | Self::HeaderMismatch
            | Self::Revision => StatusCode::BAD_REQUEST,
            Self::UnknownSession => StatusCode::NOT_FOUND,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::UnknownSession => "mcp_session",
            _ => "mcp_message",
        }
    }
}

impl fmt::Display for McpFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MediaType => {
                "the body is not `application/json` in UTF-8 without a `Content-Encoding`"
            }
            Self::TooLarge => "the body is longer than `max_body` allows",
            Self::NotJson => "the body is not JSON",
            Self::Incomplete => "the body has ended too early",
            Self::LateBody => {
                "the body has not arrived within the `body_timeout`: raise it if clients are so slow"
            }
            Self::Malformed => {
                "the body is not one JSON-RPC message or a batch of them, or it is ambiguous"
            }
            Self::BatchTooLong => "the batch has more messages than `max_batch` allows",
            Self::TooManyOperations => {
                "the body names more than 1,000 tools, prompts, resources and methods"
            }
            Self::HeaderMismatch => {
                "`Mcp-Method`, `Mcp-Name` or `MCP-Protocol-Version` is malformed, or says something \
                 else than the body"
            }
            Self::Revision => {
                "the request is of a revision before 2026-07-28, which this server does not accept"
            }
            Self::UnknownSession => "the `Mcp-Session-Id` is not that of a session of this principal",
        })
    }
}
