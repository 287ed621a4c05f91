//! The tokens of all issuers that were verified a moment ago.

use std::sync::{Arc, Weak};

use serde::de::DeserializeOwned;

use super::{Found, Issuers};
use crate::{
    error::Error,
    hotset::Fate,
    step::Step,
    verifier::{
        Claims, Kind, Verifier,
        cache::{Recalled, Verdict},
    },
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
    /// Verifies a token, unless it is known; only then `text` looks what it is made of.
    pub(in crate::verifier) fn verify<'t>(
        &self,
        found: &[u8],
        text: impl FnOnce() -> Result<&'t str, Error>,
    ) -> Step<Result<Claims<C>, Error>> {
        let known = self.0.cache.as_ref().and_then(|cache| {
            cache.find(cache.place(found), found, |known| self.recall(known)).flatten()
        });
        known.unwrap_or_else(|| match text() {
            Ok(token) => self.route(token),
            Err(error) => Step::Ready(Err(error)),
        })
    }

    /// Verifies a token by the verifier of its issuer, and keeps it.
    pub(super) fn verify_by(
        &self,
        verifier: &Verifier<C>,
        token: &str,
    ) -> Step<Result<Claims<C>, Error>> {
        let claim = || {
            let cache = self.0.cache.as_ref()?;
            let place = cache.place(token.as_bytes());
            Some((cache, (place, cache.claim(place, token)?)))
        };
        verifier.verify_among_others(token, claim, |(cache, claim), verdict| {
            let bytes = verdict.bytes();
            let known = Known { by: Arc::downgrade(&verifier.0), verdict };
            cache.insert(claim, token, known, bytes, Known::is_over);
        })
    }

    /// The answer to a known token, if whoever verified it is still its issuer's verifier.
    fn recall(&self, known: &Known<C>) -> Recalled<C> {
        let recall = |verifier: &Verifier<C>| match verifier.config() {
            Some(config) if verifier.is(&known.by) => verifier.recall(config, &known.verdict),
            _ => (None, Fate::Goes),
        };
        let Some(issuer) = known.verdict.registered().issuer() else { return (None, Fate::Goes) };
        let entry = self.0.table.load(issuer);
        match self.0.found(&entry) {
            Found::Fresh(verifier) => recall(verifier),
            Found::Old(verifier) => {
                self.renew(issuer);
                recall(verifier)
            }
            Found::Missing => (None, Fate::Goes),
        }
    }
}

impl<C> Verifier<C> {
    fn is(&self, other: &Weak<Kind<C>>) -> bool {
        std::ptr::eq(Arc::as_ptr(&self.0), other.as_ptr())
    }
}
