//! Roles, groups or permissions, wherever the issuer writes them.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
};

use serde::{Deserialize, de::IgnoredAny};

use super::{
    description::{PolicyDescription, Term, write_words},
    policy::Policy,
};
use crate::{
    claims::{ClaimPath, RegisteredClaims},
    error::{Error, ErrorKind},
    verifier::Claims,
};

/// The claim that holds the roles: a string, an array of strings, or the member names of an
/// object.
///
/// | issuer | claim |
/// |---|---|
/// | Keycloak | `realm_access.roles`, `resource_access.<client>.roles` |
/// | Auth0 | `permissions`, or a name of your own such as `https://example.com/roles` |
/// | Entra ID | `roles`, `groups` |
/// | Cognito | `cognito:groups` |
/// | Zitadel | the member names of `urn:zitadel:iam:org:project:roles`: see [`keys_of`](Self::keys_of) |
///
/// A token without the claim has no roles. The event of the refusal then says that the token has
/// no such claim, so that a wrong path is noticed.
///
/// # Example: an administrator of Keycloak
/// ```
/// use tower_jwt_auth::authorize::Roles;
///
/// let policy = Roles::at("realm_access.roles").any_of(["admin", "operator"]);
/// ```
#[derive(Clone, Debug)]
pub struct Roles {
    path: ClaimPath,
    form: Form,
}

/// The form that a claim of roles has.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// A string or an array of strings.
    Values,
    /// The member names of an object.
    Keys,
}

impl Roles {
    /// Roles that are the claim at this place: a string, or an array of strings.
    pub fn at(path: impl Into<ClaimPath>) -> Self {
        Self { path: path.into(), form: Form::Values }
    }

    /// Roles that are the member names of the object at this place, as Zitadel writes them.
    ///
    /// # Example: an administrator of Zitadel
    /// ```
    /// use tower_jwt_auth::authorize::Roles;
    ///
    /// let policy = Roles::keys_of("urn:zitadel:iam:org:project:roles").any_of(["admin"]);
    /// ```
    pub fn keys_of(path: impl Into<ClaimPath>) -> Self {
        Self { path: path.into(), form: Form::Keys }
    }

    /// At least one of these roles. Without any, no token will do, also under
    /// [`not`](super::PolicyExt::not).
    pub fn any_of<S: Into<String>>(self, roles: impl IntoIterator<Item = S>) -> AnyRole {
        AnyRole(Wanted::new(self, roles))
    }

    /// All of these roles. Without any, no token will do, also under
    /// [`not`](super::PolicyExt::not): a list that is empty by mistake must not open a route.
    pub fn all_of<S: Into<String>>(self, roles: impl IntoIterator<Item = S>) -> EveryRole {
        EveryRole(Wanted::new(self, roles))
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
        self.0.check("any", claims.registered(), |wanted, has| wanted.iter().any(has))
    }

    fn describe(&self) -> PolicyDescription {
        self.0.describe("one")
    }
}

impl<C> Policy<C> for EveryRole {
    fn authorize(&self, claims: &Claims<C>) -> Result<(), Error> {
        self.0.check("all", claims.registered(), |wanted, has| wanted.iter().all(has))
    }

    fn describe(&self) -> PolicyDescription {
        self.0.describe("all")
    }
}

#[derive(Clone, Debug)]
struct Wanted {
    place: Roles,
    roles: Box<[String]>,
}

impl Wanted {
    fn new<S: Into<String>>(place: Roles, roles: impl IntoIterator<Item = S>) -> Self {
        Self { place, roles: roles.into_iter().map(Into::into).collect() }
    }

    fn describe(&self, how_many: &str) -> PolicyDescription {
        if self.roles.is_empty() {
            return Term::Never(NO_ROLE).into();
        }
        let mut text = String::new();
        // A string can always be written to.
        let _ = write_words(&mut text, how_many, "role", &self.roles);
        let _ = write!(text, " {} `{}`", self.place.form.preposition(), self.place.path);
        text.into()
    }

    /// Whether the roles of a token are `enough`.
    ///
    /// A claim of another form does not mean that there are no roles, because a policy may
    /// require their absence, and nor does something else on the way to it. It is a refusal with a
    /// cause, which `Not` does not invert.
    fn check(
        &self,
        how_many: &str,
        claims: &RegisteredClaims,
        enough: impl FnOnce(&[String], &dyn Fn(&String) -> bool) -> bool,
    ) -> Result<(), Error> {
        let undecided = |cause: &'static str| {
            let kind = ErrorKind::Forbidden { policy: self.to_string().into() };
            Error::with_source(kind, cause)
        };
        if self.roles.is_empty() {
            return Err(undecided(NO_ROLE));
        }
        let found = claims
            .at::<ClaimedRoles>(&self.place.path)
            .map_err(|_| undecided("what leads to the claim is no object, or it cannot be read"))?;
        let is_there = found.is_some();
        let held = match (found, self.place.form) {
            (None, _) => Vec::new(),
            (Some(ClaimedRoles::One(role)), Form::Values) => vec![role],
            (Some(ClaimedRoles::Many(roles)), Form::Values) => roles,
            (Some(ClaimedRoles::Object(members)), Form::Keys) => members.into_keys().collect(),
            (Some(_), form) => return Err(undecided(form.not_met())),
        };
        if enough(&self.roles, &|role| held.contains(role)) {
            return Ok(());
        }
        Err(Error::forbidden(if is_there {
            format!("it needs {how_many} of the {self}")
        } else {
            format!("it needs {how_many} of the {self}: it has no such claim")
        }))
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "roles {:?} {} `{}`", self.roles, self.place.form.preposition(), self.place.path)
    }
}

/// Why no token will do.
const NO_ROLE: &str = "the policy names no role, give it one";

impl Form {
    fn preposition(self) -> &'static str {
        match self {
            Self::Values => "in",
            Self::Keys => "among the members of",
        }
    }

    /// The cause of the refusal of a claim that has another form.
    fn not_met(self) -> &'static str {
        match self {
            Self::Values => {
                "the claim is no string and no array of strings; the member names of an object \
                 are read with `Roles::keys_of`"
            }
            Self::Keys => "the claim is no object; a string or an array is read with `Roles::at`",
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ClaimedRoles {
    One(String),
    Many(Vec<String>),
    Object(BTreeMap<String, IgnoredAny>),
    Unknown(IgnoredAny),
}
