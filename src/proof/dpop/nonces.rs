//! Nonces that are made of the time and a secret (RFC 9449 §8, §9).

use std::{fmt, sync::Arc, time::Duration};

use base64_simd::URL_SAFE_NO_PAD;
use http::HeaderValue;

use crate::{digest, error::ConfigError, keys::hmac_sha256, secret::Secret};

/// Nonces that a proof must have (RFC 9449 §8, §9): a proof cannot be made long before it is used.
///
/// A nonce is the number of the current period and its HMAC-SHA-256. Nothing is stored: all processes
/// that have the same secret accept each other's nonces. A nonce is accepted in its own period and
/// in the next one. A request without one is answered 401 `use_dpop_nonce`, with a nonce in the
/// header `DPoP-Nonce`; clients then repeat it.
///
/// # Defaults
///
/// - [`period`](Self::period): 60 s.
/// - Its own clock: the `iat` of a proof is checked as well, see
///   [`any_client_clock`](Self::any_client_clock).
///
/// # Security
///
/// Nonces do not show whether a proof was presented before: without a
/// [replay store](super::DPoPBuilder::replay_store), a proof can be repeated until its nonce is too
/// old (at most two periods), or its `iat` is.
///
/// # Example
/// ```
/// use tower_jwt_auth::proof::Nonces;
///
/// # let (current, previous) = ([7; 32], [8; 32]);
/// // 32 random bytes, the same in all processes.
/// let nonces = Nonces::new(current)?;
/// // After the secret was replaced, nonces of the previous one are still accepted.
/// let nonces = Nonces::with_secrets([current, previous])?;
/// assert!(Nonces::new("too short").is_err());
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Nonces {
    /// The first one makes nonces.
    secrets: Arc<[Secret]>,
    /// In seconds.
    period: i64,
    any_client_clock: bool,
}

/// A nonce that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    /// Whether its period is over.
    pub(super) is_old: bool,
    /// When it is no longer accepted, in seconds since 1970.
    pub(super) until: i64,
}

impl Nonces {
    /// Nonces of this secret: at least 32 random bytes, not used for anything else.
    ///
    /// # Errors
    ///
    /// The secret is shorter, or is nothing but zeros.
    pub fn new(secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::with_secrets([secret])
    }

    /// Nonces of the first secret; those of the others are accepted, too. To replace a secret, add
    /// the new one behind the old one in all processes, then put it first, then leave the old one
    /// out.
    ///
    /// # Errors
    ///
    /// There is no secret, or one is shorter than 32 bytes or is nothing but zeros.
    pub fn with_secrets(
        secrets: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Result<Self, ConfigError> {
        let secrets: Arc<[_]> = secrets
            .into_iter()
            .map(|secret| read_secret(secret.as_ref()))
            .collect::<Result<_, _>>()?;
        if secrets.is_empty() {
            return Err(ConfigError::OutOfRange(
                "nonces need a secret of at least 32 random bytes",
            ));
        }
        Ok(Self { secrets, period: USUAL_PERIOD, any_client_clock: false })
    }

    /// Sets how long a nonce is given out, from 1 s to 300 s; it is accepted for at most twice that
    /// time. Default: 60 s. [`DPoPBuilder::build`](super::DPoPBuilder::build) refuses another one.
    #[must_use]
    pub fn period(mut self, period: Duration) -> Self {
        // Less than a second is none.
        self.period = i64::try_from(period.as_secs()).unwrap_or(i64::MAX);
        self
    }

    /// Accepts proofs with any `iat`: only their nonce says when they were made (RFC 9449 §11.1). Use
    /// it if the clocks of clients are wrong, such as those of browsers.
    ///
    /// # Security
    ///
    /// A proof is then accepted for at most two periods from the time at which its nonce was given out.
    /// It cannot be made before that. `exp` and `nbf` in a proof are still honoured.
    #[must_use]
    pub fn any_client_clock(mut self) -> Self {
        self.any_client_clock = true;
        self
    }

    pub(super) fn accepts_any_client_clock(&self) -> bool {
        self.any_client_clock
    }

    pub(super) fn check_config(&self) -> Result<(), ConfigError> {
        match self.period {
            1..=LONGEST_PERIOD => Ok(()),
            _ => Err(ConfigError::OutOfRange("the period of nonces is from 1 s to 300 s")),
        }
    }

    /// The nonce of this time.
    pub(super) fn make(&self, now: i64) -> Box<str> {
        let step = self.step(now).to_be_bytes();
        let code = self.secrets.first().map(|secret| code(secret, step)).unwrap_or_default();
        URL_SAFE_NO_PAD.encode_to_string([&step[..], &code].concat()).into_boxed_str()
    }

    /// The same as the value of the header `DPoP-Nonce`.
    pub(super) fn header(&self, now: i64) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.make(now)).ok()
    }

    /// `None` if it is not one of ours, or is too old.
    pub(super) fn check(&self, nonce: &str, now: i64) -> Option<Accepted> {
        let bytes = URL_SAFE_NO_PAD.decode_to_vec(nonce).ok()?;
        let (step, given) = bytes.split_first_chunk()?;
        let age = self.step(now).checked_sub(i64::from_be_bytes(*step))?;
        if !(0..=1).contains(&age) {
            return None;
        }
        // All secrets, so that the time does not tell which one has made it.
        let is_ours = self
            .secrets
            .iter()
            .fold(false, |is_ours, secret| is_ours | is_same(&code(secret, *step), given));
        let until = i64::from_be_bytes(*step).saturating_add(2).saturating_mul(self.period);
        is_ours.then_some(Accepted { is_old: age == 1, until })
    }

    /// The number of the period.
    fn step(&self, now: i64) -> i64 {
        now.div_euclid(self.period.max(1))
    }
}

fn read_secret(secret: &[u8]) -> Result<Secret, ConfigError> {
    if secret.len() < SHORTEST || secret.iter().all(|byte| *byte == 0) {
        return Err(ConfigError::OutOfRange(
            "a secret for nonces has at least 32 random bytes, make one with `openssl rand 32`",
        ));
    }
    Ok(Secret::new(secret))
}

/// The code of a period. It starts with its purpose, in case that the secret serves for something else
/// as well.
fn code(secret: &Secret, step: [u8; 8]) -> Vec<u8> {
    hmac_sha256(secret.expose(), &[PURPOSE, &step].concat())
}

/// Whether they are the same code. It takes the same time wherever they differ.
fn is_same(code: &[u8], other: &[u8]) -> bool {
    code.len() == digest::LEN
        && code.len() == other.len()
        && code.iter().zip(other).fold(0, |all, (one, other)| all | (one ^ other)) == 0
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nonces")
            .field("secrets", &self.secrets.len())
            .field("period", &self.period)
            .field("any_client_clock", &self.any_client_clock)
            .finish()
    }
}

const PURPOSE: &[u8] = b"tower-jwt-auth DPoP nonce\0";

/// As long as the hash (RFC 2104 §3), in bytes.
const SHORTEST: usize = 32;

/// In seconds.
const USUAL_PERIOD: i64 = 60;
const LONGEST_PERIOD: i64 = 300;
