//! How often an event is written.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Lets one event in ten seconds through, and counts the others. It takes no lock, because tokens
/// that pass are counted.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// When the next event is due, in milliseconds since [`START`].
    due: AtomicU64,
    /// The number of cases since the last event.
    more: AtomicU64,
}

impl Pace {
    /// Counts a case. If it is to be reported now, this gives the number of cases before it that
    /// were not.
    pub(super) fn case(&self) -> Option<u64> {
        self.count(START.elapsed())
    }

    pub(super) fn count(&self, now: Duration) -> Option<u64> {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let (due, next) = (self.due.load(Ordering::Relaxed), now.saturating_add(PAUSE));
        let is_due = milliseconds(now) >= due
            && self
                .due
                .compare_exchange(due, milliseconds(next), Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if is_due {
            return Some(self.take_more());
        }
        self.more.fetch_add(1, Ordering::Relaxed);
        None
    }

    /// The number of cases that were not reported.
    pub(super) fn take_more(&self) -> u64 {
        self.more.swap(0, Ordering::Relaxed)
    }
}

/// Times are counted from here.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The time from one event to the next.
const PAUSE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_one_event_in_ten_seconds_with_a_count() {
        let (pace, at) = (Pace::default(), Duration::from_secs);
        assert_eq!(pace.count(at(0)), Some(0));
        assert_eq!((pace.count(at(1)), pace.count(at(9))), (None, None));
        assert_eq!(pace.count(at(10)), Some(2));
        assert_eq!((pace.count(at(19)), pace.count(at(40))), (None, Some(1)));
        // Of many at once, one is reported.
        let told = std::sync::atomic::AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        told.fetch_add(u64::from(pace.count(at(60)).is_some()), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!((told.into_inner(), pace.count(at(70))), (1, Some(7999)));
    }
}
