//! The task that keeps keys fresh, and the state that it shares with requests.
//!
//! Requests read a snapshot, and take no lock. The lock here guards the plan and the status, and
//! is only held to change numbers.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use arc_swap::{ArcSwapOption, Guard};
use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
    time::{Instant, timeout, timeout_at},
};
use url::Url;

use super::{
    fetch::{self, Fetched, Fetcher},
    history::{Expiries, KeyHistory, Rotated},
    policy::Policy,
    provider::{Location, Provider},
    schedule::{FetchDecision, RefreshSchedule},
    status::{KeyState, KeyStatus},
};
use crate::{
    clock::{Clock, is_set_back, unix_seconds},
    error::{FetchError, FetchErrorKind},
    expiring::ExpiringMap,
    json,
    keys::{set::KeySet, trusted::Trusted},
    observe::{Observed, Outage, Pace},
    runtime::runtime_with_timer,
    token::{Compact, DecodeBuf, Header},
};

pub(super) struct Refresher {
    pub(super) issuer: Option<Box<str>>,
    pub(super) policy: Policy,
    location: Location,
    fetcher: Fetcher,
    pub(super) clock: Box<dyn Clock>,
    /// The plan's times count from here.
    start: Instant,
    pub(super) current: ArcSwapOption<Snapshot>,
    /// The number of the task that runs; 0 if none does.
    running_task: AtomicU64,
    state: Mutex<RefresherState>,
    /// Reports that keys cannot be fetched, and how often it is reported that they are too old, and
    /// that tokens name keys that were removed.
    pub(super) outage: Outage,
    pub(super) too_old: Pace,
    pub(super) removed_used: Pace,
    pub(super) observed: Observed,
    /// Changes when a fetch has ended.
    ended: watch::Sender<u64>,
    /// Wakes the task when the plan has changed.
    pub(super) changed: Notify,
}

pub(super) struct RefresherState {
    plan: RefreshSchedule,
    task: Option<AbortHandle>,
    /// The number of the last task: 1 for the first one.
    task_number: u64,
    pub(super) last_success: Option<SystemTime>,
    pub(super) last_error: Option<FetchError>,
    /// When the last fetch that succeeded began, in seconds of the plan.
    began: Duration,
    /// The names of keys that it did not bring, although requests waited for them.
    missing: ExpiringMap<Box<str>, ()>,
    pub(super) history: KeyHistory,
    /// Whether the last handle is gone.
    pub(super) closed: bool,
}

/// One generation of keys.
pub(super) struct Snapshot {
    /// The document that they were read from.
    document: Vec<u8>,
    pub(super) trusted: Trusted,
    expiries: Expiries,
    /// The last second, since 1970, at which the keys may be used. It is moved on when the provider
    /// says that nothing has changed.
    good_until: AtomicI64,
}

/// The keys at one moment, if there are any.
pub(crate) struct LoadedKeys {
    snapshot: Guard<Option<Arc<Snapshot>>>,
    may_be_used: bool,
}

impl LoadedKeys {
    #[inline]
    pub(in crate::keys) fn trusted(&self) -> Option<&Trusted> {
        let snapshot = self.snapshot.as_ref().filter(|_| self.may_be_used);
        snapshot.map(|snapshot| &snapshot.trusted)
    }

    /// Notes when a token expires that was verified with these keys.
    pub(in crate::keys) fn note_expiry(&self, token: Compact<'_>, expires_at: i64) {
        if let Some(snapshot) = self.snapshot.as_ref() {
            // Only a few short headers are known.
            if let Some(known) = snapshot.trusted.headers.find(token) {
                snapshot.expiries.note_of(&known.header(), expires_at);
            } else if let Ok(header) = token.header(&mut DecodeBuf::new()) {
                snapshot.expiries.note_of(&header, expires_at);
            }
        }
    }
}

