//! The suite of replay stores: it finds a store that is wrong in one way. And the fake.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tower_jwt_auth::{
    error::StoreError,
    maybe_ready::MaybeReady,
    proof::{Insertion, MemoryReplayStore, PresentedProof, ReplayStore},
    testing::{TestReplayStore, conformance},
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Nothing,
    NeverExpires,
    KeepsOneSecondTooShort,
    KeepsForAMinute,
    KnowsOnlyTheKey,
    KnowsEightBytesOfTheId,
    KnowsTheTimeToo,
    ReadsBeforeItWrites,
    EvictsWhenFull,
    EvictsAtTheLimitOfAKey,
    HasNoLimitOfAKey,
    HasOneLimitForAllKeys,
    CountsExpired,
    ForgetsAllThatExpiresAtOnce,
    IsFullBeforeTheKeyIs,
    LimitsBeforeItLooks,
    SaysNoTimeToWait,
}

#[derive(Clone)]
struct Wrong {
    fault: Fault,
    most: usize,
    most_of_key: usize,
    proofs: Arc<Mutex<Vec<PresentedProof>>>,
}

impl Wrong {
    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn same(&self, one: &PresentedProof, other: &PresentedProof) -> bool {
        match self.fault {
            Fault::KnowsOnlyTheKey => one.key == other.key,
            Fault::KnowsEightBytesOfTheId => one.id.as_bytes()[..8] == other.id.as_bytes()[..8],
            Fault::KnowsTheTimeToo => one.id == other.id && one.expires_at == other.expires_at,
            _ => one.id == other.id,
        }
    }

    fn is_live(&self, one: &PresentedProof, now: i64) -> bool {
        match self.fault {
            Fault::NeverExpires => true,
            Fault::KeepsOneSecondTooShort => one.expires_at - 1 > now,
            Fault::KeepsForAMinute => one.now + 60 > now,
            _ => one.expires_at > now,
        }
    }

    fn answer(&self, proofs: &mut Vec<PresentedProof>, proof: &PresentedProof) -> Insertion {
        let now = proof.now;
        let all = proofs.len();
        if !self.has(Fault::CountsExpired) {
            proofs.retain(|one| self.is_live(one, now));
        }
        if self.has(Fault::ForgetsAllThatExpiresAtOnce) && proofs.len() < all {
            proofs.clear();
        }
        let wait = |seconds| {
            Duration::from_secs(if self.has(Fault::SaysNoTimeToWait) { 0 } else { seconds })
        };
        let again = proofs.iter().any(|one| self.same(one, proof) && self.is_live(one, now));
        if again && !self.has(Fault::LimitsBeforeItLooks) {
            return Insertion::Replayed;
        }
        let any_key = self.has(Fault::HasOneLimitForAllKeys);
        let of_key = proofs.iter().filter(|one| any_key || one.key == proof.key).count();
        let at_limit = of_key >= self.most_of_key && !self.has(Fault::HasNoLimitOfAKey);
        let full = proofs.len() >= self.most;
        if full && self.has(Fault::IsFullBeforeTheKeyIs) {
            return Insertion::Full { retry_after: wait(1) };
        }
        if at_limit && !self.has(Fault::EvictsAtTheLimitOfAKey) {
            return Insertion::TooManyOfKey { retry_after: wait(1) };
        }
        if at_limit {
            let oldest = proofs.iter().position(|one| one.key == proof.key).unwrap();
            proofs.remove(oldest);
        } else if full && self.has(Fault::EvictsWhenFull) {
            proofs.remove(0);
        } else if full {
            return Insertion::Full { retry_after: wait(1) };
        }
        if again { Insertion::Replayed } else { Insertion::Inserted }
    }
}

