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
        let (second, day) = (Duration::from_secs(1), Duration::from_secs(24 * 3600));
        if !(second..=30 * day).contains(&self.lifetime) {
            return refuse("the lifetime of a key that was looked up is from 1 s to 30 days");
        }
        if !(second..=day).contains(&self.cooldown) {
            return refuse("the cool-down of lookups is from 1 s to 1 day");
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

/// The lookups of one cool-down that found no key.
#[derive(Debug, Default)]
pub(super) struct Misses {
    end: Duration,
    count: usize,
}

impl Misses {
    /// How long no lookup may begin, if there were too many.
    pub(super) fn pause(&self, now: Duration, limits: &Limits) -> Option<Duration> {
        let is_full = now < self.end && self.count >= limits.max_misses;
        is_full.then(|| self.end.saturating_sub(now))
    }

    pub(super) fn add(&mut self, now: Duration, limits: &Limits) {
        if now >= self.end {
            *self = Self { end: now.saturating_add(limits.cooldown), count: 0 };
        }
        self.count = self.count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_lookups_may_find_nothing_in_a_cool_down() {
        let limits = Limits { max_misses: 2, ..Limits::default() };
        let (mut misses, s) = (Misses::default(), Duration::from_secs);
        for (now, pause) in [(10, None), (12, None), (13, Some(2)), (14, Some(1)), (15, None)] {
            assert_eq!(misses.pause(s(now), &limits), pause.map(s), "{now}");
            misses.add(s(now), &limits);
        }
    }
}
