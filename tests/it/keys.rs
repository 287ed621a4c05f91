//! Keys: which are taken, and what is said of those that are not (RFC 7517,
//! RFC 7518 §3, RFC 8725 §3.5).

use std::{env, process::Command};

use serde_json::{Value, json};
use tower_jwt_auth::{
    Algorithm, ConfigError, Key, KeySet, RegisteredClaims, Verifier, keys::IntoKeySource,
};

use crate::{
    gate::{Gate, accepted, gate, invalid_token},
    support::{KEYS, TestKey, b64, claims, claims_with, key, pem, secret_key, trusting},
};

fn build(keys: impl IntoKeySource) -> Result<Verifier, ConfigError> {
    trusting(keys).build()
}

/// The set of these keys, in a document.
fn document(keys: &[Value]) -> Result<KeySet, ConfigError> {
    KeySet::from_jwks(json!({"keys": keys}).to_string())
}

/// The usual JWK of a key with these members instead; `null` takes one out.
fn jwk_with(algorithm: Algorithm, changes: &Value) -> Value {
    let mut jwk = key(algorithm).jwk();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(jwk.as_object_mut().unwrap().remove(name)),
            value => jwk[name] = value.clone(),
        }
    }
    jwk
}

/// A key that is refused by itself, and skipped in a document whose other key
/// serves on.
fn refused(jwk: &Value) -> ConfigError {
    let error = Key::from_jwk(jwk.to_string()).expect_err(&jwk.to_string());
    assert_eq!(build(Key::from_jwk(jwk.to_string())).unwrap_err(), error);
    assert_eq!(Key::from_private_jwk(jwk.to_string()).err(), Some(error.clone()), "{jwk}");
    skipped(jwk, &error);
    error
}

/// A key that is skipped in a document for this reason.
fn skipped(jwk: &Value, reason: &ConfigError) {
    let good = key(Algorithm::EdDSA);
    let set = document(&[jwk.clone(), good.jwk(), jwk.clone()]).unwrap();
    assert_eq!(set.len(), 1, "{jwk}");
    let kid = jwk["kid"].as_str().filter(|kid| !kid.is_empty());
    for (skipped, index) in set.skipped().iter().zip([0, 2]) {
        assert_eq!((skipped.index(), skipped.reason()), (index, reason), "{jwk}");
        if skipped.kid().is_some() {
            assert_eq!(skipped.kid(), kid);
        }
        assert!(skipped.to_string().contains(&reason.to_string()));
    }
    let gate = Gate::of(trusting::<RegisteredClaims>(set));
    assert_eq!(gate.bearer(&good.token(&claims())), accepted());
    match build(document(std::slice::from_ref(jwk))) {
        Err(ConfigError::NoUsableKeys(reasons)) => assert_eq!(reasons.len(), 1),
        other => panic!("{jwk}: {other:?}"),
    }
}

#[test]
fn b49_a_secret_of_16_bytes_verifies_if_asked() {
    type Make = fn(&[u8]) -> Result<Key, ConfigError>;
    let makes: [(Make, Algorithm); 3] = [
        (|secret| Key::dangerous().short_hs256(secret), Algorithm::HS256),
        (|secret| Key::dangerous().short_hs384(secret), Algorithm::HS384),
        (|secret| Key::dangerous().short_hs512(secret), Algorithm::HS512),
    ];
    for (make, algorithm) in makes {
        let secret = b"18characters-long!";
        let verifier = build(make(secret)).unwrap();
        let good = secret_key(algorithm, secret).token(&claims());
        assert!(verifier.verify(&good).now_or_never().unwrap().is_ok(), "{algorithm}");
        let other = secret_key(algorithm, b"18characters-long?").token(&claims());
        assert!(verifier.verify(&other).now_or_never().unwrap().is_err());
        assert!(make(&secret[..16]).is_ok());
        assert!(matches!(make(&secret[..15]), Err(ConfigError::SecretTooShort { .. })));
        assert!(matches!(make(&[0; 16]), Err(ConfigError::WeakKey(_))));
        let key_file = b"-----BEGIN PUBLIC KEY-----";
        assert!(matches!(make(key_file), Err(ConfigError::SecretIsAKey)));
    }
}

