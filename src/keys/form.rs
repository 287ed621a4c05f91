//! Recognizes the form of a text that was given to the wrong function. Errors name the right one.

use std::str;

use serde::de::MapAccess;
use serde_json::value::RawValue;

use crate::{
    error::ConfigError,
    json::{self, JsonFault, Object},
};

/// A form that keys are found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Pem,
    Jwk,
    Jwks,
    /// OpenID Connect Discovery §4.2, RFC 8414 §3.2.
    Metadata,
    /// An object that has a PEM text for each id.
    PemMap,
    /// A line of OpenSSH, or the format of RFC 4716.
    Ssh,
}

impl Form {
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        let text = str::from_utf8(bytes).ok()?;
        let text = text.trim_start_matches('\u{feff}').trim_start();
        if !text.starts_with('{') {
            let ssh = ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-", "---- BEGIN SSH2 "];
            return match text {
                text if text.contains("-----BEGIN ") => Some(Self::Pem),
                text if ssh.iter().any(|start| text.starts_with(start)) => Some(Self::Ssh),
                _ => None,
            };
        }
        let members = Members::of(text).ok()?.0;
        let has = |name: &str| members.iter().any(|(other, _)| other == name);
        let is_pem = |(_, value): &(String, &RawValue)| value.get().starts_with("\"-----BEGIN ");
        match () {
            () if has("keys") => Some(Self::Jwks),
            () if has("kty") => Some(Self::Jwk),
            () if has("jwks_uri") => Some(Self::Metadata),
            () if !members.is_empty() && members.iter().all(is_pem) => Some(Self::PemMap),
            () => None,
        }
    }

    /// The function that reads public keys in this form.
    pub(super) fn advice(self) -> &'static str {
        match self {
            Self::Pem => "it is PEM, read it with `Key::from_pem`",
            Self::Jwk => "it is a single JWK, read it with `Key::from_jwk`",
            Self::Jwks => "it is a JWK set, read it with `KeySet::from_jwks`",
            Self::Metadata => {
                "it is the metadata of an issuer, use `RemoteKeys::discover(issuer)`, or give the \
                 document at its `jwks_uri`"
            }
            Self::PemMap => {
                "it is an object with a PEM text for each key id, read each with \
                 `Key::from_pem(text)?.with_kid(id)`"
            }
            Self::Ssh => {
                "it is a public key in the format of OpenSSH, convert it with \
                 `ssh-keygen -e -m PKCS8 -f key.pub` (RSA and ECDSA)"
            }
        }
    }

    /// The function that reads a private key in this form.
    #[cfg(feature = "issue")]
    pub(crate) fn advice_to_sign(self) -> &'static str {
        match self {
            Self::Pem => "it is PEM, read it with `SigningKey::from_pem`",
            Self::Jwk => "it is a JWK, read it with `SigningKey::from_jwk`",
            Self::Jwks => {
                "it is a JWK set, give one private JWK of its `keys` to `SigningKey::from_jwk`"
            }
            Self::Metadata => "it is the metadata of an issuer, which has no private key",
            Self::PemMap => "it is an object of PEM texts, give one to `SigningKey::from_pem`",
            Self::Ssh => "it is a public key in the format of OpenSSH, which cannot sign",
        }
    }
}

/// The fault of a text that is not read as a JWK.
#[cold]
pub(crate) fn jwk_fault(text: &str) -> &'static str {
    let members = match Members::of(text) {
        Ok(Members(members)) => members,
        Err(JsonFault::Repeated) => return "the JWK repeats a member",
        Err(_) => return "it is no JWK, which is a JSON object (RFC 7517 §4)",
    };
    if !members.iter().any(|(name, _)| name == "kty") {
        return "`kty` is missing";
    }
    let faults = members.iter().filter_map(|(name, value)| {
        let value = value.get();
        let (_, fault) = NOT_TEXT.iter().find(|(member, _)| member == name)?;
        let is_good = match value.chars().next() {
            Some('"') => name != "key_ops",
            Some('[') => name == "key_ops" && serde_json::from_str::<Vec<String>>(value).is_ok(),
            Some('n') => name != "kty",
            _ => false,
        };
        (!is_good).then_some(*fault)
    });
    faults.into_iter().next().unwrap_or("a member of the JWK has a wrong JSON type")
}

