//! The checks of one token with the keys of one source: header, signature, claims, rules,
//! binding, client, the application's type. Each stage hands on what the next may see.

use std::{any::TypeId, borrow::Cow};

use serde::{Deserialize, de::DeserializeOwned};

use super::{binding::Bindings, claims::UnreleasedClaims};
use crate::{
    alg::AlgorithmSet,
    claims::{Malformed, RawClaims, RegisteredClaims},
    clock::{Clock, unix_seconds},
    error::{Error, ErrorKind},
    json,
    keys::{Authentic, Miss, Trusted},
    rules::Rules,
    token::{Compact, DecodeBuf, Header, RequiredHeader},
};

/// The checks of a token besides its signature.
pub(super) struct Checks {
    pub(super) algorithms: AlgorithmSet,
    pub(super) required_header: RequiredHeader,
    pub(super) rules: Rules,
    pub(super) bindings: Bindings,
    /// The clients whose tokens are accepted; all if it is empty.
    pub(super) clients: Box<[String]>,
    pub(super) clock: Box<dyn Clock>,
}

impl Checks {
    /// The current time, in seconds since 1970.
    #[inline]
    pub(super) fn now(&self) -> i64 {
        unix_seconds(self.clock.now())
    }

    /// Checks a header as far as it does not depend on the keys.
    #[inline]
    pub(super) fn check_header(&self, header: &Header<'_>) -> Result<(), Error> {
        if !self.algorithms.contains(header.algorithm()) {
            return Err(Error::new(ErrorKind::AlgorithmNotAllowed));
        }
        self.rules.check_type(header.typ())
    }
}

/// Verifies a token with the keys of one source.
#[inline]
pub(super) fn attempt<C>(
    checks: &Checks,
    token: Compact<'_>,
    trusted: &Trusted,
) -> Result<UnreleasedClaims<C>, AttemptError>
where
    C: DeserializeOwned + 'static,
{
    let signed_by = authenticate(checks, token, trusted)?;
    accept(checks, token, signed_by)
}

/// The remaining checks of an authentic token.
#[inline]
fn accept<C>(
    checks: &Checks,
    token: Compact<'_>,
    signed_by: SignedBy<'_>,
) -> Result<UnreleasedClaims<C>, AttemptError>
where
    C: DeserializeOwned + 'static,
{
    if !checks.required_header.is_empty() {
        checks.required_header.check(token)?;
    }
    let payload = payload_text(token)?;
    let mut raw = RawClaims::default();
    read_claims(&payload, &checks.rules, &mut raw)?;
    let within = checks.rules.check(&raw, checks.now())?;
    check_bound_issuer(&raw, signed_by.bound_issuer)?;
    let binding = checks.bindings.check(&raw)?;
    let registered = RegisteredClaims::from_raw(&raw, &payload);
    // It borrows the payload, which is moved next.
    drop(raw);
    let registered = registered.with_payload(payload);
    check_client(&registered, &checks.clients)?;
    let custom = read_custom(&registered)?;
    Ok(UnreleasedClaims::new(signed_by.evidence, within, binding, registered, custom))
}

/// Reads the application's type; none if that is the registered claims, which are there already.
#[inline]
fn read_custom<C>(registered: &RegisteredClaims) -> Result<Option<C>, Error>
where
    C: DeserializeOwned + 'static,
{
    if TypeId::of::<C>() == TypeId::of::<RegisteredClaims>() {
        return Ok(None);
    }
    json::value(registered.payload()).map(Some).map_err(|error| misfit(&error))
}

/// The unverified `iss` of a token. Use it only to pick keys.
pub(super) fn unverified_issuer(token: Compact<'_>) -> Result<Box<str>, Error> {
    #[derive(Deserialize)]
    struct Peek<'a> {
        #[serde(borrow)]
        iss: Option<Cow<'a, str>>,
    }
    let payload = payload_text(token)?;
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
    checks: &Checks,
    token: Compact<'_>,
    trusted: &'k Trusted,
) -> Result<SignedBy<'k>, AttemptError> {
    if let Some(known) = trusted.headers.find(token) {
        return verify_signature(checks, token, &known.header(), trusted);
    }
    let mut buf = DecodeBuf::new();
    let header = token.header(&mut buf)?;
    let signed_by = verify_signature(checks, token, &header, trusted)?;
    trusted.headers.learn(token, &header);
    Ok(signed_by)
}

#[inline]
fn verify_signature<'k>(
    checks: &Checks,
    token: Compact<'_>,
    header: &Header<'_>,
    trusted: &'k Trusted,
) -> Result<SignedBy<'k>, AttemptError> {
    checks.check_header(header)?;
    let mut buf = DecodeBuf::new();
    let signature = token.signature(&mut buf)?;
    trusted
        .keys
        .verify(header.kid(), header.algorithm(), token.signing_input(), signature)
        .map(|(evidence, bound_issuer)| SignedBy { evidence, bound_issuer })
        .map_err(AttemptError::Keys)
}

/// The key that has signed a token.
struct SignedBy<'k> {
    evidence: Authentic,
    /// The only issuer that the key may sign for, if it is bound to one.
    bound_issuer: Option<&'k str>,
}

/// Reads the claims of a payload.
#[inline]
pub(super) fn read_claims<'a>(
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
pub(super) fn check_client(claims: &RegisteredClaims, clients: &[String]) -> Result<(), Error> {
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
pub(super) fn payload_text(token: Compact<'_>) -> Result<Box<str>, Error> {
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

    /// The error text for a payload that does not fit a `C`.
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
