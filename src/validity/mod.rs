//! Streams that end with their token: WebSockets, server-sent events, streams of gRPC.
//!
//! A request is checked once. A connection that outlives it has to be ended by somebody when the token
//! expires or is revoked: [`Claims::validity`] gives a [`Validity`], which is a future of that end. The guide
//! *Long connections* has axum's WebSocket, server-sent events and tonic.
//!
//! # Rules
//!
//! 1. The end comes in the first second in which the verifier would refuse the token because of its time:
//!    `exp` plus leeway, or the verifier's `max_age`. The clock is that of the verifier. If the clock of the
//!    system is set, or the machine was asleep, the end comes at most 30 s late.
//! 2. The end comes when the denylist of the verifier hears that the token, its session or its subject is
//!    revoked, in whatever process. Without a denylist, a stream ends only by its time; a token without `exp`
//!    or `max_age` ends only by a revocation.
//! 3. A denylist tells of revocations if it has [`Watchers`](crate::revocation::Watchers), as
//!    `MemoryDenylist` and `RedisDenylist` have. Any other one is asked at least every 30 s.
//! 4. Each stream asks the denylist at least every 30 s whether it still answers, as a request does. If the
//!    stream has had no answer for 60 s, it ends, which is 30 to 65 s after the list has failed: otherwise, cutting the connection would defeat revocation. A
//!    verifier that [fails open](crate::verifier::DangerousVerifierBuilder::fail_open) continues instead.
//! 5. A fresh token renews the stream if the same verifier accepts it, and if it has the same issuer, subject,
//!    client and key (`cnf`). Then the end is that of the fresh token, also if it is earlier. Otherwise,
//!    the stream continues until its own end.
//! 6. The keys, the rules of the application and the proof of the sender are not rechecked.
//!
//! # Example: a stream of messages
//! ```
//! use std::{convert::Infallible, pin::Pin, task::{Context, Poll}};
//! use futures_core::Stream;
//! use tower_jwt_auth::{Claims, validity::ValidityEnd};
//!
//! fn messages(
//!     claims: Claims,
//!     news: impl Stream<Item = Result<String, Infallible>>,
//! ) -> impl Stream<Item = Result<String, Infallible>> {
//!     claims.validity().guard_with(news, |end| Ok(format!("bye: {end}")))
//! }
//! # struct News;
//! # impl Stream for News {
//! #     type Item = Result<String, Infallible>;
//! #     fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
//! #         Poll::Pending
//! #     }
//! # }
//! # let _ = |claims| messages(claims, News);
//! # assert_eq!(ValidityEnd::Expired.name(), "expired");
//! ```
//!
//! # Example: a fresh token in the stream
//! ```
//! use tower_jwt_auth::validity::Validity;
//!
//! async fn on_message(validity: &Validity, text: &str) -> &'static str {
//!     let Some(token) = text.strip_prefix("token ") else { return "unknown message" };
//!     match validity.renew(token).await {
//!         Ok(claims) => {
//!             println!("until {:?}", claims.expires_at());
//!             "renewed"
//!         }
//!         Err(error) => {
//!             eprintln!("no renewal: {error} ({})", error.name());
//!             "refused" // and no reason for the client
//!         }
//!     }
//! }
//! # let _ = on_message;
//! ```
//!
//! # Security
//!
//! Look at the token before each item: a loop over messages that are always ready never waits, so
//! `tokio::select!` does not look at its other branches. [`Validity::guard`] and [`Validity::guard_with`] look
//! at it, and [`Validity::ended`] is for a loop of your own.
//!
//! # Deployment
//!
//! It needs a tokio runtime with a timer. Each stream takes less than 600 bytes with one entry in the timer
//! wheel, and is looked at every 30 s. When a token ends, only the streams that live by it are woken.

mod end;
mod guarded;
mod renewal;
mod waiting;

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;

use self::waiting::Waiting;
pub use self::{
    end::ValidityEnd,
    guarded::{Guarded, NoLastItem},
    renewal::{RenewError, Renewal},
};
use crate::{
    claims::RegisteredClaims,
    maybe_ready::MaybeReady,
    request_head::RequestHead,
    source::RawToken,
    verifier::{Claims, FreshClaims},
};

/// The validity of a token: a future that ends with it, and says why. Made by [`Claims::validity`].
///
/// A clone ends at the same moment, and a fresh token renews all clones: one may guard what is sent, while
/// another takes the tokens that are received.
///
/// It may be polled in another runtime than before. A runtime that is shutting down at the same moment
/// may have it panic, as tokio's own timers do; one that has shut down does not.
///
/// # Cancel safety
///
/// It may be dropped and polled again at any time: use it by reference in `tokio::select!`.
///
/// # Example: until the token ends
/// `biased` has the token looked at first: then this also ends if `work` is always ready.
/// ```
/// use tower_jwt_auth::{Claims, validity::ValidityEnd};
///
/// async fn work() -> bool { true }
///
/// async fn run(claims: Claims) -> ValidityEnd {
///     let mut validity = claims.validity();
///     loop {
///         tokio::select! {
///             biased;
///             end = &mut validity => return end,
///             _ = work() => {}
///         }
///     }
/// }
/// # let _ = run;
/// ```
#[must_use = "a future does nothing unless it is polled"]
pub struct Validity<C = RegisteredClaims> {
    waiting: Waiting,
    claims: PhantomData<fn() -> C>,
}