#[test]
fn k01_a_secret_is_as_long_as_its_hash() {
    type Make = fn(Vec<u8>) -> Result<Key, ConfigError>;
    for (make, needed, algorithm) in
        [(Key::hs256 as Make, 32, "HS256"), (Key::hs384, 48, "HS384"), (Key::hs512, 64, "HS512")]
    {
        for given in [0, 1, 16, 31, 32, 47, 63] {
            let (key, short) = (make(vec![0x5a; given]), given < needed);
            let jwk = json!({"kty": "oct", "alg": algorithm, "k": b64(vec![0x5a; given])});
            for key in [key, Key::from_private_jwk(jwk.to_string())] {
                let error = key.as_ref().err().map(|error| match error {
                    ConfigError::SecretTooShort { algorithm, needed, given, .. } => {
                        (*algorithm, *needed, *given)
                    }
                    other => panic!("{other}"),
                });
                assert_eq!(error, short.then_some((algorithm, needed, given)));
                assert_eq!(build(key).is_err(), short);
            }
            let set = KeySet::from_private_jwks(json!({"keys": [jwk]}).to_string()).unwrap();
            assert_eq!(set.len(), usize::from(!short));
        }
        assert!(make(vec![0x5a; needed]).is_ok());
        assert!(make(vec![0x5a; 4096]).is_ok());
    }
    // Without `alg`, it serves those that it is long enough for.
    for (length, count) in [(31, None), (32, Some(1)), (48, Some(2)), (64, Some(3))] {
        let jwk = json!({"kty": "oct", "k": b64(vec![0x5a; length])}).to_string();
        let key = Key::from_private_jwk(jwk).ok();
        assert_eq!(key.map(|key| key.algorithms().count()), count);
    }
    for k in [json!(null), json!(""), json!(7), json!("a b"), json!("AA==")] {
        let jwk = json!({"kty": "oct", "alg": "HS256", "k": k}).to_string();
        assert!(Key::from_private_jwk(&jwk).is_err(), "{jwk}");
    }
    assert!(matches!(build(Key::hs256("")), Err(ConfigError::SecretTooShort { given: 0, .. })));
    assert!(matches!(build(KeySet::default()), Err(ConfigError::NoKeys)));
    assert!(matches!(build(Vec::new()), Err(ConfigError::NoKeys)));
}

#[test]
fn k01_the_text_of_a_key_is_no_secret() {
    for key in KEYS.iter() {
        let Some(pem) = key.pem() else { continue };
        let set = json!({"keys": [key.jwk()]}).to_string();
        for text in [pem.clone(), format!("\n {pem}"), key.jwk().to_string(), set] {
            if text.len() >= 64 {
                assert_eq!(Key::hs512(&text).err(), Some(ConfigError::SecretIsAKey), "{text}");
            }
        }
    }
}

/// A SEQUENCE of two INTEGERs in DER, which are given without a sign.
fn pkcs1(n: &[u8], e: &[u8]) -> Vec<u8> {
    let element = |tag: u8, content: &[u8]| {
        let length = (content.len() as u16).to_be_bytes();
        [&[tag, 0x82], &length[..], content].concat()
    };
    let integer = |number: &[u8]| match number.first() {
        Some(first) if *first < 0x80 => [&[2, number.len() as u8], number].concat(),
        _ => element(2, &[&[0], number].concat()),
    };
    element(0x30, &[integer(n), integer(e)].concat())
}

