//! Server-sent events end with an event, and the response with them.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{Setup, soon};

struct Client {
    stream: TcpStream,
    seen: String,
}

impl Client {
    async fn connect(setup: &Setup, token: &str) -> Self {
        let mut stream = TcpStream::connect(setup.address).await.unwrap();
        let request = format!(
            "GET /events HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
             authorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut client = Self { stream, seen: String::new() };
        client.wait_for("data: first\n\n").await;
        client
    }

    async fn wait_for(&mut self, text: &str) {
        while !self.seen.contains(text) {
            let mut bytes = [0; 1024];
            let count = soon(self.stream.read(&mut bytes)).await.unwrap();
            assert_ne!(count, 0, "it ends after {:?}", self.seen);
            self.seen.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        }
    }

    /// The rest, up to the end of the connection.
    async fn rest(mut self) -> String {
        let mut rest = String::new();
        soon(self.stream.read_to_string(&mut rest)).await.unwrap();
        rest
    }
}

#[tokio::test]
async fn s01_server_sent_events_end_when_their_token_ends() {
    let setup = Setup::start().await;
    let ada = Client::connect(&setup, &setup.token("ada")).await;
    let eve = Client::connect(&setup, &setup.token("eve")).await;
    setup.log_out("eve");
    let rest = eve.rest().await;
    // The last chunk says that the response is whole.
    assert!(
        rest.contains("event: end\ndata: revoked\n\n") && rest.ends_with("0\r\n\r\n"),
        "{rest:?}"
    );
    setup.expire();
    assert!(ada.rest().await.contains("event: end\ndata: expired\n\n"));
}
