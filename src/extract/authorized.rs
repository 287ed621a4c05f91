//! Claims that satisfy a policy, as an argument of a handler.

use std::{fmt, marker::PhantomData, ops::Deref};

use axum_core::extract::FromRequestParts;
use http::request::Parts;

use crate::{
    authorize::{self, Policy},
    claims::RegisteredClaims,
    response::Rejection,
    verifier::Claims,
};

/// Claims that the policy `P` allows; anything else is answered 401 or 403.
///
/// `P` is a type of the application with a [`Default`], so that a handler's
/// signature shows the policy that it requires. It derefs to the [`Claims`].
///
/// # Example: administrators only
/// ```
/// use tower_jwt_auth::{
///     Claims, Error, RegisteredClaims,
///     authorize::{Policy, Scopes},
///     extract::Authorized,
/// };
///
/// #[derive(Default)]
/// struct Admin;
///
/// impl Policy<RegisteredClaims> for Admin {
///     fn authorize(&self, claims: &Claims) -> Result<(), Error> {
///         Scopes::all_of(["admin"]).authorize(claims)
///     }
/// }
///
/// async fn delete_all(admin: Authorized<Admin>) -> String {
///     format!("done, {:?}", admin.subject())
/// }
/// # axum::Router::<()>::new().route("/", axum::routing::get(delete_all));
/// ```
pub struct Authorized<P, C = RegisteredClaims> {
    claims: Claims<C>,
    policy: PhantomData<fn() -> P>,
}

impl<P, C> Authorized<P, C> {
    /// The claims.
    #[must_use]
    pub fn into_claims(self) -> Claims<C> {
        self.claims
    }
}

impl<P, C> Deref for Authorized<P, C> {
    type Target = Claims<C>;

    fn deref(&self) -> &Claims<C> {
        &self.claims
    }
}

impl<P, C, S> FromRequestParts<S> for Authorized<P, C>
where
    P: Policy<C> + Default,
    C: Send + Sync + 'static,
    S: Send + Sync,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let claims = authorize::claims::<C>((&*parts).into())?.into_owned();
        match P::default().authorize(&claims) {
            Ok(()) => Ok(Self { claims, policy: PhantomData }),
            Err(error) => Err(authorize::refuse(error, (&*parts).into())),
        }
    }
}

impl<P, C: fmt::Debug> fmt::Debug for Authorized<P, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authorized").field(&self.claims).finish()
    }
}
