//! The subject of a token, as an argument of a handler.

use std::{fmt, ops::Deref};

use axum_core::extract::FromRequestParts;
use http::request::Parts;

use crate::{
    authorize, claims::RegisteredClaims, error::Error, response::Rejection, verifier::Claims,
};

/// The subject (`sub`, RFC 7519 §4.1.2) of a verified token, which is never empty.
///
/// It needs a [`JwtAuthLayer`](crate::JwtAuthLayer) for any type of claims. A request without a
/// verified token is answered 401, and so is a token without a subject. Verifiers refuse such
/// tokens, unless they are built with
/// [`without_subject`](crate::verifier::VerifierBuilder::without_subject).
///
/// It dereferences to `str`. A subject is unique within its issuer: where several issuers are
/// trusted, take the [issuer](Self::claims) too.
///
/// # Example: the user's own orders
/// ```
/// use axum::{Router, routing::get};
/// use tower_jwt_auth::extract::Subject;
///
/// async fn orders(subject: Subject) -> String {
///     format!("orders of {subject}")
/// }
/// # let _: Router = Router::new().route("/orders", get(orders));
/// ```
#[derive(Clone)]
pub struct Subject(Claims);

impl Subject {
    /// The subject.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.subject().expect("`from_request_parts` has found it")
    }

    /// The claims that it is from.
    #[must_use]
    pub fn claims(&self) -> &Claims<RegisteredClaims> {
        &self.0
    }
}

impl Deref for Subject {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Subject {
    fn as_ref(&self) -> &str {
        self
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Subject").field(&self.as_str()).finish()
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.as_str().to_owned()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Subject {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let claims = authorize::claims::<RegisteredClaims>((&*parts).into())?.into_owned();
        if claims.subject().is_none() {
            return Err(authorize::refuse(Error::missing_claim("sub"), (&*parts).into()));
        }
        Ok(Self(claims))
    }
}
