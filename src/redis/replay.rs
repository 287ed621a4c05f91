//! A store of proofs for all machines of a service.

use std::{fmt, sync::LazyLock, time::Duration};

use redis::Script;

use super::{
    Redis,
    connection::{Retry, script},
    failure::{Failure, unusable},
};
use crate::{
    clock::{Clock, SystemClock, unix_seconds},
    error::{ConfigError, StoreError},
    maybe_ready::MaybeReady,
    proof::{Insertion, PresentedProof, ReplayStore, Thumbprint},
    random::unique_id,
};

/// Remembers the DPoP proofs that all machines of a service have accepted, in Redis; cheap to clone.
/// Made by [`Redis::replay_store`].
///
/// # Rules
///
/// 1. The proofs of one client's key are one sorted set, and an insert is one script on it. So if two
///    machines get the same proof, one of them accepts it.
/// 2. The name of the set is `PREFIX:dpop:{THUMBPRINT}`, with the thumbprint of the key as a hash tag
///    (Redis Cluster). It has digests of the ids of proofs, and no tokens.
/// 3. The earlier of two clocks, that of this process and that of Redis, decides whether a proof has
///    expired. Redis keeps it for 60 s longer, so a clock that is up to 60 s ahead of others forgets
///    nothing that they would still accept.
/// 4. An insert removes at most 16 proofs that have expired. The whole set expires after its last
///    proof.
/// 5. If the answer is lost or late, the insert fails and is not sent again. The client needs a new
///    proof.
///
/// A proof takes about 150 bytes in Redis, and 214 if it is the only one of its key.
///
/// # Security
///
/// - **No answer** is an error, and the verifier answers 503: no proof is accepted that may have been
///   accepted before.
/// - **A failover may lose** writes that were just acknowledged, because replication is
///   asynchronous. So does a restart of Redis without `appendfsync always`. Then each proof that was
///   lost may be accepted once more while it is in the time window (70 s by default).
/// - **Memory.** Set `maxmemory-policy noeviction`. A policy that evicts keys lets a flood push
///   live proofs out; a `tracing` event warns of it. When the memory of Redis is full, the insert
///   fails: 503.
/// - **Window.** Configure the same time window on all machines. A machine with a longer one could
///   accept what another one has had removed.
/// - **Services** that share one Redis, and accept the same proofs, need a
///   [prefix](super::RedisBuilder::prefix) of their own each. Otherwise a request to one of them
///   spends the proof for the other.
///
/// # Example
/// ```no_run
/// use tower_jwt_auth::redis::Redis;
///
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// let redis = Redis::builder("redis://127.0.0.1:6379").prefix("shop").build().await?;
/// let proofs = redis.replay_store().build().await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisReplayStore {
    redis: Redis,
    max_proofs_per_key: usize,
}

impl RedisReplayStore {
    async fn insert_once(&self, proof: PresentedProof) -> Result<Insertion, Failure> {
        let PresentedProof { now, expires_at, .. } = proof;
        if expires_at <= now {
            // The caller refuses such a proof, and so does this store.
            return Ok(Insertion::Replayed);
        }
        let mut insert = INSERT.key(self.key(proof.key));
        insert.arg(proof.id.as_bytes().as_slice());
        // The numbers of Lua are exact up to 2^53.
        insert.arg(expires_at.min(LAST)).arg(now.clamp(0, LAST)).arg(self.max_proofs_per_key);
        insert.arg(AFTER_END).arg(AT_ONCE).arg(LONGEST);
        // If the first attempt succeeded, a second one would be a replay.
        let answer: Vec<String> = self.redis.connection().script(&insert, Retry::Never).await?;
        let mut answer = answer.iter().map(String::as_str);
        match (answer.next(), answer.next().map(str::parse)) {
            (Some("inserted"), None) => Ok(Insertion::Inserted),
            (Some("replayed"), None) => Ok(Insertion::Replayed),
            (Some("too many"), Some(Ok(wait))) => {
                Ok(Insertion::TooManyOfKey { retry_after: Duration::from_secs(wait) })
            }
            _ => Err(FOREIGN),
        }
    }

    /// The name of the set of a key's proofs.
    fn key(&self, key: Thumbprint) -> String {
        self.redis.key(&format!("dpop:{{{key}}}"))
    }