#[test]
fn k02_weak_rsa_keys_are_refused() {
    let modulus = |bytes: usize, first: u8, last: u8| {
        let mut n = vec![0xb7; bytes];
        (n[0], n[bytes - 1]) = (first, last);
        n
    };
    let good = (modulus(256, 0xc1, 1), vec![1, 0, 1]);
    for (n, e) in [
        (modulus(64, 0xc1, 1), vec![1, 0, 1]),
        (modulus(128, 0xc1, 1), vec![1, 0, 1]),
        (modulus(255, 0xff, 1), vec![1, 0, 1]),
        (modulus(256, 0x7f, 1), vec![1, 0, 1]),
        (modulus(1025, 0xc1, 1), vec![1, 0, 1]),
        (modulus(2500, 0xc1, 1), vec![1, 0, 1]),
        (modulus(256, 0xc1, 2), vec![1, 0, 1]),
        (modulus(256, 0xc1, 0), vec![3]),
        (good.0.clone(), vec![1]),
        (good.0.clone(), vec![0, 0, 1]),
        (good.0.clone(), vec![0]),
        (good.0.clone(), vec![2]),
        (good.0.clone(), vec![1, 0, 0]),
        (good.0.clone(), vec![0xff; 8]),
        (good.0.clone(), good.0.clone()),
        ([&[0; 64], &modulus(192, 0xc1, 1)[..]].concat(), vec![1, 0, 1]),
    ] {
        let jwk = json!({"kty": "RSA", "kid": "weak", "n": b64(&n), "e": b64(&e)});
        let error = refused(&jwk);
        assert!(matches!(error, ConfigError::WeakKey(_) | ConfigError::MalformedKey(_)), "{error}");
        if e.first() != Some(&0) && n[0] != 0 {
            assert!(Key::from_der(pkcs1(&n, &e)).is_err());
            assert!(Key::from_pem(pem("RSA PUBLIC KEY", &pkcs1(&n, &e))).is_err());
        }
    }
    for (n, e) in [("", "AQAB"), ("AQAB", ""), ("A", "AQAB"), ("a=", "AQAB"), ("!", "AQAB")] {
        refused(&json!({"kty": "RSA", "n": n, "e": e}));
    }
    // The usual numbers in the same forms, so that the forms are not at fault.
    assert!(Key::from_der(pkcs1(&good.0, &good.1)).is_ok());
    assert!(Key::from_pem(pem("RSA PUBLIC KEY", &pkcs1(&good.0, &[3]))).is_ok());
}

#[test]
fn k02_points_off_the_curve_are_refused() {
    for algorithm in [Algorithm::ES256, Algorithm::ES384, Algorithm::ES512] {
        if cfg!(not(feature = "aws_lc_rs")) && algorithm == Algorithm::ES512 {
            continue;
        }
        let jwk = key(algorithm).jwk();
        let bytes = |name: &str| {
            base64_simd::URL_SAFE_NO_PAD.decode_to_vec(jwk[name].as_str().unwrap()).unwrap()
        };
        let (x, y) = (bytes("x"), bytes("y"));
        let length = x.len();
        let (mut off, zero, fill) = (y.clone(), vec![0; length], vec![0xff; length]);
        off[length - 1] ^= 1;
        for (x, y) in [
            (&x, &off),
            (&y, &x),
            (&x, &x),
            (&zero, &zero),
            (&x, &zero),
            (&fill, &fill),
            (&x, &fill),
            (&x, &y[1..].to_vec()),
            (&x[1..].to_vec(), &y),
            (&[&[0], &x[..]].concat(), &y),
            (&[&x[..], &y[..1]].concat(), &y[1..].to_vec()),
            (&[&x[..], &y[..]].concat(), &Vec::new()),
            (&Vec::new(), &[&x[..], &y[..]].concat()),
        ] {
            refused(&jwk_with(algorithm, &json!({"x": b64(x), "y": b64(y)})));
        }
        // In a SubjectPublicKeyInfo, whose end is the point.
        let mut spki = key(algorithm).spki().unwrap();
        assert!(Key::from_der(&spki).is_ok());
        *spki.last_mut().unwrap() ^= 1;
        assert!(Key::from_der(&spki).is_err());
        assert!(Key::from_pem(pem("PUBLIC KEY", &spki)).is_err());
    }
    for members in [json!({"x": null}), json!({"y": null}), json!({"crv": null}), json!({"x": 7})] {
        refused(&jwk_with(Algorithm::ES256, &members));
    }
}

