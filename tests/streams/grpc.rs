//! A stream of gRPC ends with the status 16. The messages are texts, so that no code is generated.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::{Buf, BufMut};
use futures_core::Stream;
use tonic::{
    Code, Request, Response, Status,
    client::Grpc as Client,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    server::{Grpc, ServerStreamingService},
    transport::Endpoint,
};
use tower::Service;

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

/// The service, as generated code has it.
#[derive(Clone)]
pub struct News;

impl Service<http::Request<Body>> for News {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move { Ok(Grpc::new(Texts).server_streaming(List, request).await) })
    }
}

async fn list(setup: &Setup, token: &str) -> tonic::Streaming<String> {
    let url = format!("http://{}", setup.address);
    let mut client = Client::new(Endpoint::from_shared(url).unwrap().connect().await.unwrap());
    client.ready().await.unwrap();
    let mut request = Request::new("world".to_owned());
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let path = http::uri::PathAndQuery::from_static("/news.News/List");
    let mut answers = client.server_streaming(request, path, Texts).await.unwrap().into_inner();
    assert_eq!(soon(answers.message()).await.unwrap().as_deref(), Some("hello world"));
    answers
}

#[tokio::test]
async fn s01_a_stream_of_grpc_ends_with_a_status() {
    let setup = Setup::start().await;
    let mut ada = list(&setup, &setup.token("ada")).await;
    let mut eve = list(&setup, &setup.token("eve")).await;
    setup.log_out("eve");
    let status = soon(eve.message()).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unauthenticated, "the token was revoked"));
    setup.expire();
    let status = soon(ada.message()).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unauthenticated, "the token has expired"));
}
