//! Faults that last: their beginning, one event in ten seconds, and their end.

use std::{
    error::Error as StdError,
    sync::atomic::{AtomicBool, Ordering},
};

#[cfg(any(feature = "issue", feature = "redis"))]
use std::fmt;
#[cfg(feature = "issue")]
use std::path::Path;

use super::pace::Pace;
use crate::error::{Error, StoreError};

/// Reports the failures of one store: one event in ten seconds.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    /// Whether the last answer was a failure.
    down: AtomicBool,
    /// Whether the end is to be reported.
    open: AtomicBool,
    pace: Pace,
}

impl Outage {
    /// Takes the answer of a store, and reports when the store begins or ceases to fail. The
    /// failed request itself is then reported at debug level only.
    #[inline]
    pub(crate) fn record<T>(
        &self,
        store: &'static str,
        answer: Result<T, StoreError>,
    ) -> Result<T, Error> {
        match answer {
            Ok(answer) => {
                self.answered(store);
                Ok(answer)
            }
            Err(error) => Err(self.failed(store, error)),
        }
    }

    /// Reports that a token passes although the denylist has not answered, because the verifier
    /// is configured to fail open.
    #[cold]
    pub(crate) fn passed_unchecked(&self, error: StoreError) {
        if let Some(more) = self.begin() {
            let cause = cause_of(&Error::from(error));
            event!(error, cause = %cause, more, "tokens pass unchecked: the denylist does not answer");
        }
    }

    /// Reports that the denylist in the store cannot be followed.
    #[cfg(feature = "redis")]
    pub(crate) fn not_followed(&self, cause: &dyn fmt::Display) {
        if let Some(more) = self.begin() {
            event!(warn, reason = %cause, more, "the denylist cannot be followed");
        }
    }

    /// Reports that the denylist in the store is followed again.
    #[cfg(feature = "redis")]
    pub(crate) fn followed(&self) {
        if self.end().is_some() {
            event!(info, "the denylist is followed again");
        }
    }

    /// Reports that the application's lookup of a key has failed, with its own text as the cause.
    pub(crate) fn not_looked_up(&self, cause: &(dyn StdError + 'static)) {
        if let Some(more) = self.begin() {
            event!(warn, cause = %cause, more, "a key cannot be looked up");
        }
    }

    /// Reports that keys can be looked up again.
    pub(crate) fn looked_up(&self) {
        if self.end().is_some() {
            event!(info, "keys can be looked up again");
        }
    }

    /// Reports that a directory of signing keys cannot be read again. With `urgent`, a key may be in
    /// use whose file was removed.
    #[cfg(feature = "issue")]
    pub(crate) fn signing_keys_not_reread(&self, cause: &dyn fmt::Display, urgent: bool) {
        let Some(more) = self.begin() else { return };
        if urgent {
            event!(
                error,
                reason = %cause,
                more,
                "signing keys cannot be reread: keys whose files were removed remain in use"
            );
        } else {
            event!(warn, reason = %cause, more, "signing keys cannot be reread, they remain as they are");
        }
    }

    /// Reports that a directory of signing keys can be read again.
    #[cfg(feature = "issue")]
    pub(crate) fn signing_keys_reread(&self, directory: &Path) {
        if self.end().is_some() {
            event!(info, directory = %directory.display(), "signing keys can be reread");
        }
    }

    #[inline]
    fn answered(&self, store: &'static str) {
        if self.down.load(Ordering::Relaxed)
            && let Some(more) = self.end()
        {
            event!(info, store, more, "a store answers again");
        }
    }

    #[cold]
    fn failed(&self, store: &'static str, error: StoreError) -> Error {
        let error = Error::from(error);
        error.set_told();
        if let Some(more) = self.begin() {
            let cause = cause_of(&error);
            event!(
                error,
                store,
                cause = %cause,
                more,
                "a store does not answer, requests are not decided"
            );
        }
        error
    }

    /// Counts a failure. If it is to be reported, this gives the number of failures before it
    /// that were not.
    pub(super) fn begin(&self) -> Option<u64> {
        self.down.store(true, Ordering::Relaxed);
        self.opened(self.pace.case())
    }

    fn opened(&self, more: Option<u64>) -> Option<u64> {
        if more.is_some() {
            self.open.store(true, Ordering::Relaxed);
        }
        more
    }

    /// Ends the outage. If its beginning was reported, this gives the number of failures that
    /// were not; otherwise a store that fails every other time would be reported each time.
    pub(super) fn end(&self) -> Option<u64> {
        let was_down = self.down.swap(false, Ordering::Relaxed);
        let is_open = was_down && self.open.swap(false, Ordering::Relaxed);
        is_open.then(|| self.pace.take_more())
    }
}

fn cause_of(error: &Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_outage_is_one_event_in_ten_seconds_with_a_count() {
        let outage = Outage::default();
        let count = |seconds| {
            outage.down.store(true, Ordering::Relaxed);
            outage.opened(outage.pace.count(Duration::from_secs(seconds)))
        };
        assert_eq!(count(0), Some(0));
        assert_eq!((count(1), count(9)), (None, None));
        assert_eq!(count(10), Some(2));
        assert_eq!(count(11), None);
        assert_eq!((outage.end(), outage.end()), (Some(1), None));
        // Another one is told at once only if the last one was told long enough ago.
        assert_eq!((count(12), outage.end()), (None, None));
        assert_eq!(count(20), Some(1));
    }
}
