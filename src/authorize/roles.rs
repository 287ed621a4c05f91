//! Roles, groups or permissions, wherever the issuer writes them.

use std::fmt;

use serde::{Deserialize, de::IgnoredAny};

use super::policy::Policy;
use crate::{
    claims::{ClaimPath, RegisteredClaims},
    error::{Error, ErrorKind},
    verifier::Claims,
};

/// The claim that holds the roles: a string or an array of strings.
///
/// | issuer | claim |
/// |---|---|
/// | Keycloak | `realm_access.roles`, `resource_access.<client>.roles` |
/// | Auth0 | `permissions`, or a name of your own such as `https://example.com/roles` |
/// | Entra ID | `roles`, `groups` |
/// | Cognito | `cognito:groups` |
///
/// # Example: an administrator of Keycloak
/// ```
/// use tower_jwt_auth::authorize::Roles;
///
/// let policy = Roles::at("realm_access.roles").any_of(["admin", "operator"]);
/// ```
#[derive(Clone, Debug)]
pub struct Roles(ClaimPath);

impl Roles {
    /// Roles at this place of the claims.
    pub fn at(path: impl Into<ClaimPath>) -> Self {
        Self(path.into())
    }

    /// At least one of these roles. Without any, no token will do.
    pub fn any_of<S: Into<String>>(self, roles: impl IntoIterator<Item = S>) -> AnyRole {
        AnyRole(Wanted::new(self.0, roles))
    }

    /// All of these roles. Without any, every token will do.
    pub fn all_of<S: Into<String>>(self, roles: impl IntoIterator<Item = S>) -> EveryRole {
        EveryRole(Wanted::new(self.0, roles))
    }
}

/// Wants one of some roles; made by [`Roles::any_of`].
#[derive(Clone, Debug)]
pub struct AnyRole(Wanted);

/// Wants all of some roles; made by [`Roles::all_of`].
#[derive(Clone, Debug)]
pub struct EveryRole(Wanted);

impl<C> Policy<C> for AnyRole {
    fn authorize(&self, claims: &Claims<C>) -> Result<(), Error> {
        let has = self.0.held(claims.registered())?;
        let enough = self.0.roles.iter().any(|role| has.contains(role));
        if enough { Ok(()) } else { Err(Error::forbidden(format!("any of the {}", self.0))) }
    }
}

impl<C> Policy<C> for EveryRole {
    fn authorize(&self, claims: &Claims<C>) -> Result<(), Error> {
        let has = self.0.held(claims.registered())?;
        let enough = self.0.roles.iter().all(|role| has.contains(role));
        if enough { Ok(()) } else { Err(Error::forbidden(format!("all of the {}", self.0))) }
    }
}

#[derive(Clone, Debug)]
struct Wanted {
    path: ClaimPath,
    roles: Box<[String]>,
}

impl Wanted {
    fn new<S: Into<String>>(path: ClaimPath, roles: impl IntoIterator<Item = S>) -> Self {
        Self { path, roles: roles.into_iter().map(Into::into).collect() }
    }

    /// The roles of a token. A claim of an unknown form does not mean that there
    /// are no roles, because a policy may require their absence. It is a refusal
    /// with a cause, which `Not` does not invert.
    fn held(&self, claims: &RegisteredClaims) -> Result<Vec<String>, Error> {
        match claims.at(&self.path) {
            Some(ClaimedRoles::One(role)) => Ok(vec![role]),
            Some(ClaimedRoles::Many(roles)) => Ok(roles),
            Some(ClaimedRoles::Unknown(_)) => {
                let kind = ErrorKind::Forbidden { policy: self.to_string().into() };
                Err(Error::with_source(kind, "the claim is no string and no array of strings"))
            }
            None => Ok(Vec::new()),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "roles {:?} in `{}`", self.roles, self.path)
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ClaimedRoles {
    One(String),
    Many(Vec<String>),
    Unknown(IgnoredAny),
}
