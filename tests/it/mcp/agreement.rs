//! Whatever the body is: a server that reads it with `serde_json` finds no tool in it that the token does
//! not allow. And bodies that come in parts.

use std::task::{Context, Poll};

use http_body_util::StreamBody;
use hyper::body::{Body, Frame};
use proptest::{prelude::*, test_runner::FileFailurePersistence};
use tower_jwt_auth::mcp::RequestBody;

use super::*;

/// All tools and methods that a server may find in a body.
fn operations(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(all) => all.iter().for_each(|one| operations(one, found)),
        Value::Object(message) => {
            let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
            let method = text(message.get("method")).unwrap_or_default();
            let name = text(message.get("params").and_then(|params| params.get("name")));
            found.push(format!("{method} {}", name.unwrap_or_default()));
        }
        _ => {}
    }
}

/// Texts that are nearly messages.
fn body() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just(r#""read""#),
        Just(r#""admin""#),
        Just(r#""\u0061dmin""#),
        Just("5"),
        Just("null"),
        Just(r#"{"$serde_json::private::RawValue":"\"admin\""}"#),
        Just(r#"["admin"]"#),
    ];
    let key = prop_oneof![
        Just("name"),
        Just("n\\u0061me"),
        Just("Name"),
        Just("uri"),
        Just("arguments"),
        Just("$serde_json::private::RawValue"),
        Just("$serde_json::private::Number"),
    ];
    let member = (key, name).prop_map(|(key, name)| format!("\"{key}\":{name}"));
    let params = prop_oneof![
        4 => prop::collection::vec(member, 0..3)
            .prop_map(|members| format!("{{{}}}", members.join(","))),
        1 => Just("[\"admin\"]".to_owned()),
        1 => Just(r#"{"$serde_json::private::RawValue":"{\"name\":\"admin\"}"}"#.to_owned()),
    ];
    let method = prop_oneof![
        4 => Just(r#""tools/call""#),
        1 => Just(r#""tools\/call""#),
        1 => Just(r#""ping""#),
        1 => Just(r#""x""#),
        1 => Just("null"),
    ];
    let part = prop_oneof![
        3 => method.prop_map(|method| format!("\"method\":{method}")),
        3 => params.clone().prop_map(|params| format!("\"params\":{params}")),
        1 => Just("\"result\":{}".to_owned()),
        1 => params.prop_map(|params| format!("\"Params\":{params}")),
        1 => Just("\"m\\u0065thod\":\"tools/call\"".to_owned()),
    ];
    let message =
        prop::collection::vec(part, 0..4).prop_map(|parts| format!("{{{}}}", parts.join(",")));
    prop_oneof![
        4 => message.clone(),
        1 => prop::collection::vec(message, 0..3).prop_map(|all| format!("[{}]", all.join(","))),
        1 => "\\PC{0,40}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 500,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off) as Box<_>),
        ..ProptestConfig::default()
    })]

    #[test]
    fn c15_no_reader_finds_another_tool(body in body()) {
        let server = Server::new(preset().scopes(scopes()).build().unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (response, reached) = runtime.block_on(server.send(post("mcp read", &[], &body)));
        if reached {
            prop_assert_eq!(response.body(), &body);
            let mut found = Vec::new();
            operations(&serde_json::from_str(&body).unwrap(), &mut found);
            for operation in found {
                let is_allowed = matches!(&*operation, "tools/call read" | " " | " read" | " admin")
                    || operation.starts_with("ping ");
                prop_assert!(is_allowed, "{:?} in {}", operation, body);
            }
        } else {
            prop_assert!(matches!(response.status().as_u16(), 400 | 403));
        }
    }
}

type Frames = Vec<Result<Frame<Bytes>, std::io::Error>>;

async fn send_frames(frames: Frames) -> (u16, String) {
    let layer = preset().scopes(scopes()).max_body(100).build().unwrap();
    let server = service_fn(async |request: Request<RequestBody<_>>| {
        let body = request.into_body();
        let hint = body.size_hint().exact();
        let body = body.collect().await.map_err(|_| "the body fails").unwrap().to_bytes();
        assert_eq!(hint, Some(body.len() as u64));
        Ok::<_, Infallible>(Response::new(String::from_utf8(body.to_vec()).unwrap()))
    });
    let stream = StreamBody::new(tokio_stream(frames));
    let request = post("mcp read", &[], "").map(|_| RequestBody::new(stream));
    let response = layer.layer(server).oneshot(request).await.unwrap();
    (response.status().as_u16(), response.into_body())
}

/// A stream that is not ready each time it is asked first.
fn tokio_stream(
    frames: Frames,
) -> impl futures_core::Stream<Item = Result<Frame<Bytes>, std::io::Error>> {
    struct Slow(std::vec::IntoIter<Result<Frame<Bytes>, std::io::Error>>, bool);

    impl futures_core::Stream for Slow {
        type Item = Result<Frame<Bytes>, std::io::Error>;

        fn poll_next(
            mut self: std::pin::Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Self::Item>> {
            self.1 = !self.1;
            if self.1 {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(self.0.next())
        }
    }

    Slow(frames.into_iter(), false)
}

#[tokio::test]
async fn c14_a_body_in_parts_is_read_to_its_end_or_to_the_limit() {
    let data = |text: &str| Ok(Frame::data(Bytes::from(text.to_owned())));
    let body = call("read");
    let (first, second) = body.split_at(20);
    assert_eq!(send_frames(vec![data(first), data(""), data(second)]).await, (200, body.clone()));
    let trailers = Ok(Frame::trailers(http::HeaderMap::new()));
    assert_eq!(send_frames(vec![data(&body), trailers]).await, (200, body.clone()));
    assert_eq!(send_frames(vec![data(first)]).await.0, 400);
    assert_eq!(send_frames(vec![]).await.0, 400);
    let reset = Err(std::io::ErrorKind::ConnectionReset.into());
    assert_eq!(send_frames(vec![data(first), reset, data(second)]).await.0, 400);
    let blanks = " ".repeat(100 - body.len());
    assert_eq!(send_frames(vec![data(&body), data(&blanks)]).await.0, 200);
    assert_eq!(send_frames(vec![data(&body), data(&blanks), data(" ")]).await.0, 413);
}
