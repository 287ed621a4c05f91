//! Keys that are looked up one by one, by the id that a token names.
//!
//! # Rules
//!
//! 1. A function of the application gives the key of an id, says that no key has it, or fails.
//!    It is asked only for a token that passes every check which needs no key, such as issuer,
//!    type and times.
//! 2. An id has 1 to 128 of the characters `A-Z a-z 0-9 . _ -`, and is not `.` or `..`: it is
//!    safe as a segment of a path. The key of any other id, and that of a token without `kid`,
//!    is unknown.
//! 3. A key is used for its lifetime, and looked up again while tokens need it, from three
//!    quarters of that on. No request waits for that. A key that is withdrawn is trusted until
//!    then. If the function fails, the key is used until the end of its lifetime.
//! 4. Requests that need the same id share one lookup. A request that is dropped does not end
//!    it.
//! 5. An id without a key is refused with 401, and not looked up again for the cool-down. A
//!    lookup that fails or takes too long is answered 503 and never 401.
//! 6. Anybody can make up ids, or name those of others. So the number of lookups at a time is
//!    limited, and how many may be in vain within one cool-down: those that find no key, or fail,
//!    or whose key verifies no token. Beyond that, tokens with a new id are answered 503 with
//!    `Retry-After`.
//! 7. An id whose key has verified a token is known. Known ids have lookups of their own beside
//!    those of new ones, which nothing that is made up takes from them: they are looked up again
//!    during a flood, too, until one lifetime after their key has ended. The key of a new id
//!    evicts no key of a known one.
//! 8. If the clock is set back by more than a minute, to before a key was looked up, that key is
//!    not used, and looked up again.
//!
//! A token of a known key takes no lock and does not wait.
//!
//! Lookups run on the tokio runtime of the request, which must have a timer (`enable_all` or
//! `enable_time`). Without one, a missing key is 503; with `panic = "abort"`, the process ends.
//!
//! # Example: keys in a database
//! ```
//! use tower_jwt_auth::{Key, Verifier, keys::by_id::KeysById};
//!
//! # async fn query(_: &str) -> std::io::Result<Option<String>> { Ok(None) }
//! type Error = Box<dyn std::error::Error + Send + Sync>;
//!
//! async fn key(id: String) -> Result<Option<Key>, Error> {
//!     match query(&id).await? {
//!         Some(pem) => Ok(Some(Key::from_pem(pem)?)),
//!         None => Ok(None),
//!     }
//! }
//!
//! let verifier = Verifier::builder()
//!     .issuer("https://login.example.com")
//!     .audience("https://api.example.com")
//!     .keys(KeysById::new(key))
//!     .build()?;
//! # Ok::<(), tower_jwt_auth::ConfigError>(())
//! ```
//!
//! # Security
//!
//! The id comes from a token whose signature is not verified. The function must give only keys
//! whose owner may sign tokens for the issuers that the verifier trusts. If one place has the
//! keys of many owners, such as the load balancers of a region, require something signed that
//! tells the owner; see
//! [`required_header`](crate::verifier::VerifierBuilder::required_header).

mod builder;
mod limits;
mod lookups;
mod table;

use std::{fmt, sync::Arc};

pub use self::builder::KeysByIdBuilder;
use self::lookups::Lookups;
pub(crate) use self::{lookups::PendingLookup, table::CachedKey};
use super::{
    answer::{Deadline, KeyAnswer, id_of},
    trusted::{Generation, StillTrusted},
};
use crate::observe::Observers;

/// Keys that a function of the application looks up by their ids; cheap to clone.
///
/// See the [module docs](self) for when it is asked, and what is kept.
#[derive(Clone)]
pub struct KeysById(Arc<Lookups>);

impl KeysById {
    /// Returns the issuer that the keys are bound to.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.0.issuer.as_deref()
    }

    /// Has the lookups tell these observers, unless others were there before.
    pub(crate) fn observe(&self, observers: &Observers, issuer: Option<&str>) {
        self.0.observed.set(observers, issuer);
    }

    /// The key of this id, if it is known and may be used.
    pub(crate) fn find(&self, id: &str) -> Option<Arc<CachedKey>> {
        self.0.find(id)
    }

    /// Whether the key that verified a token is still that of its id and may be used.
    pub(crate) fn still_trust(&self, generation: Generation) -> Option<StillTrusted> {
        self.0.still_trust(generation)
    }

    /// Notes that this key has verified a token, and that all else about the token was right.
    #[inline]
    pub(crate) fn note_verified(&self, key: &Arc<CachedKey>) {
        if !key.is_proven() {
            self.0.prove(key);
        }
    }

    /// Asks for the key of this name, which a token needs and which is missing. `deadline` is set
    /// if the request has already waited for a key.
    #[cold]
    pub(crate) fn ask(&self, name: &str, deadline: Option<Deadline>) -> KeyAnswer<PendingLookup> {
        match id_of(name).filter(|id| is_id(id)) {
            Some(id) => self.0.ask(id, deadline),
            None => KeyAnswer::Unknown,
        }
    }
}

/// Whether a key of this id may be looked up: it is safe as a segment of a path.
pub(crate) fn is_id(id: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=128).contains(&id.len()) && id.bytes().all(is_plain) && !matches!(id, "." | "..")
}

impl fmt::Debug for KeysById {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeysById")
            .field("issuer", &self.issuer())
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_safe_in_a_path() {
        let long = "k".repeat(128);
        for good in ["a", "...", ".a", "-", "0f1e-2.d_C", &long] {
            assert!(is_id(good), "{good}");
        }
        let longer = "k".repeat(129);
        for bad in ["", ".", "..", "a/b", "../a", "a b", "a%2f", "a?b", "a#b", "a\n", "ä", &longer]
        {
            assert!(!is_id(bad), "{bad:?}");
        }
    }
}
