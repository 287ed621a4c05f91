//! Changes of the claims of a proof, except for those of its address (RFC 9449 §4.2, §4.3).

use base64_simd::URL_SAFE_NO_PAD;

use super::{
    super::{
        Case,
        Check::{Proof, ProofNonce, ProofTime},
        Members, text,
    },
    ProofChange, ProofSetup,
};
use crate::digest::sha256;

/// One change of the claims of a good proof each. The signature is valid.
#[rustfmt::skip]
pub(crate) static PROOF_CLAIMS: &[Case<ProofChange>] = &[
    // ----- jti
    Case::new("d01_jti_missing", Proof, JTI, "the proof has no `jti`", |claims, _| claims.remove("jti")),
    Case::new("d01_jti_null", Proof, JTI, "the `jti` of the proof is `null`", |claims, _| claims.set("jti", "null")),
    Case::new("d01_jti_number", Proof, JTI, "the `jti` of the proof is a number", |claims, _| claims.set("jti", "7")),
    Case::new("d01_jti_array", Proof, JTI, "the `jti` of the proof is an array", |claims, _| in_array(claims, "jti")),
    Case::new("d01_jti_empty", Proof, JTI, "the `jti` of the proof is empty", |claims, _| claims.set_text("jti", "")),
    // ----- htm
    Case::new("d01_htm_missing", Proof, HTM, "the proof has no `htm`", |claims, _| claims.remove("htm")),
    Case::new("d01_htm_null", Proof, HTM, "the `htm` of the proof is `null`", |claims, _| claims.set("htm", "null")),
    Case::new("d01_htm_number", Proof, HTM, "the `htm` of the proof is a number", |claims, _| claims.set("htm", "7")),
    Case::new("d01_htm_array", Proof, HTM, "the `htm` of the proof is an array with the method", |claims, _| in_array(claims, "htm")),
    Case::new("d01_htm_empty", Proof, METHOD, "the `htm` of the proof is empty", |claims, _| claims.set_text("htm", "")),
    Case::new("d01_htm_other", Proof, METHOD, "the `htm` of the proof is another method", |claims, setup| claims.set_text("htm", other_method(setup))),
    Case::new("d01_htm_lower_case", Proof, METHOD, "the `htm` of the proof is in lower case", |claims, setup| claims.set_text("htm", &setup.method.to_lowercase())),
    Case::new("d01_htm_list", Proof, METHOD, "the `htm` of the proof is one text with two methods", |claims, setup| {
        claims.set_text("htm", &format!("{} {}", setup.method, other_method(setup)));
    }),
    Case::new("d01_htm_star", Proof, METHOD, "the `htm` of the proof is `*`", |claims, _| claims.set_text("htm", "*")),
    Case::new("d01_htm_blank", Proof, METHOD, "the `htm` of the proof has a blank at its end", |claims, setup| claims.set_text("htm", &format!("{} ", setup.method))),
    // ----- iat, exp, nbf
    Case::new("d01_iat_missing", Proof, IAT, "the proof has no `iat`", |claims, _| claims.remove("iat")),
    Case::new("d01_iat_null", Proof, IAT, "the `iat` of the proof is `null`", |claims, _| claims.set("iat", "null")),
    Case::new("d01_iat_text", Proof, IAT, "the `iat` of the proof is a text", |claims, setup| claims.set_text("iat", &setup.now.to_string())),
    Case::new("d01_iat_date", Proof, IAT, "the `iat` of the proof is a date in words", |claims, _| claims.set_text("iat", "2999-12-31T23:59:59Z")),
    Case::new("d01_iat_array", Proof, IAT, "the `iat` of the proof is an array", |claims, _| in_array(claims, "iat")),
    Case::new("d01_iat_true", Proof, IAT, "the `iat` of the proof is `true`", |claims, _| claims.set("iat", "true")),
    Case::new("d01_iat_infinite", Proof, NO_TIME, "the `iat` of the proof is 1e400", |claims, _| claims.set("iat", "1e400")),
    Case::new("d01_iat_negative", ProofTime, NO_TIME, "the `iat` of the proof is negative", |claims, _| claims.set("iat", "-1")),
    Case::new("d01_iat_zero", ProofTime, TIME, "the `iat` of the proof is 0", |claims, _| claims.set("iat", "0")),
    Case::new("d01_iat_an_hour_ago", ProofTime, TIME, "the proof was made an hour ago", |claims, setup| claims.set("iat", (setup.now - HOUR).to_string())),
    Case::new("d01_iat_past_the_window", ProofTime, TIME, "the proof was made longer ago than 300 s, the most that is allowed", |claims, setup| {
        claims.set("iat", (setup.now - LONGEST_AGE).to_string());
    }),
    Case::new("d01_iat_in_two_minutes", ProofTime, TIME, "the proof is made in two minutes, and 60 s is the most that is allowed", |claims, setup| {
        claims.set("iat", (setup.now + 120).to_string());
    }),
    Case::new("d01_iat_in_an_hour", ProofTime, TIME, "the proof is made in an hour", |claims, setup| claims.set("iat", (setup.now + HOUR).to_string())),
    Case::new("d01_iat_in_milliseconds", ProofTime, TIME, "the `iat` of the proof is in milliseconds", |claims, setup| {
        claims.set("iat", setup.now.saturating_mul(1_000).to_string());
    }),
    Case::new("d01_exp_an_hour_ago", Proof, TIME, "the proof has expired an hour ago", |claims, setup| claims.set("exp", (setup.now - HOUR).to_string())),
    Case::new("d01_nbf_in_an_hour", Proof, TIME, "the proof is valid in an hour", |claims, setup| claims.set("nbf", (setup.now + HOUR).to_string())),
    // ----- ath
    Case::new("d01_ath_missing", Proof, ATH, "the proof has no `ath`", |claims, _| claims.remove("ath")),
    Case::new("d01_ath_null", Proof, ATH, "the `ath` of the proof is `null`", |claims, _| claims.set("ath", "null")),
    Case::new("d01_ath_number", Proof, ATH, "the `ath` of the proof is a number", |claims, _| claims.set("ath", "7")),
    Case::new("d01_ath_array", Proof, ATH, "the `ath` of the proof is an array with the hash", |claims, _| in_array(claims, "ath")),
    Case::new("d01_ath_empty", Proof, TOKEN, "the `ath` of the proof is empty", |claims, _| claims.set_text("ath", "")),
    Case::new("d01_ath_of_another_token", Proof, TOKEN, "the `ath` of the proof is that of another token", |claims, setup| claims.set_text("ath", &hash(setup.other_token))),
    Case::new("d01_ath_of_nothing", Proof, TOKEN, "the `ath` of the proof is the hash of an empty text", |claims, _| claims.set_text("ath", &hash(""))),
    Case::new("d01_ath_is_the_token", Proof, TOKEN, "the `ath` of the proof is the token itself", |claims, setup| claims.set_text("ath", setup.token)),
    Case::new("d01_ath_shorter", Proof, TOKEN, "the `ath` of the proof is the beginning of the hash", |claims, setup| {
        claims.set_text("ath", hash(setup.token).get(..8).unwrap_or_default());
    }),
    Case::new("d01_ath_longer", Proof, TOKEN, "the `ath` of the proof begins with the hash", |claims, setup| claims.set_text("ath", &format!("{}AAAA", hash(setup.token)))),
    Case::new("d01_ath_other_case", Proof, TOKEN, "the `ath` of the proof is the hash in lower case", |claims, setup| claims.set_text("ath", &hash(setup.token).to_lowercase())),
    // ----- nonce
    Case::new("d06_nonce_missing", ProofNonce, NONCE, "the proof has no `nonce`", |claims, _| claims.remove("nonce")),
    Case::new("d06_nonce_null", ProofNonce, NONCE, "the `nonce` of the proof is `null`", |claims, setup| if_wanted(claims, setup, |_| "null".to_owned())),
    Case::new("d06_nonce_number", ProofNonce, NONCE, "the `nonce` of the proof is a number", |claims, setup| if_wanted(claims, setup, |_| "7".to_owned())),
    Case::new("d06_nonce_array", ProofNonce, NONCE, "the `nonce` of the proof is an array with the nonce", |claims, setup| if_wanted(claims, setup, |nonce| format!("[{}]", text(nonce)))),
    Case::new("d06_nonce_empty", ProofNonce, NONCE, "the `nonce` of the proof is empty", |claims, setup| if_wanted(claims, setup, |_| text(""))),
    Case::new("d06_nonce_made_up", ProofNonce, NONCE, "the `nonce` of the proof is made up", |claims, setup| if_wanted(claims, setup, |_| text(MADE_UP))),
    Case::new("d06_nonce_shorter", ProofNonce, NONCE, "the `nonce` of the proof is the beginning of the nonce", |claims, setup| {
        if_wanted(claims, setup, |nonce| text(nonce.get(..nonce.len() / 2).unwrap_or_default()));
    }),
    Case::new("d06_nonce_longer", ProofNonce, NONCE, "the `nonce` of the proof begins with the nonce", |claims, setup| if_wanted(claims, setup, |nonce| text(&format!("{nonce}AAAA")))),
    Case::new("d06_nonce_changed", ProofNonce, NONCE, "the `nonce` of the proof has another letter in its middle", |claims, setup| {
        if_wanted(claims, setup, |nonce| {
            let (front, rest) = nonce.split_at_checked(nonce.len() / 2).unwrap_or((nonce, ""));
            let other = if rest.starts_with('A') { "B" } else { "A" };
            text(&format!("{front}{other}{}", rest.get(1..).unwrap_or_default()))
        });
    }),
    // ----- names that are repeated, sizes
    Case::new("d01_jti_repeated", Proof, MALFORMED, "`jti` is in the proof twice", |claims, _| behind(claims, "jti", text("another"))),
    Case::new("d01_htm_repeated", Proof, MALFORMED, "`htm` is in the proof twice, first as another method", |claims, setup| behind(claims, "htm", text(other_method(setup)))),
    Case::new("d01_htu_repeated", Proof, MALFORMED, "`htu` is in the proof twice, first as another address", |claims, _| behind(claims, "htu", text("https://another-api.test/"))),
    Case::new("d01_iat_repeated", Proof, MALFORMED, "`iat` is in the proof twice, first an hour ago", |claims, setup| behind(claims, "iat", (setup.now - HOUR).to_string())),
    Case::new("d01_ath_repeated", Proof, MALFORMED, "`ath` is in the proof twice, first that of another token", |claims, setup| behind(claims, "ath", text(&hash(setup.other_token)))),
    Case::new("d01_other_claim_repeated", Proof, MALFORMED, "a claim of the proof that is not registered is there twice", |claims, _| {
        claims.repeat("attack", "1");
        claims.repeat("attack", "2");
    }),
    Case::new("d01_inner_name_repeated", Proof, MALFORMED, "a name is repeated within a claim of the proof", |claims, _| {
        claims.set("attack", r#"{"a":[{"b":1,"b":2}]}"#);
    }),
    Case::new("d01_claim_nested_deeply", Proof, MALFORMED, "a claim of the proof is nested 500 deep", |claims, _| {
        claims.set("attack", format!("{}{}", "[".repeat(500), "]".repeat(500)));
    }),
    Case::new("d01_proof_too_long", Proof, MALFORMED, "the proof has more than 16 KiB", |claims, _| claims.set_text("attack", &"a".repeat(12 * 1024))),
];

fn other_method(setup: &ProofSetup<'_>) -> &'static str {
    if setup.method == "GET" { "POST" } else { "GET" }
}

/// The value of the claim in an array.
fn in_array(claims: &mut Members, name: &str) {
    let json = claims.json(name).unwrap_or("null").to_owned();
    claims.set(name, format!("[{json}]"));
}

/// Puts the right value behind another one of the same name.
fn behind(claims: &mut Members, name: &str, first: String) {
    let json = claims.json(name).unwrap_or("null").to_owned();
    claims.set(name, first);
    claims.repeat(name, json);
}

/// Sets another nonce, if the service wants one.
fn if_wanted(claims: &mut Members, setup: &ProofSetup<'_>, make: impl FnOnce(&str) -> String) {
    if let Some(nonce) = setup.nonce {
        claims.set("nonce", make(nonce));
    }
}

/// The `ath` of a token.
fn hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode_to_string(sha256(&[token.as_bytes()]))
}

const JTI: &[&str] = &["Claim(\"jti\")"];
const HTM: &[&str] = &["Claim(\"htm\")"];
const IAT: &[&str] = &["Claim(\"iat\")"];
const ATH: &[&str] = &["Claim(\"ath\")"];
const METHOD: &[&str] = &["Method"];
const TIME: &[&str] = &["Time"];
const NO_TIME: &[&str] = &["Claim(\"iat\")", "Malformed", "Time"];
const TOKEN: &[&str] = &["AccessToken"];
/// A nonce that is a text and is wrong is a kind of its own, and no fault of the proof.
const NONCE: &[&str] = &["Claim(\"nonce\")", "dpop_nonce"];
const MALFORMED: &[&str] = &["Malformed"];

/// 40 bytes, as a nonce of this crate has them.
const MADE_UP: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// In seconds.
const HOUR: i64 = 60 * 60;
/// Ten seconds past the longest `max_age` that is safe.
const LONGEST_AGE: i64 = 310;
