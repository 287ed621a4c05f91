//! The answer to one token, as a future.

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    task::{Context, Poll},
};

use super::Claims;
use crate::{
    claims::RegisteredClaims,
    error::Error,
    maybe_ready::{MaybeReady, MaybeReadyFuture},
};

/// The verification of one token: a future of its claims.
///
/// Nearly always the answer is known when [`Verifier::verify`](super::Verifier::verify) returns:
/// [`now_or_never`](Self::now_or_never) takes it without a runtime. Otherwise it waits for an
/// asynchronous rule, a denylist that is asked elsewhere, or a key that is fetched.
///
/// # Example: in a task of its own
/// ```
/// use tower_jwt_auth::{Key, Verifier};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let verifier = Verifier::builder()
///     .issuer("https://login.example.com")
///     .audience("https://api.example.com")
///     .keys(Key::hs256([7; 32]))
///     .build()?;
///
/// let task = tokio::spawn(verifier.verify("not.a.token"));
/// assert!(task.await?.is_err());
///
/// let answer = verifier.verify("not.a.token").now_or_never().expect("nothing to wait for");
/// assert!(answer.is_err());
/// # Ok(()) }
/// ```
///
/// # Cancel safety
///
/// Dropping it stops the verification. A fetch of keys that others wait for continues.
#[must_use = "a future does nothing unless it is polled"]
pub struct Verification<C = RegisteredClaims>(MaybeReadyFuture<Result<Claims<C>, Error>>);

impl<C> Verification<C> {
    pub(super) fn new(answer: MaybeReady<Result<Claims<C>, Error>>) -> Self {
        Self(answer.into_future())
    }

    /// Whether the answer is known already.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.is_ready()
    }

    /// The answer if it is known already, or `None` if something has to be waited for.
    pub fn now_or_never(self) -> Option<Result<Claims<C>, Error>> {
        MaybeReady::from(self).now_or_never()
    }
}

impl<C> Future for Verification<C> {
    type Output = Result<Claims<C>, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}

/// For a store or a service that answers in place what needs no wait.
impl<C> From<Verification<C>> for MaybeReady<Result<Claims<C>, Error>> {
    fn from(verification: Verification<C>) -> Self {
        verification.0.into()
    }
}

impl<C> fmt::Debug for Verification<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verification").finish_non_exhaustive()
    }
}
