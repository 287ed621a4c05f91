//! An issuer that is not there: asked for once, by whoever needs it first.

use std::{
    collections::HashMap,
    error::Error as StdError,
    fmt,
    future::Future,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, sync::watch, time::timeout};

use super::{IssuerPattern, Tenants, peek};
use crate::{
    error::{Error, ErrorKind},
    expiring::ExpiringMap,
    maybe_ready::MaybeReady,
    observe::Outage,
    rules::seconds,
    verifier::{Verifier, engine::Engine},
};

type BoxError = Box<dyn StdError + Send + Sync>;
type Answer<C> = Result<Option<Verifier<C>>, BoxError>;

/// The application's own function, and what is under way.
pub(super) struct Resolver<C> {
    allowed: Vec<IssuerPattern>,
    ask: Box<dyn Fn(String) -> MaybeReady<Answer<C>> + Send + Sync>,
    /// Whether an issuer may be resolved. Without it, all that are allowed may.
    pub(super) known: Option<IsKnown>,
    pub(super) resolve: Resolve,
    state: Mutex<ResolverState<C>>,
    outage: Outage,
    full: Outage,
}

/// The application's own filter.
pub(super) type IsKnown = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// The numbers.
#[derive(Clone, Debug)]
pub(super) struct Resolve {
    pub(super) lifetime: Duration,
    pub(super) most: usize,
}

struct ResolverState<C> {
    /// Those that are asked for.
    under_way: HashMap<Box<str>, UnderWay<C>>,
    /// How many of them are not there so far.
    new: usize,
    /// Those that were asked for in vain.
    refused: ExpiringMap<Box<str>, Error>,
}

struct UnderWay<C> {
    found: Arc<watch::Sender<Option<Resolution<C>>>>,
    /// Whether it is not there so far: anybody can make up such names.
    is_new: bool,
    began: Instant,
}

impl<C> UnderWay<C> {
    /// Whether it should have ended so long ago that its runtime is not driven.
    fn is_overdue(&self) -> bool {
        self.began.elapsed() > TIME_OUT + PATIENCE
    }
}

/// The result of a resolution.
type Resolution<C> = Result<Arc<Engine<C>>, Error>;

impl Default for Resolve {
    fn default() -> Self {
        Self { lifetime: Duration::from_secs(3600), most: 10_000 }
    }
}

impl<C> Resolver<C> {
    pub(super) fn new<F, Fut, E>(allowed: Vec<IssuerPattern>, ask: F) -> Self
    where
        F: Fn(String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<Verifier<C>>, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let ask = move |issuer| {
            let asked = ask(issuer);
            MaybeReady::pending(async move { asked.await.map_err(Into::into) })
        };
        let state = ResolverState {
            under_way: HashMap::new(),
            new: 0,
            refused: ExpiringMap::new(MOST_REFUSED),
        };
        let (known, resolve, state) = (None, Resolve::default(), Mutex::new(state));
        let (outage, full) = (Outage::default(), Outage::default());
        Self { allowed, ask: Box::new(ask), known, resolve, state, outage, full }
    }

    pub(super) fn allows_none(&self) -> bool {
        self.allowed.is_empty()
    }

    /// Lets it be asked for again.
    pub(super) fn forget(&self, issuer: &str) {
        let mut state = self.state();
        state.refused.remove(issuer);
        // Requests that wait get the answer; later ones ask again.
        state.end(issuer);
    }

