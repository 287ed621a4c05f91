//! The claims of a verified token: this type is the promise of the crate.

use std::{any::Any, fmt, ops::Deref, sync::Arc, time::Duration};

use memchr::memchr_iter;
use serde::de::DeserializeOwned;

use super::{
    binding::{Binding, Confirmable},
    origin::Origin,
    shadow::{KeptVerdict, ShadowVerdict},
};
use crate::{
    claims::{Audience, ClaimPath, NumericDate, RegisteredClaims, ScopeSet},
    clock::{Clock, SystemClock, unix_seconds},
    keys::{Authentic, StillTrusted},
    proof::ProofOfPossession,
    revocation::NotRevoked,
    rules::WithinRules,
    scope_hierarchy::ScopeHierarchy,
};

/// The claims of a verified token; cheap to clone.
///
/// It dereferences to the application's own type `C`, and has methods for the registered claims.
/// Without a type of one's own, `Claims` is enough. Only a [`Verifier`](super::Verifier) makes a
/// value of this type, and in tests the feature `test-util`.
///
/// # Example: both kinds of claims
/// ```
/// # use serde::Deserialize;
/// use tower_jwt_auth::Claims;
///
/// #[derive(Deserialize)]
/// struct User {
///     name: String,
/// }
///
/// fn greet(user: &Claims<User>) -> String {
///     format!("hello {} ({})", user.name, user.subject().unwrap_or("?"))
/// }
/// ```
///
/// # Example: it cannot be made up
/// ```compile_fail
/// let claims: tower_jwt_auth::Claims<()> = Default::default();
/// ```
pub struct Claims<C = RegisteredClaims>(Arc<ClaimsInner<C>>);

struct ClaimsInner<C> {
    registered: Arc<RegisteredClaims>,
    /// None if `C` is [`RegisteredClaims`], which are there already.
    custom: Option<C>,
    shadow: KeptVerdict,
    origin: Origin,
}

/// Claims that lack the last evidence, which depends on the request and may have to be waited for.
pub(super) struct UnreleasedClaims<C>(Arc<ClaimsInner<C>>);

/// Claims that were verified once. They lack what may be different now: the time, the
/// keys, what is revoked, and the proof of the sender.
pub(super) struct CachedClaims<C>(Arc<ClaimsInner<C>>);

impl<C> UnreleasedClaims<C> {
    /// Takes the evidence of every other check by value: without one of them this does not
    /// compile.
    #[inline]
    pub(super) fn new(
        _: Authentic,
        _: WithinRules,
        _: Confirmable,
        registered: RegisteredClaims,
        custom: Option<C>,
        shadow: KeptVerdict,
        origin: Origin,
    ) -> Self {
        Self(Arc::new(ClaimsInner { registered: Arc::new(registered), custom, shadow, origin }))
    }

    /// The claims that the proof of the sender and the denylist are about.
    pub(super) fn registered(&self) -> &RegisteredClaims {
        &self.0.registered
    }

    /// Keeps them for when the token comes again.
    pub(super) fn to_cached(&self) -> CachedClaims<C> {
        CachedClaims(Arc::clone(&self.0))
    }

    /// Takes the last evidence.
    pub(super) fn into_claims(self, _: Binding, _: NotRevoked) -> Claims<C> {
        Claims(self.0)
    }
}

impl<C> CachedClaims<C> {
    pub(super) fn registered(&self) -> &RegisteredClaims {
        &self.0.registered
    }

    /// Takes evidence of everything that can change, except the denylist and the proof.
    pub(super) fn revalidate(&self, _: StillTrusted, _: WithinRules) -> UnreleasedClaims<C> {
        UnreleasedClaims(Arc::clone(&self.0))
    }

