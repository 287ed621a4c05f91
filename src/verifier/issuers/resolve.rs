//! The application's resolver of issuers, and the resolutions that are under way: one for each
//! issuer, shared by all requests that need it.

use std::{
    collections::HashMap,
    error::Error as StdError,
    fmt,
    future::Future,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{sync::watch, time::timeout};

use super::pattern::IssuerPattern;
use crate::{
    error::{Error, ErrorKind},
    expiring::ExpiringMap,
    maybe_ready::MaybeReady,
    misses::Misses,
    observe::{self, Observers, Pace},
    runtime::runtime_with_timer,
    verifier::engine::Engine,
};

/// The application's own function, and the resolutions that are under way.
pub(super) struct Resolver<C> {
    allowed: Vec<IssuerPattern>,
    function: ResolveFn<C>,
    /// Whether an issuer may be resolved. `None` if all allowed issuers may.
    pub(super) known: Option<IsKnown>,
    pub(super) limits: ResolverLimits,
    state: Mutex<ResolverState<C>>,
    /// The times of the misses count from here.
    start: tokio::time::Instant,
    pub(super) observers: Observers,
    /// How often failures, and a lack of room, are reported.
    failures: Pace,
    full: Pace,
}

/// The application's own function: from an issuer to its engine.
pub(super) type ResolveFn<C> = Box<dyn Fn(String) -> MaybeReady<Answer<C>> + Send + Sync>;

/// The answer of the application's function.
pub(super) enum Answer<C> {
    /// The engine of the verifier; `None` if the verifier is itself one of several issuers.
    Verifier(Option<Arc<Engine<C>>>),
    /// The issuer is not known.
    Unknown,
    /// The function cannot tell.
    Failed(Box<dyn StdError + Send + Sync>),
}

/// The application's own filter.
pub(super) type IsKnown = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// How long a resolved issuer is kept, and how many are.
#[derive(Clone, Debug)]
pub(super) struct ResolverLimits {
    pub(super) lifetime: Duration,
    pub(super) max_resolved: usize,
}

impl Default for ResolverLimits {
    fn default() -> Self {
        Self { lifetime: Duration::from_secs(3600), max_resolved: 10_000 }
    }
}

/// The result of a resolution.
pub(super) type Resolution<C> = Result<Arc<Engine<C>>, Error>;

/// Tells the result to all who wait for it.
pub(super) type ResolutionSender<C> = watch::Sender<Option<Resolution<C>>>;

/// A resolution, by when it began.
pub(super) enum Begun<C> {
    /// It was already under way.
    Before(Arc<ResolutionSender<C>>),
    /// It begins now: the caller must run it.
    Now(Arc<ResolutionSender<C>>),
}

impl<C> Resolver<C> {
    pub(super) fn new(allowed: Vec<IssuerPattern>, function: ResolveFn<C>) -> Self {
        let state = ResolverState {
            under_way: HashMap::new(),
            new: 0,
            refused: ExpiringMap::new(MOST_REFUSED),
            misses: Misses::default(),
        };
        Self {
            allowed,
            function,
            known: None,
            limits: ResolverLimits::default(),
            state: Mutex::new(state),
            start: tokio::time::Instant::now(),
            observers: Observers::default(),
            failures: Pace::default(),
            full: Pace::default(),
        }
    }

    pub(super) fn allows_none(&self) -> bool {
        self.allowed.is_empty()
    }

    /// The issuers that it may be asked for.
    pub(super) fn allowed(&self) -> &[IssuerPattern] {
        &self.allowed
    }

    /// Whether this issuer is one of the allowed ones.
    pub(super) fn allows(&self, issuer: &str) -> bool {
        self.allowed.iter().any(|pattern| pattern.matches(issuer))
    }

    /// The text of the pattern that this issuer matches: there is one for many issuers.
    fn pattern_of(&self, issuer: &str) -> Option<&str> {
        self.allowed.iter().find(|pattern| pattern.matches(issuer)).map(IssuerPattern::as_str)
    }

    /// Lets it be asked for again.
    pub(super) fn forget(&self, issuer: &str) {
        let mut state = self.state();
        state.refused.remove(issuer);
        // Requests that already wait get the answer; later requests ask again.
        state.end(issuer);
    }

    /// Begins to resolve an issuer, unless that is already under way.
    pub(super) fn begin(
        &self,
        issuer: &str,
        is_new: bool,
        now: impl FnOnce() -> i64,
    ) -> Result<Begun<C>, Error> {
        let mut state = self.state();
        if let Some(refused) = state.refused.get(issuer, now()) {
            return Err(refused.clone());
        }
        if let Some(under_way) = state.under_way.get(issuer) {
            if !under_way.is_overdue() {
                return Ok(Begun::Before(Arc::clone(&under_way.result)));
            }
            state.end(issuer);
        }
        let pause = state.misses.pause(self.start.elapsed(), MOST_MISSES);
        if let Some(pause) = pause.filter(|_| is_new && self.known.is_none()) {
            return Err(ErrorKind::KeyPending { retry_after: pause }.into());
        }
        if state.count_under_way(is_new) >= MOST_UNDER_WAY {
            state.end_overdue();
            if state.count_under_way(is_new) >= MOST_UNDER_WAY {
                return Err(too_many());
            }
        }
        let result = Arc::new(watch::Sender::new(None));
        let under_way = UnderWay { result: Arc::clone(&result), is_new, began: Instant::now() };
        state.under_way.insert(issuer.into(), under_way);
        state.new = state.new.saturating_add(usize::from(is_new));
        Ok(Begun::Now(result))
    }

    /// Asks the application for the engine of an issuer.
    pub(super) async fn resolve(&self, issuer: &str) -> Resolution<C> {
        match timeout(TIME_OUT, (self.function)(issuer.to_owned())).await {
            Ok(Answer::Verifier(engine)) => {
                let engine = engine.filter(|engine| engine.named(issuer).is_some());
                let engine = engine.ok_or_else(|| {
                    let wrong = "the resolver's verifier does not trust the issuer that it is for";
                    Error::with_source(ErrorKind::Failed, wrong)
                })?;
                engine.observe(&self.observers, self.pattern_of(issuer));
                Ok(engine)
            }
            Ok(Answer::Unknown) => Err(unknown_issuer()),
            Ok(Answer::Failed(cause)) => Err(self.unavailable(&*cause)),
            Err(_) => Err(self.unavailable(&io::Error::other("it took longer than 5 s"))),
        }
    }

    /// Refuses an issuer for a while, with this error.
    pub(super) fn refuse(
        &self,
        state: &mut ResolverState<C>,
        issuer: &str,
        error: &Error,
        now: i64,
    ) {
        let pause = if error.is_server_fault() { PAUSE } else { FORGET };
        state.refused.insert(issuer.into(), error.clone(), now.saturating_add(pause), now);
        self.count_miss(state, issuer);
    }

    /// Counts a resolution that was in vain, if its issuer is not in the table.
    pub(super) fn count_miss(&self, state: &mut ResolverState<C>, issuer: &str) {
        if state.under_way.get(issuer).is_some_and(|under_way| under_way.is_new) {
            state.misses.add(self.start.elapsed(), COOLDOWN);
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, ResolverState<C>> {
        // A panic elsewhere leaves the maps whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells that there is no room for a resolved issuer, once in ten seconds.
    pub(super) fn tell_no_room(&self) {
        observe::no_room_for_issuer(&self.full, self.limits.max_resolved);
    }

    /// Tells why, once in ten seconds: not for each request that fails with it.
    #[cold]
    fn unavailable(&self, cause: &(dyn StdError + 'static)) -> Error {
        observe::issuer_not_resolved(&self.failures, cause);
        keys_unavailable(Duration::from_secs(PAUSE.unsigned_abs()))
    }
}

impl<C> fmt::Debug for Resolver<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}

pub(super) struct ResolverState<C> {
    /// The resolutions that are under way, by issuer.
    under_way: HashMap<Box<str>, UnderWay<C>>,
    /// How many of them are for issuers that are not in the table.
    new: usize,
    /// The issuers that were not resolved, with the reasons.
    refused: ExpiringMap<Box<str>, Error>,
    /// The resolutions of new issuers that were in vain.
    misses: Misses,
}

struct UnderWay<C> {
    result: Arc<ResolutionSender<C>>,
    /// Whether the issuer is not in the table: anybody can make up such names.
    is_new: bool,
    began: Instant,
}

impl<C> ResolverState<C> {
    /// Ends the resolution of an issuer, if one is under way.
    pub(super) fn end(&mut self, issuer: &str) {
        if let Some(ended) = self.under_way.remove(issuer) {
            self.new = self.new.saturating_sub(usize::from(ended.is_new));
        }
    }

    /// Whether this resolution is under way, and not another one that began after it was
    /// forgotten.
    pub(super) fn is_under_way(&self, issuer: &str, result: &Arc<ResolutionSender<C>>) -> bool {
        let under_way = self.under_way.get(issuer);
        under_way.is_some_and(|under_way| Arc::ptr_eq(&under_way.result, result))
    }

    /// How many resolutions are under way, of issuers that are new or of those that are not.
    fn count_under_way(&self, is_new: bool) -> usize {
        if is_new { self.new } else { self.under_way.len().saturating_sub(self.new) }
    }

    /// Gives up the resolutions that no task works on any more.
    #[cold]
    fn end_overdue(&mut self) {
        let overdue = self.under_way.iter().filter(|(_, under_way)| under_way.is_overdue());
        let overdue: Vec<_> = overdue.map(|(issuer, _)| issuer.clone()).collect();
        overdue.iter().for_each(|issuer| self.end(issuer));
    }
}

impl<C> UnderWay<C> {
    /// Whether it should have ended so long ago that its runtime is not driven.
    fn is_overdue(&self) -> bool {
        self.began.elapsed() > TIME_OUT + PATIENCE
    }
}

/// A wait for a resolution.
pub(in crate::verifier) struct Resolving<C>(watch::Receiver<Option<Resolution<C>>>);

impl<C> Resolving<C> {
    /// # Errors
    ///
    /// Too many requests wait for it already.
    pub(super) fn new(result: &ResolutionSender<C>) -> Result<Self, Error> {
        if result.receiver_count() >= MOST_WAITING {
            return Err(too_many());
        }
        Ok(Self(result.subscribe()))
    }
}

impl<C: Send + Sync + 'static> Resolving<C> {
    /// Waits for the engine within the time-out, and verifies with it.
    pub(in crate::verifier) async fn verify_with<T, F>(
        mut self,
        verify: impl FnOnce(Arc<Engine<C>>) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        // The request may be polled where another runtime is, or none.
        if runtime_with_timer().is_none() {
            return Err(keys_unavailable(SOON));
        }
        let resolution = match timeout(TIME_OUT, self.0.wait_for(Option::is_some)).await {
            Ok(Ok(resolution)) => resolution.clone(),
            // It takes too long, or the task that resolved it is gone.
            Ok(Err(_)) | Err(_) => None,
        };
        verify(resolution.unwrap_or_else(|| Err(keys_unavailable(SOON)))?).await
    }
}

/// The refusal of an issuer that is not trusted.
#[cold]
pub(super) fn unknown_issuer() -> Error {
    ErrorKind::Issuer.into()
}

/// The refusal if too many issuers are resolved, or too many requests wait: anybody can make up
/// names of issuers.
#[cold]
fn too_many() -> Error {
    ErrorKind::KeyPending { retry_after: SOON }.into()
}

#[cold]
pub(super) fn keys_unavailable(retry_after: Duration) -> Error {
    ErrorKind::KeysUnavailable { retry_after }.into()
}

/// How long the resolver may take, and how long a request waits for it.
const TIME_OUT: Duration = Duration::from_secs(5);
/// More than a busy runtime is ever late.
const PATIENCE: Duration = Duration::from_secs(1);
/// When to try again if too many are resolved.
pub(super) const SOON: Duration = Duration::from_secs(1);
/// Seconds for which an unknown issuer is not asked for again.
const FORGET: i64 = 60;
/// Seconds after a failure until the resolver is called again.
const PAUSE: i64 = 5;
/// How many issuers are resolved at a time that are not in the table, and how many that are.
const MOST_UNDER_WAY: usize = 16;
/// How many resolutions of new issuers may be in vain within one cool-down, and how long that is.
/// Anybody can make up names; those that [`Resolver::known`] lets pass are not made up.
const MOST_MISSES: usize = 20;
const COOLDOWN: Duration = Duration::from_secs(5);
/// How many requests wait for one of them.
const MOST_WAITING: usize = 1000;
const MOST_REFUSED: usize = 1000;
