//! The settings of DPoP.

use std::{ops::Deref, sync::Arc, time::Duration};

use http::Uri;

use super::{DPoP, Inner, Nonces, key_cache::KeyCache, public_url::PublicUrls, time::Window};
use crate::{
    alg::{Algorithm, AlgorithmSet},
    error::ConfigError,
    observe::Outage,
    proof::ReplayStore,
};

/// Builds a [`DPoP`]; made by [`DPoP::optional`] and [`DPoP::required`].
///
/// # Defaults
///
/// - [`public_url`](Self::public_url): none, it must be given.
/// - [`replay_store`](Self::replay_store), [`nonces`](Self::nonces): none, one of them must be given.
/// - [`algorithms`](Self::algorithms): ES256 and EdDSA (Ed25519).
/// - [`max_age`](Self::max_age): 60 s.
/// - [`max_ahead`](Self::max_ahead): 10 s.
/// - A proof has at most 4 KiB, its `jti` at most 256 bytes, an RSA key 2048 to 4096 bits.
#[derive(Debug)]
#[must_use = "it does nothing before `build()`"]
pub struct DPoPBuilder {
    required: bool,
    urls: PublicUrls,
    algorithms: Vec<Algorithm>,
    /// `None` if it was not set.
    max_age: Option<Duration>,
    any_max_age: bool,
    max_ahead: Duration,
    stores: Vec<Store>,
    replay_elsewhere: bool,
    nonces: Option<Nonces>,
    service_name: Option<Box<str>>,
    errors: Vec<ConfigError>,
}

impl DPoPBuilder {
    pub(super) fn new(required: bool) -> Self {
        Self {
            required,
            urls: PublicUrls::default(),
            algorithms: vec![Algorithm::ES256, Algorithm::EdDSA],
            max_age: None,
            any_max_age: false,
            max_ahead: Duration::from_secs(10),
            stores: Vec::new(),
            replay_elsewhere: false,
            nonces: None,
            service_name: None,
            errors: Vec::new(),
        }
    }

    /// Adds a URL at which clients reach the path `/` of the service. The claim `htu` of a proof must
    /// be the address of its request below one of them (RFC 9449 §4.3): with
    /// `https://x.example/api`, the service's path `/me` is `https://x.example/api/me`.
    ///
    /// It is `https`, or `http` for loopback, and has no user information, query or fragment.
    /// Nothing of the request's `Host` or `Forwarded` counts: a client or a proxy could write
    /// anything there.
    pub fn public_url(mut self, url: impl AsRef<str>) -> Self {
        let added = self.urls.add(url.as_ref());
        self.errors.extend(added.err());
        self
    }

