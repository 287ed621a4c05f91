//! How and when the user must have logged in (RFC 9470).

use std::{fmt, sync::Arc, time::Duration};

use super::{
    challenge::{UserAuthentication, can_be_asked_for},
    description::{Login, PolicyDescription, Term},
    policy::Policy,
};
use crate::{
    claims::{ClaimPath, NumericDate},
    error::{BoxError, Error, ErrorKind},
    rules::seconds,
    verifier::Claims,
};

/// Requires a login that is strong or recent enough. Otherwise, the challenge asks the client for
/// another login (RFC 9470): 401 `insufficient_user_authentication`, with `acr_values` and `max_age`.
///
/// # Rules
///
/// 1. `acr` must be one of the values, byte for byte.
/// 2. `auth_time` must be at most the maximum age ago, and not in the future, by the clock and with
///    the [leeway](crate::verifier::VerifierBuilder::leeway) of the verifier.
/// 3. A token whose claim is missing or of another type is not enough.
/// 4. With [`and`](super::PolicyExt::and), one challenge names everything that both policies
///    require, also the scopes: the client needs one login, and not one for each. It names only values of
///    `acr` that both accept. If they share no value, or the other policy refuses for a reason that a login
///    does not change, such as a role, the answer is 403.
/// 5. Under [`not`](super::PolicyExt::not), it refuses every token, because a challenge cannot ask
///    for a weaker login. The event of the refusal says so.
///
/// # Example: a payment
/// ```
/// use std::time::Duration;
/// use tower_jwt_auth::{
///     RequireLayer,
///     authorize::{PolicyExt, Scopes, StepUp},
/// };
///
/// let five_minutes = Duration::from_secs(5 * 60);
/// let payment = StepUp::acr(["phrh", "phr"]).max_age(five_minutes).and(Scopes::all_of(["pay"]));
/// let layer = RequireLayer::new(payment);
/// # let _ = layer;
/// ```
///
/// # Example: in a handler, for large amounts only
/// ```
/// use tower_jwt_auth::{
///     Claims,
///     authorize::{Policy, StepUp},
///     response::Rejection,
/// };
///
/// async fn pay(claims: Claims, euros: u64) -> Result<(), Rejection> {
///     if euros > 1_000 {
///         StepUp::acr(["mfa"]).authorize(&claims)?;
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct StepUp {
    acr: Acr,
    max_age: Option<Duration>,
}

/// The authentication contexts that are accepted.
#[derive(Clone)]
enum Acr {
    Any,
    OneOf(Box<[Box<str>]>),
    AtLeast { least: Box<str>, rank: Arc<Rank> },
}

/// The rank of a context, if it has one.
type Rank = dyn Fn(&str) -> Option<u32> + Send + Sync;

impl StepUp {
    /// Requires one of these authentication contexts (`acr`), in the order in which you prefer them.
    /// Without any, no token will do: a list that is empty by mistake must not open a route.
    ///
    /// Each value is one word of visible ASCII, as in `acr_values` (RFC 9470 §3). With another one, such as
    /// `"a b"`, no token will do: no challenge could ask for it. The event of the refusal says so.
    pub fn acr<S: AsRef<str>>(values: impl IntoIterator<Item = S>) -> Self {
        let values = values.into_iter().map(|value| value.as_ref().into()).collect();
        Self { acr: Acr::OneOf(values), max_age: None }
    }

    /// Requires this authentication context (`acr`) or a stronger one: one with the same rank or a
    /// higher one. A context without a rank is not enough. If `least` has no rank, or is not one word of
    /// visible ASCII, no token will do.
    ///
    /// # Example: the levels of NIST
    /// ```
    /// use tower_jwt_auth::authorize::StepUp;
    ///
    /// let policy = StepUp::acr_at_least("aal2", |acr| match acr {
    ///     "aal1" => Some(1),
    ///     "aal2" => Some(2),
    ///     "aal3" => Some(3),
    ///     _ => None,
    /// });
    /// # let _ = policy;
    /// ```
    pub fn acr_at_least(
        least: impl Into<String>,
        rank: impl Fn(&str) -> Option<u32> + Send + Sync + 'static,
    ) -> Self {
        let least = least.into().into_boxed_str();
        Self { acr: Acr::AtLeast { least, rank: Arc::new(rank) }, max_age: None }
    }

    /// Requires a login (`auth_time`) that is at most so long ago, in whole seconds, however strong
    /// it was.
    pub fn login_within(max_age: Duration) -> Self {
        Self { acr: Acr::Any, max_age: Some(max_age) }
    }

