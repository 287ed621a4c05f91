//! The claim `cnf`: by what a sender confirms that a token is theirs (RFC 7800 §3.1).

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::SerializeMap};

use crate::{digest::Thumbprint, json};

/// The methods of a confirmation. At least one of them is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Confirmation {
    /// The key that signs proofs (`jkt`, RFC 9449 §6.1).
    pub(crate) jkt: Option<Thumbprint>,
    /// The client certificate (`x5t#S256`, RFC 8705 §3.1).
    pub(crate) x5t_s256: Option<Thumbprint>,
}

impl Confirmation {
    /// A confirmation by these methods; `None` without any.
    pub(crate) fn new(jkt: Option<Thumbprint>, x5t_s256: Option<Thumbprint>) -> Option<Self> {
        (jkt.is_some() || x5t_s256.is_some()).then_some(Self { jkt, x5t_s256 })
    }

    /// Whether a sender who has `proven` this may use what is bound to it. Both methods must hold.
    #[cfg(feature = "issue")]
    pub(crate) fn is_met_by(&self, proven: Option<&Self>) -> bool {
        let is_met = |bound: Option<Thumbprint>, proven: Option<Thumbprint>| match bound {
            None => true,
            Some(bound) => proven.is_some_and(|proven| bound.is(&proven)),
        };
        is_met(self.jkt, proven.and_then(|proven| proven.jkt))
            && is_met(self.x5t_s256, proven.and_then(|proven| proven.x5t_s256))
    }
}

impl Serialize for Confirmation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        for (name, method) in [("jkt", &self.jkt), ("x5t#S256", &self.x5t_s256)] {
            if let Some(thumbprint) = method {
                members.serialize_entry(name, &thumbprint.to_string())?;
            }
        }
        members.end()
    }
}

impl<'de> Deserialize<'de> for Confirmation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Members {
            jkt: Option<String>,
            #[serde(rename = "x5t#S256")]
            x5t_s256: Option<String>,
        }

        let members = Members::deserialize(deserializer)?;
        let read = |text: Option<String>| match text {
            None => Ok(None),
            Some(text) => Thumbprint::from_base64url(&text)
                .map(Some)
                .ok_or_else(|| D::Error::custom("a thumbprint must be 32 bytes as base64url")),
        };
        Self::new(read(members.jkt)?, read(members.x5t_s256)?)
            .ok_or_else(|| D::Error::custom("a confirmation must have a method"))
    }
}

/// The claim `cnf` of a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RawConfirmation {
    /// It is missing.
    #[default]
    Absent,
    /// All its members are known.
    Known(Confirmation),
    /// It has another form, also `null` and `{}`, or a member that is not known: nobody can check it.
    Other,
}

impl RawConfirmation {
    /// Reads the value of the claim.
    #[cold]
    pub(super) fn read(value: &str) -> Self {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Members<'a> {
            #[serde(borrow, default, deserialize_with = "present")]
            jkt: Option<Cow<'a, str>>,
            #[serde(borrow, default, deserialize_with = "present", rename = "x5t#S256")]
            x5t_s256: Option<Cow<'a, str>>,
        }

        let Some(members) = json::object::<Members<'_>>(value) else { return Self::Other };
        let read = |text: Option<Cow<'_, str>>| match text {
            None => Some(None),
            Some(text) => Thumbprint::from_base64url(&text).map(Some),
        };
        match (read(members.jkt), read(members.x5t_s256)) {
            (Some(None), Some(None)) | (None, _) | (_, None) => Self::Other,
            (Some(jkt), Some(x5t_s256)) => Self::Known(Confirmation { jkt, x5t_s256 }),
        }
    }

    pub(crate) fn is_absent(&self) -> bool {
        *self == Self::Absent
    }
}

/// Reads a text. `null` is an error: the member is there, and it is no text.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Cow<'de, str>>, D::Error> {
    json::Text::deserialize(from).map(|text| Some(text.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    const X5T: &str = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2";

    #[test]
    fn d04_only_members_that_are_all_known_can_be_checked() {
        // RFC 9449 §6.1 and RFC 8705 §3.1.
        let x5t = X5T.replace("dg2", "dg0");
        let known = |jkt: Option<&str>, x5t: Option<&str>| {
            let read =
                |text: Option<&str>| text.map(|text| Thumbprint::from_base64url(text).unwrap());
            RawConfirmation::Known(Confirmation { jkt: read(jkt), x5t_s256: read(x5t) })
        };
        for (value, expected) in [
            (format!(r#"{{"jkt":"{JKT}"}}"#), known(Some(JKT), None)),
            (format!(r#"{{"x5t#S256":"{x5t}"}}"#), known(None, Some(&x5t))),
            (format!(r#"{{"x5t#S256":"{x5t}","jkt":"{JKT}"}}"#), known(Some(JKT), Some(&x5t))),
        ] {
            assert_eq!(RawConfirmation::read(&value), expected, "{value}");
        }
        for value in [
            "null",
            "{}",
            "[]",
            "\"x\"",
            &format!("[\"{JKT}\"]"),
            r#"{"jkt":null}"#,
            r#"{"jkt":7}"#,
            r#"{"jkt":""}"#,
            &format!(r#"{{"jkt":"{JKT}","kid":"a"}}"#),
            &format!(r#"{{"jkt":"{JKT}","x5t#S256":null}}"#),
            &format!(r#"{{"jkt":"{JKT}","x5t#S256":"{X5T}"}}"#),
            &format!(r#"{{"jkt":"{JKT}="}}"#),
            &format!(r#"{{"JKT":"{JKT}"}}"#),
        ] {
            assert_eq!(RawConfirmation::read(value), RawConfirmation::Other, "{value}");
        }
    }
}