    /// Takes the path of a request from this extension, if the request has it: for a layer inside of
    /// axum's `Router::nest`, which takes the prefix off the path. Name axum's `OriginalUri`. An
    /// alternative for a single `nest` is its prefix in [`public_url`](Self::public_url).
    ///
    /// # Example: a layer within a nested router
    /// ```
    /// use axum::extract::OriginalUri;
    /// use tower_jwt_auth::proof::{DPoP, Nonces};
    ///
    /// let dpop = DPoP::required()
    ///     .public_url("https://api.example.com")
    ///     .original_uri::<OriginalUri>()
    ///     .nonces(Nonces::new([7; 32])?)
    ///     .build()?;
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn original_uri<T: Deref<Target = Uri> + Send + Sync + 'static>(mut self) -> Self {
        self.urls.set_original_uri::<T>();
        self
    }

    /// Sets the algorithms that a proof may be signed with; asymmetric ones only. Default: ES256 and
    /// EdDSA, which clients also name `Ed25519` (RFC 9864 §2.2).
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// Sets how old a proof may be, by its `iat`, from 1 s to 300 s. Default: 60 s.
    pub fn max_age(mut self, age: Duration) -> Self {
        (self.max_age, self.any_max_age) = (Some(age), false);
        self
    }

    /// Sets how far in the future the `iat` of a proof may be, at most 60 s, because clocks differ (RFC
    /// 9449 §11.1). Default: 10 s.
    pub fn max_ahead(mut self, time: Duration) -> Self {
        self.max_ahead = time;
        self
    }

    /// Sets the store that accepts each proof once (RFC 9449 §11.1). Processes that accept the same
    /// proofs must share one.
    pub fn replay_store(mut self, store: impl ReplayStore) -> Self {
        self.stores.push(Store(Arc::new(store)));
        self
    }

    /// Requires a nonce of these in each proof (RFC 9449 §9). Without a replay store, a proof can be
    /// repeated within its time: see [`Nonces`].
    pub fn nonces(mut self, nonces: Nonces) -> Self {
        if self.nonces.replace(nonces).is_some() {
            self.errors.push(ConfigError::Conflict(
                "DPoP has nonces already, call `.nonces(…)` once, with all secrets",
            ));
        }
        self
    }

    /// Names this service in a replay store that several services share: a `jti` is then unique only
    /// among the proofs of one key for one service. All processes of a service have the same
    /// name. It requires a [`replay_store`](Self::replay_store). Default: none.
    pub fn service_name(mut self, name: impl Into<String>) -> Self {
        self.service_name = Some(name.into().into_boxed_str());
        self
    }

    /// Opens the settings that are not safe.
    pub fn dangerous(self) -> DangerousDPoPBuilder {
        DangerousDPoPBuilder(self)
    }

    /// Builds it.
    ///
    /// # Errors
    ///
    /// - There is no public URL, or a malformed one.
    /// - There is neither a replay store nor nonces, and
    ///   [`replay_protection_elsewhere`](DangerousDPoPBuilder::replay_protection_elsewhere) was not
    ///   called; or there are two stores.
    /// - There is no algorithm, or one that is symmetric, or that the cryptography of this build lacks.
    /// - A time is out of its range.
    /// - A setting has no effect: a maximum age with [`Nonces::any_client_clock`], or a
    ///   [`service_name`](Self::service_name) without a replay store.
    pub fn build(self) -> Result<DPoP, ConfigError> {
        if let Some(error) = self.errors.into_iter().next() {
            return Err(error);
        }
        if self.urls.is_empty() {
            return Err(ConfigError::InvalidName(
                "DPoP needs the URL at which clients reach this service, name it with \
                 `.public_url(\"https://…\")`",
            ));
        }
        let mut stores = self.stores.into_iter();
        let store = stores.next();
        if stores.next().is_some() {
            return Err(ConfigError::Conflict(
                "DPoP has a replay store already, call `.replay_store(…)` once",
            ));
        }
        match (&store, &self.nonces, self.replay_elsewhere) {
            (None, None, false) => {
                return Err(ConfigError::Conflict(
                    "nothing keeps a DPoP proof from being presented again, add \
                     `.replay_store(…)`, which accepts each proof once, or `.nonces(…)`, which bounds \
                     the time in which it is accepted",
                ));
            }
            (Some(_), _, true) => {
                return Err(ConfigError::Conflict(
                    "DPoP has a replay store, leave out `replay_protection_elsewhere()`",
                ));
            }
            _ => {}
        }
        if let Some(nonces) = &self.nonces {
            nonces.check_config()?;
            if nonces.accepts_any_client_clock() && self.max_age.is_some() {
                return Err(ConfigError::Conflict(
                    "with `Nonces::any_client_clock`, the `iat` of a proof does not count, so it has no \
                     maximum age: leave out `.max_age(…)` and `.any_max_age(…)`, and set \
                     `Nonces::period`",
                ));
            }
        }
        if self.service_name.is_some() && store.is_none() {
            return Err(ConfigError::Conflict(
                "the name of a service counts in a replay store only: add `.replay_store(…)`, or leave \
                 out `.service_name(…)`",
            ));
        }
        let max_age = self.max_age.unwrap_or(USUAL_AGE);
        if self.service_name.as_deref().is_some_and(str::is_empty) {
            return Err(ConfigError::InvalidName("the service name for DPoP is empty"));
        }
        Ok(DPoP(Arc::new(Inner {
            required: self.required,
            urls: self.urls,
            algorithm_names: names(&self.algorithms).into(),
            algorithms: check_algorithms(&self.algorithms)?,
            window: window(max_age, self.any_max_age, self.max_ahead)?,
            store: store.map(|Store(store)| store),
            nonces: self.nonces,
            service_name: self.service_name,
            keys: KeyCache::new(BYTES_OF_KEYS),
            outage: Outage::default(),
        })))
    }
}

