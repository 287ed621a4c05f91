//! An issuer for tests, without a socket.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    jws::{sign, signed},
    keys::{self, Use},
    token::TestToken,
};
use crate::{
    alg::Algorithm,
    clock::{Clock, SystemClock, unix_seconds},
    issue::{SigningKey, TokenIssuer, TokenIssuerBuilder},
    keys::{KeySet, KeySource, LiveKeys},
    verifier::{Verifier, VerifierBuilder},
};

/// An issuer for tests: it has keys, makes tokens of any content, and needs no socket; cheap to
/// clone.
///
/// Its keys are made once in a process, and two issuers of the same name have the same ones. So a
/// helper can make it anew in each test. [`rotate`](Self::rotate) gives one issuer, and its clones,
/// a key of its own.
///
/// # Defaults
///
/// - name: `https://issuer.test`
/// - audience: `https://api.test`
/// - algorithm: `ES256`
/// - clock: the system clock
///
/// # Example: an application that is given its verifier
/// ```
/// use axum::{Router, body::Body, http::Request, routing::get};
/// use tower::ServiceExt;
/// use tower_jwt_auth::{
///     JwtAuthLayer, RequireLayer, Verifier,
///     extract::Subject,
///     testing::{TestIssuer, TestRequest, assert_accepted, assert_refused},
/// };
///
/// fn app(verifier: Verifier) -> Router {
///     Router::new()
///         .route("/me", get(async |subject: Subject| subject.to_string()))
///         .route_layer(RequireLayer::scopes(["profile"]))
///         .layer(JwtAuthLayer::new(verifier))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = TestIssuer::new();
/// let app = app(issuer.verifier());
///
/// let token = issuer.token().subject("ada").scopes(["profile"]).sign();
/// let request = Request::get("/me").bearer(&token).body(Body::empty())?;
/// assert_accepted(&app.clone().oneshot(request).await?);
///
/// let token = issuer.token().scopes(["profile"]).expired().sign();
/// let request = Request::get("/me").bearer(&token).body(Body::empty())?;
/// assert_refused(&app.oneshot(request).await?, "expired");
/// # Ok(()) }
/// ```
///
/// # Panics
///
/// Its methods panic where a builder of this crate returns an error.
#[derive(Clone)]
pub struct TestIssuer(Arc<Inner>);

struct Inner {
    issuer: Box<str>,
    audience: Box<str>,
    algorithm: Algorithm,
    clock: Arc<dyn Clock>,
    keys: Mutex<IssuerKeys>,
    live: LiveKeys,
}

struct IssuerKeys {
    signing: SigningKey,
    /// Those that signed before, and are still published.
    old: Vec<SigningKey>,
}

impl TestIssuer {
    /// An issuer with the defaults.
    #[must_use]
    pub fn new() -> Self {
        let (issuer, audience) = ("https://issuer.test", "https://api.test");
        Self::of(issuer.into(), audience.into(), Algorithm::ES256, Arc::new(SystemClock))
    }

    /// Sets the name: `iss`. Give it the issuer that the application is configured with.
    ///
    /// This and the other methods that begin with `with_` make another issuer: call them first.
    #[must_use]
    pub fn with_issuer(self, issuer: impl Into<String>) -> Self {
        let Inner { audience, algorithm, clock, .. } = &*self.0;
        Self::of(issuer.into().into(), audience.clone(), *algorithm, Arc::clone(clock))
    }

    /// Sets the audience: `aud`. Give it the audience that the application is configured with.
    #[must_use]
    pub fn with_audience(self, audience: impl Into<String>) -> Self {
        let Inner { issuer, algorithm, clock, .. } = &*self.0;
        Self::of(issuer.clone(), audience.into().into(), *algorithm, Arc::clone(clock))
    }

    /// Sets the algorithm of the keys. A shared secret (`HS256`) is not published.
    #[must_use]
    pub fn with_algorithm(self, algorithm: Algorithm) -> Self {
        let Inner { issuer, audience, clock, .. } = &*self.0;
        Self::of(issuer.clone(), audience.clone(), algorithm, Arc::clone(clock))
    }

