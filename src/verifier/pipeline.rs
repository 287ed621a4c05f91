//! The order of things: size and shape, header, signature, rules, binding,
//! typed claims. Each stage hands on what the next may see.

use serde::de::DeserializeOwned;

use super::{Claims, Config};
use crate::{
    alg::AlgorithmSet,
    claims::{RawClaims, RegisteredClaims},
    clock::unix_seconds,
    error::{Error, ErrorKind},
    keys::{Authentic, KeySet},
    rules::Rules,
    token::{Compact, Space},
};

/// Verifies a token up to the rules that may wait.
#[inline]
pub(super) fn verify<C>(config: &Config<C>, token: &str) -> Result<Claims<C>, Error>
where
    C: DeserializeOwned,
{
    let token = Compact::parse(token, config.max_token_len)?;
    let authentic = authenticate(token, &config.keys, config.algorithms, &config.rules)?;
    let payload = text(token)?;

    let raw = RawClaims::read(&payload, &config.rules.required)
        .map_err(|malformed| Error::new(ErrorKind::MalformedClaims { claim: malformed.0 }))?;
    let within = config.rules.check(&raw, unix_seconds(config.clock.now()))?;
    let binding = config.bindings.check(&raw)?;
    let registered = RegisteredClaims::keep(&raw, &payload);

    let custom = serde_json::from_str(&payload).map_err(|error| misfit(&error))?;
    let claims = Claims::new(authentic, within, binding, registered.own(payload), custom);
    config.user_rules.check(&claims)?;
    Ok(claims)
}

/// Header, then key and signature.
#[inline]
fn authenticate(
    token: Compact<'_>,
    keys: &KeySet,
    algorithms: AlgorithmSet,
    rules: &Rules,
) -> Result<Authentic, Error> {
    let mut space = Space::new();
    let header = token.header(&mut space)?;
    if !algorithms.contains(header.algorithm()) {
        return Err(Error::new(ErrorKind::AlgorithmNotAllowed));
    }
    rules.check_type(header.typ())?;

    let mut space = Space::new();
    let signature = token.signature(&mut space)?;
    keys.verify(header.kid(), header.algorithm(), token.signing_input(), signature)
}

/// The payload as the text that it must be.
#[inline]
fn text(token: Compact<'_>) -> Result<Box<str>, Error> {
    match String::from_utf8(token.payload()?) {
        Ok(text) => Ok(text.into_boxed_str()),
        Err(_) => Err(Error::new(ErrorKind::MalformedClaims { claim: None })),
    }
}

/// Why the claims do not fit, without a word of theirs: serde's messages quote
/// what they found.
#[cold]
fn misfit(error: &serde_json::Error) -> Error {
    let message = error.to_string();
    let field = message
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split_once('`'))
        .map(|(field, _)| format!("the field `{field}` is missing"));
    let expected = || {
        // Behind the last one stands what the type's author wrote.
        let (_, expected) = message.rsplit_once(", expected ")?;
        let (expected, _) = expected.split_once(" at line ")?;
        Some(format!("expected {expected} at byte {}", error.column()))
    };
    let detail = field
        .or_else(expected)
        .unwrap_or_else(|| format!("refused by its `Deserialize` at byte {}", error.column()));
    Error::new(ErrorKind::ClaimsType { detail: detail.into_boxed_str() })
}

#[cfg(test)]
#[path = "vectors/mod.rs"]
mod vectors;
