//! The refusals of the service within a layer: they get its format and its challenge, and its
//! observers are told of them.

use std::sync::Arc;

use http::Response;

use crate::{
    error::Error,
    observe::{Decision, Observers, Scheme},
    response::{Challenge, Respond, inherit},
};

/// The settings of a layer for refusals from within; those that are not the default.
#[derive(Clone, Debug)]
pub(super) struct Within<R> {
    pub(super) format: Option<R>,
    /// The others are in one `Arc`, so that a request takes one question for all of them.
    pub(super) shared: Option<Arc<Shared>>,
}

/// The settings that all requests of a layer share.
#[derive(Debug)]
pub(super) struct Shared {
    /// `None` if it is the default one.
    challenge: Option<Challenge>,
    observers: Observers,
}

impl Shared {
    pub(super) fn new(challenge: Option<Challenge>, observers: &Observers) -> Arc<Self> {
        Arc::new(Self { challenge, observers: observers.clone() })
    }
}

/// In the extensions of a refusal of which observers were told.
#[derive(Clone)]
struct Reported;

/// Marks a refusal, so that the layers around do not tell their observers of it, too.
pub(super) fn mark_reported<B>(response: &mut Response<B>) {
    response.extensions_mut().insert(Reported);
}

impl<R> Within<R> {
    /// Of a layer that answers a request itself.
    pub(super) fn nothing() -> Self {
        Self { format: None, shared: None }
    }

    /// The response of the service within. Only one with extensions can be a refusal.
    #[inline]
    pub(super) fn apply<B>(&self, response: Response<B>) -> Response<B>
    where
        R: Respond<B>,
    {
        if response.extensions().is_empty() { response } else { self.apply_if_refusal(response) }
    }

    #[inline(never)]
    fn apply_if_refusal<B>(&self, response: Response<B>) -> Response<B>
    where
        R: Respond<B>,
    {
        let shared = self.shared.as_deref();
        let challenge = shared.and_then(|shared| shared.challenge.as_ref());
        let mut response = inherit(response, self.format.as_ref(), challenge);
        if let Some(shared) = shared {
            report(&shared.observers, &mut response);
        }
        response
    }
}

/// Tells the observers of a refusal, unless those of a layer further in were told.
fn report<B>(observers: &Observers, response: &mut Response<B>) {
    let extensions = response.extensions_mut();
    if !observers.is_empty()
        && extensions.get::<Reported>().is_none()
        && let Some(error) = extensions.get::<Error>().cloned()
    {
        // The event was written where the request was refused.
        let decision = Decision::refused(Scheme::Within, &error);
        observers.tell(|observer| observer.decided(&decision));
        extensions.insert(Reported);
    }
}
