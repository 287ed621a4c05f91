//! A stream that has one item, and then waits for ever.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use axum::response::sse::Event;
use futures_core::Stream;

pub struct Once<T>(Option<T>);

impl<T: Unpin> Stream for Once<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<T>> {
        match self.0.take() {
            Some(item) => Poll::Ready(Some(item)),
            None => Poll::Pending,
        }
    }
}

pub fn once<T>(item: T) -> Once<T> {
    Once(Some(item))
}

pub fn news() -> Once<Result<Event, Infallible>> {
    once(Ok(Event::default().data("first")))
}
