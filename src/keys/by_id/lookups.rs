//! The lookups: one for an id at a time, and so many at once as the limits allow.

use std::{
    collections::HashMap,
    future::{Future, poll_fn},
    panic::{self, AssertUnwindSafe},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::watch,
    time::{Instant, timeout, timeout_at},
};

use super::{
    limits::Limits,
    table::{CachedKey, Table, Times},
};
use crate::{
    clock::{Clock, unix_seconds},
    error::BoxError,
    expiring::ExpiringMap,
    keys::{
        answer::{Deadline, KeyAnswer},
        key::Key,
        trusted::{Generation, StillTrusted},
    },
    misses::Misses,
    observe::{FetchOutcome, KeyFetch, Observed, Outage},
    runtime::runtime_with_timer,
};

/// The function of the application.
pub(super) type LookupFn = Box<dyn Fn(String) -> LookupFuture + Send + Sync>;
pub(super) type LookupFuture = Pin<Box<dyn Future<Output = Result<Option<Key>, BoxError>> + Send>>;

pub(super) struct Lookups {
    pub(super) issuer: Option<Box<str>>,
    pub(super) limits: Limits,
    function: LookupFn,
    clock: Box<dyn Clock>,
    /// The times of the state count from here.
    start: Instant,
    table: Table,
    state: Mutex<State>,
    /// Requests that wait have a clone of one of them: for a new id, and for a known one.
    waiting: Arc<()>,
    waiting_for_known: Arc<()>,
    outage: Outage,
    pub(super) observed: Observed,
}

struct State {
    under_way: HashMap<Box<str>, UnderWay>,
    /// The ids whose lookups found no key or failed, in milliseconds.
    refused: ExpiringMap<Box<str>, Refused>,
    /// The lookups of new ids that were in vain.
    misses: Misses,
}

struct UnderWay {
    result: watch::Receiver<Option<Ended>>,
    /// Whether the id has verified a token: those that anybody can make up are counted apart.
    is_known: bool,
}

/// How a lookup has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Found,
    Absent,
    Failed,
}

#[derive(Clone, Copy)]
enum Refused {
    Absent,
    /// Until this time.
    Failed(Duration),
}

impl Lookups {
    pub(super) fn new(
        function: LookupFn,
        issuer: Option<Box<str>>,
        limits: Limits,
        clock: Box<dyn Clock>,
    ) -> Self {
        Self {
            issuer,
            function,
            clock,
            start: Instant::now(),
            // No key goes within the cool-down in which it was looked up.
            table: Table::new(
                limits.max_keys,
                limits.max_misses.saturating_add(limits.max_lookups),
            ),
            state: Mutex::new(State {
                under_way: HashMap::new(),
                refused: ExpiringMap::new(MOST_REFUSED),
                misses: Misses::default(),
            }),
            waiting: Arc::new(()),
            waiting_for_known: Arc::new(()),
            outage: Outage::default(),
            observed: Observed::default(),
            limits,
        }
    }

    /// Tells how a lookup has ended.
    fn tell(&self, outcome: FetchOutcome) {
        let own = self.issuer.as_deref().unwrap_or("by_id");
        self.observed.tell(own, |observer, issuer| {
            observer.keys_fetched(&KeyFetch { issuer, outcome });
        });
    }

    /// The key of an id, if it is known and may be used. If it is due to be looked up again, no
    /// request waits for that.
    pub(super) fn find(self: &Arc<Self>, id: &str) -> Option<Arc<CachedKey>> {
        let now = self.wall();
        let key = self.table.find(id, now)?;
        if key.is_due(now) {
            self.renew(id, &key);
        }
        Some(key)
    }

    /// Whether the key of this generation may be used. If it is due to be looked up again, no
    /// request waits for that.
    pub(super) fn still_trust(self: &Arc<Self>, generation: Generation) -> Option<StillTrusted> {
        let (evidence, due) = self.table.still_trust(generation, self.wall())?;
        if let Some(key) = due {
            self.renew(key.id(), &key);
        }
        Some(evidence)
    }

    /// Notes that a key has verified a token.
    #[cold]
    pub(super) fn prove(&self, key: &Arc<CachedKey>) {
        if self.table.prove(key, self.wall()) {
            self.state().misses.take_back();
        }
    }

