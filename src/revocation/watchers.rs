//! The index of watched tokens, by the names in revocations.

use std::{
    cmp::Ordering,
    collections::BTreeSet,
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use super::{
    record::{Kind, Revocation, TokenIds},
    watched::Watched,
};

/// The streams that end when their token is revoked, by the names in the token; cheap to clone, and all
/// clones are one.
///
/// Each [`Validity`](crate::validity::Validity) registers itself with the watchers of the denylist of its
/// verifier. A denylist of your own has one, gives it in
/// [`Denylist::watchers`](super::Denylist::watchers), and tells it of each revocation. That costs time in
/// proportion to the streams that end, and to the logarithm of the number of all.
///
/// # Example: a denylist of your own
/// ```
/// use std::sync::Mutex;
/// use tower_jwt_auth::{
///     error::StoreError,
///     maybe_ready::MaybeReady,
///     revocation::{Denylist, Revocation, TokenIds, Watchers},
/// };
///
/// #[derive(Default)]
/// struct OwnList {
///     revoked: Mutex<Vec<Revocation>>,
///     watchers: Watchers,
/// }
///
/// impl Denylist for OwnList {
///     fn revoke(&self, revocation: Revocation) -> MaybeReady<Result<(), StoreError>> {
///         self.revoked.lock().expect("nobody panics").push(revocation.clone());
///         self.watchers.tell(&revocation); // after it is in the list
///         MaybeReady::Ready(Ok(()))
///     }
///
///     fn is_revoked(&self, token: TokenIds<'_>) -> MaybeReady<Result<bool, StoreError>> {
///         let revoked = self.revoked.lock().expect("nobody panics");
///         let names = |one: &Revocation| {
///             token.keys().any(|key| key == one.key())
///                 && one.issued_until().is_none_or(|time| token.is_issued_until(time))
///         };
///         MaybeReady::Ready(Ok(revoked.iter().any(names)))
///     }
///
///     fn watchers(&self) -> Option<&Watchers> {
///         Some(&self.watchers)
///     }
/// }
/// # let list = OwnList::default();
/// # assert!(list.revoke(Revocation::token("i", "j", 9)).now_or_never().is_some());
/// ```
#[derive(Clone)]
pub struct Watchers(Arc<Index>);

struct Index {
    /// Several, so that streams that begin and end at once rarely wait for each other.
    parts: [Mutex<Part>; PARTS],
    hasher: RandomState,
}

type Part = BTreeSet<Entry>;

/// A token that is watched under a name.
struct Entry {
    /// The hash of the name.
    hash: u64,
    /// `None` sorts before all tokens that are watched under the name.
    watched: Option<Weak<Watched>>,
}

impl Watchers {
    /// Nobody waits so far.
    #[must_use]
    pub fn new() -> Self {
        let parts = [(); PARTS].map(|()| Mutex::default());
        Self(Arc::new(Index { parts, hasher: RandomState::new() }))
    }

    /// Ends the streams whose token this revocation names. Call it when the revocation is in the list: a
    /// stream that begins at the same moment is either told here, or asks the list afterwards.
    pub fn tell(&self, revocation: &Revocation) {
        let (kind, name) = revocation.name();
        let hash = self.hash(kind, revocation.issuer(), name);
        let Some(part) = self.part(hash) else { return };
        let all = part.range(Entry { hash, watched: None }..).take_while(|one| one.hash == hash);
        let named: Vec<_> =
            all.filter_map(|one| one.watched.as_ref().and_then(Weak::upgrade)).collect();
        // A task that is woken may need the lock.
        drop(part);
        named.iter().for_each(|watched| watched.hear(revocation));
    }

    /// Registers a watched token under its names.
    pub(super) fn add(&self, token: TokenIds<'_>, watched: &Arc<Watched>) {
        for hash in self.hashes(token) {
            if let Some(mut part) = self.part(hash) {
                part.insert(Entry::new(hash, watched));
            }
        }
    }

    /// Removes a token that is no longer watched, except under the names that the token in its place
    /// has, too.
    pub(super) fn remove(
        &self,
        token: TokenIds<'_>,
        kept: Option<TokenIds<'_>>,
        watched: &Arc<Watched>,
    ) {
        let is_kept = |hash| kept.is_some_and(|kept| self.hashes(kept).any(|one| one == hash));
        for hash in self.hashes(token).filter(|hash| !is_kept(*hash)) {
            if let Some(mut part) = self.part(hash) {
                part.remove(&Entry::new(hash, watched));
            }
        }
    }

    fn hashes(&self, token: TokenIds<'_>) -> impl Iterator<Item = u64> {
        token.each().map(move |(kind, name)| self.hash(kind, token.issuer(), name))
    }

    /// A keyed hash: two names rarely share one, and nobody can bring it about.
    fn hash(&self, kind: Kind, issuer: &str, name: &str) -> u64 {
        self.0.hasher.hash_one((kind, issuer, name))
    }

    fn part(&self, hash: u64) -> Option<MutexGuard<'_, Part>> {
        let place = usize::try_from(hash % PARTS_U64).ok()?;
        // No code that holds the lock panics.
        Some(self.0.parts.get(place)?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The number of names under which tokens are watched.
    fn len(&self) -> usize {
        let lock = |part: &Mutex<Part>| part.lock().unwrap_or_else(PoisonError::into_inner).len();
        self.0.parts.iter().map(lock).sum()
    }
}

impl Entry {
    fn new(hash: u64, watched: &Arc<Watched>) -> Self {
        Self { hash, watched: Some(Arc::downgrade(watched)) }
    }

    /// The address tells those of one name apart.
    fn key(&self) -> (u64, Option<usize>) {
        (self.hash, self.watched.as_ref().map(|watched| watched.as_ptr().addr()))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Entry {}

impl Default for Watchers {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Watchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watchers").field("names", &self.len()).finish_non_exhaustive()
    }
}

/// The number of parts.
const PARTS: usize = 16;
const PARTS_U64: u64 = 16;
