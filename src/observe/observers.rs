//! The observers of a verifier, and where they are kept by what they watch.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use super::{
    event::{Decision, Outcome},
    observer::{Both, Observer},
    tracing::{passed, refused},
};

/// The observers of a verifier; cheap to clone. The box makes a call cheaper: the place of a `dyn` in
/// an `Arc` depends on its alignment, for which its table must be asked.
#[derive(Clone, Default)]
pub(crate) struct Observers(Option<Arc<Box<dyn Observer>>>);

impl Observers {
    /// Adds one.
    pub(crate) fn add(&mut self, observer: impl Observer) {
        let added: Box<dyn Observer> = match self.0.take() {
            Some(present) => Box::new(Both(present, observer)),
            None => Box::new(observer),
        };
        self.0 = Some(Arc::new(added));
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Tells each of them.
    #[inline]
    pub(crate) fn tell(&self, event: impl Fn(&dyn Observer)) {
        if let Some(observer) = &self.0 {
            event(&***observer);
        }
    }

    /// All of them as one, if there is any.
    pub(crate) fn to_one(&self) -> Option<Arc<dyn Observer>> {
        self.0.clone().map(|one| -> Arc<dyn Observer> { one })
    }

    /// Tells each of them, and the log, of a decision.
    pub(crate) fn decided(&self, decision: &Decision<'_>) {
        Log.decided(decision);
        self.tell(|observer| observer.decided(decision));
    }

    /// Whether one of them wants to know how long a verification takes.
    pub(crate) fn times_verification(&self) -> bool {
        self.0.as_ref().is_some_and(|observer| observer.times_verification())
    }
}

/// The observer that every verifier has: it writes the events of the feature `tracing`.
struct Log;

impl Observer for Log {
    fn decided(&self, decision: &Decision<'_>) {
        match (decision.outcome, decision.error) {
            (Outcome::Anonymous, Some(error)) => passed(error),
            (Outcome::Refused | Outcome::Unavailable, Some(error)) => refused(error),
            // A request that passes is no event.
            (Outcome::Accepted, _) | (_, None) => {}
        }
    }
}

/// The observers of what several verifiers may share: those of the verifier that was built first.
#[derive(Default)]
pub(crate) struct Observed(OnceLock<(Observers, Option<Box<str>>)>);

impl Observed {
    /// Sets the observers, and the name of the issuer if that must not be its own. Those that came
    /// first stay. Returns whether there are any now that there were not before.
    pub(crate) fn set(&self, observers: &Observers, issuer: Option<&str>) -> bool {
        !observers.is_empty() && self.0.set((observers.clone(), issuer.map(Box::from))).is_ok()
    }

    #[cfg(feature = "remote")]
    pub(crate) fn is_set(&self) -> bool {
        self.0.get().is_some()
    }

    /// Tells each of them. The name of the issuer is `own`, unless another was set.
    pub(crate) fn tell(&self, own: &str, event: impl Fn(&dyn Observer, &str)) {
        if let Some((observers, name)) = self.0.get() {
            observers.tell(|observer| event(observer, name.as_deref().unwrap_or(own)));
        }
    }

    /// Tells each of them of a state, if the name of the issuer is its own: with the name of many,
    /// it would be that of the one which reports last.
    #[cfg(feature = "remote")]
    pub(crate) fn tell_state(&self, event: impl Fn(&dyn Observer)) {
        if let Some((observers, None)) = self.0.get() {
            observers.tell(event);
        }
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observers").field("any", &!self.is_empty()).finish()
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed").field("any", &self.0.get().is_some()).finish()
    }
}
