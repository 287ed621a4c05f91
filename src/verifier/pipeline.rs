//! The checks of one token with the keys of one source: header, signature, claims, rules,
//! binding, client, the application's type. Each stage hands on what the next may see.

use std::{any::TypeId, borrow::Cow, sync::Arc};

use serde::{Deserialize, de::DeserializeOwned};

use super::{
    binding::{Bindings, Confirmable},
    claims::UnreleasedClaims,
    origin::Origin,
    shadow::{KeptVerdict, Shadow},
};
use crate::{
    alg::AlgorithmSet,
    claims::{Malformed, RawClaims, RegisteredClaims},
    clock::{Clock, unix_seconds},
    error::{Error, ErrorKind, JsonFault},
    json,
    keys::{Authentic, Miss, Trusted},
    rules::{Rules, WithinRules},
    shown::shown,
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
    pub(super) clock: Arc<dyn Clock>,
    /// The part of the verifier that claims know.
    pub(super) origin: Origin,
    pub(super) log: LogOptions,
    /// Rules that decide nothing.
    pub(super) shadow: Option<Arc<Shadow>>,
}

/// The values that the events of a verifier may show.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LogOptions {
    /// Values of tokens whose signature was not verified.
    pub(super) unverified: bool,
    /// The subjects of tokens that are refused.
    pub(super) subject: bool,
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

    /// The key of one issuer does not vouch for tokens of another (RFC 8725 §3.8).
    #[inline]
    fn check_bound_issuer(
        &self,
        claims: &RawClaims<'_>,
        bound_issuer: Option<&str>,
    ) -> Result<(), AttemptError> {
        match bound_issuer {
            Some(issuer) if claims.iss.as_deref() != Some(issuer) => {
                let error = Error::new(ErrorKind::Issuer);
                Err(AttemptError::BoundToAnother(self.explain_bound(error, claims, issuer)))
            }
            _ => Ok(()),
        }
    }

    /// Whether the token is one of the clients'; the first of the claims that name one counts.
    #[inline]
    fn check_client(&self, claims: &RegisteredClaims) -> Result<(), Error> {
        if self.clients.is_empty() {
            return Ok(());
        }
        let client = claims.client();
        let error = match &client {
            None => Error::missing_claim("client_id"),
            Some(client) if self.clients.contains(client) => return Ok(()),
            Some(_) => Error::new(ErrorKind::Client),
        };
        Err(self.explain_client(error, claims, client.as_deref()))
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
    let bound_issuer = signed_by.bound_issuer;
    let checked = check_claims(checks, payload_text(token)?, |raw| {
        checks.check_bound_issuer(raw, bound_issuer)
    })?;
    let CheckedClaims { within, confirmable, registered } = checked;
    let custom =
        read_custom(&registered).map_err(|error| checks.explain_verified(error, &registered))?;
    let shadow = match &checks.shadow {
        None => KeptVerdict::default(),
        Some(shadow) => shadow.judge(token, &registered),
    };
    let evidence = signed_by.evidence;
    let origin = checks.origin.clone();
    Ok(UnreleasedClaims::new(evidence, within, confirmable, registered, custom, shadow, origin))
}

/// Claims that have passed every check which needs no key. They are not verified.
pub(super) struct CheckedClaims {
    within: WithinRules,
    confirmable: Confirmable,
    pub(super) registered: RegisteredClaims,
}

/// All checks of claims that need no key, and in their place `check_issuer`, which may. The
/// application's type is not among them: it sees only what is verified.
#[inline]
pub(super) fn check_claims<E: From<Error>>(
    checks: &Checks,
    payload: Box<str>,
    check_issuer: impl FnOnce(&RawClaims<'_>) -> Result<(), E>,
) -> Result<CheckedClaims, E> {
    let mut raw = RawClaims::default();
    read_claims(&payload, &checks.rules, &mut raw).map_err(|error| checks.explain_issuer(error))?;
    let now = checks.now();
    let within =
        checks.rules.check(&raw, now).map_err(|error| checks.explain_claims(error, &raw, now))?;
    check_issuer(&raw)?;
    let confirmable =
        checks.bindings.check(&raw).map_err(|error| checks.explain_claims(error, &raw, now))?;
    let registered = RegisteredClaims::from_raw(&raw, &payload);
    // It borrows the payload, which is moved next.
    drop(raw);
    let mut registered = registered.with_payload(payload);
    if checks.bindings.ignored {
        registered = registered.without_confirmation();
    }
    checks.check_client(&registered)?;
    Ok(CheckedClaims { within, confirmable, registered })
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
    json::value(registered.payload()).map(Some).map_err(|_| misfit::<C>(registered.payload()))
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
        _ => Err(no_claims()),
    }
}

