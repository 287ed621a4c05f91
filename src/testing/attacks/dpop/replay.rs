//! Proofs that are presented again (RFC 9449 §11.1).

use base64_simd::URL_SAFE_NO_PAD;
use http::{HeaderValue, Request, Uri};

use super::{Attack, Client, Forge, right};
use crate::{alg::Algorithm, attack::Check::Replay};

pub(super) fn attacks(client: &Client, forge: &Forge) -> Vec<Attack> {
    let good = forge.good();
    let attack = |name, description, again: fn(&mut Request<()>)| {
        let attack = client.attack((name, Replay, description), &good, forge, right);
        Attack { again: Some(again), ..attack }
    };
    let mut all = vec![
        attack("d02_same_request", "a request with its proof is sent again", |_| ()),
        attack("d02_other_query", "a proof is sent again with another query", |request| {
            let separator = if request.uri().query().is_some() { '&' } else { '?' };
            let target = format!("{}{separator}attack=1", request.uri());
            if let Ok(target) = Uri::try_from(target) {
                *request.uri_mut() = target;
            }
        }),
    ];
    if client.key().key.algorithm() == Algorithm::ES256 {
        let description =
            "a proof is sent again with the other signature of ECDSA, which is also valid";
        all.push(attack("d02_other_signature", description, |request| {
            let proof = request.headers().get("dpop").and_then(|proof| proof.to_str().ok());
            let other = proof.and_then(with_other_signature);
            if let Some(other) = other.and_then(|proof| HeaderValue::try_from(proof).ok()) {
                request.headers_mut().insert("dpop", other);
            }
        }));
    }
    all
}

/// The proof with the signature (r, n - s) in place of (r, s).
fn with_other_signature(proof: &str) -> Option<String> {
    let (input, signature) = proof.rsplit_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode_to_vec(signature).ok()?;
    let (r, s) = signature.split_at_checked(ORDER.len())?;
    let other = URL_SAFE_NO_PAD.encode_to_string([r, &*difference(&ORDER, s)].concat());
    Some(format!("{input}.{other}"))
}

/// `a - b` of two numbers with as many bytes, the first byte of which is the highest.
fn difference(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut borrows = false;
    let mut bytes: Vec<_> = (a.iter().zip(b).rev())
        .map(|(a, b)| {
            let (byte, is_below) = a.overflowing_sub(*b);
            let (byte, is_below_too) = byte.overflowing_sub(u8::from(borrows));
            borrows = is_below || is_below_too;
            byte
        })
        .collect();
    bytes.reverse();
    bytes
}

/// The order of P-256 (SEC 2 §2.4.2).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        issue::SigningKey,
        testing::jws::{sign, signed},
    };

    #[test]
    fn numbers_are_subtracted() {
        assert_eq!(difference(&[1, 0, 0], &[0, 0, 1]), [0, 255, 255]);
        assert_eq!(difference(&[5, 3], &[5, 3]), [0, 0]);
        assert_eq!(difference(&ORDER, &ORDER), [0; 32]);
    }

    #[test]
    fn the_other_signature_is_valid() {
        let key = SigningKey::generate(Algorithm::ES256).unwrap();
        let token = signed(b"{}", b"{}", |input| sign(&key, input));
        let other = with_other_signature(&token).unwrap();
        assert_ne!(token, other);
        let verify = |token: &str| {
            let (input, signature) = token.rsplit_once('.').unwrap();
            let signature = URL_SAFE_NO_PAD.decode_to_vec(signature).unwrap();
            let jwk = key.public_jwk().unwrap();
            let key = crate::keys::ProofKey::from_jwk(&jwk, Algorithm::ES256).unwrap();
            key.verify(input.as_bytes(), &signature).is_some()
        };
        assert!(verify(&token) && verify(&other) && !verify(&token.replacen("e30", "e31", 1)));
        assert_eq!(with_other_signature(&other).unwrap(), token);
    }
}
