//! The keys of a test's issuers, made once in a process.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
};

use crate::{
    alg::{Algorithm, Family},
    issue::SigningKey,
};

/// The use of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Use {
    /// It signs the tokens of its issuer.
    Signing,
    /// It signs tokens that are to be refused, and is published by nobody.
    Stranger,
}

type Keys = HashMap<(Box<str>, Algorithm, Use), SigningKey>;

static KEYS: LazyLock<Mutex<Keys>> = LazyLock::new(Mutex::default);

/// The key of an issuer for an algorithm. RSA keys take long to make, so all issuers have the same.
pub(super) fn of(issuer: &str, algorithm: Algorithm, usage: Use) -> SigningKey {
    let (owner, made_for) = match algorithm.family() {
        Family::RsaPkcs1 | Family::RsaPss => ("", Algorithm::RS256),
        _ => (issuer, algorithm),
    };
    let mut keys = KEYS.lock().unwrap_or_else(PoisonError::into_inner);
    let key = keys.entry((owner.into(), made_for, usage)).or_insert_with(|| new(made_for));
    key.clone().with_algorithm(algorithm).expect("an RSA key has every algorithm of RSA")
}

/// A key that nobody else has.
pub(super) fn new(algorithm: Algorithm) -> SigningKey {
    SigningKey::generate(algorithm).expect("the system has random bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once() {
        let kid = |issuer, algorithm, usage| of(issuer, algorithm, usage).kid().to_owned();
        for &algorithm in Algorithm::ALL {
            let key = kid("a", algorithm, Use::Signing);
            assert_eq!(key, kid("a", algorithm, Use::Signing), "{algorithm}");
            assert_ne!(key, kid("a", algorithm, Use::Stranger), "{algorithm}");
            let is_rsa = algorithm.name().starts_with(['R', 'P']);
            assert_eq!(key == kid("b", algorithm, Use::Signing), is_rsa, "{algorithm}");
            assert_eq!(of("a", algorithm, Use::Signing).algorithm(), algorithm);
        }
    }
}
