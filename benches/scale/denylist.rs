//! The denylist in memory.

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tower_jwt_auth::{
    RegisteredClaims,
    clock::Clock,
    revocation::{MemoryDenylist, Revocation, TokenIds},
};

use crate::table::{Table, at, each, numbers, resident};

const ISSUER: &str = "https://login.example.com";
const NOW: u64 = 1_800_000_000;

/// A clock that is set.
#[derive(Clone)]
struct Hand(Arc<AtomicU64>);

impl Clock for Hand {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

pub(crate) fn measure(table: &mut Table) {
    let (few, many) = (1_000, table.size(2_000, 1_000_000));
    let large = filled(many, &Hand::new());
    let small = filled(few, &Hand::new());
    let batch = 100;

    // A list that stays small is a new one each time; the large one grows by half a percent.
    let mut next = many;
    table.ratio(
        &format!("denylist: insert, 1,000 and {many} entries"),
        Some(3.0),
        || {
            let list = filled(few, &Hand::new());
            insert(&list, few..few + batch)
        },
        || {
            next += batch;
            insert(&large, next - batch..next)
        },
    );
    let pages = 2_000 * table.size(1, 40);
    let absent: Vec<_> = numbers(1 << 30).take(pages).map(|n| claims(n + 10 * many)).collect();
    let (mut one, mut other) = (absent.chunks(2_000).cycle(), absent.chunks(2_000).cycle());
    table.ratio(
        "denylist: lookup, absent",
        Some(3.0),
        || look(&small, one.next().unwrap(), false),
        || look(&large, other.next().unwrap(), false),
    );
    let same: Vec<_> = numbers(few).take(2_000).map(claims).collect();
    table.ratio(
        "denylist: lookup, present, the same 1,000",
        Some(3.0),
        || look(&small, &same, true),
        || look(&large, &same, true),
    );
    let all: Vec<_> = numbers(many).take(pages).map(claims).collect();
    let mut other = all.chunks(2_000).cycle();
    table.ratio(
        "denylist: lookup, present, any of all (memory that is in no cache)",
        None,
        || look(&small, &same, true),
        || look(&large, other.next().unwrap(), true),
    );
    beside_a_writer(table, &large, &absent, next);
    drop((small, large));
    expiry(table);
    let count = table.size(10_000, 1_000_000);
    let bytes = table.bytes_each("denylist", count);
    table.value(&format!("denylist: memory of {count} entries, each"), bytes, "bytes", None);
}

pub(crate) fn memory(count: usize) -> f64 {
    resident(count, || filled(count, &Hand::new()))
}

/// Lookups while a writer inserts without a pause.
fn beside_a_writer(
    table: &mut Table,
    list: &MemoryDenylist,
    claims: &[RegisteredClaims],
    next: usize,
) {
    let stop = AtomicBool::new(false);
    let look = |_: &()| {
        let mut times = Vec::with_capacity(200_000);
        for claims in claims.iter().cycle().take(table.size(1_000, 200_000)) {
            let begin = Instant::now();
            assert!(!black_box(list.contains(TokenIds::new(claims))));
            times.push(begin.elapsed());
        }
        times
    };
    let mut alone = look(&());
    let mut beside = thread::scope(|scope| {
        scope.spawn(|| {
            let mut next = next..;
            while !stop.load(Ordering::Relaxed) {
                list.insert(session(next.next().unwrap())).unwrap();
            }
        });
        let times = look(&());
        stop.store(true, Ordering::Relaxed);
        times
    });
    for (name, part) in [("p50", 500), ("p99.9", 999)] {
        let (alone, beside) = (at(&mut alone, part), at(&mut beside, part));
        table.value(&format!("denylist: lookup by itself, {name}"), alone, "µs", None);
        table.value(&format!("denylist: lookup beside a writer, {name}"), beside, "µs", None);
    }
}

/// Inserts while half a million entries are over.
fn expiry(table: &mut Table) {
    let (over, inserts) = (table.size(1_000, 500_000), table.size(500, 100_000));
    let clock = Hand::new();
    let list = filled(over, &clock);
    clock.0.store(NOW + 3_000, Ordering::Relaxed);
    let later = |number: usize| {
        let expires_at = i64::try_from(NOW).unwrap() + 6_000;
        Revocation::session(ISSUER, &format!("session-{number:014}"), expires_at)
    };
    let mut times = Vec::with_capacity(inserts);
    for number in over..over + inserts {
        let revocation = later(number);
        let begin = Instant::now();
        list.insert(revocation).unwrap();
        times.push(begin.elapsed());
    }
    assert_eq!(list.len(), inserts, "all that was over is gone");
    let what = |name: &str| format!("denylist: insert while {over} are over, {name}");
    table.value(&what("p50"), at(&mut times, 500), "µs", None);
    table.value(&what("p99.9"), at(&mut times, 999), "µs", Some(100.0));
    table.value(&what("longest"), at(&mut times, 1000), "µs", None);
}

fn insert(list: &MemoryDenylist, range: std::ops::Range<usize>) -> f64 {
    let (count, new) = (range.len(), range.map(session).collect::<Vec<_>>());
    each(count, || new.into_iter().for_each(|one| list.insert(one).unwrap()))
}

fn look(list: &MemoryDenylist, claims: &[RegisteredClaims], revoked: bool) -> f64 {
    each(claims.len(), || {
        for claims in claims {
            assert_eq!(black_box(list.contains(TokenIds::new(claims))), revoked);
        }
    })
}

fn filled(count: usize, clock: &Hand) -> MemoryDenylist {
    let list = MemoryDenylist::builder()
        .max_revocations(100_000_000)
        .clock(clock.clone())
        .build()
        .unwrap();
    (0..count).for_each(|number| list.insert(session(number)).unwrap());
    list
}

/// They end in the course of a quarter of an hour.
fn session(number: usize) -> Revocation {
    let expires_at = i64::try_from(NOW).unwrap() + 900 + i64::try_from(number % 900).unwrap();
    Revocation::session(ISSUER, &format!("session-{number:014}"), expires_at)
}

fn claims(number: usize) -> RegisteredClaims {
    let payload = format!(
        r#"{{"iss":"{ISSUER}","sub":"user-1","jti":"0123456789abcdefghijkl","iat":{NOW},
            "sid":"session-{number:014}"}}"#,
    );
    serde_json::from_str(&payload).unwrap()
}

impl Hand {
    fn new() -> Self {
        Self(Arc::new(AtomicU64::new(NOW)))
    }
}
