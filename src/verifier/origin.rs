//! The verifier of a token, as its claims know it.

use std::{
    any::Any,
    fmt,
    sync::{Arc, Weak},
    task::Waker,
    time::SystemTime,
};

#[cfg(any(test, feature = "test-util"))]
use crate::clock::SystemClock;
use crate::{
    claims::{NumericDate, RegisteredClaims},
    clock::{Clock, unix_seconds},
    error::Error,
    maybe_ready::MaybeReady,
    observe::{Observed, Observers, StreamEnd},
    request_head::RequestHead,
    revocation::Revocations,
    rules,
    scope_hierarchy::ScopeHierarchy,
    source::RawToken,
};

/// The verifier of a token, as its claims know it: its clock, its leeway, its scope hierarchy, its
/// denylist, and a way to verify another token.
///
/// A policy gets nothing but claims, and a second clock could say something else than the
/// verifier's.
#[derive(Clone)]
pub(crate) struct Origin(Arc<OriginInner>);

struct OriginInner {
    clock: Arc<dyn Clock>,
    /// In seconds.
    leeway: i64,
    /// In seconds.
    max_age: Option<i64>,
    scope_hierarchy: Option<ScopeHierarchy>,
    revocations: Revocations,
    /// Weak, because claims must not keep the keys of an issuer that is removed.
    verifier: Option<Weak<dyn VerifyAgain>>,
    /// Those who are told of the streams that end.
    observed: Observed,
}

impl Origin {
    pub(super) fn new(
        clock: &Arc<dyn Clock>,
        rules: &rules::Rules,
        scope_hierarchy: Option<ScopeHierarchy>,
        revocations: &Revocations,
        verifier: Weak<dyn VerifyAgain>,
    ) -> Self {
        Self(Arc::new(OriginInner {
            clock: Arc::clone(clock),
            leeway: rules.leeway,
            max_age: rules.max_age,
            scope_hierarchy,
            revocations: revocations.clone(),
            verifier: Some(verifier),
            observed: Observed::default(),
        }))
    }

    /// No verifier: this clock or that of the system, and the leeway of a verifier that was given none.
    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn of_test(
        clock: Option<Arc<dyn Clock>>,
        scope_hierarchy: Option<ScopeHierarchy>,
    ) -> Self {
        let clock = clock.unwrap_or_else(|| Arc::new(SystemClock));
        let revocations = Revocations::default();
        Self(Arc::new(OriginInner {
            clock,
            leeway: 60,
            max_age: None,
            scope_hierarchy,
            revocations,
            verifier: None,
            observed: Observed::default(),
        }))
    }

    /// The time now.
    pub(crate) fn now(&self) -> SystemTime {
        self.0.clock.now()
    }

    /// Wakes this waker when the clock is moved.
    pub(crate) fn wake_when_moved(&self, waker: &Waker) {
        self.0.clock.wake_when_moved(waker);
    }

    /// Has these observers told of the streams that end.
    pub(super) fn observe(&self, observers: &Observers, issuer: Option<&str>) {
        self.0.observed.set(observers, issuer);
    }

    /// Tells the observers that a stream has ended, with the name of the end.
    pub(crate) fn stream_ended(&self, reason: &'static str) {
        self.0.observed.tell("", |observer, _| observer.stream_ended(&StreamEnd::new(reason)));
    }

    /// The scopes that imply others, if the verifier has such a table.
    pub(super) fn scope_hierarchy(&self) -> Option<&ScopeHierarchy> {
        self.0.scope_hierarchy.as_ref()
    }

    /// The denylist.
    pub(crate) fn revocations(&self) -> &Revocations {
        &self.0.revocations
    }

    /// The first second in which the verifier refuses these claims because of their time; `None` if it
    /// never does.
    pub(crate) fn ends_at(&self, claims: &RegisteredClaims) -> Option<i64> {
        rules::ends_at(claims, self.0.leeway, self.0.max_age)
    }

    /// Verifies another token of the same issuer; `None` if the verifier is gone.
    pub(crate) fn verify(
        &self,
        token: &RawToken<'_>,
        request: Option<RequestHead<'_>>,
    ) -> Option<MaybeReady<Result<FreshClaims, Error>>> {
        let verifier = self.0.verifier.as_ref()?.upgrade()?;
        Some(verifier.verify_again(token, request))
    }

    /// Whether a time is at most so many seconds ago, and not in the future. A fraction of a second
    /// counts against it.
    pub(super) fn is_within(&self, time: NumericDate, max_age: i64) -> bool {
        let now = unix_seconds(self.now());
        let until = time.floor().saturating_add(max_age).saturating_add(self.0.leeway);
        now <= until && time.ceil() <= now.saturating_add(self.0.leeway)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin").field("leeway", &self.0.leeway).finish_non_exhaustive()
    }
}

/// An engine, whatever type its claims have.
pub(super) trait VerifyAgain: Send + Sync {
    fn verify_again(
        self: Arc<Self>,
        token: &RawToken<'_>,
        request: Option<RequestHead<'_>>,
    ) -> MaybeReady<Result<FreshClaims, Error>>;
}

/// The claims of another token: as their verifier gives them, and without its type.
pub(crate) struct FreshClaims {
    pub(super) registered: Arc<RegisteredClaims>,
    pub(super) forms: [Box<dyn Any + Send>; 2],
}

impl FreshClaims {
    pub(crate) fn to_shared(&self) -> Arc<RegisteredClaims> {
        Arc::clone(&self.registered)
    }

    /// The claims as a `T`: [`Claims`](super::Claims) of the type of the verifier, or of none.
    pub(crate) fn into_claims<T: 'static>(self) -> Option<T> {
        self.forms.into_iter().find_map(|form| form.downcast().ok()).map(|claims| *claims)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use super::*;
    use crate::error::ErrorKind;

    struct Nobody;

    impl VerifyAgain for Nobody {
        fn verify_again(
            self: Arc<Self>,
            _: &RawToken<'_>,
            _: Option<RequestHead<'_>>,
        ) -> MaybeReady<Result<FreshClaims, Error>> {
            MaybeReady::Ready(Err(Error::new(ErrorKind::MalformedToken)))
        }
    }

    struct At(u64);

    impl Clock for At {
        fn now(&self) -> SystemTime {
            UNIX_EPOCH + Duration::from_secs(self.0)
        }
    }

    fn is_within(auth_time: &str, now: u64, max_age: i64) -> bool {
        let clock: Arc<dyn Clock> = Arc::new(At(now));
        let time = serde_json::from_str(auth_time).unwrap();
        let verifier = Weak::<Nobody>::new();
        let rules = rules::Rules::of_anybody(60);
        Origin::new(&clock, &rules, None, &Revocations::default(), verifier)
            .is_within(time, max_age)
    }

    #[test]
    fn both_ends_have_the_leeway() {
        for (auth_time, now, within) in [
            ("1000", 1000, true),
            ("1000", 1360, true),
            ("1000", 1361, false),
            ("1000.9", 1360, true),
            ("1000.9", 1361, false),
            ("1000", 940, true),
            ("1000", 939, false),
            ("1000.1", 940, false),
            ("0", 1_800_000_000, false),
        ] {
            assert_eq!(is_within(auth_time, now, 300), within, "{auth_time} at {now}");
        }
        assert!(is_within("1000", 1060, 0) && !is_within("1000", 1061, 0));
        assert!(is_within("1000", u64::from(u32::MAX), i64::MAX), "it does not overflow");
    }
}
