//! The settings of shadow rules.

use serde::{Deserialize, Deserializer};

use super::{
    number::Flag,
    text::{AsMap, List, Span},
};
use crate::{alg::Algorithm, error::ConfigError, verifier::ShadowRules};

/// The table `shadow`: settings of the same names as those of the rules that are enforced.
#[derive(Clone, Debug, Default)]
pub(super) struct Shadow(ShadowTable);

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "the settings of shadow rules")]
struct ShadowTable {
    #[serde(default)]
    audience: List,
    #[serde(default)]
    client_id: List,
    algorithms: Option<List<Algorithm>>,
    leeway: Option<Span>,
    max_age: Option<Span>,
    #[serde(default)]
    access_tokens_only: Flag,
    token_type: Option<List>,
    #[serde(default)]
    required_claim: List,
}

impl<'de> Deserialize<'de> for Shadow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ShadowTable::deserialize(AsMap(deserializer)).map(Self)
    }
}

impl Shadow {
    /// # Errors
    ///
    /// Settings contradict each other.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.0.access_tokens_only.0 && self.0.token_type.is_some() {
            return Err(ConfigError::Settings(
                "`access_tokens_only` in `shadow` already requires a `typ`, leave out `token_type`"
                    .into(),
            ));
        }
        Ok(())
    }

    /// Adds the rules that are set.
    pub(super) fn apply(&self, mut rules: ShadowRules) -> ShadowRules {
        for audience in self.0.audience.iter() {
            rules = rules.audience(audience);
        }
        for client in self.0.client_id.iter() {
            rules = rules.client_id(client);
        }
        if let Some(algorithms) = &self.0.algorithms {
            rules = rules.algorithms(algorithms.iter().copied());
        }
        if let Some(Span(leeway)) = self.0.leeway {
            rules = rules.leeway(leeway);
        }
        if let Some(Span(max_age)) = self.0.max_age {
            rules = rules.max_age(max_age);
        }
        if self.0.access_tokens_only.0 {
            rules = rules.access_tokens_only();
        }
        if let Some(types) = &self.0.token_type {
            rules = rules.token_types(types.iter());
        }
        for claim in self.0.required_claim.iter() {
            rules = rules.required_claim(claim);
        }
        rules
    }
}
