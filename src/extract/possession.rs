//! `ProofOfPossession` as an argument of a handler.

use axum_core::extract::FromRequestParts;
use http::request::Parts;

use crate::{authorize, claims::RegisteredClaims, proof::ProofOfPossession, response::Rejection};

/// It needs a [`JwtAuthLayer`](crate::JwtAuthLayer) for any type of claims. A request without a
/// verified token is answered 401.
impl<S: Send + Sync> FromRequestParts<S> for ProofOfPossession {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let claims = authorize::claims::<RegisteredClaims>((&*parts).into())?;
        Ok(claims.proof_of_possession())
    }
}