impl<C> Claims<C> {
    /// The validity of the token: a future that ends when the token expires or is revoked. Use it for a
    /// connection that outlives its request; see [`validity`](crate::validity).
    ///
    /// # Example
    /// `select!` looks at the token only when `work` waits. So a loop in which nothing may wait, such as
    /// one of messages that a client sends without a pause, looks itself.
    /// ```
    /// use tower_jwt_auth::{Claims, validity::Validity};
    ///
    /// async fn next_message() -> Option<String> { None }
    ///
    /// async fn work(validity: &Validity) {
    ///     while let Some(message) = next_message().await
    ///         && validity.ended().is_none()
    ///     {
    ///         println!("{message}");
    ///     }
    /// }
    ///
    /// async fn run(claims: Claims) {
    ///     let validity = claims.validity();
    ///     tokio::select! {
    ///         biased;
    ///         end = validity.clone() => eprintln!("stopped: {end}"),
    ///         () = work(&validity) => {}
    ///     }
    /// }
    /// # let _ = run;
    /// ```
    pub fn validity(&self) -> Validity<C> {
        Validity { waiting: Waiting::new(self.registered(), self.origin()), claims: PhantomData }
    }
}

impl<C> Validity<C> {
    /// Why the token has ended, if it has: for a check before each message, without waiting. It does not
    /// ask the denylist.
    #[must_use]
    pub fn ended(&self) -> Option<ValidityEnd> {
        self.waiting.ended()
    }

    /// Ends a stream with the token.
    ///
    /// The end looks like that of a stream which is complete. If that has a meaning, as with an upload, the
    /// messages of a client of gRPC or a body without a length, use [`guard_with`](Self::guard_with) and an
    /// error.
    pub fn guard<S: Stream>(&self, stream: S) -> Guarded<S> {
        Guarded::new(stream, self.waiting.clone(), NoLastItem)
    }

    /// Ends a stream with the token, and with a last item that says why: such as a close frame, a status of
    /// gRPC, or an error that keeps a part from being taken for the whole.
    pub fn guard_with<S, L>(&self, stream: S, last: L) -> Guarded<S, L>
    where
        S: Stream,
        L: FnOnce(ValidityEnd) -> S::Item,
    {
        Guarded::new(stream, self.waiting.clone(), last)
    }

    /// Verifies a fresh token, which was sent in the stream, and continues until its end.
    ///
    /// # Errors
    ///
    /// The verifier refuses the token, or its issuer, subject, client or key is not that of the stream. A
    /// token that is bound to its sender needs [`renew_request`](Self::renew_request).
    pub fn renew(&self, token: &str) -> Renewal<C> {
        self.renew_raw(&RawToken::of_text(token), None)
    }

    /// Verifies a fresh token, and the proof of its sender in this request, and continues until its end.
    /// For DPoP, the request is another one with a proof of its own; for client certificates, the one
    /// that has opened the stream will do, as the certificate is that of the connection.
    ///
    /// # Errors
    ///
    /// As [`renew`](Self::renew), or the proof is missing or wrong.
    pub fn renew_request<'r>(
        &self,
        token: &str,
        request: impl Into<RequestHead<'r>>,
    ) -> Renewal<C> {
        let request = request.into();
        match RawToken::of_request(token, request.headers()) {
            Ok(token) => self.renew_raw(&token, Some(request)),
            Err(error) => self.renewal(MaybeReady::Ready(Err(RenewError::Refused(error)))),
        }
    }

    fn renew_raw(&self, token: &RawToken<'_>, request: Option<RequestHead<'_>>) -> Renewal<C> {
        // Before the proof of a bound token is spent.
        if let Some(end) = self.ended() {
            return self.renewal(MaybeReady::Ready(Err(RenewError::Ended(end))));
        }
        self.renewal(match self.waiting.origin.verify(token, request) {
            None => MaybeReady::Ready(Err(RenewError::NoVerifier)),
            Some(answer) => answer.map(|answer| answer.map_err(RenewError::Refused)),
        })
    }

    fn renewal(&self, fresh: MaybeReady<Result<FreshClaims, RenewError>>) -> Renewal<C> {
        Renewal::new(self.waiting.clone(), fresh)
    }
}

impl<C> Future for Validity<C> {
    type Output = ValidityEnd;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<ValidityEnd> {
        Pin::new(&mut self.waiting).poll(context)
    }
}

impl<C> Clone for Validity<C> {
    fn clone(&self) -> Self {
        Self { waiting: self.waiting.clone(), claims: PhantomData }
    }
}

impl<C> fmt::Debug for Validity<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validity").field("ended", &self.ended()).finish_non_exhaustive()
    }
}
