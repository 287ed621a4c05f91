//! The builder of keys that are looked up by their ids.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use super::{
    KeysById,
    limits::Limits,
    lookups::{LookupFn, LookupFuture, Lookups},
};
use crate::{
    clock::{Clock, SystemClock},
    error::{BoxError, ConfigError},
    keys::Key,
};

/// Builds [`KeysById`].
///
/// # Defaults
///
/// - issuer: none, so the keys serve every issuer that the verifier trusts
/// - lifetime of a key: 1 h
/// - keys that are kept: 1000
/// - lookups at a time: 16; at most 5 s for each
/// - cool-down: 5 s; lookups in it that are in vain: 20
/// - clock: that of the system
#[must_use = "a builder does nothing until it is built"]
pub struct KeysByIdBuilder {
    lookup: LookupFn,
    issuer: Option<Box<str>>,
    limits: Limits,
    clock: Box<dyn Clock>,
}

impl KeysByIdBuilder {
    pub(super) fn new(lookup: LookupFn) -> Self {
        Self { lookup, issuer: None, limits: Limits::default(), clock: Box::new(SystemClock) }
    }

    /// Binds the keys to an issuer: they then verify only tokens whose `iss` equals it, byte for
    /// byte (RFC 8725 §3.8). A key that is bound to an issuer of its own keeps that one.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into().into_boxed_str());
        self
    }

    /// Sets how long a key is used before its id must have been looked up again, in whole
    /// seconds: at most so long a key that was withdrawn is trusted. Default: 1 h; from 1 s to
    /// 30 days.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.limits.lifetime = lifetime;
        self
    }

    /// Sets how many keys are kept that have verified a token. If there are as many, the one whose
    /// lifetime ends first is evicted, and looked up again for its next token. Default: 1000.
    ///
    /// A key that has not verified a token yet has a place apart, so that made-up tokens evict no
    /// key that is in use.
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.limits.max_keys = keys;
        self
    }

    /// Sets how many new ids are looked up at a time. Beyond that, tokens with another new id are
    /// answered 503. As many ids that have verified a token are looked up beside them. Default:
    /// 16.
    pub fn max_lookups(mut self, lookups: usize) -> Self {
        self.limits.max_lookups = lookups;
        self
    }

    /// Sets how many lookups of new ids may be in vain within one cool-down: they find no key, or
    /// fail, or their key verifies no token. Beyond that, tokens with a new id are answered 503
    /// until it is over. Default: 20.
    ///
    /// It limits the load that made-up ids put on the function. During a flood of them, a new
    /// key may have to wait. An id that has verified a token does not count, and does not wait.
    pub fn max_misses(mut self, misses: usize) -> Self {
        self.limits.max_misses = misses;
        self
    }

    /// Sets for how long an id is not looked up again after a lookup that found no key or
    /// failed. Default: 5 s; from 1 s to 60 s.
    ///
    /// Anybody can ask for an id before it is published: its tokens are then refused for as long.
    pub fn cooldown(mut self, cooldown: Duration) -> Self {
        self.limits.cooldown = cooldown;
        self
    }

    /// Sets the time-out of a lookup, after which its requests are answered 503. Default: 5 s;
    /// from 10 ms to 60 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = timeout;
        self
    }

    /// Sets the clock that decides how long keys are used. Time-outs and the cool-down use
    /// tokio's time.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Builds the keys. Nothing is looked up before a token needs it.
    ///
    /// # Errors
    ///
    /// Returns an error if a limit is out of range, or the issuer is empty.
    pub fn build(self) -> Result<KeysById, ConfigError> {
        self.limits.check()?;
        if self.issuer.as_deref().is_some_and(|issuer| issuer.trim().is_empty()) {
            return Err(ConfigError::InvalidName(
                "the issuer is empty, give it the `iss` of its tokens",
            ));
        }
        Ok(self.build_unchecked())
    }

    pub(super) fn build_unchecked(self) -> KeysById {
        let Self { lookup, issuer, limits, clock } = self;
        KeysById(Arc::new(Lookups::new(lookup, issuer, limits, clock)))
    }
}

impl KeysById {
    /// Keys that this function looks up, with the [defaults](KeysByIdBuilder).
    ///
    /// It returns the key of the id, or `None` if no key has it. The key's own `kid` does not
    /// matter. A shared secret is refused.
    pub fn new<F, Fut, E>(lookup: F) -> Self
    where
        F: Fn(String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<Key>, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        Self::builder(lookup).build_unchecked()
    }

    /// Returns a builder of keys that this function looks up; see [`KeysById::new`].
    pub fn builder<F, Fut, E>(lookup: F) -> KeysByIdBuilder
    where
        F: Fn(String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<Key>, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let function = move |id| {
            let answer = lookup(id);
            let boxed: LookupFuture = Box::pin(async move { answer.await.map_err(Into::into) });
            boxed
        };
        KeysByIdBuilder::new(Box::new(function))
    }
}

impl fmt::Debug for KeysByIdBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeysByIdBuilder")
            .field("issuer", &self.issuer)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
