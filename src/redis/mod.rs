//! Stores that several machines share, in Redis 6.2 or newer, or Valkey. Requires the feature
//! `redis`, which includes `issue`.
//!
//! - [`RedisRefresh`]: the families of refresh tokens. A rotation is one script.
//! - [`RedisDenylist`]: revocations. Each machine follows the changes and answers from its
//!   memory, without I/O per request. A logout holds everywhere within milliseconds. On a
//!   machine that has lost the store, it holds after
//!   [`stale_after`](RedisDenylistBuilder::stale_after) (5 s) at the latest.
//!
//! # Example
//! ```no_run
//! use tower_jwt_auth::{
//!     Key, RegisteredClaims, Verifier, refresh::RefreshTokens, redis::Redis,
//! };
//!
//! # async fn start() -> Result<(), Box<dyn std::error::Error>> {
//! let redis = Redis::builder("redis://127.0.0.1:6379").prefix("shop").build().await?;
//! let refresh = RefreshTokens::builder(redis.refresh()).build()?;
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
//! The address, which may have a password, is in no error, event or `Debug`.
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
//!   proxy. A connection to a server that is no primary any more is closed, and the name is
//!   resolved again. Keep the clocks of the servers together (NTP): by as much as they differ,
//!   the grace of a refresh token that was spent before is shorter or longer after a failover.
//! - **Replicas.** Replication is asynchronous: a failover may lose what was acknowledged a
//!   moment ago. A lost revocation comes back from the machines that follow, if one of them had
//!   it. *Limit:* a process that starts in the moment between does not know that something was
//!   lost, and lets such a token pass until then. A lost rotation turns the client's token into one that was never issued, so its session
//!   ends.
//! - **Persistence.** With `appendonly yes` and `appendfsync always`, what was acknowledged
//!   is there after a crash. With `appendfsync everysec`, the last second may be missing, with
//!   the same effects. With snapshots only, minutes may be missing.
//! - **An empty store.** A denylist that is new, or has lost its data, is not used for one
//!   [`stale_after`](RedisDenylistBuilder::stale_after) (5 s), so that machines that still know
//!   revocations can write them back. [`build`](RedisDenylistBuilder::build) waits for that;
//!   machines that run answer 503 for about a second, or, if it takes longer than 2 s to write
//!   everything back, until 3 s after that. So the very first start takes 5 s longer.
//! - **Memory.** Set `maxmemory-policy noeviction`: an evicted family logs a user out, and
//!   an evicted revocation lets a token in again. A `tracing` event warns of any other policy.
//! - **One database each.** Give each environment its own server, database or
//!   [prefix](RedisBuilder::prefix): otherwise a session of one is valid in the other.
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
//! - **Runtime.** It runs on tokio, with I/O and time enabled.

mod connection;
mod copy;
mod denylist;
mod entry;
mod failure;
mod follow;
mod refresh;
mod server;
mod tls;

use std::{fmt, sync::Arc, time::Duration};

use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use self::{connection::Connection, tls::TlsSettings};
pub use self::{
    denylist::{RedisDenylist, RedisDenylistBuilder},
    refresh::RedisRefresh,
};
use crate::error::ConfigError;

/// A connection to Redis or Valkey, for the stores; cheap to clone, and all clones share it.
///
/// It connects again by itself. See the [module docs](self) for how to run the server.
#[derive(Clone)]
pub struct Redis(Arc<RedisInner>);

struct RedisInner {
    connection: Connection,
    prefix: Box<str>,
    /// Whether the scripts of the refresh tokens were tried.
    tried: OnceCell<()>,
}

impl Redis {
    /// A builder, for the server at this address: `redis://user:password@host:port/database`.
    pub fn builder(url: impl Into<String>) -> RedisBuilder {
        RedisBuilder {
            url: url.into(),
            prefix: "tower-jwt-auth".to_owned(),
            tls: TlsSettings::default(),
            timeout: Duration::from_millis(250),
            connect_timeout: Duration::from_secs(1),
            lazy: false,
        }
    }

    /// The store of refresh tokens.
    #[must_use]
    pub fn refresh(&self) -> RedisRefresh {
        RedisRefresh::new(self.clone())
    }

