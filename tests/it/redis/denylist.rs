//! The denylist that each machine follows.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use tower_jwt_auth::{
    RegisteredClaims,
    redis::Redis,
    revocation::{Denylist, Revocation, TokenIds},
};

use super::{Server, at_once, claims, connect, follower, is_revoked, now, revoke, until};
use crate::{observe::Notes, support::builder};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn v01_redis_a_revocation_is_seen_by_the_others_at_once() {
    let server = Server::start();
    let (one, other) = (follower(&server).await, follower(&server).await);
    let mut took = Vec::new();
    for number in 0..1000 {
        let id = number.to_string();
        assert_eq!(at_once(&other, &id), Some(false));
        let begin = Instant::now();
        assert!(revoke(&one, &id).await);
        assert_eq!(at_once(&one, &id), Some(true), "by the one that revoked it");
        while at_once(&other, &id) != Some(true) {
            assert!(begin.elapsed() < Duration::from_secs(1), "{id}");
            tokio::time::sleep(Duration::from_micros(50)).await;
        }
        took.push(begin.elapsed());
    }
    took.sort();
    println!("seen by the other: p50 {:?}, p99 {:?}, max {:?}", took[500], took[990], took[999]);

    let claims = claims("none");
    let begin = Instant::now();
    for _ in 0..100_000 {
        let _ = black_box(one.is_revoked(black_box(TokenIds::new(&claims))));
    }
    println!("asked in memory: {:?}", begin.elapsed() / 100_000);
}

#[cfg(feature = "test-util")]
#[tokio::test]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn v01_redis_does_what_every_list_does() {
    let server = Server::start();
    // The list that follows, and the one that asks the store for each token.
    for (prefix, is_lazy) in [("follower", false), ("lazy", true)] {
        let count = std::cell::Cell::new(0);
        tower_jwt_auth::testing::conformance::denylist(async |_| {
            count.set(count.get() + 1);
            let prefix = format!("{prefix}-{}", count.get());
            server.establish(&prefix);
            let redis = Redis::builder(server.url()).prefix(prefix).build().await.unwrap();
            match is_lazy {
                true => redis.denylist().lazy().unwrap(),
                false => redis.denylist().build().await.unwrap(),
            }
        })
        .await;
    }
}

