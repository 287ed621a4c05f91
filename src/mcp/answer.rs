//! The answers to refused requests.

use http::{HeaderValue, Response, header};

use super::{
    headers::{FIRST, VERSION},
    rules::Refused,
};
use crate::{
    authorize,
    error::{ErrorKind, McpFault},
    request_head::RequestHead,
    response::{DefaultRespond, Rejection, without_format},
};

/// A refusal, and the id of the message that it answers.
#[derive(Debug)]
pub(super) struct Refusal {
    rejection: Rejection,
    id: Option<Box<str>>,
    /// The revision that the request names.
    requested: Option<Box<str>>,
}

impl Refusal {
    #[cold]
    pub(super) fn new(Refused { error, id }: Refused, request: RequestHead<'_>) -> Self {
        let requested = request.headers().get(VERSION).and_then(|value| value.to_str().ok());
        let requested = requested.map(Box::from);
        Self { rejection: authorize::refuse(error, request), id, requested }
    }
}

impl From<Rejection> for Box<Refusal> {
    fn from(rejection: Rejection) -> Self {
        Self::new(Refusal { rejection, id: None, requested: None })
    }
}

/// The answer to a refusal: a JSON-RPC error for a message at fault, and the format of the layer around
/// for all others.
#[cold]
pub(super) fn answer<B: Default + From<String>>(refusal: Refusal) -> Response<B> {
    let Refusal { rejection, id, requested } = refusal;
    let ErrorKind::Mcp(fault) = *rejection.error().kind() else {
        return without_format(rejection.answer_with(&DefaultRespond));
    };
    let body = rpc_error(fault, id.as_deref(), requested.as_deref());
    let respond = |rejection: &Rejection| {
        let mut response = rejection.to_response(B::from(body.clone()));
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    };
    rejection.answer_with(&respond)
}

/// A JSON-RPC error object (JSON-RPC 2.0 §5.1). The id is JSON.
fn rpc_error(fault: McpFault, id: Option<&str>, requested: Option<&str>) -> String {
    let (code, message) = match fault {
        McpFault::HeaderMismatch => (-32020, "the headers do not say what the body says"),
        McpFault::UnknownSession => (-32001, "session not found"),
        McpFault::MediaType => (-32600, "the body must be application/json, and not encoded"),
        McpFault::TooLarge => (-32600, "the message is too long"),
        McpFault::Incomplete => (-32700, "the message is not complete"),
        McpFault::NotJson => (-32700, "the message is not JSON"),
        McpFault::TooManyOperations => (-32600, "the message names too many operations"),
        McpFault::LateBody => (-32600, "the message has not arrived in time"),
        McpFault::BatchTooLong => (-32600, "the batch has too many messages"),
        McpFault::Malformed => (-32600, "the message is malformed or ambiguous"),
        McpFault::Revision => (-32022, "the revision of the protocol is not supported"),
    };
    let id = id.unwrap_or("null");
    // With it, a client chooses another revision.
    let data = match fault {
        McpFault::Revision => {
            let requested = serde_json::Value::from(requested.unwrap_or_default());
            format!(r#","data":{{"supported":["{FIRST}"],"requested":{requested}}}"#)
        }
        _ => String::new(),
    };
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"{message}"{data}}}}}"#
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_error_is_json_with_the_id_of_the_message() {
        for fault in [
            McpFault::MediaType,
            McpFault::TooLarge,
            McpFault::Incomplete,
            McpFault::LateBody,
            McpFault::BatchTooLong,
            McpFault::NotJson,
            McpFault::Malformed,
            McpFault::TooManyOperations,
            McpFault::HeaderMismatch,
            McpFault::Revision,
            McpFault::UnknownSession,
        ] {
            let read: Value =
                serde_json::from_str(&rpc_error(fault, Some("\"a\""), Some("2025-\"06"))).unwrap();
            assert_eq!((&read["jsonrpc"], &read["id"]), (&json!("2.0"), &json!("a")));
            assert!(read["error"]["code"].as_i64().is_some_and(|code| code < -32000));
            let data = json!({ "supported": ["2026-07-28"], "requested": "2025-\"06" });
            let data = if fault == McpFault::Revision { data } else { Value::Null };
            assert_eq!(read["error"]["data"], data);
            let read: Value = serde_json::from_str(&rpc_error(fault, None, None)).unwrap();
            assert_eq!(read["id"], Value::Null);
        }
    }
}
