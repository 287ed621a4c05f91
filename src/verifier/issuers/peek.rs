//! A first check of a token whose issuer has no engine yet.

use crate::{
    claims::RawClaims,
    error::Error,
    rules::{Rules, seconds},
    token::Compact,
    verifier::pipeline::{check_form, read_claims},
};

/// Refuses a token that no verifier would accept, so that its issuer is not resolved in vain. Only
/// a verifier with a dangerously long leeway might accept it.
#[cold]
pub(super) fn plausible(token: &str, limit: usize, now: i64) -> Result<(), Error> {
    // Nobody has verified it.
    check(token, limit, now).map_err(Error::without_values)
}

fn check(token: &str, limit: usize, now: i64) -> Result<(), Error> {
    let token = Compact::parse(token, limit)?.without_padding()?;
    let ((), payload) = check_form(token, |_| Ok(()))?;
    let rules = Rules::of_anybody(seconds(Rules::MOST_LEEWAY));
    let mut raw = RawClaims::default();
    read_claims(&payload, &rules, &mut raw)?;
    rules.check(&raw, now).map(drop)
}
