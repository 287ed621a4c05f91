use std::time::Duration;

use axum::{
    extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade},
    response::Response,
};
use tokio::time::timeout;
use tower_jwt_auth::{
    Claims,
    validity::{Validity, ValidityEnd},
};

pub async fn connect(claims: Claims, upgrade: WebSocketUpgrade) -> Response {
    let validity = claims.validity();
    upgrade.on_upgrade(async move |socket| talk(socket, validity).await)
}

async fn talk(mut socket: WebSocket, validity: Validity) {
    // Around all that waits: a client that reads nothing must not delay the end.
    let end = tokio::select! {
        end = validity.clone() => end,
        () = echo(&mut socket, &validity) => return,
    };
    let code = match end {
        ValidityEnd::Unchecked => 1013, // try again later
        _ => 4401,
    };
    let frame = CloseFrame { code, reason: end.name().into() };
    let _ = timeout(Duration::from_secs(5), socket.send(Message::Close(Some(frame)))).await;
}

async fn echo(socket: &mut WebSocket, validity: &Validity) {
    while let Some(Ok(message)) = socket.recv().await {
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
        if socket.send(Message::Text(answer)).await.is_err() {
            return;
        }
    }
}
