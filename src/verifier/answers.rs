//! The refusals that a verifier can make, for documents.

use super::{Engines, Verifier, engine::Engine};

/// The refusals that a verifier can make, besides 400 and 401.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Answers {
    /// 403, by a rule of the application.
    pub(crate) forbidden: bool,
    /// 429, by the replay store of proofs.
    pub(crate) too_many_requests: bool,
    /// 503, because something has to be asked that may not answer.
    pub(crate) unavailable: bool,
}

impl<C> Verifier<C> {
    /// The refusals that it can make. Issuers can be added later, so all are possible with them.
    pub(crate) fn answers(&self) -> Answers {
        let has_store = self.proofs().dpop.as_ref().is_some_and(|dpop| dpop.has_store());
        match &self.0.engines {
            Engines::One(engine) | Engines::ObservedOne(engine) => Answers {
                forbidden: !engine.user_rules.is_empty(),
                too_many_requests: has_store,
                unavailable: has_store || engine.asks_others(),
            },
            Engines::ByIssuer(_) | Engines::ObservedByIssuer(_) => {
                Answers { forbidden: true, too_many_requests: has_store, unavailable: true }
            }
        }
    }
}

impl<C> Engine<C> {
    /// Whether keys, a denylist or a rule may have to be asked elsewhere. Each rule can say that it
    /// cannot decide.
    fn asks_others(&self) -> bool {
        #[cfg(feature = "remote")]
        let are_fetched = !self.keys.remote().is_empty();
        #[cfg(not(feature = "remote"))]
        let are_fetched = false;
        are_fetched
            || !self.keys.by_id().is_empty()
            || self.revocations.is_configured()
            || !self.user_rules.is_empty()
    }
}
