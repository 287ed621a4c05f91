//! Check 11 of §4.3: the bounds belong to the window.

use std::time::Duration;

use super::*;

#[test]
fn both_bounds_are_inclusive() {
    let (dpop, _) = dpop();
    let signer = Signer::ed25519();
    let at = |iat: Value| {
        check(&dpop, &signer.proof_with(json!({}), json!({ "iat": iat })), &signer.jkt())
    };
    for iat in [json!(NOW - 60), json!(NOW + 10), json!(NOW as f64 - 59.5), json!(NOW as f64 + 9.5)]
    {
        assert_eq!(at(iat.clone()), Ok(()), "{iat}");
    }
    for iat in [
        json!(NOW - 61),
        json!(NOW + 11),
        json!(NOW as f64 - 60.5),
        json!(NOW as f64 + 10.5),
        json!(0),
        json!(i64::MAX),
        json!(1e15),
    ] {
        assert_eq!(at(iat.clone()), fault(ProofFault::Time), "{iat}");
    }
}

#[test]
fn the_window_is_the_configured_one() {
    let (dpop, store) =
        dpop_with(|builder| builder.max_age(Duration::from_secs(300)).max_ahead(Duration::ZERO));
    let signer = Signer::ed25519();
    for (iat, expected) in [
        (NOW - 301, fault(ProofFault::Time)),
        (NOW - 300, Ok(())),
        (NOW, Ok(())),
        (NOW + 1, fault(ProofFault::Time)),
    ] {
        let proof = signer.proof_with(json!({}), json!({ "iat": iat }));
        assert_eq!(check(&dpop, &proof, &signer.jkt()), expected, "{iat}");
    }
    let (dpop, _) = dpop_with(|builder| builder.dangerous().any_max_age(Duration::from_secs(3600)));
    let proof = signer.proof_with(json!({}), json!({ "iat": NOW - 3600 }));
    assert_eq!(check(&dpop, &proof, &signer.jkt()), Ok(()));
    drop(store);
}

#[test]
fn a_clock_at_the_end_of_time() {
    let (dpop, _) = dpop();
    let signer = Signer::ed25519();
    for now in [i64::MIN, -1, 0, i64::MAX] {
        let proof = signer.proof();
        assert_eq!(check_at(&dpop, &proof, &signer.jkt(), now), fault(ProofFault::Time), "{now}");
    }
}

#[test]
fn an_entry_lives_as_long_as_its_proof() {
    let (dpop, store) = dpop();
    let signer = Signer::ed25519();
    for iat in [json!(NOW - 60), json!(NOW), json!(NOW as f64 + 9.5)] {
        let proof = signer.proof_with(json!({}), json!({ "iat": iat }));
        assert_eq!(check(&dpop, &proof, &signer.jkt()), Ok(()));
        let entry = store.last();
        assert_eq!(entry.now, NOW);
        assert!(entry.expires_at > NOW, "at least a second");
        // At each later second, the proof is refused by its time or by the store.
        let last = (NOW..NOW + 200)
            .rfind(|now| {
                check_at(&dpop, &proof, &signer.jkt(), *now) == fault(ProofFault::Replayed)
            })
            .unwrap();
        assert!(last < entry.expires_at);
        // Even by a clock that is 10 s behind.
        assert_eq!(entry.expires_at, last + 11);
    }
}
