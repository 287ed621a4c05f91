//! Revocation: tokens that are refused before their time is over.
//!
//! A token is good until it expires, and nobody asks whether its user has logged out
//! since. A [`Denylist`] is asked: at each request, for the few tokens that are to end
//! early.
//!
//! # Rules
//!
//! 1. A [`Revocation`] names one token (`jti`), the tokens of one session (`sid`), or
//!    those of a subject that were issued until some time; always those of one issuer.
//! 2. It lasts until the tokens that it names have expired, by every clock that is
//!    within 5 minutes of this one.
//! 3. With a denylist, a token has a `jti`: one that leaves it out could not be
//!    revoked. [`without_token_id`](crate::verifier::VerifierBuilder::without_token_id)
//!    says otherwise.
//! 4. Where the list cannot be asked, the answer is 503 and not the resource.
//!
//! # Example: one token
//! ```
//! use tower_jwt_auth::{
//!     Claims, Key, RegisteredClaims, Verifier,
//!     revocation::{Denylist, MemoryDenylist, Revocation},
//! };
//!
//! # async fn revoke(claims: Claims, now: i64) -> Result<(), Box<dyn std::error::Error>> {
//! let denylist = MemoryDenylist::new();
//! let verifier = Verifier::builder()
//!     .issuer("https://login.example.com")
//!     .audience("https://api.example.com")
//!     .keys(Key::hs256([7; 32]))
//!     .denylist(denylist.clone())
//!     .build()?;
//!
//! if let Some(revocation) = Revocation::of_token(claims.registered()) {
//!     denylist.revoke(revocation).await.map_err(tower_jwt_auth::Error::from)?;
//! }
//! # Ok(()) }
//! ```
//!
//! # Deployment
//!
//! [`MemoryDenylist`] is for one process. Where there are several, one of them is told
//! of a logout and the others are not: use a store that they share, such as the one of
//! the feature `redis`.

mod memory;
mod record;

use std::{fmt, sync::Arc};

pub use self::{
    memory::MemoryDenylist,
    record::{Revocation, TokenIds},
};
use crate::{
    claims::RegisteredClaims,
    error::{Error, ErrorKind, StoreError},
    maybe_ready::MaybeReady,
    observe::Outage,
};

/// A list of revocations.
///
/// Implement it for a store of your own; [`Revocation::key`] and [`TokenIds::keys`]
/// are for those that look things up by a text.
pub trait Denylist: Send + Sync + 'static {
    /// Adds a revocation. It holds when this has been answered, also after a restart if
    /// the list is one that lasts.
    ///
    /// # Errors
    ///
    /// The store cannot be reached, or is full: the revocation may not hold.
    fn revoke(&self, revocation: Revocation) -> MaybeReady<Result<(), StoreError>>;

    /// Whether a revocation names this token.
    ///
    /// # Errors
    ///
    /// The store cannot be reached: nobody knows.
    fn is_revoked(&self, token: TokenIds<'_>) -> MaybeReady<Result<bool, StoreError>>;
}

impl<D: Denylist + ?Sized> Denylist for Arc<D> {
    fn revoke(&self, revocation: Revocation) -> MaybeReady<Result<(), StoreError>> {
        (**self).revoke(revocation)
    }

    fn is_revoked(&self, token: TokenIds<'_>) -> MaybeReady<Result<bool, StoreError>> {
        (**self).is_revoked(token)
    }
}

/// Evidence that no revocation names a token; made by [`Revocations`] alone.
#[derive(Debug)]
pub(crate) struct NotRevoked(());

/// Who is asked whether a token is revoked, if anybody is.
#[derive(Clone, Default)]
pub(crate) struct Revocations {
    list: Option<Arc<dyn Denylist>>,
    /// Takes a token of which nobody knows.
    fail_open: bool,
    outage: Arc<Outage>,
}

impl Revocations {
    pub(crate) fn set(&mut self, list: impl Denylist) {
        self.list = Some(Arc::new(list));
    }

    pub(crate) fn fail_open(&mut self) {
        self.fail_open = true;
    }

    pub(crate) fn is_configured(&self) -> bool {
        self.list.is_some()
    }

    /// Asks for a token that is verified in all else.
    #[inline]
    pub(crate) fn check(&self, claims: &RegisteredClaims) -> MaybeReady<Result<NotRevoked, Error>> {
        let Some(list) = &self.list else { return MaybeReady::Ready(Ok(NotRevoked(()))) };
        match list.is_revoked(TokenIds::new(claims)) {
            MaybeReady::Ready(answer) => {
                if answer.is_ok() {
                    self.outage.answered("denylist");
                }
                MaybeReady::Ready(self.verdict(answer))
            }
            MaybeReady::Pending(answer) => {
                let asked = self.clone();
                MaybeReady::pending(async move {
                    let answer = answer.await;
                    if answer.is_ok() {
                        asked.outage.answered("denylist");
                    }
                    asked.verdict(answer)
                })
            }
        }
    }

    #[inline]
    fn verdict(&self, answer: Result<bool, StoreError>) -> Result<NotRevoked, Error> {
        match answer {
            Ok(false) => Ok(NotRevoked(())),
            Ok(true) => Err(Error::new(ErrorKind::Revoked)),
            Err(error) => self.unknown(error.into()),
        }
    }

    /// The list does not answer.
    #[cold]
    fn unknown(&self, error: Error) -> Result<NotRevoked, Error> {
        if self.fail_open {
            self.outage.passed_unchecked(&error);
            return Ok(NotRevoked(()));
        }
        self.outage.failed("denylist", &error);
        Err(error)
    }
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocations")
            .field("configured", &self.is_configured())
            .field("fail_open", &self.fail_open)
            .finish()
    }
}
