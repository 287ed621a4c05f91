//! Row d06: nonces.

use std::time::Duration;

use super::*;
use crate::keys::hmac_sha256;

const SECRET: [u8; 32] = [7; 32];
const PERIOD: i64 = 60;

fn nonces() -> Nonces {
    Nonces::new(SECRET).unwrap()
}

/// The nonce of the answer.
fn demanded<T>(checked: Result<T, ErrorKind>) -> Option<Box<str>> {
    match checked {
        Err(ErrorKind::DpopNonce { nonce, .. }) => Some(nonce),
        _ => None,
    }
}

#[test]
fn d06_missing_old_of_another_purpose_and_current() {
    // A period begins at `NOW`.
    assert_eq!(NOW % PERIOD, 0);
    let (dpop, store) = dpop_with(|builder| builder.nonces(nonces()));
    let signer = Signer::p256();
    let with = |nonce: Value| {
        let proof = signer.proof_with(json!({}), json!({ "nonce": nonce }));
        check(&dpop, &proof, &signer.jkt())
    };
    let current = nonces().make(NOW);
    let step = (NOW / PERIOD).to_be_bytes();
    let other_purpose =
        base64url([&step[..], &hmac_sha256(&SECRET, &[b"refresh\0", &step[..]].concat())].concat());
    let without_code = base64url(step);
    let short = base64url([&step[..], &[0; 31]].concat());
    for nonce in [
        Value::Null,
        json!(""),
        json!("a"),
        json!(nonces().make(NOW - PERIOD - 1)),
        json!(nonces().make(NOW + PERIOD)),
        json!(nonces().make(0)),
        json!(Nonces::new([8; 32]).unwrap().make(NOW)),
        json!(other_purpose),
        json!(without_code),
        json!(short),
        json!(format!("{current}=")),
        json!(base64url([0xff; 40])),
        json!(base64url([0x80; 40])),
    ] {
        assert_eq!(demanded(with(nonce.clone())), Some(current.clone()), "{nonce}");
    }
    assert_eq!(store.calls(), 0, "none of them is spent");
    for nonce in [current, nonces().make(NOW - 1), nonces().make(NOW - PERIOD)] {
        assert_eq!(with(json!(nonce)), Ok(()), "{nonce}");
    }
}

#[test]
fn another_fault_comes_before_the_nonce() {
    let (dpop, _) = dpop_with(|builder| builder.nonces(nonces()));
    let signer = Signer::p256();
    for (change, expected) in [
        (json!({"htm": "PUT"}), ProofFault::Method),
        (json!({"iat": NOW - 61}), ProofFault::Time),
        (json!({"ath": "a"}), ProofFault::AccessToken),
    ] {
        let proof = signer.proof_with(json!({}), change);
        assert_eq!(check(&dpop, &proof, &signer.jkt()), fault(expected));
    }
}

#[test]
fn a_nonce_of_the_period_before_brings_a_fresh_one() {
    let (dpop, _) = dpop_with(|builder| builder.nonces(nonces()));
    let signer = Signer::p256();
    let fresh = |nonce: &str, now| {
        let claims = json!({"nonce": nonce, "iat": now});
        let request = request("GET", "/me", &[&signer.proof_with(json!({}), claims)]);
        answer(dpop.check_and_spend((&request).into(), TOKEN, &signer.jkt(), now)).unwrap();
        dpop.fresh_nonce((&request).into(), now)
    };
    let nonce = nonces().make(NOW);
    assert_eq!(fresh(&nonce, NOW), None);
    assert_eq!(fresh(&nonce, NOW + PERIOD - 1), None);
    for now in [NOW + PERIOD, NOW + 2 * PERIOD - 1] {
        assert_eq!(fresh(&nonce, now).unwrap(), &*nonces().make(now));
    }
    let (without, _) = super::dpop();
    let request = request("GET", "/me", &[&signer.proof()]);
    assert_eq!(without.fresh_nonce((&request).into(), NOW), None);
}

#[test]
fn secrets_are_replaced_one_by_one() {
    let (old, new) = ([1; 32], [2; 32]);
    let of = |secrets: &[[u8; 32]]| Nonces::with_secrets(secrets).unwrap();
    let (before, during, after) = (of(&[old]), of(&[new, old]), of(&[new]));
    assert!(during.check(&before.make(NOW), NOW).is_some());
    assert!(during.check(&after.make(NOW), NOW).is_some());
    assert_eq!(during.make(NOW), after.make(NOW));
    assert!(after.check(&before.make(NOW), NOW).is_none());
}

#[test]
fn nonces_are_nqchars_and_differ() {
    // RFC 9449 §8.1, and each period has one of its own.
    let made: HashSet<_> = (0..100).map(|step| nonces().make(NOW + step * PERIOD)).collect();
    assert_eq!(made.len(), 100);
    for nonce in made {
        assert!(nonce.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte)));
    }
    // Before 1970, and where a step is no number.
    for now in [i64::MIN, -1, i64::MAX] {
        assert!(nonces().check(&nonces().make(now), now).is_some(), "{now}");
    }
}

#[test]
fn the_period_is_the_configured_one() {
    let nonces = nonces().period(Duration::from_secs(5));
    let nonce = nonces.make(NOW);
    assert!(nonces.check(&nonce, NOW + 9).is_some());
    assert!(nonces.check(&nonce, NOW + 10).is_none());
}

#[test]
fn a_client_whose_clock_is_wrong() {
    let (dpop, store) = dpop_with(|builder| builder.nonces(nonces().any_client_clock()));
    let signer = Signer::p256();
    let nonce = nonces().make(NOW);
    for iat in [0, NOW - 86_400, NOW + 86_400] {
        let proof = signer.proof_with(json!({}), json!({"iat": iat, "nonce": nonce}));
        assert_eq!(check(&dpop, &proof, &signer.jkt()), Ok(()), "{iat}");
        assert_eq!(check(&dpop, &proof, &signer.jkt()), fault(ProofFault::Replayed));
        // It is kept for as long as its nonce is accepted, by any clock.
        assert_eq!(store.last().expires_at, NOW + 2 * PERIOD + 10);
        let last = check_at(&dpop, &proof, &signer.jkt(), NOW + 2 * PERIOD - 1);
        assert_eq!(last, fault(ProofFault::Replayed));
        assert!(demanded(check_at(&dpop, &proof, &signer.jkt(), NOW + 2 * PERIOD)).is_some());
    }
    let proof = signer.proof_with(json!({}), json!({"iat": 0}));
    assert!(demanded(check(&dpop, &proof, &signer.jkt())).is_some());
}

#[test]
fn debug_shows_no_secret() {
    let nonces = Nonces::new(*b"hunter2-hunter2-hunter2-hunter2-").unwrap();
    let (dpop, _) = dpop_with(|builder| builder.nonces(nonces.clone()));
    let builder = DPoP::required().nonces(nonces.clone());
    let shown = format!("{nonces:?} {dpop:?} {builder:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("104, 117"), "{shown}");
}
