//! Stores of the proofs that were presented (RFC 9449 §11.1).

use std::{sync::Arc, time::Duration};

use crate::{digest::Thumbprint, error::StoreError, maybe_ready::MaybeReady};

/// Remembers the proofs that were presented, so that each is accepted once (RFC 9449 §11.1).
///
/// Implement it for a store of your own. Several processes that accept the same proofs must share
/// one.
pub trait ReplayStore: Send + Sync + 'static {
    /// Adds a proof if it is not there yet, in one step. All other checks of the proof come before.
    /// What is there must not be removed before its time is over.
    ///
    /// # Errors
    ///
    /// The store cannot be reached. The proof may have been added.
    fn insert(&self, proof: PresentedProof) -> MaybeReady<Result<Insertion, StoreError>>;
}

impl<S: ReplayStore + ?Sized> ReplayStore for Arc<S> {
    fn insert(&self, proof: PresentedProof) -> MaybeReady<Result<Insertion, StoreError>> {
        (**self).insert(proof)
    }
}

/// A proof that was presented, and has passed every other check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PresentedProof {
    /// The key that has signed it (`jkt`).
    pub key: Thumbprint,
    /// The SHA-256 of the key and of the proof's `jti`, so that nobody can spend the proof of another
    /// key.
    pub id: Thumbprint,
    /// The current time, in seconds since 1970.
    pub now: i64,
    /// When it stops being accepted, in seconds since 1970: after `now`.
    pub expires_at: i64,
}

/// The answer of a [`ReplayStore`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Insertion {
    /// The proof was not there, and is now.
    Inserted,
    /// It was there.
    Replayed,
    /// This key has as many live proofs as one may have. The answer to the client is 429.
    #[non_exhaustive]
    TooManyOfKey {
        /// When it is sensible to ask again.
        retry_after: Duration,
    },
    /// The store has no room for a live proof. The answer to the client is 503.
    #[non_exhaustive]
    Full {
        /// When it is sensible to ask again.
        retry_after: Duration,
    },
}