    /// Tries each way through the script, so that a missing right is reported as such.
    async fn try_out(&self) -> Result<(), StoreError> {
        let trial = Thumbprint::of(&[b"trial", unique_id()?.as_bytes()]);
        let now = unix_seconds(SystemClock.now());
        let store = Self { max_proofs_per_key: 1, ..self.clone() };
        let tried = async {
            for (id, end) in [(1, 1), (1, 1), (2, 1)] {
                let id = Thumbprint::from([id; 32]);
                let proof = PresentedProof::new(trial, id, now, now.saturating_add(end));
                store.insert_once(proof).await?;
            }
            Ok(())
        };
        let tried = tried.await;
        let mut pipe = redis::pipe();
        pipe.cmd("ZREM").arg(self.key(trial)).arg(&[1; 32][..]).ignore();
        pipe.del(self.key(trial)).ignore();
        // If it cannot be deleted, it expires.
        let removed = self.redis.connection().pipeline::<()>(&pipe, Retry::Once).await;
        tried.and(removed.map_err(StoreError::from))
    }
}

impl ReplayStore for RedisReplayStore {
    fn insert(&self, proof: PresentedProof) -> MaybeReady<Result<Insertion, StoreError>> {
        let store = self.clone();
        MaybeReady::pending(async move { Ok(store.insert_once(proof).await?) })
    }
}

impl fmt::Debug for RedisReplayStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisReplayStore")
            .field("redis", &self.redis)
            .field("max_proofs_per_key", &self.max_proofs_per_key)
            .finish()
    }
}

/// Builds a [`RedisReplayStore`].
///
/// # Defaults
///
/// - at most 50,000 live proofs by the same key, some 700 requests in a second with the default
///   window. The memory of Redis limits the number of all proofs
#[must_use = "a builder does nothing until it is built"]
#[derive(Debug)]
pub struct RedisReplayStoreBuilder {
    redis: Redis,
    max_proofs_per_key: usize,
}

impl Redis {
    /// Starts to build the store of DPoP proofs.
    pub fn replay_store(&self) -> RedisReplayStoreBuilder {
        RedisReplayStoreBuilder { redis: self.clone(), max_proofs_per_key: 50_000 }
    }
}

impl RedisReplayStoreBuilder {
    /// Sets the largest number of live proofs by the same key, from 1 to 1,000,000. If there are as
    /// many, further requests of this key are answered 429. Default: 50,000.
    pub fn max_proofs_per_key(mut self, most: usize) -> Self {
        self.max_proofs_per_key = most;
        self
    }

    /// Tries the script once, on a separate key that it deletes again. To start even if the server
    /// does not answer, call [`lazy`](Self::lazy) instead.
    ///
    /// # Errors
    ///
    /// The number is out of range, or the server does not answer or is refused as by
    /// [`RedisBuilder::build`](super::RedisBuilder::build).
    pub async fn build(self) -> Result<RedisReplayStore, ConfigError> {
        let store = self.lazy()?;
        store.try_out().await.map_err(|failure| unusable(failure, store.redis.prefix()))?;
        Ok(store)
    }

    /// Does not use the server before the first proof.
    ///
    /// # Errors
    ///
    /// The number is out of range.
    pub fn lazy(self) -> Result<RedisReplayStore, ConfigError> {
        if !(1..=1_000_000).contains(&self.max_proofs_per_key) {
            return Err(ConfigError::OutOfRange(
                "`max_proofs_per_key` of a replay store in Redis must be from 1 to 1,000,000",
            ));
        }
        let Self { redis, max_proofs_per_key } = self;
        Ok(RedisReplayStore { redis, max_proofs_per_key })
    }
}

static INSERT: LazyLock<Script> = LazyLock::new(|| script(include_str!("replay.lua")));

const FOREIGN: Failure = Failure::Foreign(
    "the proofs in Redis are malformed: nothing else may write to the keys of its prefix",
);

/// The seconds that a proof is kept after its end, because clocks differ.
const AFTER_END: i64 = 60;

/// The most proofs that an insert removes.
const AT_ONCE: usize = 16;

/// The longest time that Redis is told to keep anything, in seconds: a hundred years.
const LONGEST: i64 = 100 * 366 * 24 * 60 * 60;

/// The last second that a script can count to.
const LAST: i64 = 1 << 52;