/// Whether a missing key may come. It has the cases of `KeyAnswer`.
pub(super) enum FetchTicket {
    /// A fetch is under way or begins: the receiver changes when it has ended.
    Wait { ended: watch::Receiver<u64>, began_before: bool },
    /// The last fetch failed, and the next one begins after this pause.
    Unavailable(Duration),
    /// The next fetch begins after this pause, or too many requests wait: anybody can make up
    /// the id of a key.
    Later(Duration),
    /// The provider was asked for this key a moment ago, and does not have it.
    Unknown,
}

impl Refresher {
    pub(super) fn new(
        location: Location,
        issuer: Option<Box<str>>,
        policy: Policy,
        fetcher: Fetcher,
        clock: Box<dyn Clock>,
    ) -> Arc<Self> {
        let issuer = issuer.or_else(|| location.issuer().map(Box::from));
        Arc::new(Self {
            issuer,
            policy,
            location,
            fetcher,
            clock,
            start: Instant::now(),
            current: ArcSwapOption::empty(),
            running_task: AtomicU64::new(0),
            state: Mutex::new(RefresherState {
                plan: RefreshSchedule::new(),
                task: None,
                task_number: 0,
                last_success: None,
                last_error: None,
                began: Duration::ZERO,
                missing: ExpiringMap::new(MOST_MISSING),
                history: KeyHistory::default(),
                closed: false,
            }),
            outage: Outage::default(),
            too_old: Pace::default(),
            removed_used: Pace::default(),
            observed: Observed::default(),
            ended: watch::Sender::new(0),
            changed: Notify::new(),
        })
    }

    /// Loads the present keys.
    #[inline]
    pub(super) fn load(self: &Arc<Self>) -> LoadedKeys {
        if self.running_task.load(Ordering::Relaxed) == 0 {
            self.ensure_running();
        }
        let snapshot = self.current.load();
        let may_be_used = snapshot.as_ref().is_some_and(|snapshot| self.is_good(snapshot));
        LoadedKeys { snapshot, may_be_used }
    }

    /// Starts the task if it does not run, and replaces it if its runtime is not driven. Returns
    /// whether there is a runtime to run on.
    #[cold]
    pub(super) fn ensure_running(self: &Arc<Self>) -> bool {
        let Some(runtime) = runtime_with_timer() else { return false };
        let mut state = self.state();
        let now = self.now();
        let overdue = state.plan.is_overdue(now, &self.policy);
        let runs = state.task.as_ref().is_some_and(|task| !task.is_finished());
        if !state.closed && (!runs || overdue) {
            if let Some(task) = state.task.take() {
                task.abort();
            }
            // The former runtime may have ended during a fetch.
            state.plan.abandon(now);
            let task_number = state.task_number.wrapping_add(1);
            state.task_number = task_number;
            let task = RunningTask { refresher: Arc::clone(self), task_number };
            // A runtime that is shutting down drops the task right here: its drop takes no lock.
            state.task = Some(runtime.spawn(run(task)).abort_handle());
        }
        true
    }

