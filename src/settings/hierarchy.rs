//! The hierarchy of scopes that the settings describe.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use super::text::List;
use crate::{authorize::ScopeHierarchy, scope_hierarchy::is_scope};

/// Scopes with those that they imply: a table, or one text. It has no cycle.
#[derive(Clone, Debug, Default)]
pub(super) struct Hierarchy(BTreeMap<String, Vec<String>>);

impl Hierarchy {
    /// The hierarchy, if there is an entry.
    pub(super) fn scopes(&self) -> Option<ScopeHierarchy> {
        let add = |all: ScopeHierarchy, (granted, implied): (&String, &Vec<String>)| {
            all.implies(granted.as_str(), implied)
        };
        (!self.0.is_empty()).then(|| self.0.iter().fold(ScopeHierarchy::new(), add))
    }

    fn add(&mut self, granted: &str, implied: Vec<String>) -> Result<(), String> {
        for scope in [granted].into_iter().chain(implied.iter().map(String::as_str)) {
            if !is_scope(scope) {
                return Err(format!(
                    "the entry {granted:?} has the scope {scope:?}, which is not one: a scope has at \
                     least one character, no blanks, quotes and backslashes, and is ASCII"
                ));
            }
        }
        if implied.is_empty() {
            return Err(format!(
                "the entry {granted:?} implies no scope: name one, or leave it out"
            ));
        }
        if self.0.insert(granted.to_owned(), implied).is_some() {
            return Err(format!("the entry {granted:?} is there twice: write one with all scopes"));
        }
        Ok(())
    }

    /// # Errors
    ///
    /// A scope implies itself, maybe by way of others.
    fn checked(self) -> Result<Self, String> {
        for start in self.0.keys() {
            if let Some(way) = self.way_back(start) {
                return Err(format!(
                    "the entry {start:?} implies itself ({}): leave one of these out",
                    way.join(" implies ")
                ));
            }
        }
        Ok(self)
    }

    /// The scopes from this one to itself.
    fn way_back<'h>(&'h self, start: &'h str) -> Option<Vec<&'h str>> {
        let mut seen = BTreeSet::new();
        let mut ways = vec![vec![start]];
        while let Some(way) = ways.pop() {
            let Some(last) = way.last() else { continue };
            for next in self.0.get(*last).into_iter().flatten() {
                let longer = [&*way, &[next.as_str()]].concat();
                if next == start {
                    return Some(longer);
                }
                if seen.insert(next) {
                    ways.push(longer);
                }
            }
        }
        None
    }
}

impl<'de> Deserialize<'de> for Hierarchy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(HierarchyVisitor)
    }
}

struct HierarchyVisitor;

impl<'de> Visitor<'de> for HierarchyVisitor {
    type Value = Hierarchy;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of scopes, or a text such as \"a = b c; d = a\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Hierarchy, A::Error> {
        let mut all = Hierarchy::default();
        while let Some(granted) = map.next_key::<String>()? {
            let implied = map.next_value::<List>();
            let implied = implied.map_err(|error| {
                A::Error::custom(format_args!("the entry {granted:?}: {error}"))
            })?;
            all.add(&granted, implied.iter().cloned().collect()).map_err(A::Error::custom)?;
        }
        all.checked().map_err(A::Error::custom)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Hierarchy, E> {
        let mut all = Hierarchy::default();
        for entry in text.split(';').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (granted, implied) = entry.split_once('=').ok_or_else(|| {
                E::custom(format_args!(
                    "the entry {entry:?} has no `=`: write it as \"granted = implied implied\""
                ))
            })?;
            let is_gap = |c: char| c == ',' || c.is_whitespace();
            let implied = implied.split(is_gap).filter(|scope| !scope.is_empty());
            all.add(granted.trim(), implied.map(str::to_owned).collect()).map_err(E::custom)?;
        }
        all.checked().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn error(value: Value) -> String {
        serde_json::from_value::<Hierarchy>(value).unwrap_err().to_string()
    }

    #[test]
    fn a_table_and_a_text_are_the_same() {
        for value in [
            json!({"files:write": ["files:read", "files:list"], "admin": "files:write"}),
            json!("files:write = files:read files:list; admin=files:write;"),
            json!("\nfiles:write=files:read,files:list;\nadmin = files:write"),
        ] {
            let hierarchy: Hierarchy = serde_json::from_value(value.clone()).unwrap();
            let scopes = hierarchy.scopes().unwrap();
            for implied in ["files:write", "files:read", "files:list"] {
                assert!(scopes.covers("admin", implied), "{value}: {implied}");
            }
            assert!(!scopes.covers("files:read", "files:write"), "{value}");
        }
        assert!(serde_json::from_value::<Hierarchy>(json!({})).unwrap().scopes().is_none());
    }

    #[test]
    fn a_faulty_entry_is_named() {
        for (value, said) in [
            (json!({"a": ["a"]}), "the entry \"a\" implies itself (a implies a)"),
            (
                json!({"x": ["a"], "a": ["b"], "b": ["c", "d"], "c": ["a"]}),
                "the entry \"a\" implies itself (a implies b implies c implies a)",
            ),
            (json!("a = b; b = a"), "(a implies b implies a)"),
            (json!({"": ["a"]}), "the entry \"\" has the scope \"\""),
            (json!({"a": ["b c"]}), "the entry \"a\" has the scope \"b c\", which is not one"),
            (json!({"a": ["b\""]}), "the entry \"a\" has the scope \"b\\\"\""),
            (json!({"ä": ["b"]}), "the scope \"ä\""),
            (json!({"a": [""]}), "the entry \"a\": a value in the list is empty"),
            (json!({"a": []}), "the entry \"a\": invalid length 0"),
            (json!({"a": {"b": 1}}), "the entry \"a\": invalid type: map"),
            (json!("a ="), "the entry \"a\" implies no scope"),
            (json!("= a"), "the entry \"\" has the scope \"\""),
            (json!("a"), "the entry \"a\" has no `=`"),
            (json!("a = b; a = c"), "the entry \"a\" is there twice"),
            (json!(7), "a table of scopes"),
        ] {
            let error = error(value.clone());
            assert!(error.contains(said), "{value}: {error}");
        }
        let twice = serde_json::from_str::<Hierarchy>(r#"{"a":["b"],"a":["c"]}"#).unwrap_err();
        assert!(twice.to_string().contains("the entry \"a\" is there twice"), "{twice}");
        // Two ways to the same scope are not a cycle.
        let diamond = json!({"a": ["b", "c"], "b": ["d"], "c": ["d"]});
        assert!(serde_json::from_value::<Hierarchy>(diamond).is_ok());
    }
}
