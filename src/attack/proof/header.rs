//! Changes of the header of a proof (RFC 9449 §4.2).

use super::{
    super::{Case, Check::Proof, text},
    ProofChange,
};

/// One change of the header of a good proof each. If the form allows it, the signature is valid.
#[rustfmt::skip]
pub(crate) static PROOF_HEADERS: &[Case<ProofChange>] = &[
    // ----- typ
    Case::new("d01_typ_missing", Proof, TYPE, "the proof has no `typ`", |header, _| header.remove("typ")),
    Case::new("d01_typ_null", Proof, TYPE, "the `typ` of the proof is `null`", |header, _| header.set("typ", "null")),
    Case::new("d01_typ_number", Proof, TYPE, "the `typ` of the proof is a number", |header, _| header.set("typ", "7")),
    Case::new("d01_typ_array", Proof, TYPE, "the `typ` of the proof is an array", |header, _| header.set("typ", r#"["dpop+jwt"]"#)),
    Case::new("d01_typ_empty", Proof, TYPE, "the `typ` of the proof is empty", |header, _| header.set_text("typ", "")),
    Case::new("d01_typ_jwt", Proof, TYPE, "the `typ` of the proof is `JWT`", |header, _| header.set_text("typ", "JWT")),
    Case::new("d01_typ_access_token", Proof, TYPE, "the `typ` of the proof is `at+jwt`", |header, _| header.set_text("typ", "at+jwt")),
    Case::new("d01_typ_shorter", Proof, TYPE, "the `typ` of the proof is `dpop`", |header, _| header.set_text("typ", "dpop")),
    Case::new("d01_typ_longer", Proof, TYPE, "the `typ` of the proof begins with `dpop+jwt`", |header, _| header.set_text("typ", "dpop+jwt-attack")),
    // ----- alg
    Case::new("d01_alg_missing", Proof, ALGORITHM, "the proof has no `alg`", |header, _| header.remove("alg")),
    Case::new("d01_alg_null", Proof, ALGORITHM, "the `alg` of the proof is `null`", |header, _| header.set("alg", "null")),
    Case::new("d01_alg_number", Proof, ALGORITHM, "the `alg` of the proof is a number", |header, _| header.set("alg", "256")),
    Case::new("d01_alg_array", Proof, ALGORITHM, "the `alg` of the proof is an array", |header, _| {
        let alg = header.json("alg").unwrap_or("null").to_owned();
        header.set("alg", format!("[{alg}]"));
    }),
    Case::new("d01_alg_empty", Proof, ALGORITHM, "the `alg` of the proof is empty", |header, _| header.set_text("alg", "")),
    Case::new("d01_alg_unknown", Proof, ALGORITHM, "the `alg` of the proof is an unknown word", |header, _| header.set_text("alg", "attack")),
    Case::new("d01_alg_other_case", Proof, ALGORITHM, "the `alg` of the proof is in another case", |header, _| {
        let alg = header.json("alg").unwrap_or_default().to_owned();
        let lower = alg.to_lowercase();
        header.set("alg", if lower == alg { alg.to_uppercase() } else { lower });
    }),
    Case::new("d01_alg_none_signed", Proof, ALGORITHM, "the `alg` of the proof is `none`, and it is signed", |header, _| header.set_text("alg", "none")),
    // ----- crit, b64, enc
    Case::new("d01_crit_unknown", Proof, UNSUPPORTED, "`crit` of the proof names an unknown parameter, which is there", |header, _| {
        header.set("crit", r#"["attack"]"#);
        header.set("attack", "1");
    }),
    Case::new("d01_crit_absent_parameter", Proof, UNSUPPORTED, "`crit` of the proof names a parameter that is not there", |header, _| header.set("crit", r#"["attack"]"#)),
    Case::new("d01_crit_jwk", Proof, UNSUPPORTED, "`crit` of the proof names `jwk`", |header, _| header.set("crit", r#"["jwk"]"#)),
    Case::new("d01_crit_empty", Proof, UNSUPPORTED, "`crit` of the proof is an empty array", |header, _| header.set("crit", "[]")),
    Case::new("d01_crit_text", Proof, UNSUPPORTED, "`crit` of the proof is a text", |header, _| header.set_text("crit", "attack")),
    Case::new("d01_b64_false", Proof, UNSUPPORTED, "`b64` of the proof is `false`, and `crit` does not name it", |header, _| header.set("b64", "false")),
    Case::new("d01_b64_critical", Proof, UNSUPPORTED, "`b64` of the proof is `false`, and `crit` names it", |header, _| {
        header.set("b64", "false");
        header.set("crit", r#"["b64"]"#);
    }),
    Case::new("d01_enc", Proof, UNSUPPORTED, "the proof has `enc`", |header, _| header.set_text("enc", "A256GCM")),
    // ----- jwk
    Case::new("d01_jwk_missing", Proof, KEY, "the proof has no `jwk`", |header, _| header.remove("jwk")),
    Case::new("d01_jwk_null", Proof, KEY, "the `jwk` of the proof is `null`", |header, _| header.set("jwk", "null")),
    Case::new("d01_jwk_text", Proof, KEY, "the `jwk` of the proof is a text", |header, setup| header.set("jwk", text(setup.jwk))),
    Case::new("d01_jwk_array", Proof, KEY, "the `jwk` of the proof is an array with the key", |header, setup| header.set("jwk", format!("[{}]", setup.jwk))),
    Case::new("d01_jwk_key_set", Proof, KEY, "the `jwk` of the proof is a key set", |header, setup| header.set("jwk", format!(r#"{{"keys":[{}]}}"#, setup.jwk))),
    Case::new("d01_jwk_empty", Proof, KEY, "the `jwk` of the proof is an empty object", |header, _| header.set("jwk", "{}")),
    Case::new("d01_jwk_private", Proof, KEY, "the `jwk` of the proof has a private number: `d`", |header, setup| header.set("jwk", with(setup.jwk, &format!(r#""d":"{NUMBER}""#)))),
    Case::new("d01_jwk_private_prime", Proof, KEY, "the `jwk` of the proof has a private number: `p`", |header, setup| header.set("jwk", with(setup.jwk, &format!(r#""p":"{NUMBER}""#)))),
    Case::new("d01_jwk_secret", Proof, KEY, "the `jwk` of the proof has a shared secret beside the public key: `k`", |header, setup| header.set("jwk", with(setup.jwk, &format!(r#""k":"{NUMBER}""#)))),
    Case::new("d01_jwk_other_key_type", Proof, KEY, "the `kty` in the `jwk` of the proof is `oct`", |header, setup| {
        header.set("jwk", with(&setup.jwk.replacen(r#""kty":""#, r#""attack":""#, 1), r#""kty":"oct""#));
    }),
    Case::new("d01_jwk_without_key_type", Proof, KEY, "the `jwk` of the proof has no `kty`", |header, setup| {
        header.set("jwk", setup.jwk.replacen(r#""kty":""#, r#""attack":""#, 1));
    }),
    // ----- names that are repeated, sizes
    Case::new("d01_typ_repeated", Proof, MALFORMED, "`typ` is in the proof twice, first as `JWT`", |header, _| {
        header.set_text("typ", "JWT");
        header.repeat("typ", text("dpop+jwt"));
    }),
    Case::new("d01_alg_repeated", Proof, MALFORMED, "`alg` is in the proof twice", |header, _| header.double("alg")),
    Case::new("d01_alg_none_behind", Proof, MALFORMED, "`alg` is in the proof twice, and the second one is `none`", |header, _| header.repeat("alg", text("none"))),
    Case::new("d01_jwk_repeated", Proof, MALFORMED, "`jwk` is in the proof twice, first with another key", |header, setup| {
        header.set("jwk", setup.other_jwk);
        header.repeat("jwk", setup.jwk);
    }),
    Case::new("d01_jwk_member_repeated", Proof, MALFORMED, "`kty` is in the `jwk` of the proof twice", |header, setup| {
        header.set("jwk", setup.jwk.replacen('{', r#"{"kty":"oct","#, 1));
    }),
    Case::new("d01_other_parameter_repeated", Proof, MALFORMED, "a parameter of the proof that is not registered is there twice", |header, _| {
        header.repeat("attack", "1");
        header.repeat("attack", "2");
    }),
    Case::new("d01_parameter_nested_deeply", Proof, MALFORMED, "a parameter of the proof is nested 500 deep", |header, _| {
        header.set("attack", format!("{}{}", "[".repeat(500), "]".repeat(500)));
    }),
];

/// The key with another member.
fn with(jwk: &str, member: &str) -> String {
    format!("{},{member}}}", jwk.strip_suffix('}').unwrap_or(jwk))
}

/// 32 bytes.
const NUMBER: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";

const TYPE: &[&str] = &["Type"];
const ALGORITHM: &[&str] = &["Algorithm"];
const UNSUPPORTED: &[&str] = &["UnsupportedHeader"];
const KEY: &[&str] = &["Key"];
const MALFORMED: &[&str] = &["Malformed"];
