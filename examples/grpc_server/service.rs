//! The methods: who may read what, beyond the scopes that `api.rs` requires.

use std::time::Duration;

use tokio_stream::{StreamExt, wrappers::IntervalStream};
use tonic::{
    Code, Request, Response, Status,
    metadata::{MetadataMap, MetadataValue},
};
use tower_jwt_auth::{Claims, Error, validity::ValidityEnd};

use crate::wire::{GetRequest, Order, OrderStream, Orders, WatchRequest};

/// The orders of all users. Each owns the one with the number of letters in their name.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shop;

impl Orders for Shop {
    fn get(&self, request: &Request<GetRequest>) -> Result<Response<Order>, Status> {
        let own = own_order(claims(request)?);
        if request.get_ref().id != own.id {
            return Err(status(&Error::forbidden("the order of somebody else")));
        }
        Ok(Response::new(own))
    }

    /// The user's order now, and every second. It ends with the token: the client then calls again, with
    /// a fresh one.
    fn watch(&self, request: &Request<WatchRequest>) -> Result<Response<OrderStream>, Status> {
        let claims = claims(request)?;
        // Before the answer: what is revoked after this ends the stream.
        let validity = claims.validity();
        let order = own_order(claims);
        let ticks = IntervalStream::new(tokio::time::interval(Duration::from_secs(1)));
        let orders = ticks.map(move |_| Ok(order.clone()));
        Ok(Response::new(Box::pin(validity.guard_with(orders, |end| Err(ended(end))))))
    }
}

/// The claims that the layer has verified.
fn claims<T>(request: &Request<T>) -> Result<&Claims, Status> {
    let claims = request.extensions().get::<Claims>();
    claims.ok_or_else(|| Status::internal("the service has no JwtAuthLayer"))
}

fn own_order(claims: &Claims) -> Order {
    let owner = claims.subject().unwrap_or_default().to_owned();
    Order { id: owner.chars().count() as u64, owner }
}

/// The answer to a request that a method refuses. The client is not told why.
fn status(error: &Error) -> Status {
    Status::new(Code::from(error.grpc_code()), "the access token does not allow this")
}

/// The end of a stream. By its name, the client refreshes its token, logs in or waits.
fn ended(end: ValidityEnd) -> Status {
    let mut metadata = MetadataMap::new();
    metadata.insert("validity-end", MetadataValue::from_static(end.name()));
    Status::with_metadata(Code::from(end.grpc_code()), end.to_string(), metadata)
}
