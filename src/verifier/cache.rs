//! Tokens that were verified a moment ago: neither the signature nor the claims need be
//! read again, while all that may have changed since is asked again.

use std::ops::RangeInclusive;

use super::{
    Claims, Config, Verifier,
    claims::{Held, Remembered},
};
use crate::{
    claims::RegisteredClaims,
    clock::unix_seconds,
    error::{ConfigError, Error},
    hotset::HotSet,
    keys::Generation,
    step::Step,
};

/// How much memory a verifier may take for tokens that it has verified.
///
/// The default is 16 MiB: some 7,000 tokens of 1 KB each.
///
/// # Rules
///
/// 1. Only a token that passed comes in. It is found again by its whole text.
/// 2. Each time it comes, its times, the keys that vouch for it, the denylist and the
///    application's rules are asked again; what is saved is the signature, and reading the
///    claims. All its requests have the same claims: a `C` with state inside shares it.
/// 3. It goes when it expires, when its key set changes, and when there is no room for
///    one that is used more. Where there is none, a token must come twice to be let in:
///    a flood of tokens that come once pushes none out.
/// 4. The text is wiped when it goes; the claims, with which nobody can log in, are not.
///
/// What counts are the token, three times its payload for the claims, and some 500 bytes;
/// with an application's type that takes more than that, it is more. Nothing is taken
/// before the first token comes.
///
/// # Example: half as much, and none
/// ```
/// use tower_jwt_auth::{Key, RegisteredClaims, Verifier, verifier::Cache};
///
/// let verifier = |cache| {
///     Verifier::<RegisteredClaims>::builder()
///         .issuer("https://login.example.com")
///         .audience("https://api.example.com")
///         .keys(Key::hs256([7; 32]))
///         .cache(cache)
///         .build()
/// };
/// verifier(Cache::of_bytes(8 * 1024 * 1024))?;
/// verifier(Cache::off())?;
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cache(Option<usize>);

impl Cache {
    /// At most so many bytes: from 64 KiB to 1 GiB.
    #[must_use]
    pub const fn of_bytes(bytes: usize) -> Self {
        Self(Some(bytes))
    }

    /// Every token is verified each time.
    #[must_use]
    pub const fn off() -> Self {
        Self(None)
    }

    pub(super) fn check(self) -> Result<(), ConfigError> {
        if self.0.is_none_or(|bytes| BYTES.contains(&bytes)) {
            return Ok(());
        }
        Err(ConfigError::OutOfRange(
            "a cache of verified tokens has from 64 KiB to 1 GiB, to have none say \
             `.cache(Cache::off())`",
        ))
    }

    pub(super) fn start<V>(self) -> Option<HotSet<V>> {
        self.0.map(HotSet::new)
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self::of_bytes(16 * 1024 * 1024)
    }
}

/// What is known of a token that was verified.
pub(super) struct Verdict<C> {
    claims: Remembered<C>,
    /// The keys that vouched for it.
    generation: Generation,
}

impl<C> Verdict<C> {
    pub(super) fn new(claims: &Held<C>, generation: Generation) -> Self {
        Self { claims: claims.remember(), generation }
    }

    pub(super) fn registered(&self) -> &RegisteredClaims {
        self.claims.registered()
    }

    /// What it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.claims.bytes()
    }
}

impl<C> Config<C> {
    /// Asks what may have changed since the verdict; none if it does not stand any more.
    #[inline]
    fn recall(&self, verdict: &Verdict<C>) -> Option<Result<Held<C>, Error>> {
        let trusted = self.keys.still_trust(verdict.generation)?;
        let now = unix_seconds(self.clock.now());
        let within = self.rules.check_again(verdict.registered(), now);
        Some(within.map(|within| verdict.claims.hold(trusted, within)))
    }

    /// Whether a verdict will not be asked for any more.
    pub(super) fn is_over(&self, verdict: &Verdict<C>) -> bool {
        let now = unix_seconds(self.clock.now());
        self.rules.is_over(verdict.registered(), now)
            || self.keys.still_trust(verdict.generation).is_none()
    }
}

impl<C: Send + Sync + 'static> Verifier<C> {
    /// The answer to a token with this verdict, if it still stands.
    #[inline]
    pub(super) fn answer(
        &self,
        config: &Config<C>,
        verdict: &Verdict<C>,
    ) -> Option<Step<Result<Claims<C>, Error>>> {
        Some(match config.recall(verdict)? {
            Ok(claims) => self.finish(config, claims),
            Err(error) => Step::Ready(Err(error)),
        })
    }
}

const BYTES: RangeInclusive<usize> = 64 * 1024..=1024 * 1024 * 1024;
