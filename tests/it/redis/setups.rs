//! The set-ups of Redis that users have: those that serve, and those that are refused with
//! the reason.

use std::time::{Duration, Instant};

use tower_jwt_auth::{
    redis::{Redis, RedisDenylist},
    refresh::{Login, RefreshTokens},
};

use super::{Server, at_once, connect, follower, is_revoked, revoke, until};
use crate::privacy::events;

async fn refused(server: &Server) -> String {
    Redis::builder(server.url()).prefix("test").build().await.unwrap_err().to_string()
}

/// What the stores of a lazy connection say is wrong.
async fn told_late(server: &Server) -> Vec<String> {
    use std::error::Error as _;

    let redis = Redis::builder(server.url()).prefix("test").lazy().unwrap();
    let refresh = RefreshTokens::builder(redis.refresh_store()).build().unwrap();
    let error = refresh.open(Login::new("alice")).await.unwrap_err();
    let list = redis.denylist().build().await.unwrap_err();
    vec![error.source().unwrap().to_string(), list.to_string()]
}

/// The documented line for an ACL file.
fn documented_user() -> String {
    let docs = include_str!("../../../src/redis/mod.rs");
    let line = docs.lines().find_map(|line| line.strip_prefix("//! user app ")).unwrap();
    let line = format!("app {line}");
    line.replace("PASSWORD", "secret").replace("PREFIX", "test")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn the_documented_user_has_all_rights_that_it_needs_and_misses_each() {
    let server = Server::start();
    server.establish("test");
    for key in ["count", "since"] {
        server.ask::<i64>(&[
            "COPY",
            &format!("{{test:deny}}:{key}"),
            &format!("{{test:deny}}:{key}"),
            "DB",
            "1",
        ]);
    }
    let rights: Vec<String> = documented_user().split_whitespace().map(String::from).collect();
    let set_user = |rights: &[String]| {
        server.ask::<i64>(&["ACL", "DELUSER", "app"]);
        let mut command = vec!["ACL", "SETUSER"];
        command.extend(rights.iter().map(String::as_str));
        server.ask::<String>(&command);
    };
    let url = server.url().replace("redis://", "redis://app:secret@") + "/1";
    let start = async || {
        let redis = Redis::builder(&url).prefix("test").build().await.map_err(|e| e.to_string())?;
        let list = redis.denylist().build().await.map_err(|e| e.to_string())?;
        redis.replay_store().build().await.map_err(|e| e.to_string())?;
        Ok::<_, String>((redis, list))
    };
    set_user(&rights);
    let (redis, list) = start().await.unwrap();
    let refresh = RefreshTokens::builder(redis.refresh_store()).max_sessions(2).build().unwrap();
    for _ in 0..4 {
        let opened = refresh.open(Login::new("alice")).await.unwrap();
        refresh.rotate(opened.token().as_str()).await.unwrap();
    }
    assert_eq!(refresh.list("alice").await.unwrap().len(), 2);
    assert_eq!(refresh.end_all("alice").await.unwrap().len(), 2);
    assert!(revoke(&list, "a").await);
    let (_, other) = start().await.unwrap();
    assert_eq!(is_revoked(&other, "a").await, Some(true));
    // What is none of its business is refused.
    let client = ::redis::Client::open(&*url).unwrap();
    let mut other = client.get_connection().unwrap();
    for command in [
        &["FLUSHALL"][..],
        &["SWAPDB", "0", "1"],
        &["CLIENT", "KILL", "TYPE", "normal"],
        &["KEYS", "*"],
        &["CONFIG", "GET", "*"],
        &["GET", "other"],
    ] {
        let refused = ::redis::cmd(command[0]).arg(&command[1..]).query::<()>(&mut other);
        assert!(refused.unwrap_err().to_string().contains("permission"), "{command:?}");
    }
    // It follows for a while with nothing refused.
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert!(list.is_fresh());

    // Nothing in the list is too much, and what is missing is told.
    for missing in rights.iter().filter(|right| right.starts_with(['+', '~'])) {
        let less: Vec<_> = rights.iter().filter(|right| *right != missing).cloned().collect();
        set_user(&less);
        match start().await {
            // The check for evictions, which is left out then.
            Ok(_) => assert_eq!(missing, "+info"),
            Err(error) if missing == "+@connection" => assert!(error.contains("SELECT"), "{error}"),
            Err(error) => assert!(error.contains("NOPERM") && error.contains("+time"), "{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn b69_what_is_no_primary_is_refused_with_the_reason() {
    let cluster = Server::start_with(&["--cluster-enabled", "yes"]);
    let slots: Vec<String> = (0..16_384).map(|slot| slot.to_string()).collect();
    let mut own = vec!["CLUSTER", "ADDSLOTS"];
    own.extend(slots.iter().map(String::as_str));
    cluster.ask::<String>(&own);
    let primary = Server::start();
    let port = primary.port().to_string();
    let replica = Server::start_with(&["--replicaof", "127.0.0.1", &port]);
    let writable =
        Server::start_with(&["--replicaof", "127.0.0.1", &port, "--replica-read-only", "no"]);
    let sentinel = Server::start_sentinel(primary.port());
    for (server, word) in [
        (&cluster, "node of a cluster"),
        (&replica, "is a replica"),
        (&writable, "is a replica"),
        (&sentinel, "Sentinel"),
    ] {
        let mut told = told_late(server).await;
        told.push(refused(server).await);
        for told in told {
            assert!(told.contains(word), "{told}");
        }
    }
    // Without the right to look, the first key says it.
    let other = Server::start_with(&["--cluster-enabled", "yes"]);
    other.ask::<String>(&["CLUSTER", "ADDSLOTS", "1"]);
    other.ask::<String>(&["ACL", "SETUSER", "default", "-info"]);
    let told = refused(&other).await;
    assert!(told.contains("CLUSTERDOWN") && told.contains("node of a cluster"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn what_the_server_refuses_is_told_by_its_name() {
    let server = Server::start();
    server.establish("test");
    let redis = connect(&server).await;
    let refresh = RefreshTokens::builder(redis.refresh_store()).build().unwrap();
    let list = redis.denylist().build().await.unwrap();
    let config = |name: &str, value: &str| server.ask::<String>(&["CONFIG", "SET", name, value]);
    use std::error::Error as _;
    let told = async || {
        let error = refresh.open(Login::new("alice")).await.unwrap_err();
        error.source().unwrap().to_string()
    };
    config("maxmemory", "1");
    let error = told().await;
    assert!(error.contains("OOM") && error.contains("maxmemory"), "{error}");
    assert!(refused(&server).await.contains("OOM"));
    config("maxmemory", "0");
    refresh.open(Login::new("alice")).await.unwrap();

    config("min-replicas-to-write", "1");
    let error = told().await;
    assert!(error.contains("NOREPLICAS") && error.contains("min-replicas-to-write"), "{error}");
    // Also where it is the last command of a transaction that is refused.
    let error = refresh.end_all("alice").await.unwrap_err().source().unwrap().to_string();
    assert!(error.contains("NOREPLICAS"), "{error}");
    let error = list.clone();
    assert!(!revoke(&error, "a").await);
    config("min-replicas-to-write", "0");

    config("requirepass", "right");
    let told = refused(&server).await;
    assert!(told.contains("NOAUTH") && told.contains("redis://user:password@host"), "{told}");
}

/// The time until the list answers neither from memory nor from the store.
async fn until_unknown(list: &RedisDenylist, limit: u64) -> Duration {
    let begin = Instant::now();
    while is_revoked(list, "none").await.is_some() {
        assert!(begin.elapsed() < Duration::from_secs(limit), "still believed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    begin.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn v05_a_primary_that_becomes_a_replica_is_not_believed() {
    let (server, mut primary) = (Server::start(), Server::start());
    let lists = [
        connect(&server).await.denylist().build().await.unwrap(),
        connect(&server)
            .await
            .denylist()
            .stale_after(Duration::from_secs(1))
            .build()
            .await
            .unwrap(),
    ];
    let refresh = RefreshTokens::builder(connect(&server).await.refresh_store()).build().unwrap();
    let opened = refresh.open(Login::new("alice")).await.unwrap();
    for writable in ["no", "yes"] {
        let read_only = if writable == "yes" { "no" } else { "yes" };
        server.ask::<String>(&["CONFIG", "SET", "replica-read-only", read_only]);
        server.ask::<String>(&["REPLICAOF", "127.0.0.1", &primary.port().to_string()]);
        let (slow, hasty) = tokio::join!(until_unknown(&lists[0], 7), until_unknown(&lists[1], 3));
        println!("writable {writable}: unknown after {slow:?} with 5 s, {hasty:?} with 1 s");
        assert!(slow > Duration::from_secs(4), "{slow:?}");
        assert!(refresh.list("alice").await.is_err(), "nor is a question of the other store");
        assert!(refresh.token_status(opened.token().as_str()).await.is_err());
        // Nor without its primary.
        primary.kill();
        tokio::time::sleep(Duration::from_millis(1500)).await;
        for list in &lists {
            assert_eq!(is_revoked(list, "none").await, None);
        }
        server.ask::<String>(&["REPLICAOF", "NO", "ONE"]);
        server.establish("test");
        for list in &lists {
            until("it is followed again", 4, || at_once(list, "none") == Some(false)).await;
        }
        primary.restart();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn v05_an_isolated_primary_that_refuses_writes_is_not_believed() {
    let server =
        Server::start_with(&["--min-replicas-max-lag", "2", "--repl-ping-replica-period", "1"]);
    let replica = Server::start_with(&["--replicaof", "127.0.0.1", &server.port().to_string()]);
    let has_replica = || server.ask::<String>(&["INFO", "replication"]).contains("state=online");
    until("the replica is there", 10, has_replica).await;
    server.ask::<String>(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    server.establish("test");
    let list = follower(&server).await;
    let hasty = connect(&server)
        .await
        .denylist()
        .stale_after(Duration::from_secs(1))
        .build()
        .await
        .unwrap();
    assert!(revoke(&list, "a").await);
    replica.freeze();
    // Two seconds until the primary knows, and those until the copy is stale.
    println!("isolated: unknown after {:?} with 1 s", until_unknown(&hasty, 6).await);
    println!("isolated: unknown after {:?} with 5 s", until_unknown(&list, 9).await);
    assert_eq!(is_revoked(&list, "a").await, Some(true), "what is known stays so");
    replica.thaw();
    until("it is followed again", 6, || at_once(&list, "b") == Some(false)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn v04_an_empty_store_is_not_ready_before_it_is_written_back() {
    let server = Server::start();
    let old = follower(&server).await;
    for number in 0..2000 {
        assert!(revoke(&old, &number.to_string()).await);
    }
    let stale = Duration::from_secs(1);
    for round in 0..3 {
        server.ask::<String>(&["FLUSHALL"]);
        let begin = Instant::now();
        let redis = Redis::builder(server.url()).prefix("test").build().await.unwrap();
        let lazy = redis.denylist().stale_after(stale).lazy().unwrap();
        let building = tokio::spawn({
            let redis = redis.clone();
            async move { redis.denylist().stale_after(stale).build().await.unwrap() }
        });
        let mut unknown = 0;
        while !building.is_finished() {
            match is_revoked(&lazy, "1999").await {
                None => unknown += 1,
                revoked => assert_eq!(revoked, Some(true), "{round}, after {:?}", begin.elapsed()),
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let new = building.await.unwrap();
        let took = begin.elapsed();
        println!("ready {took:?} after it lost all; {unknown} times nobody knew");
        // As long as it takes a machine to connect again, though the stale period is shorter.
        assert!((2..5).contains(&took.as_secs()), "{took:?}");
        for number in 0..2000 {
            assert_eq!(at_once(&new, &number.to_string()), Some(true));
        }
        until("the old one is fresh", 7, || at_once(&old, "none") == Some(false)).await;
    }
    // Nobody waits for a list that has been there for so long.
    let begin = Instant::now();
    connect(&server).await.denylist().stale_after(stale).build().await.unwrap();
    assert!(begin.elapsed() < Duration::from_millis(800), "{:?}", begin.elapsed());
}

#[test]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
fn v06_keys_that_may_be_evicted_are_told_at_start() {
    let start = |server: &Server, url: String| {
        server.establish("test");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        events(|| {
            runtime.block_on(async {
                let redis = Redis::builder(url).prefix("test").build().await.unwrap();
                redis.denylist().build().await.unwrap();
                redis.denylist().build().await.unwrap();
            });
        })
    };
    let server = Server::start();
    assert!(!start(&server, server.url()).contains("evict"));
    server.ask::<String>(&["CONFIG", "SET", "maxmemory-policy", "volatile-lru"]);
    let told = start(&server, server.url());
    assert!(told.contains("volatile-lru") && told.contains("noeviction"), "{told}");
    assert_eq!(told.matches("evict revocations").count(), 1, "{told}");
    server.ask::<String>(&["ACL", "SETUSER", "app", "on", ">secret", "~*", "+@all", "-info"]);
    let told = start(&server, server.url().replace("redis://", "redis://app:secret@"));
    assert!(told.contains("was not checked") && told.contains("+info"), "{told}");
}

#[test]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
fn an_outage_is_told_once_with_its_first_cause() {
    use tower_jwt_auth::{Algorithm, Verifier};

    use crate::support::{claims_with, key, trusting};

    let mut server = Server::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let es = key(Algorithm::ES256);
    let token = es.token(&claims_with(serde_json::json!({"jti": "b"})));
    let (verifier, refresh) = runtime.block_on(async {
        let builder = connect(&server).await.denylist().stale_after(Duration::from_secs(1));
        let list = builder.build().await.unwrap();
        let verifier: Verifier = trusting(es.key()).denylist(list).build().unwrap();
        let refresh =
            RefreshTokens::builder(connect(&server).await.refresh_store()).build().unwrap();
        (verifier, refresh)
    });
    server.kill();
    let told = events(|| {
        runtime.block_on(async {
            tokio::time::sleep(Duration::from_millis(1500)).await;
            for _ in 0..300 {
                assert!(verifier.verify(&token).await.is_err());
                assert!(refresh.open(Login::new("alice")).await.is_err());
            }
        });
    });
    let warned: Vec<_> = told.lines().filter(|line| !line.contains("DEBUG")).collect();
    println!("{}", warned.join("\n"));
    // The one that follows, the one that is asked, and the other store.
    assert!((2..=3).contains(&warned.len()), "{told}");
    assert!(warned.iter().all(|line| line.contains("refused") || line.contains("closed")));
}