    /// Stops the task. The last handle calls it when it is dropped.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        if let Some(task) = state.task.take() {
            task.abort();
        }
        drop(state);
        self.tell_dropped();
    }

    /// Causes a fetch for a missing key, if the plan allows it. `patience` is how long the request
    /// can wait.
    #[cold]
    pub(super) fn ticket(self: &Arc<Self>, name: &str, patience: Duration) -> FetchTicket {
        if !self.ensure_running() {
            return FetchTicket::Unavailable(*self.policy.retry.start());
        }
        self.tell_removed(name);
        let usable = self.load().trusted().is_some();
        if !usable {
            self.tell_too_old();
        }
        let mut state = self.state();
        let now = self.now();
        if usable && state.missing.get(name, millis(now)).is_some() {
            return FetchTicket::Unknown;
        }
        let decision = state.plan.decide(now);
        self.changed.notify_one();
        let pause = match decision {
            FetchDecision::Granted | FetchDecision::Shared => Duration::ZERO,
            FetchDecision::Later(pause) => pause,
        };
        if state.last_error.is_some() && pause > Duration::ZERO {
            return FetchTicket::Unavailable(pause);
        }
        // If no fetch has failed but the keys are stale, a clock has jumped.
        let later = if usable { FetchTicket::Later } else { FetchTicket::Unavailable };
        // If the pause is longer than half of the time it can wait, or too many wait, it is told to
        // come back.
        if pause > patience / 2 || self.ended.receiver_count() >= MOST_WAITING {
            return later(pause.max(*self.policy.retry.start()));
        }
        let began_before = decision == FetchDecision::Shared;
        FetchTicket::Wait { ended: self.ended.subscribe(), began_before }
    }

    /// Remembers for a moment that a fetch did not bring the key of this name, so that requests do
    /// not wait for it. The fetch must have begun after a request had asked for the key.
    #[cold]
    pub(super) fn remember_missing(&self, name: &str) {
        let mut state = self.state();
        let until = millis(state.began.saturating_add(REMEMBERED));
        let now = millis(self.now());
        if now < until {
            state.missing.insert(name.into(), (), until, now);
        }
    }

    /// Causes a fetch for the application. The receiver changes when one has ended.
    pub(super) fn demand(self: &Arc<Self>) -> Option<watch::Receiver<u64>> {
        if !self.ensure_running() {
            return None;
        }
        let mut state = self.state();
        state.plan.demand(self.now());
        let ended = self.ended.subscribe();
        self.changed.notify_one();
        Some(ended)
    }

    /// Returns a receiver that changes when a fetch has ended.
    pub(super) fn ended(&self) -> watch::Receiver<u64> {
        self.ended.subscribe()
    }

    /// The time until the next fetch. If one is under way, the first pause after a failure.
    pub(super) fn pause(&self) -> Duration {
        self.state().plan.pause(self.now()).unwrap_or(*self.policy.retry.start())
    }

    /// Why the last fetch failed, if it did.
    pub(super) fn last_error(&self) -> Option<FetchError> {
        self.state().last_error.clone()
    }

    pub(super) fn error(&self, kind: FetchErrorKind) -> FetchError {
        self.fetcher.error(self.location.url(), kind)
    }

    /// The hosts besides loopback that keys may be fetched from over plain `http`.
    pub(super) fn http_hosts(&self) -> Vec<String> {
        self.fetcher.http_hosts.names()
    }

    pub(super) fn status(self: &Arc<Self>) -> KeyStatus {
        // There may be no other request before the health page is green.
        self.ensure_running();
        let current = self.current.load();
        let snapshot = current.as_ref();
        let is_good = snapshot.map(|snapshot| self.is_good(snapshot));
        let state = self.state();
        let now = self.now();
        let next = state.plan.pause(now);
        let key_state = match is_good {
            None => KeyState::Starting,
            Some(false) => KeyState::Stale,
            Some(true) if state.last_error.is_some() => KeyState::Degraded,
            Some(true) => KeyState::Healthy,
        };
        let keys = snapshot.map(|snapshot| &snapshot.trusted.keys);
        let ids = keys.into_iter().flat_map(KeySet::iter).filter_map(|key| key.kid());
        // No token is accepted with a longer one.
        let ids = ids.filter(|kid| kid.len() <= Header::LONGEST_KID);
        KeyStatus {
            issuer: self.issuer.as_deref().map(String::from),
            state: key_state,
            keys: keys.map_or(0, KeySet::len),
            ids: ids.map(String::from).collect(),
            skipped: keys.map(KeySet::reasons).unwrap_or_default(),
            last_success: state.last_success,
            last_error: state.last_error.clone(),
            next_refresh: next.and_then(|pause| self.clock.now().checked_add(pause)),
            last_rotation: state.history.last_rotation().cloned(),
            removed: state.history.removed(now),
            oldest_since: state.history.oldest_since(),
        }
    }

    pub(super) fn location(&self) -> &Location {
        &self.location
    }

    /// Whether the keys may be used. A clock that is set back must not prolong that.
    #[inline]
    pub(super) fn is_good(&self, snapshot: &Snapshot) -> bool {
        let now = unix_seconds(self.clock.now());
        let good_until = snapshot.good_until.load(Ordering::Relaxed);
        let fetched = good_until.saturating_sub(self.max_stale());
        now <= good_until && !is_set_back(now, fetched)
    }

    fn good_until(&self) -> i64 {
        unix_seconds(self.clock.now()).saturating_add(self.max_stale())
    }

    fn max_stale(&self) -> i64 {
        i64::try_from(self.policy.max_stale.as_secs()).unwrap_or(i64::MAX)
    }

    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, RefresherState> {
        // No code panics while it holds the lock. If it did, the plan would still be whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a fetched document into use. On an error, the present keys stay.
    fn adopt(
        &self,
        provider: &mut Provider,
        fetched: Fetched,
        url: &Url,
    ) -> Result<Adopted, FetchError> {
        let (body, etag, fresh) = match fetched {
            // The request had the `ETag` of the document in use.
            Fetched::Unchanged { fresh } => {
                self.renew(|_| true);
                return Ok(Adopted {
                    fresh,
                    renewed: false,
                    news: None,
                    rotated: None,
                    former: None,
                });
            }
            Fetched::New { body, etag, fresh } => (body, etag, fresh),
        };
        // The same document is not read again, so cached tokens and seen headers stay good.
        if self.renew(|document| *document == *body) {
            provider.adopted(etag);
            return Ok(Adopted { fresh, renewed: false, news: None, rotated: None, former: None });
        }
        let limit = self.policy.max_keys;
        let keys = KeySet::from_document_of_at_most(limit, json::without_mark(&body))
            .map_err(|_| FetchErrorKind::NotKeySet)
            .and_then(|keys| keys.ok_or(FetchErrorKind::TooManyKeys { limit }))
            .and_then(|keys| {
                if keys.is_empty() {
                    return Err(FetchErrorKind::NoUsableKeys(keys.reasons().into()));
                }
                Ok(keys)
            })
            .map_err(|kind| fetch::error(url, kind))?;
        let keys = match &self.issuer {
            Some(issuer) => keys.with_issuer(&**issuer),
            None => keys,
        };
        let same = |old: &Arc<Snapshot>| old.trusted.keys.skipped() == keys.skipped();
        let current = self.current.load();
        let news = !current.as_ref().is_some_and(same);
        let rotated = current.as_ref().and_then(|old| Rotated::between(&old.trusted.keys, &keys));
        let expiries = Expiries::new(&keys, current.as_ref().map(|former| &former.expiries));
        let adopted = Adopted {
            fresh,
            renewed: true,
            news: news.then(|| keys.clone()),
            rotated,
            former: current.clone(),
        };
        self.current.store(Some(Arc::new(Snapshot {
            document: body,
            trusted: Trusted::new(keys),
            expiries,
            good_until: AtomicI64::new(self.good_until()),
        })));
        provider.adopted(etag);
        Ok(adopted)
    }

    /// Extends the use of the present keys if their document is the `same`, and returns whether it
    /// is.
    fn renew(&self, same: impl Fn(&[u8]) -> bool) -> bool {
        let current = self.current.load();
        let current = current.as_ref().filter(|snapshot| same(&snapshot.document));
        if let Some(current) = current {
            current.good_until.store(self.good_until(), Ordering::Relaxed);
        }
        current.is_some()
    }

    /// Notes how a fetch ended, and wakes the requests that wait.
    fn end(&self, began: Duration, outcome: Result<Adopted, FetchError>) {
        let now = self.now();
        let wall = self.clock.now();
        let chance = fastrand::f64() * 2.0 - 1.0;
        let mut state = self.state();
        let mut early = Vec::new();
        match &outcome {
            Ok(adopted) => {
                state.began = began;
                state.plan.succeeded(now, adopted.fresh, chance, &self.policy);
                state.last_success = Some(wall);
                state.last_error = None;
                if let Some(rotated) = &adopted.rotated {
                    let last = |id: &str| adopted.former.as_ref()?.expiries.last(id);
                    early = state.history.rotate(rotated, last, now, wall);
                } else if let Some(current) = &*self.current.load() {
                    state.history.begin(&current.trusted.keys, wall);
                }
            }
            Err(error) => {
                state.plan.failed(now, chance, &self.policy);
                state.last_error = Some(error.clone());
            }
        }
        // This happens under the lock: otherwise, a request could ask for the next fetch and take
        // this end for the end of that one.
        self.ended.send_modify(|ended| *ended = ended.wrapping_add(1));
        drop(state);
        self.tell(&outcome, &early);
    }
}

