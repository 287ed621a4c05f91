//! Why a request passed without claims.

use std::marker::PhantomData;

use http::Extensions;

use super::Rejection;

/// In a request's extensions: why there are no claims of the type `C`.
///
/// A bare [`Rejection`] would speak for every type: a layer for one would make
/// up for a missing layer for another, or hide what it has found.
pub(crate) struct ClaimsAbsent<C> {
    rejection: Rejection,
    claims: PhantomData<fn() -> C>,
}

impl<C: 'static> ClaimsAbsent<C> {
    /// Inserts the refusal twice: as `ClaimsAbsent<C>` for this crate, as [`Rejection`] for the
    /// application.
    pub(crate) fn leave(rejection: Rejection, extensions: &mut Extensions) {
        extensions.insert(rejection.clone());
        extensions.insert(Self { rejection, claims: PhantomData });
    }

    /// Removes both: there are claims now.
    pub(crate) fn remove(extensions: &mut Extensions) {
        extensions.remove::<Rejection>();
        extensions.remove::<Self>();
    }

    /// The refusal that was left for this type.
    pub(crate) fn find(extensions: &Extensions) -> Option<&Rejection> {
        extensions.get::<Self>().map(|withheld| &withheld.rejection)
    }
}

impl<C> Clone for ClaimsAbsent<C> {
    fn clone(&self) -> Self {
        Self { rejection: self.rejection.clone(), claims: PhantomData }
    }
}
