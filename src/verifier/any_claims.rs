//! The registered claims of a request, whatever type its layer reads besides.

#[cfg(feature = "test-util")]
use std::sync::Arc;
use std::{
    any::{Any, TypeId},
    borrow::Cow,
    sync::LazyLock,
};

use arc_swap::ArcSwap;
use http::Extensions;

use super::claims::Claims;
#[cfg(feature = "test-util")]
use super::origin::Origin;
use crate::{
    claims::RegisteredClaims,
    response::{ClaimsAbsent, Rejection},
};
#[cfg(feature = "test-util")]
use crate::{clock::Clock, scope_hierarchy::ScopeHierarchy};

/// The types of claims that a verifier was built for, each with a function that looks for it.
///
/// A request's extensions can only be asked for a type that is named. So a policy that needs
/// nothing but registered claims could not find them in a `Claims<User>` that it does not know.
/// A second value in the extensions would cost every request an allocation, also where nobody
/// looks for it.
static FINDERS: LazyLock<ArcSwap<Vec<Finder>>> = LazyLock::new(ArcSwap::default);

#[derive(Clone, Copy)]
struct Finder {
    of: TypeId,
    find: fn(&Extensions) -> Option<Result<Claims, Rejection>>,
}

/// Makes claims of this type known. Each type is added once.
pub(super) fn register<C: Send + Sync + 'static>() {
    let of = TypeId::of::<C>();
    let is_known = |finders: &[Finder]| finders.iter().any(|finder| finder.of == of);
    if of == TypeId::of::<RegisteredClaims>() || is_known(&FINDERS.load()) {
        return;
    }
    FINDERS.rcu(|finders| {
        let mut finders = Vec::clone(finders);
        if !is_known(&finders) {
            finders.push(Finder { of, find: find_registered::<C> });
        }
        finders
    });
}

fn find_registered<C: Send + Sync + 'static>(
    extensions: &Extensions,
) -> Option<Result<Claims, Rejection>> {
    match extensions.get::<Claims<C>>() {
        Some(claims) => Some(Ok(claims.to_registered())),
        None => ClaimsAbsent::<C>::find(extensions).cloned().map(Err),
    }
}

/// The claims of a request as a `C`.
///
/// A layer of the same type has left them. For [`RegisteredClaims`], a layer of any other type
/// has them too; of several such layers, nobody can say which one is meant. This does not depend
/// on which of them have let the request pass without claims: a route is right for every request
/// or for none.
#[inline]
pub(crate) fn find<C: Send + Sync + 'static>(
    extensions: &Extensions,
) -> Result<Cow<'_, Claims<C>>, Missing> {
    if let Some(claims) = extensions.get::<Claims<C>>() {
        return Ok(Cow::Borrowed(claims));
    }
    if let Some(rejection) = ClaimsAbsent::<C>::find(extensions) {
        return Err(Missing::Absent(rejection.clone()));
    }
    if TypeId::of::<C>() == TypeId::of::<RegisteredClaims>() {
        let mut found = Some(find_only(extensions)?);
        let found: &mut dyn Any = &mut found;
        if let Some(claims) = found.downcast_mut::<Option<Claims<C>>>().and_then(Option::take) {
            return Ok(Cow::Owned(claims));
        }
    }
    Err(if has_any(extensions) { Missing::OfAnotherType } else { Missing::Layer })
}

/// Makes claims for a test, without a token, judged by this clock or that of the system, and by this
/// hierarchy of scopes. `custom` is
/// `None` only if `C` is [`RegisteredClaims`].
#[cfg(feature = "test-util")]
pub(crate) fn claims_for_test<C: Send + Sync + 'static>(
    registered: RegisteredClaims,
    custom: Option<C>,
    clock: Option<Arc<dyn Clock>>,
    scope_hierarchy: Option<ScopeHierarchy>,
) -> Claims<C> {
    // A request with them is as one behind a layer for this type.
    register::<C>();
    Claims::unverified(registered, custom, Origin::of_test(clock, scope_hierarchy))
}

/// Whether a layer for some type has left a trace in the request.
#[cold]
fn has_any(extensions: &Extensions) -> bool {
    find_registered::<RegisteredClaims>(extensions).is_some()
        || FINDERS.load().iter().any(|finder| (finder.find)(extensions).is_some())
}

/// Why a request has no claims of a type.
pub(crate) enum Missing {
    /// The layer let the request pass without claims.
    Absent(Rejection),
    /// No layer has left any.
    Layer,
    /// Only layers for other types have.
    OfAnotherType,
    /// Several layers have left some, or the reason for their absence.
    Several,
}

/// The claims of the only layer that has left a trace in the request.
fn find_only(extensions: &Extensions) -> Result<Claims, Missing> {
    let finders = FINDERS.load();
    let mut traces = finders.iter().filter_map(|finder| (finder.find)(extensions));
    match (traces.next(), traces.next()) {
        (Some(_), Some(_)) => Err(Missing::Several),
        (Some(trace), None) => trace.map_err(Missing::Absent),
        (None, _) => Err(Missing::Layer),
    }
}
