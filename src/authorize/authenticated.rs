//! A policy for every verified token.

use super::{description::PolicyDescription, policy::Policy};
use crate::{error::Error, verifier::Claims};

/// Accepts every verified token; made by [`authenticated`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Authenticated;

/// Accepts every verified token. Use it where a table of policies must say that a route needs no more
/// than that.
///
/// # Example
/// ```
/// use tower_jwt_auth::{RequireLayer, authorize::authenticated};
///
/// let layer = RequireLayer::new(authenticated());
/// assert_eq!(layer.describe().to_string(), "a valid token");
/// ```
#[must_use]
pub fn authenticated() -> Authenticated {
    Authenticated
}

impl<C> Policy<C> for Authenticated {
    fn authorize(&self, _: &Claims<C>) -> Result<(), Error> {
        Ok(())
    }

    fn describe(&self) -> PolicyDescription {
        PolicyDescription::all([])
    }
}
