//! The observers of a verifier, and where they are kept by what they watch.

use std::{
    fmt,
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use super::{
    event::{Decision, DenylistReport, Outcome},
    observer::{Both, Observer},
    tracing::{observer_panicked, passed, refused},
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
        log(decision);
        self.tell(|observer| observer.decided(decision));
    }

    /// Whether one of them wants to know how long a verification takes.
    pub(crate) fn times_verification(&self) -> bool {
        self.0.as_ref().is_some_and(|observer| observer.times_verification())
    }
}

/// Writes a decision to the log, unless the request passes.
fn log(decision: &Decision<'_>) {
    match (decision.outcome, decision.error) {
        (Outcome::Anonymous, Some(error)) => passed(error),
        (Outcome::Refused | Outcome::Unavailable, Some(error)) => refused(error),
        (Outcome::Accepted, _) | (_, None) => {}
    }
}

/// The observers of keys, which several verifiers may share: those of the verifier that was built
/// first. A panic of theirs goes no further: it must neither end the task that fetches keys nor,
/// while something is dropped, the process.
#[derive(Default)]
pub(crate) struct Observed(OnceLock<Seat>);

struct Seat {
    observers: Observers,
    /// The name of the issuer, if it must not be its own.
    issuer: Option<Box<str>>,
    /// Tells this from others of the same issuer.
    #[cfg(feature = "remote")]
    number: u64,
}

impl Observed {
    /// Sets the observers, and the name of the issuer if that must not be its own. Those that came
    /// first stay. Returns whether there are any now that there were not before.
    pub(crate) fn set(&self, observers: &Observers, issuer: Option<&str>) -> bool {
        let seat = || Seat {
            observers: observers.clone(),
            issuer: issuer.map(Box::from),
            #[cfg(feature = "remote")]
            number: next_number(),
        };
        !observers.is_empty() && self.0.get().is_none() && self.0.set(seat()).is_ok()
    }

    #[cfg(feature = "remote")]
    pub(crate) fn is_set(&self) -> bool {
        self.0.get().is_some()
    }

    /// Tells each of them. The name of the issuer is `own`, unless another was set.
    pub(crate) fn tell(&self, own: &str, event: impl Fn(&dyn Observer, &str)) {
        if let Some(seat) = self.0.get() {
            let name = seat.issuer.as_deref().unwrap_or(own);
            guarded(|| seat.observers.tell(|observer| event(observer, name)));
        }
    }

    /// Tells each of them of a state, with the number of what has it, if the name of the issuer is its
    /// own: with the name of many, it would be that of the one which reports last.
    #[cfg(feature = "remote")]
    pub(crate) fn tell_state(&self, event: impl Fn(&dyn Observer, u64)) {
        if let Some(seat) = self.0.get()
            && seat.issuer.is_none()
        {
            guarded(|| seat.observers.tell(|observer| event(observer, seat.number)));
        }
    }
}

/// The observer to hand to a denylist. It stamps the reports with a number of the list, and reports an
/// empty list when that is dropped.
pub(crate) fn of_list(observer: Arc<dyn Observer>) -> Arc<dyn Observer> {
    Arc::new(OfList { observer, number: next_number(), has_told: AtomicBool::new(false) })
}

struct OfList {
    observer: Arc<dyn Observer>,
    number: u64,
    has_told: AtomicBool,
}

impl OfList {
    fn tell(&self, report: DenylistReport) {
        let report = DenylistReport { list: self.number, ..report };
        guarded(|| self.observer.denylist(&report));
    }
}

impl Observer for OfList {
    fn denylist(&self, report: &DenylistReport) {
        self.has_told.store(true, Relaxed);
        self.tell(*report);
    }
}

impl Drop for OfList {
    fn drop(&mut self) {
        if *self.has_told.get_mut() {
            self.tell(DenylistReport::new(Some(Duration::ZERO), 0));
        }
    }
}

/// Calls an observer where its panic would do harm. During a panic, it is not called: another one
/// would end the process.
fn guarded(tell: impl FnOnce()) {
    if thread::panicking() {
        return;
    }
    // Only the observer can be left in a state that is not whole, by its own panic.
    if panic::catch_unwind(AssertUnwindSafe(tell)).is_err() {
        observer_panicked();
    }
}

fn next_number() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Relaxed).wrapping_add(1)
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
