//! What is told to the outside of the process: every event, and nothing of a
//! token in any of them.
//!
//! | event | level |
//! |---|---|
//! | a request without a token; a request that passes without claims | debug |
//! | a request or a token that was refused, also for want of keys | info |
//! | a fault of the server, and its cause | error |
//! | a spent refresh token was used | warn |
//! | a token passes unchecked, since the denylist cannot be asked and the verifier is to go on | error |
//! | the denylist cannot be followed any more | warn |
//! | the denylist is followed again | info |
//! | keys were fetched | debug |
//! | keys can be fetched again | info |
//! | keys cannot be fetched any more; a key in a document cannot be used; an issuer cannot be resolved | warn |
//!
//! What is wrong with keys or the link to the denylist is told when it begins and when it ends, not for each
//! attempt, and never has anything of a request in it.

use crate::error::Error;
#[cfg(feature = "tracing")]
use crate::error::ErrorKind;

/// A request was refused.
#[cfg(feature = "tracing")]
pub(crate) fn refused(error: &Error) {
    use std::error::Error as _;

    let kind = error.kind().name();
    if let ErrorKind::KeysUnavailable { .. } = error.kind() {
        // What ails the keys was told when it began.
        tracing::info!(kind, reason = %error, "request not decided");
    } else if error.is_server_fault() {
        let cause = error.source().map(tracing::field::display);
        tracing::error!(kind, reason = %error, cause, "request not decided");
    } else if error.is_missing_token() {
        tracing::debug!(kind, reason = %error, "request refused");
    } else {
        tracing::info!(kind, reason = %error, "request refused");
    }
}

/// A request was refused.
#[cfg(not(feature = "tracing"))]
pub(crate) fn refused(error: &Error) {
    let _ = error.kind().name();
}

/// A request passes without claims, as the layer's mode has it.
#[cfg(feature = "tracing")]
pub(crate) fn passed(error: &Error) {
    if error.is_server_fault() {
        refused(error);
    } else {
        let kind = error.kind().name();
        tracing::debug!(kind, reason = %error, "request passes without claims");
    }
}

/// A request passes without claims, as the layer's mode has it.
#[cfg(not(feature = "tracing"))]
pub(crate) fn passed(error: &Error) {
    refused(error);
}

/// A token passes of which the denylist could not say whether it is revoked, as the
/// verifier was told by name.
#[cfg(feature = "tracing")]
pub(crate) fn passed_unchecked(error: &Error) {
    use std::error::Error as _;

    let cause = error.source().map(tracing::field::display);
    tracing::error!(cause, "a token passes without a look into the denylist");
}

/// A token passes unchecked.
#[cfg(not(feature = "tracing"))]
pub(crate) fn passed_unchecked(_: &Error) {}

/// A refresh token was used that was spent: a thief has it, or has used it.
#[cfg(all(feature = "tracing", feature = "issue"))]
pub(crate) fn refresh_token_reused(session: &str) {
    tracing::warn!(session, "a spent refresh token was used, its session is ended");
}

/// A spent refresh token was used.
#[cfg(all(not(feature = "tracing"), feature = "issue"))]
pub(crate) fn refresh_token_reused(_: &str) {}

/// The denylist's store does not answer any more; the copy here gets old.
#[cfg(all(feature = "tracing", feature = "redis"))]
pub(crate) fn denylist_lost(cause: &impl std::fmt::Display) {
    tracing::warn!(reason = %cause, "the denylist cannot be followed");
}

/// It answers again, and the copy is whole.
#[cfg(all(feature = "tracing", feature = "redis"))]
pub(crate) fn denylist_followed() {
    tracing::info!("the denylist is followed again");
}

/// The denylist's store does not answer any more.
#[cfg(all(not(feature = "tracing"), feature = "redis"))]
pub(crate) fn denylist_lost(_: &impl std::fmt::Display) {}

/// It answers again.
#[cfg(all(not(feature = "tracing"), feature = "redis"))]
pub(crate) fn denylist_followed() {}

/// Keys were fetched: again, where the last fetch failed.
#[cfg(all(feature = "tracing", feature = "remote"))]
pub(crate) fn keys_fetched(from: &str, again: bool) {
    if again {
        tracing::info!(from, "keys can be fetched again");
    } else {
        tracing::debug!(from, "keys were fetched");
    }
}

/// A key of a document cannot be used. One that is not for signatures is nothing
/// to worry about.
#[cfg(all(feature = "tracing", feature = "remote"))]
pub(crate) fn key_skipped(from: &str, skipped: &impl std::fmt::Display, harmless: bool) {
    if harmless {
        tracing::debug!(from, %skipped, "a key is left out");
    } else {
        tracing::warn!(from, %skipped, "a key is left out");
    }
}

/// Keys cannot be fetched any more.
#[cfg(all(feature = "tracing", feature = "remote"))]
pub(crate) fn keys_not_fetched(error: &crate::error::FetchError) {
    tracing::warn!(from = error.url(), reason = %error.kind(), "keys cannot be fetched");
}

/// The application's resolver has failed; the cause is its own text.
#[cfg(all(feature = "tracing", feature = "remote"))]
pub(crate) fn issuer_not_resolved(cause: &(dyn std::error::Error + 'static)) {
    tracing::warn!(%cause, "an issuer cannot be resolved");
}

#[cfg(all(not(feature = "tracing"), feature = "remote"))]
mod silent {
    //! The same, where nobody listens.

    pub(crate) fn keys_fetched(_: &str, _: bool) {}

    pub(crate) fn key_skipped(_: &str, _: &impl std::fmt::Display, _: bool) {}

    pub(crate) fn keys_not_fetched(_: &crate::error::FetchError) {}

    pub(crate) fn issuer_not_resolved(_: &(dyn std::error::Error + 'static)) {}
}

#[cfg(all(not(feature = "tracing"), feature = "remote"))]
pub(crate) use self::silent::{issuer_not_resolved, key_skipped, keys_fetched, keys_not_fetched};
