//! When a proof is accepted (RFC 9449 §4.3, check 11).

use std::time::Duration;

use super::claims::ProofClaims;
use crate::{
    claims::NumericDate,
    error::{Detail, ProofFault},
};

/// How far the time of a proof may be from now. Both bounds belong to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// In seconds.
    max_age: i64,
    /// In seconds.
    max_ahead: i64,
}

impl Window {
    pub(super) fn new(max_age: Duration, max_ahead: Duration) -> Self {
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        Self { max_age: seconds(max_age), max_ahead: seconds(max_ahead) }
    }

    /// Whether a proof may be older than it should be.
    pub(super) fn is_long(self) -> bool {
        self.max_age > 300
    }

    /// Checks `iat`, and gives the first second at which no clock accepts it any more that is as far
    /// behind this one as a proof may be ahead.
    pub(super) fn check(self, iat: NumericDate, now: i64) -> Result<i64, ProofFault> {
        let is_within = iat.floor() >= now.saturating_sub(self.max_age)
            && iat.ceil() <= now.saturating_add(self.max_ahead);
        let last = iat.floor().saturating_add(self.max_age).saturating_add(self.max_ahead);
        is_within.then_some(last.saturating_add(1)).ok_or(ProofFault::Time)
    }

    /// How far the time of a proof is outside.
    #[cold]
    pub(super) fn explain(self, claims: &ProofClaims<'_>, now: i64) -> Detail {
        let ends = claims.iat.floor().saturating_add(self.max_age);
        let ends = claims.exp.map_or(ends, |exp| exp.floor().saturating_sub(1).min(ends));
        let begins = claims.nbf.map_or(claims.iat.ceil(), |nbf| nbf.ceil().max(claims.iat.ceil()));
        let begins = begins.saturating_sub(self.max_ahead);
        let seconds = |from: i64, to: i64| Some(to.saturating_sub(from)).filter(|it| *it > 0);
        let (late_by, early_by) = (seconds(ends, now), seconds(now, begins));
        Detail { late_by, early_by, ..Detail::default() }
    }

    /// The same for a proof whose time is that of its nonce.
    pub(super) fn after_nonce(self, until: i64) -> i64 {
        until.saturating_add(self.max_ahead)
    }
}

/// Checks `exp` and `nbf`, which a proof may have. `nbf` may be ahead as far as `iat`.
pub(super) fn check_validity(
    claims: &ProofClaims<'_>,
    window: Window,
    now: i64,
) -> Result<(), ProofFault> {
    let is_over = claims.exp.is_some_and(|exp| now >= exp.floor());
    let is_early = claims.nbf.is_some_and(|nbf| nbf.ceil() > now.saturating_add(window.max_ahead));
    if is_over || is_early { Err(ProofFault::Time) } else { Ok(()) }
}
