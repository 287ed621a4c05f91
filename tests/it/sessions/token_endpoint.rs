//! A token endpoint of the application: it verifies the proofs of its clients, and issues tokens that are
//! bound to them (RFC 9449 §5, RFC 8705 §3).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{Request, request::Parts};
use serde_json::{Value, json};
use tower_jwt_auth::{
    Algorithm, Error, ErrorKind, Verifier,
    authorize::{Policy, StepUp},
    issue::{AccessToken, Grant, SigningKey, TokenIssuer},
    proof::{ClientCertificate, DPoP, DPoPBuilder, MemoryReplayStore, MutualTls, Nonces},
    testing::TestProofKey,
};

use super::issue::part;

const LOGIN: &str = "https://login.example.com";
const API: &str = "https://api.example.com";

fn issuer() -> TokenIssuer {
    let key = SigningKey::generate(Algorithm::ES256).unwrap();
    TokenIssuer::builder().issuer(LOGIN).audience(API).key(key).build().unwrap()
}

fn at(builder: DPoPBuilder, url: &str) -> DPoPBuilder {
    builder.public_url(url).replay_store(MemoryReplayStore::new())
}

fn request(proof: Option<&str>) -> Parts {
    let request = Request::post("/token");
    let request = match proof {
        Some(proof) => request.header("dpop", proof),
        None => request,
    };
    request.body(()).unwrap().into_parts().0
}

fn kind(error: &Error) -> (&str, u16) {
    (error.kind().name(), error.status().as_u16())
}

/// The endpoint, for a client that has authenticated.
async fn issue(
    issuer: &TokenIssuer,
    dpop: &DPoP,
    mutual_tls: &MutualTls,
    request: &Parts,
) -> Result<AccessToken, Error> {
    let mut grant = Grant::new("job-1").client_id("job-1");
    if let Some(certificate) = mutual_tls.verify_token_request(request)? {
        grant = grant.x5t_s256(certificate);
    }
    if let Some(key) = dpop.verify_token_request(request, SystemTime::now()).await? {
        grant = grant.jkt(key);
    }
    issuer.issue(grant)
}

#[tokio::test]
async fn a16_a_token_endpoint_binds_tokens_to_what_their_client_has_shown() {
    let issuer = issuer();
    let dpop = at(DPoP::optional(), LOGIN).build().unwrap();
    let mutual_tls = MutualTls::optional().build().unwrap();
    let key = TestProofKey::new();
    let proof = || key.proof("POST", format!("{LOGIN}/token")).sign();
    let certificate = ClientCertificate::from_der([0x30, 0x00]);
    let with_certificate = |mut parts: Parts| {
        parts.extensions.insert(certificate.clone());
        parts
    };
    let (jkt, x5t) = (key.jkt().to_string(), certificate.thumbprint().to_string());
    let of = async |request: &Parts| {
        let token = issue(&issuer, &dpop, &mutual_tls, request).await.unwrap();
        (part(token.as_str(), 1)["cnf"].clone(), token)
    };
    assert_eq!(of(&request(None)).await.0, Value::Null);
    assert_eq!(of(&with_certificate(request(None))).await.0, json!({"x5t#S256": x5t}));
    let (cnf, token) = of(&request(Some(&proof()))).await;
    assert_eq!(cnf, json!({"jkt": jkt}));
    let both = of(&with_certificate(request(Some(&proof())))).await.0;
    assert_eq!(both, json!({"jkt": jkt, "x5t#S256": x5t}));

    // The token is good with its key only.
    let verifier = Verifier::builder().audience(API).keys(issuer.key_source()).access_tokens_only();
    let verifier = verifier.dpop(at(DPoP::required(), API).build().unwrap()).build().unwrap();
    assert!(verifier.verify(token.as_str()).await.is_err());
    for (signer, is_good) in [(&TestProofKey::new(), false), (&key, true)] {
        let proof = signer.proof("GET", format!("{API}/me")).token(token.as_str()).sign();
        let request = Request::get("/me")
            .header("authorization", format!("DPoP {}", token.as_str()))
            .header("dpop", proof)
            .body(())
            .unwrap();
        assert_eq!(dpop_of(&verifier, &request).await, is_good);
    }
}

/// Whether a layer accepts the token of a request.
async fn dpop_of(verifier: &Verifier, request: &Request<()>) -> bool {
    use std::convert::Infallible;

    use http::Response;
    use tower::{Layer, ServiceExt, service_fn};

    let inner =
        service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(String::new())));
    let layer = tower_jwt_auth::JwtAuthLayer::new(verifier.clone());
    layer.layer(inner).oneshot(request.clone()).await.unwrap().status() == 200
}

