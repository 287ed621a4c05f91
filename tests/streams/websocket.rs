//! A WebSocket ends with a close frame.

use std::{future::poll_fn, iter, pin::Pin, time::Duration};

use futures_core::Stream;
use futures_sink::Sink;
use http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
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

    /// Sends all at once.
    async fn send(&mut self, texts: impl IntoIterator<Item = String>) {
        let mut texts = texts.into_iter();
        poll_fn(|context| {
            let mut socket = Pin::new(&mut self.0);
            for text in &mut texts {
                // Its buffer is larger than what the tests send.
                assert!(socket.as_mut().poll_ready(context).is_ready());
                socket.as_mut().start_send(Message::text(text)).unwrap();
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
        self.send([text.to_owned()]).await;
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

#[tokio::test]
async fn s01_a_client_that_floods_is_closed_after_the_message_of_the_revocation() {
    let setup = Setup::start().await;
    let mut ada = Client::connect(&setup, &setup.token("ada")).await;
    // All are in the buffer of the server before it handles the first one.
    let texts = |text: &str| iter::repeat_n(text.to_owned(), 30);
    let revoke = iter::once(format!("token {}", setup.token("mallory")));
    ada.send(texts("before").chain(revoke).chain(texts("after"))).await;
    for _ in 0..30 {
        assert_eq!(ada.receive().await.into_text().unwrap(), "before");
    }
    assert_eq!(ada.receive().await.into_text().unwrap(), "refused");
    assert_eq!(ada.closed().await, (4401, "revoked".to_owned()));
}

#[tokio::test]
async fn a_browser_sends_its_token_as_a_subprotocol() {
    let setup = Setup::start().await;
    let request = |protocols: &str| {
        let mut request = format!("ws://{}/ws", setup.address).into_client_request().unwrap();
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocols.parse().unwrap());
        request
    };
    let protocols = format!("bearer, {}", setup.token("ada"));
    // The client refuses a connection without one of its subprotocols, as a browser does.
    let (socket, response) = connect_async(request(&protocols)).await.unwrap();
    assert_eq!(response.headers()[SEC_WEBSOCKET_PROTOCOL], "bearer");
    let mut ada = Client(socket);
    assert_eq!(ada.ask("hello").await, "hello");
    setup.log_out("ada");
    assert_eq!(ada.closed().await, (4401, "revoked".to_owned()));
    match connect_async(request("bearer, x")).await {
        Err(Error::Http(response)) => assert_eq!(response.status(), 401),
        other => panic!("{other:?}"),
    }
}
