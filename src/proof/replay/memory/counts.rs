//! Live proofs, counted by the second in which they expire.

use std::{collections::BTreeMap, mem, num::NonZeroI64, time::Duration};

use super::table::Ends;

/// The numbers of proofs that expire in each second. A second that has passed is taken away as a
/// whole, so the number of live ones is exact, whatever is still in memory.
///
/// Most proofs expire in the second that the one before expires in. So that second is kept beside the
/// others, as is the first of all: an insert then reads nothing else.
#[derive(Debug)]
pub(super) struct Seconds {
    live: usize,
    /// The first second with live proofs, or [`i64::MAX`].
    first: i64,
    /// The second of the last proof, which is not among the others, and its number.
    last: (i64, usize),
    others: BTreeMap<i64, usize>,
}

impl Seconds {
    /// The number of live proofs, and the time until the first of them expires.
    pub(super) fn live(&mut self, now: i64) -> (usize, Duration) {
        if self.first <= now {
            self.remove_until(now);
        }
        (self.live, seconds(self.first.saturating_sub(now)))
    }

    fn remove_until(&mut self, now: i64) {
        let live = match now.checked_add(1) {
            Some(next) => self.others.split_off(&next),
            None => BTreeMap::new(),
        };
        let over: usize = mem::replace(&mut self.others, live).into_values().sum();
        self.live = self.live.saturating_sub(over);
        if self.last.0 <= now {
            self.live = self.live.saturating_sub(mem::take(&mut self.last.1));
        }
        let last = if self.last.1 > 0 { self.last.0 } else { i64::MAX };
        self.first = self.others.first_key_value().map_or(last, |(first, _)| last.min(*first));
    }

    pub(super) fn add(&mut self, end: i64, proofs: usize) {
        if self.last.0 != end {
            let former = mem::replace(&mut self.last, (end, 0));
            if former.1 > 0 {
                self.others.insert(former.0, former.1);
            }
            self.last.1 = self.others.remove(&end).unwrap_or_default();
        }
        self.last.1 += proofs;
        self.live += proofs;
        self.first = self.first.min(end);
    }

    /// The number of live proofs when it was last asked for.
    pub(super) fn last(&self) -> usize {
        self.live
    }
}

impl Default for Seconds {
    fn default() -> Self {
        Self { live: 0, first: i64::MAX, last: (i64::MIN, 0), others: BTreeMap::new() }
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
            Self::Many(all) => {
                let others = all.others.last_key_value().map_or(i64::MIN, |(end, _)| *end);
                all.last.0.max(others)
            }
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
