//! Families in the memory of this process.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::store::{Family, RefreshStore, Rotated, Rotation, Session};
use crate::{error::StoreError, expiring::ExpiringMap, step::Step};

/// Keeps families for one process, until it ends; cheap to clone, and all clones are one
/// store.
///
/// # Defaults
///
/// - at most 1,000,000 families, of about a kilobyte each; where there are more, the one
///   goes first that would end first
#[derive(Clone)]
pub struct MemoryRefresh(Arc<Mutex<Families>>);

struct Families {
    by_id: ExpiringMap<String, Family>,
    by_subject: HashMap<String, HashSet<String>>,
}

impl MemoryRefresh {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(MOST)
    }

    /// An empty store for so many families.
    #[must_use]
    pub fn with_capacity(most: usize) -> Self {
        let families = Families { by_id: ExpiringMap::new(most), by_subject: HashMap::new() };
        Self(Arc::new(Mutex::new(families)))
    }

    fn lock(&self) -> MutexGuard<'_, Families> {
        // What is done under the lock does not panic half way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RefreshStore for MemoryRefresh {
    fn create(&self, family: Family, now: i64) -> Step<Result<(), StoreError>> {
        let mut families = self.lock();
        let session = family.session();
        if families.by_id.get(session.id(), now).is_some() {
            return Step::Ready(Err(StoreError::new("a family of this id is there")));
        }
        let ids = families.by_subject.entry(session.subject().to_owned()).or_default();
        ids.insert(session.id().to_owned());
        families.keep(family, now);
        Step::Ready(Ok(()))
    }

    fn get(&self, id: &str, now: i64) -> Step<Result<Option<Family>, StoreError>> {
        Step::Ready(Ok(self.lock().by_id.get(id, now).cloned()))
    }

    fn rotate(&self, rotation: Rotation) -> Step<Result<Rotated, StoreError>> {
        let mut families = self.lock();
        let Some(mut family) = families.take(rotation.id()) else {
            return Step::Ready(Ok(Rotated::Unknown));
        };
        let rotated = family.rotate(&rotation);
        match &rotated {
            Rotated::Rotated(_) | Rotated::Repeated { .. } => families.keep(family, rotation.now()),
            Rotated::Reused(session) => families.forget(session),
            Rotated::Expired | Rotated::Unknown => families.forget(family.session()),
        }
        Step::Ready(Ok(rotated))
    }

    fn list(&self, subject: &str, now: i64) -> Step<Result<Vec<Session>, StoreError>> {
        let families = self.lock();
        let ids = families.by_subject.get(subject).into_iter().flatten();
        let alive = ids.filter_map(|id| families.by_id.get(id.as_str(), now));
        Step::Ready(Ok(alive.map(|family| family.session().clone()).collect()))
    }

    fn end(&self, id: &str) -> Step<Result<Option<Session>, StoreError>> {
        let mut families = self.lock();
        let ended = families.take(id);
        if let Some(family) = &ended {
            families.forget(family.session());
        }
        Step::Ready(Ok(ended.map(|family| family.session().clone())))
    }

    fn end_all(&self, subject: &str) -> Step<Result<Vec<Session>, StoreError>> {
        let mut families = self.lock();
        let ids = families.by_subject.remove(subject).unwrap_or_default();
        let ended = ids.iter().filter_map(|id| families.take(id));
        Step::Ready(Ok(ended.map(|family| family.session().clone()).collect()))
    }
}

impl Families {
    /// Keeps a family whose subject knows of it.
    fn keep(&mut self, family: Family, now: i64) {
        let (id, deadline) = (family.session().id().to_owned(), family.session().expires_at());
        for gone in self.by_id.insert(id, family, deadline, now) {
            self.forget(gone.session());
        }
    }

    fn take(&mut self, id: &str) -> Option<Family> {
        self.by_id.remove(id)
    }

    /// Forgets that the subject had this session.
    fn forget(&mut self, session: &Session) {
        if let Some(ids) = self.by_subject.get_mut(session.subject()) {
            ids.remove(session.id());
            if ids.is_empty() {
                self.by_subject.remove(session.subject());
            }
        }
    }
}

impl Default for MemoryRefresh {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryRefresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryRefresh").finish_non_exhaustive()
    }
}

const MOST: usize = 1_000_000;