/// A document that is now in use.
pub(super) struct Adopted {
    fresh: Option<Duration>,
    /// Whether it is another one than before.
    pub(super) renewed: bool,
    /// The keys, if other keys of the document are skipped than before.
    pub(super) news: Option<KeySet>,
    pub(super) rotated: Option<Rotated>,
    /// The keys before, if there were any and they are others now.
    former: Option<Arc<Snapshot>>,
}

/// A task that runs, until this is dropped.
struct RunningTask {
    refresher: Arc<Refresher>,
    task_number: u64,
}

impl Drop for RunningTask {
    fn drop(&mut self) {
        // If another task has taken over, the number is not this one's.
        let (own, none) = (self.task_number, 0);
        let order = Ordering::Relaxed;
        let _ = self.refresher.running_task.compare_exchange(own, none, order, order);
    }
}

async fn run(task: RunningTask) {
    let refresher = &task.refresher;
    refresher.running_task.store(task.task_number, Ordering::Relaxed);
    let mut provider = Provider::new(refresher.location.clone());
    loop {
        let next = refresher.state().plan.next();
        let reported = refresher.report_interval().map(|pause| refresher.now() + pause);
        let until = reported.map_or(next, |reported| next.min(reported));
        // The plan may have changed, so it is read again.
        if timeout_at(refresher.start + until, refresher.changed.notified()).await.is_ok() {
            continue;
        }
        if until < next {
            refresher.tell_state();
            continue;
        }
        let began = refresher.now();
        let for_token = {
            let mut state = refresher.state();
            if !state.plan.begin(began, &refresher.policy) {
                continue;
            }
            state.plan.is_for_token()
        };
        // A fetch for a token reads the metadata only if it must: requests wait for it, and made-up
        // key ids should cause little load.
        let fetch = provider.fetch(&refresher.fetcher, !for_token);
        let fetched = timeout(refresher.policy.timeout, fetch).await;
        if refresher.state().task_number != task.task_number {
            // Another task has taken over, and its document may be newer.
            return;
        }
        let outcome = match fetched {
            Err(_) => Err(refresher.error(FetchErrorKind::Timeout)),
            Ok(Err(error)) => Err(error),
            Ok(Ok((url, fetched))) => refresher.adopt(&mut provider, fetched, &url),
        };
        if outcome.is_err() {
            provider.failed();
        }
        refresher.end(began, outcome);
    }
}

/// How many requests may wait for a fetch at a time: each holds a connection and its request.
const MOST_WAITING: usize = 1000;

/// How long it is remembered that a fetch did not bring a key, from the beginning of the fetch.
const REMEMBERED: Duration = Duration::from_secs(5);

/// How many names of missing keys are kept. A request for another one waits.
const MOST_MISSING: usize = 1000;

/// The unit in which names of missing keys expire.
fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