#[test]
fn k03_keys_for_something_else_are_skipped() {
    for members in [
        json!({"use": "enc"}),
        json!({"use": "SIG"}),
        json!({"use": ""}),
        json!({"key_ops": ["sign"]}),
        json!({"key_ops": ["encrypt", "wrapKey"]}),
        json!({"key_ops": []}),
        json!({"use": "sig", "key_ops": ["sign"]}),
        json!({"use": "enc", "key_ops": ["verify"]}),
        json!({"alg": "RSA-OAEP"}),
        json!({"alg": "RSA-OAEP-256"}),
        json!({"alg": "ES256"}),
        json!({"alg": "HS256"}),
        json!({"alg": "none"}),
        json!({"alg": ""}),
    ] {
        let error = refused(&jwk_with(Algorithm::RS256, &members));
        assert!(matches!(error, ConfigError::KeyUse(_)), "{members}: {error}");
    }
    for members in [
        json!({"kty": "AKP"}),
        json!({"kty": "rsa"}),
        json!({"kty": "EC2"}),
        json!({"kty": ""}),
        json!({"kty": "EC", "crv": "secp256k1"}),
        json!({"kty": "EC", "crv": "Ed25519"}),
        json!({"kty": "OKP", "crv": "P-256"}),
        json!({"kty": "OKP", "crv": "Ed448"}),
        json!({"kty": "OKP", "crv": "X25519"}),
    ] {
        let error = refused(&jwk_with(Algorithm::RS256, &members));
        assert!(matches!(error, ConfigError::UnsupportedKey(_)), "{members}: {error}");
    }
    for members in [
        json!({"kty": null}),
        json!({"kty": 7}),
        json!({"kid": 7}),
        json!({"key_ops": "verify"}),
        json!({"use": ["sig"]}),
        json!({"alg": 256}),
        json!({"crv": "P-256"}),
    ] {
        let error = refused(&jwk_with(Algorithm::RS256, &members));
        assert!(matches!(error, ConfigError::MalformedKey(_)), "{members}: {error}");
    }
    for good in [
        json!({"use": "sig"}),
        json!({"key_ops": ["verify"]}),
        json!({"use": "sig", "key_ops": ["sign", "verify"], "ext": true}),
        json!({"x5c": "no array", "x5t": 7, "x5u": [], "issuer": {"deep": []}}),
    ] {
        let set = document(&[jwk_with(Algorithm::RS256, &good)]).unwrap();
        assert_eq!((set.len(), set.skipped().len()), (1, 0), "{good}");
    }
}

