//! Password hashes of Argon2 in a bounded amount of memory.
//!
//! One hash takes 19 MiB and a core for some 20 ms. So only as many run at once as there are
//! cores, each in memory that is allocated once and used again: allocated for each hash, such
//! large blocks are scattered over the arenas of the allocator, and the process keeps hundreds of
//! MiB. Only a few may wait; the others are told so. If clients are told apart, one of them
//! has half of the places at the most, also for hashes that it does not wait for any more.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{Output, PasswordHash, Salt},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task, time,
};

/// Hashes passwords off the async threads, for clients that are told apart by a `K`.
pub(crate) struct Hashing<K> {
    /// One for each hash that may run at once.
    memory: Arc<Mutex<Vec<Vec<Block>>>>,
    running: Arc<Semaphore>,
    /// Those that run and those that wait.
    all: Arc<Semaphore>,
    /// How many of them each client has.
    of_clients: Arc<Mutex<HashMap<K, usize>>>,
    most_of_client: usize,
}

/// Why a password was not hashed.
#[derive(Debug)]
pub(crate) enum Unhashed {
    /// Too many are waiting, or too many of this client: 503.
    Busy,
    /// A fault of the server: 500.
    Failed,
}

/// How many hashes may wait: less than two seconds of work for one core.
const WAITING: usize = 64;
/// How long a hash waits at most.
const PATIENCE: Duration = Duration::from_secs(5);

impl<K: Clone + Hash + Eq + Send + 'static> Hashing<K> {
    pub(crate) fn new() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self {
            memory: Arc::default(),
            running: Arc::new(Semaphore::new(cores)),
            all: Arc::new(Semaphore::new(cores + WAITING)),
            of_clients: Arc::default(),
            most_of_client: (cores + WAITING) / 2,
        }
    }

    /// The hash of a new password, as a PHC string.
    pub(crate) async fn hash(
        &self,
        password: String,
        client: Option<K>,
    ) -> Result<String, Unhashed> {
        let hash = self.work(client, move |memory| hash(&password, memory)).await?;
        hash.ok_or(Unhashed::Failed)
    }

    /// Whether the password is the one that was hashed.
    pub(crate) async fn is_same(
        &self,
        password: String,
        stored: String,
        client: Option<K>,
    ) -> Result<bool, Unhashed> {
        self.work(client, move |memory| is_same(&password, &stored, memory)).await
    }

    async fn work<T, F>(&self, client: Option<K>, work: F) -> Result<T, Unhashed>
    where
        T: Send + 'static,
        F: FnOnce(&mut [Block]) -> T + Send + 'static,
    {
        let share = client.map(|client| self.share(client)).transpose()?;
        let places = (self.places().await?, share);
        let memory = Arc::clone(&self.memory);
        // The places are taken until the work is done, also if nobody waits for it any more.
        let done = task::spawn_blocking(move || {
            let free = memory.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut blocks = free.unwrap_or_else(new_memory);
            let done = work(&mut blocks);
            memory.lock().unwrap_or_else(PoisonError::into_inner).push(blocks);
            drop(places);
            done
        });
        done.await.map_err(|_| Unhashed::Failed)
    }

    async fn places(&self) -> Result<[OwnedSemaphorePermit; 2], Unhashed> {
        let any = Arc::clone(&self.all).try_acquire_owned().map_err(|_| Unhashed::Busy)?;
        let running = time::timeout(PATIENCE, Arc::clone(&self.running).acquire_owned());
        let running = running.await.map_err(|_| Unhashed::Busy)?.map_err(|_| Unhashed::Failed)?;
        Ok([any, running])
    }

    fn share(&self, client: K) -> Result<Share<K>, Unhashed> {
        let mut clients = self.of_clients.lock().unwrap_or_else(PoisonError::into_inner);
        let count = clients.entry(client.clone()).or_default();
        if *count >= self.most_of_client {
            return Err(Unhashed::Busy);
        }
        *count += 1;
        Ok(Share { of_clients: Arc::clone(&self.of_clients), client })
    }
}

/// One of the places that a client may have, until it is dropped.
struct Share<K: Hash + Eq> {
    of_clients: Arc<Mutex<HashMap<K, usize>>>,
    client: K,
}

impl<K: Hash + Eq> Drop for Share<K> {
    fn drop(&mut self) {
        let mut clients = self.of_clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = clients.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                clients.remove(&self.client);
            }
        }
    }
}

fn new_memory() -> Vec<Block> {
    vec![Block::new(); Params::default().block_count()]
}

fn hash(password: &str, memory: &mut [Block]) -> Option<String> {
    let (argon2, mut salt) = (Argon2::default(), [0; 16]);
    aws_lc_rs::rand::fill(&mut salt).ok()?;
    let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
    argon2.hash_password_into_with_memory(password.as_bytes(), &salt, &mut output, memory).ok()?;
    let hash = PasswordHash {
        algorithm: Algorithm::default().ident(),
        version: Some(Version::default().into()),
        params: argon2.params().try_into().ok()?,
        salt: Some(Salt::new(&salt).ok()?),
        hash: Some(Output::new(&output).ok()?),
    };
    Some(hash.to_string())
}

/// Whether the password is the one of this hash, which [`hash`] has made.
fn is_same(password: &str, stored: &str, memory: &mut [Block]) -> bool {
    let same = || {
        let stored = PasswordHash::new(stored).ok()?;
        let (salt, expected) = (stored.salt?, stored.hash?);
        let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
        Argon2::default()
            .hash_password_into_with_memory(password.as_bytes(), &salt, &mut output, memory)
            .ok()?;
        // `Output` compares in constant time.
        Some(Output::new(&output).ok()? == expected)
    };
    same().unwrap_or(false)
}
