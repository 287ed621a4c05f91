//! How many questions in vain there were lately. Anybody can cause them with made-up names.

use std::time::Duration;

/// The questions of one cool-down that brought nothing.
#[derive(Debug, Default)]
pub(crate) struct Misses {
    end: Duration,
    count: usize,
}

impl Misses {
    /// How long nothing may be asked, if there were `most`.
    pub(crate) fn pause(&self, now: Duration, most: usize) -> Option<Duration> {
        let is_full = now < self.end && self.count >= most;
        is_full.then(|| self.end.saturating_sub(now))
    }

    pub(crate) fn add(&mut self, now: Duration, cooldown: Duration) {
        if now >= self.end {
            *self = Self { end: now.saturating_add(cooldown), count: 0 };
        }
        self.count = self.count.saturating_add(1);
    }

    /// One of them was not in vain after all.
    pub(crate) fn take_back(&mut self) {
        self.count = self.count.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_questions_may_bring_nothing_in_a_cool_down() {
        let (mut misses, s) = (Misses::default(), Duration::from_secs);
        for (now, pause) in [(10, None), (12, None), (13, Some(2)), (14, Some(1)), (15, None)] {
            assert_eq!(misses.pause(s(now), 2), pause.map(s), "{now}");
            misses.add(s(now), s(5));
        }
        misses.add(s(16), s(5));
        assert!(misses.pause(s(16), 2).is_some());
        misses.take_back();
        assert!(misses.pause(s(16), 2).is_none());
    }
}
