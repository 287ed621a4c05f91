//! A stream that ends with its token.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;

use super::{end::ValidityEnd, waiting::Waiting};

pin_project! {
    /// A stream that ends with its token, made by [`Validity::guard`](super::Validity::guard) and
    /// [`Validity::guard_with`](super::Validity::guard_with).
    ///
    /// When the token ends, the stream within is dropped, even if it has more items. `L` makes the last
    /// item.
    ///
    /// # Cancel safety
    ///
    /// An item is lost only if the stream within loses it.
    #[must_use = "a stream does nothing unless it is polled"]
    pub struct Guarded<S, L = NoLastItem> {
        // None when it has ended.
        #[pin]
        stream: Option<S>,
        last: Option<(Waiting, L)>,
    }
}

/// The stream ends without a last item.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct NoLastItem;

/// The next item, or what makes the last one of the end.
type Next<T, L> = Result<Option<T>, (L, ValidityEnd)>;

impl<S, L> Guarded<S, L> {
    pub(super) fn new(stream: S, waiting: Waiting, last: L) -> Self {
        Self { stream: Some(stream), last: Some((waiting, last)) }
    }
}

impl<S: Stream, L> Guarded<S, L> {
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Next<S::Item, L>> {
        let mut this = self.project();
        let (Some(stream), Some((waiting, _))) =
            (this.stream.as_mut().as_pin_mut(), &mut *this.last)
        else {
            return Poll::Ready(Ok(None));
        };
        // First, so that a stream that is always ready ends, too.
        let ended = match Pin::new(waiting).poll(context) {
            Poll::Ready(end) => Some(end),
            Poll::Pending => match stream.poll_next(context) {
                Poll::Ready(None) => None,
                other => return other.map(Ok),
            },
        };
        this.stream.set(None);
        let last = this.last.take();
        Poll::Ready(match last.zip(ended) {
            Some(((_, last), end)) => Err((last, end)),
            None => Ok(None),
        })
    }

    /// The number of items at least and at most. The end may come before the next one.
    fn hint(&self, last: usize) -> (usize, Option<usize>) {
        match &self.stream {
            Some(stream) => (0, stream.size_hint().1.and_then(|most| most.checked_add(last))),
            None => (0, Some(0)),
        }
    }
}

impl<S: Stream> Stream for Guarded<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        self.poll(context).map(|next| next.unwrap_or(None))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.hint(0)
    }
}

impl<S: Stream, L: FnOnce(ValidityEnd) -> S::Item> Stream for Guarded<S, L> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        self.poll(context).map(|next| next.unwrap_or_else(|(last, end)| Some(last(end))))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.hint(1)
    }
}

impl<S: Stream> FusedStream for Guarded<S> {
    fn is_terminated(&self) -> bool {
        self.stream.is_none()
    }
}

impl<S: Stream, L: FnOnce(ValidityEnd) -> S::Item> FusedStream for Guarded<S, L> {
    fn is_terminated(&self) -> bool {
        self.stream.is_none()
    }
}

impl<S, L> fmt::Debug for Guarded<S, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").field("ended", &self.stream.is_none()).finish_non_exhaustive()
    }
}
