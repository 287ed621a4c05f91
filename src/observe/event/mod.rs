//! The events that observers are told.

mod decision;
mod keys;
mod stores;

pub use self::{
    decision::{CacheLookup, Decision, Outcome, Scheme},
    keys::{
        EarlyRemoval, FetchOutcome, KeyFetch, KeyReport, KeyRotation, KeysDropped, OldKey,
        RemovedKeyUse,
    },
    stores::{DenylistReport, RefreshOutcome, RefreshReport, ShadowOutcome, ShadowReport},
};