/// An error that says what the text is, if it is known, else `otherwise`.
#[cold]
pub(super) fn wrong_form(text: &[u8], own: Form, otherwise: &'static str) -> ConfigError {
    let form = Form::of(text).filter(|form| *form != own);
    ConfigError::MalformedKey(form.map_or(otherwise, Form::advice))
}

/// The members of an object, each with its JSON text: no copy of a secret.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Members<'a> {
    fn of(text: &'a str) -> Result<Self, JsonFault> {
        let mut members = Self(Vec::new());
        json::read(text, &mut members).map_err(|error| json::fault(&error).0)?;
        Ok(members)
    }
}

impl<'a> Object<'a> for Members<'a> {
    fn member<A: MapAccess<'a>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        self.0.push((name.into(), map.next_value()?));
        Ok(false)
    }
}

const NOT_TEXT: [(&str, &str); 19] = [
    ("kty", "`kty` is not a JSON string"),
    ("use", "`use` is not a JSON string"),
    ("key_ops", "`key_ops` is not an array of JSON strings"),
    ("alg", "`alg` is not a JSON string"),
    ("kid", "`kid` is not a JSON string"),
    ("crv", "`crv` is not a JSON string"),
    ("n", "`n` is not a JSON string of base64url"),
    ("e", "`e` is not a JSON string of base64url, such as \"AQAB\" for 65537"),
    ("x", "`x` is not a JSON string of base64url"),
    ("y", "`y` is not a JSON string of base64url"),
    ("k", "`k` is not a JSON string of base64url"),
    ("d", "`d` is not a JSON string of base64url"),
    ("p", "`p` is not a JSON string of base64url"),
    ("q", "`q` is not a JSON string of base64url"),
    ("dp", "`dp` is not a JSON string of base64url"),
    ("dq", "`dq` is not a JSON string of base64url"),
    ("qi", "`qi` is not a JSON string of base64url"),
    ("oth", "`oth` is not supported"),
    ("priv", "`priv` is not a JSON string of base64url"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_are_told_apart() {
        for (text, form) in [
            ("-----BEGIN PUBLIC KEY-----", Some(Form::Pem)),
            ("Bag\n-----BEGIN CERTIFICATE-----", Some(Form::Pem)),
            (r#"{"kty":"RSA"}"#, Some(Form::Jwk)),
            (r#"{"keys":[{"kty":"RSA"}]}"#, Some(Form::Jwks)),
            (r#"{"issuer":"https://a","jwks_uri":"https://a/keys"}"#, Some(Form::Metadata)),
            (r#"{"a":"-----BEGIN CERTIFICATE-----\n"}"#, Some(Form::PemMap)),
            ("ssh-ed25519 AAAA me", Some(Form::Ssh)),
            ("---- BEGIN SSH2 PUBLIC KEY ----", Some(Form::Ssh)),
            ("{}", None),
            ("{", None),
            ("", None),
            (r#"{"a":"b"}"#, None),
        ] {
            assert_eq!(Form::of(text.as_bytes()), form, "{text}");
            assert_eq!(Form::of(format!("\u{feff}\n{text}").as_bytes()), form, "{text}");
        }
        assert_eq!(Form::of(b"\xff{}"), None);
    }

    #[test]
    fn the_fault_of_a_jwk_names_the_member() {
        for (text, fault) in [
            ("[]", "it is no JWK"),
            (r#"{"kid":"a"}"#, "`kty` is missing"),
            (r#"{"kty":7}"#, "`kty` is not a JSON string"),
            (r#"{"kty":null}"#, "`kty` is not a JSON string"),
            (r#"{"kty":"RSA","kid":1}"#, "`kid` is not a JSON string"),
            (r#"{"kty":"RSA","kid":null,"e":65537}"#, "`e` is not a JSON string"),
            (r#"{"kty":"RSA","key_ops":"verify"}"#, "`key_ops` is not an array"),
            (r#"{"kty":"RSA","key_ops":[1]}"#, "`key_ops` is not an array"),
            (r#"{"kty":"RSA","kty":"RSA"}"#, "the JWK repeats a member"),
        ] {
            assert!(jwk_fault(text).starts_with(fault), "{text}: {}", jwk_fault(text));
        }
    }
}
