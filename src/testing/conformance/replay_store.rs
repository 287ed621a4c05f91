//! The suite for stores of proofs.

use std::{collections::HashMap, ops::Range, sync::Arc, time::Duration};

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::Barrier,
};

use super::random::Random;
use crate::{
    proof::{Insertion, PresentedProof, ReplayStore, Thumbprint},
    testing::clock::TestClock,
};

/// The settings of a store under test.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReplaySetup {
    /// The clock of the suite. Give it to a store that takes the time from a clock.
    pub clock: TestClock,
    /// The most live proofs of all keys. A store without such a limit ignores it.
    pub max_proofs: usize,
    /// The most live proofs of one key.
    pub max_proofs_per_key: usize,
}

/// Tests a [`ReplayStore`]. `make` makes an empty store with the limits of each part, about 60 in
/// all.
///
/// It checks that
///
/// 1. a proof is inserted once, until the last second in which it is live, and is another one if any
///    of the first 16 bytes of its id differs;
/// 2. of a hundred inserts of the same proof at once, one succeeds;
/// 3. one key has no more live proofs than it may have, also if a hundred are inserted at once, others
///    have their own limit, and what has expired does not count;
/// 4. a store that is full keeps each live proof, and refuses a key that is at its own limit as such;
/// 5. random sequences of new proofs, replays and pauses show what a model of the rules shows. The
///    sequences are the same each time.
///
/// A store that takes the time from its database cannot follow the clock of the suite by itself: wrap
/// it for the test, and set the time of the database.
///
/// # Example: a store of your own
/// ```
/// use tower_jwt_auth::{proof::MemoryReplayStore, testing::conformance};
///
/// // With tokio's macros: #[tokio::test(flavor = "multi_thread")]
/// # #[tokio::main(flavor = "multi_thread", worker_threads = 2)]
/// # async fn main() {
/// conformance::replay_store(async |setup| {
///     MemoryReplayStore::builder()
///         .max_proofs(setup.max_proofs)
///         .max_proofs_per_key(setup.max_proofs_per_key)
///         .build()
///         .unwrap()
/// })
/// .await;
/// # }
/// ```
///
/// # Panics
///
/// The store does something else; the message says what. For 5, it has the sequence, too. Or the
/// runtime has only one thread: then 2 and 3 would be no test.
pub async fn replay_store<S: ReplayStore>(make: impl AsyncFn(ReplaySetup) -> S) {
    let is_parallel = Handle::current().runtime_flavor() != RuntimeFlavor::CurrentThread;
    assert!(is_parallel, "use `#[tokio::test(flavor = \"multi_thread\")]`: one thread is no race");
    let made = async |max_proofs, max_proofs_per_key| {
        let clock = TestClock::new();
        let setup = ReplaySetup { clock: clock.clone(), max_proofs, max_proofs_per_key };
        Tested { store: Arc::new(make(setup).await), clock }
    };
    made(1_000, 1_000).await.once().await;
    for _ in 0..4 {
        made(1_000, 1_000).await.race().await;
    }
    made(1_000, 8).await.limit_of_a_key().await;
    for _ in 0..4 {
        made(1_000, 8).await.race_at_the_limit().await;
    }
    made(64, 10).await.full(64, 10).await;
    replay_store_cases(0..48, make).await;
}

/// Part 5 of [`replay_store`] with sequences of these numbers, each with a store of its own. The suite
/// has those from 0 to 47. Use it to repeat one that has failed, or to run more of them.
///
/// # Panics
///
/// The store does something else than the model; the message says what.
pub async fn replay_store_cases<S: ReplayStore>(
    cases: Range<u64>,
    make: impl AsyncFn(ReplaySetup) -> S,
) {
    for case in cases {
        let clock = TestClock::new();
        let setup = ReplaySetup { clock: clock.clone(), max_proofs: 40, max_proofs_per_key: 15 };
        let (max_proofs, most) = (setup.max_proofs, setup.max_proofs_per_key);
        let tested = Tested { store: Arc::new(make(setup).await), clock };
        tested.sequence(case, max_proofs, most).await;
    }
}

/// A store, and the clock that it was made with.
struct Tested<S> {
    store: Arc<S>,
    clock: TestClock,
}

impl<S: ReplayStore> Tested<S> {
    fn now(&self) -> i64 {
        self.clock.unix_seconds()
    }

