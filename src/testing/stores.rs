//! Stores that fail when a test says so.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
};

use crate::{
    clock::Clock,
    error::StoreError,
    maybe_ready::MaybeReady,
    observe::Observer,
    proof::{Insertion, MemoryReplayStore, PresentedProof, ReplayStore},
    refresh::{Family, MemoryRefreshStore, RefreshStore, Rotated, Rotation, Session},
    revocation::{Denylist, MemoryDenylist, Revocation, TokenIds, Watchers},
};

/// How a store fails.
#[derive(Debug, Default)]
struct Switch {
    mode: AtomicU8,
    calls: AtomicUsize,
}

const ANSWERS: u8 = 0;
const FAILS: u8 = 1;
const LOSES_ANSWERS: u8 = 2;

impl Switch {
    fn set(&self, mode: u8) {
        self.mode.store(mode, Ordering::SeqCst);
    }

    /// Does the work of a call as the switch says.
    fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> MaybeReady<Result<T, StoreError>>,
    ) -> MaybeReady<Result<T, StoreError>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let failed = || StoreError::new("the test lets this store fail");
        match self.mode.load(Ordering::SeqCst) {
            FAILS => MaybeReady::Ready(Err(failed())),
            LOSES_ANSWERS => match work() {
                MaybeReady::Ready(_) => MaybeReady::Ready(Err(failed())),
                MaybeReady::Pending(work) => MaybeReady::pending(async move {
                    drop(work.await);
                    Err(failed())
                }),
            },
            _ => work(),
        }
    }
}

/// A denylist that fails while a test says so; cheap to clone, and all clones have one switch.
///
/// # Example: what cannot be checked is not let in
/// ```
/// use tower_jwt_auth::testing::{TestDenylist, TestIssuer, assert_accepted, assert_refused};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (issuer, denylist) = (TestIssuer::new(), TestDenylist::new());
/// let verifier = issuer.verifier_builder().denylist(denylist.clone()).build()?;
///
/// let token = issuer.token().sign();
/// assert_accepted(&verifier.verify(&token).await);
/// denylist.fail();
/// assert_refused(&verifier.verify(&token).await, "unavailable");
/// denylist.recover();
/// assert_accepted(&verifier.verify(&token).await);
/// # Ok(()) }
/// ```
pub struct TestDenylist<D = MemoryDenylist> {
    list: Arc<D>,
    switch: Arc<Switch>,
}

impl TestDenylist {
    /// An empty [`MemoryDenylist`] with a switch.
    #[must_use]
    pub fn new() -> Self {
        Self::around(MemoryDenylist::new())
    }

    /// Sets the clock that decides when a revocation is over. It makes another list, which is empty: call
    /// it first. Give it the clock of the issuer if a test moves that.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock) -> Self {
        Self::around(MemoryDenylist::with_clock(clock))
    }
}

impl<D> TestDenylist<D> {
    /// This list with a switch.
    #[must_use]
    pub fn around(list: D) -> Self {
        Self { list: Arc::new(list), switch: Arc::default() }
    }

    /// Fails each call, until [`recover`](Self::recover). A call that fails has no effect.
    pub fn fail(&self) {
        self.switch.set(FAILS);
    }

    /// Carries each call out and fails nevertheless, as if the answer of the database were lost, until
    /// [`recover`](Self::recover).
    pub fn lose_answers(&self) {
        self.switch.set(LOSES_ANSWERS);
    }

    /// Answers again.
    pub fn recover(&self) {
        self.switch.set(ANSWERS);
    }

    /// How often it was called.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.switch.calls.load(Ordering::SeqCst)
    }

    /// The list within.
    #[must_use]
    pub fn get_ref(&self) -> &D {
        &self.list
    }
}

impl<D: Denylist> Denylist for TestDenylist<D> {
    fn revoke(&self, revocation: Revocation) -> MaybeReady<Result<(), StoreError>> {
        self.switch.call(|| self.list.revoke(revocation))
    }

    fn is_revoked(&self, token: TokenIds<'_>) -> MaybeReady<Result<bool, StoreError>> {
        self.switch.call(|| self.list.is_revoked(token))
    }

    fn observe(&self, observer: Arc<dyn Observer>) {
        self.list.observe(observer);
    }

    fn watchers(&self) -> Option<&Watchers> {
        self.list.watchers()
    }
}

impl Default for TestDenylist {
    fn default() -> Self {
        Self::new()
    }
}

impl<D> Clone for TestDenylist<D> {
    fn clone(&self) -> Self {
        Self { list: Arc::clone(&self.list), switch: Arc::clone(&self.switch) }
    }
}

impl<D> fmt::Debug for TestDenylist<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestDenylist").field("switch", &self.switch).finish_non_exhaustive()
    }
}

/// A store of refresh tokens that fails while a test says so; cheap to clone, and all clones have
/// one switch.
///
/// # Example: an answer that is lost
/// ```
/// use tower_jwt_auth::{
///     refresh::{Login, RefreshTokens},
///     testing::TestRefreshStore,
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = TestRefreshStore::new();
/// let tokens = RefreshTokens::builder(store.clone()).build()?;
/// let first = tokens.open(Login::new("ada")).await?;
///
/// store.lose_answers();
/// assert!(tokens.rotate(first.token().as_str()).await.is_err());
/// store.recover();
/// // The token was spent. Within the grace, it gives its successor.
/// assert!(tokens.rotate(first.token().as_str()).await?.is_repeated());
/// # Ok(()) }
/// ```
pub struct TestRefreshStore<S = MemoryRefreshStore> {
    store: Arc<S>,
    switch: Arc<Switch>,
}

