use std::convert::Infallible;

use axum::response::sse::{Event, KeepAlive, Sse};
use futures_core::Stream;
use tower_jwt_auth::{Claims, validity::ValidityEnd};

pub fn events(
    claims: Claims,
    news: impl Stream<Item = Result<Event, Infallible>> + Send + 'static,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let validity = claims.validity();
    let last = |end: ValidityEnd| Ok(Event::default().event("end").data(end.name()));
    Sse::new(validity.guard_with(news, last)).keep_alive(KeepAlive::default())
}
