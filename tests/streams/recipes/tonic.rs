use futures_core::Stream;
use tonic::{
    Code, Request, Response, Status, Streaming,
    metadata::{MetadataMap, MetadataValue},
};
use tower_jwt_auth::{
    Claims,
    validity::{Validity, ValidityEnd},
};

/// What a method of the service calls, with its request and its stream of answers.
pub fn answer<T, A, S>(
    request: &Request<T>,
    answers: S,
) -> Result<Response<impl Stream<Item = Result<A, Status>> + use<T, A, S>>, Status>
where
    S: Stream<Item = Result<A, Status>>,
{
    Ok(Response::new(validity(request)?.guard_with(answers, |end| Err(status(end)))))
}

/// The messages of the client, for a method that reads a stream of them.
pub fn messages<T>(
    request: Request<Streaming<T>>,
) -> Result<impl Stream<Item = Result<T, Status>>, Status> {
    let validity = validity(&request)?;
    Ok(validity.guard_with(request.into_inner(), |end| Err(status(end))))
}

fn validity<T>(request: &Request<T>) -> Result<Validity, Status> {
    let claims = request.extensions().get::<Claims>();
    let claims = claims.ok_or_else(|| Status::internal("the service has no JwtAuthLayer"))?;
    Ok(claims.validity())
}

/// 16 (`UNAUTHENTICATED`) or 14 (`UNAVAILABLE`). The metadata says which end it is.
fn status(end: ValidityEnd) -> Status {
    let mut metadata = MetadataMap::new();
    metadata.insert("validity-end", MetadataValue::from_static(end.name()));
    Status::with_metadata(Code::from(end.grpc_code()), end.to_string(), metadata)
}
