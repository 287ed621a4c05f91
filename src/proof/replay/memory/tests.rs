//! Tests of the promises of the store, and of what is in its memory.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use super::*;

fn store(all: usize, key: usize) -> MemoryReplayStore {
    MemoryReplayStore::builder().max_proofs(all).max_proofs_per_key(key).build().unwrap()
}

fn thumbprint(number: u64) -> Thumbprint {
    Thumbprint::of(&[&number.to_be_bytes()])
}

fn proof(key: u64, id: u64, now: i64, expires_at: i64) -> PresentedProof {
    PresentedProof::new(thumbprint(key), thumbprint(id), now, expires_at)
}

fn insert(store: &MemoryReplayStore, proof: PresentedProof) -> Option<Insertion> {
    store.insert(proof).now_or_never().unwrap().ok()
}

fn xorshift(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

#[test]
fn d02_a_proof_is_accepted_once_to_its_last_second() {
    let store = MemoryReplayStore::new();
    assert_eq!(insert(&store, proof(1, 1, 100, 170)), Some(Insertion::Inserted));
    for now in [100, 101, 169] {
        assert_eq!(insert(&store, proof(1, 1, now, 170)), Some(Insertion::Replayed), "{now}");
    }
    // Nobody accepts it any more. If somebody asks nevertheless, it is not let in.
    for now in [170, 171, 10_000] {
        assert_eq!(insert(&store, proof(1, 1, now, 170)), Some(Insertion::Replayed), "{now}");
    }
    assert_eq!(insert(&store, proof(1, 2, 170, 171)), Some(Insertion::Inserted));
    assert_eq!(store.len(), 1, "one has expired");
}

#[test]
fn d07_neither_a_key_nor_all_can_push_a_live_proof_out() {
    let store = store(8, 3);
    let second = |seconds| Duration::from_secs(seconds);
    for id in 0..3 {
        let inserted = insert(&store, proof(1, id, 100, 150 + i64::try_from(id).unwrap()));
        assert_eq!(inserted, Some(Insertion::Inserted));
    }
    let too_many = Insertion::TooManyOfKey { retry_after: second(50) };
    assert_eq!(insert(&store, proof(1, 3, 100, 190)), Some(too_many));
    assert_eq!(
        insert(&store, proof(1, 0, 100, 150)),
        Some(Insertion::Replayed),
        "before the limit"
    );
    for id in 10..15 {
        assert_eq!(insert(&store, proof(id, id, 101, 171)), Some(Insertion::Inserted), "{id}");
    }
    let full = Insertion::Full { retry_after: second(48) };
    assert_eq!(insert(&store, proof(20, 20, 102, 172)), Some(full));
    let too_many = Insertion::TooManyOfKey { retry_after: second(48) };
    assert_eq!(insert(&store, proof(1, 3, 102, 172)), Some(too_many), "429 comes before 503");
    for id in (0..3).chain(10..15) {
        let key = if id < 3 { 1 } else { id };
        assert_eq!(insert(&store, proof(key, id, 149, 190)), Some(Insertion::Replayed), "{id}");
    }
    // The first one expires, and gives its place to one.
    assert_eq!(insert(&store, proof(1, 4, 150, 220)), Some(Insertion::Inserted));
    let too_many = Insertion::TooManyOfKey { retry_after: second(1) };
    assert_eq!(insert(&store, proof(1, 5, 150, 220)), Some(too_many));
    let full = Insertion::Full { retry_after: second(1) };
    assert_eq!(insert(&store, proof(21, 21, 150, 220)), Some(full));
}

#[test]
fn d02_of_a_hundred_threads_with_one_proof_one_gets_in() {
    for round in 0..20 {
        let (store, barrier) = (MemoryReplayStore::new(), std::sync::Barrier::new(100));
        let won: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..100)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        let answer = insert(&store, proof(1, round, 100, 170)).unwrap();
                        usize::from(answer == Insertion::Inserted)
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!((won, store.len()), (1, 1));
    }
}

