//! Scopes (RFC 6749 §3.3): words with single blanks between them.

use std::{borrow::Cow, fmt};

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::payload_str::PayloadStr;
use crate::json::Checked;

/// The scopes of a token, from `scope` (RFC 9068 §2.2.3) and `scp`. Each may be a string with
/// words, or an array of strings, as some issuers write it.
///
/// Scopes are compared byte for byte. In a string, only U+0020 parts them (RFC 6749 §3.3). A
/// member of an array is one scope.
#[derive(Clone, Copy)]
pub struct ScopeSet<'a> {
    pub(super) payload: &'a str,
    pub(super) claims: [&'a KeptScope; 2],
}

impl<'a> ScopeSet<'a> {
    /// The scopes, `scope` before `scp`; a scope in both comes twice.
    pub fn iter(self) -> impl Iterator<Item = &'a str> {
        self.claims.into_iter().flat_map(move |claim| claim.iter(self.payload))
    }

    /// Whether the token has `scope`.
    #[must_use]
    pub fn contains(self, scope: &str) -> bool {
        self.iter().any(|other| other == scope)
    }

    /// Whether the token has no scope.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.iter().next().is_none()
    }

    /// Whether one of the two claims is there in a form that it cannot have.
    pub(crate) fn is_malformed(self) -> bool {
        self.claims.iter().any(|claim| matches!(claim, KeptScope::Malformed))
    }
}

impl fmt::Debug for ScopeSet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A `scope` or `scp` claim that is kept.
#[derive(Clone)]
pub(super) enum KeptScope {
    None,
    Words(PayloadStr),
    List(Box<[PayloadStr]>),
    Malformed,
}

impl KeptScope {
    pub(super) fn new(raw: Option<&RawScope<'_>>, payload: &str) -> Self {
        match raw {
            None => Self::None,
            Some(RawScope::Words(words)) => Self::Words(PayloadStr::new(words, payload)),
            Some(RawScope::List(list)) => {
                Self::List(list.iter().map(|scope| PayloadStr::new(scope, payload)).collect())
            }
            Some(RawScope::Malformed) => Self::Malformed,
        }
    }

    fn iter<'a>(&'a self, payload: &'a str) -> impl Iterator<Item = &'a str> {
        let (words, list) = match self {
            Self::Words(words) => (words.get(payload), &[][..]),
            Self::List(list) => ("", &**list),
            Self::None | Self::Malformed => ("", &[][..]),
        };
        let list = list.iter().map(move |scope| scope.get(payload));
        words.split(' ').chain(list).filter(|scope| !scope.is_empty())
    }
}

/// A `scope` or `scp` claim as the payload has it. A wrong type is an
/// error only where somebody asks for scopes.
pub(crate) enum RawScope<'a> {
    Words(Cow<'a, str>),
    List(Vec<Cow<'a, str>>),
    Malformed,
}

impl<'de> Deserialize<'de> for RawScope<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScopeVisitor)
    }
}

struct ScopeVisitor;

impl<'de> Visitor<'de> for ScopeVisitor {
    type Value = RawScope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("scopes")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(RawScope::Words(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(RawScope::Words(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(RawScope::Malformed)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(RawScope::Malformed)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(RawScope::Malformed)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(RawScope::Malformed)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(RawScope::Malformed)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Checked::deserialize(de::value::MapAccessDeserializer::new(map))?;
        Ok(RawScope::Malformed)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Some(Vec::new());
        while let Some(element) = seq.next_element::<Element<'de>>()? {
            match (element, &mut list) {
                (Element::Text(scope), Some(list)) => list.push(scope),
                _ => list = None,
            }
        }
        Ok(list.map_or(RawScope::Malformed, RawScope::List))
    }
}

/// A string, or anything else, checked.
enum Element<'a> {
    Text(Cow<'a, str>),
    Other,
}

impl<'de> Deserialize<'de> for Element<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The visitor above tells strings from the rest already; an array
        // within an array is as wrong as a number.
        Ok(match RawScope::deserialize(deserializer)? {
            RawScope::Words(words) => Self::Text(words),
            _ => Self::Other,
        })
    }
}
