//! A description as JSON.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{Login, PolicyDescription, Term};

/// An object with one member, which says the kind of the requirement: `all_scopes`, `any_scope`,
/// `login`, `sender_constrained`, `condition` (a text), `all_of`, `any_of`, `not` or `no_token` (the
/// reason). A requirement with a text of its own has `text` and `policy`. More kinds may be added.
impl Serialize for PolicyDescription {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.term() {
            Term::AllScopes(words) => map.serialize_entry("all_scopes", words),
            Term::AnyScope(words) => map.serialize_entry("any_scope", words),
            Term::Login(login) => map.serialize_entry("login", login),
            Term::SenderConstrained => map.serialize_entry("sender_constrained", &true),
            Term::Text(_) | Term::Opaque => map.serialize_entry("condition", &self.to_string()),
            Term::All(parts) => map.serialize_entry("all_of", parts),
            Term::Any(parts) => map.serialize_entry("any_of", parts),
            Term::Not(part) => map.serialize_entry("not", part),
            Term::Named { of, .. } => {
                map.serialize_entry("text", &self.to_string())?;
                map.serialize_entry("policy", of)
            }
            Term::Never(reason) => map.serialize_entry("no_token", reason),
        }?;
        map.end()
    }
}

impl Serialize for Login {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.acr_values.is_empty() {
            map.serialize_entry("acr_values", &self.acr_values)?;
        }
        if self.or_stronger {
            map.serialize_entry("or_stronger", &true)?;
        }
        if let Some(max_age) = self.max_age {
            map.serialize_entry("max_age", &max_age.as_secs())?;
        }
        map.end()
    }
}
