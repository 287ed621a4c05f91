//! A stream of gRPC ends with the status 16, in both directions. The messages are texts, so that no code is generated.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::{Buf, BufMut};
use futures_core::Stream;
use http::uri::PathAndQuery;
use tokio::sync::mpsc::channel;
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use tonic::{
    Code, Request, Response, Status, Streaming,
    client::Grpc as Client,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    server::{ClientStreamingService, Grpc, ServerStreamingService},
    transport::{Channel, Endpoint},
};
use tower::Service;
use tower_jwt_auth::Claims;

use crate::{Setup, channel::once, recipes, soon};

/// Texts in UTF-8.
#[derive(Clone, Copy, Default)]
struct Texts;

impl Codec for Texts {
    type Encode = String;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Texts {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, text: String, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(text.as_bytes());
        Ok(())
    }
}

impl Decoder for Texts {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        String::from_utf8(bytes.to_vec()).map(Some).map_err(|_| Status::internal("not UTF-8"))
    }
}

type Answers = Pin<Box<dyn Stream<Item = Result<String, Status>> + Send>>;

/// The method of the service.
struct List;

impl ServerStreamingService<String> for List {
    type Response = String;
    type ResponseStream = Answers;
    type Future = Ready<Result<Response<Answers>, Status>>;

    fn call(&mut self, request: Request<String>) -> Self::Future {
        let answers = once(Ok(format!("hello {}", request.get_ref())));
        ready(
            recipes::tonic::answer(&request, answers)
                .map(|answer| answer.map(|all| Box::pin(all) as Answers)),
        )
    }
}

/// A method whose client sends a stream: the number of its messages.
struct Upload;

impl ClientStreamingService<String> for Upload {
    type Response = String;
    type Future = Pin<Box<dyn Future<Output = Result<Response<String>, Status>> + Send>>;

    fn call(&mut self, request: Request<Streaming<String>>) -> Self::Future {
        Box::pin(async move {
            let mut messages = pin!(recipes::tonic::messages(request)?);
            let mut count = 0;
            while let Some(message) = messages.next().await {
                message?;
                count += 1;
            }
            Ok(Response::new(format!("complete: {count}")))
        })
    }
}

/// A source that always has an item, which fills the windows of HTTP/2 soon.
struct Full(Arc<AtomicBool>);

impl Stream for Full {
    type Item = Result<String, Status>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(Some(Ok("x".repeat(16 * 1024))))
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A method whose source belongs to a task.
struct Flood(Arc<AtomicBool>);

impl ServerStreamingService<String> for Flood {
    type Response = String;
    type ResponseStream = Answers;
    type Future = Ready<Result<Response<Answers>, Status>>;

    fn call(&mut self, request: Request<String>) -> Self::Future {
        let source = Full(Arc::clone(&self.0));
        let claims = request.extensions().get::<Claims>().unwrap();
        let answers = recipes::owned::owned(&claims.validity(), source);
        ready(
            recipes::tonic::answer(&request, answers)
                .map(|answer| answer.map(|all| Box::pin(all) as Answers)),
        )
    }
}

/// The service, as generated code has it.
#[derive(Clone)]
pub struct News {
    pub dropped: Arc<AtomicBool>,
}

impl Service<http::Request<Body>> for News {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let flood = Flood(Arc::clone(&self.dropped));
        Box::pin(async move {
            let mut grpc = Grpc::new(Texts);
            Ok(match request.uri().path() {
                "/news.News/List" => grpc.server_streaming(List, request).await,
                "/news.News/Upload" => grpc.client_streaming(Upload, request).await,
                _ => grpc.server_streaming(flood, request).await,
            })
        })
    }
}

async fn client(setup: &Setup) -> Client<Channel> {
    let url = format!("http://{}", setup.address);
    let mut client = Client::new(Endpoint::from_shared(url).unwrap().connect().await.unwrap());
    client.ready().await.unwrap();
    client
}

fn request<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

/// Calls a method that answers with a stream.
async fn call(setup: &Setup, path: &'static str, token: &str) -> Streaming<String> {
    let request = request("world".to_owned(), token);
    let path = PathAndQuery::from_static(path);
    client(setup).await.server_streaming(request, path, Texts).await.unwrap().into_inner()
}

async fn list(setup: &Setup, token: &str) -> Streaming<String> {
    let mut answers = call(setup, "/news.News/List", token).await;
    assert_eq!(soon(answers.message()).await.unwrap().as_deref(), Some("hello world"));
    answers
}

fn assert_ended(status: &Status, end: &str, message: &str) {
    assert_eq!((status.code(), status.message()), (Code::Unauthenticated, message));
    assert_eq!(status.metadata().get("validity-end").unwrap(), end);
}

#[tokio::test]
async fn s01_a_stream_of_grpc_ends_with_a_status() {
    let setup = Setup::start().await;
    let mut ada = list(&setup, &setup.token("ada")).await;
    let mut eve = list(&setup, &setup.token("eve")).await;
    setup.log_out("eve");
    let status = soon(eve.message()).await.unwrap_err();
    assert_ended(&status, "revoked", "the token was revoked");
    setup.expire();
    let status = soon(ada.message()).await.unwrap_err();
    assert_ended(&status, "expired", "the token has expired");
}

#[tokio::test]
async fn s01_an_upload_is_not_complete_when_its_token_ends() {
    let setup = Setup::start().await;
    let upload = async |setup: &Setup, messages: ReceiverStream<String>| {
        let path = PathAndQuery::from_static("/news.News/Upload");
        let request = request(messages, &setup.token("ada"));
        client(setup).await.client_streaming(request, path, Texts).await
    };
    let messages = || {
        let (sender, messages) = channel(16);
        for text in ["a", "b"] {
            sender.try_send(text.to_owned()).unwrap();
        }
        (sender, ReceiverStream::new(messages))
    };
    let (sender, whole) = messages();
    drop(sender);
    assert_eq!(soon(upload(&setup, whole)).await.unwrap().into_inner(), "complete: 2");

    let (_sender, half) = messages();
    let log_out = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        setup.log_out("ada");
    };
    let (answer, ()) = tokio::join!(soon(upload(&setup, half)), log_out);
    assert_ended(&answer.unwrap_err(), "revoked", "the token was revoked");
}

#[tokio::test]
async fn s01_a_source_that_a_task_owns_ends_although_the_client_does_not_read() {
    let setup = Setup::start().await;
    let mut answers = call(&setup, "/news.News/Flood", &setup.token("ada")).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!setup.dropped.load(Ordering::SeqCst));
    setup.log_out("ada");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(setup.dropped.load(Ordering::SeqCst), "the source goes on");
    // A client that reads again sees why.
    let status = loop {
        if let Err(status) = soon(answers.message()).await {
            break status;
        }
    };
    assert_ended(&status, "revoked", "the token was revoked");
}