    /// Asks for a key that is missing.
    #[cold]
    pub(super) fn ask(
        self: &Arc<Self>,
        id: &str,
        deadline: Option<Deadline>,
    ) -> KeyAnswer<PendingLookup> {
        let is_known = self.table.is_known(id);
        let waiting = if is_known { &self.waiting_for_known } else { &self.waiting };
        let pending = |result| {
            let deadline = deadline.unwrap_or_else(|| Instant::now() + self.limits.timeout + GRACE);
            let waiting = Arc::clone(waiting);
            let retry_after = self.limits.cooldown;
            KeyAnswer::Wait(PendingLookup { result, deadline, retry_after, _waiting: waiting })
        };
        let Some(runtime) = runtime_with_timer() else {
            return KeyAnswer::Unavailable { retry_after: self.limits.cooldown };
        };
        let (now, mut state) = (self.now(), self.state());
        if self.table.find(id, self.wall()).is_some() {
            // A lookup has ended since the request looked.
            return pending(watch::channel(Some(Ended::Found)).1);
        }
        match state.refused.get(id, millis(now)) {
            Some(Refused::Absent) => return KeyAnswer::Unknown,
            Some(Refused::Failed(until)) => {
                return KeyAnswer::Unavailable { retry_after: until.saturating_sub(now) };
            }
            None => {}
        }
        if Arc::strong_count(waiting) > MOST_WAITING {
            return KeyAnswer::Later { retry_after: SOON };
        }
        if let Some(under_way) = state.under_way.get(id) {
            return pending(under_way.result.clone());
        }
        match self.begin(&mut state, id, is_known, now) {
            Ok((lookup, result)) => {
                // A runtime that is shutting down drops the task right here, which takes the lock.
                drop(state);
                lookup.spawn(&runtime);
                pending(result)
            }
            Err(retry_after) => KeyAnswer::Later { retry_after },
        }
    }

    /// Looks up a known key again.
    #[cold]
    fn renew(self: &Arc<Self>, id: &str, key: &CachedKey) {
        let Some(runtime) = runtime_with_timer() else {
            return key.postpone(self.after(self.limits.cooldown));
        };
        let mut state = self.state();
        if state.under_way.contains_key(id) {
            return key.postpone(self.after(self.limits.cooldown));
        }
        match self.begin(&mut state, id, true, self.now()) {
            Ok((lookup, _)) => {
                drop(state);
                lookup.spawn(&runtime);
            }
            Err(pause) => key.postpone(self.after(pause)),
        }
    }

    /// Begins a lookup, or says when to try again. Made-up ids take nothing from an id that
    /// `is_known`.
    fn begin(
        self: &Arc<Self>,
        state: &mut State,
        id: &str,
        is_known: bool,
        now: Duration,
    ) -> Result<(RunningLookup, watch::Receiver<Option<Ended>>), Duration> {
        let pause = state.misses.pause(now, self.limits.max_misses);
        if let Some(pause) = pause.filter(|_| !is_known) {
            return Err(pause);
        }
        let same = state.under_way.values().filter(|under_way| under_way.is_known == is_known);
        if same.count() >= self.limits.max_lookups {
            return Err(SOON);
        }
        let (sender, result) = watch::channel(None);
        state.under_way.insert(id.into(), UnderWay { result: result.clone(), is_known });
        let lookups = Arc::clone(self);
        Ok((RunningLookup { lookups, id: id.into(), is_known, began: now, sender }, result))
    }

    /// The time after this pause, in seconds since 1970, and not at once.
    fn after(&self, pause: Duration) -> i64 {
        let pause = i64::try_from(pause.as_secs()).unwrap_or(i64::MAX);
        self.wall().saturating_add(pause.max(1))
    }

