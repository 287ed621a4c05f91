//! The keys that are kept.

use super::{
    super::{
        header,
        key_cache::{KeyCache, Name},
    },
    *,
};

/// The encoded header of a proof.
fn header_of(proof: &str) -> &str {
    proof.split('.').next().unwrap()
}

#[test]
fn a_key_is_kept_after_its_first_good_proof_only() {
    let (dpop, _) = dpop();
    let signer = Signer::p256();
    let name = || Name::of(header_of(&signer.proof()));
    let bad = signer.proof_with(json!({}), json!({"htm": "PUT"}));
    assert_eq!(check(&dpop, &bad, &signer.jkt()), fault(ProofFault::Method));
    let thief = Signer::p256();
    assert_eq!(check(&dpop, &thief.proof(), &signer.jkt()), fault(ProofFault::OtherKey));
    assert!(!dpop.0.keys.has(&name()));
    assert!(!dpop.0.keys.has(&Name::of(header_of(&thief.proof()))));
    assert_eq!(check(&dpop, &signer.proof(), &signer.jkt()), Ok(()));
    assert!(dpop.0.keys.has(&name()));
    // Another header of the same key is read anew, with all its checks.
    let other = signer.proof_with(json!({"crit": ["a"]}), json!({}));
    assert_eq!(check(&dpop, &other, &signer.jkt()), fault(ProofFault::UnsupportedHeader));
}

#[test]
fn a_kept_key_is_not_read_again() {
    let (cache, signer) = (KeyCache::new(1 << 20), Signer::ed25519());
    let allowed = [Algorithm::EdDSA].into_iter().collect();
    let text = signer.header().to_string();
    let name = Name::of(&text);
    let mut reads = 0;
    for _ in 0..3 {
        let jkt = cache.with(
            &name,
            || {
                reads += 1;
                header::key_of(text.as_bytes(), allowed)
            },
            |key| Ok(*key.thumbprint()),
        );
        assert_eq!(jkt, Ok(signer.jkt()));
    }
    assert_eq!(reads, 1);
}

#[test]
fn a_flood_of_keys_takes_no_room_and_displaces_none_that_is_used() {
    let (cache, signer) = (KeyCache::new(MOST), Signer::ed25519());
    let allowed = [Algorithm::EdDSA].into_iter().collect();
    let text = signer.header().to_string();
    // One key under many names costs the test less than many keys.
    let ask = |name: &Name| {
        let mut was_read = false;
        let read = || {
            was_read = true;
            header::key_of(text.as_bytes(), allowed)
        };
        cache.with(name, read, |_| Ok(())).unwrap();
        !was_read
    };
    let used: Vec<_> = (0..20).map(|n| Name::of(&format!("used {n}"))).collect();
    for _ in 0..5 {
        used.iter().for_each(|name| _ = ask(name));
    }
    for n in 0..3_000 {
        ask(&Name::of(&format!("new {n}")));
        if n % 50 == 0 {
            used.iter().for_each(|name| _ = ask(name));
            assert!(cache.bytes() <= MOST, "{}", cache.bytes());
        }
    }
    assert!(used.iter().all(ask));
    assert!(cache.bytes() > MOST / 2, "the flood was large enough: {}", cache.bytes());
}

/// Room for a tenth of the flood, in bytes.
const MOST: usize = 256 * 1024;
