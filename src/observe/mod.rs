//! Observers are told of decisions, keys and stores, for metrics and the like.
//!
//! # Rules
//!
//! 1. An observer is told after the decision. It cannot change it, and the answer does not wait
//!    for anything but the call.
//! 2. Give it to [`VerifierBuilder::observer`](crate::verifier::VerifierBuilder::observer), once.
//!    The layers of the verifier use it, too, and so do its `RemoteKeys`,
//!    [`KeysById`](crate::keys::by_id::KeysById) and [denylist](crate::revocation::Denylist). Keys or
//!    a denylist that several verifiers share report to the observers of the verifier that was built
//!    first.
//! 3. Decisions are counted, and not requests: see [`Decision`].
//! 4. Nothing that an observer is told has a token, a claim, the id of a session or an address of a
//!    request.
//!
//! Beside observers, and without being asked for, each event of the feature `tracing` is written;
//! `docs/operations.md` has the table of all events and metrics.
//!
//! # Example: an observer that counts refusals
//! ```
//! use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
//! use tower_jwt_auth::{
//!     Key, Verifier,
//!     observe::{Decision, Observer, Outcome},
//! };
//!
//! #[derive(Default)]
//! struct Refusals(AtomicU64);
//!
//! impl Observer for Refusals {
//!     fn decided(&self, decision: &Decision<'_>) {
//!         if decision.outcome == Outcome::Refused {
//!             self.0.fetch_add(1, Ordering::Relaxed);
//!         }
//!     }
//! }
//!
//! let refusals = Arc::new(Refusals::default());
//! let verifier = Verifier::builder()
//!     .issuer("https://login.example.com")
//!     .audience("https://api.example.com")
//!     .keys(Key::hs256([7; 32]))
//!     .observer(refusals.clone())
//!     .build()?;
//! # Ok::<(), tower_jwt_auth::ConfigError>(())
//! ```
//!
//! With the feature `metrics`, `MetricsObserver` is an observer that counts with the facade
//! `metrics`.

mod event;
#[cfg(feature = "metrics")]
mod metrics;
mod observer;
mod observers;
mod tracing;

#[cfg(feature = "metrics")]
pub use self::metrics::MetricsObserver;
#[cfg(feature = "redis")]
pub(crate) use self::tracing::{eviction_not_checked, store_may_evict};
#[cfg(feature = "remote")]
pub(crate) use self::tracing::{
    key_is_old, key_removed_early, key_skipped, keys_fetched, keys_not_fetched, keys_rotated,
    keys_too_old, removed_key_used,
};
#[cfg(feature = "issue")]
pub(crate) use self::tracing::{refresh_token_reused, signing_key_added, signing_key_removed};
pub use self::{
    event::{
        CacheLookup, Decision, DenylistReport, EarlyRemoval, FetchOutcome, KeyFetch, KeyReport,
        KeyRotation, KeysDropped, OldKey, Outcome, RefreshOutcome, RefreshReport, RemovedKeyUse,
        Scheme, ShadowOutcome, ShadowReport, StreamEnd,
    },
    observer::Observer,
};
pub(crate) use self::{
    observers::{Observed, Observers, of_list},
    tracing::{
        Outage, Pace, ShadowRefusal, certificate_ignored, issuer_not_resolved, no_room_for_issuer,
        record_subject, refused, refused_after_passing, shadow_refused, tells_refusals,
    },
};
