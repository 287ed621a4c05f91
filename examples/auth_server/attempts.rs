//! A limit to guessing passwords.
//!
//! It counts by email, in this process. A real service has more: a limit by address, one
//! count for all processes, and a way for a user to come in whom a stranger keeps out.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

#[derive(Default)]
pub(crate) struct Attempts(Mutex<HashMap<String, Failures>>);

struct Failures {
    since: Instant,
    count: u32,
}

const MOST: u32 = 10;
const WINDOW: Duration = Duration::from_secs(5 * 60);
/// More emails than this are not remembered: the oldest go that still may try.
const EMAILS: usize = 10_000;

impl Attempts {
    /// Counts an attempt as failed until it is known to be none, so that many at once do not
    /// pass. Where there were too many, it says how long to wait.
    pub(crate) fn begin(&self, email: &str) -> Result<(), Duration> {
        let (mut all, now) =
            (self.0.lock().unwrap_or_else(PoisonError::into_inner), Instant::now());
        if all.len() >= EMAILS && !all.contains_key(email) {
            all.retain(|_, failures| now - failures.since < WINDOW);
            if all.len() >= EMAILS {
                // Not one that is kept out: or a flood of other emails would let it in.
                let passing = all.iter().filter(|(_, failures)| failures.count < MOST);
                let oldest = passing.min_by_key(|(_, failures)| failures.since);
                let Some(oldest) = oldest.map(|(email, _)| email.clone()) else {
                    return Err(WINDOW);
                };
                all.remove(&oldest);
            }
        }
        let failures = all.entry(email.into()).or_insert(Failures { since: now, count: 0 });
        let passed = now - failures.since;
        if passed >= WINDOW {
            *failures = Failures { since: now, count: 0 };
        } else if failures.count >= MOST {
            return Err(WINDOW - passed);
        }
        failures.count += 1;
        Ok(())
    }

    /// Nobody knows whether an attempt was a wrong guess, by a fault of ours.
    pub(crate) fn was_not_decided(&self, email: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(failures) = all.get_mut(email) {
            failures.count = failures.count.saturating_sub(1);
        }
    }

    pub(crate) fn succeeded(&self, email: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(email);
    }
}
