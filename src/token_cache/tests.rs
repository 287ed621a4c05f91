use std::{
    ops::Range,
    panic::{self, AssertUnwindSafe},
    thread,
};

use super::*;

fn put<V>(set: &TokenCache<V>, text: &str, bytes: usize, value: V, is_over: impl Fn(&V) -> bool) {
    let place = set.place(text.as_bytes());
    if let Some(admission) = place.admit() {
        place.insert(admission, text, value, bytes, is_over);
    }
}

/// Finds a value, and counts that it was of use.
fn used<V: Copy>(set: &TokenCache<V>, text: &str) -> Option<V> {
    let hit = set.place(text.as_bytes()).get()?;
    hit.count_use();
    hit.value().copied()
}

const MOST: usize = 1 << 20;
const LENGTH: usize = 500;

fn text(number: usize) -> String {
    format!("{number:0>LENGTH$}")
}

/// Puts it in, if it is not there, as one who looks for it would.
fn ask(set: &TokenCache<usize>, number: usize) -> bool {
    let text = text(number);
    let found = used(set, &text);
    assert!(found.is_none_or(|found| found == number));
    if found.is_none() {
        put(set, &text, 500, number, |_| false);
    }
    assert!(set.bytes() <= MOST);
    found.is_some()
}

fn ask_all(set: &TokenCache<usize>, numbers: Range<usize>) {
    for number in numbers {
        ask(set, number);
    }
}

/// How many of these are there.
fn count(set: &TokenCache<usize>, numbers: impl Iterator<Item = usize>) -> usize {
    let there = |number: &usize| {
        let text = text(*number);
        set.place(text.as_bytes()).get().is_some()
    };
    numbers.filter(there).count()
}

#[test]
fn what_was_put_in_is_found() {
    let set = TokenCache::new(MOST);
    assert_eq!(set.bytes(), 0, "nothing is taken in advance");
    assert!(!ask(&set, 1) && ask(&set, 1) && !ask(&set, 2) && ask(&set, 1));
    let one = text(1);
    put(&set, &one, 500, 7, |_| false);
    assert_eq!(used(&set, &one), Some(7), "replaced");
    // The same end, and so the same place.
    let other = format!("x{one}");
    assert_eq!(used(&set, &other), None);
}

#[test]
fn a_flood_pushes_out_nothing_that_is_used() {
    let set = TokenCache::new(MOST);
    // So few that no set has more of them than it has room, but once in 100,000 times.
    ask_all(&set, 0..100);
    ask_all(&set, 1_000..20_000);
    assert_eq!(count(&set, 0..100), 100, "nor what came first");
    ask_all(&set, 0..100);
    for number in 20_000..40_000 {
        ask(&set, number);
        ask(&set, number);
        // Each comes once while some 2,000 others come and go.
        ask(&set, number % 100);
    }
    let kept = count(&set, 0..100);
    assert!(kept >= 95, "{kept} of 100");
}

#[test]
fn what_comes_again_gets_in() {
    let set = TokenCache::new(MOST);
    ask_all(&set, 0..5_000);
    for _ in 0..20 {
        ask_all(&set, 10_000..10_200);
    }
    let kept = count(&set, 10_000..10_200);
    assert!(kept >= 195, "{kept} of 200");
}

#[test]
fn what_is_over_makes_room() {
    let set = TokenCache::new(MOST);
    ask_all(&set, 0..5_000);
    let full = set.bytes();
    let insert = |number: usize, is_over: fn(&usize) -> bool| {
        let text = text(number);
        put(&set, &text, 500, number, is_over);
    };
    // Each that is let in looks at one.
    for number in (10_000..14_000).flat_map(|number| [number, number]) {
        insert(number, |number| *number < 5_000);
    }
    assert!(count(&set, 0..5_000) == 0 && count(&set, 10_000..14_000) > 500);
    assert!(set.bytes() <= full + 2_000);
}

#[test]
fn one_that_is_too_large_is_left_out() {
    let set = TokenCache::new(MOST);
    let text = text(1);
    for bytes in [MOST / 4, usize::MAX] {
        put(&set, &text, bytes, 1, |_| false);
        assert_eq!(used(&set, &text), None);
    }
}

#[test]
fn the_sum_is_right_in_the_end() {
    let set = TokenCache::new(MOST);
    thread::scope(|scope| {
        for start in 0..4_usize {
            let set = &set;
            scope.spawn(move || {
                for step in 0..5_000 {
                    let number = (start * 7 + step * 13) % 1_500;
                    let text = text(number);
                    put(set, &text, 500, number, |_| false);
                }
            });
        }
    });
    assert!(set.bytes() <= MOST);
    let table = set.table.get().unwrap();
    for _ in 0..table.sets.len() * WAYS {
        table.sweep(|_| true);
    }
    assert_eq!(
        set.bytes(),
        Table::<usize>::new(MOST).counters.bytes.load(Relaxed),
        "all have gone"
    );
}

/// A text gets in after a few times, whatever was used before.
#[test]
fn what_was_used_long_ago_makes_room_for_what_is_used_now() {
    let set = TokenCache::new(MOST);
    for _ in 0..20 {
        ask_all(&set, 0..1_000);
    }
    let mut misses = [0; 500];
    for _ in 0..40 {
        for number in 10_000..10_500 {
            misses[number - 10_000] += usize::from(!ask(&set, number));
        }
    }
    misses.sort_unstable();
    // Of more than eight that belong to one set, some have no place.
    assert!(misses[450] <= 12 && misses[480] < 40, "{misses:?}");
}

#[test]
fn what_is_of_no_use_does_not_stay_for_being_asked_for() {
    let set = TokenCache::new(MOST);
    ask(&set, 1);
    let one = text(1);
    let hit = set.place(one.as_bytes()).get().unwrap();
    assert_eq!(hit.value(), Some(&1));
    hit.remove();
    assert_eq!(used(&set, &one), None);
    drop(hit);
    assert_eq!(set.bytes(), Table::<usize>::new(MOST).counters.bytes.load(Relaxed));
    // Asked for in vain, again and again, by who does not count.
    ask_all(&set, 0..1_000);
    for _ in 0..100 {
        let zero = text(0);
        let _ = set.place(zero.as_bytes()).get();
    }
    for number in 10_000..14_000 {
        ask_all(&set, number..number + 1);
        ask_all(&set, number..number + 1);
        ask_all(&set, number..number + 1);
    }
    assert_eq!(count(&set, 0..1), 0);
}

#[test]
fn a_panic_of_what_goes_takes_no_memory_for_ever() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            if !thread::panicking() {
                panic!("it is dropped");
            }
        }
    }
    let set = TokenCache::new(MOST);
    let insert = |number| {
        let text = text(number);
        put(&set, &text, 500, Panics, |_| false);
    };
    let panics = (0..3_000)
        .flat_map(|number| [number, number])
        .filter(|number| panic::catch_unwind(AssertUnwindSafe(|| insert(*number))).is_err())
        .count();
    assert!(panics > 1_000);
    let table = set.table.get().unwrap();
    let held = table.sets.len() * WAYS;
    for _ in 0..held {
        let _ = panic::catch_unwind(AssertUnwindSafe(|| table.sweep(|_| true)));
    }
    assert_eq!(set.bytes(), Table::<Panics>::new(MOST).counters.bytes.load(Relaxed));
}
