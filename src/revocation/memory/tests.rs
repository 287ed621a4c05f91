//! Tests of the promises of the list, with small lists and a manual clock.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::*;
use crate::claims::RegisteredClaims;

#[derive(Clone, Default)]
struct Hand(Arc<AtomicU64>);

impl Clock for Hand {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

fn list(most: usize) -> (MemoryDenylist, Hand) {
    let clock = Hand::default();
    (MemoryDenylist::with(most, Box::new(clock.clone())), clock)
}

fn claims(json: &str) -> RegisteredClaims {
    serde_json::from_str(json).unwrap()
}

#[test]
fn it_revokes_what_it_names_and_nothing_else() {
    let (list, _) = list(10);
    let token = claims(r#"{"iss":"i","jti":"j","sid":"d","sub":"s","iat":5}"#);
    let is_revoked = |claims: &RegisteredClaims| list.contains(TokenIds::new(claims));
    for other in [
        Revocation::token("x", "j", 9),
        Revocation::token("i", "d", 9),
        Revocation::session("i", "j", 9),
        Revocation::subject("i", "s", 4, 9),
        Revocation::subject("i", "j", 9, 9),
    ] {
        list.insert(other).unwrap();
        assert!(!is_revoked(&token));
    }
    list.insert(Revocation::subject("i", "s", 5, 9)).unwrap();
    assert!(is_revoked(&token));
    assert!(!is_revoked(&claims(r#"{"iss":"i","sub":"s","iat":6}"#)));
    assert!(is_revoked(&claims(r#"{"iss":"i","sub":"s"}"#)), "nobody knows when");
    list.insert(Revocation::token("i", "j", 9)).unwrap();
    list.insert(Revocation::session("i", "d2", 9)).unwrap();
    assert!(is_revoked(&claims(r#"{"iss":"i","jti":"j"}"#)));
    assert!(is_revoked(&claims(r#"{"iss":"i","jti":"k","sid":"d2"}"#)));
    assert!(!is_revoked(&claims("{}")));
}

#[test]
fn v03_entries_die_with_the_tokens_they_name() {
    let (list, clock) = list(1_000_000);
    for number in 0..2_000 {
        list.insert(Revocation::token("i", &number.to_string(), 100)).unwrap();
    }
    assert_eq!(list.len(), 2_000);
    assert_eq!(list.revocations().len(), 2_000);
    // 300 s longer than the tokens, for clocks that differ.
    clock.0.store(399, Ordering::Relaxed);
    list.insert(Revocation::token("i", "0", 100)).unwrap();
    assert_eq!(list.len(), 2_000);
    clock.0.store(400, Ordering::Relaxed);
    assert!(list.revocations().is_empty());
    for number in 0..300 {
        list.insert(Revocation::token("i", &format!("new {number}"), 500)).unwrap();
    }
    assert_eq!(list.len(), 300, "each new one removes a few");
    list.insert(Revocation::token("i", "over", 50)).unwrap();
    assert_eq!(list.len(), 300, "what is over is not added");
}

#[test]
fn v03_a_full_list_says_so_and_keeps_what_it_has() {
    let (list, clock) = list(2);
    list.insert(Revocation::token("i", "a", 1)).unwrap();
    list.insert(Revocation::token("i", "b", 9)).unwrap();
    let new = Revocation::token("i", "c", 1000);
    assert!(list.insert(new.clone()).is_err());
    assert!(list.contains(TokenIds::new(&claims(r#"{"iss":"i","jti":"a"}"#))));
    clock.0.store(301, Ordering::Relaxed);
    list.insert(new).unwrap();
    assert_eq!(list.len(), 2);
}

#[test]
fn of_two_that_name_the_same_the_later_times_hold() {
    let (list, clock) = list(10);
    list.insert(Revocation::subject("i", "s", 10, 100)).unwrap();
    list.insert(Revocation::subject("i", "s", 5, 1000)).unwrap();
    let issued = |at| claims(&format!(r#"{{"iss":"i","sub":"s","iat":{at}}}"#));
    assert!(list.contains(TokenIds::new(&issued(10))));
    assert_eq!(list.revocations(), [Revocation::subject("i", "s", 10, 1000)]);
    clock.0.store(500, Ordering::Relaxed);
    list.insert(Revocation::subject("i", "s", 4, 900)).unwrap();
    assert!(list.contains(TokenIds::new(&issued(10))), "until both are over");
    assert!(!list.contains(TokenIds::new(&issued(11))));
    assert_eq!(list.len(), 1);
    clock.0.store(1300, Ordering::Relaxed);
    list.insert(Revocation::token("i", "j", 2000)).unwrap();
    assert_eq!(list.revocations(), [Revocation::token("i", "j", 2000)]);
    assert_eq!(list.len(), 1, "one that was extended has one place in the order");
}

#[test]
fn many_at_once_come_in_all_or_not_at_all() {
    let (list, clock) = list(3);
    list.insert(Revocation::token("i", "0", 1)).unwrap();
    let token = |number: usize| Revocation::token("i", &number.to_string(), 1000);
    assert!(list.insert_all((1..4).map(token)).is_err());
    assert_eq!(list.len(), 1);
    list.insert_all([0, 1, 2, 1, 2, 0].map(token)).unwrap();
    assert_eq!(list.len(), 3, "those that name the same need room for one");
    clock.0.store(1300, Ordering::Relaxed);
    let later = |number: usize| Revocation::token("j", &number.to_string(), 2000);
    list.insert_all((0..3).map(later)).unwrap();
    assert_eq!(list.len(), 3);
    assert!(list.revocations().iter().all(|one| one.issuer() == "j"));
}

#[test]
fn a_page_says_what_it_covers() {
    let (list, clock) = list(10);
    clock.0.store(1000, Ordering::Relaxed);
    let (same, ours) = (Revocation::token("i", "a", 2000), Revocation::token("i", "b", 2000));
    let (less, more) =
        (Revocation::subject("i", "s", 5, 2000), Revocation::subject("i", "s", 9, 1500));
    for one in [&same, &ours, &less] {
        list.insert(one.clone()).unwrap();
    }
    let over = Revocation::token("i", "over", 500);
    let new = Revocation::session("i", "new", 2000);
    let mut covered = HashSet::new();
    let page = [same.clone(), more.clone(), over.clone(), new.clone()];
    list.insert_page(page, &mut covered).unwrap();
    let expected: HashSet<_> = [&same, &over, &new].iter().map(|one| list.hash_of(one)).collect();
    assert_eq!(covered, expected);
    let mut missing = list.not_covered(&covered);
    missing.sort_by_key(Revocation::key);
    assert_eq!(missing, [ours, Revocation::subject("i", "s", 9, 2000)]);
    let (full, _) = super::tests::list(1);
    assert!(full.insert_page([same, new], &mut covered).is_err());
}

#[test]
fn a_thousand_lists_of_random_changes_are_as_a_slow_one() {
    // A list of what was revoked, with the times that hold.
    let mut seed = 1_u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for _ in 0..1_000 {
        let (list, clock) = list(1_000);
        let mut slow: Vec<Revocation> = Vec::new();
        for _ in 0..40 {
            let now = clock.0.fetch_add(random(60), Ordering::Relaxed);
            let now = i64::try_from(now).unwrap();
            let (issuer, name) =
                (["i", "j"][random(2) as usize], ["a", "b", "c"][random(3) as usize]);
            let expires_at = now + random(200) as i64 - 350;
            let new = match random(3) {
                0 => Revocation::token(issuer, name, expires_at),
                1 => Revocation::session(issuer, name, expires_at),
                _ => Revocation::subject(issuer, name, random(9) as i64, expires_at),
            };
            list.insert(new.clone()).unwrap();
            let now = unix_seconds(clock.now());
            slow.retain(|one| one.keep_until() > now);
            if new.keep_until() > now {
                match slow.iter_mut().find(|one| one.key() == new.key()) {
                    None => slow.push(new),
                    Some(old) => {
                        let (kind, name) = new.name();
                        let until = old.keep_until().max(new.keep_until());
                        let before = old.issued_until().max(new.issued_until()).unwrap_or(i64::MAX);
                        *old = Revocation::of(kind, new.issuer(), name, until, before);
                    }
                }
            }
            let mut there = list.revocations();
            there.sort_by_key(Revocation::key);
            slow.sort_by_key(Revocation::key);
            assert_eq!(there, slow);
            assert!(list.len() >= slow.len());
        }
    }
}

/// While the maps grow, and while other entries come and go.
#[test]
fn v03_what_is_revoked_is_revoked_for_every_reader_from_then_on() {
    let (list, clock) = list(1_000_000);
    clock.0.store(1_000, Ordering::Relaxed);
    let done = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for reader in 0..3_u64 {
            let (list, done) = (&list, &done);
            scope.spawn(move || {
                let mut at = reader;
                while done.load(Ordering::Acquire) < 20_000 {
                    let there = done.load(Ordering::Acquire);
                    at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    if there > 0 {
                        let token =
                            claims(&format!(r#"{{"iss":"i","jti":"{}"}}"#, (at >> 33) % there));
                        assert!(list.contains(TokenIds::new(&token)));
                    }
                }
            });
        }
        for number in 0..20_000 {
            list.insert(Revocation::token("i", &number.to_string(), 1_000_000)).unwrap();
            done.store(number + 1, Ordering::Release);
            list.insert(Revocation::session("i", &number.to_string(), 710 + number as i64 / 8))
                .unwrap();
            clock.0.store(1_000 + number / 8, Ordering::Relaxed);
        }
    });
    let sessions = list.revocations().iter().filter(|one| one.key().starts_with("sid")).count();
    assert!(sessions < 1_000 && list.len() < 21_000, "{sessions} of {}", list.len());
}

#[test]
fn traits() {
    fn check<T: Clone + Send + Sync + Unpin + fmt::Debug>() {}
    check::<MemoryDenylist>();
}
