//! Padded tokens and header parameters, as an AWS load balancer has them (B13).

use base64_simd::URL_SAFE;
use serde_json::{Value, json};
use tower_jwt_auth::{
    Algorithm, Claims, ConfigError, Error, ErrorKind, RegisteredClaims, Verifier,
    verifier::{Issuers, VerifierBuilder},
};

use crate::support::{TestKey, claims, claims_with, key, trusting};

fn verifier(change: impl FnOnce(VerifierBuilder) -> VerifierBuilder) -> Verifier {
    change(trusting(key(Algorithm::ES256).key())).build().unwrap()
}

fn now(verifier: &Verifier, token: &str) -> Result<Claims, Error> {
    verifier.verify(token).now_or_never().expect("nothing to wait for")
}

fn kind(result: Result<Claims, Error>) -> ErrorKind {
    result.expect_err("a bad token").kind().clone()
}

/// A signed token whose parts are written with padding.
fn padded(key: &TestKey, header: &Value, claims: &Value) -> String {
    let pad = |bytes: &[u8]| URL_SAFE.encode_to_string(bytes);
    let input =
        format!("{}.{}", pad(header.to_string().as_bytes()), pad(claims.to_string().as_bytes()));
    let signature = pad(&key.sign(input.as_bytes()));
    format!("{input}.{signature}")
}

/// A header whose text has a length that asks for so much padding.
fn header(padding: usize) -> Value {
    let mut header = key(Algorithm::ES256).header();
    (0..3)
        .map(|n| {
            header["x"] = "x".repeat(n).into();
            header.clone()
        })
        .find(|header| (3 - header.to_string().len() % 3) % 3 == padding)
        .unwrap()
}

#[test]
fn b13_padding_is_accepted_by_name() {
    let es = key(Algorithm::ES256);
    let (strict, lenient) = (verifier(|builder| builder), verifier(VerifierBuilder::any_padding));
    for padding in 0..3 {
        for n in 0..3 {
            let claims = claims_with(json!({"x": "x".repeat(n)}));
            let token = padded(es, &header(padding), &claims);
            assert!(token.ends_with("=="), "a signature of 64 bytes");
            assert_eq!(kind(now(&strict, &token)), ErrorKind::MalformedToken);
            // Also when it comes again.
            for _ in 0..3 {
                assert_eq!(now(&lenient, &token).unwrap().subject(), Some("alice"), "{token}");
            }
            let plain = es.token_of(header(padding).to_string(), claims.to_string());
            assert!(now(&lenient, &plain).is_ok() && now(&strict, &plain).is_ok());
        }
    }
}

#[test]
fn b13_the_signature_covers_the_text_as_it_came() {
    let es = key(Algorithm::ES256);
    let lenient = verifier(VerifierBuilder::any_padding);
    let token = padded(es, &header(1), &claims_with(json!({"x": ""})));
    assert!(now(&lenient, &token).is_ok());
    // Without its padding, it is another text, which nobody has signed.
    assert_eq!(kind(now(&lenient, &token.replace('=', ""))), ErrorKind::Signature);
    let plain = es.token_of(header(1).to_string(), claims().to_string());
    let parts: Vec<_> = plain.split('.').collect();
    let pad = |part: &str| format!("{part}{}", &"=="[..(4 - part.len() % 4) % 4]);
    let with_padding: Vec<_> = parts.iter().map(|part| pad(part)).collect();
    assert_eq!(kind(now(&lenient, &with_padding.join("."))), ErrorKind::Signature);
    // Mixed forms, each with a signature that would be good.
    for first in [false, true] {
        let head = if first { pad(parts[0]) } else { parts[0].to_owned() };
        let body = claims_with(json!({"x": "x".repeat(
            (0..3).find(|n| {
                let claims = claims_with(json!({"x": "x".repeat(*n)}));
                !claims.to_string().len().is_multiple_of(3)
            }).unwrap()
        )}));
        let body = crate::support::b64(body.to_string());
        let body = if first { body } else { pad(&body) };
        let input = format!("{head}.{body}");
        let signature = crate::support::b64(es.sign(input.as_bytes()));
        for signature in [signature.clone(), pad(&signature)] {
            let mixed = format!("{input}.{signature}");
            assert_eq!(kind(now(&lenient, &mixed)), ErrorKind::MalformedToken, "{mixed}");
        }
    }
    for odd in [
        format!("{token}="),
        format!("{token}=="),
        token.strip_suffix('=').unwrap().into(),
        token.strip_suffix("==").unwrap().into(),
        token.replacen('=', "==", 1),
        token.replacen('.', "=.", 1),
        format!("={token}"),
    ] {
        assert_eq!(kind(now(&lenient, &odd)), ErrorKind::MalformedToken, "{odd}");
    }
}

#[test]
fn b13_among_issuers_each_decides_for_itself() {
    let es = key(Algorithm::ES256);
    let issuers = |verifier: Verifier| {
        let issuers = Issuers::<RegisteredClaims>::new();
        issuers.add(verifier).unwrap();
        issuers.verifier()
    };
    let token = padded(es, &header(1), &claims());
    assert!(now(&issuers(verifier(VerifierBuilder::any_padding)), &token).is_ok());
    let strict = issuers(verifier(|builder| builder));
    assert_eq!(kind(now(&strict, &token)), ErrorKind::MalformedToken);
}

#[test]
fn a_header_parameter_has_the_value_that_is_required() {
    let es = key(Algorithm::ES256);
    let verifier = verifier(|builder| {
        builder
            .required_header("signer", "arn:one")
            .required_header("signer", "arn:two")
            .required_header("client", "web")
    });
    let with = |changes: Value| {
        let mut header = es.header();
        header.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        es.token_of(header.to_string(), claims().to_string())
    };
    for signer in ["arn:one", "arn:two"] {
        let token = with(json!({"signer": signer, "client": "web"}));
        // Also with a header that was seen before, and from the cache.
        for _ in 0..3 {
            assert!(now(&verifier, &token).is_ok(), "{signer}");
        }
        let mut other = es.header();
        other["signer"] = json!(signer);
        other["client"] = json!("web");
        let token = es.token_of(other.to_string(), claims_with(json!({"n": 1})).to_string());
        assert!(now(&verifier, &token).is_ok());
    }
    for (changes, name) in [
        (json!({}), "signer"),
        (json!({"signer": "arn:one"}), "client"),
        (json!({"signer": "arn:three", "client": "web"}), "signer"),
        (json!({"signer": ["arn:one"], "client": "web"}), "signer"),
        (json!({"signer": null, "client": "web"}), "signer"),
        (json!({"signer": "arn:one", "client": "Web"}), "client"),
    ] {
        let token = with(changes);
        for _ in 0..2 {
            let error = now(&verifier, &token).unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::HeaderParameter(name.into()));
            assert!(error.is_invalid_token() && error.to_string().contains(name));
        }
    }
    // The claims do not make up for the header.
    let token = es.token(&claims_with(json!({"signer": "arn:one", "client": "web"})));
    assert_eq!(kind(now(&verifier, &token)), ErrorKind::HeaderParameter("signer".into()));
    for (name, value) in
        [("", "x"), ("signer", ""), ("alg", "ES256"), ("typ", "JWT"), ("kid", "x"), ("crit", "x")]
    {
        let builder: VerifierBuilder = trusting(es.key());
        let error = builder.required_header(name, value).build().unwrap_err();
        assert!(matches!(error, ConfigError::InvalidName(_)), "{name}");
    }
}