    /// Inserts the proof with this number of the key with this number.
    async fn insert(&self, key: u64, id: u64, ends: i64) -> Insertion {
        let proof = PresentedProof::new(key_of(key), id_of(id), self.now(), ends);
        self.store.insert(proof).await.expect("the store answers")
    }

    async fn once(self) {
        let begin = self.now();
        let ends = begin + 70;
        assert_eq!(self.insert(1, 1, ends).await, Insertion::Inserted, "a proof of an empty store");
        // Other proofs of the same key, and of others, of which each byte differs once.
        for at in 0..16 {
            let mut id = *id_of(1).as_bytes();
            id[at] ^= 1;
            let proof = PresentedProof::new(key_of(1 + at as u64 % 2), id.into(), self.now(), ends);
            let inserted = self.store.insert(proof).await.expect("the store answers");
            assert_eq!(inserted, Insertion::Inserted, "the byte {at} of the id is another one");
        }
        for now in [0, 1, 35, 68, 69] {
            self.clock.advance(seconds(begin + now - self.now()));
            let again = self.insert(1, 1, ends).await;
            assert_eq!(again, Insertion::Replayed, "{now} s after it was inserted, of 70 s");
            // It is live as long as it was at first, whatever the copy says.
            let again = self.insert(1, 1, ends + 30).await;
            assert_eq!(again, Insertion::Replayed, "the same id with a later time");
        }
        // One second long, and as long as the longest window.
        for (id, lives) in [(100, 1), (101, 310)] {
            let ends = self.now() + lives;
            assert_eq!(self.insert(1, id, ends).await, Insertion::Inserted, "for {lives} s");
            self.clock.advance(seconds(lives - 1));
            let again = self.insert(1, id, ends).await;
            assert_eq!(again, Insertion::Replayed, "in the last of {lives} s");
        }
    }

    async fn race(self) {
        let barrier = Arc::new(Barrier::new(100));
        let tested = Arc::new(self);
        for round in 0..5 {
            let ends = tested.now() + 70;
            let tasks: Vec<_> = (0..100)
                .map(|_| {
                    let (tested, barrier) = (Arc::clone(&tested), Arc::clone(&barrier));
                    tokio::spawn(async move {
                        barrier.wait().await;
                        tested.insert(1, round, ends).await
                    })
                })
                .collect();
            let mut won = 0;
            for task in tasks {
                match task.await.expect("no insert panics") {
                    Insertion::Inserted => won += 1,
                    other => assert_eq!(other, Insertion::Replayed, "a hundred at once"),
                }
            }
            assert_eq!(won, 1, "of a hundred inserts of one proof at once, one succeeds");
        }
    }

    async fn limit_of_a_key(self) {
        let ends = self.now() + 70;
        for id in 0..8 {
            assert_eq!(self.insert(1, id, ends).await, Insertion::Inserted, "below the limit");
        }
        let refused = self.insert(1, 8, ends).await;
        let Insertion::TooManyOfKey { retry_after } = refused else {
            panic!("a key has more live proofs than it may have: {refused:?}")
        };
        assert!(
            (seconds(1)..=seconds(70)).contains(&retry_after),
            "the first proof of the key expires in 70 s, and not after {retry_after:?}"
        );
        let again = self.insert(1, 0, ends).await;
        assert_eq!(again, Insertion::Replayed, "a replay by a key that is at its limit");
        assert_eq!(self.insert(2, 20, ends).await, Insertion::Inserted, "another key");
        self.clock.advance(seconds(69));
        let refused = self.insert(1, 9, ends + 69).await;
        assert!(matches!(refused, Insertion::TooManyOfKey { .. }), "after 69 of 70 s: {refused:?}");
        self.clock.advance(seconds(1));
        for id in 30..38 {
            let inserted = self.insert(1, id, ends + 70).await;
            assert_eq!(inserted, Insertion::Inserted, "the former proofs of the key have expired");
        }
        let refused = self.insert(1, 38, ends + 70).await;
        assert!(matches!(refused, Insertion::TooManyOfKey { .. }), "the limit, again: {refused:?}");
    }

