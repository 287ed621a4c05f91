//! The trait of observers.

use std::{sync::Arc, time::Duration};

use super::event::{
    CacheLookup, Decision, DenylistReport, EarlyRemoval, KeyFetch, KeyReport, KeyRotation,
    KeysDropped, OldKey, RefreshReport, RemovedKeyUse, ShadowReport, StreamEnd,
};

/// Is told of decisions, of keys and of stores.
///
/// Every method does nothing unless it is implemented. A method is called where the event
/// happens, often while a request is handled: it must return at once, and must not block.
///
/// It should not panic. A panic in [`decided`](Self::decided), [`token_cache`](Self::token_cache),
/// [`verified`](Self::verified) or [`refreshed`](Self::refreshed) unwinds through the request, as that of
/// a handler does. All other panics are caught, and an event of the level error reports them. No panic
/// changes a decision.
///
/// See the [module docs](super) for where to give it.
pub trait Observer: Send + Sync + 'static {
    /// A layer has decided on a request.
    fn decided(&self, decision: &Decision<'_>) {
        _ = decision;
    }

    /// Whether [`verified`](Self::verified) is to be called. It is asked once, when the verifier is
    /// built: otherwise, every request would read the clock. Default: `false`.
    fn times_verification(&self) -> bool {
        false
    }

    /// A verifier took so long for one token, with the time that it waited for keys, the denylist
    /// and rules.
    fn verified(&self, took: Duration) {
        _ = took;
    }

    /// A token was looked for among those that were verified before.
    fn token_cache(&self, lookup: CacheLookup) {
        _ = lookup;
    }

    /// The cache of a verifier had `former` bytes, and has `bytes` now. When the verifier is
    /// dropped, it has 0.
    fn token_cache_resized(&self, former: usize, bytes: usize) {
        _ = (former, bytes);
    }

    /// Keys were fetched, or one was looked up by its id.
    fn keys_fetched(&self, fetch: &KeyFetch<'_>) {
        _ = fetch;
    }

    /// The state of a set of keys that is fetched (`RemoteKeys`): after each fetch, and every ten
    /// seconds.
    fn keys(&self, report: &KeyReport<'_>) {
        _ = report;
    }

    /// A set of keys is no longer in use, so its state is of no interest.
    fn keys_dropped(&self, dropped: &KeysDropped<'_>) {
        _ = dropped;
    }

    /// The document of an issuer's keys has keys of other ids than before. A key that is replaced under
    /// the same id, or without one, is not noticed.
    fn keys_rotated(&self, rotation: &KeyRotation<'_>) {
        _ = rotation;
    }

    /// A key was removed while tokens that it has signed had not expired: its provider removed it
    /// too early, and those tokens are refused.
    fn key_removed_early(&self, key: &EarlyRemoval<'_>) {
        _ = key;
    }

    /// A token names a key that its provider has removed. At most one call in ten seconds for each
    /// issuer. The token was not verified, so it may be made up.
    fn removed_key_used(&self, key: &RemovedKeyUse<'_>) {
        _ = key;
    }

    /// A key is older than it should be. One call a day for each key.
    fn key_is_old(&self, key: &OldKey<'_>) {
        _ = key;
    }

    /// The state of a denylist: of one in memory after each revocation, of one in Redis about once a
    /// second.
    fn denylist(&self, report: &DenylistReport) {
        _ = report;
    }

    /// A refresh token was presented.
    fn refreshed(&self, report: &RefreshReport) {
        _ = report;
    }

    /// A shadow rule has looked at the token of a request that passes.
    fn shadow(&self, report: &ShadowReport) {
        _ = report;
    }

    /// A stream has ended with its token. It is called when the end is first noticed, once for a
    /// [`Validity`](crate::validity::Validity) and its clones, and not for a stream that ends before its
    /// token.
    fn stream_ended(&self, end: &StreamEnd) {
        _ = end;
    }
}

/// The methods of an observer that hands each event on to others.
macro_rules! forward {
    ($this:ident, $others:expr) => {
        forward! {
            $this, $others,
            decided(decision: &Decision<'_>),
            verified(took: Duration),
            token_cache(lookup: CacheLookup),
            token_cache_resized(former: usize, bytes: usize),
            keys_fetched(fetch: &KeyFetch<'_>),
            keys(report: &KeyReport<'_>),
            keys_dropped(dropped: &KeysDropped<'_>),
            keys_rotated(rotation: &KeyRotation<'_>),
            key_removed_early(key: &EarlyRemoval<'_>),
            removed_key_used(key: &RemovedKeyUse<'_>),
            key_is_old(key: &OldKey<'_>),
            denylist(report: &DenylistReport),
            refreshed(report: &RefreshReport),
            shadow(report: &ShadowReport),
            stream_ended(end: &StreamEnd),
        }

        fn times_verification(&$this) -> bool {
            $others.into_iter().any(|other| other.times_verification())
        }
    };
    ($this:ident, $others:expr, $($method:ident($($argument:ident: $type:ty),*),)*) => {
        $(fn $method(&$this, $($argument: $type),*) {
            for other in $others {
                other.$method($($argument),*);
            }
        })*
    };
}

impl<O: Observer + ?Sized> Observer for Arc<O> {
    forward!(self, [&**self]);
}

impl<O: Observer + ?Sized> Observer for Box<O> {
    forward!(self, [&**self]);
}

/// Two observers in the place of one.
pub(super) struct Both<A, B>(pub(super) A, pub(super) B);

impl<A: Observer, B: Observer> Observer for Both<A, B> {
    forward!(self, [&self.0 as &dyn Observer, &self.1]);
}
