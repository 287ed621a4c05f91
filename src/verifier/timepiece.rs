//! The time by which claims are judged after they were verified.

use std::{fmt, sync::Arc};

#[cfg(feature = "test-util")]
use crate::clock::SystemClock;
use crate::{
    claims::NumericDate,
    clock::{Clock, unix_seconds},
};

/// The clock of the verifier that has verified a token, and its leeway.
///
/// A policy gets nothing but claims, and a second clock could say something else than the
/// verifier's.
#[derive(Clone)]
pub(super) struct Timepiece {
    clock: Arc<dyn Clock>,
    /// In seconds.
    leeway: i64,
}

impl Timepiece {
    #[inline]
    pub(super) fn new(clock: &Arc<dyn Clock>, leeway: i64) -> Self {
        Self { clock: Arc::clone(clock), leeway }
    }

    /// The clock of the system, with the leeway of a verifier that was given none.
    #[cfg(feature = "test-util")]
    pub(super) fn of_system() -> Self {
        Self { clock: Arc::new(SystemClock), leeway: 60 }
    }

    /// Another clock with the same leeway.
    #[cfg(feature = "test-util")]
    pub(super) fn with_clock(&self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, leeway: self.leeway }
    }

    /// Whether a time is at most so many seconds ago, and not in the future. A fraction of a second
    /// counts against it.
    pub(super) fn is_within(&self, time: NumericDate, max_age: i64) -> bool {
        let now = unix_seconds(self.clock.now());
        let until = time.floor().saturating_add(max_age).saturating_add(self.leeway);
        now <= until && time.ceil() <= now.saturating_add(self.leeway)
    }
}

impl fmt::Debug for Timepiece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timepiece").field("leeway", &self.leeway).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use super::*;

    struct At(u64);

    impl Clock for At {
        fn now(&self) -> SystemTime {
            UNIX_EPOCH + Duration::from_secs(self.0)
        }
    }

    fn is_within(auth_time: &str, now: u64, max_age: i64) -> bool {
        let clock: Arc<dyn Clock> = Arc::new(At(now));
        let time = serde_json::from_str(auth_time).unwrap();
        Timepiece::new(&clock, 60).is_within(time, max_age)
    }

    #[test]
    fn both_ends_have_the_leeway() {
        for (auth_time, now, within) in [
            ("1000", 1000, true),
            ("1000", 1360, true),
            ("1000", 1361, false),
            ("1000.9", 1360, true),
            ("1000.9", 1361, false),
            ("1000", 940, true),
            ("1000", 939, false),
            ("1000.1", 940, false),
            ("0", 1_800_000_000, false),
        ] {
            assert_eq!(is_within(auth_time, now, 300), within, "{auth_time} at {now}");
        }
        assert!(is_within("1000", 1060, 0) && !is_within("1000", 1061, 0));
        assert!(is_within("1000", u64::from(u32::MAX), i64::MAX), "it does not overflow");
    }
}
