//! The sources that can be asked for a key that is missing.

#[cfg(feature = "remote")]
use super::remote::{PendingFetch, RemoteKeys};
use super::{
    answer::{Deadline, KeyAnswer},
    by_id::{KeysById, PendingLookup},
};

/// A source that may have a missing key.
pub(crate) enum AskedSource {
    ById(KeysById),
    #[cfg(feature = "remote")]
    Remote(RemoteKeys),
}

impl AskedSource {
    /// The issuer that its keys are bound to.
    pub(crate) fn issuer(&self) -> Option<&str> {
        match self {
            Self::ById(keys) => keys.issuer(),
            #[cfg(feature = "remote")]
            Self::Remote(keys) => keys.issuer(),
        }
    }

    /// Whether it looks keys up one by one.
    pub(crate) fn is_by_id(&self) -> bool {
        matches!(self, Self::ById(_))
    }

    /// Asks for the key of this name. `deadline` is set if the request has already waited for it.
    #[cold]
    pub(crate) fn ask(&self, name: &str, deadline: Option<Deadline>) -> KeyAnswer<PendingKey> {
        match self {
            Self::ById(keys) => keys.ask(name, deadline).map(PendingKey::ById),
            #[cfg(feature = "remote")]
            Self::Remote(keys) => keys.ask(name, deadline).map(PendingKey::Remote),
        }
    }
}

/// A fetch or a lookup that is under way or begins.
pub(crate) enum PendingKey {
    ById(PendingLookup),
    #[cfg(feature = "remote")]
    Remote(PendingFetch),
}

impl PendingKey {
    pub(crate) fn deadline(&self) -> Deadline {
        match self {
            Self::ById(pending) => pending.deadline(),
            #[cfg(feature = "remote")]
            Self::Remote(pending) => pending.deadline(),
        }
    }

    /// Whether it began before this request asked for the key, and for another one.
    pub(crate) fn began_before(&self) -> bool {
        match self {
            Self::ById(_) => false,
            #[cfg(feature = "remote")]
            Self::Remote(pending) => pending.began_before(),
        }
    }

    /// Waits for its end. The answer says when to retry if it fails or takes too long.
    pub(crate) async fn done(&mut self) -> KeyAnswer {
        match self {
            Self::ById(pending) => pending.done().await,
            #[cfg(feature = "remote")]
            Self::Remote(pending) => pending.done().await,
        }
    }

    /// Remembers for a moment that a fetch which succeeded did not bring the key.
    pub(crate) fn remember_missing(&self) {
        match self {
            // It has been remembered when the lookup ended.
            Self::ById(_) => {}
            #[cfg(feature = "remote")]
            Self::Remote(pending) => pending.remember_missing(),
        }
    }
}
