//! The methods of a login (RFC 8176).

use super::{
    description::{PolicyDescription, Term, write_words},
    policy::Policy,
    scopes::words,
};
use crate::{
    claims::ClaimPath,
    error::{Error, ErrorKind},
    verifier::Claims,
};

/// Requires methods of the login: the claim `amr` (RFC 8176), such as `pwd`, `otp` or `hwk`. They are
/// compared byte for byte.
///
/// A token that lacks them is answered 403. No challenge can ask for them: RFC 9470 has `acr_values`
/// and `max_age` only, and a 401 that does not say what is required would send the user to the same
/// login again. If the issuer has an `acr` for these methods, use [`StepUp::acr`](super::StepUp::acr).
///
/// A missing `amr` does not mean that a method was not used. So a token without it is refused, also
/// under [`not`](super::PolicyExt::not).
///
/// # Example: a second factor
/// ```
/// use tower_jwt_auth::{RequireLayer, authorize::Amr};
///
/// let layer = RequireLayer::new(Amr::any_of(["otp", "hwk"]));
/// # let _ = layer;
/// ```
#[derive(Clone, Debug)]
pub struct Amr {
    methods: Box<[Box<str>]>,
    all: bool,
}

impl Amr {
    /// All of these methods. Without any, no token will do, also under
    /// [`not`](super::PolicyExt::not): a list that is empty by mistake must not open a route.
    pub fn all_of<S: AsRef<str>>(methods: impl IntoIterator<Item = S>) -> Self {
        Self { methods: words(methods), all: true }
    }

    /// At least one of these methods. Without any, no token will do, also under
    /// [`not`](super::PolicyExt::not).
    pub fn any_of<S: AsRef<str>>(methods: impl IntoIterator<Item = S>) -> Self {
        Self { methods: words(methods), all: false }
    }
}

impl<C> Policy<C> for Amr {
    fn authorize(&self, claims: &Claims<C>) -> Result<(), Error> {
        // With a cause, so that `Not` does not invert it.
        let undecided = |cause: &'static str| {
            let kind = ErrorKind::Forbidden { policy: "the methods of the login".into() };
            Error::with_source(kind, cause)
        };
        if self.methods.is_empty() {
            return Err(undecided(NO_METHOD));
        }
        let used = match claims.registered().at::<Vec<String>>(&ClaimPath::from(["amr"])) {
            Ok(Some(used)) => used,
            Ok(None) => return Err(undecided("the token has no `amr`: have the issuer write it")),
            Err(_) => return Err(undecided("`amr` is not an array of strings")),
        };
        let has = |method: &str| used.iter().any(|used| *used == *method);
        let enough = match self.all {
            true => self.methods.iter().all(|method| has(method)),
            false => self.methods.iter().any(|method| has(method)),
        };
        if enough {
            return Ok(());
        }
        let how_many = if self.all { "all" } else { "any" };
        let methods = self.methods.join(" ");
        Err(Error::forbidden(format!("the login needs {how_many} of the methods {methods}")))
    }

    fn describe(&self) -> PolicyDescription {
        if self.methods.is_empty() {
            return Term::Never(NO_METHOD).into();
        }
        let how_many = if self.all { "all" } else { "one" };
        let mut text = String::from("a login by ");
        // A string can always be written to.
        let _ = write_words(&mut text, how_many, "method", &self.methods);
        text.into()
    }
}

/// Why no token will do.
const NO_METHOD: &str = "the policy names no method, give it one";
