//! Signatures that are nearly good: the rows of the table on algorithms that
//! look into the bytes of a signature or a key.

use base64_simd::URL_SAFE_NO_PAD;
use serde_json::json;
use tower_jwt_auth::{Algorithm, Key, KeySet, RegisteredClaims};

use crate::{
    gate::{Gate, accepted, cookie_gate, gate, invalid_token},
    support::{KEYS, TestKey, b64, claims, key, trusting},
};

/// A token of `key` whose signature was changed by `change`.
fn resigned(key: &TestKey, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    let good = key.token(&claims());
    let (input, signature) = good.rsplit_once('.').unwrap();
    format!("{input}.{}", b64(change(decode(signature))))
}

fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode_to_vec(text).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    let digit = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digit).collect()
}

/// The keys on curves, with the order of each.
fn curves() -> impl Iterator<Item = (&'static TestKey, Vec<u8>)> {
    KEYS.iter().filter_map(|key| {
        let order = match key.algorithm {
            Algorithm::ES256 => {
                "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551".into()
            }
            Algorithm::ES384 => "f".repeat(48) + "c7634d81f4372ddf581a0db248b0a77aecec196accc52973",
            Algorithm::ES512 => {
                let tail = "a51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409";
                "01".to_owned() + &"f".repeat(65) + tail
            }
            _ => return None,
        };
        Some((key, hex(&order)))
    })
}

/// `a - b`, big-endian and of the same length; `a` is not the smaller one.
fn minus(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let digits = a.iter().zip(b).rev().map(|(a, b)| {
        let digit = i16::from(*a) - i16::from(*b) - borrow;
        borrow = i16::from(digit < 0);
        digit.rem_euclid(256) as u8
    });
    let mut digits: Vec<u8> = digits.collect();
    digits.reverse();
    digits
}

/// `a + b`, little-endian and of the same length, without what is carried out.
fn plus(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    let digits = a.iter().zip(b).map(|(a, b)| {
        let digit = u16::from(*a) + u16::from(*b) + carry;
        carry = digit >> 8;
        digit as u8
    });
    digits.collect()
}

/// An INTEGER in DER.
fn integer(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let mut digits = number[zeros..].to_vec();
    if digits.first().is_none_or(|first| *first >= 0x80) {
        digits.insert(0, 0);
    }
    [vec![2, digits.len() as u8], digits].concat()
}

#[test]
fn a05_numbers_that_are_no_signature() {
    for (key, order) in curves() {
        let length = order.len();
        let (zero, mut one) = (vec![0; length], vec![0; length]);
        one[length - 1] = 1;
        let fill = vec![0xff; length];
        let below = minus(&order, &one);
        for r in [&zero, &one, &order, &fill, &below] {
            for s in [&zero, &one, &order, &fill, &below] {
                let forged = resigned(key, |_| [&r[..], &s[..]].concat());
                assert_eq!(
                    gate().bearer(&forged),
                    invalid_token(),
                    "{} {r:?} {s:?}",
                    key.algorithm
                );
            }
            let keep_r = resigned(key, |good| [&good[..length], &r[..]].concat());
            let keep_s = resigned(key, |good| [&r[..], &good[length..]].concat());
            for forged in [keep_r, keep_s] {
                assert_eq!(gate().bearer(&forged), invalid_token(), "{} {r:?}", key.algorithm);
            }
        }
    }
}

#[test]
fn a05_forms_that_are_no_signature() {
    for (key, order) in curves() {
        let length = order.len();
        let der = |good: Vec<u8>| {
            let body = [integer(&good[..length]), integer(&good[length..])].concat();
            let mut start = vec![0x30];
            if body.len() >= 0x80 {
                start.push(0x81);
            }
            start.push(body.len() as u8);
            [start, body].concat()
        };
        let changes: [&dyn Fn(Vec<u8>) -> Vec<u8>; 9] = [
            &der,
            &|good| [&good[length..], &good[..length]].concat(),
            &|good| good[..length].to_vec(),
            &|good| good[..good.len() - 1].to_vec(),
            &|good| good[1..].to_vec(),
            &|good| [&good[..], &[0]].concat(),
            &|good| [&[0], &good[..]].concat(),
            // Each number with a zero in front.
            &|good| [&[0], &good[..length], &[0], &good[length..]].concat(),
            &|good| [&good[..], &good[..]].concat(),
        ];
        for change in changes {
            assert_eq!(gate().bearer(&resigned(key, change)), invalid_token(), "{}", key.algorithm);
        }
        for length in [1, 2, 3, 31, 63, 64, 96, 128, 132, 133, 512, 513, 4000] {
            let zeros = resigned(key, |_| vec![0; length]);
            assert_eq!(gate().bearer(&zeros), invalid_token(), "{length} zeros");
        }
    }
}

#[test]
fn a05_the_mirrored_signature_is_one() {
    // RFC 7518 §3.4 does not demand the smaller `s`, so that a signature, and
    // the token's text, is no identity of the token.
    for (key, order) in curves() {
        let length = order.len();
        let mirrored = resigned(key, |good| {
            [good[..length].to_vec(), minus(&order, &good[length..])].concat()
        });
        assert_eq!(gate().bearer(&mirrored), accepted(), "{}", key.algorithm);
    }
}

