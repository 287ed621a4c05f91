//! The claims that a layer has left for a request.

use std::borrow::Cow;

use crate::{
    error::Error,
    observe,
    request_head::RequestHead,
    response::Rejection,
    verifier::{Claims, Missing, find_claims},
};

/// The claims of a request, or the refusal of a request without claims.
#[inline]
pub(crate) fn claims<C: Send + Sync + 'static>(
    request: RequestHead<'_>,
) -> Result<Cow<'_, Claims<C>>, Rejection> {
    find_claims(request.extensions())
        .map_err(|missing| refuse_without_claims::<C>(missing, request))
}

/// The same for a handler that takes guests: `None` for a guest.
#[cfg(feature = "axum")]
pub(crate) fn claims_unless_guest<C: Send + Sync + 'static>(
    request: RequestHead<'_>,
) -> Result<Option<Cow<'_, Claims<C>>>, Rejection> {
    match find_claims(request.extensions()) {
        Err(Missing::Absent(rejection)) if rejection.is_of_a_guest() => Ok(None),
        found => found.map(Some).map_err(|missing| refuse_without_claims::<C>(missing, request)),
    }
}

/// Whether a layer has seen the request, which may have no claims.
#[cfg(feature = "routes")]
pub(crate) fn without_claims<C: Send + Sync + 'static>(
    request: RequestHead<'_>,
) -> Result<(), Rejection> {
    match find_claims::<C>(request.extensions()) {
        Ok(_) | Err(Missing::Absent(_)) => Ok(()),
        Err(missing) => Err(refuse_without_claims::<C>(missing, request)),
    }
}

#[cold]
fn refuse_without_claims<C>(missing: Missing, request: RequestHead<'_>) -> Rejection {
    match missing {
        Missing::Absent(rejection) => {
            observe::refused_after_passing(rejection.error());
            rejection
        }
        Missing::Layer => refuse(Error::missing_layer::<C>(), request),
        Missing::OfAnotherType => refuse(Error::layer_of_another_type::<C>(), request),
        Missing::Several => refuse(Error::several_layers::<C>(), request),
    }
}

/// A refusal within a layer, with the layer's challenge.
#[cold]
pub(crate) fn refuse(error: Error, request: RequestHead<'_>) -> Rejection {
    observe::refused(&error);
    Rejection::inside(error, request)
}
