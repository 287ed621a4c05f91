//! The plan of fetches. It has no I/O and no clock: `now` is an argument, the time since the keys
//! were set up.
//!
//! | event | next fetch |
//! |---|---|
//! | a fetch succeeds | when its answer says, within bounds |
//! | a fetch that was due fails | after a pause that doubles each time |
//! | a token has an unknown key | now, or at the end of the cool-down |
//! | a fetch for a token fails, and none was due | after the cool-down, and after a pause that doubles |
//!
//! Anybody can make up tokens. They cause at most one fetch in each cool-down, whatever the
//! provider answers.

use std::time::Duration;

use super::policy::Policy;

/// The plan.
#[derive(Debug)]
pub(super) struct RefreshSchedule {
    /// When the next fetch begins.
    next: Duration,
    /// When the keys are due, whether or not a token or the application asks for a fetch.
    due: Duration,
    /// When the fetch that is under way began.
    under_way: Option<Duration>,
    /// Whether the next fetch, or the one under way, is for a token.
    for_token: bool,
    /// Whether a token waits for the next fetch, and whether one waits for the fetch that was
    /// already under way.
    awaited: bool,
    joined: bool,
    /// The end of the cool-down: no token causes a fetch before.
    cool: Duration,
    /// How many fetches that were due, and how many for a token, have failed since the last
    /// success.
    failures: u32,
    token_failures: u32,
}

/// The decision on a request for new keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FetchDecision {
    /// A fetch begins now.
    Granted,
    /// A fetch is under way. It may have begun too early to bring the key.
    Shared,
    /// A fetch begins after this pause.
    Later(Duration),
}

impl RefreshSchedule {
    /// A plan whose first fetch is due at once.
    pub(super) fn new() -> Self {
        Self {
            next: Duration::ZERO,
            due: Duration::ZERO,
            under_way: None,
            for_token: false,
            awaited: false,
            joined: false,
            cool: Duration::ZERO,
            failures: 0,
            token_failures: 0,
        }
    }

    /// When the next fetch begins.
    pub(super) fn next(&self) -> Duration {
        self.next
    }

    /// The time until the next fetch; `None` while one is under way.
    pub(super) fn pause(&self, now: Duration) -> Option<Duration> {
        self.under_way.is_none().then(|| self.next.saturating_sub(now))
    }

    /// Whether a fetch should have begun or ended so long ago that its task does not run.
    pub(super) fn is_overdue(&self, now: Duration, policy: &Policy) -> bool {
        let expected = match self.under_way {
            Some(began) => began.saturating_add(policy.timeout),
            None => self.next,
        };
        expected.saturating_add(PATIENCE) < now
    }

    /// Decides on a fetch for a token whose key is missing.
    pub(super) fn decide(&mut self, now: Duration) -> FetchDecision {
        if self.under_way.is_some() {
            self.joined = true;
            return FetchDecision::Shared;
        }
        if self.next <= now {
            self.awaited = true;
            return FetchDecision::Granted;
        }
        if now < self.cool {
            // A failed fetch is retried after its own pause.
            if self.token_failures == 0 && self.failures == 0 && self.cool < self.next {
                self.for_token = true;
                self.next = self.cool;
            }
            return FetchDecision::Later(self.next.min(self.cool).saturating_sub(now));
        }
        self.for_token = true;
        self.next = now;
        FetchDecision::Granted
    }

    /// Plans a fetch for the application.
    pub(super) fn demand(&mut self, now: Duration) {
        if self.under_way.is_none() {
            self.next = self.next.min(now);
        }
    }

    /// Whether the next fetch, or the one under way, is for a token.
    pub(super) fn is_for_token(&self) -> bool {
        self.for_token
    }

    /// Begins a fetch if it is time, and returns whether it is.
    pub(super) fn begin(&mut self, now: Duration, policy: &Policy) -> bool {
        if now < self.next {
            return false;
        }
        self.under_way = Some(now);
        self.cool_down(now, policy);
        true
    }

    /// Gives up the fetch that is under way, because its task has ended. If the fetch was for a
    /// token, its cool-down still applies.
    pub(super) fn abandon(&mut self, now: Duration) {
        if self.under_way.take().is_some() {
            self.next = now.max(self.cool);
        }
    }

