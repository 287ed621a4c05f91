//! The return type of stores: an answer that is ready, or a future. Use it to write a store of your
//! own.
//!
//! [`Denylist`](crate::revocation::Denylist) and the store of refresh tokens answer with a
//! [`MaybeReady`], so that one in memory costs neither a box nor a wait.
//!
//! # Example: a denylist in memory, and one in a database
//! ```
//! use std::{collections::HashSet, sync::Mutex};
//! use tower_jwt_auth::maybe_ready::MaybeReady;
//!
//! struct InMemory(Mutex<HashSet<String>>);
//!
//! impl InMemory {
//!     fn contains(&self, id: &str) -> MaybeReady<bool> {
//!         MaybeReady::Ready(self.0.lock().is_ok_and(|ids| ids.contains(id)))
//!     }
//! }
//!
//! async fn query(_: String) -> bool { false }
//!
//! fn in_database(id: &str) -> MaybeReady<bool> {
//!     MaybeReady::pending(query(id.to_owned()))
//! }
//! # let memory = InMemory(Mutex::default());
//! # assert_eq!(memory.contains("a").now_or_never(), Some(false));
//! # assert_eq!(in_database("a").now_or_never(), None);
//! ```

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    task::{Context, Poll},
};

/// An answer that is ready, or a future of it.
///
/// Most checks need no I/O and are [`Ready`](Self::Ready): the caller continues in place,
/// without a box, a clone or a wait. `.await` takes the answer in both cases.
///
/// # Cancel safety
///
/// Dropping it drops the future. Nothing is half done.
#[must_use = "it does nothing unless it is matched or awaited"]
#[allow(clippy::exhaustive_enums, reason = "an answer is ready or it is not")]
pub enum MaybeReady<T> {
    /// The answer.
    Ready(T),
    /// A future of the answer.
    Pending(Pin<Box<dyn Future<Output = T> + Send>>),
}

impl<T> MaybeReady<T> {
    /// An answer that `future` will give, in a box.
    pub fn pending(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self::Pending(Box::pin(future))
    }

    /// Changes the answer, in place if it is ready.
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U + Send + 'static) -> MaybeReady<U>
    where
        T: 'static,
    {
        match self {
            Self::Ready(answer) => MaybeReady::Ready(change(answer)),
            Self::Pending(answer) => MaybeReady::pending(async move { change(answer.await) }),
        }
    }

    /// The answer if it is ready, or `None`.
    pub fn now_or_never(self) -> Option<T> {
        match self {
            Self::Ready(answer) => Some(answer),
            Self::Pending(_) => None,
        }
    }
}

impl<T> IntoFuture for MaybeReady<T> {
    type Output = T;
    type IntoFuture = MaybeReadyFuture<T>;

    fn into_future(self) -> MaybeReadyFuture<T> {
        MaybeReadyFuture(match self {
            Self::Ready(answer) => State::Ready(Some(answer)),
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

impl<T> MaybeReadyFuture<T> {
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.0, State::Ready(Some(_)))
    }
}

enum State<T> {
    Ready(Option<T>),
    Pending(Pin<Box<dyn Future<Output = T> + Send>>),
}

/// The answer is never pinned.
impl<T> Unpin for MaybeReadyFuture<T> {}

impl<T> Future for MaybeReadyFuture<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match &mut self.0 {
            State::Ready(answer) => {
                Poll::Ready(answer.take().expect("a future is not polled when it is done"))
            }
            State::Pending(future) => future.as_mut().poll(context),
        }
    }
}

impl<T> From<MaybeReadyFuture<T>> for MaybeReady<T> {
    /// # Panics
    ///
    /// The future has given its answer already.
    fn from(future: MaybeReadyFuture<T>) -> Self {
        match future.0 {
            State::Ready(answer) => {
                Self::Ready(answer.expect("a future is not used when it is done"))
            }
            State::Pending(future) => Self::Pending(future),
        }
    }
}

impl<T> fmt::Debug for MaybeReadyFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaybeReadyFuture").finish_non_exhaustive()
    }
}