#[tokio::test]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn of_two_revocations_that_differ_the_later_times_stay() {
    let server = Server::start();
    let (one, other) = (follower(&server).await, follower(&server).await);
    let hour = now() + 3600;
    let subject = |before, until| Revocation::subject("i", "s", before, until);
    one.revoke(subject(10, hour)).await.unwrap();
    one.revoke(subject(5, hour + 9)).await.unwrap();
    one.revoke(subject(4, hour)).await.unwrap();
    let entries: Vec<String> = server.ask(&["HVALS", "{test:deny}:entries"]);
    assert_eq!(entries.len(), 1);
    assert!(entries[0].starts_with(&format!("{} 10 ", hour + 309)), "{entries:?}");
    assert_eq!(server.ask::<u64>(&["GET", "{test:deny}:count"]), 2, "the last adds nothing");

    let issued = |at: i64| -> RegisteredClaims {
        serde_json::from_str(&format!(r#"{{"iss":"i","sub":"s","iat":{at}}}"#)).unwrap()
    };
    let revoked =
        |at| other.is_revoked(TokenIds::new(&issued(at))).now_or_never().unwrap().unwrap();
    until("both are seen", 1, || revoked(10)).await;
    assert!(!revoked(11));
    // The store itself says the same, where it is asked.
    let lazy = connect(&server).await.denylist().lazy().unwrap();
    assert!(lazy.is_revoked(TokenIds::new(&issued(10))).await.unwrap());
    assert!(!lazy.is_revoked(TokenIds::new(&issued(11))).await.unwrap());
    let unknown: RegisteredClaims = serde_json::from_str(r#"{"iss":"i","sub":"s"}"#).unwrap();
    assert!(lazy.is_revoked(TokenIds::new(&unknown)).await.unwrap());
}

#[tokio::test]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn v03_redis_entries_die_with_the_tokens_they_name() {
    let server = Server::start();
    let list = follower(&server).await;
    // 300 s longer than the tokens: over in two seconds.
    let soon = now() - 298;
    for number in 0..500 {
        list.revoke(Revocation::token("i", &number.to_string(), soon)).await.unwrap();
    }
    let count = || server.ask::<usize>(&["HLEN", "{test:deny}:entries"]);
    assert!(count() > 0);
    tokio::time::sleep(Duration::from_millis(2100)).await;
    for number in 0..6 {
        assert!(revoke(&list, &format!("late {number}")).await);
    }
    assert_eq!((count(), server.ask::<usize>(&["ZCARD", "{test:deny}:times"])), (6, 6));
    for key in ["entries", "times", "changes"] {
        assert!(server.ask::<i64>(&["TTL", &format!("{{test:deny}}:{key}")]) > 3600, "{key}");
    }
    list.revoke(Revocation::token("i", "over", now() - 301)).await.unwrap();
    assert_eq!(count(), 6);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn a_long_list_and_a_gap_are_read_whole() {
    let server = Server::start();
    let one = follower(&server).await;
    let late = follower(&server).await;
    let mut tasks = Vec::new();
    for part in 0..8 {
        let one = one.clone();
        tasks.push(tokio::spawn(async move {
            for number in 0..500 {
                assert!(revoke(&one, &format!("{part} {number}")).await);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    until("it has all", 5, || late.len() == 4000).await;
    // As if three changes had been trimmed before it read them.
    server.ask::<i64>(&["INCRBY", "{test:deny}:count", "3"]);
    assert!(revoke(&one, "after a gap").await);
    until("it goes on", 2, || at_once(&late, "after a gap") == Some(true)).await;
    let begin = Instant::now();
    let third = follower(&server).await;
    println!("read 4001: {:?}", begin.elapsed());
    assert_eq!(third.len(), 4001);
}

#[tokio::test]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn a_copy_that_is_full_asks_the_store() {
    let server = Server::start();
    let one = follower(&server).await;
    let redis = connect(&server).await;
    let stale = Duration::from_secs(1);
    let small = redis.denylist().max_revocations(2).stale_after(stale).build().await.unwrap();
    for id in ["a", "b", "c"] {
        assert!(revoke(&one, id).await);
    }
    until("it is stale", 3, || !small.is_fresh()).await;
    for id in ["a", "b", "c"] {
        assert_eq!(is_revoked(&small, id).await, Some(true));
    }
    assert_eq!(is_revoked(&small, "d").await, Some(false));
    assert!(redis.denylist().max_revocations(2).build().await.is_err());
}

#[tokio::test]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn the_task_ends_with_the_last_handle() {
    let server = Server::start();
    let clients = || server.ask::<String>(&["CLIENT", "LIST"]).lines().count();
    let redis = connect(&server).await;
    let before = clients();
    let list = redis.denylist().build().await.unwrap();
    let clone = list.clone();
    drop(list);
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(clients(), before + 1);
    assert!(clone.is_fresh());
    drop(clone);
    until("its connection is closed", 2, || clients() == before).await;
}

#[test]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
fn it_goes_on_in_another_runtime() {
    let server = Server::start();
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let first = runtime();
    let list = first.block_on(async {
        let redis = Redis::builder(server.url()).prefix("test").build().await.unwrap();
        redis.denylist().stale_after(Duration::from_secs(1)).build().await.unwrap()
    });
    drop(first);
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(at_once(&list, "a"), None, "it is stale, and there is no runtime");
    let second = runtime();
    second.block_on(async {
        assert!(revoke(&list, "a").await);
        assert_eq!(is_revoked(&list, "b").await, Some(false));
        until("it follows again", 2, || at_once(&list, "b") == Some(false)).await;
    });
    drop(list);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn a_copy_that_is_full_asks_and_holds_nobody_up() {
    let server = Server::start();
    let other = follower(&server).await;
    let small = connect(&server).await.denylist().max_revocations(1).build().await.unwrap();
    for id in ["a", "b"] {
        assert!(revoke(&small, id).await, "the store has room for it");
    }
    assert!(!small.is_fresh());
    for (id, revoked) in [("a", true), ("b", true), ("c", false)] {
        assert_eq!(is_revoked(&small, id).await, Some(revoked), "{id}");
    }
    until("both are seen", 1, || ["a", "b"].iter().all(|id| at_once(&other, id) == Some(true)))
        .await;
    let refused = connect(&server).await.denylist().max_revocations(1).build().await.unwrap_err();
    assert!(refused.to_string().contains("has room for"), "{refused}");

    // What it can write back, it does; and it keeps others waiting only for a while.
    server.ask::<String>(&["FLUSHALL"]);
    let there = || server.ask::<usize>(&["HLEN", "{test:deny}:entries"]) == 2;
    until("the store has all of it again", 3, there).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    until("the other one knows", 5, || at_once(&other, "c") == Some(false)).await;
    assert_eq!(is_revoked(&small, "b").await, Some(true));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn logouts_while_one_machine_connects_again_hold_nobody_up() {
    let server = Server::start();
    let busy = follower(&server).await;
    let redis = connect(&server).await;
    let other = redis.denylist().stale_after(Duration::from_secs(1)).build().await.unwrap();
    for number in 0..3000 {
        assert!(revoke(&busy, &number.to_string()).await);
    }
    let begin = Instant::now();
    let mut number = 3000;
    while begin.elapsed() < Duration::from_secs(4) {
        if number % 300 == 0 {
            server.ask::<i64>(&["CLIENT", "KILL", "TYPE", "normal"]);
        }
        number += 1;
        assert!(revoke(&busy, &number.to_string()).await);
        assert_eq!(is_revoked(&other, "none").await, Some(false), "after {:?}", begin.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn v04_redis_a_list_is_not_whole_before_all_is_written_back() {
    let server = Server::start();
    let knows = follower(&server).await;
    let all: Vec<_> = (0..2000).map(|number| number.to_string()).collect();
    for id in &all {
        assert!(revoke(&knows, id).await);
    }
    // All of it is lost, and the machine that knows it cannot write for a while: for longer than
    // a new list is waited for.
    let redis = connect(&server).await;
    let kept = redis.denylist().stale_after(Duration::from_secs(1)).lazy().unwrap();
    let there = || server.ask::<usize>(&["HLEN", "{test:deny}:entries"]);
    server.ask::<String>(&["FLUSHALL"]);
    until("the loss is noticed", 10, || server.ask(&["EXISTS", "{test:deny}:since"])).await;
    server.ask::<String>(&["CLIENT", "PAUSE", "2500", "ALL"]);
    // As long as something is missing, nobody says that it is not revoked.
    let begin = Instant::now();
    while there() < all.len() {
        for id in [&all[0], &all[all.len() / 2], &all[all.len() - 1]] {
            assert_ne!(is_revoked(&kept, id).await, Some(false), "{:?}", begin.elapsed());
        }
        assert!(begin.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    until("it is whole", 20, || kept.is_fresh()).await;
    assert!(all.iter().all(|id| at_once(&kept, id) == Some(true)));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn an_observer_is_told_how_far_the_copy_is_behind() {
    let mut server = Server::start();
    let list = follower(&server).await;
    let notes = Notes::default();
    let verifier = builder::<RegisteredClaims>().denylist(list.clone()).observer(notes.clone());
    let _verifier = verifier.build().unwrap();
    assert!(revoke(&list, "a").await);
    assert!(notes.take("denylist").last().unwrap().ends_with(" 1"));
    // While all is well, it is told every second or so.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let told = notes.take("denylist");
    assert!((2..=4).contains(&told.len()), "{told:?}");
    assert!(told.iter().all(|note| note.contains("Some(") && !note.contains("s) 0")), "{told:?}");
    // Without the server, the lag grows.
    server.kill();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let last = notes.take("denylist").pop().unwrap();
    let lag = last.split("Some(").nth(1).and_then(|rest| rest.split(['.', 's']).next()).unwrap();
    assert!(lag.parse::<u64>().is_ok_and(|seconds| seconds >= 2), "{last}");
}