    /// Notes that the fetch has brought keys, and plans the next one. `fresh` is the freshness
    /// lifetime that the provider states; `chance` is from -1 to 1.
    pub(super) fn succeeded(
        &mut self,
        now: Duration,
        fresh: Option<Duration>,
        chance: f64,
        policy: &Policy,
    ) {
        self.end(now, policy);
        (self.failures, self.token_failures) = (0, 0);
        // This leaves time to retry before the keys are too old.
        let longest = (*policy.refresh.end()).min(policy.max_stale * 3 / 4);
        let shortest = (*policy.refresh.start()).min(longest);
        let pause = fresh.unwrap_or(policy.default_refresh).clamp(shortest, longest);
        // Chance does not exceed the configured bounds.
        self.due = now.saturating_add(spread(pause, chance, policy).clamp(shortest, longest));
        self.next = self.due;
    }

    /// Notes that the fetch has failed, and plans the next one.
    pub(super) fn failed(&mut self, now: Duration, chance: f64, policy: &Policy) {
        let early = self.for_token && now < self.due;
        // A token that waits for a fetch which fails causes no other fetch at once.
        self.awaited |= self.joined;
        self.end(now, policy);
        let failures = if early { &mut self.token_failures } else { &mut self.failures };
        *failures = failures.saturating_add(1);
        let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let (first, last) = (*policy.retry.start(), *policy.retry.end());
        // A retry is never later than the next fetch after a success would be.
        let last = last.min(*policy.refresh.end()).max(first);
        let pause = spread(first.saturating_mul(doubled).min(last), chance, policy);
        self.next = now.saturating_add(pause.clamp(first, last));
        if early {
            self.for_token = true;
            self.next = self.next.max(self.cool).min(self.due);
        }
    }

    fn end(&mut self, now: Duration, policy: &Policy) {
        self.under_way = None;
        self.cool_down(now, policy);
        (self.for_token, self.awaited, self.joined) = (false, false, false);
    }

    fn cool_down(&mut self, now: Duration, policy: &Policy) {
        // A fetch during a cool-down restarts it, so that two fetches are never close together.
        if self.for_token || self.awaited || now < self.cool {
            self.cool = now.saturating_add(policy.cooldown);
        }
    }
}

/// Lengthens or shortens a pause at random, so that machines do not fetch in step.
fn spread(pause: Duration, chance: f64, policy: &Policy) -> Duration {
    pause.mul_f64(1.0 + policy.jitter * chance.clamp(-1.0, 1.0))
}

