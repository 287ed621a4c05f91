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
    hotset::{Fate, HotSet},
    keys::Generation,
    step::Step,
};

/// How much memory a verifier may take for tokens that it has verified.
///
/// The default is 16 MiB: some 4,000 tokens of 1 KB each.
///
/// # Rules
///
/// 1. Only a token comes in that passed every check, but for those that have to be waited
///    for. It is found again by its whole text.
/// 2. Each time it comes, its times, the keys that vouch for it, the denylist and the
///    application's rules are asked again; what is saved is the signature, and reading the
///    claims. All its requests have the same claims: a `C` with state inside shares it, and
///    what its `Deserialize` took from elsewhere, such as a time, stays as it was.
/// 3. It counts no more when it expires, when its key set changes, or when it was revoked.
///    Its memory is given back when it comes again, or as others come.
/// 4. It comes in at its first request, as long as those that came in are used again; of
///    tokens of which none is, some 1,000 do, and others at their second request. Where
///    there is no room, a token must come twice to take the place of one that is used less:
///    a flood of tokens that come once pushes none out.
/// 5. Its text is wiped when it goes; the claims, with which nobody can log in, are not.
///
/// What counts are the token, twice its payload, what its claims take if each is kept as a
/// `serde_json::Value` is, and some 500 bytes. Nothing is taken before the first token
/// comes.
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
    /// At most so many bytes: from 256 KiB to 1 GiB.
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
            "a cache of verified tokens has from 256 KiB to 1 GiB, to have none say \
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
    /// Whether a verdict will not be asked for any more.
    pub(super) fn is_over(&self, verdict: &Verdict<C>) -> bool {
        let now = unix_seconds(self.clock.now());
        self.rules.is_over(verdict.registered(), now)
            || self.keys.still_trust(verdict.generation).is_none()
    }
}

impl<C: Send + Sync + 'static> Verifier<C> {
    /// The answer to a token with this verdict, unless it does not stand any more; and what
    /// becomes of the verdict.
    #[inline]
    pub(super) fn recall(&self, config: &Config<C>, verdict: &Verdict<C>) -> Recalled<C> {
        // The keys may be back in a moment, where they are only stale.
        let Some(trusted) = config.keys.still_trust(verdict.generation) else {
            return (None, Fate::Stays);
        };
        let now = unix_seconds(config.clock.now());
        match config.rules.check_again(verdict.registered(), now) {
            Ok(within) => match self.finish(config, verdict.claims.hold(trusted, within)) {
                refused @ Step::Ready(Err(_)) => (Some(refused), Fate::Stays),
                answer => (Some(answer), Fate::Used),
            },
            Err(error) => {
                let over = config.rules.is_over(verdict.registered(), now);
                let fate = if over { Fate::Goes } else { Fate::Stays };
                (Some(Step::Ready(Err(error))), fate)
            }
        }
    }
}

/// The answer to a known token, if its verdict still stands, and what becomes of that.
pub(super) type Recalled<C> = (Option<Step<Result<Claims<C>, Error>>>, Fate);

const BYTES: RangeInclusive<usize> = 256 * 1024..=1024 * 1024 * 1024;
