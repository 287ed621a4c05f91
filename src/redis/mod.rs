//! Stores that several machines share, in Redis 6.2 or newer, or Valkey. Requires the feature
//! `redis`, which includes `issue`.
//!
//! - [`RedisRefreshStore`]: the sessions and the digests of their refresh tokens. A rotation is
//!   one script.
//! - [`RedisDenylist`]: revocations. Each machine follows the changes and answers from its
//!   memory, without I/O per request. A logout takes effect on all machines within
//!   milliseconds. A machine that loses its connection may accept a revoked token for up to
//!   [`stale_after`](RedisDenylistBuilder::stale_after) (5 s). After that, it asks Redis for each
//!   token, and answers 503 if Redis does not answer.
//! - [`RedisReplayStore`]: the DPoP proofs that were accepted (RFC 9449 §11.1). An insert is one
//!   script.
//!
//! # Example
//! ```no_run
//! use tower_jwt_auth::{Key, Verifier, redis::Redis, refresh::RefreshTokens};
//!
//! # async fn start() -> Result<(), Box<dyn std::error::Error>> {
//! let redis = Redis::builder("redis://127.0.0.1:6379").prefix("shop").build().await?;
//! let refresh = RefreshTokens::builder(redis.refresh_store()).build()?;
//! let verifier = Verifier::builder()
//!     .issuer("https://login.example.com")
//!     .audience("https://api.example.com")
//!     .keys(Key::hs256([7; 32]))
//!     .denylist(redis.denylist().build().await?)
//!     .build()?;
//! # Ok(()) }
//! ```
//!
//! # Example: TLS with a private authority, and a user
//! ```no_run
//! use tower_jwt_auth::redis::Redis;
//!
//! # async fn start() -> Result<(), Box<dyn std::error::Error>> {
//! let redis = Redis::builder("rediss://app:PASSWORD@redis.internal:6379")
//!     .prefix("shop")
//!     .root_certificates(std::fs::read("/etc/redis/ca.pem")?)
//!     .build()
//!     .await?;
//! # Ok(()) }
//! ```
//!
//! # Security
//!
//! Anyone who can write to this Redis can log users out and take over sessions: give it a
//! password, TLS and a network of its own. It holds no tokens, but it holds the names of users.
//! The address, which may have a password, is never in an error, an event or `Debug`.
//!
//! # Deployment
//!
//! - **Primary.** Connect to the primary of one server. A cluster node, a Sentinel and a
//!   replica are refused with the reason, whenever a connection is made. Redirections are not
//!   followed.
//! - **Proof.** A replica that has lost its primary keeps answering reads from old data. So
//!   every read, and the follower of the denylist four times a second, verifies that the server
//!   is a primary that accepts writes. If it is not, the copy of the denylist gets stale, and
//!   then the answer is 503. *Price:* with `min-replicas-to-write`, a primary that lacks its
//!   replicas answers 503. *Limit:* without that setting, an isolated primary cannot be
//!   detected. With it, detection takes `min-replicas-max-lag` (10 s by default) plus
//!   [`stale_after`](RedisDenylistBuilder::stale_after).
//! - **Failover.** The address must lead to the new primary: a DNS name, a virtual address or a
//!   proxy. A connection to a server that is no longer a primary is closed, and the name is
//!   resolved again. Keep the clocks of the servers in step (NTP): after a failover, the grace
//!   of a refresh token that was spent before is shorter or longer by their difference.
//! - **Replicas.** Replication is asynchronous: a failover may lose writes that were just
//!   acknowledged. A lost revocation comes back from the machines that follow, if one of them had
//!   it. *Limit:* a process that starts in the moment between does not know that something was
//!   lost, and lets such a token pass until then. A lost rotation turns the client's token into
//!   one that was never issued, so its session ends. A lost DPoP proof may be accepted once more
//!   while it is in the time window.
//! - **Persistence.** With `appendonly yes` and `appendfsync always`, every acknowledged write
//!   survives a crash. With `appendfsync everysec`, the last second may be missing, with
//!   the same effects. With snapshots only, minutes may be missing.
//! - **An empty store.** A denylist that is new, or has lost its data, is not used for one
//!   [`stale_after`](RedisDenylistBuilder::stale_after) (5 s), so that machines that still know
//!   revocations can write them back. [`build`](RedisDenylistBuilder::build) waits for that;
//!   running machines answer 503 for about a second, or, if it takes longer than 2 s to write
//!   everything back, until 3 s after that. So the very first start takes 5 s longer.
//! - **Memory.** Set `maxmemory-policy noeviction`: an evicted session logs a user out, an
//!   evicted revocation lets a token in again, and so does an evicted proof. A `tracing` event warns
//!   of any other policy.
//! - **One database each.** Give each environment its own server, database or
//!   [prefix](RedisBuilder::prefix): otherwise, the sessions of one are valid in the others.
//! - **TLS.** Use a `rediss://` address. The certificate of the server is checked against the
//!   authorities that the system trusts, or only against your
//!   [own](RedisBuilder::root_certificates). On Linux, the variable `SSL_CERT_FILE` may name
//!   those of the system.
//! - **Rights.** In an ACL file, with your own `PREFIX` (default: `tower-jwt-auth`) and
//!   `PASSWORD`. In the address, write `#`, `@`, `/`, `:` and `%` of a password as `%23`, `%40`,
//!   `%2F`, `%3A` and `%25`.
//!
//! ```text
//! user default off
//! user app on >PASSWORD ~PREFIX:* ~{PREFIX:deny}:* +@read +@write +@scripting +@transaction +@connection -@dangerous +time +role +info
//! ```
//!
//! - **Runtime.** The stores require a tokio runtime with I/O and time enabled.

mod builder;
mod connection;
mod copy;
mod denylist;
mod entry;
mod failure;
mod follow;
mod refresh;
mod replay;
mod reply;
mod server;
mod tls;

use std::{fmt, sync::Arc};

use tokio::sync::OnceCell;

use self::connection::Connection;
pub use self::{
    builder::RedisBuilder,
    denylist::{RedisDenylist, RedisDenylistBuilder},
    refresh::RedisRefreshStore,
    replay::{RedisReplayStore, RedisReplayStoreBuilder},
};
/// A connection to Redis or Valkey that the stores share; cheap to clone.
///
/// It reconnects by itself. The [module docs](self) say how to run the server.
#[derive(Clone)]
pub struct Redis(Arc<RedisInner>);

struct RedisInner {
    connection: Connection,
    prefix: Box<str>,
    /// Whether the scripts of the refresh tokens were tried.
    tried: OnceCell<()>,
}

impl Redis {
    fn connection(&self) -> &Connection {
        &self.0.connection
    }

    fn prefix(&self) -> &str {
        &self.0.prefix
    }

    fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.0.prefix)
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("prefix", &self.0.prefix).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traits() {
        fn check<T: Clone + Send + Sync + Unpin + fmt::Debug>() {}
        check::<Redis>();
        check::<RedisRefreshStore>();
        check::<RedisDenylist>();
        check::<RedisReplayStore>();
    }
}
