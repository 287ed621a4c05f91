//! The verdicts that are kept, and the calls that are under way: one for each key.

use std::{
    collections::HashMap,
    future::Future,
    hash::Hash,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::OnceCell, time::timeout};

use crate::{error::Error, expiring::ExpiringMap, runtime::runtime_with_timer};

/// The answer of a rule.
pub(super) type Verdict = Result<(), Error>;

/// How long a verdict is kept, in seconds, and how many are.
pub(super) struct Limits {
    pub(super) lifetime: i64,
    pub(super) max_entries: usize,
}

/// The verdicts of one rule, by key.
pub(super) struct Verdicts<K> {
    lifetime: i64,
    state: Mutex<State<K>>,
}

struct State<K> {
    kept: ExpiringMap<K, Kept>,
    under_way: HashMap<K, UnderWay>,
}

struct Kept {
    verdict: Verdict,
    /// When the rule was called. A clock that was set back must not prolong a verdict.
    began: i64,
}

/// A call of the rule. The cell lets one caller at a time ask; if that one is dropped or panics,
/// it lets the next one.
struct UnderWay {
    verdict: Arc<OnceCell<Verdict>>,
    /// Without any, nobody asks: it must go, or keys would pile up.
    callers: usize,
}

/// The verdict for a key, or a wait for it.
pub(super) enum Looked<K: Clone + Eq + Hash> {
    Known(Verdict),
    Asked(Caller<K>),
}

impl<K: Clone + Eq + Hash> Verdicts<K> {
    pub(super) fn new(limits: Limits) -> Self {
        let kept = ExpiringMap::new(limits.max_entries);
        let state = State { kept, under_way: HashMap::new() };
        Self { lifetime: limits.lifetime, state: Mutex::new(state) }
    }

    /// The verdict for a key, or a place among those who wait for it.
    pub(super) fn look(self: &Arc<Self>, key: K, now: i64) -> Looked<K> {
        let mut state = self.state();
        if let Some(verdict) = state.known(&key, now) {
            return Looked::Known(verdict);
        }
        let verdict = state.join(&key);
        drop(state);
        Looked::Asked(Caller { verdicts: Arc::clone(self), key, verdict })
    }

    fn state(&self) -> MutexGuard<'_, State<K>> {
        // The key is the application's: if its hash panics, the maps are whole enough. At worst, a
        // verdict is forgotten.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash> State<K> {
    fn known(&self, key: &K, now: i64) -> Option<Verdict> {
        let kept = self.kept.get(key, now).filter(|kept| kept.began <= now)?;
        Some(kept.verdict.clone())
    }

    /// Counts one more caller of the call that is under way, or of a new one.
    fn join(&mut self, key: &K) -> Arc<OnceCell<Verdict>> {
        let new = || UnderWay { verdict: Arc::default(), callers: 0 };
        let under_way = self.under_way.entry(key.clone()).or_insert_with(new);
        under_way.callers = under_way.callers.saturating_add(1);
        Arc::clone(&under_way.verdict)
    }

    /// The call that is under way for a key, if it is this one.
    fn current(&mut self, key: &K, verdict: &Arc<OnceCell<Verdict>>) -> Option<&mut UnderWay> {
        self.under_way.get_mut(key).filter(|current| Arc::ptr_eq(&current.verdict, verdict))
    }
}

/// A request that waits for a verdict, or asks for it.
pub(super) struct Caller<K: Clone + Eq + Hash> {
    verdicts: Arc<Verdicts<K>>,
    key: K,
    verdict: Arc<OnceCell<Verdict>>,
}

impl<K: Clone + Eq + Hash> Caller<K> {
    /// The verdict of the call that is under way. If nobody makes it, it is made with `ask`. `now`
    /// is the time when the request came, which is no later than the call.
    pub(super) async fn verdict<F, Fut>(mut self, now: i64, ask: F) -> Verdict
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Verdict>,
    {
        loop {
            if let Some(verdict) = self.wait_or_ask(now, &ask).await {
                return verdict;
            }
            if let Some(verdict) = self.leave_behind(now) {
                return verdict;
            }
        }
    }

    /// `None` if another caller asks and takes too long.
    async fn wait_or_ask<F, Fut>(&self, now: i64, ask: &F) -> Option<Verdict>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Verdict>,
    {
        let is_asking = AtomicBool::new(false);
        let mut verdict = pin!(self.verdict.get_or_init(async || {
            is_asking.store(true, Ordering::Relaxed);
            let verdict = ask().await;
            self.keep(&verdict, now);
            verdict
        }));
        if runtime_with_timer().is_some() {
            match timeout(PATIENCE, verdict.as_mut()).await {
                Ok(verdict) => return Some(verdict.clone()),
                Err(_) if !is_asking.load(Ordering::Relaxed) => return None,
                Err(_) => {}
            }
        }
        Some(verdict.await.clone())
    }

    /// Ends the call, and keeps its verdict unless it is an error.
    fn keep(&self, verdict: &Verdict, now: i64) {
        let mut state = self.verdicts.state();
        if state.current(&self.key, &self.verdict).is_none() {
            // Another call has taken its place, because it took too long.
            return;
        }
        state.under_way.remove(&self.key);
        if !verdict.as_ref().is_err_and(Error::is_server_fault) {
            let kept = Kept { verdict: verdict.clone(), began: now };
            let deadline = now.saturating_add(self.verdicts.lifetime);
            state.kept.insert(self.key.clone(), kept, deadline, now);
        }
    }

    /// Gives up the call that takes too long, and joins the one that others have begun in its
    /// place, or begins it.
    #[cold]
    fn leave_behind(&mut self, now: i64) -> Option<Verdict> {
        let mut state = self.verdicts.state();
        if state.current(&self.key, &self.verdict).is_some() {
            state.under_way.remove(&self.key);
        }
        if let Some(verdict) = state.known(&self.key, now) {
            return Some(verdict);
        }
        self.verdict = state.join(&self.key);
        None
    }
}

impl<K: Clone + Eq + Hash> Drop for Caller<K> {
    fn drop(&mut self) {
        let mut state = self.verdicts.state();
        if let Some(current) = state.current(&self.key, &self.verdict) {
            current.callers = current.callers.saturating_sub(1);
            if current.callers == 0 {
                state.under_way.remove(&self.key);
            }
        }
    }
}

/// How long a request waits for the call of another one.
const PATIENCE: Duration = Duration::from_secs(5);