    /// A builder of the denylist. One is enough for a process: each follows by itself.
    pub fn denylist(&self) -> RedisDenylistBuilder {
        RedisDenylistBuilder::new(self.clone())
    }

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

/// Builds a [`Redis`].
///
/// # Defaults
///
/// - prefix: `tower-jwt-auth`
/// - time-out of a command: 250 ms. A healthy server takes less than one; a request that
///   waits for a sick one holds a connection and a user
/// - time-out of a connection: 1 s. It takes several round trips, and TLS takes more
/// - TLS, for a `rediss://` address: the authorities of the system, no client certificate
/// - not lazy: `build` fails where the server does not answer
#[must_use = "a builder does nothing until it is built"]
pub struct RedisBuilder {
    url: String,
    prefix: String,
    tls: TlsSettings,
    timeout: Duration,
    connect_timeout: Duration,
    lazy: bool,
}

impl RedisBuilder {
    /// The prefix of all key names: ASCII letters, digits, `.`, `_`, `-` and `:`.
    /// Default: `tower-jwt-auth`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Trusts only these certificate authorities (PEM, RFC 7468), instead of those of the
    /// system. A second call replaces the first. Requires a `rediss://` address. Default: the
    /// authorities that the system trusts.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.tls.roots = Some(pem.into());
        self
    }

    /// Authenticates to the server with this certificate chain, the client's own certificate
    /// first, and its private key. Both are PEM (RFC 7468). Requires a `rediss://` address.
    /// Default: none.
    pub fn client_certificate(
        mut self,
        chain_pem: impl Into<Vec<u8>>,
        key_pem: impl Into<Vec<u8>>,
    ) -> Self {
        self.tls.client = Some((chain_pem.into(), Zeroizing::new(key_pem.into())));
        self
    }

    /// How long the answer to a command may take; from 10 ms to 10 s. Default: 250 ms.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long it may take to connect; from 10 ms to 10 s. Default: 1 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Starts also where the server does not answer: it is connected to when it is needed.
    pub fn lazy(mut self) -> Self {
        self.lazy = true;
        self
    }

    /// Connects, and tries every script of the refresh tokens once, on keys of its own that it
    /// deletes; unless it is [`lazy`](Self::lazy).
    ///
    /// # Errors
    ///
    /// The address, a certificate or a number is wrong; the server does not answer, or is a
    /// cluster node, a Sentinel or a replica; or its user lacks a right.
    pub async fn build(self) -> Result<Redis, ConfigError> {
        let in_prefix = |c: char| c.is_ascii_alphanumeric() || "._-:".contains(c);
        if self.prefix.is_empty() || self.prefix.len() > 100 || !self.prefix.chars().all(in_prefix)
        {
            return Err(ConfigError::InvalidName(
                "the prefix of Redis keys is 1 to 100 ASCII letters, digits, `.`, `_`, `-` or `:`",
            ));
        }
        if [self.timeout, self.connect_timeout].iter().any(|time| !TIMEOUTS.contains(time)) {
            return Err(ConfigError::OutOfRange("a time-out of Redis is from 10 ms to 10 s"));
        }
        let connection = Connection::new(&self.url, &self.tls, self.timeout, self.connect_timeout)?;
        let (prefix, tried) = (self.prefix.into(), OnceCell::new());
        let redis = Redis(Arc::new(RedisInner { connection, prefix, tried }));
        if !self.lazy {
            redis.refresh().tried().await.map_err(not_reached)?;
        }
        Ok(redis)
    }
}

impl fmt::Debug for RedisBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBuilder")
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("lazy", &self.lazy)
            .finish_non_exhaustive()
    }
}

fn not_reached(failure: impl fmt::Display) -> ConfigError {
    ConfigError::Store(format!(
        "the stores in Redis cannot be used: {failure}; to start all the same, call `.lazy()`"
    ))
}

const TIMEOUTS: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(10)..=Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_wrong_is_refused() {
        let build = async |builder: RedisBuilder| builder.lazy().build().await;
        let good = || Redis::builder("redis://:hunter2@127.0.0.1:1");
        for prefix in ["", "a b", "{a}", "ä", &"a".repeat(101)] {
            let error = build(good().prefix(prefix)).await.unwrap_err();
            assert!(matches!(error, ConfigError::InvalidName(_)), "{prefix}");
        }
        for timeout in [Duration::ZERO, Duration::from_secs(11)] {
            assert!(build(good().timeout(timeout)).await.is_err());
            assert!(build(good().connect_timeout(timeout)).await.is_err());
        }
        for url in ["", "http://:hunter2@host", "redis://:hunter2@host:99999", "redis://h/hunter2"]
        {
            let error = build(Redis::builder(url)).await.unwrap_err().to_string();
            assert!(error.contains("write `redis://") && !error.contains("hunter2"), "{error}");
        }
        let error = good().build().await.unwrap_err().to_string();
        assert!(error.contains("`.lazy()`") && !error.contains("hunter2"), "{error}");
        let redis = build(good()).await.unwrap();
        assert!(!format!("{redis:?} {:?}", good()).contains("hunter2"));
    }

    #[test]
    fn traits() {
        fn check<T: Clone + Send + Sync + Unpin + fmt::Debug>() {}
        check::<Redis>();
        check::<RedisRefresh>();
        check::<RedisDenylist>();
    }
}