impl ReplayStore for Wrong {
    fn insert(&self, proof: PresentedProof) -> MaybeReady<Result<Insertion, StoreError>> {
        let store = self.clone();
        MaybeReady::pending(async move {
            if store.has(Fault::ReadsBeforeItWrites) {
                let mut read = store.proofs.lock().unwrap().clone();
                let answer = store.answer(&mut read, &proof);
                tokio::time::sleep(Duration::from_millis(1)).await;
                if answer == Insertion::Inserted {
                    store.proofs.lock().unwrap().push(proof);
                }
                return Ok(answer);
            }
            let mut proofs = store.proofs.lock().unwrap();
            let answer = store.answer(&mut proofs, &proof);
            if answer == Insertion::Inserted {
                proofs.push(proof);
            }
            Ok(answer)
        })
    }
}

async fn suite(fault: Fault) {
    conformance::replay_store(async |setup| Wrong {
        fault,
        most: setup.max_proofs,
        most_of_key: setup.max_proofs_per_key,
        proofs: Arc::default(),
    })
    .await;
}

/// Whether a suite fails.
fn fails<F: Future<Output = ()>>(suite: impl FnOnce() -> F + Send + 'static) -> bool {
    let work = move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(suite());
    };
    std::thread::spawn(work).join().is_err()
}

#[test]
fn d02_d07_the_suite_of_replay_stores_finds_each_fault() {
    assert!(!fails(|| suite(Fault::Nothing)));
    for fault in [
        Fault::NeverExpires,
        Fault::KeepsOneSecondTooShort,
        Fault::KeepsForAMinute,
        Fault::KnowsOnlyTheKey,
        Fault::KnowsEightBytesOfTheId,
        Fault::KnowsTheTimeToo,
        Fault::ReadsBeforeItWrites,
        Fault::EvictsWhenFull,
        Fault::EvictsAtTheLimitOfAKey,
        Fault::HasNoLimitOfAKey,
        Fault::HasOneLimitForAllKeys,
        Fault::CountsExpired,
        Fault::ForgetsAllThatExpiresAtOnce,
        Fault::IsFullBeforeTheKeyIs,
        Fault::LimitsBeforeItLooks,
        Fault::SaysNoTimeToWait,
    ] {
        assert!(fails(move || suite(fault)), "{fault:?} passes");
    }
}

fn memory(setup: &conformance::ReplaySetup) -> MemoryReplayStore {
    MemoryReplayStore::builder()
        .max_proofs(setup.max_proofs)
        .max_proofs_per_key(setup.max_proofs_per_key)
        .build()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn d02_d07_memory_does_what_every_replay_store_does() {
    conformance::replay_store(async |setup| memory(&setup)).await;
    conformance::replay_store(async |setup| TestReplayStore::around(memory(&setup))).await;
    conformance::replay_store_cases(48..304, async |setup| memory(&setup)).await;
}

/// A store whose limit of all proofs does not exist, as with a database.
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_store_may_have_no_limit_of_all() {
    conformance::replay_store(async |setup| {
        let builder = MemoryReplayStore::builder();
        builder.max_proofs_per_key(setup.max_proofs_per_key).build().unwrap()
    })
    .await;
}

#[test]
fn the_suite_of_replay_stores_wants_several_threads() {
    let on_one_thread = || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(conformance::replay_store(async |_| MemoryReplayStore::new()));
    };
    let panic = std::thread::spawn(on_one_thread).join().unwrap_err();
    assert!(panic.downcast_ref::<&str>().is_some_and(|said| said.contains("multi_thread")));
}

#[tokio::test]
async fn d02_a_replay_store_that_fails_says_so() {
    let store = TestReplayStore::new();
    let proof = |id| PresentedProof::new([1; 32].into(), [id; 32].into(), 100, 170);
    store.fail();
    assert!(store.insert(proof(1)).await.is_err());
    store.recover();
    assert_eq!(store.insert(proof(1)).await.unwrap(), Insertion::Inserted, "it had no effect");
    store.lose_answers();
    assert!(store.clone().insert(proof(2)).await.is_err());
    store.recover();
    assert_eq!(store.insert(proof(2)).await.unwrap(), Insertion::Replayed, "it had an effect");
    assert_eq!((store.calls(), store.get_ref().len()), (4, 2));
}
