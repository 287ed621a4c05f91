//! Proofs in Redis.

#[cfg(feature = "test-util")]
use std::sync::Arc;
use std::time::{Duration, Instant};

#[cfg(feature = "test-util")]
use tower_jwt_auth::maybe_ready::MaybeReady;
use tower_jwt_auth::{
    error::StoreError,
    proof::{Insertion, PresentedProof, ReplayStore, Thumbprint},
    redis::{Redis, RedisReplayStore},
};

use super::{Server, connect, now};

async fn machine(server: &Server) -> RedisReplayStore {
    connect(server).await.replay_store().build().await.unwrap()
}

fn thumbprint(number: u64) -> Thumbprint {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes.into()
}

/// A proof that expires in so many seconds, on a machine whose clock is so many seconds ahead.
fn proof(key: u64, id: u64, ends_in: i64, ahead: i64) -> PresentedProof {
    let now = now();
    PresentedProof::new(thumbprint(key), thumbprint(id), now + ahead, now + ends_in)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn d02_redis_a_proof_is_accepted_by_one_of_ten_machines() {
    let server = Server::start();
    let mut machines = Vec::new();
    for _ in 0..10 {
        machines.push(machine(&server).await);
    }
    for round in 0..10 {
        let proof = proof(1, round, 70, 0);
        let tasks: Vec<_> = (0..100)
            .map(|number| tokio::spawn(machines[number % 10].insert(proof).into_future()))
            .collect();
        let mut inserted = 0;
        for task in tasks {
            match task.await.unwrap().unwrap() {
                Insertion::Inserted => inserted += 1,
                other => assert_eq!(other, Insertion::Replayed),
            }
        }
        assert_eq!(inserted, 1);
    }
    // A new process knows it as well.
    let again = machine(&server).await.insert(proof(1, 3, 70, 0)).await.unwrap();
    assert_eq!(again, Insertion::Replayed);
}

#[tokio::test]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn d02_redis_clocks_that_differ_let_nothing_pass() {
    let server = Server::start();
    let (one, other) = (machine(&server).await, machine(&server).await);
    for (number, ahead) in [0, 59, 3_600, -59, -3_600].into_iter().enumerate() {
        let (key, number) = (100 + number as u64, number as u64);
        // It expires in two seconds by the clock of the first machine.
        let first = PresentedProof::new(
            thumbprint(key),
            thumbprint(number),
            now() + ahead,
            now() + ahead + 2,
        );
        let inserted = one.insert(first).await.unwrap();
        assert_eq!(inserted, Insertion::Inserted, "{ahead}");
        // Others make it remove what has expired.
        tokio::time::sleep(Duration::from_millis(3_000)).await;
        for id in 0..20 {
            let now = now() + ahead;
            let more = PresentedProof::new(thumbprint(key), thumbprint(1_000 + id), now, now + 70);
            assert_eq!(one.insert(more).await.unwrap(), Insertion::Inserted);
        }
        // Another machine is behind, so that it would still accept it.
        let behind =
            PresentedProof::new(first.key, first.id, first.expires_at - 1, first.expires_at);
        assert_eq!(other.insert(behind).await.unwrap(), Insertion::Replayed, "{ahead}");
        let ttl: i64 = server.ask(&["TTL", &format!("test:dpop:{{{}}}", first.key)]);
        assert!(ttl >= 60, "{ahead}: {ttl}");
    }
}

#[tokio::test]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn d07_redis_a_flood_by_one_key_is_its_own() {
    let server = Server::start();
    let redis = connect(&server).await;
    let small = redis.replay_store().max_proofs_per_key(50).build().await.unwrap();
    for id in 0..50 {
        assert_eq!(small.insert(proof(1, id, 70, 0)).await.unwrap(), Insertion::Inserted);
    }
    for id in 50..200 {
        let refused = small.insert(proof(1, id, 70, 0)).await.unwrap();
        let Insertion::TooManyOfKey { retry_after } = refused else { panic!("{refused:?}") };
        assert!((60..=70).contains(&retry_after.as_secs()), "{retry_after:?}");
    }
    assert_eq!(small.insert(proof(2, 300, 70, 0)).await.unwrap(), Insertion::Inserted);
    for id in 0..50 {
        assert_eq!(small.insert(proof(1, id, 70, 0)).await.unwrap(), Insertion::Replayed);
    }
    // One key in Redis for each key of a client, with its thumbprint as the hash tag, and an end.
    let mut keys: Vec<String> = server.ask(&["KEYS", "test:dpop:*"]);
    keys.sort();
    let mut expected = [1, 2].map(|key| format!("test:dpop:{{{}}}", thumbprint(key)));
    expected.sort();
    assert_eq!(keys, expected, "the trial is gone");
    for key in keys {
        let ttl: i64 = server.ask(&["TTL", &key]);
        assert!((120..=130).contains(&ttl), "{ttl}");
    }
    for number in [0, 1_000_001] {
        assert!(redis.replay_store().max_proofs_per_key(number).lazy().is_err());
    }
}

