//! The builder of [`Redis`].

use std::{fmt, sync::Arc, time::Duration};

use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use super::{Redis, RedisInner, connection::Connection, failure::unusable, tls::TlsSettings};
use crate::error::ConfigError;

/// Builds a [`Redis`].
///
/// # Defaults
///
/// - prefix: `tower-jwt-auth`
/// - time-out of a command: 250 ms. A healthy server takes less than 1 ms. A longer time-out
///   lets requests pile up when the server is slow
/// - time-out of a connection: 1 s. It takes several round trips, and more with TLS
/// - TLS with a `rediss://` address: the system's certificate authorities, no client certificate
#[must_use = "a builder does nothing until it is built"]
pub struct RedisBuilder {
    url: String,
    prefix: String,
    tls: TlsSettings,
    timeout: Duration,
    connect_timeout: Duration,
}

impl Redis {
    /// Starts to build a connection to the server at this address:
    /// `redis://user:password@host:port/database`.
    pub fn builder(url: impl Into<String>) -> RedisBuilder {
        RedisBuilder {
            url: url.into(),
            prefix: "tower-jwt-auth".to_owned(),
            tls: TlsSettings::default(),
            timeout: Duration::from_millis(250),
            connect_timeout: Duration::from_secs(1),
        }
    }
}

impl RedisBuilder {
    /// Sets the prefix of all key names: ASCII letters, digits, `.`, `_`, `-` and `:`.
    /// Default: `tower-jwt-auth`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Trusts only these certificate authorities (PEM, RFC 7468), instead of those of the
    /// system. A second call replaces the first. Requires a `rediss://` address. Default: the
    /// authorities that the system trusts.
    pub fn root_certificates(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.tls.roots = Some(pem.as_ref().to_vec());
        self
    }

    /// Authenticates to the server with this certificate chain, the client's own certificate
    /// first, and its private key. Both are PEM (RFC 7468). Requires a `rediss://` address.
    /// Default: none.
    pub fn client_certificate(mut self, chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        let key = Zeroizing::new(key.as_ref().to_vec());
        self.tls.client = Some((chain.as_ref().to_vec(), key));
        self
    }

    /// Limits the time until a command is answered, from 10 ms to 10 s. Default: 250 ms.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Limits the time to connect, from 10 ms to 10 s. Default: 1 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Connects, and tries every script of the refresh tokens once, on separate keys that it
    /// deletes again. To start even if the server does not answer, call [`lazy`](Self::lazy)
    /// instead.
    ///
    /// # Errors
    ///
    /// The address, a certificate or a number is wrong; the server does not answer, or is a
    /// cluster node, a Sentinel or a replica; or its user lacks a right.
    pub async fn build(self) -> Result<Redis, ConfigError> {
        let redis = self.lazy()?;
        let store = redis.refresh_store();
        store.tried().await.map_err(|failure| unusable(failure, redis.prefix()))?;
        Ok(redis)
    }

    /// Does not connect before the first use.
    ///
    /// # Errors
    ///
    /// The address, a certificate or a number is wrong.
    pub fn lazy(self) -> Result<Redis, ConfigError> {
        let in_prefix = |c: char| c.is_ascii_alphanumeric() || "._-:".contains(c);
        if self.prefix.is_empty() || self.prefix.len() > 100 || !self.prefix.chars().all(in_prefix)
        {
            return Err(ConfigError::InvalidName(
                "the prefix of Redis keys must be 1 to 100 ASCII letters, digits, `.`, `_`, `-` or \
                 `:`",
            ));
        }
        if [self.timeout, self.connect_timeout].iter().any(|time| !TIMEOUTS.contains(time)) {
            return Err(ConfigError::OutOfRange(
                "`timeout` and `connect_timeout` of Redis must be from 10 ms to 10 s",
            ));
        }
        let connection = Connection::new(&self.url, &self.tls, self.timeout, self.connect_timeout)?;
        let (prefix, tried) = (self.prefix.into(), OnceCell::new());
        Ok(Redis(Arc::new(RedisInner { connection, prefix, tried })))
    }
}

impl fmt::Debug for RedisBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBuilder")
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .finish_non_exhaustive()
    }
}

const TIMEOUTS: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(10)..=Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_wrong_is_refused() {
        let build = RedisBuilder::lazy;
        let good = || Redis::builder("redis://:hunter2@127.0.0.1:1");
        for prefix in ["", "a b", "{a}", "ä", &"a".repeat(101)] {
            let error = build(good().prefix(prefix)).unwrap_err();
            assert!(matches!(error, ConfigError::InvalidName(_)), "{prefix}");
        }
        for timeout in [Duration::ZERO, Duration::from_secs(11)] {
            assert!(build(good().timeout(timeout)).is_err());
            assert!(build(good().connect_timeout(timeout)).is_err());
        }
        for url in ["", "http://:hunter2@host", "redis://:hunter2@host:99999", "redis://h/hunter2"]
        {
            let error = build(Redis::builder(url)).unwrap_err().to_string();
            assert!(error.contains("write `redis://") && !error.contains("hunter2"), "{error}");
        }
        let error = good().build().await.unwrap_err().to_string();
        assert!(error.contains("`.lazy()`") && !error.contains("hunter2"), "{error}");
        let redis = build(good()).unwrap();
        assert!(!format!("{redis:?} {:?}", good()).contains("hunter2"));
    }
}
