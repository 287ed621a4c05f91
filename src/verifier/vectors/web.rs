//! Wycheproof's JSON web vectors. They are no part of this repository: the
//! tests read them from the folder named by `WYCHEPROOF_DIR`, or from
//! `shared/wycheproof` beside the crate, and without that folder say so.
//!
//! Of their 476 signatures 456 end as the sets say. The other 20 are in the
//! tables below, each with what becomes of it here and why that is right.

use std::{
    env, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use base64_simd::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{LONGEST, open};
use crate::{
    alg::Algorithm,
    keys::{Key, KeySet},
    token::{Compact, DecodeBuf},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    number_of_tests: usize,
    test_groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    public: Option<Box<RawValue>>,
    private: Option<Box<RawValue>>,
    tests: Vec<Test>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Test {
    tc_id: usize,
    jws: Option<serde_json::Value>,
    result: String,
}

impl Group {
    /// The keys that the crate takes from the group's document; none where it
    /// refuses it.
    fn keys(&self) -> KeySet {
        let (text, private) = match (&self.public, &self.private) {
            (Some(public), _) => (public.get(), false),
            // A secret of zeros, which is refused as one that was never set.
            (None, Some(private)) if private.get().contains(r#""AAAAAAAAAAAAAAAA"#) => {
                return KeySet::new([Key::of_zeros(Algorithm::HS256)]);
            }
            (None, Some(private)) => (private.get(), true),
            (None, None) => panic!("a group without a key"),
        };
        let one = |key: Result<Key, _>| key.map(|key| KeySet::new([key]));
        let keys = match (private, text.contains("\"keys\"")) {
            (false, false) => one(Key::from_jwk(text)),
            (false, true) => KeySet::from_jwks(text),
            (true, false) => one(Key::from_private_jwk(text)),
            (true, true) => KeySet::from_private_jwks(text),
        };
        keys.unwrap_or_default()
    }
}

/// Tests whose result cannot be ours.
struct Unlike {
    tests: &'static [usize],
    accepted: bool,
    #[expect(dead_code, reason = "for the reader")]
    why: &'static str,
}

#[derive(Debug, Default, PartialEq)]
struct Tally {
    verified: usize,
    refused: usize,
    unlike: usize,
    encrypted: usize,
}

fn run(name: &str, unlike: &[Unlike]) -> Option<Tally> {
    let mut tally = Tally::default();
    let file = read(name)?;
    for group in &file.test_groups {
        let keys = group.keys();
        for test in &group.tests {
            let Some(jws) = &test.jws else {
                tally.encrypted += 1;
                continue;
            };
            let token = jws.as_str().map_or_else(|| jws.to_string(), str::to_owned);
            let opened = open(&keys, &token);
            let id = test.tc_id;
            if let Some(unlike) = unlike.iter().find(|unlike| unlike.tests.contains(&id)) {
                assert_eq!(opened.is_ok(), unlike.accepted, "{name}, tcId {id}");
                tally.unlike += 1;
                continue;
            }
            match (&*test.result, opened) {
                ("valid", Ok(_)) => tally.verified += 1,
                ("invalid", Err(_)) => tally.refused += 1,
                (result, opened) => panic!("{name}, tcId {id} is {result}: {:?}", opened.err()),
            }
        }
    }
    let Tally { verified, refused, unlike, encrypted } = &tally;
    assert_eq!(verified + refused + unlike + encrypted, file.number_of_tests, "{name}");
    Some(tally)
}

fn read(name: &str) -> Option<File> {
    let folder = env::var_os("WYCHEPROOF_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/wycheproof"),
        PathBuf::from,
    );
    if !folder.is_dir() {
        let folder = folder.display();
        let line = format!(
            "LEFT OUT: {name}: there is no folder {folder}; set WYCHEPROOF_DIR to the folder \
             `testvectors_v1` of Wycheproof\n"
        );
        // Past the harness, which keeps what a test that passes prints.
        let _ = io::stderr().write_all(line.as_bytes());
        return None;
    }
    let path = folder.join(name).with_extension("json");
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    Some(serde_json::from_str(&text).unwrap())
}

#[test]
fn signatures() {
    let Some(tally) = run("json_web_signature_test", SIGNATURE) else { return };
    assert_eq!(tally, Tally { verified: 34, refused: 353, unlike: 14, encrypted: 0 });
}

#[test]
fn keys() {
    let Some(tally) = run("json_web_key_test", KEY) else { return };
    assert_eq!(tally, Tally { verified: 5, refused: 18, unlike: 3, encrypted: 0 });
}

#[test]
fn signatures_of_the_oldest_set() {
    let Some(tally) = run("json_web_crypto_test", CRYPTO) else { return };
    assert_eq!(tally, Tally { verified: 4, refused: 42, unlike: 3, encrypted: 34 });
}

/// The tokens that are refused only for their empty payload have a good
/// signature.
#[test]
fn signatures_over_nothing() {
    let Some(file) = read("json_web_signature_test") else { return };
    let mut verified = 0;
    for group in &file.test_groups {
        let keys = group.keys();
        for test in group.tests.iter().filter(|test| EMPTY.contains(&test.tc_id)) {
            let token = test.jws.as_ref().unwrap().as_str().unwrap();
            let (input, signature) = token.rsplit_once('.').unwrap();
            let filled = format!("{input}AA.{signature}");
            let (mut buf, signature) =
                (DecodeBuf::new(), URL_SAFE_NO_PAD.decode_to_vec(signature).unwrap());
            let header = Compact::parse(&filled, LONGEST).unwrap().header(&mut buf).unwrap();
            let algorithm = header.algorithm();
            keys.verify(header.kid(), algorithm, input.as_bytes(), &signature).unwrap();
            verified += 1;
        }
    }
    assert_eq!(verified, EMPTY.len());
}

const EMPTY: &[usize] = &[259, 264, 268, 272, 320, 325];

const SIGNATURE: &[Unlike] = &[
    Unlike {
        tests: EMPTY,
        accepted: false,
        why: "valid with an empty payload, which no claims set is",
    },
    Unlike {
        tests: &[346, 350],
        accepted: false,
        why: "valid though the key says PS256 and the token PS384, which makes 338 and 340 invalid",
    },
    Unlike {
        tests: &[347, 351],
        accepted: false,
        why: "valid though the key says ES521, which is no algorithm: see 19 of the key set",
    },
    Unlike {
        tests: &[367, 370],
        accepted: true,
        why: "invalid for a padding that the file has lost: the token is that of 357",
    },
    Unlike { tests: &[372, 373], accepted: false, why: "valid with a `?` in the base64url" },
];

const KEY: &[Unlike] = &[
    Unlike {
        tests: &[1],
        accepted: true,
        why: "ambiguous: secrets and public keys in one document of our own configuration",
    },
    Unlike { tests: &[4], accepted: true, why: "ambiguous: two keys with one id are both tried" },
    Unlike {
        tests: &[7],
        accepted: true,
        why: "a key with the ROCA weakness, which is not looked for",
    },
];

const CRYPTO: &[Unlike] = &[
    Unlike { tests: &[17], accepted: false, why: "the token is an object, not a text" },
    Unlike {
        tests: &[46],
        accepted: true,
        why: "a key with the ROCA weakness, which is not looked for",
    },
    Unlike {
        tests: &[47],
        accepted: true,
        why: "secrets and public keys in one document of our own configuration",
    },
];