    /// Their largest possible size in bytes. The size of a `C` is not known: it counts as if each
    /// value were kept as a `serde_json::Value`.
    pub(super) fn bytes(&self) -> usize {
        let payload = self.0.registered.payload().as_bytes();
        let each = [(b'{', OBJECT), (b'[', ARRAY), (b':', MEMBER), (b',', ELEMENT)];
        let all = each
            .iter()
            .map(|(sign, bytes)| memchr_iter(*sign, payload).count().saturating_mul(*bytes));
        let own = payload
            .len()
            .saturating_mul(2)
            .saturating_add(size_of::<ClaimsInner<C>>() + size_of::<RegisteredClaims>());
        all.fold(own, usize::saturating_add)
    }
}

// The size of a map or a list, and of each value in it.
const OBJECT: usize = 640;
const ARRAY: usize = 128;
const MEMBER: usize = 96;
const ELEMENT: usize = 112;

impl<C> Claims<C> {
    /// The registered claims as a value of their own.
    #[must_use]
    pub fn registered(&self) -> &RegisteredClaims {
        &self.0.registered
    }

    /// The issuer (`iss`, RFC 7519 §4.1.1).
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.registered().issuer()
    }

    /// The subject (`sub`, RFC 7519 §4.1.2), which is unique within its issuer. It is never
    /// empty. In axum, the extractor `extract::Subject` gives it without an `Option`.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.registered().subject()
    }

    /// The audience (`aud`, RFC 7519 §4.1.3).
    #[must_use]
    pub fn audience(&self) -> Audience<'_> {
        self.registered().audience()
    }

    /// The expiration time (`exp`, RFC 7519 §4.1.4). A connection that outlives its request,
    /// such as a WebSocket, should end then: see [`validity`](Self::validity).
    #[must_use]
    pub fn expires_at(&self) -> Option<NumericDate> {
        self.registered().expires_at()
    }

    /// The time until the token expires, by the clock of the system and in whole seconds. It is
    /// zero within the leeway, and `None` if the token has no `exp`.
    #[must_use]
    pub fn expires_in(&self) -> Option<Duration> {
        let left = self.expires_at()?.floor().saturating_sub(unix_seconds(SystemClock.now()));
        Some(Duration::from_secs(left.try_into().unwrap_or_default()))
    }

    /// The time before which the token is not valid (`nbf`, RFC 7519 §4.1.5).
    #[must_use]
    pub fn not_before(&self) -> Option<NumericDate> {
        self.registered().not_before()
    }

    /// The time at which the token was issued (`iat`, RFC 7519 §4.1.6).
    #[must_use]
    pub fn issued_at(&self) -> Option<NumericDate> {
        self.registered().issued_at()
    }

    /// The token's id (`jti`, RFC 7519 §4.1.7).
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.registered().token_id()
    }

    /// The client that the token was issued to (`client_id`, RFC 8693 §4.3).
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.registered().client_id()
    }

    /// The session at the issuer (`sid`, OpenID Connect Front-Channel Logout 1.0 §3).
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.registered().session_id()
    }

    /// The scopes (`scope`, RFC 8693 §4.2, and `scp`).
    #[must_use]
    pub fn scopes(&self) -> ScopeSet<'_> {
        self.registered().scopes()
    }

    /// The authentication context of the login (`acr`); see [`RegisteredClaims::acr`].
    #[must_use]
    pub fn acr(&self) -> Option<String> {
        self.registered().acr()
    }

    /// The methods of the login (`amr`); see [`RegisteredClaims::amr`].
    #[must_use]
    pub fn amr(&self) -> Option<Vec<String>> {
        self.registered().amr()
    }

    /// The time of the login (`auth_time`); see [`RegisteredClaims::auth_time`].
    #[must_use]
    pub fn auth_time(&self) -> Option<NumericDate> {
        self.registered().auth_time()
    }

    /// The verifier that has verified the token.
    pub(crate) fn origin(&self) -> &Origin {
        &self.0.origin
    }

    /// Whether a time is at most so many seconds ago, and not in the future, by the clock and with
    /// the leeway of the verifier.
    pub(crate) fn is_within(&self, time: NumericDate, max_age: i64) -> bool {
        self.0.origin.is_within(time, max_age)
    }

    /// The scopes that imply others, if the verifier has such a table.
    pub(crate) fn scope_hierarchy(&self) -> Option<&ScopeHierarchy> {
        self.0.origin.scope_hierarchy()
    }

    /// The claim at `path` as a `T`; see [`RegisteredClaims::get`].
    #[must_use]
    pub fn get<T: DeserializeOwned>(&self, path: impl Into<ClaimPath>) -> Option<T> {
        self.registered().get(path)
    }

    /// How the sender has shown that the token is theirs. A bearer token has no proof.
    #[must_use]
    pub fn proof_of_possession(&self) -> ProofOfPossession {
        ProofOfPossession::of(self.registered().confirmation())
    }

    /// The [shadow rules](super::VerifierBuilder::shadow) that would have refused the token, as the
    /// last request with this token has found them. It is empty without shadow rules.
    ///
    /// Ask it in a handler. A rule of the verifier runs before the shadow rules that depend
    /// on the time.
    ///
    /// # Example: which clients send ID tokens?
    /// ```
    /// use tower_jwt_auth::{Claims, verifier::ShadowRule};
    ///
    /// async fn orders(claims: Claims) {
    ///     if claims.shadow().contains(ShadowRule::TokenType) {
    ///         eprintln!("no access token: client {:?}", claims.client_id());
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn shadow(&self) -> ShadowVerdict {
        self.0.shadow.get()
    }

    /// The verdict that the shadow rules keep.
    #[inline]
    pub(super) fn kept_verdict(&self) -> &KeptVerdict {
        &self.0.shadow
    }

    /// Claims that no verifier has seen.
    #[cfg(feature = "test-util")]
    pub(super) fn unverified(
        registered: RegisteredClaims,
        custom: Option<C>,
        origin: Origin,
    ) -> Self {
        Self(Arc::new(ClaimsInner {
            registered: Arc::new(registered),
            custom,
            shadow: KeptVerdict::default(),
            origin,
        }))
    }

    /// The registered claims, which these share.
    pub(super) fn to_shared(&self) -> Arc<RegisteredClaims> {
        Arc::clone(&self.0.registered)
    }

    /// The same claims without the application's type.
    pub(super) fn to_registered(&self) -> Claims {
        let (registered, shadow) = (Arc::clone(&self.0.registered), self.0.shadow.clone());
        let origin = self.0.origin.clone();
        Claims(Arc::new(ClaimsInner { registered, custom: None, shadow, origin }))
    }

    /// The same claims without a type of the application.
    #[cfg(feature = "mcp")]
    pub(crate) fn as_registered(&self) -> std::borrow::Cow<'_, Claims>
    where
        C: 'static,
    {
        let any: &dyn Any = self;
        match any.downcast_ref() {
            Some(same) => std::borrow::Cow::Borrowed(same),
            None => std::borrow::Cow::Owned(self.to_registered()),
        }
    }
}

impl<C: Clone + 'static> Claims<C> {
    /// The application's type by value. It is cloned if others have the same claims too, such as
    /// the request's extensions and the verifier's cache.
    #[must_use]
    pub fn into_inner(self) -> C {
        match Arc::try_unwrap(self.0) {
            Ok(ClaimsInner { custom: Some(custom), .. }) => custom,
            Ok(inner) => C::clone(&Self(Arc::new(inner))),
            Err(shared) => C::clone(&Self(shared)),
        }
    }
}

impl<C: 'static> Deref for Claims<C> {
    type Target = C;

    fn deref(&self) -> &C {
        match &self.0.custom {
            Some(custom) => custom,
            None => {
                let registered: &dyn Any = &*self.0.registered;
                registered.downcast_ref().expect("only registered claims have no other value")
            }
        }
    }
}

impl<C: 'static> AsRef<C> for Claims<C> {
    fn as_ref(&self) -> &C {
        self
    }
}

impl<C> Clone for Claims<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Shows only the registered claims: the application's type may have data that must not be logged,
/// and need not be `Debug`.
impl<C> fmt::Debug for Claims<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").field("registered", &self.0.registered).finish_non_exhaustive()
    }
}