impl TestRefreshStore {
    /// An empty [`MemoryRefreshStore`] with a switch.
    #[must_use]
    pub fn new() -> Self {
        Self::around(MemoryRefreshStore::new())
    }
}

impl<S> TestRefreshStore<S> {
    /// This store with a switch.
    #[must_use]
    pub fn around(store: S) -> Self {
        Self { store: Arc::new(store), switch: Arc::default() }
    }

    /// Fails each call, until [`recover`](Self::recover). A call that fails has no effect.
    pub fn fail(&self) {
        self.switch.set(FAILS);
    }

    /// Carries each call out and fails nevertheless, as if the answer of the database were lost, until
    /// [`recover`](Self::recover).
    pub fn lose_answers(&self) {
        self.switch.set(LOSES_ANSWERS);
    }

    /// Answers again.
    pub fn recover(&self) {
        self.switch.set(ANSWERS);
    }

    /// How often it was called.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.switch.calls.load(Ordering::SeqCst)
    }

    /// The store within.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.store
    }
}

impl<S: RefreshStore> RefreshStore for TestRefreshStore<S> {
    fn create(&self, family: Family, now: i64) -> MaybeReady<Result<(), StoreError>> {
        self.switch.call(|| self.store.create(family, now))
    }

    fn get(&self, id: &str, now: i64) -> MaybeReady<Result<Option<Family>, StoreError>> {
        self.switch.call(|| self.store.get(id, now))
    }

    fn rotate(&self, rotation: Rotation) -> MaybeReady<Result<Rotated, StoreError>> {
        self.switch.call(|| self.store.rotate(rotation))
    }

    fn list(&self, subject: &str, now: i64) -> MaybeReady<Result<Vec<Session>, StoreError>> {
        self.switch.call(|| self.store.list(subject, now))
    }

    fn displace(
        &self,
        subject: &str,
        most: usize,
        now: i64,
    ) -> MaybeReady<Result<Option<Vec<Session>>, StoreError>> {
        self.switch.call(|| self.store.displace(subject, most, now))
    }

    fn end(&self, id: &str) -> MaybeReady<Result<Option<Session>, StoreError>> {
        self.switch.call(|| self.store.end(id))
    }

    fn end_all(&self, subject: &str) -> MaybeReady<Result<Vec<Session>, StoreError>> {
        self.switch.call(|| self.store.end_all(subject))
    }
}

impl Default for TestRefreshStore {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Clone for TestRefreshStore<S> {
    fn clone(&self) -> Self {
        Self { store: Arc::clone(&self.store), switch: Arc::clone(&self.switch) }
    }
}

impl<S> fmt::Debug for TestRefreshStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestRefreshStore").field("switch", &self.switch).finish_non_exhaustive()
    }
}

/// A store of DPoP proofs that fails while a test says so; cheap to clone, and all clones have one
/// switch.
///
/// # Example: a store that fails accepts nothing
/// ```
/// use tower_jwt_auth::{
///     proof::{Insertion, PresentedProof, ReplayStore},
///     testing::TestReplayStore,
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = TestReplayStore::new();
/// let proof = PresentedProof::new([1; 32].into(), [2; 32].into(), 1_800_000_000, 1_800_000_070);
///
/// store.lose_answers();
/// assert!(store.insert(proof).await.is_err());
/// store.recover();
/// // It was inserted, so the client needs a new one.
/// assert!(store.insert(proof).await.is_ok_and(|answer| answer == Insertion::Replayed));
/// # Ok(()) }
/// ```
pub struct TestReplayStore<S = MemoryReplayStore> {
    store: Arc<S>,
    switch: Arc<Switch>,
}

impl TestReplayStore {
    /// An empty [`MemoryReplayStore`] with a switch.
    #[must_use]
    pub fn new() -> Self {
        Self::around(MemoryReplayStore::new())
    }
}

impl<S> TestReplayStore<S> {
    /// This store with a switch.
    #[must_use]
    pub fn around(store: S) -> Self {
        Self { store: Arc::new(store), switch: Arc::default() }
    }

    /// Fails each call, until [`recover`](Self::recover). A call that fails has no effect.
    pub fn fail(&self) {
        self.switch.set(FAILS);
    }

    /// Carries each call out and fails nevertheless, as if the answer of the database were lost, until
    /// [`recover`](Self::recover).
    pub fn lose_answers(&self) {
        self.switch.set(LOSES_ANSWERS);
    }

    /// Answers again.
    pub fn recover(&self) {
        self.switch.set(ANSWERS);
    }

    /// How often it was called.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.switch.calls.load(Ordering::SeqCst)
    }

    /// The store within.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.store
    }
}

impl<S: ReplayStore> ReplayStore for TestReplayStore<S> {
    fn insert(&self, proof: PresentedProof) -> MaybeReady<Result<Insertion, StoreError>> {
        self.switch.call(|| self.store.insert(proof))
    }
}

impl Default for TestReplayStore {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Clone for TestReplayStore<S> {
    fn clone(&self) -> Self {
        Self { store: Arc::clone(&self.store), switch: Arc::clone(&self.switch) }
    }
}

impl<S> fmt::Debug for TestReplayStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestReplayStore").field("switch", &self.switch).finish_non_exhaustive()
    }
}
