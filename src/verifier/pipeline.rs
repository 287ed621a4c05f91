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
    token::{Compact, Header, HeaderMemo, Space},
};

/// Verifies a token up to the rules that may wait.
#[inline]
pub(super) fn verify<C>(config: &Config<C>, token: &str) -> Result<Claims<C>, Error>
where
    C: DeserializeOwned,
{
    let token = Compact::parse(token, config.max_token_len)?;
    let (authentic, speaks_for) = authenticate(token, config.into())?;
    let payload = text(token)?;

    let raw = RawClaims::read(&payload, &config.rules.required)
        .map_err(|malformed| Error::new(ErrorKind::MalformedClaims { claim: malformed.0 }))?;
    let within = config.rules.check(&raw, unix_seconds(config.clock.now()))?;
    check_speaker(&raw, speaks_for)?;
    let binding = config.bindings.check(&raw)?;
    let registered = RegisteredClaims::keep(&raw, &payload);

    let custom = serde_json::from_str(&payload).map_err(|error| misfit(&error))?;
    let claims = Claims::new(authentic, within, binding, registered.own(payload), custom);
    config.user_rules.check(&claims)?;
    Ok(claims)
}

/// Header, then key and signature.
#[inline]
fn authenticate<'k>(token: Compact<'_>, trust: Trust<'k>) -> Result<Vouched<'k>, Error> {
    if let Some(known) = trust.headers.find(token) {
        return verify_signature(token, &known.header(), trust);
    }
    let mut space = Space::new();
    let header = token.header(&mut space)?;
    let vouched = verify_signature(token, &header, trust)?;
    trust.headers.learn(token, &header);
    Ok(vouched)
}

#[inline]
fn verify_signature<'k>(
    token: Compact<'_>,
    header: &Header<'_>,
    trust: Trust<'k>,
) -> Result<Vouched<'k>, Error> {
    if !trust.algorithms.contains(header.algorithm()) {
        return Err(Error::new(ErrorKind::AlgorithmNotAllowed));
    }
    trust.rules.check_type(header.typ())?;

    let mut space = Space::new();
    let signature = token.signature(&mut space)?;
    trust.keys.verify(header.kid(), header.algorithm(), token.signing_input(), signature)
}

/// That a token is authentic, and the issuer that its key speaks for alone.
type Vouched<'k> = (Authentic, Option<&'k str>);

/// What decides whether a token is authentic.
#[derive(Clone, Copy)]
struct Trust<'v> {
    keys: &'v KeySet,
    algorithms: AlgorithmSet,
    rules: &'v Rules,
    headers: &'v HeaderMemo,
}

impl<'v, C> From<&'v Config<C>> for Trust<'v> {
    fn from(config: &'v Config<C>) -> Self {
        Self {
            keys: &config.keys,
            algorithms: config.algorithms,
            rules: &config.rules,
            headers: &config.headers,
        }
    }
}

/// The key of one issuer does not vouch for tokens of another (RFC 8725 §3.8).
fn check_speaker(claims: &RawClaims<'_>, speaks_for: Option<&str>) -> Result<(), Error> {
    match speaks_for {
        Some(issuer) if claims.iss.as_deref() != Some(issuer) => Err(Error::new(ErrorKind::Issuer)),
        _ => Ok(()),
    }
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
        // Serde's own messages have at their end what the type's author wrote;
        // where others quote the token, nobody knows.
        let own = OWN_MESSAGES.iter().any(|start| message.starts_with(start));
        if !own || message.contains(", there are no ") {
            return None;
        }
        let (_, expected) = message.rsplit_once(", expected ")?;
        let (expected, _) = expected.rsplit_once(" at line ")?;
        Some(format!("expected {expected} at byte {}", error.column()))
    };
    let detail = field
        .or_else(expected)
        .unwrap_or_else(|| format!("refused by its `Deserialize` at byte {}", error.column()));
    Error::new(ErrorKind::ClaimsType { detail: detail.into_boxed_str() })
}

/// How serde's messages begin that end in what was expected.
const OWN_MESSAGES: [&str; 5] = [
    "invalid type: ",
    "invalid value: ",
    "invalid length ",
    "unknown variant `",
    "unknown field `",
];

#[cfg(test)]
mod tests {
    use serde::{Deserialize, de::Error as _};

    use super::*;

    /// What is said of a payload that does not fit a `C`.
    fn detail<C: DeserializeOwned>(payload: &str) -> String {
        match misfit(&serde_json::from_str::<C>(payload).err().unwrap()).kind() {
            ErrorKind::ClaimsType { detail } => detail.to_string(),
            _ => unreachable!("no other kind is made here"),
        }
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}

    #[derive(Deserialize)]
    enum Color {
        Red,
        Green,
    }

    struct Talkative;

    impl<'de> Deserialize<'de> for Talkative {
        fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            let text = String::deserialize(from)?;
            Err(D::Error::custom(format!("what is {text}")))
        }
    }

    #[test]
    fn a_misfit_is_described_by_the_type_and_never_by_the_token() {
        assert_eq!(detail::<u8>("\"x\""), "expected u8 at byte 3");
        assert_eq!(detail::<Color>("\"x\""), "expected `Red` or `Green` at byte 3");
        for text in
            ["hunter2", ", expected hunter2", ", expected hunter2 at line ", "`, there are no "]
        {
            let text = format!("\"{text}\"");
            for detail in [
                detail::<u8>(&text),
                detail::<Color>(&text),
                detail::<Talkative>(&text),
                detail::<Nothing>(&format!("{{{text}:1}}")),
            ] {
                assert!(!detail.contains("hunter2"), "{text}: {detail}");
            }
        }
        let _ = [Color::Red, Color::Green];
    }
}

#[cfg(test)]
#[path = "vectors/mod.rs"]
mod vectors;