    /// The time that decides on keys, in seconds since 1970.
    fn wall(&self) -> i64 {
        unix_seconds(self.clock.now())
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock. If it did, the state would still be whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lookup that is under way, until this is dropped.
struct RunningLookup {
    lookups: Arc<Lookups>,
    id: Box<str>,
    is_known: bool,
    began: Duration,
    sender: watch::Sender<Option<Ended>>,
}

impl RunningLookup {
    fn spawn(self, runtime: &Handle) {
        runtime.spawn(self.run());
    }

    /// Requests are answered before the log and observers are told: no panic of theirs changes the
    /// answer.
    async fn run(self) {
        match self.ask().await {
            Ok(key) => {
                let has_key = key.is_some();
                self.end(key);
                self.lookups.outage.looked_up();
                let outcome = if has_key { FetchOutcome::Renewed } else { FetchOutcome::Absent };
                self.lookups.tell(outcome);
            }
            Err(cause) => {
                self.fail();
                self.lookups.outage.not_looked_up(&*cause);
                self.lookups.tell(FetchOutcome::Failed);
            }
        }
    }

    /// Asks the function.
    async fn ask(&self) -> Result<Option<Key>, BoxError> {
        let lookups = &self.lookups;
        // It belongs to the application. Its panic is a failure.
        let call = || (lookups.function)(self.id.as_ref().into());
        let caught = |_| BoxError::from("the function has panicked");
        let mut answer = panic::catch_unwind(AssertUnwindSafe(call)).map_err(caught)?;
        let answer = poll_fn(|context| {
            let poll = || answer.as_mut().poll(context);
            match panic::catch_unwind(AssertUnwindSafe(poll)) {
                Ok(poll) => poll,
                Err(panic) => Poll::Ready(Err(caught(panic))),
            }
        });
        match timeout(lookups.limits.timeout, answer).await {
            Ok(Ok(Some(key))) if key.algorithms().any(|one| one.is_symmetric()) => {
                Err("a shared secret is no key that is looked up, give a public key".into())
            }
            Ok(answer) => answer,
            Err(_) => Err("no answer in time".into()),
        }
    }

    /// Takes the answer of the function.
    fn end(&self, key: Option<Key>) {
        let (lookups, id) = (&self.lookups, &*self.id);
        let Some(key) = key else {
            lookups.table.remove(id);
            self.ended(Ended::Absent);
            return;
        };
        let key = match (&lookups.issuer, key.issuer()) {
            (Some(issuer), None) => key.with_issuer(&**issuer),
            _ => key,
        };
        let now = lookups.wall();
        let lifetime = i64::try_from(lookups.limits.lifetime.as_secs()).unwrap_or(i64::MAX);
        let at = |part: i64| now.saturating_add(part);
        let times = Times {
            looked_up: now,
            renew_from: at(lifetime - lifetime / 4),
            good_until: at(lifetime),
            known_until: at(lifetime).saturating_add(lifetime),
        };
        // It may be a key of somebody else that a made-up token names. Once it has verified a token,
        // this is taken back.
        self.count_miss();
        lookups.table.insert(id, key.with_kid(id), times);
        self.ended(Ended::Found);
    }

    /// Counts the lookup of a new id among those in vain.
    fn count_miss(&self) {
        if !self.is_known {
            let lookups = &self.lookups;
            lookups.state().misses.add(lookups.now(), lookups.limits.cooldown);
        }
    }

    /// The lookup has failed. A present key stays until it is too old.
    fn fail(&self) {
        if let Some(key) = self.lookups.table.find(&self.id, self.lookups.wall()) {
            key.postpone(self.lookups.after(self.lookups.limits.cooldown));
        }
        self.ended(Ended::Failed);
    }

    fn ended(&self, how: Ended) {
        let (lookups, limits) = (&self.lookups, &self.lookups.limits);
        let now = lookups.now();
        let mut state = lookups.state();
        if state.under_way.remove(&self.id).is_none() {
            return;
        }
        // An absent key may be published while the function is asked, so that counts from the
        // beginning.
        let until = |from: Duration| from.saturating_add(limits.cooldown);
        let refused = match how {
            Ended::Found => None,
            Ended::Absent => Some((Refused::Absent, until(self.began))),
            Ended::Failed => Some((Refused::Failed(until(now)), until(now))),
        };
        if let Some((refused, until)) = refused {
            if !self.is_known {
                state.misses.add(now, limits.cooldown);
            }
            state.refused.insert(self.id.clone(), refused, millis(until), millis(now));
        }
        drop(state);
        self.sender.send_replace(Some(how));
    }
}

impl Drop for RunningLookup {
    /// Its runtime has ended, unless it was ended before.
    fn drop(&mut self) {
        if self.sender.borrow().is_none() {
            self.fail();
        }
    }
}

/// A lookup that a request waits for.
pub(crate) struct PendingLookup {
    result: watch::Receiver<Option<Ended>>,
    deadline: Deadline,
    retry_after: Duration,
    _waiting: Arc<()>,
}

impl PendingLookup {
    pub(crate) fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// Waits for its end. A key that was found is in the table then.
    pub(crate) async fn done(&mut self) -> KeyAnswer {
        if runtime_with_timer().is_none() {
            return KeyAnswer::Unavailable { retry_after: self.retry_after };
        }
        let ended = timeout_at(self.deadline, self.result.wait_for(Option::is_some)).await;
        match ended.ok().and_then(Result::ok).and_then(|ended| *ended) {
            Some(Ended::Found) => KeyAnswer::Found,
            Some(Ended::Absent) => KeyAnswer::Unknown,
            Some(Ended::Failed) | None => KeyAnswer::Unavailable { retry_after: self.retry_after },
        }
    }
}

/// How many requests may wait at a time: each holds a connection and its request.
const MOST_WAITING: usize = 1000;

/// How many ids without a key are kept. With more, the one that is oldest may be looked up again.
const MOST_REFUSED: usize = 1000;

/// When to try again if too many ids are looked up.
const SOON: Duration = Duration::from_secs(1);

/// The time that it takes to end a lookup, beyond its time-out.
const GRACE: Duration = Duration::from_secs(1);

/// The unit in which refused ids expire.
fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