/// More than a busy runtime is ever late.
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A plan whose first fetch ended well at 0, and the next is due after 600 s.
    fn fetched(policy: &Policy) -> RefreshSchedule {
        let mut plan = RefreshSchedule::new();
        assert!(plan.begin(s(0), policy));
        plan.succeeded(s(0), None, 0.0, policy);
        plan
    }

    #[test]
    fn the_provider_says_when_within_bounds() {
        let policy = Policy::default();
        for (fresh, chance, next) in [
            (None, 0.0, 600),
            (None, -1.0, 540),
            (Some(0), -1.0, 60),
            (None, 1.0, 660),
            (Some(0), 0.0, 60),
            (Some(3600), 0.0, 3600),
            (Some(u64::MAX), 0.0, 64_800),
            (Some(u64::MAX), 1.0, 64_800),
        ] {
            let mut plan = RefreshSchedule::new();
            assert!(plan.begin(s(0), &policy));
            plan.succeeded(s(0), fresh.map(s), chance, &policy);
            assert_eq!(plan.next(), s(next), "{fresh:?}, {chance}");
        }
    }

    #[test]
    fn tokens_cause_one_fetch_in_a_cool_down() {
        let policy = Policy::default();
        let mut plan = fetched(&policy);
        assert_eq!(
            plan.decide(s(5)),
            FetchDecision::Granted,
            "the first fetch of all does not count"
        );
        assert_eq!(plan.decide(s(5)), FetchDecision::Granted, "shared");
        assert!(plan.begin(s(5), &policy));
        assert_eq!(plan.decide(s(6)), FetchDecision::Shared, "under way");
        plan.succeeded(s(7), None, 0.0, &policy);
        assert_eq!(plan.decide(s(8)), FetchDecision::Later(s(4)));
        assert_eq!(plan.next(), s(12), "it begins when the cool-down is over");
        assert!(!plan.begin(s(11), &policy) && plan.begin(s(12), &policy));
        plan.succeeded(s(12), None, 0.0, &policy);
        assert_eq!(plan.next(), s(612), "nobody has asked since");
        assert_eq!(plan.decide(s(17)), FetchDecision::Granted);
    }

    #[test]
    fn a_fetch_that_failed_is_not_tried_again_at_once() {
        let policy = Policy::default();
        let mut plan = RefreshSchedule::new();
        assert!(plan.begin(s(0), &policy));
        assert_eq!(plan.decide(s(0)), FetchDecision::Shared);
        plan.failed(s(0), 0.0, &policy);
        assert!(matches!(plan.decide(s(0)), FetchDecision::Later(_)));
        assert!(plan.next() >= s(1));
    }

    #[test]
    fn a_spray_causes_no_more_fetches_than_it_may() {
        // Also beside fetches that are due in the meantime.
        for (cooldown, refresh, most) in [(5, 600, 12), (5, 7, 12), (30, 600, 3 + 2), (1, 600, 63)]
        {
            let policy = Policy {
                cooldown: s(cooldown),
                refresh: s(refresh)..=s(refresh),
                ..Policy::default()
            };
            let mut plan = fetched(&policy);
            let mut fetches = Vec::new();
            for now in (100..700).map(|tenth| Duration::from_millis(100 * tenth)) {
                let _ = plan.decide(now);
                if plan.begin(now, &policy) {
                    fetches.push(now);
                    plan.succeeded(now + Duration::from_millis(10), None, 0.0, &policy);
                }
            }
            let in_a_minute = |from: &Duration| {
                fetches.iter().filter(|at| (*from..*from + s(60)).contains(*at)).count()
            };
            let counted = fetches.iter().map(in_a_minute).max();
            assert!(counted <= Some(most), "{cooldown} {refresh}: {counted:?}");
            let pauses = fetches.windows(2).map(|pair| pair[1] - pair[0]);
            assert!(pauses.max() <= Some(s(cooldown) + Duration::from_millis(200)));
        }
    }

    #[test]
    fn a_failure_counts_as_well() {
        let policy = Policy::default();
        let mut plan = fetched(&policy);
        let mut fetches = 0;
        for now in (10..130).map(s) {
            let _ = plan.decide(now);
            if plan.begin(now, &policy) {
                fetches += 1;
                plan.failed(now, 0.0, &policy);
            }
        }
        assert_eq!(fetches, 24, "one in each cool-down");
        // A fetch that is due has pauses of its own, from the first one on.
        assert!(plan.begin(s(600), &policy));
        plan.failed(s(600), 0.0, &policy);
        assert_eq!(plan.next(), s(601));
    }

    #[test]
    fn the_last_wish_is_tried_again_without_another_one() {
        let policy = Policy::default();
        let mut plan = fetched(&policy);
        assert_eq!(plan.decide(s(10)), FetchDecision::Granted);
        assert!(plan.begin(s(10), &policy));
        plan.failed(s(12), 0.0, &policy);
        assert_eq!(plan.next(), s(17));
        assert!(plan.begin(s(17), &policy));
        plan.succeeded(s(17), None, 0.0, &policy);
        assert_eq!(plan.next(), s(617));
        assert_eq!(plan.decide(s(18)), FetchDecision::Later(s(4)), "it was for a token, too");
    }

    #[test]
    fn what_is_due_is_tried_faster_and_for_ever() {
        let policy = Policy::default();
        let mut plan = RefreshSchedule::new();
        let mut now = s(0);
        let mut pauses = Vec::new();
        for _ in 0..40 {
            assert!(plan.begin(now, &policy));
            plan.failed(now, 0.0, &policy);
            pauses.push((plan.next() - now).as_secs());
            now = plan.next();
        }
        assert_eq!(pauses[..8], [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(pauses[39], 60);
        plan.succeeded(now, None, 0.0, &policy);
        assert!(plan.begin(plan.next(), &policy));
        plan.failed(plan.next(), 0.0, &policy);
        assert_eq!(plan.next() - now, s(601), "it begins at the first pause again");
    }

    #[test]
    fn a_fast_rhythm_is_kept_in_failure() {
        let policy = Policy { refresh: s(2)..=s(2), ..Policy::default() };
        let mut plan = RefreshSchedule::new();
        for at in 0..10 {
            let now = plan.next();
            assert!(plan.begin(now, &policy));
            plan.failed(now, 1.0, &policy);
            assert!(plan.next() - now <= s(2), "failure {at}");
        }
    }

    #[test]
    fn the_application_may_always_ask() {
        let policy = Policy::default();
        let mut plan = fetched(&policy);
        for now in [1, 2, 3].map(s) {
            plan.demand(now);
            assert!(plan.begin(now, &policy));
            plan.demand(now);
            plan.succeeded(now, None, 0.0, &policy);
            assert_eq!(plan.next(), now + s(600));
        }
        assert_eq!(
            plan.decide(s(4)),
            FetchDecision::Granted,
            "the application spends no token's turn"
        );
    }

    #[test]
    fn without_a_cool_down_failures_are_still_apart() {
        let policy = Policy { cooldown: s(0), ..Policy::default() };
        let mut plan = fetched(&policy);
        let mut fetches = Vec::new();
        assert_eq!(plan.decide(s(10)), FetchDecision::Granted);
        for now in (10..110).map(s) {
            if plan.begin(now, &policy) {
                fetches.push(now.as_secs());
                plan.failed(now, 0.0, &policy);
            }
        }
        assert_eq!(fetches, [10, 11, 13, 17, 25, 41, 73]);
    }

    #[test]
    fn keys_are_fetched_well_before_they_are_too_old() {
        for (stale, refresh, next) in [(10, 60, 7500), (1, 60, 750), (86_400, 60, 60_000)] {
            let policy = Policy {
                max_stale: s(stale),
                refresh: s(refresh)..=s(refresh),
                ..Policy::default()
            };
            assert!(policy.check().is_ok());
            let mut plan = RefreshSchedule::new();
            assert!(plan.begin(s(0), &policy));
            plan.succeeded(s(0), None, 0.0, &policy);
            assert_eq!(plan.next(), Duration::from_millis(next));
        }
        assert!(Policy { max_stale: s(0), ..Policy::default() }.check().is_err());
    }

    #[test]
    fn who_does_not_work_is_noticed() {
        let policy = Policy::default();
        let mut plan = fetched(&policy);
        assert!(!plan.is_overdue(s(605), &policy) && plan.is_overdue(s(606), &policy));
        assert!(plan.begin(s(606), &policy));
        assert!(!plan.is_overdue(s(616), &policy) && plan.is_overdue(s(617), &policy));
    }

    #[test]
    fn a_fetch_that_was_lost_is_done_again() {
        let policy = Policy::default();
        let mut plan = fetched(&policy);
        assert_eq!(plan.decide(s(10)), FetchDecision::Granted);
        assert!(plan.begin(s(10), &policy));
        plan.abandon(s(11));
        assert_eq!(plan.decide(s(11)), FetchDecision::Later(s(4)), "it was a token's turn");
        assert!(plan.begin(s(15), &policy));

        let mut plan = fetched(&policy);
        plan.abandon(s(11));
        assert_eq!(plan.next(), s(600), "none was under way");
        assert!(plan.begin(s(600), &policy));
        plan.abandon(s(601));
        assert_eq!(plan.next(), s(601));
    }

    #[test]
    fn numbers_are_checked() {
        assert!(Policy::default().check().is_ok());
        for policy in [
            Policy { refresh: s(0)..=s(1), ..Policy::default() },
            Policy { refresh: s(2)..=s(1), ..Policy::default() },
            Policy { retry: s(1)..=Duration::MAX, ..Policy::default() },
            Policy { timeout: s(0), ..Policy::default() },
            Policy { max_stale: Duration::MAX, ..Policy::default() },
            Policy { max_keys: 0, ..Policy::default() },
            Policy { jitter: f64::NAN, ..Policy::default() },
        ] {
            assert!(policy.check().is_err(), "{policy:?}");
        }
    }
}
