//! The application's own rules.

use std::{borrow::Cow, error::Error as StdError, future::Future, sync::Arc, time::Duration};

use super::Claims;
use crate::{
    claims::RegisteredClaims,
    clock::Clock,
    error::{ConfigError, Error, ErrorKind},
    maybe_ready::MaybeReady,
};

/// Why a rule does not let a token pass.
///
/// Every [`std::error::Error`] becomes one by `?`, and means that the rule
/// could not decide: the client is answered 503 with `Retry-After`, not 401,
/// because a client that sees 401 throws its token away. An [`Error`] of this crate,
/// such as the refusal of a [policy](crate::authorize::Policy), keeps its meaning.
///
/// `Box<dyn Error + Send + Sync>` and `anyhow::Error` are no [`std::error::Error`]. Write
/// `.map_err(RuleError::unavailable)?` for them.
///
/// | value | answer |
/// |---|---|
/// | [`refuse`](Self::refuse) | 401 `invalid_token` |
/// | [`forbidden`](Self::forbidden) | 403 `insufficient_scope` |
/// | [`unavailable`](Self::unavailable), or an error by `?` | 503 with `Retry-After` |
/// | [`fail`](Self::fail) | 500 |
///
/// # Example: boxed errors
/// ```
/// use tower_jwt_auth::{Claims, verifier::RuleError};
///
/// type BoxError = Box<dyn std::error::Error + Send + Sync>;
///
/// async fn has_paid(_user: Option<&str>) -> Result<bool, BoxError> {
///     Ok(false)
/// }
///
/// async fn rule(user: Claims) -> Result<(), RuleError> {
///     match has_paid(user.subject()).await.map_err(RuleError::unavailable)? {
///         true => Ok(()),
///         false => Err(RuleError::forbidden("the user has not paid")),
///     }
/// }
/// # let _ = tower_jwt_auth::Verifier::builder().async_rule(rule);
/// ```
#[derive(Debug)]
pub struct RuleError(Why);

