//! The preset for MCP servers in a real server: HTTP/1.1 with chunks, trailers and `Expect`, and HTTP/2.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper::{
    body::{Body, Bytes, Frame, Incoming},
    client::conn::http2,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    Algorithm, JwtAuthLayer, RegisteredClaims, Verifier,
    mcp::{McpAuthLayer, McpScopes, RequestBody},
};

use crate::{
    server::serve,
    support::{builder, claims_with, key},
};

/// A server that says back what it has got. A token with the scope `read` may call `read`.
async fn server() -> SocketAddr {
    let verifier: Verifier<RegisteredClaims> = builder().build().unwrap();
    let scopes = McpScopes::new().base(["mcp"]).tool("read", ["read"]).tool("write", ["write"]);
    let layer = McpAuthLayer::builder(JwtAuthLayer::new(verifier)).scopes(scopes).build().unwrap();
    let inner = service_fn(async |request: Request<RequestBody<Incoming>>| {
        let collected = request.into_body().collect().await.unwrap();
        assert!(collected.trailers().is_none(), "trailers are not passed on");
        let body = String::from_utf8(collected.to_bytes().to_vec()).unwrap();
        Ok::<_, Infallible>(Response::new(format!("got {body}")))
    });
    let service = layer.layer(inner);
    serve(service_fn(move |request: Request<Incoming>| {
        service.clone().oneshot(request.map(RequestBody::new))
    }))
    .await
}

fn bearer() -> String {
    format!("Bearer {}", key(Algorithm::ES256).token(&claims_with(json!({"scope": "mcp read"}))))
}

fn call(tool: &str) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool}}).to_string()
}

/// The head of a request, without the blank line at its end.
fn head(rest: &str) -> String {
    format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: {}\r\n\
         content-type: application/json\r\n{rest}",
        bearer()
    )
}

fn with_length(rest: &str, body: &str) -> String {
    format!("{}content-length: {}\r\n\r\n{body}", head(rest), body.len())
}

/// A body in chunks of a few bytes, with a trailer.
fn in_chunks(body: &str) -> String {
    let mut chunks = String::from("transfer-encoding: chunked\r\ntrailer: x-end\r\n\r\n");
    for chunk in body.as_bytes().chunks(7) {
        let text = std::str::from_utf8(chunk).unwrap();
        chunks += &format!("{:x};a=b\r\n{text}\r\n", text.len());
    }
    chunks + "0\r\nx-end: 1\r\nmcp-name: write\r\n\r\n"
}

/// All that the server says to these requests until it closes the connection.
async fn answers(to: SocketAddr, requests: &str) -> Vec<String> {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(requests.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text.split("HTTP/1.1 ").skip(1).map(str::to_owned).collect()
}

#[tokio::test]
async fn c14_chunks_and_trailers_of_http_1_do_not_shift_the_next_request() {
    let address = server().await;
    let (read, write) = (call("read"), call("write"));
    let close = "connection: close\r\n";
    let requests = [
        head("") + &in_chunks(&read),
        head("") + &in_chunks(&write),
        // A body that no message is taken from.
        with_length("", &read).replace("POST", "GET"),
        with_length(close, &read),
    ];
    let answers = answers(address, &requests.concat()).await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer.get(..3).unwrap()).collect();
    assert_eq!(statuses, ["200", "403", "200", "200"], "{answers:?}");
    assert!(answers[0].ends_with(&format!("\r\n\r\ngot {read}")), "{answers:?}");
    assert!(answers[2].ends_with("\r\n\r\ngot "), "{answers:?}");
    assert!(answers[3].ends_with(&format!("\r\n\r\ngot {read}")), "{answers:?}");
}

#[tokio::test]
async fn c14_a_body_is_asked_for_only_if_the_head_may_pass() {
    let address = server().await;
    let body = call("read");
    let expect = "expect: 100-continue\r\nconnection: close\r\n";
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head_only = format!("{}content-length: {}\r\n\r\n", head(expect), body.len());
    stream.write_all(head_only.as_bytes()).await.unwrap();
    let mut asked = [0; 25];
    stream.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(&body), "{answer}");

    let headers = "mcp-method: tools/call\r\nmcp-name: write\r\n";
    let of_another_tool =
        format!("{}content-length: 99\r\n\r\n", head(&(headers.to_owned() + expect)));
    let too_long = format!("{}content-length: 1048577\r\n\r\n", head(expect));
    let without_token = too_long.replace("authorization", "x-authorization");
    for (request, status) in [(of_another_tool, "403"), (too_long, "413"), (without_token, "401")] {
        let answers = answers(address, &request).await;
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert!(answers[0].starts_with(status), "{answers:?}");
    }
}

#[tokio::test]
async fn c14_frames_and_trailers_of_http_2_are_read_to_the_end() {
    let address = server().await;
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (client, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    for (tool, status) in [("read", 200), ("write", 403)] {
        let body = call(tool);
        let mut frames: Vec<_> = body
            .as_bytes()
            .chunks(7)
            .map(|part| Ok::<_, Infallible>(Frame::data(Bytes::copy_from_slice(part))))
            .collect();
        let mut trailers = HeaderMap::new();
        trailers.insert("mcp-name", "read".parse().unwrap());
        frames.push(Ok(Frame::trailers(trailers)));
        let frames = Frames(frames.into_iter());
        let request = Request::post(format!("http://{address}/mcp"))
            .header("authorization", bearer())
            .header("content-type", "application/json")
            .body(frames)
            .unwrap();
        let response = client.clone().send_request(request).await.unwrap();
        assert_eq!(response.status(), status, "{tool}");
        let answer = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(answer == format!("got {body}"), status == 200, "{tool}");
    }
}

/// A body of these frames.
struct Frames(std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>);

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next())
    }
}
