//! A limit to guessing passwords: by account, and by address.
//!
//! It counts in this process. A real service has more: one count for all processes, and a way
//! for a user to come in whom a stranger keeps out.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The attempts of all clients; cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Attempts(Arc<Both>);

struct Both {
    accounts: Counts<String>,
    addresses: Counts<Network>,
}

/// Failures that an account may have in a [`WINDOW`].
const OF_ACCOUNT: u32 = 10;
/// Failures that an address may have: more, because offices and phone networks share one.
const OF_ADDRESS: u32 = 100;
const WINDOW: Duration = Duration::from_secs(5 * 60);

/// Why an attempt is refused.
pub(crate) struct TooMany {
    pub(crate) what: &'static str,
    pub(crate) wait: Duration,
}

impl Default for Both {
    fn default() -> Self {
        Self { accounts: Counts::new(OF_ACCOUNT), addresses: Counts::new(OF_ADDRESS) }
    }
}

impl Attempts {
    /// Begins an attempt, which counts while it is under way, and after that if it has failed.
    pub(crate) fn begin(&self, email: &str, address: IpAddr) -> Result<Attempt, TooMany> {
        let now = Instant::now();
        let too_many = |what| move |wait| TooMany { what, wait };
        let Both { accounts, addresses } = &*self.0;
        let address = addresses.add(network(address), now);
        let address = address.map_err(too_many("too many attempts from this address"))?;
        // From here on, it is given back.
        let mut attempt = Attempt { all: self.clone(), account: None, address, failed: false };
        let account = accounts.add(email.to_owned(), now);
        attempt.account = Some(account.map_err(too_many("too many attempts for this email"))?);
        Ok(attempt)
    }
}

/// An attempt that is under way. When it is dropped, it no longer counts, unless it has failed:
/// the client may have hung up, or a store may not have answered.
#[must_use = "dropped, it does not count"]
pub(crate) struct Attempt {
    all: Attempts,
    account: Option<Slot<String>>,
    address: Slot<Network>,
    failed: bool,
}

impl Attempt {
    /// The password was wrong.
    pub(crate) fn failed(mut self) {
        self.failed = true;
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let Both { accounts, addresses } = &*self.all.0;
        self.account.iter().for_each(|account| accounts.end(account, self.failed));
        addresses.end(&self.address, self.failed);
    }
}

/// What counts as one address: of IPv6, the /64 that a single customer has at the least.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
enum Network {
    V4([u8; 4]),
    V6([u16; 4]),
}

fn network(address: IpAddr) -> Network {
    match address.to_canonical() {
        IpAddr::V4(address) => Network::V4(address.octets()),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Network::V6([a, b, c, d])
        }
    }
}

/// Failures by a key. No key is forgotten for the sake of another one, and a full table refuses
/// nobody: keys that have no place of their own share one of [`SHARED`].
struct Counts<K> {
    most: u32,
    hasher: RandomState,
    table: Mutex<Table<K>>,
}

struct Table<K> {
    failures: HashMap<Slot<K>, Failures>,
    /// When those that are over were last taken out: to look at all takes a while.
    swept: Instant,
}

#[derive(Clone, Hash, PartialEq, Eq)]
enum Slot<K> {
    Own(K),
    Shared(u64),
}

#[derive(Clone, Copy)]
struct Failures {
    /// Of the first one.
    since: Instant,
    failed: u32,
    /// Those that are not decided yet. They count, so that many guesses at once do not pass.
    under_way: u32,
}

/// More than a machine can fill in a window: each failure takes the hash of a password.
const PLACES: usize = 50_000;
const SHARED: u64 = 4096;
/// How long to wait for attempts that are under way.
const SOON: Duration = Duration::from_secs(1);
/// The time from one look at all failures of a full table to the next.
const PAUSE: Duration = Duration::from_secs(10);

impl<K: Clone + Hash + Eq> Counts<K> {
    fn new(most: u32) -> Self {
        let table = Table { failures: HashMap::new(), swept: Instant::now() };
        Self { most, hasher: RandomState::new(), table: Mutex::new(table) }
    }

    /// Adds one, and says where; where there are too many, it says how long to wait.
    fn add(&self, key: K, now: Instant) -> Result<Slot<K>, Duration> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let Table { failures: table, swept } = &mut *table;
        let shared = Slot::Shared(self.hasher.hash_one(&key) % SHARED);
        let mut slot = Slot::Own(key);
        if table.len() >= PLACES && !table.contains_key(&slot) {
            if now.saturating_duration_since(*swept) >= PAUSE {
                table.retain(|_, failures| {
                    failures.under_way > 0 || now.saturating_duration_since(failures.since) < WINDOW
                });
                *swept = now;
            }
            if table.len() >= PLACES {
                slot = shared;
            }
        }
        let new = Failures { since: now, failed: 0, under_way: 0 };
        let failures = table.entry(slot.clone()).or_insert(new);
        let passed = now.saturating_duration_since(failures.since);
        if passed >= WINDOW {
            *failures = Failures { under_way: failures.under_way, ..new };
        }
        if failures.failed >= self.most {
            return Err(WINDOW.saturating_sub(passed));
        }
        if failures.failed + failures.under_way >= self.most {
            return Err(SOON);
        }
        failures.under_way += 1;
        Ok(slot)
    }

    /// Ends one that was added.
    fn end(&self, slot: &Slot<K>, has_failed: bool) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(failures) = table.failures.get_mut(slot) {
            failures.under_way = failures.under_way.saturating_sub(1);
            failures.failed += u32::from(has_failed);
            if failures.failed + failures.under_way == 0 {
                table.failures.remove(slot);
            }
        }
    }
}