#[test]
fn a05_an_algorithm_has_one_curve() {
    let keys: Vec<_> = curves().map(|(key, _)| key).collect();
    for own in &keys {
        for other in keys.iter().filter(|other| other.algorithm != own.algorithm) {
            let mut jwk = own.jwk();
            jwk["alg"] = other.algorithm.name().into();
            assert!(Key::from_jwk(jwk.to_string()).is_err(), "{jwk}");
            let mut jwk = own.jwk();
            jwk["crv"] = other.jwk()["crv"].clone();
            assert!(Key::from_jwk(jwk.to_string()).is_err(), "{jwk}");

            let bare = Key::from_pem(own.pem().unwrap()).unwrap();
            let gate = Gate::of(trusting::<RegisteredClaims>(bare));
            for name in [own.algorithm.name(), other.algorithm.name()] {
                let header = json!({"alg": name}).to_string();
                let token = other.token_of(&header, claims().to_string());
                assert_eq!(gate.bearer(&token), invalid_token());
                let token = own.token_of(&header, claims().to_string());
                let fits = name == own.algorithm.name();
                assert_eq!(gate.bearer(&token), if fits { accepted() } else { invalid_token() });
            }
        }
    }
}

#[test]
fn a05_rsa_signatures_are_numbers_below_the_modulus() {
    for algorithm in [Algorithm::RS256, Algorithm::PS256, Algorithm::RS512, Algorithm::PS512] {
        let key = key(algorithm);
        let n = decode(key.jwk()["n"].as_str().unwrap());
        let mut one = vec![0; n.len()];
        one[n.len() - 1] = 1;
        for forged in
            [vec![0; n.len()], one.clone(), n.clone(), minus(&n, &one), vec![0xff; n.len()]]
        {
            assert_eq!(gate().bearer(&resigned(key, |_| forged)), invalid_token(), "{algorithm}");
        }
        let changes: [&dyn Fn(Vec<u8>) -> Vec<u8>; 6] = [
            &|good| [&[0], &good[..]].concat(),
            &|good| [&good[..], &[0]].concat(),
            &|good| good[1..].to_vec(),
            &|good| good[..good.len() - 1].to_vec(),
            &|good| minus(&n, &good),
            // The same number, and the modulus once more.
            &|good| {
                let (mut s, mut n) = ([&[0], &good[..]].concat(), [&[0], &n[..]].concat());
                s.reverse();
                n.reverse();
                let mut sum = plus(&s, &n);
                sum.reverse();
                if sum[0] == 0 { sum[1..].to_vec() } else { sum }
            },
        ];
        for change in changes {
            assert_eq!(gate().bearer(&resigned(key, change)), invalid_token(), "{algorithm}");
        }
    }
}

/// The order of the group of Ed25519, little-endian.
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// Points of small order, in canonical form and not.
fn small_points() -> Vec<Vec<u8>> {
    let rest = "f".repeat(60);
    let (one, zero) = ("01".to_owned() + &"0".repeat(62), "0".repeat(64));
    let eight = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc";
    let other = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03";
    let mut points = vec![one, zero];
    for last in ["7f", "ff"] {
        // p - 1, p and p + 1.
        points.extend(["ec", "ed", "ee"].map(|first| format!("{first}{rest}{last}")));
    }
    points.extend(["05", "85"].map(|last| format!("{eight}{last}")));
    points.extend(["7a", "fa"].map(|last| format!("{other}{last}")));
    points.push("01".to_owned() + &"0".repeat(60) + "80");
    points.push("0".repeat(62) + "80");
    points.iter().map(|point| hex(point)).collect()
}

#[test]
fn a06_signatures_of_ed25519_have_one_form() {
    let ed = key(Algorithm::EdDSA);
    let again = resigned(ed, |good| [&good[..32], &plus(&good[32..], &L)].concat());
    let mut forged = vec![again];
    forged.extend((5..8).map(|bit| {
        resigned(ed, |mut good| {
            good[63] |= 1 << bit;
            good
        })
    }));
    for point in small_points() {
        for s in [[0; 32], L] {
            forged.push(resigned(ed, |_| [&point[..], &s].concat()));
        }
        forged.push(resigned(ed, |good| [&point[..], &good[32..]].concat()));
    }
    for length in [1, 32, 63, 65, 128] {
        forged.push(resigned(ed, |good| good.into_iter().cycle().take(length).collect()));
    }
    let verifier = trusting::<RegisteredClaims>(ed.key()).build().unwrap();
    for token in forged {
        // The same whichever way the token comes.
        assert_eq!(gate().bearer(&token), invalid_token());
        assert_eq!(cookie_gate().get(&[("cookie", format!("at={token}"))]), invalid_token());
        assert!(verifier.verify(&token).now_or_never().unwrap().unwrap_err().is_invalid_token());
    }
}

#[test]
fn a06_a_key_of_small_order_is_refused_in_every_form() {
    for point in small_points() {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": b64(&point)});
        let der = [hex("302a300506032b6570032100"), point.clone()].concat();
        let lines = base64_simd::STANDARD.encode_to_string(&der);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----\n");
        assert!(Key::from_jwk(jwk.to_string()).is_err(), "{point:x?}");
        assert!(Key::from_private_jwk(jwk.to_string()).is_err(), "{point:x?}");
        assert!(Key::from_der(der).is_err(), "{point:x?}");
        assert!(Key::from_pem(pem).is_err(), "{point:x?}");
        let set = KeySet::from_jwks(json!({"keys": [jwk]}).to_string()).unwrap();
        assert_eq!((set.len(), set.skipped().len()), (0, 1));
    }
    for kty in [json!({"crv": "Ed448"}), json!({"crv": "X25519"}), json!({"crv": "P-256"})] {
        let mut jwk = key(Algorithm::EdDSA).jwk();
        jwk["crv"] = kty["crv"].clone();
        assert!(Key::from_jwk(jwk.to_string()).is_err(), "{jwk}");
    }
}
