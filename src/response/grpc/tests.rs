//! The answers to requests of gRPC.

use http::{Method, Request};

use super::*;
use crate::{
    error::{Error, ErrorKind, each_kind},
    response::{Challenge, ProblemJson},
};

pub(super) fn rejection(method: Method, content_type: &'static str, kind: ErrorKind) -> Rejection {
    let request = Request::builder().method(method).header(header::CONTENT_TYPE, content_type);
    let request = request.body(()).unwrap();
    Rejection::new(kind.into(), Challenge::default(), (&request).into())
}

fn answer(kind: ErrorKind) -> Response<String> {
    Grpc::new().respond(&rejection(Method::POST, "application/grpc", kind))
}

/// The rows of the table, by the HTTP status without the format.
const CODES: [(u16, i32); 6] = [(401, 16), (400, 16), (403, 7), (429, 8), (503, 14), (500, 13)];

#[test]
fn each_kind_has_the_code_of_the_table() {
    // The messages of MCP have several statuses: see the next test.
    for kind in each_kind().into_iter().filter(|kind| !matches!(kind, ErrorKind::Mcp(_))) {
        let (name, error) = (kind.name(), Error::new(kind.clone()));
        let status = error.status().as_u16();
        let (_, code) = *CODES.iter().find(|(row, _)| *row == status).unwrap();
        assert_eq!(error.grpc_code(), code, "{name}");
        let (response, plain) = (answer(kind.clone()), plain(kind));
        let headers = response.headers();
        assert_eq!((response.status().as_u16(), &**response.body()), (200, ""), "{name}");
        assert_eq!(headers["content-type"], "application/grpc", "{name}");
        assert_eq!(headers["grpc-status"], code.to_string(), "{name}");
        assert!(!headers.contains_key("content-length"), "{name}");
        // All else is as in the answer of HTTP.
        let of_grpc = ["content-type", "grpc-status", "grpc-message"];
        let mut rest = headers.clone();
        of_grpc.iter().for_each(|name| drop(rest.remove(*name)));
        assert_eq!(&rest, plain.headers(), "{name}");
        assert_eq!(
            rest.contains_key("www-authenticate"),
            matches!(status, 400 | 401) || matches!(name, "insufficient_scope" | "forbidden"),
            "{name}"
        );
        assert_eq!(rest.contains_key("retry-after"), matches!(status, 429 | 503), "{name}");
        assert_eq!(rest.contains_key("dpop-nonce"), name == "dpop_nonce", "{name}");
    }
}

#[test]
fn a_message_of_mcp_is_an_invalid_argument() {
    let kinds = each_kind().into_iter().filter(|kind| matches!(kind, ErrorKind::Mcp(_)));
    let kinds: Vec<_> = kinds.collect();
    assert!(!kinds.is_empty());
    for kind in kinds {
        let response = answer(kind.clone());
        assert_eq!(response.headers()["grpc-status"], "3", "{kind}");
        assert!(!response.headers().contains_key("www-authenticate"), "{kind}");
    }
}

/// The answer of HTTP.
fn plain(kind: ErrorKind) -> Response<()> {
    DefaultRespond.respond(&rejection(Method::POST, "application/json", kind))
}

#[test]
fn a_message_needs_no_encoding() {
    // `grpc-message` has these bytes as they are, and all others as `%` and two digits.
    let needs_none = |byte: &u8| (b' '..=b'~').contains(byte) && *byte != b'%';
    for kind in each_kind() {
        let name = kind.name();
        let response = answer(kind.clone());
        let message = response.headers()["grpc-message"].as_bytes();
        assert!(!message.is_empty() && message.iter().all(needs_none), "{name}");
        let expected = rejection(Method::POST, "application/grpc", kind);
        assert_eq!(message, expected.description().as_bytes(), "{name}");
    }
}

#[test]
fn only_a_post_with_a_content_type_of_grpc_is_one_of_grpc() {
    let answer = |method, content_type| -> Response<String> {
        Grpc::or(ProblemJson).respond(&rejection(method, content_type, ErrorKind::Expired))
    };
    let grpc = answer(Method::POST, "application/grpc+proto");
    assert_eq!(grpc.headers()["content-type"], "application/grpc+proto");
    for (method, content_type) in
        [(Method::GET, "application/grpc"), (Method::POST, "application/json")]
    {
        let json = answer(method, content_type);
        assert_eq!(json.status(), 401);
        assert_eq!(json.headers()["content-type"], "application/problem+json");
        assert!(!json.headers().contains_key("grpc-status"));
    }
    let by_hand: Response<String> = Grpc::new().respond(&Error::forbidden("this").into());
    assert_eq!(by_hand.status(), 403);
}

#[test]
fn a_proxy_that_asks_is_never_answered_200() {
    for content_type in ["application/grpc", "application/grpc-web", "application/grpc-web-text"] {
        let mut rejection = rejection(Method::POST, content_type, ErrorKind::Expired);
        rejection.challenge = rejection.challenge.for_forward_auth(true);
        let grpc: Response<String> = Grpc::new().respond(&rejection);
        let web: Response<Vec<u8>> = GrpcWeb::new().respond(&rejection);
        assert_eq!((grpc.status().as_u16(), web.status().as_u16()), (401, 401), "{content_type}");
    }
}

#[test]
fn a_format_that_says_unauthenticated_is_given_the_challenge() {
    let with_status = |status: &'static str| {
        let rejection = rejection(Method::POST, "application/grpc", ErrorKind::Expired);
        let response = rejection.answer_with(&move |_: &Rejection| {
            Response::builder().header("grpc-status", status).body(()).unwrap()
        });
        response.headers().contains_key("www-authenticate")
    };
    assert!(with_status("16"));
    assert!(!with_status("7") && !with_status("0") && !with_status("160"));
}
