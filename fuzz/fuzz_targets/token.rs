//! Any text as a token, and any header and payload under a good signature.

#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use base64_simd::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use tower_jwt_auth::{Key, Verifier};

const SECRET: [u8; 32] = [7; 32];

static VERIFIER: LazyLock<Verifier<serde_json::Value>> = LazyLock::new(|| {
    Verifier::builder()
        .any_issuer()
        .audience("a")
        .keys(Key::hs256(SECRET))
        .required_claim("x")
        .build()
        .expect("a verifier")
});

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = str::from_utf8(data) {
        assert!(VERIFIER.verify(text).now().is_some_and(|verified| verified.is_err()));
    }
    let (header, payload) = match data.iter().position(|byte| *byte == 0) {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (&br#"{"alg":"HS256"}"#[..], data),
    };
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode_to_string(bytes);
    let input = format!("{}.{}", encode(header), encode(payload));
    let key = hmac::Key::new(hmac::HMAC_SHA256, &SECRET);
    let signature = encode(hmac::sign(&key, input.as_bytes()).as_ref());
    if let Some(Ok(claims)) = VERIFIER.verify(&format!("{input}.{signature}")).now() {
        // What is taken is an object, with what was demanded.
        assert!(claims.is_object() && !claims["x"].is_null());
        assert!(claims.registered().audience().contains("a"));
        assert_eq!(claims.registered().subject(), claims["sub"].as_str());
        let _ = claims.registered().scopes().iter().count();
    }
});
