//! The application's own rules.

use std::{borrow::Cow, error::Error as StdError, future::Future, sync::Arc, time::Duration};

use super::Claims;
use crate::{
    claims::RegisteredClaims,
    error::{Error, ErrorKind},
    maybe_ready::MaybeReady,
};

/// Why a rule does not let a token pass.
///
/// Every [`std::error::Error`] becomes one by `?`, and means that the rule
/// could not decide: the client is answered 503 with `Retry-After`, not 401,
/// because a client that sees 401 throws its token away. An [`Error`] of this crate,
/// such as the refusal of a [policy](crate::authorize::Policy), keeps its meaning.
#[derive(Debug)]
pub struct RuleError(Why);

#[derive(Debug)]
enum Why {
    Refused(Cow<'static, str>),
    Unavailable(Box<dyn StdError + Send + Sync>),
    Failed(Box<dyn StdError + Send + Sync>),
}

impl RuleError {
    /// The token is not good: 401 `invalid_token`. The reason goes to the log
    /// and not to the client.
    pub fn refuse(reason: impl Into<Cow<'static, str>>) -> Self {
        Self(Why::Refused(reason.into()))
    }

    /// It cannot be decided now: 503 with `Retry-After`.
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
type AsyncRule<C> = dyn Fn(Claims<C>) -> MaybeReady<Result<(), RuleError>> + Send + Sync;

/// The rules in the order in which they were given.
pub(super) struct UserRules<C> {
    now: Vec<Box<Rule<C>>>,
    later: Arc<[Arc<AsyncRule<C>>]>,
}

impl<C> UserRules<C> {
    pub(super) fn new() -> Self {
        Self { now: Vec::new(), later: Arc::default() }
    }

    pub(super) fn add<F>(&mut self, rule: F)
    where
        F: Fn(&Claims<C>) -> Result<(), RuleError> + Send + Sync + 'static,
    {
        self.now.push(Box::new(rule));
    }

    pub(super) fn add_async<F, Fut>(&mut self, rule: F)
    where
        F: Fn(Claims<C>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), RuleError>> + Send + 'static,
    {
        let rule: Arc<AsyncRule<C>> = Arc::new(move |claims| MaybeReady::pending(rule(claims)));
        self.later = self.later.iter().cloned().chain([rule]).collect();
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
        let later = self.later.iter().cloned().map(|rule| -> Arc<AsyncRule<C>> {
            Arc::new(move |claims| rule(claims.to_registered()))
        });
        UserRules { now: now.collect(), later: later.collect() }
    }
}

impl<C: Send + Sync + 'static> UserRules<C> {
    /// Asks the rules that may wait, one after the other.
    #[inline]
    pub(super) fn ask(&self, claims: Claims<C>) -> MaybeReady<Result<Claims<C>, Error>> {
        if self.later.is_empty() {
            return MaybeReady::Ready(Ok(claims));
        }
        let rules = Arc::clone(&self.later);
        MaybeReady::pending(async move {
            for rule in rules.iter() {
                rule(claims.clone()).await?;
            }
            Ok(claims)
        })
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
}
