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
/// An array without names matches no claim, and a policy with it refuses every token.
///
/// The token has no say in how a path is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath(Box<[Box<str>]>);

impl ClaimPath {
    /// The value at this place of `payload`, if it is there and fits.
    pub(super) fn read<T: DeserializeOwned>(&self, payload: &str) -> Option<T> {
        self.find(payload).ok().flatten()
    }

    /// The value at this place of `payload`; `None` if it is absent. A value that does not
    /// fit is an error, and so is anything but an object on the way to it.
    pub(super) fn find<T: DeserializeOwned>(&self, payload: &str) -> Result<Option<T>, Misplaced> {
        // It would lead to the whole payload, whose names are no roles. Absence would be an answer.
        if self.0.is_empty() {
            return Err(Misplaced);
        }
        let mut json = serde_json::Deserializer::from_str(payload);
        match Seek(&self.0).deserialize(&mut json) {
            Ok(Some(value)) => json::value(value.get()).map(Some).map_err(|_| Misplaced),
            Ok(None) => Ok(None),
            Err(_) => Err(Misplaced),
        }
    }
}

/// The claims have something else at a place than a path expects.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Misplaced;

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
    fn what_is_absent_is_not_what_has_another_form() {
        let find = |path: &str| ClaimPath::from(path).find::<Vec<String>>(PAYLOAD);
        for path in ["a.x", "x", "a.x.y"] {
            assert_eq!(find(path), Ok(None), "{path}");
        }
        for path in ["a.b.c.d", "n.x", "a.b", "n"] {
            assert_eq!(find(path), Err(Misplaced), "{path}");
        }
        let whole = ClaimPath::from([]).find::<serde_json::Value>(PAYLOAD);
        assert_eq!(whole, Err(Misplaced), "an empty path is not that of the payload");
    }

    #[test]
    fn what_does_not_fit_is_none() {
        assert_eq!(ClaimPath::from("a.b.c").read::<Vec<u8>>(PAYLOAD), None);
        assert_eq!(ClaimPath::from("a.b.c").read::<Vec<String>>(PAYLOAD), Some(vec!["x".into()]));
    }
}