    async fn race_at_the_limit(self) {
        let (tested, barrier) = (Arc::new(self), Arc::new(Barrier::new(100)));
        let ends = tested.now() + 70;
        let tasks: Vec<_> = (0..100)
            .map(|id| {
                let (tested, barrier) = (Arc::clone(&tested), Arc::clone(&barrier));
                tokio::spawn(async move {
                    barrier.wait().await;
                    tested.insert(1, id, ends).await
                })
            })
            .collect();
        let mut inserted = 0;
        for task in tasks {
            match task.await.expect("no insert panics") {
                Insertion::Inserted => inserted += 1,
                other => assert!(matches!(other, Insertion::TooManyOfKey { .. }), "{other:?}"),
            }
        }
        assert_eq!(inserted, 8, "of a hundred proofs at once by a key that may have 8");
    }

    async fn full(self, max_proofs: u64, most: u64) {
        let ends = self.now() + 70;
        for id in 0..max_proofs {
            let inserted = self.insert(id / most, id, ends).await;
            assert_eq!(inserted, Insertion::Inserted, "there is room for {max_proofs}");
        }
        let mut full = false;
        for id in 1_000..1_200 {
            match self.insert(id, id, ends).await {
                Insertion::Full { retry_after } => {
                    full = true;
                    assert!((seconds(1)..=seconds(70)).contains(&retry_after), "{retry_after:?}");
                }
                other => assert!(!full && other == Insertion::Inserted, "{other:?}"),
            }
            // The first key has as many as it may have.
            let refused = self.insert(0, 2_000 + id, ends).await;
            let of_key = matches!(refused, Insertion::TooManyOfKey { .. });
            assert!(of_key, "the limit of a key comes before that of all: {refused:?}");
        }
        for pause in [0, 69] {
            self.clock.advance(seconds(pause));
            for id in 0..max_proofs {
                let again = self.insert(id / most, id, ends).await;
                assert_eq!(again, Insertion::Replayed, "a live proof was removed to make room");
            }
        }
        self.clock.advance(seconds(1));
        let ends = self.now() + 70;
        for id in 0..max_proofs {
            let inserted = self.insert(id / most, 5_000 + id, ends).await;
            assert_eq!(inserted, Insertion::Inserted, "all former proofs have expired");
        }
    }

    /// A sequence of new proofs, replays and pauses, and what a model says of each.
    async fn sequence(self, case: u64, max_proofs: usize, most: usize) {
        let mut random = Random::new(case);
        let mut log = Vec::new();
        // The key and the end of each proof that was inserted. The ids count up.
        let mut model: HashMap<u64, (u64, i64)> = HashMap::new();
        let mut is_limited = false;
        for id in 0..300 {
            self.clock.advance(seconds(random.pick(&PAUSES)));
            let now = self.now();
            model.retain(|_, (_, ends)| *ends > now);
            let live: Vec<u64> = {
                let mut ids: Vec<_> = model.keys().copied().collect();
                ids.sort_unstable();
                ids
            };
            if !live.is_empty() && random.pick(&[0, 1, 2]) == 0 {
                let again = random.pick(&live);
                let (key, ends) = model[&again];
                log.push(format!("{now}: key {key}, proof {again} again, until {ends}"));
                let answer = self.insert(key, again, ends).await;
                let log = log.join("\n");
                assert_eq!(answer, Insertion::Replayed, "a replay in sequence {case}:\n{log}");
                continue;
            }
            let (key, ends) =
                (random.pick(&[0, 0, 0, 0, 1, 2, 3, 4]), now + random.pick(&[1, 10, 60, 70, 70]));
            log.push(format!("{now}: key {key}, proof {id}, until {ends}"));
            let answer = self.insert(key, id, ends).await;
            let of_key = model.values().filter(|(one, _)| *one == key).count();
            let fits = match answer {
                Insertion::TooManyOfKey { .. } => of_key >= most,
                Insertion::Full { .. } => {
                    is_limited = true;
                    of_key < most && model.len() >= max_proofs
                }
                Insertion::Inserted => {
                    model.insert(id, (key, ends));
                    of_key < most && (model.len() <= max_proofs || !is_limited)
                }
                Insertion::Replayed => false,
            };
            let log = log.join("\n");
            assert!(
                fits,
                "{answer:?}, with {of_key} live proofs of the key in sequence {case}:\n{log}"
            );
        }
    }
}

/// Mostly short, so that limits are reached; rarely so long that all proofs expire.
const PAUSES: [i64; 24] =
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 5, 20, 100];

fn key_of(number: u64) -> Thumbprint {
    Thumbprint::of(&[b"key", &number.to_be_bytes()])
}

fn id_of(number: u64) -> Thumbprint {
    Thumbprint::of(&[b"id", &number.to_be_bytes()])
}

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}
