//! The order of things: size and shape, header, signature, rules, binding,
//! typed claims, revocation. Each stage hands on what the next may see.

use serde::de::DeserializeOwned;

use super::{Config, claims::Held};
use crate::{
    alg::AlgorithmSet,
    claims::{Malformed, RawClaims, RegisteredClaims},
    clock::unix_seconds,
    error::{Error, ErrorKind},
    json,
    keys::{Authentic, Generation, Miss, Places, Trusted},
    rules::Rules,
    token::{Compact, Header, Space},
};

/// Why a token does not pass.
pub(super) enum Failure {
    /// And never will.
    Final(Error),
    /// As far as the keys that are there can tell; these sources may have others one
    /// day.
    Undecided(Error, Places),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

/// Verifies a token up to the rules that may wait; also says which keys vouch for it.
#[inline]
pub(super) fn verify<C>(config: &Config<C>, token: &str) -> Result<(Held<C>, Generation), Failure>
where
    C: DeserializeOwned,
{
    let token = Compact::parse(token, config.max_token_len)?;
    let (mut refusal, mut places) = (None, Places::default());
    let settled = config.keys.each(|trusted, place| {
        let Some(trusted) = trusted else {
            place.into_iter().for_each(|place| places.add(place));
            return None;
        };
        match attempt(config, token, trusted) {
            Ok(claims) => return Some(Ok((claims, trusted.generation()))),
            Err(Doubt::Token(error)) => return Some(Err(error)),
            Err(Doubt::Speaker(_)) => refusal = Some(Error::new(ErrorKind::Issuer)),
            Err(Doubt::Keys(miss)) => {
                if let Some(place) = place
                    && miss.may_come
                {
                    places.add(place);
                }
                refusal.get_or_insert(miss.error);
            }
        }
        None
    });
    match settled {
        Some(result) => result.map_err(Failure::Final),
        None => Err(undecided(refusal, places)),
    }
}

#[cold]
fn undecided(refusal: Option<Error>, places: Places) -> Failure {
    let error = refusal.unwrap_or_else(|| Error::new(ErrorKind::UnknownKey));
    if places == Places::default() {
        Failure::Final(error)
    } else {
        Failure::Undecided(error, places)
    }
}

/// Verifies a token with the keys of one source.
#[inline]
fn attempt<C>(config: &Config<C>, token: Compact<'_>, trusted: &Trusted) -> Result<Held<C>, Doubt>
where
    C: DeserializeOwned,
{
    let vouched = authenticate(token, trusted, config.into(), None)?;
    match accept(config, token, vouched) {
        Err(Doubt::Speaker(issuer)) => attempt_for(config, token, trusted, issuer),
        result => result,
    }
}

/// The same with the keys of the token's issuer alone: one of them may be the very key
/// that is bound to another issuer, too.
#[cold]
#[inline(never)]
fn attempt_for<C>(
    config: &Config<C>,
    token: Compact<'_>,
    trusted: &Trusted,
    issuer: Box<str>,
) -> Result<Held<C>, Doubt>
where
    C: DeserializeOwned,
{
    match authenticate(token, trusted, config.into(), Some(&issuer)) {
        Ok(vouched) => accept(config, token, vouched),
        Err(_) => Err(Doubt::Speaker(issuer)),
    }
}

/// What else must hold of a token that is authentic.
#[inline]
fn accept<C>(
    config: &Config<C>,
    token: Compact<'_>,
    (authentic, speaks_for): Vouched<'_>,
) -> Result<Held<C>, Doubt>
where
    C: DeserializeOwned,
{
    let payload = text(token)?;
    let mut raw = RawClaims::default();
    read(&payload, &config.rules, &mut raw)?;
    let within = config.rules.check(&raw, unix_seconds(config.clock.now()))?;
    check_speaker(&raw, speaks_for)?;
    let binding = config.bindings.check(&raw)?;
    let registered = RegisteredClaims::keep(&raw, &payload);
    drop(raw);

    let custom = json::value(&payload).map_err(|error| misfit(&error))?;
    let registered = registered.own(payload);
    check_client(&registered, &config.clients)?;
    Ok(Held::new(authentic, within, binding, registered, custom))
}

/// What the issuer of a token is that nobody can vouch for yet, and the name of its key, if all
/// that can be known without a key is in order; the evidence is thrown away.
#[cold]
pub(super) fn plausible<C>(
    config: &Config<C>,
    whole: &str,
) -> Result<(Option<String>, String), Error> {
    let token = Compact::parse(whole, config.max_token_len)?;
    let mut space = Space::new();
    let header = token.header(&mut space)?;
    Welcome::from(config).check(&header)?;
    if header.algorithm().is_symmetric() {
        // Secrets are not published.
        return Err(Error::new(ErrorKind::UnknownKey));
    }
    // Bytes that are no signature are none with any key.
    token.signature(&mut Space::new())?;
    let payload = text(token)?;
    let mut raw = RawClaims::default();
    read(&payload, &config.rules, &mut raw)?;
    config.rules.check(&raw, unix_seconds(config.clock.now()))?;
    config.bindings.check(&raw)?;
    // Without an id, nobody can say which key it is: each token asks for its own.
    let signature = || text_of_signature(whole);
    let name = header.kid().map_or_else(signature, |kid| format!("id {kid}"));
    Ok((raw.iss.map(String::from), name))
}

/// The begin of a token's signature, which no other token has.
fn text_of_signature(token: &str) -> String {
    let signature = token.rsplit('.').next().unwrap_or_default();
    format!("token {}", signature.get(..43).unwrap_or(signature))
}

/// Why a set of keys does not vouch for a token.
enum Doubt {
    /// The token is at fault, whatever the keys.
    Token(Error),
    /// Its signature is that of a key which is bound to another issuer than this, its
    /// own.
    Speaker(Box<str>),
    Keys(Miss),
}

impl From<Error> for Doubt {
    fn from(error: Error) -> Self {
        Self::Token(error)
    }
}

/// Header, then key and signature; with an issuer given, of its keys alone.
#[inline]
fn authenticate<'k>(
    token: Compact<'_>,
    trusted: &'k Trusted,
    welcome: Welcome<'_>,
    issuer: Option<&str>,
) -> Result<Vouched<'k>, Doubt> {
    if let Some(known) = trusted.headers.find(token) {
        return verify_signature(token, &known.header(), trusted, welcome, issuer);
    }
    let mut space = Space::new();
    let header = token.header(&mut space)?;
    let vouched = verify_signature(token, &header, trusted, welcome, issuer)?;
    trusted.headers.learn(token, &header);
    Ok(vouched)
}

