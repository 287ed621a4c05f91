//! Published test vectors that need the inside: `tests/conformance` has the others.

mod web;

use std::sync::Arc;

use super::{AttemptError, Bindings, Checks, Origin, authenticate};
use crate::{
    alg::Algorithm,
    clock::SystemClock,
    error::Error,
    keys::{KeySet, Trusted},
    rules::Rules,
    token::Compact,
};

/// A token's payload, if its form, its header and its signature are good. The
/// contents of the payload are not checked: those of the vectors are no claims sets.
fn open(keys: &KeySet, token: &str) -> Result<Vec<u8>, Error> {
    let token = Compact::parse(token, LONGEST)?;
    let algorithms = Algorithm::ALL.iter().copied().collect();
    let checks = Checks {
        origin: Origin::of_test(None, None),
        shadow: None,
        log: Default::default(),
        required_header: Default::default(),
        algorithms,
        rules: Rules::of_anybody(0),
        bindings: Bindings::default(),
        clients: Box::default(),
        clock: Arc::new(SystemClock),
    };
    let trusted = Trusted::new(keys.clone());
    let why = |doubt| match doubt {
        AttemptError::Token(error) => error,
        AttemptError::BoundToAnother(_) => unreachable!("the keys are bound to nobody"),
        AttemptError::Keys(miss) => miss.error,
    };
    authenticate(&checks, token, &trusted).map_err(why)?;
    // Again, with the header known.
    authenticate(&checks, token, &trusted).map_err(why)?;
    token.payload()
}

const LONGEST: usize = 8 * 1024;
