//! The claims that a layer has left for a request.

use http::Extensions;

use crate::{
    error::Error,
    observe,
    response::Rejection,
    verifier::{Claims, Missing, find_claims},
};

/// The claims of a request, or why there are none.
#[inline]
pub(crate) fn claims<C: Send + Sync + 'static>(
    extensions: &Extensions,
) -> Result<Claims<C>, Rejection> {
    find_claims(extensions).map_err(|missing| match missing {
        Missing::Absent(rejection) => rejection,
        Missing::Layer(error) => refuse(error, extensions),
    })
}

/// A refusal within a layer, with the layer's challenge.
#[cold]
pub(crate) fn refuse(error: Error, extensions: &Extensions) -> Rejection {
    observe::refused(&error);
    Rejection::inside(error, extensions)
}
