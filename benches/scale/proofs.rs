//! The stores of DPoP proofs.

use std::{
    env,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tower_jwt_auth::{
    proof::{Insertion, MemoryReplayStore, PresentedProof, ReplayStore},
    redis::Redis,
};

use crate::{
    server::Server,
    table::{Table, at, each, resident},
};

const NOW: i64 = 1_800_000_000;
/// How long a proof is live, in seconds.
const LIVES: usize = 70;
/// The inserts of a round, in which a small store is gone through once. The rounds of both stores take
/// turns, so each begins with what the other one left in the caches.
const ROUND: usize = 1_000;
/// The proofs that are made at once while a store is filled.
const BATCH: usize = 100;

pub(crate) fn measure(table: &mut Table) {
    let (few, many) = (1_000, table.size(2_000, 1_000_000));
    for (keys, name) in [(1_000, "by 1,000 keys"), (usize::MAX, "each by another key")] {
        let (mut small, mut large) = (Flow::filled(few, keys), Flow::filled(many, keys));
        table.ratio(
            &format!("proofs: insert, 1,000 and {many} live, {name}"),
            Some(3.0),
            || small.insert(ROUND),
            || large.insert(ROUND),
        );
        // One by one, for the longest of them.
        let mut times = Vec::new();
        for proof in large.next(table.size(1_000, 500_000)) {
            let begin = Instant::now();
            let answer = large.store.insert(proof).now_or_never().unwrap().unwrap();
            times.push(begin.elapsed());
            assert_eq!(answer, Insertion::Inserted);
        }
        quantiles(table, &format!("proofs: insert, {many} live, {name}"), &mut times);
    }
    for kind in ["proofs", "proofs-of-keys"] {
        let (count, name) = (
            table.size(10_000, 1_000_000),
            if kind == "proofs" { "by 1,000 keys" } else { "each by another key" },
        );
        let bytes = table.bytes_each(kind, count);
        table.value(&format!("proofs: memory of {count} {name}, each"), bytes, "bytes", None);
    }
    shared(table);
}

pub(crate) fn memory(count: usize, of_keys: bool) -> f64 {
    resident(count, || Flow::filled(count, if of_keys { usize::MAX } else { 1_000 }))
}

/// Proofs that come evenly, so that there are always as many live ones.
struct Flow {
    store: MemoryReplayStore,
    live: usize,
    keys: usize,
    number: usize,
}

impl Flow {
    fn filled(live: usize, keys: usize) -> Self {
        let store = MemoryReplayStore::builder().max_proofs(1_000_000).build().unwrap();
        let mut flow = Self { store, live: live - live / LIVES, keys, number: 0 };
        // Once around, so that places were reused.
        for _ in 0..live * 3 / 2 / BATCH {
            flow.insert(BATCH);
        }
        flow
    }

    fn next(&mut self, count: usize) -> Vec<PresentedProof> {
        let first = self.number;
        self.number += count;
        (first..self.number)
            .map(|number| {
                let now = NOW + i64::try_from(number * LIVES / self.live).unwrap();
                let key = bytes((1 << 40) | (number % self.keys));
                let ends = now + i64::try_from(LIVES).unwrap();
                PresentedProof::new(key.into(), bytes(number).into(), now, ends)
            })
            .collect()
    }

    /// Nanoseconds for each of so many.
    fn insert(&mut self, count: usize) -> f64 {
        let proofs = self.next(count);
        each(count, || {
            for proof in proofs {
                let answer = self.store.insert(proof).now_or_never().unwrap().unwrap();
                assert_eq!(answer, Insertion::Inserted);
            }
        })
    }
}

/// The store of several machines.
fn shared(table: &mut Table) {
    if env::var_os("REDIS_SERVER").is_none() {
        println!("the shared store of proofs is left out: REDIS_SERVER is not set");
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        // Without waiting for the disk: proofs live for a minute.
        let server = Server::start_with(&["--appendonly", "no"]);
        server.ask::<String>(&["CONFIG", "SET", "appendonly", "no"]);
        let redis = Redis::builder(server.url()).build().await.unwrap();
        let store = redis.replay_store().build().await.unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let now = i64::try_from(now).unwrap();
        let proof = |key: usize, number: usize| {
            let key = bytes((1 << 40) | key);
            PresentedProof::new(key.into(), bytes(number).into(), now, now + 600)
        };
        let mut times = Vec::new();
        for number in 0..table.size(100, 20_000) {
            let begin = Instant::now();
            let answer = store.insert(proof(number % 1_000, number)).await.unwrap();
            times.push(begin.elapsed());
            assert_eq!(answer, Insertion::Inserted);
        }
        quantiles(table, "proofs in Redis: insert, one after the other", &mut times);

        let mut number = 1 << 20;
        for (keys, name) in [(100, "by 100 keys"), (usize::MAX, "each by another key")] {
            let (count, tasks) = (table.size(200, 100_000), 64);
            let before = used(&server);
            let begin = Instant::now();
            let all: Vec<_> = (0..tasks)
                .map(|task| {
                    let (store, first) = (store.clone(), number + task * (count / tasks));
                    let proofs: Vec<_> = (first..first + count / tasks)
                        .map(|number| proof(number % keys + (1 << 30), number))
                        .collect();
                    tokio::spawn(async move {
                        for proof in proofs {
                            let answer = store.insert(proof).await.unwrap();
                            assert_eq!(answer, Insertion::Inserted);
                        }
                    })
                })
                .collect();
            for one in all {
                one.await.unwrap();
            }
            let each = begin.elapsed().as_secs_f64() * 1e6 / count as f64;
            number += count;
            let what = |what: &str| format!("proofs in Redis: {name}, {what}");
            table.value(&what("64 at a time, each"), each, "µs", None);
            let bytes = (used(&server) - before) / count as f64;
            table.value(&what("memory of each"), bytes, "bytes", None);
        }
    });
}

fn quantiles(table: &mut Table, what: &str, times: &mut [Duration]) {
    for (name, part) in [("p50", 500), ("p99.9", 999), ("longest", 1000)] {
        table.value(&format!("{what}, {name}"), at(times, part), "µs", None);
    }
}

/// The memory of the data in Redis, in bytes.
fn used(server: &Server) -> f64 {
    let info: String = server.ask(&["INFO", "memory"]);
    let line = info.lines().find_map(|line| line.strip_prefix("used_memory_dataset:"));
    line.and_then(|bytes| bytes.trim().parse().ok()).expect("Redis says so")
}

/// As even as a SHA-256, and quicker.
fn bytes(number: usize) -> [u8; 32] {
    let mut state = number as u64;
    let mut bytes = [0; 32];
    for eight in bytes.chunks_exact_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        eight.copy_from_slice(&(mixed ^ (mixed >> 31)).to_be_bytes());
    }
    bytes
}
