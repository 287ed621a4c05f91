//! What an issuer is made of.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    access::{IssuerInner, LONGEST, TokenIssuer},
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
/// - issuer, audience, key: none, and `build()` asks for them
/// - client: the name of the issuer
/// - lifetime of a token: 15 minutes
/// - revocations are kept for the longest lifetime that tokens had: an hour at least
/// - a key is published for an hour before it signs
/// - clock: that of the system
#[must_use = "a builder does nothing until it is built"]
pub struct TokenIssuerBuilder {
    issuer: String,
    audiences: Vec<String>,
    client_id: Option<String>,
    key: Result<SigningKey, ConfigError>,
    published: Vec<SigningKey>,
    lifetime: Duration,
    any_lifetime: bool,
    longest_lifetime: Duration,
    publish_ahead: Duration,
    clock: Arc<dyn Clock>,
}

impl TokenIssuer {
    /// A builder, which asks for an issuer, an audience and a key at the least.
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
            key: Err(ConfigError::NoKeys),
            published: Vec::new(),
            lifetime: Duration::from_secs(15 * 60),
            any_lifetime: false,
            longest_lifetime: Duration::ZERO,
            publish_ahead: Duration::from_secs(60 * 60),
            clock: Arc::new(SystemClock),
        }
    }

    /// The name of the issuer, `iss`: a URL with `https`, as a rule (RFC 8414 §2).
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = issuer.into();
        self
    }

    /// Whom the tokens are for, `aud`. Called again, it adds another one.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// The client of grants that name none: `client_id`. Default: the name of the issuer.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// The key that signs.
    pub fn key(mut self, key: SigningKey) -> Self {
        self.key = Ok(key);
        self
    }

    /// A key that is published and verifies, and does not sign: the next one before it
    /// begins to, or the last one while it still has tokens. Called again, it adds another
    /// one.
    pub fn published_key(mut self, key: SigningKey) -> Self {
        self.published.push(key);
        self
    }

    /// How long a token lasts, in whole seconds, at most an hour. Default: 15 minutes.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self.any_lifetime = false;
        self
    }

    /// The same for more than an hour.
    ///
    /// # Security
    ///
    /// A token that is stolen serves the thief for so long, unless it is revoked.
    pub fn long_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self.any_lifetime = true;
        self
    }

    /// The longest lifetime that tokens of this issuer were ever given, by an earlier
    /// configuration or on another machine. A logout is remembered for so long, so that it
    /// also holds for those tokens. Default: the [lifetime](Self::lifetime), and an hour at
    /// least, which is why it is needed only after a [`long_lifetime`](Self::long_lifetime)
    /// was made shorter.
    pub fn longest_lifetime(mut self, lifetime: Duration) -> Self {
        self.longest_lifetime = lifetime;
        self
    }

    /// How long a key is published before it signs, when keys are
    /// [rotated](TokenIssuer::rotate): longer than those who verify keep a set. Default:
    /// an hour.
    pub fn publish_ahead(mut self, time: Duration) -> Self {
        self.publish_ahead = time;
        self
    }

    /// Takes the time from this clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The issuer.
    ///
    /// # Errors
    ///
    /// What is missing or not safe, and what to write instead.
    pub fn build(self) -> Result<TokenIssuer, ConfigError> {
        if self.issuer.trim().is_empty() {
            return Err(ConfigError::InvalidName(
                "the issuer has no name, give it one with `.issuer(…)`, such as \
                 `https://login.example.com`",
            ));
        }
        if self.audiences.is_empty() || self.audiences.iter().any(|name| name.trim().is_empty()) {
            return Err(ConfigError::InvalidName(
                "the tokens are for nobody, say for whom with `.audience(…)`, such as \
                 `https://api.example.com`",
            ));
        }
        if self.lifetime < Duration::from_secs(1) {
            return Err(ConfigError::OutOfRange("a token lasts for a second at the least"));
        }
        if self.lifetime > LONGEST && !self.any_lifetime {
            return Err(ConfigError::OutOfRange(
                "an access token lasts for an hour at most, refresh it instead, or say \
                 `.long_lifetime(…)`",
            ));
        }
        let client_id = self.client_id.unwrap_or_else(|| self.issuer.clone());
        if client_id.is_empty() {
            return Err(ConfigError::InvalidName("the client is empty, leave it out"));
        }
        Ok(TokenIssuer::of(IssuerInner {
            keys: KeyRing::new(&self.issuer, self.key?, self.published, Arc::clone(&self.clock))?,
            issuer: self.issuer.into(),
            audiences: self.audiences.into_iter().map(String::into_boxed_str).collect(),
            client_id: client_id.into(),
            lifetime: seconds(self.lifetime),
            longest_lifetime: seconds(self.longest_lifetime.max(self.lifetime)),
            publish_ahead: seconds(self.publish_ahead),
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
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}
