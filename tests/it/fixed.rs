//! What is the same in all tests: the issuer, the audience and the time.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tower_jwt_auth::clock::Clock;

pub(crate) const ISSUER: &str = "https://login.example.com";
pub(crate) const AUDIENCE: &str = "https://api.example.com";
/// What [`FixedClock`] says unless it is told otherwise.
pub(crate) const NOW: u64 = 1_800_000_000;

/// A clock that stands where it is put.
#[derive(Clone)]
pub(crate) struct FixedClock(Arc<Mutex<SystemTime>>);

impl Default for FixedClock {
    fn default() -> Self {
        Self::at(UNIX_EPOCH + Duration::from_secs(NOW))
    }
}

impl FixedClock {
    pub(crate) fn at(time: SystemTime) -> Self {
        Self(Arc::new(Mutex::new(time)))
    }

    pub(crate) fn set(&self, time: SystemTime) {
        *self.0.lock().unwrap() = time;
    }
}

impl Clock for FixedClock {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }
}
