//! The events of keys, of those that sign and of those that verify.

use std::error::Error as StdError;
#[cfg(feature = "remote")]
use std::fmt;
#[cfg(feature = "issue")]
use std::path::Path;
#[cfg(feature = "remote")]
use std::time::Duration;

#[cfg(feature = "remote")]
use super::outage::Outage;
use super::pace::Pace;
#[cfg(feature = "remote")]
use crate::error::FetchError;

/// Reports that a signing key was added to its directory, in time for verifiers to fetch it or
/// `late`.
#[cfg(feature = "issue")]
pub(crate) fn signing_key_added(file: &Path, kid: &str, late: bool) {
    let file = file.display();
    if late {
        event!(
            warn,
            file = %file,
            kid,
            "a signing key was added, and signs so soon that verifiers may not know it: add keys \
             earlier, by `publish_ahead` at least"
        );
    } else {
        event!(info, file = %file, kid, "a signing key was added");
    }
}

/// Reports that a signing key was removed from its directory.
#[cfg(feature = "issue")]
pub(crate) fn signing_key_removed(file: &Path, kid: &str) {
    event!(info, file = %file.display(), kid, "a signing key was removed");
}

/// Reports that keys were fetched: the first time, or after an outage that was reported.
#[cfg(feature = "remote")]
pub(crate) fn keys_fetched(outage: &Outage, from: &str) {
    if outage.end().is_some() {
        event!(info, from, "keys can be fetched again");
    } else {
        event!(debug, from, "keys were fetched");
    }
}

/// Reports that keys cannot be fetched: one event in ten seconds.
#[cfg(feature = "remote")]
pub(crate) fn keys_not_fetched(outage: &Outage, error: &FetchError) {
    if let Some(more) = outage.begin() {
        let from = error.url();
        event!(warn, from, reason = %error.reason(), more, "keys cannot be fetched");
    }
}

/// Reports that keys have become too old to be used: one event in ten seconds. Each request that
/// needs a key asks, so nothing is computed for the others.
#[cfg(feature = "remote")]
pub(crate) fn keys_too_old(
    pace: &Pace,
    from: impl FnOnce() -> String,
    age: impl FnOnce() -> Option<Duration>,
) {
    if let Some(more) = pace.case() {
        let (from, age_s) = (&*from(), age().map(|age| age.as_secs()));
        event!(
            error,
            from,
            age_s,
            more,
            "keys are too old to be used: valid tokens are answered 503 until keys can be fetched"
        );
    }
}

/// Reports that a token names a key that its provider has removed: one event in ten seconds. Its
/// signature is not verified, so it may also be made up. Returns whether it was reported now.
#[cfg(feature = "remote")]
pub(crate) fn removed_key_used(pace: &Pace, from: &str, kid: &str) -> bool {
    let more = pace.case();
    if let Some(more) = more {
        event!(
            warn,
            from,
            kid = %Ids(&[kid]),
            more,
            "a token names a key that was removed: the provider may still sign with it, or the \
             token is made up"
        );
    }
    more.is_some()
}

/// Reports that the application's resolver has failed, with its own text as the cause: one event in
/// ten seconds.
pub(crate) fn issuer_not_resolved(pace: &Pace, cause: &(dyn StdError + 'static)) {
    if let Some(more) = pace.case() {
        event!(warn, cause = %cause, more, "an issuer cannot be resolved");
    }
}

/// Reports that there is no room for an issuer that was resolved: one event in ten seconds.
pub(crate) fn no_room_for_issuer(pace: &Pace, max_resolved: usize) {
    if let Some(more) = pace.case() {
        event!(
            warn,
            max_resolved,
            more,
            "no room for another resolved issuer: it is resolved for each token, raise \
             `max_resolved`"
        );
    }
}

/// Reports that a key of a document cannot be used. It is `harmless` if the key is not for
/// signatures.
#[cfg(feature = "remote")]
pub(crate) fn key_skipped(from: &str, skipped: &impl fmt::Display, harmless: bool) {
    if harmless {
        event!(debug, from, skipped = %skipped, "a key is left out");
    } else {
        event!(warn, from, skipped = %skipped, "a key is left out");
    }
}

/// Reports that the document of the keys has others than before.
#[cfg(feature = "remote")]
pub(crate) fn keys_rotated(from: &str, added: &[Box<str>], removed: &[Box<str>]) {
    event!(info, from, added = %Ids(added), removed = %Ids(removed), "keys were rotated");
}

/// Reports that a key was removed while tokens that it has signed had not expired: they are
/// refused.
#[cfg(feature = "remote")]
pub(crate) fn key_removed_early(from: &str, kid: &str, left: Duration) {
    let left_s = left.as_secs();
    event!(
        warn,
        from,
        kid = %Ids(&[kid]),
        left_s,
        "a key was removed before its tokens had expired: the provider must publish it for longer"
    );
}

/// Reports that a key is older than it should be.
#[cfg(feature = "remote")]
pub(crate) fn key_is_old(from: &str, kid: &str, age: Duration) {
    let age_s = age.as_secs();
    event!(warn, from, kid = %Ids(&[kid]), age_s, "a key is older than it should be");
}

/// The ids of keys: each in quotes, escaped and cut, and at most a few of them.
#[cfg(feature = "remote")]
struct Ids<'i, T>(&'i [T]);

#[cfg(feature = "remote")]
impl<T: AsRef<str>> fmt::Display for Ids<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST_SHOWN: usize = 8;
        const LONGEST_SHOWN: usize = 64;
        for (at, id) in self.0.iter().map(AsRef::as_ref).enumerate().take(MOST_SHOWN) {
            let start: String = id.chars().take(LONGEST_SHOWN).collect();
            let cut = if start.len() < id.len() { "…" } else { "" };
            write!(f, "{}{start:?}{cut}", if at == 0 { "" } else { ", " })?;
        }
        match self.0.len().saturating_sub(MOST_SHOWN) {
            0 => Ok(()),
            more => write!(f, ", and {more} more"),
        }
    }
}

#[cfg(all(test, feature = "remote"))]
mod tests {
    use super::*;

    #[test]
    fn ids_are_escaped_and_cut() {
        assert_eq!(Ids::<&str>(&[]).to_string(), "");
        let long = "k".repeat(65);
        let ids = ["a", "b\n\"", &*long];
        let shown = format!("\"a\", \"b\\n\\\"\", \"{}\"…", "k".repeat(64));
        assert_eq!(Ids(&ids).to_string(), shown);
        assert!(Ids(&["x"; 10]).to_string().ends_with("\"x\", and 2 more"));
    }
}
