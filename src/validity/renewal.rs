//! A stream continues with a fresh token.

use std::{
    error::Error as StdError,
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use super::{end::ValidityEnd, waiting::Waiting};
use crate::{
    claims::RegisteredClaims,
    error::Error,
    maybe_ready::{MaybeReady, MaybeReadyFuture},
    revocation::{Difference, Ended, WatchedToken},
    verifier::{Claims, FreshClaims},
};

/// The renewal of a stream by a fresh token: a future of its claims, made by
/// [`Validity::renew`](super::Validity::renew) and
/// [`Validity::renew_request`](super::Validity::renew_request).
///
/// # Cancel safety
///
/// Dropping it before it is ready changes nothing: the stream keeps its own end. The proof of a bound
/// token may be spent.
#[must_use = "a future does nothing unless it is polled"]
pub struct Renewal<C = RegisteredClaims> {
    waiting: Waiting,
    fresh: MaybeReadyFuture<Result<FreshClaims, RenewError>>,
    claims: PhantomData<fn() -> C>,
}

/// Why a fresh token does not renew a stream. The stream continues until its own end.
///
/// Its names are stable, such as `other_subject`. The client needs no more than the fact that the token was
/// refused.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RenewError {
    /// The verifier refuses the token. A token that is bound to its sender is refused by
    /// [`renew`](super::Validity::renew): it needs the request of its proof.
    Refused(Error),
    /// The token has another issuer.
    OtherIssuer,
    /// The token has another subject, or none.
    OtherSubject,
    /// The token is for another client (`client_id`, `azp`, `cid` or `appid`).
    OtherClient,
    /// The token is bound to another key or certificate (`cnf`), or only one of the two is bound.
    OtherKey,
    /// The stream has ended.
    Ended(ValidityEnd),
    /// The verifier was dropped, or its issuer was removed or replaced, or the claims were made for a test
    /// without a verifier.
    NoVerifier,
}

impl RenewError {
    /// Its stable name; that of the [kind](crate::error::ErrorKind::name) for a token that is refused.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Refused(error) => error.kind().name(),
            Self::OtherIssuer => "other_issuer",
            Self::OtherSubject => "other_subject",
            Self::OtherClient => "other_client",
            Self::OtherKey => "other_key",
            Self::Ended(_) => "ended",
            Self::NoVerifier => "no_verifier",
        }
    }
}

impl<C> Renewal<C> {
    pub(super) fn new(
        waiting: Waiting,
        fresh: MaybeReady<Result<FreshClaims, RenewError>>,
    ) -> Self {
        Self { waiting, fresh: fresh.into_future(), claims: PhantomData }
    }
}

impl<C: 'static> Future for Renewal<C> {
    type Output = Result<Claims<C>, RenewError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let fresh = match Pin::new(&mut this.fresh).poll(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(fresh) => fresh,
        };
        Poll::Ready(fresh.and_then(|fresh| {
            let registered = fresh.to_shared();
            // Before the end moves. It never fails: the claims have the type of the verifier.
            let claims = fresh.into_claims::<Claims<C>>().ok_or(RenewError::NoVerifier)?;
            this.waiting.renew(&registered, same_owner)?;
            Ok(claims)
        }))
    }
}

fn same_owner(old: &WatchedToken, fresh: &WatchedToken) -> Result<(), RenewError> {
    match old.difference(fresh) {
        None => Ok(()),
        Some(Difference::Issuer) => Err(RenewError::OtherIssuer),
        Some(Difference::Subject) => Err(RenewError::OtherSubject),
        Some(Difference::Client) => Err(RenewError::OtherClient),
        Some(Difference::Key) => Err(RenewError::OtherKey),
    }
}

impl From<Ended> for RenewError {
    fn from(ended: Ended) -> Self {
        Self::Ended(ended.into())
    }
}

impl fmt::Display for RenewError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused(_) => "the fresh token is refused",
            Self::OtherIssuer => "the fresh token has another issuer than that of the stream",
            Self::OtherSubject => "the fresh token has another subject than that of the stream",
            Self::OtherClient => "the fresh token is for another client than that of the stream",
            Self::OtherKey => "the fresh token is bound to another key than that of the stream",
            Self::Ended(_) => "the stream has ended",
            Self::NoVerifier => "the verifier of the stream is gone, open a new stream",
        })
    }
}

impl StdError for RenewError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Refused(error) => Some(error),
            _ => None,
        }
    }
}

impl<C> fmt::Debug for Renewal<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewal").finish_non_exhaustive()
    }
}
