//! The builder of a [`TokenIssuer`].

use std::{fmt, sync::Arc, time::Duration};

use super::{
    access::{IssuerInner, LONGEST, SLACK, TokenIssuer},
    key_directory::{DirectoryWatch, Issuing, KeyDirectory},
    keys::KeyRing,
    signing::SigningKey,
};
use crate::{
    clock::{Clock, SystemClock},
    error::ConfigError,
    rules::seconds,
};

/// Builds a [`TokenIssuer`].
///
/// # Defaults
///
/// - issuer, audience, key or directory of keys: none; `build()` requires them
/// - client: the name of the issuer
/// - lifetime of a token: 15 minutes
/// - revocations are kept for the longest lifetime that tokens had: at least an hour
/// - a key is published for an hour before it signs
/// - clock: the system clock
#[must_use = "a builder does nothing until it is built"]
pub struct TokenIssuerBuilder {
    issuer: String,
    audiences: Vec<String>,
    client_id: Option<String>,
    key: Option<SigningKey>,
    directory: Option<KeyDirectory>,
    published: Vec<SigningKey>,
    lifetime: Duration,
    any_lifetime: bool,
    earlier_lifetime: Duration,
    publish_ahead: Duration,
    clock: Arc<dyn Clock>,
}

impl TokenIssuer {
    /// Starts to build an issuer. It requires at least a name, an audience and a key.
    pub fn builder() -> TokenIssuerBuilder {
        TokenIssuerBuilder::new()
    }
}

impl TokenIssuerBuilder {
    pub(super) fn new() -> Self {
        Self {
            issuer: String::new(),
            audiences: Vec::new(),
            client_id: None,
            key: None,
            directory: None,
            published: Vec::new(),
            lifetime: Duration::from_secs(15 * 60),
            any_lifetime: false,
            earlier_lifetime: Duration::ZERO,
            publish_ahead: Duration::from_secs(60 * 60),
            clock: Arc::new(SystemClock),
        }
    }

    /// Sets the name of the issuer, `iss`: usually an `https` URL (RFC 8414 §2).
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = issuer.into();
        self
    }

    /// Adds an audience of the tokens, `aud`. A second call adds another one.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Sets the client of grants without one: `client_id`. Default: the name of the issuer.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// Sets the key that signs.
    pub fn key(mut self, key: SigningKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Reads the keys that sign from a directory, in place of a [`key`](Self::key), and reads it
    /// again while the process runs. See [`KeyDirectory`] for the names of the files.
    pub fn key_directory(mut self, directory: impl Into<KeyDirectory>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Adds a key that is published and verifies, but does not sign: the next one before it
    /// begins to sign, or the last one until its tokens have expired. A second call adds another
    /// one.
    pub fn published_key(mut self, key: SigningKey) -> Self {
        self.published.push(key);
        self
    }

    /// Sets the lifetime of a token, in whole seconds; at most an hour. Default: 15 minutes.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self.any_lifetime = false;
        self
    }

    /// Sets the lifetime of a token, which may be more than an hour.
    ///
    /// # Security
    ///
    /// A thief can use a stolen token for this time, unless it is revoked.
    pub fn any_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self.any_lifetime = true;
        self
    }

    /// Sets a longer lifetime that tokens of this issuer had with an earlier configuration, or
    /// have on another machine. A revocation is kept for this time, so that it also covers those
    /// tokens. Set it only after an [`any_lifetime`](Self::any_lifetime) was made shorter.
    /// Default: the [lifetime](Self::lifetime), and at least an hour.
    pub fn earlier_lifetime(mut self, lifetime: Duration) -> Self {
        self.earlier_lifetime = lifetime;
        self
    }

    /// Sets how long a key is published before it signs, when keys are
    /// [rotated](TokenIssuer::rotate): longer than verifiers keep a key set. Default: an hour.
    pub fn publish_ahead(mut self, time: Duration) -> Self {
        self.publish_ahead = time;
        self
    }

    /// Takes the time from this clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Builds the issuer.
    ///
    /// # Errors
    ///
    /// A setting is missing or not safe. The error says what to write instead.
    pub fn build(self) -> Result<TokenIssuer, ConfigError> {
        if self.issuer.trim().is_empty() {
            return Err(ConfigError::InvalidName(
                "the issuer has no name, set it with `.issuer(…)`, such as \
                 `https://login.example.com`",
            ));
        }
        if self.audiences.is_empty() || self.audiences.iter().any(|name| name.trim().is_empty()) {
            return Err(ConfigError::InvalidName(
                "the tokens have no audience, or an empty one: set it with `.audience(…)`, such as \
                 `https://api.example.com`",
            ));
        }
        if self.lifetime < Duration::from_secs(1) {
            return Err(ConfigError::OutOfRange(
                "the `lifetime` of a token must be at least a second",
            ));
        }
        if self.lifetime > LONGEST && !self.any_lifetime {
            return Err(ConfigError::OutOfRange(
                "the `lifetime` of an access token must be at most an hour: refresh the token, or \
                 call `.any_lifetime(…)`",
            ));
        }
        let client_id = self.client_id.unwrap_or_else(|| self.issuer.clone());
        if client_id.is_empty() {
            return Err(ConfigError::InvalidName("`client_id` is empty, leave it out"));
        }
        let longest_lifetime = seconds(self.earlier_lifetime.max(self.lifetime));
        let publish_ahead = seconds(self.publish_ahead);
        let clock = Arc::clone(&self.clock);
        let (keys, watch) = match (self.key, self.directory) {
            (Some(key), None) => {
                (Arc::new(KeyRing::new(&self.issuer, key, self.published, clock)?), None)
            }
            (None, Some(directory)) => {
                let issuing = Issuing {
                    issuer: &self.issuer,
                    others: self.published,
                    publish_ahead,
                    kept_for: longest_lifetime.saturating_add(SLACK),
                    clock,
                };
                let (keys, watch) = DirectoryWatch::start(directory, issuing)?;
                (keys, Some(Arc::new(watch)))
            }
            (None, None) => return Err(ConfigError::NoKeys),
            (Some(_), Some(_)) => {
                return Err(ConfigError::Conflict(
                    "`.key(…)` and `.key_directory(…)` are both set: leave one out, or make the \
                     key a `.published_key(…)`",
                ));
            }
        };
        Ok(TokenIssuer::of(IssuerInner {
            keys,
            watch,
            issuer: self.issuer.into(),
            audiences: self.audiences.into_iter().map(String::into_boxed_str).collect(),
            client_id: client_id.into(),
            lifetime: seconds(self.lifetime),
            longest_lifetime,
            publish_ahead,
            clock: self.clock,
        }))
    }
}

impl fmt::Debug for TokenIssuerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenIssuerBuilder")
            .field("issuer", &self.issuer)
            .field("audiences", &self.audiences)
            .field("key", &self.key)
            .field("directory", &self.directory)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}