    /// Requires that the login (`auth_time`) is at most so long ago, too, in whole seconds.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Why no token will do, if the policy itself is at fault.
    fn fault(&self) -> Option<&'static str> {
        match &self.acr {
            Acr::OneOf(values) if values.is_empty() => {
                Some("the policy names no `acr`, give it one")
            }
            Acr::OneOf(values) if !values.iter().all(|acr| can_be_asked_for(acr)) => {
                Some(NOT_A_WORD)
            }
            Acr::AtLeast { least, .. } if !can_be_asked_for(least) => Some(NOT_A_WORD),
            Acr::AtLeast { least, rank } if rank(least).is_none() => {
                Some("the policy wants an `acr` that has no rank, give it one")
            }
            Acr::Any | Acr::OneOf(_) | Acr::AtLeast { .. } => None,
        }
    }

    /// Whether a context is enough.
    fn has(&self, acr: &str) -> bool {
        match &self.acr {
            Acr::Any => true,
            Acr::OneOf(values) => values.iter().any(|value| **value == *acr),
            Acr::AtLeast { least, rank } => {
                rank(least).zip(rank(acr)).is_some_and(|(least, rank)| rank >= least)
            }
        }
    }

    /// Why the `acr` of a token is not enough.
    fn check_acr<C>(&self, claims: &Claims<C>) -> Result<(), &'static str> {
        if matches!(self.acr, Acr::Any) {
            return Ok(());
        }
        match claims.registered().at::<String>(&ClaimPath::from(["acr"])) {
            Ok(Some(acr)) if self.has(&acr) => Ok(()),
            Ok(Some(_)) => Err("its `acr` is not one that is accepted"),
            Ok(None) => Err("it has no `acr`: have the issuer write it"),
            Err(_) => Err("its `acr` is not a string"),
        }
    }

    /// Why the `auth_time` of a token is not enough.
    fn check_age<C>(&self, claims: &Claims<C>) -> Result<(), &'static str> {
        let Some(max_age) = self.max_age else { return Ok(()) };
        match claims.registered().at::<NumericDate>(&ClaimPath::from(["auth_time"])) {
            Ok(Some(time)) if claims.is_within(time, seconds(max_age)) => Ok(()),
            Ok(Some(_)) => Err("its `auth_time` is too long ago, or in the future"),
            Ok(None) => Err("it has no `auth_time`: have the issuer write it"),
            Err(_) => Err("its `auth_time` is not a number of seconds since 1970"),
        }
    }

    /// The login that is required.
    fn login(&self) -> Login {
        let acr_values = match &self.acr {
            Acr::Any => Box::default(),
            Acr::OneOf(values) => values.clone(),
            Acr::AtLeast { least, .. } => [least.clone()].into(),
        };
        let or_stronger = matches!(self.acr, Acr::AtLeast { .. });
        Login { acr_values, or_stronger, max_age: self.max_age }
    }

    #[cold]
    fn refuse(&self, reason: impl Into<BoxError>) -> Error {
        UserAuthentication::from(&self.login()).into_error(reason)
    }
}

impl<C> Policy<C> for StepUp {
    fn authorize(&self, claims: &Claims<C>) -> Result<(), Error> {
        if let Some(fault) = self.fault() {
            // No login changes that, so it is not asked for.
            let kind = ErrorKind::Forbidden { policy: "step-up".into() };
            return Err(Error::with_source(kind, fault));
        }
        match (self.check_acr(claims), self.check_age(claims)) {
            (Ok(()), Ok(())) => Ok(()),
            (Err(acr), Err(age)) => Err(self.refuse(format!("{acr}; {age}"))),
            (Err(fault), Ok(())) | (Ok(()), Err(fault)) => Err(self.refuse(fault)),
        }
    }

    fn accepts_acr(&self, _: &Claims<C>, acr: &str) -> bool {
        self.fault().is_none() && self.has(acr)
    }

    fn describe(&self) -> PolicyDescription {
        self.fault().map_or_else(|| Term::Login(self.login()), Term::Never).into()
    }
}

impl fmt::Debug for StepUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Login { acr_values, max_age, .. } = self.login();
        f.debug_struct("StepUp")
            .field("acr_values", &acr_values)
            .field("max_age", &max_age)
            .finish_non_exhaustive()
    }
}

const NOT_A_WORD: &str = "an `acr` of the policy cannot be in `acr_values`, where blanks separate values: \
                          give each value by itself, as one word of visible ASCII";
