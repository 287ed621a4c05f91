//! The messages and the service of `shop.proto`, as `tonic-prost-build` would generate them.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use prost::Message;
use tokio_stream::Stream;
use tonic::{
    Request, Response, Status,
    body::Body,
    server::{Grpc, NamedService, ServerStreamingService, UnaryService},
};
use tonic_prost::ProstCodec;
use tower::Service;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct GetRequest {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct WatchRequest {}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Order {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    #[prost(string, tag = "2")]
    pub(crate) owner: String,
}

/// A stream of orders, which ends with an error or with the status 0.
pub(crate) type OrderStream = Pin<Box<dyn Stream<Item = Result<Order, Status>> + Send>>;

/// The methods of the service.
pub(crate) trait Orders: Send + Sync + 'static {
    fn get(&self, request: &Request<GetRequest>) -> Result<Response<Order>, Status>;

    fn watch(&self, request: &Request<WatchRequest>) -> Result<Response<OrderStream>, Status>;
}

/// The service, which finds the method by the path.
pub(crate) struct OrdersServer<T>(Arc<T>);

impl<T> OrdersServer<T> {
    pub(crate) fn new(orders: T) -> Self {
        Self(Arc::new(orders))
    }
}

impl<T> Clone for OrdersServer<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> NamedService for OrdersServer<T> {
    const NAME: &'static str = "shop.v1.Orders";
}

type Answer<T> = Pin<Box<dyn Future<Output = Result<T, Status>> + Send>>;

struct Get<T>(Arc<T>);

impl<T: Orders> UnaryService<GetRequest> for Get<T> {
    type Response = Order;
    type Future = Answer<Response<Order>>;

    fn call(&mut self, request: Request<GetRequest>) -> Self::Future {
        let orders = Arc::clone(&self.0);
        Box::pin(async move { orders.get(&request) })
    }
}

struct Watch<T>(Arc<T>);

impl<T: Orders> ServerStreamingService<WatchRequest> for Watch<T> {
    type Response = Order;
    type ResponseStream = OrderStream;
    type Future = Answer<Response<OrderStream>>;

    fn call(&mut self, request: Request<WatchRequest>) -> Self::Future {
        let orders = Arc::clone(&self.0);
        Box::pin(async move { orders.watch(&request) })
    }
}

impl<T: Orders> Service<http::Request<Body>> for OrdersServer<T> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let orders = Arc::clone(&self.0);
        Box::pin(async move {
            Ok(match request.uri().path() {
                "/shop.v1.Orders/Get" => {
                    Grpc::new(ProstCodec::default()).unary(Get(orders), request).await
                }
                "/shop.v1.Orders/Watch" => {
                    let mut grpc = Grpc::new(ProstCodec::default());
                    grpc.server_streaming(Watch(orders), request).await
                }
                _ => Status::unimplemented("the service has no such method").into_http(),
            })
        })
    }
}
