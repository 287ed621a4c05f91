use std::time::Duration;

use axum::{
    Router,
    extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade},
    response::Response,
    routing::any,
};
use tokio::time::timeout;
use tower_jwt_auth::{
    Claims, JwtAuthLayer, TokenSource, Verifier,
    validity::{Validity, ValidityEnd},
};

pub fn app(verifier: Verifier) -> Router {
    let layer =
        JwtAuthLayer::new(verifier).source(TokenSource::websocket_protocol("bearer")).strip_token();
    Router::new().route("/ws", any(connect)).layer(layer)
}

async fn connect(claims: Claims, upgrade: WebSocketUpgrade) -> Response {
    let validity = claims.validity();
    // A browser closes the connection if none of its subprotocols is accepted.
    let upgrade = upgrade.protocols(["bearer"]);
    upgrade.on_upgrade(async move |socket| talk(socket, validity).await)
}

async fn talk(mut socket: WebSocket, validity: Validity) {
    // Around all that waits: a client that reads nothing must not delay the end.
    let end = tokio::select! {
        biased;
        end = validity.clone() => end,
        end = echo(&mut socket, &validity) => match end {
            Some(end) => end,
            None => return, // the client has left
        },
    };
    let code = match end {
        ValidityEnd::Unchecked => 1013, // try again later
        _ => 4401,
    };
    let frame = CloseFrame { code, reason: end.name().into() };
    let _ = timeout(Duration::from_secs(5), socket.send(Message::Close(Some(frame)))).await;
}

async fn echo(socket: &mut WebSocket, validity: &Validity) -> Option<ValidityEnd> {
    loop {
        let message = socket.recv().await?.ok()?;
        // Before each message: while a client floods the server, nothing waits, and `select!` does not
        // look at the validity.
        if let Some(end) = validity.ended() {
            return Some(end);
        }
        let Message::Text(text) = message else { continue };
        let answer = match text.strip_prefix("token ") {
            None => text,
            Some(token) => match validity.renew(token).await {
                Ok(_) => "renewed".into(),
                Err(error) => {
                    eprintln!("a stream was not renewed: {error} ({})", error.name());
                    "refused".into()
                }
            },
        };
        socket.send(Message::Text(answer)).await.ok()?;
    }
}
