//! The members of a JSON object, each as the text that it is written with.

use std::fmt;

use serde_json::{Map, Value};

use super::text;

/// The members of a JSON object in their order. A name may be repeated, and a value need not be JSON.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Members(Vec<(String, String)>);

impl Members {
    /// Sets a member to a value that is written as JSON; the first of its name.
    pub(crate) fn set(&mut self, name: &str, json: impl Into<String>) {
        let json = json.into();
        match self.0.iter_mut().find(|(own, _)| own == name) {
            Some((_, value)) => *value = json,
            None => self.repeat(name, json),
        }
    }

    /// Sets a member to a text.
    pub(crate) fn set_text(&mut self, name: &str, value: &str) {
        self.set(name, text(value));
    }

    /// Adds a member although one of its name may be there.
    pub(crate) fn repeat(&mut self, name: &str, json: impl Into<String>) {
        self.0.push((name.to_owned(), json.into()));
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(own, _)| own != name);
    }

    /// The text of a value.
    pub(crate) fn json(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| &**value)
    }

    /// Adds a member again, with the value that it has.
    pub(super) fn double(&mut self, name: &str) {
        let json = self.json(name).unwrap_or("null").to_owned();
        self.set(name, json.clone());
        self.repeat(name, json);
    }
}

impl From<&Map<String, Value>> for Members {
    fn from(map: &Map<String, Value>) -> Self {
        Self(map.iter().map(|(name, value)| (name.clone(), value.to_string())).collect())
    }
}

impl fmt::Display for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (place, (name, json)) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{}:{json}", text(name))?;
        }
        f.write_str("}")
    }
}
