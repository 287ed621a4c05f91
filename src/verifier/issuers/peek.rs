//! What a token says of itself before anybody has verified it.

use std::borrow::Cow;

use serde::Deserialize;

use crate::{
    claims::RawClaims,
    error::{Error, ErrorKind},
    json,
    rules::{Rules, seconds},
    token::{Compact, Space},
    verifier::{
        builder::MOST_LEEWAY,
        pipeline::{read, text},
    },
};

/// The issuer that a token says it has: good to pick who verifies it, and nothing
/// else.
pub(super) fn issuer(token: &str, limit: usize) -> Result<Box<str>, Error> {
    #[derive(Deserialize)]
    struct Peek<'a> {
        #[serde(borrow)]
        iss: Option<Cow<'a, str>>,
    }
    let payload = text(Compact::parse(token, limit)?)?;
    match serde_json::from_str::<Peek<'_>>(&payload) {
        // An array would be read as a claims set, too.
        Ok(peek) if json::is_object(&payload) => {
            peek.iss.map(Box::from).ok_or_else(|| Error::missing_claim("iss"))
        }
        _ => Err(Error::new(ErrorKind::MalformedClaims { claim: None })),
    }
}

/// Whether a token could be a good one for some verifier; whoever asks for that
/// verifier goes to some trouble. One with a dangerously long leeway might differ.
#[cold]
pub(super) fn plausible(token: &str, limit: usize, now: i64) -> Result<(), Error> {
    let token = Compact::parse(token, limit)?;
    token.header(&mut Space::new())?;
    token.signature(&mut Space::new())?;
    let payload = text(token)?;
    let rules = Rules::of_anybody(seconds(MOST_LEEWAY));
    let mut raw = RawClaims::default();
    read(&payload, &rules, &mut raw)?;
    rules.check(&raw, now).map(drop)
}
