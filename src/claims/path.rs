//! The path of a claim in a token.

use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::{self, Text};

/// The place of a claim: the names of the members that lead to it.
///
/// - A string is parted at its dots: `"realm_access.roles"` is `roles` within `realm_access`.
/// - A string with a `/` or a `:` is one name, such as `"https://example.com/roles"` and
///   `"cognito:groups"`. Its dots do not part it.
/// - An array has the names one by one: `["resource_access", "my.client", "roles"]`.
///
/// An array without names leads nowhere: it matches no claim.
///
/// The token has no say in how a path is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath(Box<[Box<str>]>);

impl ClaimPath {
    /// The value at this place of `payload`, if it is there and fits.
    pub(super) fn read<T: DeserializeOwned>(&self, payload: &str) -> Option<T> {
        // It would lead to the whole payload, whose names are no roles.
        if self.0.is_empty() {
            return None;
        }
        let mut json = serde_json::Deserializer::from_str(payload);
        let value = Seek(&self.0).deserialize(&mut json).ok()??;
        json::value(value.get()).ok()
    }
}

impl From<&str> for ClaimPath {
    fn from(path: &str) -> Self {
        if path.contains(['/', ':']) {
            Self::from([path])
        } else {
            Self(path.split('.').map(Box::from).collect())
        }
    }
}

impl<const N: usize> From<[&str; N]> for ClaimPath {
    fn from(names: [&str; N]) -> Self {
        Self(names.into_iter().map(Box::from).collect())
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// Goes down to a value, and reads it.
struct Seek<'p>(&'p [Box<str>]);

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        if self.0.is_empty() {
            serde::Deserialize::deserialize(deserializer).map(Some)
        } else {
            // If there is no object, the error says as much as `None` would.
            deserializer.deserialize_map(self)
        }
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(Text(name)) = map.next_key()? {
            match self.0.split_first() {
                // The payload was read strictly: the name is there once.
                Some((first, rest)) if **first == *name => {
                    found = map.next_value_seed(Seek(rest))?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYLOAD: &str = r#"{"a":{"b":{"c":["x"]}},"a.b":1,"https://e.com/r":"u","urn:a.b:roles":{"admin":{}},"urn:a":{"b:roles":1},"n":null}"#;

    #[test]
    fn paths_lead_where_they_say() {
        let read = |path: ClaimPath| path.read::<serde_json::Value>(PAYLOAD);
        assert_eq!(read("a.b.c".into()), Some(serde_json::json!(["x"])));
        assert_eq!(read(["a.b"].into()), Some(serde_json::json!(1)));
        assert_eq!(read("https://e.com/r".into()), Some(serde_json::json!("u")));
        assert_eq!(read("urn:a.b:roles".into()), Some(serde_json::json!({"admin": {}})));
        assert_eq!(read([].into()), None);
        for path in ["a.x", "x", "a.b.c.d", "n.x", ""] {
            assert_eq!(read(path.into()), None, "{path}");
        }
    }

    #[test]
    fn what_does_not_fit_is_none() {
        assert_eq!(ClaimPath::from("a.b.c").read::<Vec<u8>>(PAYLOAD), None);
        assert_eq!(ClaimPath::from("a.b.c").read::<Vec<String>>(PAYLOAD), Some(vec!["x".into()]));
    }
}
