//! Streams that end when another process revokes their token.

use std::{
    env,
    io::{BufRead, BufReader},
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;
use tower_jwt_auth::{
    Algorithm, Verifier,
    redis::{Redis, RedisDenylist},
    revocation::{Denylist, Revocation},
    validity::{Validity, ValidityEnd},
};

use super::{Server, connect, follower, now};
use crate::support::{ISSUER, claims_with, key, trusting};

/// The variable that makes this program the one that revokes; it has the address of Redis.
const ROLE: &str = "REVOKES_WITH_REDIS";

/// Not a test: revokes the sessions that its stdin names, in a process that [`Revoker::start`] starts.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "is started by the test of this file"]
async fn revoker() {
    let Ok(redis) = env::var(ROLE) else { return };
    let redis = Redis::builder(redis).prefix("test").build().await.unwrap();
    let list = redis.denylist().build().await.unwrap();
    println!("\nready");
    for session in std::io::stdin().lines().map_while(Result::ok) {
        list.revoke(Revocation::session(ISSUER, &session, now() + 3600)).await.unwrap();
    }
}

struct Revoker {
    child: Child,
    stdin: ChildStdin,
}

impl Revoker {
    fn start(redis: &Server) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["redis::validity::revoker", "--exact", "--ignored", "--nocapture"])
            .env(ROLE, redis.url())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "ready"));
        // Its further output is dropped when the process ends.
        std::thread::spawn(move || lines.for_each(drop));
        Self { stdin: child.stdin.take().unwrap(), child }
    }

    fn revoke(&mut self, session: &str) {
        use std::io::Write;
        writeln!(self.stdin, "{session}").unwrap();
    }
}

impl Drop for Revoker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn verifier(list: &RedisDenylist) -> Verifier {
    trusting(key(Algorithm::HS256).key())
        .clock(tower_jwt_auth::clock::SystemClock)
        .denylist(list.clone())
        .build()
        .unwrap()
}

async fn validity(verifier: &Verifier, session: &str) -> Validity {
    let claims = json!({"jti": format!("of {session}"), "sid": session, "iat": null,
        "exp": 4_000_000_000_u64});
    let token = key(Algorithm::HS256).token(&claims_with(claims));
    verifier.verify(&token).await.unwrap().validity()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn s01_redis_a_logout_in_another_process_ends_the_stream_within_a_second() {
    let server = Server::start();
    let list = follower(&server).await;
    let (verifier, mut revoker) = (verifier(&list), Revoker::start(&server));
    let stays = validity(&verifier, "stays").await;
    let mut took = Vec::new();
    for number in 0..50 {
        let session = format!("session {number}");
        let waiting = tokio::spawn(validity(&verifier, &session).await);
        tokio::task::yield_now().await;
        let begin = Instant::now();
        revoker.revoke(&session);
        let end = tokio::time::timeout(Duration::from_secs(1), waiting).await;
        assert_eq!(end.expect("it does not end within a second").unwrap(), ValidityEnd::Revoked);
        took.push(begin.elapsed());
    }
    took.sort();
    println!("ended by another process: p50 {:?}, max {:?}", took[25], took[49]);
    assert_eq!(stays.ended(), None);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn s01_redis_a_logout_while_the_line_is_cut_is_heard_of_afterwards() {
    let mut server = Server::start();
    let (one, other) = (follower(&server).await, follower(&server).await);
    let (verifier_one, verifier_other) = (verifier(&one), verifier(&other));
    let here = tokio::spawn(validity(&verifier_one, "a").await);
    let there = tokio::spawn(validity(&verifier_other, "a").await);
    let begun = Instant::now();
    server.kill();
    assert!(one.revoke(Revocation::session(ISSUER, "a", now() + 3600)).await.is_err());
    let end = tokio::time::timeout(Duration::from_millis(500), here).await;
    assert_eq!(end.expect("by the one that revoked it").unwrap(), ValidityEnd::Revoked);
    assert!(!there.is_finished());
    server.restart();
    // The first machine writes it back, and the other one reads it.
    let end = tokio::time::timeout(Duration::from_secs(20), there).await;
    assert_eq!(end.expect("it hears of it").unwrap(), ValidityEnd::Revoked);
    println!("heard of after {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn s01_redis_a_list_without_room_tells_streams_nevertheless() {
    let server = Server::start();
    let redis = connect(&server).await;
    let list = redis.denylist().max_revocations(1).build().await.unwrap();
    let (verifier, other) = (verifier(&list), follower(&server).await);
    let waiting = tokio::spawn(validity(&verifier, "b").await);
    for session in ["a", "b"] {
        other.revoke(Revocation::session(ISSUER, session, now() + 3600)).await.unwrap();
    }
    let end = tokio::time::timeout(Duration::from_secs(1), waiting).await;
    assert_eq!(end.expect("it hears of it").unwrap(), ValidityEnd::Revoked);
}
