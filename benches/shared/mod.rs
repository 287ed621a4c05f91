//! What the benches measure: tokens of each algorithm, good and bad, verified by
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
use tower_jwt_auth::{
    JwtAuthLayer, Key, Verifier,
    layer::JwtAuth,
    verifier::{Cache, VerifierBuilder},
};
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

/// An algorithm and its key.
pub(crate) struct Signer {
    pub(crate) name: &'static str,
    encoding: jwt::EncodingKey,
    decoding: jwt::DecodingKey,
    key: Key,
}

/// What comes to be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The same good token again and again.
    Repeated,
    /// Good tokens, each of which comes once.
    Distinct,
    Missing,
    Expired,
    WrongIssuer,
    BadSignature,
    /// 8 KiB in three parts.
    Garbage,
    TooLong,
}

impl What {
    pub(crate) const ALL: [Self; 8] = [
        Self::Repeated,
        Self::Distinct,
        Self::Missing,
        Self::Expired,
        Self::WrongIssuer,
        Self::BadSignature,
        Self::Garbage,
        Self::TooLong,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Repeated => "repeated",
            Self::Distinct => "distinct",
            Self::Missing => "missing",
            Self::Expired => "expired",
            Self::WrongIssuer => "wrong issuer",
            Self::BadSignature => "bad signature",
            Self::Garbage => "8 KiB garbage",
            Self::TooLong => "9 KiB garbage",
        }
    }

    pub(crate) fn is_good(self) -> bool {
        matches!(self, Self::Repeated | Self::Distinct)
    }
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

/// As routers leave one in each request.
#[derive(Clone)]
struct Route;

impl Signer {
    /// So many tokens, or no token so many times.
    pub(crate) fn tokens(&self, what: What, count: usize) -> Vec<Option<String>> {
        let one = || match what {
            What::Repeated => self.token(0, ISSUER, 86_400),
            What::Expired => self.token(0, ISSUER, -3_600),
            What::WrongIssuer => self.token(0, "https://elsewhere.example/", 86_400),
            What::BadSignature => {
                let token = self.token(0, ISSUER, 86_400);
                let (front, signature) = token.rsplit_once('.').expect("three parts");
                let (start, end) = signature.split_at(signature.len() / 2);
                let other = if end.starts_with('A') { "B" } else { "A" };
                format!("{front}.{start}{other}{}", &end[1..])
            }
            What::TooLong => format!("{}.A.A", "A".repeat(9 * 1024)),
            _ => format!("{}.{}.AAAA", "A".repeat(4000), "A".repeat(4180)),
        };
        match what {
            What::Missing => vec![None; count],
            What::Distinct => (0..count).map(|n| Some(self.token(n, ISSUER, 86_400))).collect(),
            _ => vec![Some(one()); count],
        }
    }

    fn token(&self, number: usize, issuer: &str, lifetime: i64) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let claims = serde_json::json!({
            "iss": issuer,
            "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
            "aud": AUDIENCE,
            "iat": now,
            "exp": now.saturating_add_signed(lifetime),
            "jti": format!("3f1c9b7e-8f0e-4b6a-9f5a-{number:012}"),
            "client_id": "my_client_id",
            "scope": "openid profile read:orders write:orders",
        });
        let mut header = jwt::Header::new(self.algorithm());
        header.kid = Some("2026-11".into());
        jwt::encode(&header, &claims, &self.encoding).expect("a token")
    }

    fn algorithm(&self) -> jwt::Algorithm {
        self.name.parse().expect("a known algorithm")
    }

    /// What `jsonwebtoken::decode` is given.
    pub(crate) fn validation(&self) -> jwt::Validation {
        let mut validation = jwt::Validation::new(self.algorithm());
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        validation
    }

    /// `jsonwebtoken::decode`, as its documentation shows it; whether the token is good.
    pub(crate) fn decode(&self, token: &str, validation: &jwt::Validation) -> bool {
        black_box(jwt::decode::<Documented>(token, &self.decoding, validation)).is_ok()
    }

    pub(crate) fn builder(&self, cache: Cache) -> VerifierBuilder<User> {
        Verifier::builder()
            .claims::<User>()
            .issuer(ISSUER)
            .audience(AUDIENCE)
            .keys(self.key.clone().with_kid("2026-11"))
            .cache(cache)
    }

    /// A verifier that has seen one token of the key.
    pub(crate) fn verifier(&self, cache: Cache) -> Verifier<User> {
        let verifier = self.builder(cache).build().expect("a verifier");
        assert!(verify(&verifier, &self.token(usize::MAX, ISSUER, 86_400)));
        verifier
    }

    pub(crate) fn layer(&self, cache: Cache) -> JwtAuth<Bare, User> {
        JwtAuthLayer::new(self.verifier(cache)).layer(Bare)
    }
}

