//! The stores of several machines, with a server that each test starts (feature `redis`):
//! `REDIS_SERVER=redis-server cargo test --features redis --test it redis:: -- --ignored`.

mod denylist;
mod faults;
#[cfg(all(feature = "axum", feature = "remote", feature = "test-util"))]
mod processes;
mod refresh;
mod replay;
mod server;
#[cfg(all(feature = "axum", feature = "remote"))]
mod servers;
mod setups;
mod validity;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tower_jwt_auth::{
    RegisteredClaims,
    redis::{Redis, RedisDenylist},
    revocation::{Denylist, Revocation, TokenIds},
};

use self::server::Server;

/// A connection of its own, as another machine has.
async fn connect(server: &Server) -> Redis {
    server.establish("test");
    // Longer than the default: other tests keep the processor busy.
    let builder = Redis::builder(server.url()).timeout(Duration::from_millis(750));
    builder.prefix("test").build().await.unwrap()
}

async fn follower(server: &Server) -> RedisDenylist {
    connect(server).await.denylist().build().await.unwrap()
}

fn claims(id: &str) -> RegisteredClaims {
    serde_json::from_str(&format!(r#"{{"iss":"i","jti":"{id}"}}"#)).unwrap()
}

/// A revocation of the token with this id, for an hour.
fn revocation(id: &str) -> Revocation {
    Revocation::token("i", id, now() + 3600)
}

async fn revoke(list: &RedisDenylist, id: &str) -> bool {
    list.revoke(revocation(id)).await.is_ok()
}

/// What the list says of the token with this id; `None` where it does not know.
async fn is_revoked(list: &RedisDenylist, id: &str) -> Option<bool> {
    list.is_revoked(TokenIds::new(&claims(id))).await.ok()
}

/// The same, from memory; `None` if it would have to ask.
fn at_once(list: &RedisDenylist, id: &str) -> Option<bool> {
    list.is_revoked(TokenIds::new(&claims(id))).now_or_never()?.ok()
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

#[track_caller]
fn until(what: &str, seconds: u64, condition: impl Fn() -> bool) -> impl Future<Output = Duration> {
    let begin = std::time::Instant::now();
    async move {
        while !condition() {
            assert!(begin.elapsed() < Duration::from_secs(seconds), "{what}: not in {seconds} s");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        begin.elapsed()
    }
}
