//! The claims of a verified token: this type is the promise of the crate.

use std::{fmt, ops::Deref, sync::Arc};

use memchr::memchr_iter;

use super::binding::Binding;
use crate::{
    claims::RegisteredClaims,
    keys::{Authentic, StillTrusted},
    revocation::NotRevoked,
    rules::WithinRules,
};

/// The claims of a token that was verified; cheap to clone.
///
/// It derefs to the application's own type, and has the registered claims
/// beside it. Only a [`Verifier`](super::Verifier) makes one: there is no other
/// way to come by a value of this type.
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
///     format!("hello {} ({})", user.name, user.registered().subject().unwrap_or("?"))
/// }
/// ```
///
/// # Example: it cannot be made up
/// ```compile_fail
/// let claims: tower_jwt_auth::Claims<()> = Default::default();
/// ```
pub struct Claims<C = RegisteredClaims>(Arc<ClaimsInner<C>>);

struct ClaimsInner<C> {
    registered: RegisteredClaims,
    custom: C,
}

/// Claims that lack the last evidence, which may have to be waited for.
pub(super) struct UnreleasedClaims<C>(Arc<ClaimsInner<C>>);

/// Claims that were verified once. They lack what may be different now: the time, the
/// keys, and what is revoked.
pub(super) struct CachedClaims<C>(Arc<ClaimsInner<C>>);

impl<C> UnreleasedClaims<C> {
    /// Wants the evidence of every other check, by value: without one of them this does not
    /// compile.
    #[inline]
    pub(super) fn new(
        _: Authentic,
        _: WithinRules,
        _: Binding,
        registered: RegisteredClaims,
        custom: C,
    ) -> Self {
        Self(Arc::new(ClaimsInner { registered, custom }))
    }

    /// What the denylist is asked for.
    pub(super) fn registered(&self) -> &RegisteredClaims {
        &self.0.registered
    }

    /// Keeps them for when the token comes again.
    pub(super) fn to_cached(&self) -> CachedClaims<C> {
        CachedClaims(Arc::clone(&self.0))
    }

    /// Wants the last evidence.
    pub(super) fn into_claims(self, _: NotRevoked) -> Claims<C> {
        Claims(self.0)
    }
}

impl<C> CachedClaims<C> {
    pub(super) fn registered(&self) -> &RegisteredClaims {
        &self.0.registered
    }

    /// Wants evidence of what may have changed since, but for the last one.
    pub(super) fn revalidate(&self, _: StillTrusted, _: WithinRules) -> UnreleasedClaims<C> {
        UnreleasedClaims(Arc::clone(&self.0))
    }

    /// How many bytes they take at the most. What is in a `C` is not known; it counts as if
    /// each value were kept, as a `serde_json::Value` keeps it.
    pub(super) fn bytes(&self) -> usize {
        let payload = self.0.registered.payload().as_bytes();
        let each = [(b'{', OBJECT), (b'[', ARRAY), (b':', MEMBER), (b',', ELEMENT)];
        let all = each
            .iter()
            .map(|(sign, bytes)| memchr_iter(*sign, payload).count().saturating_mul(*bytes));
        let own = payload.len().saturating_mul(2).saturating_add(size_of::<ClaimsInner<C>>());
        all.fold(own, usize::saturating_add)
    }
}

// What a map or a list takes for itself, and for each that is in it.
const OBJECT: usize = 640;
const ARRAY: usize = 128;
const MEMBER: usize = 96;
const ELEMENT: usize = 112;

impl<C> Claims<C> {
    /// The registered claims: issuer, subject, audience, times, scopes.
    #[must_use]
    pub fn registered(&self) -> &RegisteredClaims {
        &self.0.registered
    }
}

impl<C> Deref for Claims<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.0.custom
    }
}

impl<C> AsRef<C> for Claims<C> {
    fn as_ref(&self) -> &C {
        self
    }
}

impl<C> Clone for Claims<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Shows the registered claims alone: the application's type may hold what is not
/// for a log, and need not be `Debug`.
impl<C> fmt::Debug for Claims<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").field("registered", &self.0.registered).finish_non_exhaustive()
    }
}