    /// Told once in ten seconds, and not for each request that it ails.
    #[cold]
    fn unavailable(&self, cause: &(dyn StdError + 'static)) -> Error {
        self.outage.not_resolved(cause);
        later(Duration::from_secs(PAUSE.unsigned_abs()))
    }

    fn state(&self) -> MutexGuard<'_, ResolverState<C>> {
        // Maps are whole, whatever happened to who held it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> ResolverState<C> {
    /// It is not asked for any more.
    fn end(&mut self, issuer: &str) {
        if let Some(ended) = self.under_way.remove(issuer) {
            self.new = self.new.saturating_sub(usize::from(ended.is_new));
        }
    }

    /// How many are under way that are new, or that are not.
    fn alike(&self, is_new: bool) -> usize {
        if is_new { self.new } else { self.under_way.len().saturating_sub(self.new) }
    }

    /// Gives up those that nobody works on any more.
    #[cold]
    fn end_overdue(&mut self) {
        let overdue = self.under_way.iter().filter(|(_, under_way)| under_way.is_overdue());
        let overdue: Vec<_> = overdue.map(|(issuer, _)| issuer.clone()).collect();
        overdue.iter().for_each(|issuer| self.end(issuer));
    }
}

/// An issuer that is resolved.
pub(in crate::verifier) struct Resolving<C>(watch::Receiver<Option<Resolution<C>>>);

impl<C: Send + Sync + 'static> Resolving<C> {
    /// Waits for it, and does what is then to be done, all in time.
    pub(in crate::verifier) async fn then<T, F>(
        mut self,
        verify: impl FnOnce(Arc<Engine<C>>) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let verified = async {
            let found = match self.0.wait_for(Option::is_some).await {
                Ok(found) => found.clone(),
                // The task that asked is gone.
                Err(_) => None,
            };
            verify(found.unwrap_or_else(|| Err(later(SOON)))?).await
        };
        timeout(TIME_OUT, verified).await.unwrap_or_else(|_| Err(later(SOON)))
    }
}

impl<C: Send + Sync + 'static> Tenants<C> {
    /// Asks for the issuer of a token that could be a good one.
    #[cold]
    pub(in crate::verifier) fn resolve(
        self: &Arc<Self>,
        issuer: &str,
        token: &str,
    ) -> Result<Resolving<C>, Error> {
        let resolver = self.resolver(issuer)?;
        // Before a place is taken, of which made-up names could take all.
        if resolver.known.as_ref().is_some_and(|known| !known(issuer)) {
            return Err(Self::unknown());
        }
        peek::plausible(token, self.max_token_len, self.now())?;
        let found = self.ask(resolver, issuer, true)?;
        if found.receiver_count() >= MOST_WAITING {
            return Err(pending());
        }
        Ok(Resolving(found.subscribe()))
    }

    /// Asks for an issuer again that is there, and waits for nothing.
    #[cold]
    pub(super) fn renew(self: &Arc<Self>, issuer: &str) {
        // If it cannot be asked for now, the next request will try.
        let _ = self.resolver(issuer).and_then(|resolver| self.ask(resolver, issuer, false));
    }

    /// The resolver, if it may be asked for this issuer.
    fn resolver(&self, issuer: &str) -> Result<&Resolver<C>, Error> {
        let resolver = self.resolver.as_ref();
        resolver
            .filter(|resolver| resolver.allowed.iter().any(|pattern| pattern.matches(issuer)))
            .ok_or_else(Self::unknown)
    }

    /// Asks for an issuer, unless somebody does so already.
    fn ask(
        self: &Arc<Self>,
        resolver: &Resolver<C>,
        issuer: &str,
        is_new: bool,
    ) -> Result<Arc<watch::Sender<Option<Resolution<C>>>>, Error> {
        let runtime = Handle::try_current().map_err(|_| later(SOON))?;
        let found = {
            let mut state = resolver.state();
            if let Some(refused) = state.refused.get(issuer, self.now()) {
                return Err(refused.clone());
            }
            if let Some(under_way) = state.under_way.get(issuer) {
                if !under_way.is_overdue() {
                    return Ok(Arc::clone(&under_way.found));
                }
                state.end(issuer);
            }
            if state.alike(is_new) >= MOST_UNDER_WAY {
                state.end_overdue();
                if state.alike(is_new) >= MOST_UNDER_WAY {
                    return Err(pending());
                }
            }
            let found = Arc::new(watch::Sender::new(None));
            let under_way = UnderWay { found: Arc::clone(&found), is_new, began: Instant::now() };
            state.under_way.insert(issuer.into(), under_way);
            state.new = state.new.saturating_add(usize::from(is_new));
            found
        };
        // A runtime that is closing drops the task in place, which takes the lock.
        let tenants = Arc::clone(self);
        let asked = RunningResolution { tenants, issuer: issuer.into(), found: Arc::clone(&found) };
        runtime.spawn(asked.run());
        Ok(found)
    }
}

