//! Changes of good proofs, as a fuzzer makes them: none is accepted, and none panics.

use super::*;

/// Numbers that are the same in each run (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap() % limit
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }
}

fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    let at = random.below(bytes.len());
    match random.below(6) {
        0 => bytes[at] ^= 1 << random.below(7),
        1 => bytes[at] = random.byte(),
        2 => _ = bytes.remove(at),
        3 => bytes.insert(at, random.byte()),
        4 => bytes.truncate(at),
        _ => {
            let other = random.below(bytes.len());
            let part = bytes[at.min(other)..at.max(other)].to_vec();
            bytes.splice(at..at, part);
        }
    }
    if bytes.is_empty() {
        bytes.push(b'.');
    }
}

#[test]
fn d01_a_changed_text_is_refused() {
    let (dpop, store) = dpop();
    let signer = Signer::ed25519();
    let good = signer.proof();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for round in 0..3_000 {
        let mut bytes = good.clone().into_bytes();
        for _ in 0..=random.below(3) {
            mutate(&mut random, &mut bytes);
        }
        if bytes == good.as_bytes() {
            continue;
        }
        let Ok(value) = HeaderValue::from_bytes(&bytes) else { continue };
        let mut request = request("GET", "/me", &[]);
        request.headers_mut().insert("dpop", value);
        let checked = answer(dpop.check_and_spend((&request).into(), TOKEN, &signer.jkt(), NOW));
        assert!(matches!(checked, Err(ErrorKind::DpopProof(_))), "{round}: {checked:?}");
    }
    assert_eq!(store.calls(), 0);
    assert_eq!(check(&dpop, &good, &signer.jkt()), Ok(()));
}

#[test]
fn signed_bytes_of_any_kind_do_not_panic() {
    let nonces = Nonces::new([7; 32]).unwrap();
    let (dpop, _) = dpop_with(|builder| builder.nonces(nonces.clone()));
    let signer = Signer::ed25519();
    let mut random = Random(1);
    let header = signer.header().to_string();
    let mut claims = good_claims();
    merge(&mut claims, json!({"nonce": nonces.make(NOW), "exp": NOW + 9, "nbf": NOW}));
    let claims = claims.to_string();
    let mut accepted = 0;
    for round in 0..3_000 {
        let (mut header, mut claims) = (header.clone().into_bytes(), claims.clone().into_bytes());
        mutate(&mut random, if round % 2 == 0 { &mut header } else { &mut claims });
        let proof = signer.sign(&header, &claims);
        match check(&dpop, &proof, &signer.jkt()) {
            // Some changes are only another `jti`, or a member that nobody reads.
            Ok(()) => accepted += 1,
            Err(ErrorKind::DpopProof(_) | ErrorKind::DpopNonce { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
        let _ = answer(dpop.check_without_token((&request("GET", "/me", &[&proof])).into(), NOW));
        let _ = dpop.fresh_nonce((&request("GET", "/me", &[&proof])).into(), NOW);
    }
    assert!(accepted < 1_000, "{accepted}");
}