#[derive(Debug)]
enum Why {
    Refused(Cow<'static, str>),
    Forbidden(Cow<'static, str>),
    Unavailable(Box<dyn StdError + Send + Sync>),
    Failed(Box<dyn StdError + Send + Sync>),
}

impl RuleError {
    /// The token is invalid: 401 `invalid_token`. The reason goes to the log
    /// and not to the client.
    pub fn refuse(reason: impl Into<Cow<'static, str>>) -> Self {
        Self(Why::Refused(reason.into()))
    }

    /// The token is valid and does not allow this: 403 `insufficient_scope`, with the layer's realm
    /// and in its format. The reason goes to the log and not to the client.
    ///
    /// The request is refused in an [`optional`](crate::JwtAuthLayer::optional) layer, too: it does
    /// not pass as that of a guest. A rule runs for every route of the layer. To refuse on some
    /// routes only, use a [`RequireLayer`](crate::RequireLayer).
    pub fn forbidden(reason: impl Into<Cow<'static, str>>) -> Self {
        Self(Why::Forbidden(reason.into()))
    }

    /// It cannot be decided now: 503 with `Retry-After`.
    ///
    /// Takes every error, boxed ones too, as in `.map_err(RuleError::unavailable)?`. An [`Error`]
    /// of this crate in such a box keeps its meaning. `anyhow::Error` hides the type of an error,
    /// so an [`Error`] of this crate in it is 503 like all others.
    pub fn unavailable(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(Why::Unavailable(cause.into()))
    }

    /// The rule is broken: 500.
    pub fn fail(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(Why::Failed(cause.into()))
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for RuleError {
    fn from(cause: E) -> Self {
        Self::unavailable(cause)
    }
}

impl From<RuleError> for Error {
    fn from(error: RuleError) -> Self {
        let (kind, cause) = match error.0 {
            Why::Refused(reason) => return Self::new(ErrorKind::Rule { reason }),
            Why::Forbidden(reason) => return Self::forbidden(reason),
            Why::Unavailable(cause) => (ErrorKind::Unavailable { retry_after: RETRY_AFTER }, cause),
            Why::Failed(cause) => (ErrorKind::Failed, cause),
        };
        // An error of this crate, such as a policy's refusal, says itself what it
        // means.
        match cause.downcast::<Self>() {
            Ok(own) => *own,
            Err(cause) => Self::with_source(kind, cause),
        }
    }
}

type Rule<C> = dyn Fn(&Claims<C>) -> Result<(), RuleError> + Send + Sync;
/// A rule that may wait, and asks a clock only if it needs the time.
pub(super) type AsyncRule<C> =
    dyn Fn(&Claims<C>, &dyn Clock) -> MaybeReady<Result<(), Error>> + Send + Sync;

/// The rules in the order in which they were given.
pub(super) struct UserRules<C> {
    now: Vec<Box<Rule<C>>>,
    later: Vec<Arc<AsyncRule<C>>>,
    /// Why one of them cannot be started.
    invalid: Option<ConfigError>,
}

impl<C> UserRules<C> {
    pub(super) fn new() -> Self {
        Self { now: Vec::new(), later: Vec::new(), invalid: None }
    }

    pub(super) fn add<F>(&mut self, rule: F)
    where
        F: Fn(&Claims<C>) -> Result<(), RuleError> + Send + Sync + 'static,
    {
        self.now.push(Box::new(rule));
    }

    pub(super) fn add_async<F, Fut>(&mut self, rule: F)
    where
        C: Send + Sync + 'static,
        F: Fn(Claims<C>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), RuleError>> + Send + 'static,
    {
        let rule = Arc::new(rule);
        self.later.push(Arc::new(move |claims, _| {
            let (rule, claims) = (Arc::clone(&rule), claims.clone());
            // The rule is called where it is polled: it may need the runtime.
            MaybeReady::pending(async move { rule(claims).await.map_err(Error::from) })
        }));
    }

    /// Adds a rule that was started.
    pub(super) fn add_started(&mut self, rule: Result<Arc<AsyncRule<C>>, ConfigError>) {
        match rule {
            Ok(rule) => self.later.push(rule),
            Err(error) => self.invalid = self.invalid.take().or(Some(error)),
        }
    }

    pub(super) fn check_config(&mut self) -> Result<(), ConfigError> {
        self.invalid.take().map_or(Ok(()), Err)
    }

    /// The rules that may wait.
    #[inline]
    pub(super) fn later(&self) -> &[Arc<AsyncRule<C>>] {
        &self.later
    }

    #[cfg(feature = "utoipa")]
    pub(super) fn is_empty(&self) -> bool {
        self.now.is_empty() && self.later.is_empty()
    }

    /// Asks the rules that answer at once.
    #[inline]
    pub(super) fn check(&self, claims: &Claims<C>) -> Result<(), Error> {
        for rule in &self.now {
            rule(claims)?;
        }
        Ok(())
    }
}

impl UserRules<RegisteredClaims> {
    /// The same rules for claims that are read as a `C` too.
    pub(super) fn of_type<C: Send + Sync + 'static>(self) -> UserRules<C> {
        let now = self
            .now
            .into_iter()
            .map(|rule| -> Box<Rule<C>> { Box::new(move |claims| rule(&claims.to_registered())) });
        let later = self.later.into_iter().map(|rule| -> Arc<AsyncRule<C>> {
            Arc::new(move |claims, clock| rule(&claims.to_registered(), clock))
        });
        let (now, later) = (now.collect(), later.collect());
        UserRules { now, later, invalid: self.invalid }
    }
}

/// Long enough for a store to come back, short enough for a user to wait.
const RETRY_AFTER: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_our_own_keeps_its_meaning() {
        let kind = ErrorKind::Forbidden { policy: "a policy".into() };
        for wrap in [RuleError::from, RuleError::unavailable, RuleError::fail] {
            let error = Error::from(wrap(Error::new(kind.clone())));
            assert_eq!(*error.kind(), kind);
        }
        let other = Error::from(RuleError::from(std::fmt::Error));
        assert!(matches!(other.kind(), ErrorKind::Unavailable { .. }));
    }

    /// As `anyhow::Error` is: no error itself, and its box is of a type of its own.
    #[derive(Debug)]
    struct AnyError(Box<dyn StdError + Send + Sync>);

    impl<E: StdError + Send + Sync + 'static> From<E> for AnyError {
        fn from(error: E) -> Self {
            Self(Box::new(error))
        }
    }

    impl From<AnyError> for Box<dyn StdError + Send + Sync> {
        fn from(error: AnyError) -> Self {
            #[derive(Debug)]
            struct Hidden(Box<dyn StdError + Send + Sync>);

            impl std::fmt::Display for Hidden {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    self.0.fmt(f)
                }
            }

            impl StdError for Hidden {
                fn source(&self) -> Option<&(dyn StdError + 'static)> {
                    self.0.source()
                }
            }

            Box::new(Hidden(error.0))
        }
    }

    #[test]
    fn boxed_errors_are_taken_by_one_word() {
        fn boxed() -> Result<(), Box<dyn StdError + Send + Sync>> {
            Err("no database")?
        }
        fn any() -> Result<(), AnyError> {
            Err(std::io::Error::other("no database"))?
        }
        fn both() -> [fn() -> Result<(), RuleError>; 4] {
            [
                || boxed().map_err(RuleError::unavailable),
                || any().map_err(RuleError::unavailable),
                || boxed().map_err(RuleError::fail),
                || any().map_err(RuleError::fail),
            ]
        }
        for (rule, status) in both().into_iter().zip([503, 503, 500, 500]) {
            let error = Error::from(rule().unwrap_err());
            assert_eq!(error.status(), status);
            assert_eq!(error.source().unwrap().to_string(), "no database");
        }
        // An error of our own keeps its meaning in a box; nobody finds it in an `AnyError`.
        let own: Box<dyn StdError + Send + Sync> = Box::new(Error::forbidden("this"));
        assert_eq!(Error::from(RuleError::unavailable(own)).status(), 403);
        let hidden = AnyError::from(Error::forbidden("this"));
        assert_eq!(Error::from(RuleError::unavailable(hidden)).status(), 503);
    }
}
