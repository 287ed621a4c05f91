//! Issuers and audiences, as they are configured.

use crate::{error::ConfigError, keys::KeySources};

/// The values that a claim may have.
pub(super) enum AllowedValues {
    /// These: `build()` wants at least one.
    Only(Vec<String>),
    /// All, and none.
    Any,
}

impl AllowedValues {
    pub(super) fn add(&mut self, name: String) {
        match self {
            Self::Only(names) => names.push(name),
            Self::Any => *self = Self::Only(vec![name]),
        }
    }

    /// The issuers, or where none is named, those that all keys are bound to.
    pub(super) fn of_keys(self, keys: &KeySources) -> Result<Self, ConfigError> {
        let mut bound: Vec<_> = keys.issuers().flatten().map(String::from).collect();
        bound.dedup();
        let all_bound = keys.issuers().all(|one| one.is_some());
        match self {
            Self::Only(names) if names.is_empty() && all_bound => Ok(Self::Only(bound)),
            Self::Only(names)
                if !names.is_empty() && bound.iter().any(|issuer| !names.contains(issuer)) =>
            {
                Err(ConfigError::InvalidName(
                    "keys are bound to an issuer that `.issuer(…)` does not name, write it the \
                     same in both places, to the last slash, or leave out `.issuer(…)`",
                ))
            }
            Self::Only(names) if all_bound && names.iter().any(|name| !bound.contains(name)) => {
                Err(ConfigError::InvalidName(
                    "`.issuer(…)` names an issuer that none of the keys is for, leave it out, or \
                     give its keys too",
                ))
            }
            names => Ok(names),
        }
    }

    pub(super) fn check(
        self,
        none: ConfigError,
        empty: &'static str,
    ) -> Result<Option<Vec<String>>, ConfigError> {
        match self {
            Self::Any => Ok(None),
            Self::Only(names) if names.is_empty() => Err(none),
            Self::Only(names) if names.iter().any(|name| name.trim().is_empty()) => {
                Err(ConfigError::InvalidName(empty))
            }
            Self::Only(names) => Ok(Some(names)),
        }
    }
}
