//! What both benches measure: one token of each algorithm, verified by
//! `jsonwebtoken::decode` and by this crate, alone and as a layer.

#![allow(dead_code, reason = "each bench uses a part")]

use std::{
    convert::Infallible,
    future::{Ready, ready},
    hint::black_box,
    task::{Context, Poll, Waker},
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair, RsaKeyPair, RsaPublicKeyComponents,
    },
};
use http::{Request, Response};
use jsonwebtoken as jwt;
use serde::Deserialize;
use tower_jwt_auth::{JwtAuthLayer, Key, Verifier, layer::JwtAuth};
use tower_layer::Layer;
use tower_service::Service;

pub(crate) const ISSUER: &str = "https://login.example.com/";
pub(crate) const AUDIENCE: &str = "https://api.example.com";

/// What the application asks of this crate; the registered claims come with it.
#[derive(Deserialize)]
pub(crate) struct User {
    pub(crate) sub: String,
    pub(crate) client_id: String,
    pub(crate) scope: String,
}

/// The same facts from `jsonwebtoken`: all claims in one type, as its
/// documentation has it.
#[derive(Deserialize)]
#[allow(dead_code, reason = "what counts is that they are read")]
struct Documented {
    iss: String,
    sub: String,
    aud: String,
    exp: u64,
    iat: u64,
    jti: String,
    client_id: String,
    scope: String,
}

/// One algorithm with all that is measured of it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) token: String,
    decoding: jwt::DecodingKey,
    validation: jwt::Validation,
    verifier: Verifier<User>,
    layer: JwtAuth<Bare, User>,
    request: Request<()>,
}

/// A service that does nothing.
#[derive(Clone)]
pub(crate) struct Bare;

impl Service<Request<()>> for Bare {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        black_box(&request);
        ready(Ok(Response::new(())))
    }
}

impl Case {
    fn new(
        name: &'static str,
        encoding: &jwt::EncodingKey,
        decoding: jwt::DecodingKey,
        key: Key,
    ) -> Self {
        let algorithm: jwt::Algorithm = name.parse().expect("a known algorithm");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let claims = serde_json::json!({
            "iss": ISSUER,
            "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 86_400,
            "jti": "3f1c9b7e-8f0e-4b6a-9f5a-2f4f4f1f7c11",
            "client_id": "my_client_id",
            "scope": "openid profile read:orders write:orders",
        });
        let mut header = jwt::Header::new(algorithm);
        header.kid = Some("2026-11".into());
        let token = jwt::encode(&header, &claims, encoding).expect("a token");

        let mut validation = jwt::Validation::new(algorithm);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        let verifier = Verifier::<User>::builder()
            .issuer(ISSUER)
            .audience(AUDIENCE)
            .keys(key.with_kid("2026-11"))
            .build()
            .expect("a verifier");
        let layer = JwtAuthLayer::new(verifier.clone()).layer(Bare);
        let request = Request::builder()
            .uri("/orders")
            .header("host", "api.example.com")
            .header("user-agent", "bench/1.0")
            .header("accept", "*/*")
            .header("authorization", format!("Bearer {token}"))
            .body(())
            .expect("a request");
        Self { name, token, decoding, validation, verifier, layer, request }
    }

    /// `jsonwebtoken::decode`, as its documentation shows it.
    pub(crate) fn decode(&self) {
        let data = jwt::decode::<Documented>(&self.token, &self.decoding, &self.validation);
        black_box(data.expect("a good token").claims.sub.len());
    }

    /// This crate without HTTP.
    pub(crate) fn verify(&self) {
        let claims = self.verifier.verify(&self.token).now().expect("no rule waits");
        black_box(claims.expect("a good token").sub.len());
    }

    /// A request through the layer.
    pub(crate) fn layer(&mut self) {
        let response = self.layer.call(self.request.clone());
        poll(response);
    }

    /// The same request without the layer.
    pub(crate) fn bare(&mut self) {
        poll(Bare.call(self.request.clone()));
    }
}

fn poll(future: impl Future<Output = Result<Response<()>, Infallible>>) {
    let future = std::pin::pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(response)) = future.poll(&mut context) else { panic!("not ready") };
    assert_eq!(black_box(response).status(), 200);
}

/// All cases. Names `jsonwebtoken`'s back end, which its own features cannot
/// decide on where both are on.
pub(crate) fn cases() -> Vec<Case> {
    let _ = jwt::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
    let mut cases = Vec::new();

    for (name, length) in [("HS256", 32), ("HS512", 64)] {
        let secret = vec![0x5a; length];
        let key = match length {
            32 => Key::hs256(&secret),
            _ => Key::hs512(&secret),
        };
        cases.push(Case::new(
            name,
            &jwt::EncodingKey::from_secret(&secret),
            jwt::DecodingKey::from_secret(&secret),
            key.expect("a key"),
        ));
    }

    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key pair");
    let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&rsa).expect("PKCS #8");
    let encoding = rsa_encoding(pkcs8.as_ref());
    let public = rsa.public_key();
    let numbers = RsaPublicKeyComponents::<Vec<u8>>::from(public);
    for name in ["RS256", "PS256"] {
        cases.push(Case::new(
            name,
            &encoding,
            jwt::DecodingKey::from_rsa_raw_components(&numbers.n, &numbers.e),
            Key::from_der(public.as_ref()).expect("a key"),
        ));
    }

    for (name, curve) in
        [("ES256", &ECDSA_P256_SHA256_FIXED_SIGNING), ("ES384", &ECDSA_P384_SHA384_FIXED_SIGNING)]
    {
        let pair = EcdsaKeyPair::generate(curve).expect("a key pair");
        let pkcs8 = pair.to_pkcs8v1().expect("PKCS #8");
        let spki = pair.public_key().as_der().expect("SPKI");
        cases.push(Case::new(
            name,
            &jwt::EncodingKey::from_ec_der(pkcs8.as_ref()),
            jwt::DecodingKey::from_ec_der(pair.public_key().as_ref()),
            Key::from_der(spki.as_ref()).expect("a key"),
        ));
    }

    let pair = Ed25519KeyPair::generate().expect("a key pair");
    let pkcs8 = pair.to_pkcs8().expect("PKCS #8");
    let spki = pair.public_key().as_der().expect("SPKI");
    cases.push(Case::new(
        "EdDSA",
        &jwt::EncodingKey::from_ed_der(pkcs8.as_ref()),
        jwt::DecodingKey::from_ed_der(pair.public_key().as_ref()),
        Key::from_der(spki.as_ref()).expect("a key"),
    ));
    cases
}

/// jsonwebtoken wants RSA private keys as PKCS #1 or in PEM.
fn rsa_encoding(pkcs8: &[u8]) -> jwt::EncodingKey {
    let pem = pem::encode(&pem::Pem::new("PRIVATE KEY", pkcs8));
    jwt::EncodingKey::from_rsa_pem(pem.as_bytes()).expect("a key")
}
