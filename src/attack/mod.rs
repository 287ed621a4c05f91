//! Attacks on a verifier, as tables: what is changed in a good token or its proof, which check then refuses it, and
//! which setting turns that check off. The corpus of the test kit signs what is in them, and the
//! self-test of a verifier looks at it without a signature.

mod check;
mod claims;
mod form;
mod header;
mod members;
mod proof;

use serde_json::Value;

#[cfg(feature = "test-util")]
pub(crate) use self::proof::{CONFIRMATIONS, PROOF_ADDRESSES, PROOF_CLAIMS};
pub(crate) use self::{
    check::Check,
    claims::CLAIMS,
    form::{FORMS, Parts},
    header::HEADERS,
    members::Members,
    proof::{PROOF_HEADERS, ProofSetup},
};

/// A change of a good token after which it must be refused.
pub(crate) struct Case<T: 'static> {
    /// It begins with the id of a row, such as `c05`, and does not change.
    pub(crate) name: &'static str,
    /// The change, as a sentence without a full stop.
    pub(crate) description: &'static str,
    /// The check that refuses it.
    pub(crate) check: Check,
    /// The kinds of the refusal. It is empty if only the keys can refuse it: then a key that nobody
    /// trusts signs it.
    pub(crate) kinds: &'static [&'static str],
    pub(crate) change: T,
}

/// The values that a good token has.
pub(crate) struct Setup<'s> {
    pub(crate) issuer: &'s str,
    pub(crate) audience: &'s str,
    /// In seconds since 1970.
    pub(crate) now: i64,
    /// How much later than `exp` a token may be accepted, in seconds.
    pub(crate) leeway: i64,
}

/// Changes the members of a header or a payload.
pub(crate) type Change = fn(&mut Members, &Setup<'_>);

impl<T> Case<T> {
    const fn new(
        name: &'static str,
        check: Check,
        kinds: &'static [&'static str],
        description: &'static str,
        change: T,
    ) -> Self {
        Self { name, description, check, kinds, change }
    }
}

/// A text as JSON.
fn text(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_begin_with_the_id_of_a_row() {
        let all = (CLAIMS.iter().chain(HEADERS).map(|case| (case.name, case.description)))
            .chain(FORMS.iter().map(|case| (case.name, case.description)))
            .chain(PROOF_HEADERS.iter().map(|case| (case.name, case.description)));
        #[cfg(feature = "test-util")]
        let all = all
            .chain(
                PROOF_CLAIMS
                    .iter()
                    .chain(PROOF_ADDRESSES)
                    .map(|case| (case.name, case.description)),
            )
            .chain(CONFIRMATIONS.iter().map(|case| (case.name, case.description)));
        let mut seen = HashSet::new();
        for (name, description) in all {
            assert!(seen.insert(name), "{name} twice");
            let (row, rest) = name.split_once('_').unwrap();
            assert!(row.len() == 3 && row[1..].parse::<u8>().is_ok() && !rest.is_empty(), "{name}");
            assert!(!description.is_empty() && !description.ends_with('.'), "{name}");
        }
        assert!(seen.len() > 120, "{}", seen.len());
    }
}