#[inline]
fn verify_signature<'k>(
    token: Compact<'_>,
    header: &Header<'_>,
    trusted: &'k Trusted,
    welcome: Welcome<'_>,
    issuer: Option<&str>,
) -> Result<Vouched<'k>, Doubt> {
    welcome.check(header)?;
    let mut space = Space::new();
    let signature = token.signature(&mut space)?;
    trusted
        .keys
        .verify(issuer, header.kid(), header.algorithm(), token.signing_input(), signature)
        .map_err(Doubt::Keys)
}

/// Which headers are welcome, whatever the keys.
#[derive(Clone, Copy)]
struct Welcome<'v> {
    algorithms: AlgorithmSet,
    rules: &'v Rules,
}

impl Welcome<'_> {
    #[inline]
    fn check(self, header: &Header<'_>) -> Result<(), Error> {
        if !self.algorithms.contains(header.algorithm()) {
            return Err(Error::new(ErrorKind::AlgorithmNotAllowed));
        }
        self.rules.check_type(header.typ())
    }
}

impl<'v, C> From<&'v Config<C>> for Welcome<'v> {
    fn from(config: &'v Config<C>) -> Self {
        Self { algorithms: config.algorithms, rules: &config.rules }
    }
}

/// That a token is authentic, and the issuer that its key speaks for alone.
type Vouched<'k> = (Authentic, Option<&'k str>);

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
fn check_speaker(claims: &RawClaims<'_>, speaks_for: Option<&str>) -> Result<(), Doubt> {
    match speaks_for {
        Some(issuer) if claims.iss.as_deref() != Some(issuer) => {
            Err(Doubt::Speaker(claims.iss.as_deref().unwrap_or_default().into()))
        }
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