/// The settings of [`DPoPBuilder`] that are not safe; made by [`DPoPBuilder::dangerous`].
#[derive(Debug)]
#[must_use = "call one of its methods"]
pub struct DangerousDPoPBuilder(DPoPBuilder);

impl DangerousDPoPBuilder {
    /// Accepts proofs without looking whether they were presented before, because something else does:
    /// such as a gateway in front of this service, which no request can go around.
    ///
    /// # Security
    ///
    /// Without that, whoever sees a request can repeat it as long as its proof is accepted (RFC 9449
    /// §11.1).
    pub fn replay_protection_elsewhere(mut self) -> DPoPBuilder {
        self.0.replay_elsewhere = true;
        self.0
    }

    /// Sets how old a proof may be, from 1 s to a day.
    ///
    /// # Security
    ///
    /// A proof that was stolen together with its token can be used for that long, unless it was
    /// presented before; a replay store keeps proofs for that long. RFC 9449 §11.1 asks for a window of
    /// seconds or minutes. To accept clients whose clocks are wrong, use
    /// [`Nonces::any_client_clock`] instead.
    pub fn any_max_age(mut self, age: Duration) -> DPoPBuilder {
        (self.0.max_age, self.0.any_max_age) = (Some(age), true);
        self.0
    }

    /// Also accepts `https` and the host that the request names as its public URL: its `Host`
    /// (RFC 9110 §7.2) or `:authority` (RFC 9113 §8.3.1).
    ///
    /// # Security
    ///
    /// Everybody who forwards a request can write any host there. If a client has made a proof for
    /// another service, that service can send the request on to this one with its own name as the host,
    /// and the proof is accepted: only the token's audience is then in its way. Use it only behind a
    /// proxy that accepts its own host names only, such as for the domains of many customers.
    pub fn trust_host(mut self) -> DPoPBuilder {
        self.0.urls.trust_host();
        self.0
    }
}

fn names(algorithms: &[Algorithm]) -> String {
    let mut names: Vec<_> = algorithms.iter().map(|algorithm| algorithm.name()).collect();
    let mut seen = Vec::new();
    names.retain(|name| {
        !seen.contains(name) && {
            seen.push(*name);
            true
        }
    });
    names.join(" ")
}

fn check_algorithms(algorithms: &[Algorithm]) -> Result<AlgorithmSet, ConfigError> {
    if algorithms.is_empty() {
        return Err(ConfigError::OutOfRange("DPoP needs an algorithm, such as ES256"));
    }
    if algorithms.iter().any(|algorithm| algorithm.is_symmetric()) {
        return Err(ConfigError::Conflict(
            "a DPoP proof is not signed with a shared secret (RFC 9449 §4.3), leave out HS256, \
             HS384 and HS512",
        ));
    }
    if !cfg!(feature = "aws_lc_rs") && algorithms.contains(&Algorithm::ES512) {
        return Err(ConfigError::UnsupportedKey("P-521 needs the feature `aws_lc_rs`"));
    }
    Ok(algorithms.iter().copied().collect())
}

fn window(max_age: Duration, any: bool, max_ahead: Duration) -> Result<Window, ConfigError> {
    let longest = if any { ANY_AGE } else { LONGEST_AGE };
    if !(Duration::from_secs(1)..=longest).contains(&max_age) {
        return Err(ConfigError::OutOfRange(match any {
            true => "a DPoP proof may be 1 s to a day old",
            false => {
                "a DPoP proof may be 1 s to 300 s old; for more, say \
                 `.dangerous().any_max_age(…)`"
            }
        }));
    }
    if max_ahead > LONGEST_AHEAD {
        return Err(ConfigError::OutOfRange(
            "the `iat` of a DPoP proof may be at most 60 s ahead of the clock here",
        ));
    }
    Ok(Window::new(max_age, max_ahead))
}

struct Store(Arc<dyn ReplayStore>);

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store(..)")
    }
}

/// Some thousand keys. They take no memory to speak of before the first one comes.
const BYTES_OF_KEYS: usize = 4 << 20;

const USUAL_AGE: Duration = Duration::from_secs(60);
const LONGEST_AGE: Duration = Duration::from_secs(300);
const ANY_AGE: Duration = Duration::from_secs(86_400);
const LONGEST_AHEAD: Duration = Duration::from_secs(60);