/// A resolution that is under way. It ends when this is dropped.
struct RunningResolution<C> {
    tenants: Arc<Tenants<C>>,
    issuer: Box<str>,
    found: Arc<watch::Sender<Option<Resolution<C>>>>,
}

impl<C: Send + Sync + 'static> RunningResolution<C> {
    async fn run(self) {
        let Some(resolver) = &self.tenants.resolver else { return };
        let answer = timeout(TIME_OUT, (resolver.ask)(self.issuer.to_string())).await;
        let found = match answer {
            Ok(Ok(Some(verifier))) => {
                let trusts = |engine: &&Arc<Engine<C>>| engine.named(&self.issuer).is_some();
                verifier.engine().filter(trusts).cloned().ok_or_else(|| {
                    let wrong = "the resolver's verifier does not trust the issuer that it is for";
                    Error::with_source(ErrorKind::Failed, wrong)
                })
            }
            Ok(Ok(None)) => Err(Tenants::<C>::unknown()),
            Ok(Err(cause)) => Err(resolver.unavailable(&*cause)),
            Err(_) => Err(resolver.unavailable(&io::Error::other("it took longer than 5 s"))),
        };
        self.keep(resolver, &found);
        self.found.send_replace(Some(found));
    }

    /// Keeps the answer, unless the issuer was removed meanwhile. The lock is held for all of
    /// it, so that the removal of one that is kept comes after that.
    fn keep(&self, resolver: &Resolver<C>, found: &Resolution<C>) {
        let (table, now, resolve) = (&self.tenants.table, self.tenants.now(), &resolver.resolve);
        let mut state = resolver.state();
        if !self.is_under_way(&state) {
            return;
        }
        match found {
            Ok(engine) => {
                let times = (now, now.saturating_add(seconds(resolve.lifetime)));
                if !table.keep(&self.issuer, engine, times, resolve.most) {
                    resolver.full.no_room(resolve.most);
                }
            }
            Err(error) => {
                let is_server_fault = error.is_server_fault();
                if !is_server_fault {
                    table.drop_resolved(&self.issuer);
                }
                let pause = if is_server_fault { PAUSE } else { FORGET };
                let until = now.saturating_add(pause);
                state.refused.insert(self.issuer.clone(), error.clone(), until, now);
            }
        }
    }
}

impl<C> RunningResolution<C> {
    /// Whether it is this that is waited for, and not another one that began after this
    /// was forgotten.
    fn is_under_way(&self, state: &ResolverState<C>) -> bool {
        let under_way = state.under_way.get(&self.issuer);
        under_way.is_some_and(|under_way| Arc::ptr_eq(&under_way.found, &self.found))
    }
}

impl<C> Drop for RunningResolution<C> {
    fn drop(&mut self) {
        if let Some(resolver) = &self.tenants.resolver {
            let mut state = resolver.state();
            if self.is_under_way(&state) {
                state.end(&self.issuer);
            }
        }
    }
}

/// Too many are asked for: anybody can make up their names.
#[cold]
fn pending() -> Error {
    ErrorKind::KeyPending { retry_after: SOON }.into()
}

#[cold]
fn later(retry_after: Duration) -> Error {
    ErrorKind::KeysUnavailable { retry_after }.into()
}

impl<C> fmt::Debug for Resolver<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}

/// How long the resolver may take, and who waits for it.
const TIME_OUT: Duration = Duration::from_secs(5);
/// More than a busy runtime is ever late.
const PATIENCE: Duration = Duration::from_secs(1);
/// When to come again where too many are asked for.
const SOON: Duration = Duration::from_secs(1);
/// Seconds for which an issuer that nobody knows is not asked for again.
const FORGET: i64 = 60;
/// Seconds after a failure until the resolver is asked again.
const PAUSE: i64 = 5;
/// How many names are asked for at a time that are not there, and how many that are.
const MOST_UNDER_WAY: usize = 16;
/// How many requests wait for one of them.
const MOST_WAITING: usize = 1000;
const MOST_REFUSED: usize = 1000;
