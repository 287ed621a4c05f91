//! The source of the current time. Implement [`Clock`] to set the time in a test.

// The only file that asks the system for the time.

use std::{
    sync::Arc,
    task::Waker,
    time::{SystemTime, UNIX_EPOCH},
};

/// A source of the current time.
///
/// A verifier uses [`SystemClock`] unless it is given another one. A test can give it a clock that
/// the test sets.
///
/// # Example: a clock that stands still
/// ```
/// use std::time::{Duration, SystemTime, UNIX_EPOCH};
/// use tower_jwt_auth::clock::Clock;
///
/// #[derive(Debug)]
/// struct Noon;
///
/// impl Clock for Noon {
///     fn now(&self) -> SystemTime {
///         UNIX_EPOCH + Duration::from_secs(1_800_000_000)
///     }
/// }
/// assert_eq!(Noon.now(), Noon.now());
/// ```
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> SystemTime;

    /// Wakes this waker when the clock is moved, once. A clock that a test moves implements it, so that
    /// a [stream that ends](crate::validity) ends as soon as the test moves the clock to its end. Default:
    /// it does nothing, and such a move is noticed within 30 s.
    fn wake_when_moved(&self, waker: &Waker) {
        _ = waker;
    }
}

/// The clock of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

impl<T: Clock + ?Sized> Clock for Arc<T> {
    fn now(&self) -> SystemTime {
        (**self).now()
    }

    fn wake_when_moved(&self, waker: &Waker) {
        (**self).wake_when_moved(waker);
    }
}

/// Whole seconds since 1970-01-01T00:00:00Z, negative before it, without leap
/// seconds: the scale of a NumericDate (RFC 7519 §2).
pub(crate) fn unix_seconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_secs())
            .map_or(i64::MIN, |seconds| seconds.saturating_neg().saturating_sub(1)),
    }
}

/// Whether the clock was set back to before `then`, by more than clocks are corrected in their
/// normal course. Knowledge from that time must not last longer because of it.
pub(crate) fn is_set_back(now: i64, then: i64) -> bool {
    now < then.saturating_sub(CORRECTION)
}

/// The largest step back, in seconds, that counts as a correction.
const CORRECTION: i64 = 60;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn seconds_count_from_1970() {
        assert_eq!(unix_seconds(UNIX_EPOCH), 0);
        assert_eq!(unix_seconds(UNIX_EPOCH + Duration::from_millis(1_999)), 1);
        assert!(unix_seconds(UNIX_EPOCH - Duration::from_millis(1)) < 0);
        assert!(unix_seconds(SystemTime::now()) > 1_700_000_000);
    }
}
