//! Tokens that were verified a moment ago. Their signature and claims are not read again, and
//! anything that can change is rechecked.

use std::{
    ops::RangeInclusive,
    sync::atomic::{AtomicU64, Ordering},
};

use super::claims::{CachedClaims, UnreleasedClaims};
use crate::{
    claims::RegisteredClaims, error::ConfigError, keys::Generation, token_cache::TokenCache,
};

/// How much memory a verifier may take for tokens that it has verified.
///
/// The default is 16 MiB: some 4,000 tokens of 1 KB each.
///
/// # Rules
///
/// 1. Only a token that passed every check that needs no wait is cached. It is found again by its
///    whole text.
/// 2. Each time it comes, its times, the keys that vouch for it, the denylist and the
///    application's rules are asked again; what is saved is the signature, and reading the
///    claims. All its requests have the same claims: a `C` with state inside shares it, and
///    what its `Deserialize` took from elsewhere, such as a time, stays as it was.
/// 3. It counts no more when it expires, when its key set changes, or when it was revoked.
///    Its memory is given back when it comes again, or as others come.
/// 4. It comes in at its first request, as long as those that came in are used again; of
///    tokens of which none is, some 1,000 do, and others at their second request. Without room,
///    a token must come twice to evict one that is used less: a flood of tokens that come once
///    evicts none.
/// 5. Its text is wiped when it goes; the claims, with which nobody can log in, are not.
///
/// The size of an entry is the token, twice its payload, its claims as if each were a
/// `serde_json::Value`, and some 500 bytes. Nothing is taken before the first token
/// comes.
///
/// # Example: half as much, and none
/// ```
/// use tower_jwt_auth::{Key, Verifier, verifier::Cache};
///
/// let verifier = |cache| {
///     Verifier::builder()
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

    pub(super) fn is_on(self) -> bool {
        self.0.is_some()
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

    pub(super) fn start<C>(self) -> Option<TokenCache<CachedToken<C>>> {
        self.0.map(TokenCache::new)
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self::of_bytes(16 * 1024 * 1024)
    }
}

/// The number of an engine, which no other engine ever has. A cached token names its engine by
/// this: the reference count of a pointer would be written to by all threads at each token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EngineId(u64);

impl EngineId {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A token that was verified.
pub(super) struct CachedToken<C> {
    claims: CachedClaims<C>,
    /// The keys that verified it.
    generation: Generation,
    /// The engine that verified it.
    by: EngineId,
}

impl<C> CachedToken<C> {
    pub(super) fn new(claims: &UnreleasedClaims<C>, generation: Generation, by: EngineId) -> Self {
        Self { claims: claims.to_cached(), generation, by }
    }

    pub(super) fn claims(&self) -> &CachedClaims<C> {
        &self.claims
    }

    pub(super) fn registered(&self) -> &RegisteredClaims {
        self.claims.registered()
    }

    pub(super) fn generation(&self) -> Generation {
        self.generation
    }

    /// Whether this engine verified it.
    #[inline]
    pub(super) fn is_by(&self, engine: EngineId) -> bool {
        engine == self.by
    }

    /// Its size in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.claims.bytes()
    }
}

const BYTES: RangeInclusive<usize> = 256 * 1024..=1024 * 1024 * 1024;
