//! A clock that a test moves.

use std::{
    collections::HashMap,
    fmt, mem, ptr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::clock::{Clock, unix_seconds};

/// A clock that a test moves; cheap to clone, and all clones show the same time.
///
/// Its time changes only when it is moved. Give the same clock to everything that decides by the time:
/// [`TestIssuer::with_clock`](super::TestIssuer::with_clock) gives it to the verifiers that
/// [`verifier_builder`](super::TestIssuer::verifier_builder) starts, and the builders of verifiers,
/// stores, issuers and refresh tokens have a method `clock`. `Sessions` uses that of its issuer. A part
/// with another clock decides by another time, and nothing warns: refresh tokens do not expire when this
/// clock is moved, and a revocation by the time of 2001 is over for a
/// [`TestDenylist`](super::TestDenylist) with the clock of the system.
///
/// Pauses and time-outs, such as the interval at which keys are fetched, are tokio's: it does not
/// move them. [Streams that end](crate::validity) are looked at as soon as it is moved.
///
/// # Example: a token expires
/// ```
/// use std::time::Duration;
/// use tower_jwt_auth::testing::{TestClock, TestIssuer, assert_accepted, assert_refused};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let clock = TestClock::new();
/// let issuer = TestIssuer::new().with_clock(clock.clone());
/// let verifier = issuer.verifier();
///
/// let token = issuer.token().expires_in(Duration::from_secs(300)).sign();
/// assert_accepted(&verifier.verify(&token).await);
/// clock.advance(Duration::from_secs(361)); // 60 s leeway
/// assert_refused(&verifier.verify(&token).await, "expired");
/// # }
/// ```
#[derive(Clone)]
pub struct TestClock(Arc<Inner>);

struct Inner {
    now: Mutex<SystemTime>,
    /// The tasks to wake when the clock is moved, each once.
    wakers: Mutex<HashMap<Task, Waker>>,
}

/// The addresses of a waker's data and functions: two wakers with the same ones wake the same task.
type Task = (usize, usize);

impl TestClock {
    /// A clock that shows the time of the system at this moment, without the fraction of the
    /// second. So it also fits parts that use the system's clock, for as long as it is not moved.
    #[must_use]
    pub fn new() -> Self {
        let seconds = u64::try_from(unix_seconds(SystemTime::now())).unwrap_or_default();
        Self::at(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    /// A clock that shows this time.
    #[must_use]
    pub fn at(time: SystemTime) -> Self {
        Self(Arc::new(Inner { now: Mutex::new(time), wakers: Mutex::default() }))
    }

    /// Sets the time, which may be earlier than before.
    pub fn set(&self, time: SystemTime) {
        self.change(|now| *now = time);
    }

    /// Moves the clock forward.
    pub fn advance(&self, time: Duration) {
        self.change(|now| *now += time);
    }

    /// Moves the clock back, such as a machine whose clock was ahead and is set by NTP.
    pub fn rewind(&self, time: Duration) {
        self.change(|now| *now -= time);
    }

    /// The time in whole seconds since 1970-01-01T00:00:00Z, as claims have it.
    #[must_use]
    pub fn unix_seconds(&self) -> i64 {
        unix_seconds(self.now())
    }

    fn change(&self, change: impl FnOnce(&mut SystemTime)) {
        // A time that cannot be expressed panics before it is stored.
        change(&mut self.0.now.lock().unwrap_or_else(PoisonError::into_inner));
        let wakers = mem::take(&mut *self.wakers());
        wakers.into_values().for_each(Waker::wake);
    }

    fn wakers(&self) -> MutexGuard<'_, HashMap<Task, Waker>> {
        self.0.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        *self.0.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_when_moved(&self, waker: &Waker) {
        let task = (waker.data().addr(), ptr::from_ref(waker.vtable()).addr());
        self.wakers().insert(task, waker.clone());
    }
}

impl Default for TestClock {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TestClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TestClock").field(&self.now()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::Wake,
    };

    use super::*;

    #[test]
    fn all_clones_are_moved() {
        let clock = TestClock::at(UNIX_EPOCH + Duration::from_secs(100));
        let clone = clock.clone();
        clock.advance(Duration::from_secs(20));
        clone.rewind(Duration::from_secs(5));
        assert_eq!((clock.unix_seconds(), clone.unix_seconds()), (115, 115));
        clone.set(UNIX_EPOCH);
        assert_eq!(clock.now(), UNIX_EPOCH);
    }

    #[test]
    fn a_move_wakes_each_task_once() {
        #[derive(Default)]
        struct Task(AtomicUsize);

        impl Wake for Task {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }

        let (clock, tasks) = (TestClock::new(), [(); 2].map(|()| Arc::<Task>::default()));
        for _ in 0..3 {
            tasks.iter().for_each(|task| clock.wake_when_moved(&Arc::clone(task).into()));
        }
        assert_eq!(clock.wakers().len(), 2, "a task that asks again takes no more memory");
        clock.clone().advance(Duration::from_secs(1));
        clock.advance(Duration::from_secs(1));
        assert_eq!(tasks.map(|task| task.0.load(Ordering::SeqCst)), [1, 1]);
    }
}
