//! The options of a run on a route that takes DPoP proofs.

use super::run::AttackRun;
use crate::testing::proof::TestProofKey;

impl<B> AttackRun<B> {
    /// Sends each request with a DPoP proof (RFC 9449). Use it for a route that takes bound tokens: that of
    /// a verifier with [`DPoP::required`](crate::proof::DPoP::required) or
    /// [`DPoP::optional`](crate::proof::DPoP::optional).
    ///
    /// `public_url` is that of the service: the URL at which clients reach its path `/`, as
    /// [`DPoPBuilder::public_url`](crate::proof::DPoPBuilder::public_url) has it. The path of the route is
    /// appended to it.
    ///
    /// The run has a key of its own, to which its tokens are bound. All attacks on tokens then have a right
    /// proof, and the faults of proofs are attacks, too: `d01` to `d06` and `d11`. If the service demands a
    /// nonce, the run takes it from the answers.
    ///
    /// With a [cookie](Self::cookie), the token in the cookie is not bound, because no page can make a proof
    /// for it. A bound token there is an attack.
    ///
    /// A route with `DPoP::optional` also takes bearer tokens: make a second run without this option. For
    /// one with `DPoP::required`, set [`bound_tokens_only`](Self::bound_tokens_only), too.
    ///
    /// # Example
    /// ```
    /// use axum::{Router, routing::get};
    /// use tower_jwt_auth::{
    ///     ConfigError, JwtAuthLayer, Verifier,
    ///     proof::{DPoP, MemoryReplayStore},
    ///     testing::{AttackRun, TestIssuer},
    /// };
    ///
    /// // The application.
    /// fn dpop() -> Result<DPoP, ConfigError> {
    ///     DPoP::required()
    ///         .public_url("https://api.example.com")
    ///         .replay_store(MemoryReplayStore::new())
    ///         .build()
    /// }
    ///
    /// fn app(verifier: Verifier) -> Router {
    ///     Router::new().route("/me", get(async || "hello")).layer(JwtAuthLayer::new(verifier))
    /// }
    ///
    /// // The test.
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let issuer = TestIssuer::new();
    /// let verifier = issuer.verifier_builder().dpop(dpop()?).build()?;
    /// AttackRun::new(&issuer)
    ///     .dpop("https://api.example.com")
    ///     .bound_tokens_only()
    ///     .run(app(verifier), "/me")
    ///     .await
    ///     .assert_all_refused();
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// At [`run`](Self::run) and [`attacks`](Self::attacks), if the text is not an absolute URL without a
    /// query, or if the service reads tokens [only from a cookie](Self::without_authorization).
    pub fn dpop(mut self, public_url: impl Into<String>) -> Self {
        self.options.dpop = Some(public_url.into());
        self
    }

    /// Sets the key that signs the proofs of [`dpop`](Self::dpop). Set it if the service accepts another
    /// algorithm than ES256. Default: a new key for ES256.
    pub fn proof_key(mut self, key: &TestProofKey) -> Self {
        self.options.proof_key = key.clone();
        self
    }

    /// Leaves out the proofs of [`dpop`](Self::dpop) that were made long ago or in the future. Use it if the
    /// service takes the time of a proof from its nonce, and not from `iat`
    /// ([`Nonces::any_client_clock`](crate::proof::Nonces::any_client_clock)).
    pub fn any_client_clock(mut self) -> Self {
        self.options.any_client_clock = true;
        self
    }

    /// Adds tokens that are not bound to a key to the attacks of [`dpop`](Self::dpop). Use it if every token
    /// must be bound ([`DPoP::required`](crate::proof::DPoP::required)).
    pub fn bound_tokens_only(mut self) -> Self {
        self.options.bound_tokens_only = true;
        self
    }
}
