use futures_core::Stream;
use tonic::{Request, Response, Status};
use tower_jwt_auth::{Claims, validity::ValidityEnd};

/// What a method of the service calls, with its request and its stream of answers.
pub fn answer<T, A, S>(
    request: &Request<T>,
    answers: S,
) -> Result<Response<impl Stream<Item = Result<A, Status>> + use<T, A, S>>, Status>
where
    S: Stream<Item = Result<A, Status>>,
{
    let claims = request.extensions().get::<Claims>();
    let claims = claims.ok_or_else(|| Status::internal("the service has no JwtAuthLayer"))?;
    Ok(Response::new(claims.validity().guard_with(answers, |end| Err(status(end)))))
}

fn status(end: ValidityEnd) -> Status {
    match end {
        ValidityEnd::Unchecked => Status::unavailable(end.to_string()), // 14
        _ => Status::unauthenticated(end.to_string()),                  // 16
    }
}
