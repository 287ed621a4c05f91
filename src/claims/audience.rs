//! `aud` (RFC 7519 §4.1.3): one recipient or several.

use std::{borrow::Cow, fmt};

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};

use super::payload_str::PayloadStr;
use crate::json::Text;

/// The recipients that a token is meant for (`aud`, RFC 7519 §4.1.3).
///
/// Made by [`RegisteredClaims::audience`](super::RegisteredClaims::audience);
/// empty where the token names none.
#[derive(Clone, Copy)]
pub struct Audience<'a> {
    pub(super) payload: &'a str,
    pub(super) members: &'a KeptAudience,
}

impl<'a> Audience<'a> {
    /// The recipients, in the order of the token.
    pub fn iter(self) -> impl Iterator<Item = &'a str> {
        let members = match self.members {
            KeptAudience::None => &[],
            KeptAudience::One(one) => std::slice::from_ref(one),
            KeptAudience::Many(many) => &**many,
        };
        members.iter().map(move |member| member.get(self.payload))
    }

    /// Whether the token is meant for `recipient`, byte for byte.
    #[must_use]
    pub fn contains(self, recipient: &str) -> bool {
        self.iter().any(|member| member == recipient)
    }

    /// Whether the token names no recipient.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.iter().next().is_none()
    }
}

impl fmt::Debug for Audience<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// An `aud` claim that is kept.
#[derive(Clone)]
pub(super) enum KeptAudience {
    None,
    One(PayloadStr),
    Many(Box<[PayloadStr]>),
}

impl KeptAudience {
    pub(super) fn new(raw: Option<&RawAudience<'_>>, payload: &str) -> Self {
        match raw {
            None => Self::None,
            Some(RawAudience::One(one)) => Self::One(PayloadStr::new(one, payload)),
            Some(RawAudience::Many(many)) => {
                Self::Many(many.iter().map(|member| PayloadStr::new(&member.0, payload)).collect())
            }
        }
    }
}

/// An `aud` claim as the payload has it.
pub(crate) enum RawAudience<'a> {
    One(Cow<'a, str>),
    Many(Vec<Text<'a>>),
}

impl RawAudience<'_> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        let (one, many) = match self {
            Self::One(one) => (Some(&**one), &[][..]),
            Self::Many(many) => (None, &many[..]),
        };
        one.into_iter().chain(many.iter().map(|member| &*member.0))
    }

    pub(crate) fn contains(&self, recipient: &str) -> bool {
        match self {
            Self::One(one) => one == recipient,
            Self::Many(many) => many.iter().any(|member| member.0 == recipient),
        }
    }
}

impl<'de> Deserialize<'de> for RawAudience<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AudienceVisitor)
    }
}

struct AudienceVisitor;

impl<'de> Visitor<'de> for AudienceVisitor {
    type Value = RawAudience<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an array of strings")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(RawAudience::One(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(RawAudience::One(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut many = Vec::new();
        while let Some(member) = seq.next_element()? {
            many.push(member);
        }
        Ok(RawAudience::Many(many))
    }
}
