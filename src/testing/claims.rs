//! Claims without a token.

use std::fmt;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use super::token::{joined, json_of, members};
use crate::{
    claims::RegisteredClaims,
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
pub struct TestClaims(Map<String, Value>);

impl TestClaims {
    /// Claims of this subject: `sub`.
    pub fn new(subject: impl Into<String>) -> Self {
        Self(members(json!({
            "iss": "https://issuer.test",
            "sub": subject.into(),
            "aud": "https://api.test",
        })))
    }

    /// Sets the scopes: `scope`.
    pub fn scopes<S: AsRef<str>>(self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.claim("scope", joined(scopes))
    }

    /// Sets a claim, registered or not, to any JSON value.
    ///
    /// # Panics
    ///
    /// The value cannot be written as JSON.
    pub fn claim(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        self.0.insert(name.into(), json_of(value));
        self
    }

    /// Sets all claims that a value of the application's type has: the members of its JSON object.
    ///
    /// # Panics
    ///
    /// The value cannot be written as a JSON object.
    pub fn claims(mut self, claims: impl Serialize) -> Self {
        self.0.extend(members(json_of(claims)));
        self
    }

    /// Leaves a claim out.
    pub fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
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
        claims_for_test(self.registered(), None)
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
        let registered = self.registered();
        let text = Value::from(self.0).to_string();
        let mut reader = serde_json::Deserializer::from_slice(text.as_bytes());
        match serde_path_to_error::deserialize(&mut reader) {
            Ok(custom) => claims_for_test(registered, Some(custom)),
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
        claims_for_test(self.registered(), Some(custom))
    }

    #[track_caller]
    fn registered(&self) -> RegisteredClaims {
        let text = Value::from(self.0.clone()).to_string();
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
        f.debug_tuple("TestClaims").field(&self.0.keys().collect::<Vec<_>>()).finish()
    }
}
