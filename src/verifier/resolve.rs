//! An issuer that is not there: asked for once, by whoever needs it first.

use std::{
    collections::HashMap,
    error::Error as StdError,
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::de::DeserializeOwned;
use tokio::{
    runtime::Handle,
    sync::watch,
    time::{timeout, timeout_at},
};
use zeroize::Zeroizing;

use super::{Claims, IssuerPattern, Issuers, Verifier, issuers::Shared, peek};
use crate::{
    error::{Error, ErrorKind},
    expiring::ExpiringMap,
    step::Step,
};

type BoxError = Box<dyn StdError + Send + Sync>;
type Answer<C> = Result<Option<Verifier<C>>, BoxError>;

/// The application's own function, and what is under way.
pub(super) struct Resolver<C> {
    allowed: Vec<IssuerPattern>,
    ask: Box<dyn Fn(String) -> Step<Answer<C>> + Send + Sync>,
    pub(super) resolve: Resolve,
    state: Mutex<State<C>>,
}

/// The numbers.
#[derive(Clone, Debug)]
pub(super) struct Resolve {
    pub(super) lifetime: Duration,
    pub(super) most: usize,
}

struct State<C> {
    /// Those that are asked for.
    under_way: HashMap<Box<str>, watch::Receiver<Option<Found<C>>>>,
    /// Those that were asked for in vain.
    refused: ExpiringMap<Box<str>, Error>,
}

/// What became of an issuer.
type Found<C> = Result<Verifier<C>, Error>;

impl Default for Resolve {
    fn default() -> Self {
        Self { lifetime: Duration::from_secs(3600), most: 1000 }
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
            Step::pending(async move { asked.await.map_err(Into::into) })
        };
        let state = State { under_way: HashMap::new(), refused: ExpiringMap::new(MOST_REFUSED) };
        Self { allowed, ask: Box::new(ask), resolve: Resolve::default(), state: Mutex::new(state) }
    }

    pub(super) fn allows_none(&self) -> bool {
        self.allowed.is_empty()
    }

    /// Lets it be asked for again.
    pub(super) fn forget(&self, issuer: &str) {
        let mut state = self.state();
        state.refused.remove(issuer);
        // Who waits for it gets the answer; who comes now asks anew.
        state.under_way.remove(issuer);
    }

    fn state(&self) -> MutexGuard<'_, State<C>> {
        // Maps are whole, whatever happened to who held it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: DeserializeOwned + Send + Sync + 'static> Issuers<C> {
    /// Asks for the issuer of a token that could be a good one, and then verifies it.
    #[cold]
    pub(super) fn resolve(&self, issuer: &str, token: &str) -> Step<Result<Claims<C>, Error>> {
        match self.try_resolve(issuer, token) {
            Err(error) => Step::Ready(Err(error)),
            Ok(mut found) => {
                let token = Zeroizing::new(token.to_owned());
                Step::pending(async move {
                    let deadline = tokio::time::Instant::now() + TIME_OUT;
                    let verifier = match timeout_at(deadline, found.wait_for(Option::is_some)).await
                    {
                        Ok(Ok(found)) => found.clone().unwrap_or_else(|| Err(later(SOON)))?,
                        Ok(Err(_)) | Err(_) => return Err(later(SOON)),
                    };
                    verifier.verify(&token).await
                })
            }
        }
    }

    fn try_resolve(
        &self,
        issuer: &str,
        token: &str,
    ) -> Result<watch::Receiver<Option<Found<C>>>, Error> {
        let shared = self.shared();
        let now = shared.now();
        let resolver = shared.resolver.as_ref().ok_or_else(Self::unknown)?;
        if !resolver.allowed.iter().any(|pattern| pattern.matches(issuer)) {
            return Err(Self::unknown());
        }
        peek::plausible(token, shared.max_token_len(), now)?;
        let age = shared.age();
        let mut state = resolver.state();
        if let Some(refused) = state.refused.get(issuer, now) {
            return Err(refused.clone());
        }
        if let Some(found) = state.under_way.get(issuer) {
            return Ok(found.clone());
        }
        let Ok(runtime) = Handle::try_current() else { return Err(later(SOON)) };
        if state.under_way.len() >= MOST_UNDER_WAY {
            return Err(later(SOON));
        }
        let (sender, receiver) = watch::channel(None);
        state.under_way.insert(issuer.into(), receiver.clone());
        let asked = Asked { shared: Arc::clone(shared), issuer: issuer.into(), sender };
        runtime.spawn(asked.run(age));
        Ok(receiver)
    }
}

/// An issuer that is asked for; however that ends, it is then not under way any more.
struct Asked<C> {
    shared: Arc<Shared<C>>,
    issuer: Box<str>,
    sender: watch::Sender<Option<Found<C>>>,
}

impl<C: Send + Sync + 'static> Asked<C> {
    async fn run(self, age: u64) {
        let Some(resolver) = &self.shared.resolver else { return };
        let answer = timeout(TIME_OUT, (resolver.ask)(self.issuer.to_string())).await;
        let found = match answer {
            Ok(Ok(Some(verifier))) => {
                let trusts = |issuers: &[Box<str>]| issuers.contains(&self.issuer);
                if verifier.issuers().is_some_and(trusts) {
                    Ok(verifier)
                } else {
                    let wrong = "the resolver's verifier does not trust the issuer that it is for";
                    Err(Error::with_source(ErrorKind::Failed, wrong))
                }
            }
            Ok(Ok(None)) => Err(Issuers::<C>::unknown()),
            Ok(Err(cause)) => Err(unavailable(cause)),
            Err(_) => Err(unavailable("the resolver took too long".into())),
        };
        match &found {
            Ok(verifier) => self.shared.keep(&self.issuer, verifier, &resolver.resolve, age),
            Err(error) => {
                let now = self.shared.now();
                let pause = if error.is_server_fault() { PAUSE } else { FORGET };
                let until = now.saturating_add(pause);
                let issuer = self.issuer.clone();
                resolver.state().refused.insert(issuer, error.clone(), until, now);
            }
        }
        self.sender.send_replace(Some(found));
    }
}

impl<C> Drop for Asked<C> {
    fn drop(&mut self) {
        if let Some(resolver) = &self.shared.resolver {
            let mut state = resolver.state();
            // Not another one that began after this was forgotten.
            let own = |found: &watch::Receiver<_>| found.same_channel(&self.sender.subscribe());
            if state.under_way.get(&self.issuer).is_some_and(own) {
                state.under_way.remove(&self.issuer);
            }
        }
    }
}

#[cold]
fn later(retry_after: Duration) -> Error {
    ErrorKind::KeysUnavailable { retry_after }.into()
}

#[cold]
fn unavailable(cause: BoxError) -> Error {
    let retry_after = Duration::from_secs(PAUSE.unsigned_abs());
    Error::with_source(ErrorKind::Unavailable { retry_after }, cause)
}

impl<C> fmt::Debug for Resolver<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}

/// How long the resolver may take, and who waits for it.
const TIME_OUT: Duration = Duration::from_secs(5);
/// When to come again where too many are asked for.
const SOON: Duration = Duration::from_secs(1);
/// Seconds for which an issuer that nobody knows is not asked for again.
const FORGET: i64 = 60;
/// Seconds after which the resolver is asked again that has failed.
const PAUSE: i64 = 5;
const MOST_UNDER_WAY: usize = 16;
const MOST_REFUSED: usize = 1000;
