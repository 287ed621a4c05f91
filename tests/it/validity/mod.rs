//! Streams that end with their token (`validity`).

mod clones;
mod ends;
mod lists;
mod observed;
mod renewal;

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use futures_core::Stream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tower_jwt_auth::{
    Claims, Verifier,
    revocation::{Denylist, MemoryDenylist, Revocation},
    testing::{TestClock, TestIssuer, TestToken},
    validity::{Validity, ValidityEnd},
};

/// A service that verifies tokens by a clock and a denylist.
struct Setup {
    clock: TestClock,
    issuer: TestIssuer,
    list: MemoryDenylist,
    verifier: Verifier,
}

impl Setup {
    fn new() -> Self {
        let clock = TestClock::new();
        let issuer = TestIssuer::new().with_clock(clock.clone());
        let list = MemoryDenylist::builder().clock(clock.clone()).build().unwrap();
        let verifier = issuer.verifier_builder().denylist(list.clone()).build().unwrap();
        Self { clock, issuer, list, verifier }
    }

    /// A token of this subject for five minutes.
    fn token(&self, subject: &str, id: &str) -> TestToken {
        let token = self.issuer.token().expires_in(Duration::from_secs(300));
        token.subject(subject).claim("jti", id).claim("sid", format!("session of {subject}"))
    }

    async fn claims(&self, token: TestToken) -> Claims {
        self.verifier.verify(&token.sign()).await.unwrap()
    }

    async fn validity(&self, subject: &str, id: &str) -> Validity {
        self.claims(self.token(subject, id)).await.validity()
    }

    async fn revoke(&self, revocation: Revocation) {
        self.list.revoke(revocation).await.unwrap();
    }

    fn revocation(&self, id: &str) -> Revocation {
        Revocation::token(self.issuer.issuer(), id, self.clock.unix_seconds() + 3600)
    }
}

/// What is sent to a channel, as a stream.
struct Received<T>(UnboundedReceiver<T>);

impl<T> Stream for Received<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_recv(context)
    }
}

fn channel<T>() -> (UnboundedSender<T>, Received<T>) {
    let (sender, receiver) = unbounded_channel();
    (sender, Received(receiver))
}

async fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    poll_fn(|context| Pin::new(&mut *stream).poll_next(context)).await
}

/// The end, which comes within 50 ms.
async fn ends(end: impl Future<Output = ValidityEnd>) -> ValidityEnd {
    let ended = tokio::time::timeout(Duration::from_millis(50), end).await;
    ended.expect("it does not end within 50 ms")
}

/// It has not ended, nor does it within 20 ms.
async fn goes_on(validity: &Validity) {
    let ended = tokio::time::timeout(Duration::from_millis(20), validity.clone()).await;
    assert!(ended.is_err(), "{ended:?}");
    assert_eq!(validity.ended(), None);
}

/// Polls once, with a waker of one's own.
fn poll_once<F: Future + Unpin>(future: &mut F, waker: &std::task::Waker) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(waker))
}
