use std::pin::pin;

use futures_core::Stream;
use tokio::sync::mpsc::channel;
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use tower_jwt_auth::validity::Validity;

/// A stream whose source is dropped when the token ends, also if the client does not read. Guard the
/// result, too: the channel may have items, and the client is to read the end.
pub fn owned<T: Send + 'static>(
    validity: &Validity,
    source: impl Stream<Item = T> + Send + 'static,
) -> impl Stream<Item = T> + Send + 'static {
    let (sender, receiver) = channel(16);
    let validity = validity.clone();
    tokio::spawn(async move {
        let mut source = pin!(source);
        let forward = async {
            while let Some(item) = source.next().await
                && sender.send(item).await.is_ok()
            {}
        };
        tokio::select! {
            biased;
            _ = validity => {}
            () = sender.closed() => {} // the client has left
            () = forward => {}
        }
    });
    ReceiverStream::new(receiver)
}
