//! Proofs whose header has a fault, which is found before the signature is looked at.

use http::{HeaderValue, Request};
use serde::de::DeserializeOwned;

use super::tester::Tester;
use crate::{
    alg::Algorithm,
    attack::{Members, PROOF_HEADERS, Parts, ProofSetup},
    digest::Thumbprint,
    error::{Error, ErrorKind},
    proof::DPoP,
    request_head::RequestHead,
};

/// Adds the cases of proofs, if the verifier checks them.
pub(super) fn check<C: DeserializeOwned + 'static>(tester: &mut Tester<'_, C>) {
    let Some(dpop) = tester.engine.checks.bindings.proofs().dpop.clone() else { return };
    let now = tester.now;
    let result = present(&dpop, None, now);
    let description = "the request has no proof";
    tester.add("d01_proof_missing", description, None, is_fault(&result, &["Missing"]), &result);
    let Some((algorithm, jwk)) = key_for(&dpop) else { return };
    let mut header = Members::default();
    header.set_text("typ", "dpop+jwt");
    header.set_text("alg", algorithm.name());
    header.set("jwk", jwk);
    // No token names the key, which is looked at when the header has been read.
    let result = present(&dpop, Some(&header), now);
    let description = "the proof is that of another key than the one that the token is bound to";
    let is_refused = is_fault(&result, &["OtherKey"]);
    tester.add("d01_another_key", description, None, is_refused, &result);
    let setup = ProofSetup {
        jwk,
        other_jwk: OTHER,
        url: URL,
        path: "/",
        method: "GET",
        token: TOKEN,
        other_token: "",
        nonce: None,
        now,
    };
    for case in PROOF_HEADERS {
        let mut header = header.clone();
        (case.change)(&mut header, &setup);
        let result = present(&dpop, Some(&header), now);
        let is_refused = is_fault(&result, case.kinds);
        tester.add(case.name, case.description, Some(case.check), is_refused, &result);
    }
}

/// Checks a request with a proof that has this header.
fn present(dpop: &DPoP, header: Option<&Members>, now: i64) -> Result<(), Error> {
    let mut request = Request::new(());
    if let Some(header) = header {
        let claims = Members::default();
        let sign = |_: &str| "AA".to_owned();
        let proof = Parts { header, claims: &claims, sign: &sign }.token();
        if let Ok(proof) = HeaderValue::try_from(proof) {
            request.headers_mut().insert("dpop", proof);
        }
    }
    // No store sees it: a proof without a fault is not spent.
    dpop.check(RequestHead::from(&request), TOKEN, &Thumbprint::of(&[]), now).map(drop)
}

fn is_fault(result: &Result<(), Error>, faults: &[&str]) -> bool {
    match result.as_ref().map_err(Error::kind) {
        Err(ErrorKind::DpopProof(fault)) => faults.contains(&&*format!("{fault:?}")),
        _ => false,
    }
}

/// A public key for an algorithm that is accepted.
fn key_for(dpop: &DPoP) -> Option<(Algorithm, &'static str)> {
    let accepts = |algorithm: Algorithm| {
        dpop.algorithms().split(' ').any(|accepted| accepted == algorithm.name())
    };
    [
        (Algorithm::ES256, P256),
        (Algorithm::EdDSA, ED25519),
        (Algorithm::RS256, RSA),
        (Algorithm::PS256, RSA),
    ]
    .into_iter()
    .find(|(algorithm, _)| accepts(*algorithm))
}

const URL: &str = "https://service.self-test";
const TOKEN: &str = "a.b.c";

/// The key of RFC 9449 §4.1.
const P256: &str = r#"{"kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","crv":"P-256"}"#;

/// That of RFC 8037 §A.2.
const ED25519: &str =
    r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

/// That of RFC 7638 §3.1.
const RSA: &str = r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB"}"#;

/// A key that is read and refused, where two are there.
const OTHER: &str = ED25519;
