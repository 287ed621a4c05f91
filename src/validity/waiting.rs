//! Waits for the end of a token.

use std::{
    future::Future,
    hash::{BuildHasher, RandomState},
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll, Waker},
    time::{Duration, UNIX_EPOCH},
};

use tokio::time::{Sleep, sleep};

use super::end::ValidityEnd;
use crate::{
    claims::RegisteredClaims,
    clock::unix_seconds,
    error::{Error, ErrorKind},
    maybe_ready::{MaybeReady, MaybeReadyFuture},
    revocation::{Ended, Look, NotRevoked, Watch, WatchedToken},
    runtime::runtime_with_timer,
    verifier::Origin,
};

/// A future of the end of a token. A clone waits for the end of the same token by itself.
pub(super) struct Waiting {
    watch: Watch,
    pub(super) origin: Origin,
    /// The answer of the denylist, while it takes its time. The mutex is never locked: it makes the whole
    /// `Sync`.
    answer: Option<Box<Mutex<Answer>>>,
    /// Until the end or the next look, whichever comes first. In a box, so that the future can be moved.
    timer: Option<Pin<Box<Sleep>>>,
}

/// The answer of the denylist about a token.
type Answer = MaybeReadyFuture<Result<NotRevoked, Error>>;

impl Waiting {
    pub(super) fn new(claims: &RegisteredClaims, origin: &Origin) -> Self {
        let token = WatchedToken::new(claims, origin.ends_at(claims));
        let watch = Watch::new(token, origin.revocations().watchers());
        Self { watch, origin: origin.clone(), answer: None, timer: None }
    }

    /// Why it has ended, if it has.
    pub(super) fn ended(&self) -> Option<ValidityEnd> {
        self.look(None).err()
    }

    /// The second in which the token ends and its version, or why it has ended. Tells the observers of the
    /// end.
    fn look(&self, waker: Option<&Waker>) -> Result<(i64, u32), ValidityEnd> {
        let (look, is_first) = self.watch.look(unix_seconds(self.origin.now()), waker);
        match look {
            Look::Valid { ends_at, version } => Ok((ends_at, version)),
            Look::Ended(ended) => {
                let end = ValidityEnd::from(ended);
                if is_first {
                    self.origin.stream_ended(end.name());
                }
                Err(end)
            }
        }
    }

    /// Continues with another token, unless it has ended or `check` refuses the token.
    pub(super) fn renew<E: From<Ended>>(
        &self,
        claims: &RegisteredClaims,
        check: impl FnOnce(&WatchedToken, &WatchedToken) -> Result<(), E>,
    ) -> Result<(), E> {
        let token = WatchedToken::new(claims, self.origin.ends_at(claims));
        let now = unix_seconds(self.origin.now());
        self.watch.renew(now, token, self.origin.revocations().watchers(), check)
    }

    /// Asks the denylist about this version of the token. Says whether it has answered.
    fn ask(&mut self, version: u32) -> bool {
        self.watch.asked = version;
        let token = self.watch.token();
        match self.origin.revocations().check_ids(token.ids()) {
            MaybeReady::Ready(answer) => {
                self.answer = None;
                self.take_answer(answer)
            }
            pending => {
                self.answer = Some(Box::new(Mutex::new(pending.into_future())));
                false
            }
        }
    }

    /// Says whether it is an answer, and not an error.
    fn take_answer(&mut self, answer: Result<NotRevoked, Error>) -> bool {
        let is_answer = answer.is_ok();
        match answer {
            Ok(_) => self.watch.confirm(),
            Err(error) if matches!(error.kind(), ErrorKind::Revoked) => {
                self.watch.end(Ended::Revoked);
            }
            Err(_) => self.end_if_unchecked(),
        }
        is_answer
    }

    /// Ends it if the denylist has not answered for too long.
    fn end_if_unchecked(&self) {
        if self.watch.confirmed().elapsed() >= LONGEST_UNCHECKED {
            self.watch.end(Ended::Unchecked);
        }
    }

    /// The pause until the next look at a token that ends at this second, after a question that the
    /// denylist has answered or not.
    fn pause(&self, ends_at: i64, is_answered: bool) -> Duration {
        let pause = match (is_answered, &self.timer) {
            (false, _) => RETRY,
            (true, Some(_)) => LONGEST_RECHECK,
            // Streams that begin at once are not looked at at once.
            (true, None) => first_recheck(),
        };
        let end = Duration::from_secs(u64::try_from(ends_at).unwrap_or_default());
        let now = self.origin.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        end.saturating_sub(now).min(pause)
    }
}

impl Future for Waiting {
    type Output = ValidityEnd;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<ValidityEnd> {
        let this = &mut *self;
        // First, so that no move of the clock is missed.
        this.origin.wake_when_moved(context.waker());
        let (mut is_new, mut is_answered) = (false, this.answer.is_none());
        loop {
            let (ends_at, version) = match this.look(Some(context.waker())) {
                Ok(valid) => valid,
                Err(end) => return Poll::Ready(end),
            };
            if this.watch.asked != version {
                this.timer = None;
                is_answered = this.ask(version);
                continue;
            }
            if let Some(answer) = &mut this.answer
                && let answer = answer.get_mut().unwrap_or_else(PoisonError::into_inner)
                && let Poll::Ready(answer) = Pin::new(answer).poll(context)
            {
                this.answer = None;
                is_answered = this.take_answer(answer);
                // It is that of an open question.
                this.timer = None;
                continue;
            }
            let Some(timer) = &mut this.timer else {
                // Without a timer, nobody would look at it again.
                if runtime_with_timer().is_none() {
                    this.watch.end(Ended::Unchecked);
                    continue;
                }
                this.timer = Some(Box::pin(sleep(this.pause(ends_at, is_answered))));
                is_new = true;
                continue;
            };
            // A timer whose runtime has shut down has elapsed, and would panic when it is polled. A new one
            // may say that it has elapsed before it is polled.
            let has_elapsed = !is_new && timer.is_elapsed();
            if !has_elapsed && timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            if ends_at <= unix_seconds(this.origin.now()) {
                // It ends in the next round.
                this.timer = None;
                continue;
            }
            if this.answer.is_some() {
                this.end_if_unchecked();
                is_answered = false;
            } else {
                is_answered = this.ask(version);
            }
            if runtime_with_timer().is_none() {
                this.watch.end(Ended::Unchecked);
                continue;
            }
            // A new one, because this may be another runtime than before.
            let pause = this.pause(ends_at, is_answered);
            if let Some(timer) = &mut this.timer {
                timer.set(sleep(pause));
                is_new = true;
            }
        }
    }
}

impl Clone for Waiting {
    fn clone(&self) -> Self {
        let (watch, origin) = (self.watch.join(), self.origin.clone());
        Self { watch, origin, answer: None, timer: None }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.watch.leave(self.origin.revocations().watchers());
    }
}

/// A random time from half of the longest pause on.
fn first_recheck() -> Duration {
    let share = RandomState::new().hash_one(()) % 1024;
    let half = LONGEST_RECHECK / 2;
    half + half.mul_f64(share as f64 / 1024.0)
}

/// The longest time between two looks at a token: so much later than it should, a stream ends if the clock
/// of the system is moved, or if the denylist does not tell of revocations.
const LONGEST_RECHECK: Duration = Duration::from_secs(30);

/// The time between two questions to a denylist that does not answer.
const RETRY: Duration = Duration::from_secs(5);

/// The time for which a stream continues while the denylist does not answer.
const LONGEST_UNCHECKED: Duration = Duration::from_secs(60);
