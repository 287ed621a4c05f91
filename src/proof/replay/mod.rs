//! Stores of the proofs that were presented (RFC 9449 §11.1).

mod memory;

use std::{sync::Arc, time::Duration};

pub use self::memory::{MemoryReplayStore, MemoryReplayStoreBuilder};

use crate::{digest::Thumbprint, error::StoreError, maybe_ready::MaybeReady};

/// Remembers the proofs that were presented, so that each is accepted once (RFC 9449 §11.1).
///
/// [`MemoryReplayStore`] serves one process. Several processes that accept the same proofs must
/// share a store, such as `RedisReplayStore` (feature `redis`), and must have the same time window.
/// Implement the trait for a store of your own; `testing::conformance::replay_store` (feature
/// `test-util`) tests it.
///
/// # Rules
///
/// 1. A proof is live until [`expires_at`](PresentedProof::expires_at). While it is live, its
///    [`id`](PresentedProof::id) is not inserted a second time.
/// 2. A live proof is never removed to make room. A store that is full refuses new proofs.
/// 3. One key cannot fill the store. If it has as many live proofs as one key may have, the answer
///    is [`TooManyOfKey`](Insertion::TooManyOfKey), even if the store is full, too.
/// 4. A store that does not know fails. The verifier then answers 503.
pub trait ReplayStore: Send + Sync + 'static {
    /// Inserts a proof unless it is there, in one step: of several calls at once with the same
    /// proof, one gets [`Inserted`](Insertion::Inserted). Called after all other checks of the proof
    /// and the token, and after the denylist.
    ///
    /// # Errors
    ///
    /// The store cannot be reached. The proof may have been inserted.
    fn insert(&self, proof: PresentedProof) -> MaybeReady<Result<Insertion, StoreError>>;
}

impl<S: ReplayStore + ?Sized> ReplayStore for Arc<S> {
    fn insert(&self, proof: PresentedProof) -> MaybeReady<Result<Insertion, StoreError>> {
        (**self).insert(proof)
    }
}

/// A proof that was presented, and has passed every other check. It has nothing secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PresentedProof {
    /// The thumbprint of the key that has signed it (`jkt`).
    pub key: Thumbprint,
    /// The SHA-256 of the key and of the proof's `jti`, so that nobody can spend the proof of another
    /// key. A store may keep only its first 16 bytes.
    pub id: Thumbprint,
    /// The current time, in seconds since 1970.
    pub now: i64,
    /// The first second in which it is no longer accepted, since 1970. It follows from the time in
    /// the proof, and is after `now`.
    pub expires_at: i64,
}

impl PresentedProof {
    /// A proof, for tests of a store. The verifier makes those of requests.
    #[must_use]
    pub fn new(key: Thumbprint, id: Thumbprint, now: i64, expires_at: i64) -> Self {
        Self { key, id, now, expires_at }
    }
}

/// The answer of a [`ReplayStore`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Insertion {
    /// The proof was not there, and is now.
    Inserted,
    /// It was there. The answer to the client is 401.
    Replayed,
    /// The key has as many live proofs as one key may have. The answer to the client is 429.
    TooManyOfKey {
        /// The time until the first of these proofs expires.
        retry_after: Duration,
    },
    /// The store has as many live proofs as it may have. The answer to the client is 503.
    Full {
        /// The time until the first of these proofs expires.
        retry_after: Duration,
    },
}
