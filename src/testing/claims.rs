//! Claims without a token.

use std::{fmt, sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use super::{
    jws::{add_confirmation, joined, json_of, members},
    proof::TestProofKey,
};
use crate::{
    claims::RegisteredClaims,
    clock::{Clock, SystemClock, unix_seconds},
    digest::Thumbprint,
    proof::ClientCertificate,
    rules::seconds,
    scope_hierarchy::ScopeHierarchy,
    verifier::{Claims, claims_for_test},
};

/// Claims for a test of a handler, without a token and a verifier.
///
/// [`TestRequest::with_claims`](super::TestRequest::with_claims) puts them into a request.
///
/// # Defaults
///
/// - `sub`: as given to [`new`](Self::new)
/// - `iss`: `https://issuer.test`; `aud`: `https://api.test`
/// - all other claims: none
///
/// # Example: a handler with claims of its own type
/// ```
/// use axum::{Router, body::Body, http::Request, routing::get};
/// use tower::ServiceExt;
/// use tower_jwt_auth::{
///     Claims, RequireLayer,
///     testing::{TestClaims, TestRequest, assert_accepted},
/// };
///
/// #[derive(serde::Deserialize)]
/// struct User {
///     tenant: String,
/// }
///
/// // The routes, without the `JwtAuthLayer` that the application puts around them.
/// fn routes() -> Router {
///     Router::new()
///         .route("/me", get(async |user: Claims<User>| user.tenant.clone()))
///         .route_layer(RequireLayer::scopes(["profile"]))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let ada = TestClaims::new("ada").scopes(["profile"]).claim("tenant", "acme");
/// let request = Request::get("/me").with_claims(ada.build_as::<User>()).body(Body::empty())?;
/// assert_accepted(&routes().oneshot(request).await?);
/// # Ok(()) }
/// ```
///
/// # Security
///
/// Nobody has verified these claims. They come from code only: a request from the network cannot
/// have them. They exist only with the feature `test-util`, which belongs in
/// `[dev-dependencies]`; see the [module](super).
#[derive(Clone)]
#[must_use = "claims do nothing until they are built"]
pub struct TestClaims {
    claims: Map<String, Value>,
    logged_in: Option<Duration>,
    clock: Option<Arc<dyn Clock>>,
    scope_hierarchy: Option<ScopeHierarchy>,
}

impl TestClaims {
    /// Claims of this subject: `sub`.
    pub fn new(subject: impl Into<String>) -> Self {
        let claims = members(json!({
            "iss": "https://issuer.test",
            "sub": subject.into(),
            "aud": "https://api.test",
        }));
        Self { claims, logged_in: None, clock: None, scope_hierarchy: None }
    }

    /// Sets the scopes: `scope`.
    pub fn scopes<S: AsRef<str>>(self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.claim("scope", joined(scopes))
    }

    /// Sets the authentication context of the login: `acr`.
    pub fn acr(self, acr: impl Into<String>) -> Self {
        self.claim("acr", acr.into())
    }

    /// Sets the methods of the login: `amr`.
    pub fn amr<S: Into<String>>(self, methods: impl IntoIterator<Item = S>) -> Self {
        let methods: Vec<String> = methods.into_iter().map(Into::into).collect();
        self.claim("amr", methods)
    }

    /// Sets the time of the login, in whole seconds before now: `auth_time`.
    pub fn logged_in(mut self, ago: Duration) -> Self {
        self.logged_in = Some(ago);
        self
    }

    /// Binds the claims to the key of a client (`cnf.jkt`, RFC 9449 §6.1), beside what they are bound to
    /// already: as those of a token whose proof was good.
    pub fn bound_to(self, key: &TestProofKey) -> Self {
        self.confirmed_by("jkt", key.jkt())
    }

    /// Binds the claims to a client certificate (`cnf.x5t#S256`, RFC 8705 §3.1), beside what they are bound
    /// to already.
    pub fn bound_to_certificate(self, certificate: &ClientCertificate) -> Self {
        self.confirmed_by("x5t#S256", certificate.thumbprint())
    }

    fn confirmed_by(mut self, method: &str, thumbprint: Thumbprint) -> Self {
        add_confirmation(&mut self.claims, method, thumbprint);
        self
    }

    /// Sets the clock of [`logged_in`](Self::logged_in), by which a
    /// [`StepUp`](crate::authorize::StepUp) compares `auth_time`, with a leeway of 60 s. Default: the
    /// system clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Sets which scopes imply others, as the verifier of the application does with
    /// [`scope_hierarchy`](crate::verifier::VerifierBuilder::scope_hierarchy). Default: none do.
    pub fn scope_hierarchy(mut self, hierarchy: ScopeHierarchy) -> Self {
        self.scope_hierarchy = Some(hierarchy);
        self
    }

    /// Sets a claim, registered or not, to any JSON value.
    ///
    /// # Panics
    ///
    /// The value cannot be written as JSON.
    pub fn claim(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        self.claims.insert(name.into(), json_of(value));
        self
    }

    /// Sets all claims that a value of the application's type has: the members of its JSON object.
    ///
    /// # Panics
    ///
    /// The value cannot be written as a JSON object.
    pub fn claims(mut self, claims: impl Serialize) -> Self {
        self.claims.extend(members(json_of(claims)));
        self
    }

    /// Leaves a claim out.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// The claims, as a layer without a type of its own leaves them.
    ///
    /// # Panics
    ///
    /// A registered claim has a value that it cannot have.
    #[must_use]
    #[track_caller]
    pub fn build(self) -> Claims {
        let this = self.with_auth_time();
        claims_for_test(this.registered(), None, this.clock, this.scope_hierarchy)
    }

    /// The claims as a `C`, which is read from them as a verifier reads it.
    ///
    /// # Panics
    ///
    /// The claims do not fit the type; the message names the member. Or a registered claim has a
    /// value that it cannot have.
    #[must_use]
    #[track_caller]
    pub fn build_as<C: DeserializeOwned + Send + Sync + 'static>(self) -> Claims<C> {
        let this = self.with_auth_time();
        let registered = this.registered();
        let text = Value::from(this.claims).to_string();
        let mut reader = serde_json::Deserializer::from_slice(text.as_bytes());
        match serde_path_to_error::deserialize(&mut reader) {
            Ok(custom) => {
                claims_for_test(registered, Some(custom), this.clock, this.scope_hierarchy)
            }
            Err(error) => panic!("the claims do not fit `{}`: {error}", std::any::type_name::<C>()),
        }
    }

    /// The claims beside a value of the application's type, whatever the value is. Use it if the
    /// type cannot be read from JSON by its name; otherwise [`build_as`](Self::build_as) keeps both
    /// the same.
    ///
    /// # Panics
    ///
    /// A registered claim has a value that it cannot have.
    #[must_use]
    #[track_caller]
    pub fn build_with<C: Send + Sync + 'static>(self, custom: C) -> Claims<C> {
        let this = self.with_auth_time();
        claims_for_test(this.registered(), Some(custom), this.clock, this.scope_hierarchy)
    }

    /// Writes the time of the login.
    fn with_auth_time(self) -> Self {
        let Some(ago) = self.logged_in else { return self };
        let now = self.clock.as_ref().map_or_else(|| SystemClock.now(), |clock| clock.now());
        self.claim("auth_time", unix_seconds(now).saturating_sub(seconds(ago)))
    }

    #[track_caller]
    fn registered(&self) -> RegisteredClaims {
        let text = Value::from(self.claims.clone()).to_string();
        match serde_json::from_str(&text) {
            Ok(registered) => registered,
            Err(error) => panic!("{error}: a verifier refuses a token with such claims"),
        }
    }
}

impl From<TestClaims> for Claims {
    fn from(claims: TestClaims) -> Self {
        claims.build()
    }
}

impl fmt::Debug for TestClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TestClaims").field(&self.claims.keys().collect::<Vec<_>>()).finish()
    }
}
