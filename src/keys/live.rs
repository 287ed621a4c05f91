//! Keys of this very process, which change as its issuer rotates them.

use std::{any::Any, fmt, sync::Arc};

use arc_swap::{ArcSwap, Guard};

use super::{KeySet, trusted::Trusted};
use crate::clock::{Clock, unix_seconds};

/// Keys that somebody else in this process changes; all clones are the same.
#[derive(Clone)]
pub(crate) struct LiveKeys {
    plan: Arc<ArcSwap<Plan>>,
    issuer: Arc<str>,
    clock: Arc<dyn Clock>,
    /// The one who changes the keys. It lives for as long as somebody looks at them.
    _keeper: Option<Arc<dyn Any + Send + Sync>>,
}

/// The keys of now, and those from later times on, in seconds since 1970.
struct Plan {
    now: Trusted,
    later: Vec<(i64, Trusted)>,
}

impl LiveKeys {
    /// Keys that are bound to this issuer.
    pub(crate) fn new(issuer: &str, keys: KeySet, clock: Arc<dyn Clock>) -> Self {
        let plan = Plan { now: Trusted::new(keys), later: Vec::new() };
        Self {
            plan: Arc::new(ArcSwap::from_pointee(plan)),
            issuer: issuer.into(),
            clock,
            _keeper: None,
        }
    }

    /// Keeps this alive as well.
    pub(crate) fn kept_by(self, keeper: Arc<dyn Any + Send + Sync>) -> Self {
        Self { _keeper: Some(keeper), ..self }
    }

    /// Other keys, and those that take their place at later times, the first time first. Anything
    /// that was learned of the former ones is dropped with them.
    pub(crate) fn set(&self, keys: KeySet, later: Vec<(i64, KeySet)>) {
        let later = later.into_iter().map(|(from, keys)| (from, Trusted::new(keys))).collect();
        self.plan.store(Arc::new(Plan { now: Trusted::new(keys), later }));
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The keys of this moment.
    pub(super) fn load(&self) -> LoadedPlan {
        let plan = self.plan.load();
        if plan.later.is_empty() {
            return LoadedPlan { plan, later: None };
        }
        // Only while a key is about to go is the time of interest.
        let now = unix_seconds(self.clock.now());
        let later = plan.later.iter().rposition(|(from, _)| now >= *from);
        LoadedPlan { plan, later }
    }
}

/// The keys of one moment.
pub(crate) struct LoadedPlan {
    plan: Guard<Arc<Plan>>,
    later: Option<usize>,
}

impl LoadedPlan {
    pub(super) fn trusted(&self) -> &Trusted {
        let later = self.later.and_then(|at| self.plan.later.get(at));
        later.map_or(&self.plan.now, |(_, keys)| keys)
    }
}

impl fmt::Debug for LiveKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.load().trusted().keys.fmt(f)
    }
}