/// This crate without HTTP; whether the token is good.
pub(crate) fn verify(verifier: &Verifier<User>, token: &str) -> bool {
    let claims = verifier.verify(token).now_or_never().expect("no rule waits");
    claims.is_ok_and(|claims| black_box(claims.sub.len()) > 0)
}

pub(crate) fn request(token: Option<&str>) -> Request<()> {
    let mut request = Request::builder()
        .uri("/orders")
        .header("host", "api.example.com")
        .header("user-agent", "bench/1.0")
        .header("accept", "*/*");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.extension(Route).body(()).expect("a request")
}

/// The status of the answer, which is there at once.
pub(crate) fn status<S>(service: &mut S, request: Request<()>) -> u16
where
    S: Service<Request<()>, Response = Response<()>, Error = Infallible>,
{
    let future = std::pin::pin!(service.call(request));
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(response)) = future.poll(&mut context) else { panic!("not ready") };
    black_box(response).status().as_u16()
}

/// All algorithms. Names `jsonwebtoken`'s back end, which its own features cannot
/// decide on where both are on.
pub(crate) fn signers() -> Vec<Signer> {
    let _ = jwt::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
    let mut signers = Vec::new();

    for (name, length) in [("HS256", 32), ("HS512", 64)] {
        let secret = vec![0x5a; length];
        let key = match length {
            32 => Key::hs256(&secret),
            _ => Key::hs512(&secret),
        };
        signers.push(Signer {
            name,
            encoding: jwt::EncodingKey::from_secret(&secret),
            decoding: jwt::DecodingKey::from_secret(&secret),
            key: key.expect("a key"),
        });
    }

    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key pair");
    let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&rsa).expect("PKCS #8");
    let public = rsa.public_key();
    let numbers = RsaPublicKeyComponents::<Vec<u8>>::from(public);
    for name in ["RS256", "PS256"] {
        signers.push(Signer {
            name,
            encoding: rsa_encoding(pkcs8.as_ref()),
            decoding: jwt::DecodingKey::from_rsa_raw_components(&numbers.n, &numbers.e),
            key: Key::from_der(public.as_ref()).expect("a key"),
        });
    }

    for (name, curve) in
        [("ES256", &ECDSA_P256_SHA256_FIXED_SIGNING), ("ES384", &ECDSA_P384_SHA384_FIXED_SIGNING)]
    {
        let pair = EcdsaKeyPair::generate(curve).expect("a key pair");
        let pkcs8 = pair.to_pkcs8v1().expect("PKCS #8");
        let spki = pair.public_key().as_der().expect("SPKI");
        signers.push(Signer {
            name,
            encoding: jwt::EncodingKey::from_ec_der(pkcs8.as_ref()),
            decoding: jwt::DecodingKey::from_ec_der(pair.public_key().as_ref()),
            key: Key::from_der(spki.as_ref()).expect("a key"),
        });
    }

    let pair = Ed25519KeyPair::generate().expect("a key pair");
    let pkcs8 = pair.to_pkcs8().expect("PKCS #8");
    let spki = pair.public_key().as_der().expect("SPKI");
    signers.push(Signer {
        name: "EdDSA",
        encoding: jwt::EncodingKey::from_ed_der(pkcs8.as_ref()),
        decoding: jwt::DecodingKey::from_ed_der(pair.public_key().as_ref()),
        key: Key::from_der(spki.as_ref()).expect("a key"),
    });
    signers
}

/// jsonwebtoken wants RSA private keys as PKCS #1, which stands in PKCS #8 behind 26 bytes.
fn rsa_encoding(pkcs8: &[u8]) -> jwt::EncodingKey {
    jwt::EncodingKey::from_rsa_der(&pkcs8[26..])
}
