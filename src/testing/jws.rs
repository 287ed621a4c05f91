//! The form of a token: three parts of base64url (RFC 7515 §7.1).

use base64_simd::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{digest::Thumbprint, issue::SigningKey};

/// A token of these two texts, and of the signature that `sign` makes.
pub(super) fn signed(header: &[u8], payload: &[u8], sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let mut text = URL_SAFE_NO_PAD.encode_to_string(header);
    text.push('.');
    URL_SAFE_NO_PAD.encode_append(payload, &mut text);
    let signature = sign(text.as_bytes());
    text.push('.');
    URL_SAFE_NO_PAD.encode_append(signature, &mut text);
    text
}

pub(super) fn sign(key: &SigningKey, message: &[u8]) -> Vec<u8> {
    key.sign(message).expect("a key that was generated can sign")
}

/// Scopes, with spaces between them (RFC 8693 §4.2).
pub(super) fn joined<S: AsRef<str>>(scopes: impl IntoIterator<Item = S>) -> String {
    let scopes: Vec<_> = scopes.into_iter().map(|scope| scope.as_ref().to_owned()).collect();
    scopes.join(" ")
}

/// Adds a method to the claim `cnf` (RFC 7800 §3.1).
pub(super) fn add_confirmation(
    claims: &mut Map<String, Value>,
    method: &str,
    thumbprint: Thumbprint,
) {
    let confirmation = claims.entry("cnf").or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(methods) = confirmation {
        methods.insert(method.into(), Value::from(thumbprint.to_string()));
    }
}

/// A value as JSON.
pub(super) fn json_of(value: impl Serialize) -> Value {
    serde_json::to_value(value).expect("the value can be written as JSON")
}

/// The members of a JSON object.
pub(super) fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => panic!("claims are a JSON object: use a struct or a map"),
    }
}
