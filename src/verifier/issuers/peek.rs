//! A first check of a token whose issuer has no engine yet.

use crate::{
    claims::RawClaims,
    error::Error,
    rules::{Rules, seconds},
    token::{Compact, DecodeBuf},
    verifier::{
        limits::MOST_LEEWAY,
        pipeline::{payload_text, read_claims},
    },
};

/// Refuses a token that no verifier would accept, so that its issuer is not resolved in vain. Only
/// a verifier with a dangerously long leeway might accept it.
#[cold]
pub(super) fn plausible(token: &str, limit: usize, now: i64) -> Result<(), Error> {
    let token = Compact::parse(token, limit)?.without_padding()?;
    token.header(&mut DecodeBuf::new())?;
    token.signature(&mut DecodeBuf::new())?;
    let payload = payload_text(token)?;
    let rules = Rules::of_anybody(seconds(MOST_LEEWAY));
    let mut raw = RawClaims::default();
    read_claims(&payload, &rules, &mut raw)?;
    rules.check(&raw, now).map(drop)
}
