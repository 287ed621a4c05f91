//! Tells the observers of a verifier how often tokens come again, and how long it takes.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
    time::Instant,
};

use super::claims::Claims;
use crate::{
    error::Error,
    maybe_ready::MaybeReady,
    observe::{CacheLookup, Observers},
};

/// The observers of a verifier, and what they were told.
pub(super) struct Watch {
    observers: Observers,
    /// The size of the cache that they were told.
    told_bytes: AtomicUsize,
}

impl Watch {
    pub(super) fn new(observers: Observers) -> Self {
        Self { observers, told_bytes: AtomicUsize::new(0) }
    }

    pub(super) fn observers(&self) -> &Observers {
        &self.observers
    }

    #[inline]
    pub(super) fn looked_up(&self, lookup: CacheLookup) {
        self.observers.tell(|observer| observer.token_cache(lookup));
    }

    /// Tells the size of the cache.
    pub(super) fn resized(&self, bytes: usize) {
        let former = self.told_bytes.swap(bytes, Relaxed);
        if former != bytes {
            self.observers.tell(|observer| observer.token_cache_resized(former, bytes));
        }
    }

    /// Tells how long a verification has taken, when its answer is there.
    pub(super) fn time<C: Send + Sync + 'static>(
        &self,
        began: Instant,
        answer: MaybeReady<Result<Claims<C>, Error>>,
    ) -> MaybeReady<Result<Claims<C>, Error>> {
        match answer {
            MaybeReady::Ready(answer) => {
                self.observers.tell(|observer| observer.verified(began.elapsed()));
                MaybeReady::Ready(answer)
            }
            MaybeReady::Pending(answer) => {
                let observers = self.observers.clone();
                MaybeReady::pending(async move {
                    let answer = answer.await;
                    observers.tell(|observer| observer.verified(began.elapsed()));
                    answer
                })
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // During a panic, another one of an observer would end the process.
        if !thread::panicking() {
            self.resized(0);
        }
    }
}
