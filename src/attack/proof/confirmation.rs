//! Confirmations of a token (`cnf`) that the proof of a request does not satisfy (RFC 9449 §6.1, RFC
//! 7800 §3.1).

use super::{
    super::{
        Case,
        Check::{Binding, ClaimsForm, Proof},
        text,
    },
    Confirm,
};

/// One other `cnf` each. The request has a right proof of the sender's key.
#[rustfmt::skip]
pub(crate) static CONFIRMATIONS: &[Case<Confirm>] = &[
    Case::new("d01_jkt_of_another_key", Proof, &["OtherKey"], "the token is bound to another key than that of the proof", |_, other| one("jkt", &text(other))),
    Case::new("d01_jkt_null", Binding, BOUND, "the `jkt` of the token is `null`", |_, _| one("jkt", "null")),
    Case::new("d01_jkt_number", Binding, BOUND, "the `jkt` of the token is a number", |_, _| one("jkt", "7")),
    Case::new("d01_jkt_array", Binding, BOUND, "the `jkt` of the token is an array with the thumbprint", |own, _| one("jkt", &format!("[{}]", text(own)))),
    Case::new("d01_jkt_empty", Binding, BOUND, "the `jkt` of the token is empty", |_, _| one("jkt", &text(""))),
    Case::new("d01_jkt_shorter", Binding, BOUND, "the `jkt` of the token is the beginning of the thumbprint", |own, _| one("jkt", &text(own.get(..8).unwrap_or_default()))),
    Case::new("d01_jkt_longer", Binding, BOUND, "the `jkt` of the token begins with the thumbprint", |own, _| one("jkt", &text(&format!("{own}AAAA")))),
    Case::new("d01_jkt_other_case", Proof, BOUND, "the `jkt` of the token is the thumbprint in lower case", |own, _| one("jkt", &text(&own.to_lowercase()))),
    Case::new("d01_jkt_repeated", ClaimsForm, &["malformed_claims"], "`jkt` is in the token twice, first as that of another key", |own, other| {
        format!(r#"{{"jkt":{},"jkt":{}}}"#, text(other), text(own))
    }),
    Case::new("d01_cnf_array", Binding, BOUND, "the `cnf` of the token is an array", |own, _| format!("[{}]", one("jkt", &text(own)))),
    Case::new("d01_cnf_text", Binding, BOUND, "the `cnf` of the token is the thumbprint", |own, _| text(own)),
    // ----- members that nobody checks
    Case::new("d04_cnf_unknown_beside", Binding, BOUND, "the token is also bound in an unknown way", |own, _| beside(own, "attack", "1")),
    Case::new("d04_cnf_kid_beside", Binding, BOUND, "`kid` is beside `jkt` in the `cnf` of the token", |own, _| beside(own, "kid", &text("attack"))),
    Case::new("d04_cnf_jwk_beside", Binding, BOUND, "`jwk` is beside `jkt` in the `cnf` of the token", |own, _| beside(own, "jwk", r#"{"kty":"EC"}"#)),
    Case::new("d04_cnf_jwe_beside", Binding, BOUND, "`jwe` is beside `jkt` in the `cnf` of the token", |own, _| beside(own, "jwe", &text("a.b.c.d.e"))),
    Case::new("d04_cnf_jku_beside", Binding, BOUND, "`jku` is beside `jkt` in the `cnf` of the token", |own, _| beside(own, "jku", &text("https://attacker.test/jwks.json"))),
    Case::new("d11_certificate_beside", Binding, CERTIFICATE, "the token is also bound to a certificate, and the request has none", |own, other| beside(own, "x5t#S256", &text(other))),
];

fn one(name: &str, json: &str) -> String {
    format!("{{{}:{json}}}", text(name))
}

/// A `cnf` with the right thumbprint, and something else.
fn beside(own: &str, name: &str, json: &str) -> String {
    format!(r#"{{"jkt":{},{}:{json}}}"#, text(own), text(name))
}

const BOUND: &[&str] =
    &["sender_constrained", "not_sender_constrained", "malformed_claims", "OtherKey"];
const CERTIFICATE: &[&str] = &["sender_constrained", "certificate"];
