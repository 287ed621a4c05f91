//! A WebSocket ends with a close frame.

use std::{future::poll_fn, pin::Pin, task::ready, time::Duration};

use futures_core::Stream;
use futures_sink::Sink;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::{Setup, soon};

struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    async fn connect(setup: &Setup, token: &str) -> Self {
        let url = format!("ws://{}/ws", setup.address);
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        Self(connect_async(request).await.unwrap().0)
    }

    async fn send(&mut self, text: &str) {
        let mut message = Some(Message::text(text));
        poll_fn(|context| {
            let mut socket = Pin::new(&mut self.0);
            if message.is_some() {
                ready!(socket.as_mut().poll_ready(context)).unwrap();
            }
            if let Some(message) = message.take() {
                socket.as_mut().start_send(message).unwrap();
            }
            socket.poll_flush(context)
        })
        .await
        .unwrap();
    }

    async fn receive(&mut self) -> Message {
        let next = poll_fn(|context| Pin::new(&mut self.0).poll_next(context));
        soon(next).await.expect("the connection has ended").unwrap()
    }

    async fn ask(&mut self, text: &str) -> String {
        self.send(text).await;
        self.receive().await.into_text().unwrap().to_string()
    }

    /// The code and the reason of the close frame.
    async fn closed(&mut self) -> (u16, String) {
        match self.receive().await {
            Message::Close(Some(frame)) => (frame.code.into(), frame.reason.to_string()),
            other => panic!("no close frame: {other:?}"),
        }
    }
}

#[tokio::test]
async fn s01_a_websocket_is_closed_when_its_token_ends() {
    let setup = Setup::start().await;
    let mut ada = Client::connect(&setup, &setup.token("ada")).await;
    let mut eve = Client::connect(&setup, &setup.token("eve")).await;
    assert_eq!(ada.ask("hello").await, "hello");
    assert_eq!(eve.ask("hello").await, "hello");
    setup.log_out("eve");
    assert_eq!(eve.closed().await, (4401, "revoked".to_owned()));
    assert_eq!(ada.ask("still there").await, "still there");
    setup.expire();
    assert_eq!(ada.closed().await, (4401, "expired".to_owned()));
}

#[tokio::test]
async fn s02_a_websocket_is_renewed_by_its_own_subject_only() {
    let setup = Setup::start().await;
    let mut ada = Client::connect(&setup, &setup.token("ada")).await;
    setup.clock.advance(Duration::from_secs(300));
    assert_eq!(ada.ask(&format!("token {}", setup.token("eve"))).await, "refused");
    assert_eq!(ada.ask("token x").await, "refused");
    assert_eq!(ada.ask(&format!("token {}", setup.token("ada"))).await, "renewed");
    setup.clock.advance(Duration::from_secs(359));
    assert_eq!(ada.ask("still there").await, "still there");
    setup.clock.advance(Duration::from_secs(1));
    assert_eq!(ada.closed().await, (4401, "expired".to_owned()));
}
