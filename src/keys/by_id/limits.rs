//! The times and limits of keys that are looked up by their ids.

use std::time::Duration;

use crate::error::ConfigError;

/// The times and limits. The setters of the builder explain each.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) lifetime: Duration,
    pub(super) max_keys: usize,
    pub(super) max_lookups: usize,
    pub(super) max_misses: usize,
    pub(super) cooldown: Duration,
    pub(super) timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lifetime: Duration::from_secs(3600),
            max_keys: 1000,
            max_lookups: 16,
            max_misses: 20,
            cooldown: Duration::from_secs(5),
            timeout: Duration::from_secs(5),
        }
    }
}

impl Limits {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let refuse = |what| Err(ConfigError::OutOfRange(what));
        let (second, month) = (Duration::from_secs(1), Duration::from_secs(30 * 24 * 3600));
        if !(second..=month).contains(&self.lifetime) {
            return refuse("the lifetime of a key that was looked up is from 1 s to 30 days");
        }
        // Anybody can ask for an id before it is published, and so keep it out for as long.
        if !(second..=60 * second).contains(&self.cooldown) {
            return refuse("the cool-down of lookups is from 1 s to 60 s");
        }
        if !(Duration::from_millis(10)..=60 * second).contains(&self.timeout) {
            return refuse("the time-out of a lookup is from 10 ms to 60 s");
        }
        if self.max_keys == 0 || self.max_lookups == 0 || self.max_misses == 0 {
            return refuse("the limits on keys, lookups and misses are at least 1");
        }
        Ok(())
    }
}
