//! `Claims<C>` and `Option<Claims<C>>` as arguments of a handler.

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::{Extensions, request::Parts};

use crate::{
    error::Error,
    observe,
    response::{ClaimsAbsent, Rejection},
    verifier::Claims,
};

impl<C, S> FromRequestParts<S> for Claims<C>
where
    C: Send + Sync + 'static,
    S: Send + Sync,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        claims(&parts.extensions)
    }
}

impl<C, S> OptionalFromRequestParts<S> for Claims<C>
where
    C: Send + Sync + 'static,
    S: Send + Sync,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Rejection> {
        match claims(&parts.extensions) {
            Ok(claims) => Ok(Some(claims)),
            Err(rejection) if rejection.is_of_a_guest() => Ok(None),
            Err(rejection) => Err(rejection),
        }
    }
}

/// What the layer has left for this request.
pub(super) fn claims<C: Send + Sync + 'static>(
    extensions: &Extensions,
) -> Result<Claims<C>, Rejection> {
    match (extensions.get::<Claims<C>>(), ClaimsAbsent::<C>::find(extensions)) {
        (Some(claims), _) => Ok(claims.clone()),
        (None, Some(rejection)) => Err(rejection.clone()),
        (None, None) => Err(refuse(Error::missing_layer::<C>(), extensions)),
    }
}

/// A refusal of the extractor's own, with the layer's challenge.
pub(super) fn refuse(error: Error, extensions: &Extensions) -> Rejection {
    observe::refused(&error);
    Rejection::inside(error, extensions)
}
