//! Stores that several machines share, in Redis 6.2 or newer, or Valkey. Needs the feature
//! `redis`, which brings `issue` along.
//!
//! - [`RedisRefresh`]: the families of refresh tokens. A rotation is one script.
//! - [`RedisDenylist`]: revocations. Each machine follows the changes and answers from its
//!   memory, at no I/O per request: a logout holds everywhere within milliseconds, and at the
//!   latest after [`stale_after`](RedisDenylistBuilder::stale_after) (5 s), where a machine
//!   has lost the store.
//!
//! # Example
//! ```no_run
//! use tower_jwt_auth::{
//!     Key, RegisteredClaims, Verifier, issue::refresh::RefreshTokens, redis::Redis,
//! };
//!
//! # async fn start() -> Result<(), Box<dyn std::error::Error>> {
//! let redis = Redis::builder("redis://127.0.0.1:6379").prefix("shop").build().await?;
//! let refresh = RefreshTokens::builder(redis.refresh()).build()?;
//! let verifier = Verifier::<RegisteredClaims>::builder()
//!     .issuer("https://login.example.com")
//!     .audience("https://api.example.com")
//!     .keys(Key::hs256([7; 32]))
//!     .denylist(redis.denylist().build().await?)
//!     .build()?;
//! # Ok(()) }
//! ```
//!
//! # Security
//!
//! Who can write to this Redis can log anybody out, and take up sessions: give it a password
//! and a network of its own. What is in it is no token, but there are the names of users
//! in it. The address, which may have a password, is in no error, event or `Debug`.
//!
//! # Deployment
//!
//! - **Persistence.** With `appendonly yes` and `appendfsync always`, what was acknowledged
//!   is there after a crash. With `appendfsync everysec`, the last second may be missing: a
//!   revocation comes back from the machines that follow, if one of them had it; a
//!   rotation that is missing makes the client's token one that was never issued, so that
//!   its session ends. With snapshots alone, that is true of minutes.
//! - **Memory.** `maxmemory-policy noeviction`: a family that is evicted logs a user out, and
//!   a revocation that is evicted lets a token in again.
//! - **Replicas.** Connect to the primary. Replication is asynchronous: a failover may
//!   lose what was acknowledged a moment ago, with the effects above.
//! - **Cluster.** Every command and script has the keys of one slot alone, which serves a
//!   proxy that speaks to a cluster. This client itself speaks to one server and follows
//!   no redirection.
//! - **One database each.** Give each environment its own server, database or
//!   [prefix](RedisBuilder::prefix): sessions of one would be good in the other.
//! - **TLS.** For a `rediss://` address, add the crate `redis` 1 to your own dependencies
//!   with one of its features `tokio-rustls-comp` and `tokio-native-tls-comp`.
//! - **Rights.** A user of its own needs `+@read +@write +@scripting +@transaction
//!   +@connection` on `~prefix:*` and `~{prefix:deny}:*`.
//! - **Runtime.** It runs on tokio, with I/O and time enabled.

mod denylist;
mod entry;
mod follow;
mod link;
mod refresh;

use std::{fmt, sync::Arc, time::Duration};

use self::link::{Again, Failure, Link};
pub use self::{
    denylist::{RedisDenylist, RedisDenylistBuilder},
    refresh::RedisRefresh,
};
use crate::error::ConfigError;

/// A connection to Redis or Valkey, for the stores; cheap to clone, and all clones share it.
///
/// It connects again by itself. See the [module docs](self) for how to run the server.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    link: Link,
    prefix: Box<str>,
}

impl Redis {
    /// A builder, for the server at this address: `redis://user:password@host:port/database`.
    pub fn builder(url: impl Into<String>) -> RedisBuilder {
        RedisBuilder {
            url: url.into(),
            prefix: "tower-jwt-auth".to_owned(),
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

    fn link(&self) -> &Link {
        &self.0.link
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
/// - not lazy: `build` fails where the server does not answer
#[must_use = "a builder does nothing until it is built"]
pub struct RedisBuilder {
    url: String,
    prefix: String,
    timeout: Duration,
    connect_timeout: Duration,
    lazy: bool,
}

impl RedisBuilder {
    /// What the names of all keys begin with: ASCII letters, digits, `.`, `_`, `-` and `:`.
    /// Default: `tower-jwt-auth`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
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

    /// Connects, unless it is [`lazy`](Self::lazy).
    ///
    /// # Errors
    ///
    /// The address or a number is wrong, or the server does not answer.
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
        let link = Link::new(&self.url, self.timeout, self.connect_timeout)
            .map_err(|failure| ConfigError::Store(format!("{ADDRESS} ({failure})")))?;
        if !self.lazy {
            let mut ping = redis::pipe();
            ping.cmd("PING").ignore();
            link.pipeline::<()>(&ping, Again::May).await.map_err(not_reached)?;
        }
        Ok(Redis(Arc::new(Inner { link, prefix: self.prefix.into() })))
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

fn not_reached(failure: Failure) -> ConfigError {
    ConfigError::Store(format!(
        "Redis cannot be used, see that it runs at the address that is configured and takes \
         its password, or say `.lazy()` to start without it: {failure}"
    ))
}

const ADDRESS: &str = "the address of Redis is wrong, write \
                       `redis://user:password@host:port/database`; for `rediss://`, turn on TLS \
                       in the crate `redis`";

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