/// Why the keys of a source do not vouch for a token.
pub(super) enum AttemptError {
    /// The token is at fault, whatever the keys.
    Token(Error),
    /// Its signature is that of a key which is bound to another issuer than its own.
    BoundToAnother(Error),
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
    let header = token.header(&mut buf).map_err(|error| checks.unverified(error))?;
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
    checks.check_header(header).map_err(|error| checks.explain_header(error, header))?;
    let mut buf = DecodeBuf::new();
    let signature = token.signature(&mut buf)?;
    trusted
        .keys
        .verify(header.kid(), header.algorithm(), token.signing_input(), signature)
        .map(|(evidence, bound_issuer)| SignedBy { evidence, bound_issuer })
        .map_err(|mut miss| {
            miss.error = checks.explain_header(miss.error, header);
            AttemptError::Keys(miss)
        })
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
    claims.read(payload, rules.reading()).map_err(|Malformed { fault, claim, repeated }| {
        let claim = repeated.map(|name| Cow::Owned(shown(&name))).or(claim.map(Cow::Borrowed));
        Error::new(ErrorKind::MalformedClaims { claim, fault })
    })
}

/// Checks the form of a token whose key is not known, and its header by `check_header`. Returns what
/// that returns, and the payload.
#[cold]
pub(super) fn check_form<T>(
    token: Compact<'_>,
    check_header: impl FnOnce(&Header<'_>) -> Result<T, Error>,
) -> Result<(T, Box<str>), Error> {
    let checked = check_header(&token.header(&mut DecodeBuf::new())?)?;
    // A malformed signature is bad with every key.
    token.signature(&mut DecodeBuf::new())?;
    Ok((checked, payload_text(token)?))
}

/// The payload is not one JSON object.
#[cold]
fn no_claims() -> Error {
    Error::new(ErrorKind::MalformedClaims { claim: None, fault: JsonFault::Syntax })
}

/// The payload as the text that it must be.
#[inline]
fn payload_text(token: Compact<'_>) -> Result<Box<str>, Error> {
    match String::from_utf8(token.payload()?) {
        Ok(text) => Ok(text.into_boxed_str()),
        Err(_) => Err(no_claims()),
    }
}

/// Why the claims do not fit, without a value of theirs: serde's messages quote what they found.
/// The payload is read again to find the member, whose name is shown.
#[cold]
fn misfit<C: DeserializeOwned>(payload: &str) -> Error {
    let mut reader = serde_json::Deserializer::from_slice(payload.as_bytes());
    let detail = match serde_path_to_error::deserialize::<_, C>(&mut reader) {
        Ok(_) => "it was refused once and then read".to_owned(),
        Err(error) => {
            let path = error.path().to_string();
            let place = if path == "." { String::new() } else { format!(" in `{}`", shown(&path)) };
            format!("{}{place}", expected(&error.into_inner()))
        }
    };
    Error::new(ErrorKind::ClaimsType { detail: detail.into_boxed_str() })
}

/// The part of a message of serde that the author of the type has written.
fn expected(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let field = message.strip_prefix("missing field `").and_then(|rest| rest.split_once('`'));
    if let Some((field, _)) = field {
        return format!("the field `{field}` is missing");
    }
    // Serde's own messages have at their end what the type's author wrote; where others quote the
    // token, nobody knows.
    let is_own = OWN_MESSAGES.iter().any(|start| message.starts_with(start));
    let expected = Some(&message)
        .filter(|message| is_own && !message.contains(", there are no "))
        .and_then(|message| message.rsplit_once(", expected ")?.1.rsplit_once(" at line "));
    match expected {
        Some((expected, _)) => format!("expected {expected}"),
        None => "refused by its `Deserialize`".to_owned(),
    }
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
        match misfit::<C>(payload).kind() {
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

    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "only its errors are looked at")]
    struct User {
        email_verified: bool,
        address: Option<Address>,
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "only its errors are looked at")]
    struct Address {
        lines: Vec<u8>,
    }

    #[test]
    fn b98_a_misfit_names_the_member() {
        let detail = detail::<User>;
        assert_eq!(
            detail(r#"{"email_verified":"true"}"#),
            "expected a boolean in `email_verified`"
        );
        assert_eq!(
            detail(r#"{"email_verified":true,"address":{"lines":[1,"x"]}}"#),
            "expected u8 in `address.lines[1]`"
        );
        assert_eq!(detail("{}"), "the field `email_verified` is missing");
        assert_eq!(
            detail(r#"{"email_verified":true,"address":{}}"#),
            "the field `lines` is missing in `address`"
        );
    }

    #[test]
    fn a_misfit_is_described_by_the_type_and_never_by_the_token() {
        assert_eq!(detail::<u8>("\"x\""), "expected u8");
        assert_eq!(detail::<Color>("\"x\""), "expected `Red` or `Green`");
        for text in
            ["hunter2", ", expected hunter2", ", expected hunter2 at line ", "`, there are no "]
        {
            let text = format!("\"{text}\"");
            for detail in [detail::<u8>(&text), detail::<Color>(&text), detail::<Talkative>(&text)]
            {
                assert!(!detail.contains("hunter2"), "{text}: {detail}");
            }
        }
        // A name is shown, and cut.
        let name = "n".repeat(100);
        let shown = detail::<Nothing>(&format!("{{\"{name}\":1}}"));
        assert!(shown.len() < 150, "{shown}");
        let _ = [Color::Red, Color::Green];
    }
}

#[cfg(test)]
#[path = "vectors/mod.rs"]
mod vectors;
