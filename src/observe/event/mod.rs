//! The events that observers are told.

mod decision;
mod keys;
mod stores;
mod stream_end;

pub use self::{
    decision::{CacheLookup, Decision, Outcome, Scheme},
    keys::{
        EarlyRemoval, FetchOutcome, KeyFetch, KeyReport, KeyRotation, KeysDropped, OldKey,
        RemovedKeyUse,
    },
    stores::{DenylistReport, RefreshOutcome, RefreshReport, ShadowOutcome, ShadowReport},
    stream_end::StreamEnd,
};
