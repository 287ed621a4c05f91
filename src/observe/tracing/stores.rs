//! Other events of stores, and of observers.

/// Reports that Redis may evict keys when it is full: an evicted revocation lets a token in
/// again.
#[cfg(feature = "redis")]
pub(crate) fn store_may_evict(policy: &str) {
    event!(
        warn,
        policy = %policy,
        "Redis may evict revocations, sessions and proofs: set `maxmemory-policy` to `noeviction`"
    );
}

/// Reports that it is unknown whether Redis may evict keys.
#[cfg(feature = "redis")]
pub(crate) fn eviction_not_checked() {
    event!(
        warn,
        "whether Redis may evict keys was not checked: grant its user `+info`, and see that \
         `maxmemory-policy` is `noeviction`"
    );
}

/// Reports that a spent refresh token was used: a thief has it, or has used it before.
#[cfg(feature = "issue")]
pub(crate) fn refresh_token_reused(session: &str) {
    event!(warn, session, "a spent refresh token was used, its session is ended");
}

/// Reports that an observer has panicked where no request is, or where its panic would do harm.
pub(in crate::observe) fn observer_panicked() {
    event!(error, "an observer has panicked: it missed an event, and no decision has changed");
}
