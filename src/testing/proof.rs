//! DPoP proofs of any content, good and bad (RFC 9449).

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use base64_simd::URL_SAFE_NO_PAD;
use http::{HeaderMap, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    clock::TestClock,
    jws::{json_of, members, sign, signed},
};
use crate::{
    alg::Algorithm,
    clock::Clock,
    digest::{Thumbprint, sha256},
    issue::SigningKey,
    random::unique_id,
};

/// The key of a client that signs DPoP proofs; cheap to clone.
///
/// # Example: a bound token and its proof
/// ```
/// use http::Request;
/// use tower_jwt_auth::{
///     proof::{DPoP, Nonces},
///     testing::{TestIssuer, TestProofKey, TestRequest, assert_accepted, assert_refused},
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = TestIssuer::new();
/// let dpop = DPoP::optional()
///     .public_url("https://api.example.com")
///     .dangerous()
///     .replay_protection_elsewhere()
///     .build()?;
/// let verifier = issuer.verifier_builder().dpop(dpop).build()?;
///
/// let key = TestProofKey::new();
/// let token = issuer.token().bound_to(&key).sign();
/// let proof = key.proof("GET", "https://api.example.com/me").token(&token).sign();
/// let request = Request::get("/me").dpop(&token, &proof).body(())?;
/// assert_accepted(&verifier.verify_request(&token, &request).await);
///
/// let elsewhere = key.proof("GET", "https://other.example.com/me").token(&token).sign();
/// let request = Request::get("/me").dpop(&token, &elsewhere).body(())?;
/// assert_refused(&verifier.verify_request(&token, &request).await, "dpop_proof");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct TestProofKey {
    pub(super) key: SigningKey,
    clock: Option<TestClock>,
}

impl TestProofKey {
    /// A new key for ES256.
    #[must_use]
    pub fn new() -> Self {
        Self::for_algorithm(Algorithm::ES256)
    }

    /// A new key for this algorithm.
    ///
    /// # Panics
    ///
    /// The algorithm is one of a shared secret.
    #[must_use]
    #[track_caller]
    pub fn for_algorithm(algorithm: Algorithm) -> Self {
        assert!(!algorithm.is_symmetric(), "a proof is signed with a private key");
        Self::of(SigningKey::generate(algorithm).expect("a key can be generated"))
    }

    /// A client with this key.
    pub(super) fn of(key: SigningKey) -> Self {
        Self { key, clock: None }
    }

    /// The same key, whose proofs are made at the time of this clock (`iat`). Give it the clock of the
    /// verifier, such as that of [`TestIssuer::with_clock`](super::TestIssuer::with_clock). Default: the
    /// system clock.
    #[must_use]
    pub fn with_clock(mut self, clock: TestClock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The thumbprint of the key, which the claim `cnf` of a bound token has (RFC 9449 §6.1).
    #[must_use]
    pub fn jkt(&self) -> Thumbprint {
        Thumbprint::from_base64url(self.key.kid()).expect("the id of a new key is its thumbprint")
    }

    /// A proof for a request with this method and URL (`htm`, `htu`), which is signed with this key.
    pub fn proof(&self, method: impl AsRef<str>, url: impl AsRef<str>) -> TestProof {
        let jwk = self.public_jwk();
        let header = json!({"typ": "dpop+jwt", "alg": self.key.algorithm().name(), "jwk": jwk});
        let claims = json!({
            "jti": unique_id().expect("the system has random bytes"),
            "htm": method.as_ref(),
            "htu": url.as_ref(),
            "iat": seconds_of(self.clock.as_ref().map_or_else(SystemTime::now, Clock::now)),
        });
        TestProof { key: self.key.clone(), header: members(header), claims: members(claims) }
    }

    /// The members of the public key that count.
    pub(super) fn public_jwk(&self) -> Value {
        let jwk = self.key.public_jwk().expect("the key has a public half");
        let mut jwk = members(serde_json::from_str(&jwk).expect("a JWK is JSON"));
        jwk.retain(|name, _| ["kty", "crv", "x", "y", "n", "e"].contains(&&**name));
        Value::from(jwk)
    }
}

impl Default for TestProofKey {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TestProofKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestProofKey").field("jkt", &self.jkt()).finish()
    }
}

/// A DPoP proof that is to be signed, made by [`TestProofKey::proof`].
///
/// Each method changes one thing, so a proof that is refused is refused for that.
///
/// # Defaults
///
/// - header: `typ` is `dpop+jwt`, and `alg` and `jwk` are those of the key
/// - `htm` and `htu`: as given; `iat`: now, by the clock of the key; `jti`: random
/// - `ath`, `nonce` and all other claims: none
#[derive(Clone)]
#[must_use = "a proof does nothing until it is signed"]
pub struct TestProof {
    key: SigningKey,
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl TestProof {
    /// Names the token of the request: `ath` is its hash.
    pub fn token(self, token: impl AsRef<str>) -> Self {
        let hash = sha256(&[token.as_ref().as_bytes()]);
        self.claim("ath", URL_SAFE_NO_PAD.encode_to_string(hash))
    }

    /// Sets the time at which the proof was made: `iat`.
    pub fn issued_at(self, time: SystemTime) -> Self {
        self.claim("iat", seconds_of(time))
    }

    /// Sets the nonce: `nonce`.
    pub fn nonce(self, nonce: impl Into<String>) -> Self {
        self.claim("nonce", nonce.into())
    }

    /// Sets the nonce to that which a response has brought in its header `DPoP-Nonce`, as a client does
    /// that tries again.
    ///
    /// # Panics
    ///
    /// The response has no such header, or several.
    #[track_caller]
    pub fn nonce_of<B>(self, response: &Response<B>) -> Self {
        self.nonce(nonce_of(response.headers()))
    }

    /// Sets a claim to any value.
    pub fn claim(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        self.claims.insert(name.into(), json_of(value));
        self
    }

    /// Leaves a claim out.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Sets a parameter of the header to any value.
    pub fn header(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        self.header.insert(name.into(), json_of(value));
        self
    }

    /// Leaves a parameter of the header out.
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    /// Signs with another key than that in its header. Refused as
    /// [`ProofFault::Signature`](crate::error::ProofFault::Signature).
    pub fn wrong_key(mut self) -> Self {
        self.key = TestProofKey::for_algorithm(self.key.algorithm()).key;
        self
    }

    /// Signs the proof. It is the value of the header `DPoP`.
    #[must_use]
    pub fn sign(self) -> String {
        let (header, claims) = (Value::from(self.header), Value::from(self.claims));
        signed(header.to_string().as_bytes(), claims.to_string().as_bytes(), |input| {
            sign(&self.key, input)
        })
    }
}

impl fmt::Debug for TestProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |map: &Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
        f.debug_struct("TestProof")
            .field("header", &names(&self.header))
            .field("claims", &names(&self.claims))
            .finish_non_exhaustive()
    }
}

/// The only nonce of a response.
#[track_caller]
fn nonce_of(headers: &HeaderMap) -> String {
    let mut nonces = headers.get_all("dpop-nonce").iter();
    let nonce = nonces.next().expect("the response has no `DPoP-Nonce`");
    assert!(nonces.next().is_none(), "the response has several `DPoP-Nonce`");
    nonce.to_str().expect("a nonce is visible ASCII").to_owned()
}

fn seconds_of(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
