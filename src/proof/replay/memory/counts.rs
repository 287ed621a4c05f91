//! Live proofs, counted by the second in which they expire.

use std::{collections::BTreeMap, num::NonZeroI64, time::Duration};

use super::table::Ends;

/// The numbers of proofs that expire in each second. A second that has passed is taken away as a
/// whole, so the number of live ones is exact, whatever is still in memory.
#[derive(Debug, Default)]
pub(super) struct Seconds {
    counts: BTreeMap<i64, usize>,
    live: usize,
}

impl Seconds {
    /// The number of live proofs, and the time until the first of them expires.
    pub(super) fn live(&mut self, now: i64) -> (usize, Duration) {
        let mut wait = 0;
        while let Some(first) = self.counts.first_entry() {
            wait = first.key().saturating_sub(now);
            if wait > 0 {
                break;
            }
            self.live = self.live.saturating_sub(first.remove());
        }
        (self.live, seconds(wait))
    }

    pub(super) fn add(&mut self, end: i64, proofs: usize) {
        *self.counts.entry(end).or_default() += proofs;
        self.live += proofs;
    }

    /// The number of live proofs when it was last asked for.
    pub(super) fn last(&self) -> usize {
        self.live
    }
}

/// The live proofs of one key. Most keys have one or two, and take no more memory than that.
pub(super) enum Counts {
    /// All of them expire in the same second.
    One {
        end: i64,
        count: u32,
    },
    Many(Box<Seconds>),
}

impl Counts {
    /// The first proof of a key.
    pub(super) fn first(end: i64) -> Self {
        Self::One { end, count: 1 }
    }

    /// The number of live proofs, and the time until the first of them expires.
    pub(super) fn live(&mut self, now: i64) -> (usize, Duration) {
        match self {
            Self::One { end, .. } if *end <= now => (0, Duration::ZERO),
            Self::One { end, count } => {
                (usize::try_from(*count).unwrap_or(usize::MAX), seconds(end.saturating_sub(now)))
            }
            Self::Many(all) => all.live(now),
        }
    }

    /// Adds a live proof.
    pub(super) fn add(&mut self, end: i64, now: i64) {
        if self.live(now).0 == 0 {
            *self = Self::first(end);
            return;
        }
        match self {
            Self::One { end: former, count } if *former == end => *count = count.saturating_add(1),
            Self::One { end: former, count } => {
                let mut all = Box::<Seconds>::default();
                all.add(*former, usize::try_from(*count).unwrap_or(usize::MAX));
                all.add(end, 1);
                *self = Self::Many(all);
            }
            Self::Many(all) => all.add(end, 1),
        }
    }
}

impl Ends for Counts {
    fn end(&self) -> i64 {
        match self {
            Self::One { end, .. } => *end,
            Self::Many(all) => all.counts.last_key_value().map_or(i64::MIN, |(end, _)| *end),
        }
    }
}

/// The end of a proof. It takes no more memory if it may be absent.
#[derive(Clone, Copy)]
pub(super) struct End(NonZeroI64);

impl End {
    pub(super) fn at(second: i64) -> Self {
        // The first second of 1970 is taken for the next one.
        Self(NonZeroI64::new(second).unwrap_or(ONE))
    }
}

impl Ends for End {
    fn end(&self) -> i64 {
        self.0.get()
    }
}

const ONE: NonZeroI64 = NonZeroI64::new(1).expect("1 is not 0");

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}
