//! What the stores do when the server fails.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tower_jwt_auth::{
    Algorithm, ErrorKind, Verifier,
    redis::{Redis, RedisDenylist},
    refresh::{Login, RefreshTokens},
};

use super::{Server, at_once, connect, follower, is_revoked, revoke, until};
use crate::support::{claims_with, key, trusting};

/// One that asks the store when it has not heard of it for a second.
async fn hasty(server: &Server) -> RedisDenylist {
    let builder = connect(server).await.denylist();
    builder.stale_after(Duration::from_secs(1)).build().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn v02_redis_memory_answers_for_a_while_and_then_nobody_knows() {
    let mut server = Server::start();
    let (one, other) = (follower(&server).await, follower(&server).await);
    assert!(revoke(&one, "a").await);
    until("it is seen", 1, || at_once(&other, "a") == Some(true)).await;
    let es = key(Algorithm::ES256);
    let verifier: Verifier = trusting(es.key()).denylist(other.clone()).build().unwrap();
    let token = es.token(&claims_with(json!({"jti": "b"})));
    verifier.verify(&token).await.unwrap();

    server.kill();
    let killed = Instant::now();
    assert_eq!(at_once(&other, "b"), Some(false));
    verifier.verify(&token).now_or_never().unwrap().unwrap();
    assert!(!revoke(&one, "while it is down").await, "nobody has acknowledged it");
    assert_eq!(at_once(&one, "while it is down"), Some(true));
    until("it is stale", 7, || at_once(&other, "b").is_none()).await;
    let took = killed.elapsed();
    assert!((4..=6).contains(&took.as_secs()), "{took:?}");
    assert_eq!(is_revoked(&other, "b").await, None);
    assert_eq!(at_once(&other, "a"), Some(true), "what is revoked stays so");
    let error = verifier.verify(&token).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unavailable { .. }), "{error:?}");

    server.restart();
    until("it follows again", 3, || at_once(&other, "b") == Some(false)).await;
    for list in [&one, &other] {
        assert_eq!(is_revoked(list, "a").await, Some(true));
    }
    until("the other hears of it", 3, || at_once(&other, "while it is down") == Some(true)).await;
    verifier.verify(&token).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn v04_redis_a_follower_that_was_away_misses_nothing() {
    let mut server = Server::start();
    let (one, away) = (follower(&server).await, follower(&server).await);
    assert!(revoke(&one, "before").await);
    until("it is seen", 1, || at_once(&away, "before") == Some(true)).await;
    for round in 0..5 {
        // Its connection breaks, and others go on.
        server.ask::<i64>(&["CLIENT", "KILL", "TYPE", "normal"]);
        let ids: Vec<_> = (0..50).map(|number| format!("{round} {number}")).collect();
        for id in &ids {
            assert!(revoke(&one, id).await, "a closed connection is none of the caller's");
        }
        until("all are seen", 3, || ids.iter().all(|id| at_once(&away, id) == Some(true))).await;
    }

    // It has lost all: those who follow have it.
    server.kill();
    server.wipe();
    server.restart();
    let there = || server.ask::<usize>(&["HLEN", "{test:deny}:entries"]) == 251;
    until("it gets it all back", 3, there).await;
    let new = follower(&server).await;
    assert_eq!(at_once(&new, "before"), Some(true));
    // The same, while the connections stay.
    server.ask::<String>(&["FLUSHALL"]);
    until("it gets it all back", 3, there).await;
    assert!(revoke(&new, "after").await);
    until("they follow", 3, || at_once(&away, "after") == Some(true)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn v04_redis_what_was_acknowledged_survives_crashes() {
    let mut server = Server::start();
    let mut machines = Vec::new();
    for _ in 0..3 {
        machines.push(hasty(&server).await);
    }
    let done = Arc::new(AtomicBool::new(false));
    // What was acknowledged, when, and to whom.
    let acknowledged = Arc::new(Mutex::new(Vec::<(String, Instant, usize)>::new()));
    let mut tasks = Vec::new();
    for (number, machine) in machines.iter().enumerate() {
        let (list, ended, all) = (machine.clone(), done.clone(), acknowledged.clone());
        tasks.push(tokio::spawn(async move {
            for count in 0.. {
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                let id = format!("{number} {count}");
                if revoke(&list, &id).await {
                    all.lock().unwrap().push((id, Instant::now(), number));
                } else {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            0
        }));
        let (list, ended, all) = (machine.clone(), done.clone(), acknowledged.clone());
        tasks.push(tokio::spawn(async move {
            let mut asked = 0;
            let mut random = number;
            while !ended.load(Ordering::Relaxed) {
                asked += 1;
                if asked % 50 == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let picked = {
                    let all = all.lock().unwrap();
                    // The late ones above all.
                    let back = (random >> 33) % all.len().clamp(1, 2000);
                    all.iter().rev().nth(back).cloned()
                };
                let Some((id, when, by)) = picked else { continue };
                // Another machine may be as far behind as its copy is fresh.
                let due = by == number || when.elapsed() > Duration::from_millis(1050);
                if is_revoked(&list, &id).await == Some(false) {
                    assert!(!due, "{number} takes {id}, {:?} after", when.elapsed());
                }
            }
            asked
        }));
    }
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(700)).await;
        server.kill();
        tokio::time::sleep(Duration::from_millis(1500)).await;
        server.restart();
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    done.store(true, Ordering::Relaxed);
    let mut asked = 0;
    for task in tasks {
        asked += task.await.unwrap();
    }
    let all = acknowledged.lock().unwrap().clone();
    println!("{} acknowledged, asked {asked} times", all.len());
    assert!(all.len() > 100);
    let new = follower(&server).await;
    machines.push(new);
    for (id, ..) in &all {
        for machine in &machines {
            assert_eq!(is_revoked(machine, id).await, Some(true), "{id}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn v02_redis_a_server_that_stands_still_is_noticed() {
    let server = Server::start();
    let list = hasty(&server).await;
    let refresh = RefreshTokens::builder(connect(&server).await.refresh_store()).build().unwrap();
    let opened = refresh.open(Login::new("alice")).await.unwrap();
    server.freeze();
    until("it is stale", 3, || at_once(&list, "a").is_none()).await;
    let bounded = async |limit: u64, what: &str| {
        let begin = Instant::now();
        let known = match what {
            "is_revoked" => is_revoked(&list, "a").await.is_some(),
            "revoke" => revoke(&list, "b").await,
            _ => refresh.rotate(opened.token().as_str()).await.is_ok(),
        };
        let took = begin.elapsed();
        assert!(!known && took < Duration::from_millis(limit), "{what}: {known}, {took:?}");
    };
    for what in ["is_revoked", "revoke", "rotate", "is_revoked", "revoke", "rotate"] {
        bounded(1500, what).await;
    }
    // A crowd does not wait one after the other.
    let begin = Instant::now();
    let crowd: Vec<_> = (0..200)
        .map(|_| {
            let list = list.clone();
            tokio::spawn(async move { is_revoked(&list, "a").await })
        })
        .collect();
    for one in crowd {
        assert_eq!(one.await.unwrap(), None);
    }
    assert!(begin.elapsed() < Duration::from_millis(2500), "{:?}", begin.elapsed());
    server.thaw();
    until("it follows again", 4, || at_once(&list, "a") == Some(false)).await;
    assert_eq!(at_once(&list, "b"), Some(true));
    // Its request was answered to nobody: the grace has the same successor.
    refresh.rotate(opened.token().as_str()).await.unwrap();
}

#[tokio::test]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn it_starts_without_a_server_if_it_is_told_to() {
    let mut server = Server::start();
    server.kill();
    let builder = || Redis::builder(server.url()).prefix("test");
    assert!(builder().build().await.is_err());
    let redis = builder().lazy().unwrap();
    assert!(redis.denylist().build().await.is_err());
    let list = redis.denylist().lazy().unwrap();
    assert_eq!(is_revoked(&list, "a").await, None);
    assert!(!revoke(&list, "a").await);
    assert_eq!(is_revoked(&list, "a").await, Some(true), "it is in the copy");
    server.restart();
    server.establish("test");
    until("it follows", 3, || list.is_fresh()).await;
    let other = follower(&server).await;
    until("it was written", 3, || at_once(&other, "a") == Some(true)).await;
}

#[tokio::test]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn a_wrong_password_is_told_and_not_repeated() {
    let server = Server::start();
    server.ask::<String>(&["CONFIG", "SET", "requirepass", "right"]);
    let url = server.url().replace("redis://", "redis://:hunter2@");
    let error = Redis::builder(url).build().await.unwrap_err().to_string();
    assert!(!error.contains("hunter2"), "{error}");
    println!("{error}");
    let url = server.url().replace("redis://", "redis://:right@");
    Redis::builder(url).build().await.unwrap().denylist().build().await.unwrap();
}
