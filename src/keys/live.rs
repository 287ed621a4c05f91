//! Keys of this very process, which change as its issuer rotates them.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;

use super::{KeySet, trusted::Trusted};

/// Keys that somebody else in this process changes; all clones are the same.
#[derive(Clone)]
pub(crate) struct LiveKeys {
    trusted: Arc<ArcSwap<Trusted>>,
    issuer: Arc<str>,
}

impl LiveKeys {
    /// Keys that are bound to this issuer.
    #[allow(dead_code, reason = "for the feature `issue`")]
    pub(crate) fn new(issuer: &str, keys: KeySet) -> Self {
        Self { trusted: Arc::new(ArcSwap::from_pointee(Trusted::new(keys))), issuer: issuer.into() }
    }

    /// Other keys: what was learned of the former ones goes with them.
    #[allow(dead_code, reason = "for the feature `issue`")]
    pub(crate) fn set(&self, keys: KeySet) {
        self.trusted.store(Arc::new(Trusted::new(keys)));
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(super) fn with<T>(&self, see: impl FnOnce(&Trusted) -> T) -> T {
        see(&self.trusted.load())
    }
}

impl fmt::Debug for LiveKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with(|trusted| trusted.keys.fmt(f))
    }
}