#[tokio::test]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn d02_redis_what_cannot_be_asked_accepts_nothing() {
    let mut server = Server::start();
    let store = machine(&server).await;
    let said = |error: StoreError| error.to_string();
    assert_eq!(store.insert(proof(1, 1, 70, 0)).await.unwrap(), Insertion::Inserted);

    // It stands still: the wait is limited.
    server.freeze();
    let begin = Instant::now();
    let error = said(store.insert(proof(1, 2, 70, 0)).await.unwrap_err());
    assert!(error.contains("in time") && begin.elapsed() < Duration::from_secs(2), "{error}");
    server.thaw();
    let begin = Instant::now();
    while store.insert(proof(1, 1, 70, 0)).await.is_err() {
        assert!(begin.elapsed() < Duration::from_secs(3));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The answer was lost, or the command: it was accepted by nobody else at least.
    assert_eq!(store.insert(proof(1, 1, 70, 0)).await.unwrap(), Insertion::Replayed);

    server.kill();
    assert!(store.insert(proof(1, 3, 70, 0)).await.is_err());
    let lazy = Redis::builder(server.url()).prefix("test").lazy().unwrap().replay_store();
    assert!(lazy.lazy().unwrap().insert(proof(1, 4, 70, 0)).await.is_err());
    let redis = Redis::builder(server.url()).prefix("test").lazy().unwrap();
    let error = redis.replay_store().build().await.unwrap_err().to_string();
    assert!(error.contains("`.lazy()`"), "{error}");
    server.restart();
    // What was acknowledged is there after a crash.
    let begin = Instant::now();
    while store.insert(proof(1, 1, 70, 0)).await.is_err() {
        assert!(begin.elapsed() < Duration::from_secs(3));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(store.insert(proof(1, 1, 70, 0)).await.unwrap(), Insertion::Replayed);
}

#[tokio::test]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn d02_redis_a_replica_and_a_primary_without_its_replicas_accept_nothing() {
    let primary = Server::start();
    let server = Server::start();
    let store = machine(&server).await;
    assert_eq!(store.insert(proof(1, 1, 70, 0)).await.unwrap(), Insertion::Inserted);
    // It becomes a replica while the connection stays.
    server.ask::<String>(&["REPLICAOF", "127.0.0.1", &primary.port().to_string()]);
    let error = store.insert(proof(1, 2, 70, 0)).await.unwrap_err().to_string();
    assert!(error.contains("replica") || error.contains("closed"), "{error}");
    assert!(store.insert(proof(1, 3, 70, 0)).await.is_err());
    server.ask::<String>(&["REPLICAOF", "NO", "ONE"]);

    server.ask::<String>(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    tokio::time::sleep(Duration::from_millis(600)).await;
    let error = store.insert(proof(2, 4, 70, 0)).await.unwrap_err().to_string();
    assert!(error.contains("NOREPLICAS"), "{error}");
    server.ask::<String>(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
    assert_eq!(store.insert(proof(2, 4, 70, 0)).await.unwrap(), Insertion::Inserted);

    // No memory: it refuses what is new, and knows what is old.
    server.ask::<String>(&["CONFIG", "SET", "maxmemory", "1mb"]);
    let error = store.insert(proof(3, 5, 70, 0)).await.unwrap_err().to_string();
    assert!(error.contains("OOM") && error.contains("maxmemory"), "{error}");
    server.ask::<String>(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(store.insert(proof(2, 4, 70, 0)).await.unwrap(), Insertion::Replayed);
}

#[tokio::test]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn d02_redis_foreign_data_and_odd_times_accept_nothing() {
    let server = Server::start();
    let store = machine(&server).await;
    let key = format!("test:dpop:{{{}}}", thumbprint(1));
    server.ask::<String>(&["SET", &key, "x"]);
    assert!(store.insert(proof(1, 1, 70, 0)).await.is_err());
    for (id, (now, ends)) in
        [(i64::MIN, i64::MAX), (0, i64::MAX), (i64::MIN, 1), (5, i64::MAX)].into_iter().enumerate()
    {
        let proof = PresentedProof::new(thumbprint(2), thumbprint(id as u64), now, ends);
        assert_eq!(store.insert(proof).await.unwrap(), Insertion::Inserted, "{now} {ends}");
        assert_eq!(store.insert(proof).await.unwrap(), Insertion::Replayed, "{now} {ends}");
    }
    let over = PresentedProof::new(thumbprint(3), thumbprint(9), 100, 100);
    assert_eq!(store.insert(over).await.unwrap(), Insertion::Replayed);
}

/// A store in a Redis whose clock says what the caller's does.
#[cfg(feature = "test-util")]
struct InTime(RedisReplayStore, Arc<Server>);

#[cfg(feature = "test-util")]
impl ReplayStore for InTime {
    fn insert(&self, proof: PresentedProof) -> MaybeReady<Result<Insertion, StoreError>> {
        self.1.set_time(proof.now.try_into().unwrap());
        self.0.insert(proof)
    }
}

#[cfg(feature = "test-util")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn d02_d07_redis_does_what_every_replay_store_does() {
    let server = Arc::new(Server::start_timeless());
    let count = std::cell::Cell::new(0);
    tower_jwt_auth::testing::conformance::replay_store(async |setup| {
        count.set(count.get() + 1);
        let redis = Redis::builder(server.url()).prefix(format!("suite-{}", count.get()));
        let redis = redis.lazy().unwrap();
        let builder = redis.replay_store().max_proofs_per_key(setup.max_proofs_per_key);
        InTime(builder.lazy().unwrap(), server.clone())
    })
    .await;
}
