//! The intervals, time-outs and limits of a [`RemoteKeys`](super::RemoteKeys).

use std::{ops::RangeInclusive, time::Duration};

use crate::error::ConfigError;

/// The intervals, time-outs and limits. The setters of the builder explain each.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) connect_timeout: Duration,
    pub(super) timeout: Duration,
    pub(super) max_body: usize,
    pub(super) max_keys: usize,
    pub(super) refresh: RangeInclusive<Duration>,
    pub(super) default_refresh: Duration,
    pub(super) jitter: f64,
    pub(super) cooldown: Duration,
    pub(super) max_wait: Duration,
    pub(super) retry: RangeInclusive<Duration>,
    pub(super) max_stale: Duration,
    /// The age from which a key is reported as old.
    pub(super) old_after: Option<Duration>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            timeout: Duration::from_secs(5),
            max_body: 512 * 1024,
            max_keys: 100,
            refresh: SHORTEST_REFRESH..=LONGEST_REFRESH,
            default_refresh: DEFAULT_REFRESH,
            jitter: 0.1,
            cooldown: Duration::from_secs(5),
            max_wait: Duration::from_secs(5),
            retry: FIRST_RETRY..=LAST_RETRY,
            max_stale: Duration::from_secs(24 * 3600),
            old_after: None,
        }
    }
}

impl Policy {
    /// Refuses values with which the service would fetch without a pause, or never.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let refuse = |what| Err(ConfigError::OutOfRange(what));
        for range in [&self.refresh, &self.retry] {
            if range.start() > range.end() || *range.start() < SHORTEST || *range.end() > LONGEST {
                return refuse(
                    "the time between two fetches is from 10 ms to 30 days, the shorter one first",
                );
            }
        }
        let times = [self.default_refresh, self.connect_timeout, self.timeout, self.max_wait];
        if times.iter().any(|time| *time < SHORTEST || *time > LONGEST) {
            return refuse("a time-out, and a time between two fetches, is from 10 ms to 30 days");
        }
        if self.cooldown > LONGEST {
            return refuse("the cool-down is at most 30 days");
        }
        if !(Duration::from_secs(1)..=LONGEST).contains(&self.max_stale) {
            return refuse("how long keys may be stale is from 1 s to 30 days");
        }
        if self.max_body == 0 || self.max_keys == 0 {
            return refuse("the limits on a document's bytes and keys are at least 1");
        }
        if !(0.0..=0.5).contains(&self.jitter) {
            return refuse("the jitter is from 0 to 0.5");
        }
        Ok(())
    }
}

// Defaults for the other side of a range of which only one side is set.
pub(crate) const SHORTEST_REFRESH: Duration = Duration::from_secs(60);
pub(crate) const LONGEST_REFRESH: Duration = Duration::from_secs(24 * 3600);
pub(crate) const DEFAULT_REFRESH: Duration = Duration::from_secs(600);
pub(crate) const FIRST_RETRY: Duration = Duration::from_secs(1);
pub(crate) const LAST_RETRY: Duration = Duration::from_secs(60);

const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);
