//! What is known now, or later: the one type by which a check may wait.

use std::{
    fmt,
    future::{Future, IntoFuture, Ready, ready},
    pin::Pin,
    task::{Context, Poll},
};

/// The answer of a check: there already, or in a future.
///
/// Most checks need no I/O and answer [`MaybeReady::Ready`]: their caller goes on in
/// place, without a box, a clone or a wait. Who does not care writes `.await`.
/// There are these two variants and no others.
///
/// # Cancel safety
///
/// Dropping it drops the check; nothing is half done.
#[must_use = "it does nothing unless it is matched or awaited"]
#[allow(clippy::exhaustive_enums, reason = "now or later: there is no third")]
pub enum MaybeReady<T> {
    /// The answer.
    Ready(T),
    /// A future that gives the answer.
    Pending(Pin<Box<dyn Future<Output = T> + Send>>),
}

impl<T> MaybeReady<T> {
    /// A value that waits for `future`, in a box.
    pub fn pending(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self::Pending(Box::pin(future))
    }

    /// The answer if it is there already.
    pub fn now(self) -> Option<T> {
        match self {
            Self::Ready(answer) => Some(answer),
            Self::Pending(_) => None,
        }
    }
}

impl<T: Unpin> IntoFuture for MaybeReady<T> {
    type Output = T;
    type IntoFuture = MaybeReadyFuture<T>;

    fn into_future(self) -> MaybeReadyFuture<T> {
        MaybeReadyFuture(match self {
            Self::Ready(answer) => State::Ready(ready(answer)),
            Self::Pending(future) => State::Pending(future),
        })
    }
}

impl<T> fmt::Debug for MaybeReady<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready(_) => "Ready(..)",
            Self::Pending(_) => "Pending(..)",
        })
    }
}

/// The future of a [`MaybeReady`], made by `.await`.
#[must_use = "a future does nothing unless it is polled"]
pub struct MaybeReadyFuture<T>(State<T>);

enum State<T> {
    Ready(Ready<T>),
    Pending(Pin<Box<dyn Future<Output = T> + Send>>),
}

impl<T: Unpin> Future for MaybeReadyFuture<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match &mut self.0 {
            State::Ready(answer) => Pin::new(answer).poll(context),
            State::Pending(future) => future.as_mut().poll(context),
        }
    }
}

impl<T> fmt::Debug for MaybeReadyFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaybeReadyFuture").finish_non_exhaustive()
    }
}