    /// Sets the clock of the tokens, and of the verifiers that
    /// [`verifier_builder`](Self::verifier_builder) starts.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock) -> Self {
        let Inner { issuer, audience, algorithm, .. } = &*self.0;
        Self::of(issuer.clone(), audience.clone(), *algorithm, Arc::new(clock))
    }

    fn of(
        issuer: Box<str>,
        audience: Box<str>,
        algorithm: Algorithm,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let signing = keys::of(&issuer, algorithm, Use::Signing);
        let keys = IssuerKeys { signing, old: Vec::new() };
        let live = LiveKeys::new(&issuer, keys.key_set(&issuer), Arc::clone(&clock));
        let keys = Mutex::new(keys);
        Self(Arc::new(Inner { issuer, audience, algorithm, clock, keys, live }))
    }

    /// The name: `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The audience: `aud`.
    #[must_use]
    pub fn audience(&self) -> &str {
        &self.0.audience
    }

    /// The algorithm of the keys.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm
    }

    /// The keys for any verifier, bound to the name of this issuer. They follow
    /// [`rotate`](Self::rotate) and [`withdraw_old`](Self::withdraw_old).
    #[must_use]
    pub fn keys(&self) -> KeySource {
        KeySource::live(self.0.live.clone())
    }

    /// Starts to build a verifier with the keys, the name, the audience and the clock of this
    /// issuer. Add what the application adds: its type of claims, rules, a denylist.
    ///
    /// It has the keys in memory, and `.keys(…)` adds others to them. So for a test that fetches keys,
    /// begin with [`Verifier::builder`]: otherwise, tokens are accepted without any fetch.
    pub fn verifier_builder(&self) -> VerifierBuilder {
        Verifier::builder()
            .keys(self.keys())
            .audience(self.audience())
            .clock(Arc::clone(&self.0.clock))
    }

    /// A verifier with the keys, the name, the audience and the clock of this issuer, and with all
    /// other defaults.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        self.verifier_builder().build().expect("an issuer for tests has all that it takes")
    }

    /// Starts to build a [`TokenIssuer`] with the key, the name, the audience and the clock of this
    /// issuer, such as for [`Sessions`](crate::sessions::Sessions).
    ///
    /// # Example: sessions whose clock is moved
    /// ```
    /// use std::time::Duration;
    /// use tower_jwt_auth::{sessions::{Login, Sessions}, testing::{TestClock, TestIssuer}};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let clock = TestClock::new();
    /// let issuer = TestIssuer::new().with_clock(clock.clone());
    /// let sessions = Sessions::builder(issuer.token_issuer().build()?).build()?;
    ///
    /// let tokens = sessions.open(Login::new("ada")).await?;
    /// clock.advance(Duration::from_secs(14 * 24 * 60 * 60)); // the idle lifetime
    /// assert!(sessions.refresh(tokens.refresh()).await.is_err());
    /// # Ok(()) }
    /// ```
    pub fn token_issuer(&self) -> TokenIssuerBuilder {
        TokenIssuer::builder()
            .issuer(self.issuer())
            .audience(self.audience())
            .key(self.signing_key())
            .clock(Arc::clone(&self.0.clock))
    }

    /// The key that signs now. Use it to build an issuer of your own.
    #[must_use]
    pub fn signing_key(&self) -> SigningKey {
        self.lock().signing.clone()
    }

    /// The id of the key that signs: `kid`.
    #[must_use]
    pub fn key_id(&self) -> String {
        self.lock().signing.kid().to_owned()
    }

    /// The public key as PEM. Use it if the application reads its key from such a text.
    ///
    /// # Panics
    ///
    /// The algorithm is `HS256`, `HS384` or `HS512`: a shared secret has no public key.
    #[must_use]
    pub fn public_key_pem(&self) -> String {
        self.lock().signing.public_pem().unwrap_or_else(|| {
            panic!("{} has no public key: use an issuer of another algorithm", self.algorithm())
        })
    }

    /// The public keys as a JWK set (RFC 7517 §5). It is empty if the algorithm is that of a shared
    /// secret.
    #[must_use]
    pub fn jwks(&self) -> String {
        let keys = self.lock();
        let jwks: Vec<_> = keys.all().filter_map(SigningKey::public_jwk).collect();
        format!(r#"{{"keys":[{}]}}"#, jwks.join(","))
    }

    /// Starts to make a token: an access token of RFC 9068 that every verifier of
    /// [`verifier_builder`](Self::verifier_builder) accepts, with a `jti` of its own.
    pub fn token(&self) -> TestToken {
        TestToken::new(self.issuer(), self.audience(), self.now(), self.signing_key())
    }

    /// Signs any two texts as the header and the payload of a token, whatever they are: a payload
    /// that repeats a name, or is no JSON. The signature is right, and the header must say so
    /// itself.
    ///
    /// # Example
    /// ```
    /// use tower_jwt_auth::testing::{TestIssuer, assert_refused};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let issuer = TestIssuer::new();
    /// let header = format!(r#"{{"alg":"ES256","kid":"{}"}}"#, issuer.key_id());
    /// let token = issuer.sign_raw(header, r#"{"sub":"a","sub":"b"}"#);
    /// assert_refused(&issuer.verifier().verify(&token).await, "malformed_claims");
    /// # }
    /// ```
    #[must_use]
    pub fn sign_raw(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        let key = self.signing_key();
        signed(header.as_ref(), payload.as_ref(), |input| sign(&key, input))
    }

    /// Signs with a new key from now on. The old one is still published, so its tokens are
    /// accepted.
    pub fn rotate(&self) {
        let mut keys = self.lock();
        let old = std::mem::replace(&mut keys.signing, keys::new(self.algorithm()));
        keys.old.push(old);
        self.publish(&keys);
    }

    /// Publishes only the key that signs. Tokens of older keys are refused from now on; by a
    /// verifier that fetches the keys, from its next fetch on.
    pub fn withdraw_old(&self) {
        let mut keys = self.lock();
        keys.old.clear();
        self.publish(&keys);
    }

    fn publish(&self, keys: &IssuerKeys) {
        self.0.live.set(keys.key_set(self.issuer()), Vec::new());
    }

    /// The time of its clock, in seconds since 1970.
    pub(super) fn now(&self) -> i64 {
        unix_seconds(self.0.clock.now())
    }

    fn lock(&self) -> MutexGuard<'_, IssuerKeys> {
        self.0.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IssuerKeys {
    fn all(&self) -> impl Iterator<Item = &SigningKey> {
        [&self.signing].into_iter().chain(&self.old)
    }

    fn key_set(&self, issuer: &str) -> KeySet {
        let keys = self.all().map(SigningKey::verifying_key);
        let keys: Result<Vec<_>, _> = keys.collect();
        KeySet::new(keys.expect("a key that was generated can verify")).with_issuer(issuer)
    }
}

impl Default for TestIssuer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TestIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestIssuer")
            .field("issuer", &self.0.issuer)
            .field("audience", &self.0.audience)
            .field("key", &self.lock().signing)
            .finish_non_exhaustive()
    }
}