#[test]
fn k03_one_bad_entry_is_not_the_end_of_the_document() {
    let good = key(Algorithm::EdDSA).jwk();
    let junk =
        [json!(null), json!(7), json!("x"), json!([]), json!([good]), json!({}), json!(true)];
    let set = document(&[&junk[..], std::slice::from_ref(&good)].concat()).unwrap();
    assert_eq!((set.len(), set.skipped().len()), (1, junk.len()));
    for text in [
        "",
        "x",
        "[]",
        "{}",
        "null",
        r#"{"keys":null}"#,
        r#"{"keys":{}}"#,
        r#"{"keys":7}"#,
        r#"{"keys":[]} x"#,
        r#"{"keys":[],"keys":[]}"#,
        r#"{"Keys":[]}"#,
        "\u{feff}{\"keys\":[]}",
    ] {
        assert!(KeySet::from_jwks(text).is_err(), "{text}");
        assert!(build(KeySet::from_jwks(text)).is_err(), "{text}");
    }
    assert!(KeySet::from_jwks(b"\xff\xfe").is_err());
    assert!(matches!(build(KeySet::from_jwks(r#"{"keys":[]}"#)), Err(ConfigError::NoKeys)));
    let deep = format!(r#"{{"keys":[{}"#, "[".repeat(10_000));
    assert!(KeySet::from_jwks(deep).is_err());
    // Thousands of keys are only long, and a token is tried with few of them.
    let many = document(&vec![key(Algorithm::HS256).jwk(); 2000]).unwrap();
    assert_eq!(many.skipped().len(), 2000);
}

#[test]
fn k04_secrets_in_a_public_document_are_skipped() {
    let oct = key(Algorithm::HS256).jwk();
    skipped(&oct, &ConfigError::SymmetricKey);
    assert_eq!(Key::from_jwk(oct.to_string()).err(), Some(ConfigError::SymmetricKey));
    let token = key(Algorithm::HS256).token(&claims());
    let allowed = KeySet::from_private_jwks(json!({"keys": [oct]}).to_string());
    assert_eq!(Gate::of(trusting::<RegisteredClaims>(allowed)).bearer(&token), accepted());
    for k in [json!(""), json!("AA"), json!(null)] {
        skipped(&jwk_with(Algorithm::HS256, &json!({"k": k})), &ConfigError::SymmetricKey);
    }
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
        for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] {
            for value in [json!("AQAB"), json!(""), json!([]), json!(7)] {
                // What is no text is no key at all, where it is read.
                if name == "k" && !value.is_string() {
                    continue;
                }
                let jwk = jwk_with(algorithm, &json!({name: value, "kid": "marker"}));
                skipped(&jwk, &ConfigError::PrivateJwk);
                assert_eq!(Key::from_jwk(jwk.to_string()).err(), Some(ConfigError::PrivateJwk));
                // By the name that says so, its public half is taken.
                assert!(Key::from_private_jwk(jwk.to_string()).is_ok(), "{jwk}");
            }
        }
    }
}

#[test]
fn k05_keys_with_the_same_id_or_none_are_all_tried() {
    let key_of = |kid: Option<&str>| {
        let key = TestKey::fresh(Algorithm::ES256);
        let mut jwk = key.jwk();
        jwk["kid"] = kid.into();
        if kid.is_none() {
            jwk.as_object_mut().unwrap().remove("kid");
        }
        (key, jwk)
    };
    let token = |key: &TestKey, kid: Option<&str>| {
        let mut header = json!({"alg": "ES256"});
        if let Some(kid) = kid {
            header["kid"] = kid.into();
        }
        key.token_of(header.to_string(), claims().to_string())
    };
    let verdict = |good| if good { accepted() } else { invalid_token() };
    for kid in [Some("same"), None] {
        let keys: Vec<_> = (0..6).map(|_| key_of(kid)).collect();
        let jwks: Vec<_> = keys.iter().map(|(_, jwk)| jwk.clone()).collect();
        let gate = Gate::of(trusting::<RegisteredClaims>(document(&jwks)));
        for (place, (key, _)) in keys.iter().enumerate() {
            // Four and no more: whoever sends tokens decides how often.
            assert_eq!(gate.bearer(&token(key, kid)), verdict(place < 4), "{kid:?} {place}");
            assert_eq!(gate.bearer(&token(key, None)), verdict(place < 4), "{kid:?} {place}");
            assert_eq!(gate.bearer(&token(key, Some("x"))), verdict(kid.is_none() && place < 4));
        }
    }
    // Keys of other algorithms do not count among the four.
    let (last, jwk) = key_of(None);
    let others =
        KEYS.iter().filter(|key| key.algorithm != Algorithm::ES256 && key.spki().is_some());
    let jwks: Vec<_> = others.map(TestKey::jwk).chain([jwk]).collect();
    let gate = Gate::of(trusting::<RegisteredClaims>(document(&jwks)));
    assert_eq!(gate.bearer(&token(&last, None)), accepted());
    // One id, two types of key (RFC 7517 §4.5).
    let two = [Algorithm::ES256, Algorithm::RS256]
        .map(|algorithm| jwk_with(algorithm, &json!({"kid": "ES256"})));
    let gate = Gate::of(trusting::<RegisteredClaims>(document(&two)));
    assert_eq!(gate.bearer(&key(Algorithm::ES256).token(&claims())), accepted());
}

#[test]
fn k06_every_back_end_that_is_on_verifies() {
    // The tests turn on jsonwebtoken's `aws_lc_rs`, and the feature
    // `rust_crypto` of this crate its other back end beside it.
    let both = cfg!(feature = "rust_crypto");
    println!("aws_lc_rs: {}, jsonwebtoken with both: {both}", cfg!(feature = "aws_lc_rs"));
    for key in KEYS.iter() {
        assert_eq!(gate().bearer(&key.token(&claims())), accepted(), "{}", key.algorithm);
        let forged = TestKey::fresh(key.algorithm).token(&claims());
        assert_eq!(gate().bearer(&forged), invalid_token(), "{}", key.algorithm);
    }
    // A choice for the whole process needs a process of its own.
    let name = "keys::k06_a_choice_for_the_process_changes_nothing";
    let child =
        Command::new(env::current_exe().unwrap()).args(["--ignored", "--exact", name]).output();
    let child = child.unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "run by k06_every_back_end_that_is_on_verifies, in a process of its own"]
fn k06_a_choice_for_the_process_changes_nothing() {
    let provider = jsonwebtoken::crypto::CryptoProvider {
        signer_factory: |_, _| panic!("another crate's choice was used"),
        verifier_factory: |_, _| panic!("another crate's choice was used"),
        key_utils: jsonwebtoken::crypto::KeyUtils::new_unimplemented(),
    };
    Box::leak(Box::new(provider)).install_default().unwrap();
    for key in KEYS.iter() {
        assert_eq!(gate().bearer(&key.token(&claims())), accepted(), "{}", key.algorithm);
        let pem = key.pem().map(|pem| Key::from_pem(pem).unwrap());
        assert!(pem.is_none_or(|pem| pem.algorithms().any(|one| one == key.algorithm)));
    }
}

#[test]
fn k07_a_private_key_is_refused_as_what_it_is() {
    let says = ConfigError::PrivateKey.to_string();
    assert!(
        says.contains("private key") && says.contains("public key") && says.contains("-pubout")
    );
    let private = Some(ConfigError::PrivateKey);
    for key in KEYS.iter() {
        for (label, der) in key.private() {
            let text = pem(label, &der);
            let public = key.pem().unwrap();
            for text in [
                text.clone(),
                text.replace('\n', "\r\n"),
                format!("Bag Attributes\n    friendlyName: x\n{text}"),
                format!("{public}{text}"),
                format!("{text}{public}"),
            ] {
                assert_eq!(Key::from_pem(&text).err(), private, "{label}");
                assert_eq!(build(Key::from_pem(&text)).err(), private, "{label}");
            }
            assert_eq!(Key::from_der(&der).err(), private, "{label} of {}", key.algorithm);
            // With the label of a public key it is at least no key.
            assert!(Key::from_pem(pem("PUBLIC KEY", &der)).is_err());
            assert!(Key::from_pem(pem("RSA PUBLIC KEY", &der)).is_err());
            assert!(Key::hs512(text).is_err());
            assert_eq!(Key::hs256(&der).err(), Some(ConfigError::SecretIsAKey), "{label}");
        }
    }
    let parameters = pem("EC PARAMETERS", &[6, 8, 42, 134, 72, 206, 61, 3, 1, 7]);
    for label in ["EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"] {
        let text = parameters.clone() + &pem(label, &[0x30, 0]);
        assert_eq!(Key::from_pem(text).err(), private, "{label}");
    }
    for text in [
        "",
        "x",
        "-----BEGIN PUBLIC KEY-----",
        "-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----",
    ] {
        assert!(matches!(Key::from_pem(text), Err(ConfigError::MalformedKey(_))), "{text}");
    }
    for bytes in [&b""[..], b"x", &[0x30], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0; 64]] {
        assert!(Key::from_der(bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn k01_a_secret_that_was_never_set_is_refused() {
    for refused in [Key::hs256([0; 32]), Key::hs384([0; 48]), Key::hs512([0; 64])] {
        assert!(matches!(refused, Err(ConfigError::WeakKey(_))));
    }
}

fn private_jwk(secret: &[u8]) -> Result<Key, ConfigError> {
    Key::from_private_jwk(json!({"kty": "oct", "alg": "HS256", "k": b64(secret)}).to_string())
}

#[test]
fn a03_a_public_key_is_no_secret() {
    for key in KEYS.iter() {
        let (Some(der), Some(pem)) = (key.spki(), key.pem()) else { continue };
        let encoded = [
            base64_simd::STANDARD.encode_to_string(&der),
            base64_simd::URL_SAFE_NO_PAD.encode_to_string(&der),
            base64_simd::STANDARD.encode_to_string(&pem),
            // What is between the first and the last line of the PEM.
            pem.lines().filter(|line| !line.starts_with('-')).collect::<Vec<_>>().join("\n"),
        ];
        for text in encoded {
            assert_eq!(Key::hs256(&text).err(), Some(ConfigError::SecretIsAKey), "{text}");
            assert_eq!(Key::hs256(format!("{text}\n")).err(), Some(ConfigError::SecretIsAKey));
            assert_eq!(private_jwk(text.as_bytes()).err(), Some(ConfigError::SecretIsAKey));
        }
        for secret in [der, pem.into_bytes(), key.jwk().to_string().into_bytes()] {
            assert_eq!(Key::hs256(&secret).err(), Some(ConfigError::SecretIsAKey));
            assert_eq!(private_jwk(&secret).err(), Some(ConfigError::SecretIsAKey));
        }
    }
    assert!(matches!(private_jwk(&[0; 32]), Err(ConfigError::WeakKey(_))));
    let set = json!({"keys": [{"kty": "oct", "k": b64([0; 64])}]}).to_string();
    assert!(matches!(
        KeySet::from_private_jwks(set).unwrap().skipped()[0].reason(),
        ConfigError::WeakKey(_)
    ));
}

#[test]
fn c04_the_keys_of_one_issuer_do_not_sign_for_another() {
    let [one, other] = [Algorithm::ES256, Algorithm::ES384].map(key);
    let bound = |key: &TestKey, issuer| KeySet::new([key.key()]).with_issuer(issuer);
    let verifier = Verifier::builder()
        .audience(crate::support::AUDIENCE)
        .clock(crate::support::FixedClock::default())
        .keys(bound(one, "https://one"))
        .issuer("https://one")
        .keys(bound(other, "https://other"))
        .issuer("https://other");
    let gate = Gate::of(verifier);
    let with =
        |key: &TestKey, issuer| gate.bearer(&key.token(&claims_with(json!({"iss": issuer}))));
    assert_eq!(with(one, "https://one"), accepted());
    assert_eq!(with(other, "https://other"), accepted());
    for issuer in ["https://other", "https://one/", "https://ONE", crate::support::ISSUER] {
        assert_eq!(with(one, issuer), invalid_token(), "{issuer}");
    }
    assert_eq!(with(other, "https://one"), invalid_token());

    // Also where every issuer is welcome, with or without an `iss`.
    let any = trusting::<RegisteredClaims>(bound(one, "https://one")).any_issuer();
    let gate = Gate::of(any);
    for (claims, answer) in [
        (json!({"iss": "https://one"}), accepted()),
        (json!({"iss": "https://other"}), invalid_token()),
        (json!({"iss": null}), invalid_token()),
    ] {
        assert_eq!(gate.bearer(&one.token(&claims_with(claims))), answer);
    }
}

/// Keys of jsonwebtoken verify what they verify there, and what is refused here is refused.
#[cfg(feature = "jsonwebtoken")]
#[test]
fn keys_of_jsonwebtoken_are_keys() {
    use jsonwebtoken::{
        DecodingKey,
        jwk::{Jwk, JwkSet},
    };
    let accepted = |source: &dyn Fn() -> Verifier, algorithm| {
        let token = key(algorithm).token(&claims());
        source().verify(&token).now_or_never().unwrap().is_ok()
    };
    for algorithm in
        [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA]
    {
        let jwk: Jwk = serde_json::from_value(key(algorithm).jwk()).unwrap();
        let set = JwkSet { keys: vec![jwk.clone()] };
        assert!(accepted(&|| trusting(set.clone()).build().unwrap(), algorithm), "{algorithm}");
        assert_eq!(Key::try_from(&jwk).unwrap().kid(), jwk.common.key_id.as_deref());
        let from_jwk = DecodingKey::from_jwk(&jwk).unwrap();
        assert!(
            accepted(&|| trusting(from_jwk.clone()).build().unwrap(), algorithm),
            "{algorithm}"
        );
    }
    let secret = DecodingKey::from_secret(&[7; 32]);
    assert_eq!(
        Key::try_from(&secret).unwrap().algorithms().collect::<Vec<_>>(),
        [Algorithm::HS256]
    );
    let short = Key::try_from(&DecodingKey::from_secret(b"secret")).unwrap_err();
    assert!(matches!(short, ConfigError::SecretTooShort { .. }), "{short}");
    let shared: Jwk = serde_json::from_value(json!({"kty": "oct", "k": b64([7; 32])})).unwrap();
    assert!(Key::try_from(&shared).is_err());
    assert!(trusting::<RegisteredClaims>(JwkSet { keys: vec![shared] }).build().is_err());
    for (key, part) in [
        (DecodingKey::from_rsa_raw_components(&[1; 64], &[1, 0, 1]), "2048 bits"),
        (DecodingKey::from_ec_der(b"x"), ""),
        (DecodingKey::from_ec_der(&[4; 65]), ""),
        (DecodingKey::from_ed_der(&[]), ""),
        (DecodingKey::from_rsa_der(&[]), ""),
    ] {
        let error = Key::try_from(&key).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}
