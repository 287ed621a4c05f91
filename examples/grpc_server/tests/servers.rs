//! The services of the example with layers in several orders, each at a port of its own.

use std::{convert::Infallible, future::pending, net::SocketAddr};

use axum::body::{Bytes, HttpBody};
use tokio::net::TcpListener;
use tonic::{
    body::Body,
    service::Routes,
    transport::{
        Server,
        server::{Router, TcpIncoming},
    },
};
use tower::{
    Layer, Service,
    layer::util::{Identity, Stack},
};

use crate::api;

pub(crate) struct Address(SocketAddr);

impl Address {
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0)
    }
}

/// The services of the example with these layers around all of them.
pub(crate) fn with<L: Clone>(layers: L) -> Router<Stack<L, Identity>> {
    let mut server = Server::builder().accept_http1(true).layer(layers);
    server.add_routes(api::services())
}

/// Serves with tonic.
pub(crate) async fn serve<L, S, B>(router: Router<L>) -> Address
where
    L: Layer<Routes, Service = S> + Send + 'static,
    S: Service<http::Request<Body>, Response = http::Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        router.serve_with_incoming_shutdown(TcpIncoming::from(listener), pending()).await.unwrap();
    });
    address
}

/// Serves a router of axum.
pub(crate) async fn serve_axum(router: axum::Router) -> Address {
    let (listener, address) = listen().await;
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

async fn listen() -> (TcpListener, Address) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address(listener.local_addr().unwrap());
    (listener, address)
}