#[test]
fn d07_the_limits_hold_for_a_hundred_threads_with_proofs_of_their_own() {
    let (store, barrier) = (store(500, 100), std::sync::Barrier::new(100));
    let answers: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..100_u64)
            .map(|thread| {
                let (store, barrier) = (&store, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    let ids = thread * 100..thread * 100 + 100;
                    ids.map(|id| insert(store, proof(id % 10, id, 100, 170)).unwrap())
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let inserted = answers.iter().filter(|answer| **answer == Insertion::Inserted).count();
    assert_eq!((inserted, store.len(), answers.len()), (500, 500, 10_000));
    assert!(!answers.contains(&Insertion::Replayed));
}

/// The clock jumps, and expired proofs make room.
#[test]
fn d02_no_proof_is_accepted_twice_while_the_clock_jumps() {
    let (mut seed, mut seen) = (1, HashMap::<&str, usize>::new());
    for round in 0..200 {
        // One part that is full of what has expired, and many parts.
        let store = store([20, 5_000][round % 2], 1_000.min([20, 5_000][round % 2]));
        let (mut accepted, mut proofs) = (HashSet::new(), Vec::new());
        let mut now = 1_000_i64;
        for id in 0..400 {
            now += match xorshift(&mut seed) % 40 {
                0 => 3_600,
                1 => -3_600,
                2 => -30,
                3 => 70,
                jump => i64::from(jump == 4),
            };
            proofs.push((id, now + 60 + i64::try_from(xorshift(&mut seed) % 11).unwrap()));
            for _ in 0..3 {
                let at = xorshift(&mut seed) as usize % proofs.len();
                let (id, end) = proofs[at.max(proofs.len().saturating_sub(50))];
                // At a time at which it is in the window.
                if (1..=70).contains(&(end - now)) {
                    let answer = insert(&store, proof(id % 7, id, now, end));
                    let what = match answer {
                        Some(Insertion::Inserted) => {
                            assert!(accepted.insert((id, end)), "{id} at {now}, {end}");
                            "inserted"
                        }
                        Some(Insertion::Replayed) => "replayed",
                        Some(_) => "too many",
                        None => "forgotten",
                    };
                    *seen.entry(what).or_default() += 1;
                }
            }
        }
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
}

#[test]
fn d02_a_clock_that_comes_back_is_no_outage() {
    let store = store(1_000_000, 100_000);
    for id in 0..5_000 {
        assert_eq!(insert(&store, proof(1, id, 1_000, 1_070)), Some(Insertion::Inserted));
    }
    // An hour ahead, for clients that are ahead as well. Enough of them to forget all others.
    for id in 5_000..25_000 {
        assert_eq!(insert(&store, proof(1, id, 4_600, 4_670)), Some(Insertion::Inserted));
    }
    let answers: Vec<_> = (0..5_000).map(|id| insert(&store, proof(1, id, 1_010, 1_070))).collect();
    assert!(answers.iter().all(|answer| matches!(answer, None | Some(Insertion::Replayed))));
    assert!(answers.contains(&None), "some were forgotten");
    // Proofs of now are accepted as soon as they end after what was forgotten.
    assert_eq!(insert(&store, proof(1, 90_000, 1_010, 1_080)), Some(Insertion::Inserted));
}

#[test]
fn d07_what_has_expired_makes_room_by_and_by() {
    let store = store(20_000, 20_000);
    let (mut most, mut id) = (0, 0);
    // 100 in a second, each for 70 s, for two hours, by 50 keys of which each comes for a minute.
    for second in 0..7_200_i64 {
        for _ in 0..100 {
            id += 1;
            let key = id % 50 + u64::try_from(second / 60).unwrap() * 50;
            assert_eq!(
                insert(&store, proof(key, id, second, second + 70)),
                Some(Insertion::Inserted)
            );
        }
        most = most.max(store.len());
    }
    assert_eq!(most, 7_000);
    let places: usize = store.0.ids.iter().map(|part| lock(part).slots()).sum();
    assert!(places <= 20_000, "{places} places for 7000 proofs");
    let places: usize = store.0.keys.iter().map(|part| lock(part).slots()).sum();
    assert!(places <= 1_000, "{places} places for 100 keys");
}

#[test]
fn an_entry_is_as_small_as_it_can_be() {
    assert_eq!(size_of::<Option<(u64, End)>>(), 16);
    assert_eq!(size_of::<Option<(u64, Counts)>>(), 24);
}

#[test]
fn limits_that_are_wrong_are_refused() {
    let build = |all, key| MemoryReplayStore::builder().max_proofs(all).max_proofs_per_key(key);
    for (all, key) in [(0, 0), (0, 1), (1, 0), (9, 10), (usize::MAX, 1)] {
        let error = build(all, key).build().unwrap_err();
        assert!(matches!(error, ConfigError::OutOfRange(_)), "{all} {key}");
    }
    assert!(build(1, 1).build().is_ok());
    // 5 %, and at least one.
    for (all, of_key) in [(1, 1), (19, 1), (100, 5)] {
        let store = MemoryReplayStore::builder().max_proofs(all).build().unwrap();
        assert_eq!(store.0.max_proofs_per_key, of_key);
    }
    assert_eq!(MemoryReplayStore::new().0.max_proofs_per_key, 50_000);
}

#[test]
fn traits() {
    fn check<T: Clone + Send + Sync + Unpin + fmt::Debug>() {}
    check::<MemoryReplayStore>();
}
