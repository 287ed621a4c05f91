//! A limit to guessing passwords: by account, and by address.
//!
//! It counts in this process. A real service has more: one count for all processes, and a way
//! for a user to come in whom a stranger keeps out.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, Hash, RandomState},
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The attempts of all clients; cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Attempts(Arc<All>);

struct All {
    accounts: Counts<String>,
    addresses: Counts<Network>,
    registrations: Counts<Network>,
}

/// Failures that an account may have in any [`WINDOW`].
const OF_ACCOUNT: usize = 10;
/// Failures that an address may have, and registrations: more, because offices and phone networks
/// share one.
const OF_ADDRESS: usize = 100;
const WINDOW: Duration = Duration::from_secs(5 * 60);

/// Why an attempt is refused.
pub(crate) struct TooMany {
    pub(crate) what: &'static str,
    pub(crate) wait: Duration,
}

impl Default for All {
    fn default() -> Self {
        Self {
            accounts: Counts::new(OF_ACCOUNT),
            addresses: Counts::new(OF_ADDRESS),
            registrations: Counts::new(OF_ADDRESS),
        }
    }
}

impl Attempts {
    /// Begins an attempt to log in, which counts while it is under way, and after that if it has
    /// failed.
    pub(crate) fn begin(&self, email: &str, client: Network) -> Result<Attempt, TooMany> {
        let of_address = Counted::new(self, |all| &all.addresses, client);
        let of_address = of_address.map_err(TooMany::of("too many attempts from this address"))?;
        let of_account = Counted::new(self, |all| &all.accounts, email.to_owned());
        let of_account = of_account.map_err(TooMany::of("too many attempts for this email"))?;
        Ok(Attempt { of_address, of_account })
    }

    /// Begins to register, which counts while it is under way, and after that if it is
    /// [done](Registration::done).
    pub(crate) fn register(&self, client: Network) -> Result<Registration, TooMany> {
        let counted = Counted::new(self, |all| &all.registrations, client);
        counted.map(Registration).map_err(TooMany::of("too many registrations from this address"))
    }
}

impl TooMany {
    fn of(what: &'static str) -> impl Fn(Duration) -> Self {
        move |wait| Self { what, wait }
    }
}

/// An attempt that is under way. When it is dropped, it no longer counts, unless it has failed:
/// the client may have hung up, or a store may not have answered.
#[must_use = "dropped, it does not count"]
pub(crate) struct Attempt {
    of_address: Counted<Network>,
    of_account: Counted<String>,
}

impl Attempt {
    /// The password was wrong.
    pub(crate) fn failed(mut self) {
        (self.of_address.counts_on, self.of_account.counts_on) = (true, true);
    }
}

/// A registration that is under way.
#[must_use = "dropped, it does not count"]
pub(crate) struct Registration(Counted<Network>);

impl Registration {
    /// It has cost what it costs.
    pub(crate) fn done(mut self) {
        self.0.counts_on = true;
    }
}

/// One that counts until it is dropped, and after that if it `counts_on`.
struct Counted<K: Clone + Hash + Eq> {
    all: Attempts,
    which: fn(&All) -> &Counts<K>,
    slot: Slot<K>,
    counts_on: bool,
}

impl<K: Clone + Hash + Eq> Counted<K> {
    fn new(all: &Attempts, which: fn(&All) -> &Counts<K>, key: K) -> Result<Self, Duration> {
        let slot = which(&all.0).add(key, Instant::now())?;
        Ok(Self { all: all.clone(), which, slot, counts_on: false })
    }
}

impl<K: Clone + Hash + Eq> Drop for Counted<K> {
    fn drop(&mut self) {
        (self.which)(&self.all.0).end(&self.slot, self.counts_on, Instant::now());
    }
}

/// The addresses that count as one: of IPv6, the /64 that a single customer has at the least.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
pub(crate) enum Network {
    V4([u8; 4]),
    V6([u16; 4]),
}

impl Network {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::V6([a, b, c, d])
            }
        }
    }
}

/// Failures by a key. No key is forgotten for the sake of another one, and a full table refuses
/// nobody: keys that have no place of their own share one of [`SHARED`].
struct Counts<K> {
    most: usize,
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

#[derive(Default)]
struct Failures {
    /// When they were, the oldest first; at most as many as are allowed.
    failed: VecDeque<Instant>,
    /// Those that are not decided yet. They count, so that many guesses at once do not pass.
    under_way: usize,
}

impl Failures {
    /// Without those that are over.
    fn tidy(&mut self, now: Instant) {
        let is_over = |when: &&Instant| now.saturating_duration_since(**when) >= WINDOW;
        let over = self.failed.iter().take_while(is_over).count();
        self.failed.drain(..over);
    }

    fn is_empty(&self) -> bool {
        self.failed.is_empty() && self.under_way == 0
    }
}

/// Keys with a place of their own. Each failure takes the hash of a password, some 20 ms of a core:
/// in a window, 3 cores fill this, and then 30 cores fill the shared places with half of what is
/// allowed.
const PLACES: usize = 50_000;
const SHARED: u64 = 65_536;
/// How long to wait for attempts that are under way.
const SOON: Duration = Duration::from_secs(1);
/// The time from one look at all failures of a full table to the next.
const PAUSE: Duration = Duration::from_secs(10);

impl<K: Clone + Hash + Eq> Counts<K> {
    fn new(most: usize) -> Self {
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
                    failures.tidy(now);
                    !failures.is_empty()
                });
                *swept = now;
            }
            if table.len() >= PLACES {
                slot = shared;
            }
        }
        let failures = table.entry(slot.clone()).or_default();
        failures.tidy(now);
        if failures.failed.len() >= self.most
            && let Some(oldest) = failures.failed.front()
        {
            return Err(WINDOW.saturating_sub(now.saturating_duration_since(*oldest)));
        }
        if failures.failed.len() + failures.under_way >= self.most {
            return Err(SOON);
        }
        failures.under_way += 1;
        Ok(slot)
    }

    /// Ends one that was added.
    fn end(&self, slot: &Slot<K>, has_failed: bool, now: Instant) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(failures) = table.failures.get_mut(slot) {
            failures.under_way = failures.under_way.saturating_sub(1);
            if has_failed {
                failures.failed.push_back(now);
            }
            if failures.is_empty() {
                table.failures.remove(slot);
            }
        }
    }
}