#[tokio::test]
async fn a16_a_token_endpoint_refuses_a_proof_that_is_not_valid() {
    let (key, now) = (TestProofKey::new(), SystemTime::now());
    let optional = at(DPoP::optional(), LOGIN).build().unwrap();
    let required = at(DPoP::required(), LOGIN).build().unwrap();
    let proof = || key.proof("POST", format!("{LOGIN}/token"));

    assert_eq!(optional.verify_token_request(&request(None), now).await.unwrap(), None);
    let missing = required.verify_token_request(&request(None), now).await.unwrap_err();
    assert_eq!((kind(&missing), missing.code()), (("dpop_proof", 401), Some("invalid_dpop_proof")));
    for dpop in [&optional, &required] {
        let verify =
            async |proof: &str, now| dpop.verify_token_request(&request(Some(proof)), now).await;
        let good = proof().sign();
        assert_eq!(verify(&good, now).await.unwrap(), Some(key.jkt()));
        assert_eq!(kind(&verify(&good, now).await.unwrap_err()), ("dpop_replayed", 401));
        for bad in [
            "rubbish".to_owned(),
            key.proof("GET", format!("{LOGIN}/token")).sign(),
            key.proof("POST", format!("{API}/token")).sign(),
            proof().wrong_key().sign(),
            proof().without("jti").sign(),
        ] {
            assert_eq!(kind(&verify(&bad, now).await.unwrap_err()), ("dpop_proof", 401), "{bad}");
        }
        // By the time that is given.
        let late = now + Duration::from_secs(120);
        assert_eq!(kind(&verify(&proof().sign(), late).await.unwrap_err()), ("dpop_proof", 401));
    }
}

#[tokio::test]
async fn a11_a_token_endpoint_gives_nonces() {
    // Within a period, and within the next one.
    let (first, next) =
        (UNIX_EPOCH + Duration::from_secs(6_000), UNIX_EPOCH + Duration::from_secs(6_060));
    let nonces = Nonces::new([7; 32]).unwrap().any_client_clock();
    let dpop = at(DPoP::optional(), LOGIN).nonces(nonces).build().unwrap();
    let key = TestProofKey::new();
    let proof = || key.proof("POST", format!("{LOGIN}/token"));
    let error =
        dpop.verify_token_request(&request(Some(&proof().sign())), first).await.unwrap_err();
    let ErrorKind::DpopNonce { nonce, .. } = error.kind() else { panic!("{error}") };
    assert_eq!(error.code(), Some("use_dpop_nonce"));

    let with_nonce = || request(Some(&proof().nonce(&**nonce).sign()));
    let (now, later) = (with_nonce(), with_nonce());
    assert_eq!(dpop.verify_token_request(&now, first).await.unwrap(), Some(key.jkt()));
    assert_eq!(dpop.next_nonce(&now, first), None);
    assert_eq!(dpop.verify_token_request(&later, next).await.unwrap(), Some(key.jkt()));
    let fresh = dpop.next_nonce(&later, next).unwrap();
    assert!(fresh.to_str().unwrap() != &**nonce);
    assert_eq!(dpop.next_nonce(&request(None), next), None);
}

#[tokio::test]
async fn b02_a_token_endpoint_may_require_a_certificate() {
    let required = MutualTls::required().build().unwrap();
    let error = required.verify_token_request(&request(None)).unwrap_err();
    assert_eq!((kind(&error), error.code()), (("invalid_request", 400), Some("invalid_request")));
    let mut with = request(None);
    with.extensions.insert(ClientCertificate::from_thumbprint([7; 32].into()));
    assert_eq!(required.verify_token_request(&with).unwrap(), Some([7; 32].into()));
}

#[tokio::test]
async fn f08_a_grant_says_how_and_when_the_user_has_logged_in() {
    let issuer = issuer();
    let seconds = |time: SystemTime| {
        i64::try_from(time.duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
    };
    let now = seconds(SystemTime::now());
    let grant = || Grant::new("ada").acr("mfa").amr(["pwd", "otp"]);
    let token = issuer.issue(grant().auth_time(now - 100)).unwrap();
    let claims = part(token.as_str(), 1);
    assert_eq!(
        (&claims["acr"], &claims["amr"], &claims["auth_time"]),
        (&json!("mfa"), &json!(["pwd", "otp"]), &json!(now - 100))
    );
    let verifier = Verifier::builder().audience(API).keys(issuer.key_source()).build().unwrap();
    let verified = verifier.verify(token.as_str()).await.unwrap();
    assert!(StepUp::acr(["mfa"]).max_age(Duration::from_secs(200)).authorize(&verified).is_ok());
    assert!(StepUp::login_within(Duration::from_secs(10)).authorize(&verified).is_err());

    // A time in the future is now, and what is not set is not written.
    let claims = part(issuer.issue(grant().auth_time(i64::MAX)).unwrap().as_str(), 1);
    let written = claims["auth_time"].as_i64().unwrap();
    assert!(written == claims["iat"].as_i64().unwrap(), "{claims}");
    let plain = part(issuer.issue(Grant::new("ada")).unwrap().as_str(), 1);
    for name in ["acr", "amr", "auth_time", "cnf", "sid", "scope"] {
        assert_eq!(plain[name], Value::Null, "{name}");
    }
}

#[test]
fn f08_a_claim_of_the_issuer_is_refused_with_the_method_that_sets_it() {
    let issuer = issuer();
    for (name, hint) in [
        ("cnf", "`Grant::jkt` or `Grant::x5t_s256`"),
        ("acr", "`Grant::acr`"),
        ("amr", "`Grant::amr`"),
        ("auth_time", "`Grant::auth_time`"),
        ("sid", "`Grant::session_id`"),
        ("jti", "another name"),
        ("events", "another name"),
    ] {
        let claims = std::collections::BTreeMap::from([(name, "x")]);
        let error = issuer.issue(Grant::new("ada").claims(&claims)).unwrap_err();
        assert!(error.to_string().contains(hint), "{name}: {error}");
    }
}
