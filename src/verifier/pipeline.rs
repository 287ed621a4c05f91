//! The order of things: size and shape, header, signature, rules, binding,
//! typed claims, revocation. Each stage hands on what the next may see.

use std::borrow::Cow;

use serde::{Deserialize, de::DeserializeOwned};

use super::{claims::UnreleasedClaims, engine::Engine};
use crate::{
    alg::AlgorithmSet,
    claims::{Malformed, RawClaims, RegisteredClaims},
    clock::unix_seconds,
    error::{Error, ErrorKind},
    json,
    keys::{Authentic, Miss, Trusted},
    rules::Rules,
    token::{Compact, DecodeBuf, Header},
};

/// Verifies a token with the keys of one source.
#[inline]
pub(super) fn attempt<C>(
    engine: &Engine<C>,
    token: Compact<'_>,
    trusted: &Trusted,
) -> Result<UnreleasedClaims<C>, AttemptError>
where
    C: DeserializeOwned,
{
    let signed_by = authenticate(token, trusted, engine.into())?;
    accept(engine, token, signed_by)
}

/// The remaining checks of an authentic token.
#[inline]
fn accept<C>(
    engine: &Engine<C>,
    token: Compact<'_>,
    (authentic, bound_issuer): SignedBy<'_>,
) -> Result<UnreleasedClaims<C>, AttemptError>
where
    C: DeserializeOwned,
{
    let payload = text(token)?;
    let mut raw = RawClaims::default();
    read(&payload, &engine.rules, &mut raw)?;
    let within = engine.rules.check(&raw, unix_seconds(engine.clock.now()))?;
    check_bound_issuer(&raw, bound_issuer)?;
    let binding = engine.bindings.check(&raw)?;
    let registered = RegisteredClaims::keep(&raw, &payload);
    drop(raw);

    let custom = json::value(&payload).map_err(|error| misfit(&error))?;
    let registered = registered.own(payload);
    check_client(&registered, &engine.clients)?;
    Ok(UnreleasedClaims::new(authentic, within, binding, registered, custom))
}

/// The issuer that a token says it has: good to pick its keys, and nothing else.
pub(super) fn unverified_issuer(token: Compact<'_>) -> Result<Box<str>, Error> {
    #[derive(Deserialize)]
    struct Peek<'a> {
        #[serde(borrow)]
        iss: Option<Cow<'a, str>>,
    }
    let payload = text(token)?;
    match serde_json::from_str::<Peek<'_>>(&payload) {
        // An array would be read as a claims set, too.
        Ok(peek) if json::is_object(&payload) => {
            peek.iss.map(Box::from).ok_or_else(|| Error::missing_claim("iss"))
        }
        _ => Err(Error::new(ErrorKind::MalformedClaims { claim: None })),
    }
}

/// Why the keys of a source do not vouch for a token.
pub(super) enum AttemptError {
    /// The token is at fault, whatever the keys.
    Token(Error),
    /// Its signature is that of a key which is bound to another issuer than its own.
    BoundToAnother,
    Keys(Miss),
}

impl From<Error> for AttemptError {
    fn from(error: Error) -> Self {
        Self::Token(error)
    }
}

/// Header, then key and signature.
#[inline]
fn authenticate<'k>(
    token: Compact<'_>,
    trusted: &'k Trusted,
    policy: HeaderPolicy<'_>,
) -> Result<SignedBy<'k>, AttemptError> {
    if let Some(known) = trusted.headers.find(token) {
        return verify_signature(token, &known.header(), trusted, policy);
    }
    let mut buf = DecodeBuf::new();
    let header = token.header(&mut buf)?;
    let signed_by = verify_signature(token, &header, trusted, policy)?;
    trusted.headers.learn(token, &header);
    Ok(signed_by)
}

#[inline]
fn verify_signature<'k>(
    token: Compact<'_>,
    header: &Header<'_>,
    trusted: &'k Trusted,
    policy: HeaderPolicy<'_>,
) -> Result<SignedBy<'k>, AttemptError> {
    policy.check(header)?;
    let mut buf = DecodeBuf::new();
    let signature = token.signature(&mut buf)?;
    trusted
        .keys
        .verify(header.kid(), header.algorithm(), token.signing_input(), signature)
        .map_err(AttemptError::Keys)
}

/// The headers that are allowed, whatever the keys.
#[derive(Clone, Copy)]
pub(super) struct HeaderPolicy<'v> {
    algorithms: AlgorithmSet,
    rules: &'v Rules,
}

impl HeaderPolicy<'_> {
    #[inline]
    pub(super) fn check(self, header: &Header<'_>) -> Result<(), Error> {
        if !self.algorithms.contains(header.algorithm()) {
            return Err(Error::new(ErrorKind::AlgorithmNotAllowed));
        }
        self.rules.check_type(header.typ())
    }
}

impl<'v, C> From<&'v Engine<C>> for HeaderPolicy<'v> {
    fn from(engine: &'v Engine<C>) -> Self {
        Self { algorithms: engine.algorithms, rules: &engine.rules }
    }
}

/// That a token is authentic, and the issuer that its key is bound to.
type SignedBy<'k> = (Authentic, Option<&'k str>);

/// Reads the claims of a payload.
#[inline]
pub(super) fn read<'a>(
    payload: &'a str,
    rules: &Rules,
    claims: &mut RawClaims<'a>,
) -> Result<(), Error> {
    claims
        .read(payload, &rules.required)
        .map_err(|Malformed(claim)| Error::new(ErrorKind::MalformedClaims { claim }))
}

/// The key of one issuer does not vouch for tokens of another (RFC 8725 §3.8).
#[inline]
fn check_bound_issuer(
    claims: &RawClaims<'_>,
    bound_issuer: Option<&str>,
) -> Result<(), AttemptError> {
    match bound_issuer {
        Some(issuer) if claims.iss.as_deref() != Some(issuer) => Err(AttemptError::BoundToAnother),
        _ => Ok(()),
    }
}

/// Whether the token is one of these clients'; the first of the claims that name one
/// counts.
#[inline]
fn check_client(claims: &RegisteredClaims, clients: &[String]) -> Result<(), Error> {
    if clients.is_empty() {
        return Ok(());
    }
    let elsewhere = || ["azp", "cid", "appid"].iter().find_map(|name| claims.get(*name));
    match claims.client_id().map(String::from).or_else(elsewhere) {
        None => Err(Error::missing_claim("client_id")),
        Some(client) if clients.contains(&client) => Ok(()),
        Some(_) => Err(Error::new(ErrorKind::Client)),
    }
}

/// The payload as the text that it must be.
#[inline]
pub(super) fn text(token: Compact<'_>) -> Result<Box<str>, Error> {
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
