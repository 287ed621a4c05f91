//! The question of a table to a request.

#[cfg(feature = "utoipa")]
use super::{super::require::DescribeRoute, describe::Described};
use super::{
    super::require::Requirement,
    table::{Access, Table},
};
use crate::{
    authorize::{self, RequestHead},
    error::Error,
    response::Rejection,
    shown::shown,
};

impl<C> Requirement<C> for Table<C> {
    fn check(&self, request: RequestHead<'_>) -> Result<(), Rejection>
    where
        C: Send + Sync + 'static,
    {
        let found = match self.find(request.method(), request.uri().path()) {
            Some(Access::Public) => return authorize::without_claims::<C>(request),
            Some(Access::Policy(policy)) => Some(policy),
            None => self.fallback.as_ref(),
        };
        let claims = authorize::claims::<C>(request)?;
        let decided = match found {
            Some(policy) => policy.authorize(&claims),
            None => Err(no_entry(request)),
        };
        decided.map_err(|error| authorize::refuse(error, request))
    }

    #[cfg(feature = "utoipa")]
    fn describe_routes<'a>(&'a self, paths: &[String]) -> Option<Box<DescribeRoute<'a>>> {
        let described = Described::new(self, paths);
        Some(Box::new(move |method, path| described.of(method, path)))
    }
}

#[cold]
fn no_entry(request: RequestHead<'_>) -> Error {
    let (method, path) = (shown(request.method().as_str()), shown(request.uri().path()));
    Error::forbidden(format!(
        "the table of routes has no entry for {method} {path}: add one, or set a `fallback`"
    ))
}
