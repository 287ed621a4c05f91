//! Tokens that are bound to a client certificate (RFC 8705 §3).

use http::Request;
use serde_json::json;
use tower_jwt_auth::{
    JwtAuthLayer,
    proof::{ClientCertificate, MutualTls},
    testing::{TestProofKey, TestRequest},
};

use super::*;

fn certificate(text: &str) -> ClientCertificate {
    // As far as this crate reads it: one DER sequence.
    let mut der = vec![0x30, u8::try_from(text.len()).unwrap()];
    der.extend(text.as_bytes());
    ClientCertificate::from_der(&der)
}

fn layer(issuer: &TestIssuer, mutual_tls: MutualTls) -> JwtAuthLayer {
    JwtAuthLayer::new(issuer.verifier_builder().mutual_tls(mutual_tls).build().unwrap())
}

async fn status(layer: &JwtAuthLayer, token: &str, certificate: Option<&ClientCertificate>) -> u16 {
    let mut request = Request::get("/me").bearer(token);
    if let Some(certificate) = certificate {
        request = request.extension(certificate.clone());
    }
    ask(layer, request.body(String::new()).unwrap()).await.status().as_u16()
}

#[tokio::test]
async fn d09_a_bound_token_needs_its_certificate() {
    let issuer = TestIssuer::new();
    let (own, other) = (certificate("own"), certificate("other"));
    let layer = layer(&issuer, MutualTls::optional().build().unwrap());
    let bound = issuer.token().bound_to_certificate(&own).sign();
    for (certificate, expected) in [(None, 401), (Some(&other), 401), (Some(&own), 200)] {
        assert_eq!(status(&layer, &bound, certificate).await, expected);
        // The second time, the token is known.
        assert_eq!(status(&layer, &bound, certificate).await, expected);
    }
    let bearer = issuer.token().sign();
    assert_eq!(status(&layer, &bearer, None).await, 200);
    assert_eq!(status(&layer, &bearer, Some(&own)).await, 200);
    let hex: String =
        own.thumbprint().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    for x5t in
        [json!(hex), json!(""), json!("AAAA"), json!(null), json!([own.thumbprint().to_string()])]
    {
        let token = issuer.token().claim("cnf", json!({"x5t#S256": x5t})).sign();
        assert_eq!(status(&layer, &token, Some(&own)).await, 401, "{x5t}");
    }
    let request = Request::get("/me").bearer(&bound).body(String::new()).unwrap();
    let response = ask(&layer, request).await;
    assert_eq!(challenges(&response), ["Bearer error=\"invalid_token\""]);
}

#[tokio::test]
async fn required_means_every_token() {
    let issuer = TestIssuer::new();
    let own = certificate("own");
    let layer = layer(&issuer, MutualTls::required().build().unwrap());
    assert_eq!(status(&layer, &issuer.token().sign(), Some(&own)).await, 401);
    let bound = issuer.token().bound_to_certificate(&own).sign();
    assert_eq!(status(&layer, &bound, Some(&own)).await, 200);
}

#[tokio::test]
async fn without_a_source_of_certificates_a_bound_token_is_refused() {
    let issuer = TestIssuer::new();
    let own = certificate("own");
    let layer = JwtAuthLayer::new(issuer.verifier());
    let bound = issuer.token().bound_to_certificate(&own).sign();
    assert_eq!(status(&layer, &bound, Some(&own)).await, 401);
}

#[tokio::test]
async fn d11_both_bindings_want_both_proofs() {
    let issuer = TestIssuer::new();
    let (own, key) = (certificate("own"), TestProofKey::new());
    let store = Store::default();
    let dpop = public(DPoP::optional()).replay_store(store.clone()).build().unwrap();
    let builder = issuer.verifier_builder().dpop(dpop);
    let verifier = builder.mutual_tls(MutualTls::optional().build().unwrap()).build().unwrap();
    let layer = JwtAuthLayer::new(verifier);
    let token = issuer.token().bound_to(&key).bound_to_certificate(&own).sign();
    let ask = async |with_proof: bool, certificate: Option<&ClientCertificate>| {
        let mut request = match with_proof {
            true => {
                let proof = key.proof("GET", URL).token(&token).sign();
                Request::get("/me").dpop(&token, proof)
            }
            false => Request::get("/me").bearer(&token),
        };
        if let Some(certificate) = certificate {
            request = request.extension(certificate.clone());
        }
        ask(&layer, request.body(String::new()).unwrap()).await
    };
    assert_eq!(ask(false, Some(&own)).await.status(), 401);
    assert_eq!(ask(true, None).await.status(), 401);
    assert_eq!(ask(true, Some(&certificate("other"))).await.status(), 401);
    assert_eq!(store.len(), 0, "a proof beside a wrong certificate is not spent");
    let response = ask(true, Some(&own)).await;
    assert_eq!(*response.body(), format!("{} {}", key.jkt(), own.thumbprint()));

    // A token that is bound to a certificate alone has no key that `DPoP` could speak of.
    let token = issuer.token().bound_to_certificate(&own).sign();
    let proof = key.proof("GET", URL).token(&token).sign();
    let request = Request::get("/me").dpop(&token, proof).extension(own.clone());
    let response = super::ask(&layer, request.body(String::new()).unwrap()).await;
    assert_eq!(response.status(), 401);
}
