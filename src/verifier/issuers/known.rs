//! The tokens of all issuers that were verified a moment ago.

use std::sync::{Arc, Weak};

use serde::de::DeserializeOwned;

use super::{Found, Issuers};
use crate::{
    error::Error,
    step::Step,
    verifier::{Claims, Kind, Verifier, cache::Verdict},
};

/// A verdict, and whose it is: it stands as long as that verifier is the issuer's.
pub(super) struct Known<C> {
    /// Does not keep the verifier from being dropped, nor may another one have its address
    /// before this is gone.
    by: Weak<Kind<C>>,
    verdict: Verdict<C>,
}

impl<C> Known<C> {
    /// Whether it will not be asked for any more.
    fn is_over(&self) -> bool {
        self.by.upgrade().is_none_or(|kind| match &*kind {
            Kind::One(config) => config.is_over(&self.verdict),
            Kind::Many(_) => true,
        })
    }
}

impl<C: DeserializeOwned + Send + Sync + 'static> Issuers<C> {
    /// Verifies a token, unless it is known.
    pub(in crate::verifier) fn verify(&self, token: &str) -> Step<Result<Claims<C>, Error>> {
        let Some(cache) = &self.0.cache else { return self.route(token, |_, _| {}) };
        let place = cache.place(token);
        let known = cache.find(place, token, |known| self.answer(known));
        known.flatten().unwrap_or_else(|| {
            self.route(token, |verifier, verdict| {
                let bytes = verdict.bytes();
                let known = Known { by: Arc::downgrade(&verifier.0), verdict };
                cache.insert(place, token, bytes, known, Known::is_over);
            })
        })
    }

    /// The answer to a known token, if whoever verified it is still its issuer's verifier.
    fn answer(&self, known: &Known<C>) -> Option<Step<Result<Claims<C>, Error>>> {
        let table = self.0.table.load();
        let issuer = known.verdict.registered().issuer()?;
        match self.0.find(&table, issuer) {
            Found::Fresh(verifier) if verifier.is(&known.by) => {
                verifier.answer(verifier.config()?, &known.verdict)
            }
            // What is to be resolved again goes the long way, which sees to it.
            _ => None,
        }
    }
}

impl<C> Verifier<C> {
    fn is(&self, other: &Weak<Kind<C>>) -> bool {
        std::ptr::eq(Arc::as_ptr(&self.0), other.as_ptr())
    }
}
