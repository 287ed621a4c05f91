//! `Claims<C>` and `Option<Claims<C>>` as arguments of a handler.

use std::borrow::Cow;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use crate::{authorize, response::Rejection, verifier::Claims};

impl<C, S> FromRequestParts<S> for Claims<C>
where
    C: Send + Sync + 'static,
    S: Send + Sync,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        authorize::claims((&*parts).into()).map(Cow::into_owned)
    }
}

impl<C, S> OptionalFromRequestParts<S> for Claims<C>
where
    C: Send + Sync + 'static,
    S: Send + Sync,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Rejection> {
        let claims = authorize::claims_unless_guest((&*parts).into())?;
        Ok(claims.map(Cow::into_owned))
    }
}
