//! The names that a verifier accepts, for documents that are derived from it.

use super::{Engines, Verifier, engine::Engine, issuers::IssuerPattern};

/// The names that a verifier accepts now.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    /// The issuers that are known; `None` if every issuer is trusted.
    pub(crate) issuers: Option<Vec<String>>,
    /// The issuers that may be resolved.
    patterns: Vec<IssuerPattern>,
    /// The audiences; `None` if every audience is accepted, at least by one issuer.
    pub(crate) audiences: Option<Vec<String>>,
}

impl Accepted {
    /// Whether tokens of this issuer may be valid.
    pub(crate) fn trusts(&self, issuer: &str) -> bool {
        self.issuers.as_ref().is_none_or(|issuers| issuers.iter().any(|one| one == issuer))
            || self.patterns.iter().any(|pattern| pattern.matches(issuer))
    }
}

impl<C> Verifier<C> {
    /// The names that it accepts. Issuers that are added or resolved later are not among them.
    pub(crate) fn accepted(&self) -> Accepted {
        match &self.0.engines {
            Engines::One(engine) | Engines::ObservedOne(engine) => Accepted {
                issuers: engine.issuers().map(|all| all.iter().map(|one| (**one).into()).collect()),
                patterns: Vec::new(),
                audiences: engine.audiences(),
            },
            Engines::ByIssuer(engines) | Engines::ObservedByIssuer(engines) => {
                let mut issuers = engines.names();
                issuers.sort();
                let all = issuers.iter().filter_map(|issuer| engines.get(issuer));
                let audiences: Option<Vec<_>> = all.map(|engine| engine.audiences()).collect();
                let audiences = audiences.map(|all| {
                    let mut all = all.concat();
                    all.sort();
                    all.dedup();
                    all
                });
                Accepted { issuers: Some(issuers), patterns: engines.patterns(), audiences }
            }
        }
    }
}

impl<C> Engine<C> {
    /// The audiences; `None` if every audience is accepted.
    fn audiences(&self) -> Option<Vec<String>> {
        let audiences = self.checks.rules.audiences.as_ref()?;
        Some(audiences.iter().map(|one| (**one).into()).collect())
    }
}
