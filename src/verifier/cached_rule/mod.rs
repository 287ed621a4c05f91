//! An asynchronous rule whose verdicts are kept for a while.

mod verdicts;

use std::{
    fmt,
    future::Future,
    hash::Hash,
    sync::{Arc, OnceLock},
    time::Duration,
};

use self::verdicts::{Limits, Looked, Verdicts};
use super::{
    Claims,
    rule::{AsyncRule, RuleError},
};
use crate::{
    claims::RegisteredClaims,
    clock::unix_seconds,
    error::{ConfigError, Error},
    maybe_ready::MaybeReady,
};

/// An asynchronous rule whose verdicts are kept for a while, by a key of your own.
///
/// Use it in place of [`async_rule`](super::VerifierBuilder::async_rule) where the rule asks a
/// database or another service, and an answer that is some seconds old is good enough. Add it with
/// [`cached_rule`](super::VerifierBuilder::cached_rule).
///
/// # Rules
///
/// 1. The key is computed from verified claims. Requests with equal keys share a verdict.
/// 2. A verdict is kept for the [`lifetime`](Self::lifetime), from when the rule was called. It is
///    `Ok`, or a refusal: [`RuleError::refuse`], [`RuleError::forbidden`], or an error of this crate
///    that is not the fault of the server. A request with a kept verdict waits for nothing.
/// 3. An error that means 503 or 500 is not kept, and neither is a panic. The next request calls
///    the rule again.
/// 4. The rule is called once at a time for a key. Requests that come meanwhile wait, and get the
///    same answer, also if it is an error. If the request whose call it is is dropped, or if the
///    call panics, one of those that wait calls the rule.
/// 5. A request waits at most 5 s for the call of another one. Then it calls the rule itself, so
///    that a call that hangs blocks nobody for ever. The call of its own has no time-out: set one in
///    the rule. Without a Tokio timer, it waits until the other call ends or is dropped.
/// 6. If there are [`max_entries`](Self::max_entries) verdicts, a new one evicts the oldest.
/// 7. Clones share their verdicts and their calls, also in several verifiers. A clone whose
///    `lifetime` or `max_entries` is set keeps its own. If a function makes the verifiers of many
///    issuers, as for [`Issuers`](super::Issuers), make the rule once, outside of the function, and
///    clone it there. Otherwise each issuer has `max_entries` verdicts of its own.
///
/// # Defaults
///
/// - lifetime: 30 s
/// - verdicts: at most 10,000
///
/// # Security
///
/// The rule's answer must depend on nothing but the key. In particular, a subject is unique within
/// its issuer only: a verifier of several issuers needs both in the key, and so do verifiers of
/// different issuers that share a rule by its clones.
///
/// A kept verdict outlives its reason. A user who was locked is let in, and one who was unlocked is
/// refused, until the lifetime has passed; nothing ends a verdict sooner. Each machine keeps its
/// own. So do not use it for a logout or a revocation: a [denylist](crate::revocation) is asked at
/// each request.
///
/// # Example: users that are active, by issuer and subject
/// ```
/// use std::time::Duration;
/// use tower_jwt_auth::{
///     Claims, Key, Verifier,
///     verifier::{CachedRule, RuleError},
/// };
///
/// # async fn is_active(_: Option<&str>) -> std::io::Result<bool> { Ok(true) }
/// let active = CachedRule::new(
///     |user: &Claims| (user.issuer().map(str::to_owned), user.subject().map(str::to_owned)),
///     async |user: Claims| match is_active(user.subject()).await? {
///         true => Ok(()),
///         false => Err(RuleError::refuse("the user is not active")),
///     },
/// );
/// let verifier = Verifier::builder()
///     .any_issuer()
///     .any_audience()
///     .keys(Key::hs256([7; 32]))
///     .cached_rule(active.lifetime(Duration::from_secs(10)))
///     .build()?;
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[must_use = "a rule does nothing until it is added to a verifier"]
pub struct CachedRule<C = RegisteredClaims> {
    start: Arc<StartFn<C>>,
    /// The rule with its cache, once a verifier has it. Clones share it.
    started: Arc<OnceLock<Arc<AsyncRule<C>>>>,
    lifetime: Duration,
    max_entries: usize,
}

