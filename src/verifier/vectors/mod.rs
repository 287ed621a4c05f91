//! Published test vectors: of RFC 7515, RFC 7520 and RFC 8037, and Wycheproof's.

mod primitives;
mod rfc;
mod web;

use super::{Trust, authenticate};
use crate::{
    alg::Algorithm,
    error::Error,
    keys::KeySet,
    rules::{Rules, Types},
    token::{Compact, HeaderMemo},
};

/// A token's payload, if its form, its header and its signature are good. What
/// the payload says is not looked at: those of the vectors are no claims sets.
fn open(keys: &KeySet, token: &str) -> Result<Vec<u8>, Error> {
    let rules = Rules {
        issuers: None,
        audiences: None,
        subject: false,
        leeway: 0,
        max_age: None,
        types: Types::Usual,
        required: Box::default(),
    };
    let token = Compact::parse(token, LONGEST)?;
    let algorithms = Algorithm::ALL.iter().copied().collect();
    let headers = HeaderMemo::default();
    let trust = Trust { keys, algorithms, rules: &rules, headers: &headers };
    authenticate(token, trust)?;
    // Again, with the header known.
    authenticate(token, trust)?;
    token.payload()
}

const LONGEST: usize = 8 * 1024;