/// Makes the rule with an empty cache.
type StartFn<C> = dyn Fn(Limits) -> Arc<AsyncRule<C>> + Send + Sync;

impl<C: Send + Sync + 'static> CachedRule<C> {
    /// A rule, and the key by which its verdicts are kept.
    pub fn new<K, Key, F, Fut>(key: Key, rule: F) -> Self
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
        Key: Fn(&Claims<C>) -> K + Send + Sync + 'static,
        F: Fn(Claims<C>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), RuleError>> + Send + 'static,
    {
        let (key, rule) = (Arc::new(key), Arc::new(rule));
        let start = move |limits| -> Arc<AsyncRule<C>> {
            let verdicts = Arc::new(Verdicts::<K>::new(limits));
            let (key, rule) = (Arc::clone(&key), Arc::clone(&rule));
            Arc::new(move |claims, clock| {
                let now = unix_seconds(clock.now());
                let call = match verdicts.look(key(claims), now) {
                    Looked::Known(verdict) => return MaybeReady::Ready(verdict),
                    Looked::Asked(call) => call,
                };
                let (rule, claims) = (Arc::clone(&rule), claims.clone());
                MaybeReady::pending(call.verdict(now, move || {
                    let verdict = rule(claims.clone());
                    async move { verdict.await.map_err(Error::from) }
                }))
            })
        };
        Self {
            start: Arc::new(start),
            started: Arc::default(),
            lifetime: LIFETIME,
            max_entries: MAX_ENTRIES,
        }
    }

    /// Sets how long a verdict is kept, in whole seconds: from 1 s to 1 h. Default: 30 s. It may be
    /// kept up to one second less.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self.started = Arc::default();
        self
    }

    /// Sets how many verdicts are kept at most: at least 1. Default: 10,000. Each takes some 200
    /// bytes, and twice its key.
    pub fn max_entries(mut self, max_entries: usize) -> Self {
        self.max_entries = max_entries;
        self.started = Arc::default();
        self
    }

    /// The rule with its cache, which is empty unless a clone was started before.
    pub(super) fn start(self) -> Result<Arc<AsyncRule<C>>, ConfigError> {
        if !(SHORTEST..=LONGEST).contains(&self.lifetime) {
            return Err(ConfigError::OutOfRange(
                "the lifetime of a cached rule's verdicts is from 1 s to 1 h; for none, use \
                 `async_rule`",
            ));
        }
        if self.max_entries == 0 {
            return Err(ConfigError::OutOfRange(
                "a cached rule keeps at least one verdict; for none, use `async_rule`",
            ));
        }
        let lifetime = i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX);
        let start = || (self.start)(Limits { lifetime, max_entries: self.max_entries });
        Ok(Arc::clone(self.started.get_or_init(start)))
    }
}

impl<C> Clone for CachedRule<C> {
    fn clone(&self) -> Self {
        let (start, started) = (Arc::clone(&self.start), Arc::clone(&self.started));
        Self { start, started, lifetime: self.lifetime, max_entries: self.max_entries }
    }
}

impl<C> fmt::Debug for CachedRule<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedRule")
            .field("lifetime", &self.lifetime)
            .field("max_entries", &self.max_entries)
            .finish_non_exhaustive()
    }
}

const LIFETIME: Duration = Duration::from_secs(30);
const MAX_ENTRIES: usize = 10_000;
const SHORTEST: Duration = Duration::from_secs(1);
/// A user who may no longer log in should not get in for longer.
const LONGEST: Duration = Duration::from_secs(3600);
