//! A service that checks proofs with code of its own, and can leave out one check.

use std::{
    collections::HashSet,
    convert::Infallible,
    future::Future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    digest::{SHA256, digest},
    hmac,
    signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey},
};
use axum::{
    body::Body,
    http::{HeaderMap, Request, Response, StatusCode, header},
};
use base64_simd::URL_SAFE_NO_PAD;
use serde_json::Value;
use tower_jwt_auth::{Verifier, testing::TestIssuer};

use super::URL;

/// The check that is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hole {
    None,
    /// Only the first header `DPoP` is read.
    Number,
    Typ,
    /// The algorithm is that of the key, whatever `alg` says.
    Alg,
    /// `HS256` is accepted with a secret in `jwk`.
    SecretInJwk,
    Signature,
    /// A private number in `jwk` is ignored.
    PrivateKey,
    /// Types of claims.
    Jti,
    Method,
    MethodCase,
    Address,
    /// Only the path is compared.
    Origin,
    /// The beginning is compared.
    Prefix,
    /// The host of the request is the origin.
    Host,
    /// No bound for the time.
    Time,
    /// A proof that is made in the future.
    Future,
    Token,
    /// `ath` is compared if it is there.
    TokenIfThere,
    /// Any key will do.
    Key,
    Replay,
    /// A proof is known by its text.
    ReplayOfText,
    /// A proof is known by its `jti` and the whole address.
    ReplayOfAddress,
    Nonce,
    /// The nonce is compared if it is there.
    NonceIfThere,
    /// Other members of `cnf` are ignored.
    Members,
    /// A token without `cnf` passes with a proof.
    Unbound,
    /// A bound token passes as a bearer token.
    Bearer,
}

#[derive(Clone)]
pub(super) struct Service(Arc<Inner>);

struct Inner {
    hole: Hole,
    /// Whether proofs need a nonce. Each is accepted for so many requests.
    nonce_for: Option<usize>,
    verifier: Verifier<Value>,
    seen: Mutex<HashSet<String>>,
    requests: AtomicUsize,
}

/// Why a request is refused.
enum Refusal {
    Token,
    Proof,
    /// The nonce to use.
    Nonce(String),
}

impl Service {
    pub(super) fn new(hole: Hole, nonce_for: Option<usize>) -> Self {
        let builder = TestIssuer::new().verifier_builder().claims::<Value>();
        let verifier = builder.dangerous().ignore_confirmation().build().unwrap();
        let (seen, requests) = (Mutex::default(), AtomicUsize::new(0));
        Self(Arc::new(Inner { hole, nonce_for, verifier, seen, requests }))
    }

    pub(super) fn call(
        &self,
        request: Request<Body>,
    ) -> impl Future<Output = Result<Response<Body>, Infallible>> + use<> {
        let inner = Arc::clone(&self.0);
        async move {
            let mut response = Response::new(Body::empty());
            if let Err(refusal) = inner.check(&request).await {
                *response.status_mut() = StatusCode::UNAUTHORIZED;
                let challenge = match refusal {
                    Refusal::Token => "DPoP error=\"invalid_token\"",
                    Refusal::Proof => "DPoP error=\"invalid_dpop_proof\"",
                    Refusal::Nonce(nonce) => {
                        response.headers_mut().insert("dpop-nonce", nonce.parse().unwrap());
                        "DPoP error=\"use_dpop_nonce\""
                    }
                };
                let challenge = challenge.parse().unwrap();
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            }
            Ok(response)
        }
    }
}

impl Inner {
    async fn check(&self, request: &Request<Body>) -> Result<(), Refusal> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let credentials = only(request.headers(), "authorization").ok_or(Refusal::Token)?;
        let (scheme, token) = credentials.split_once(' ').ok_or(Refusal::Token)?;
        let is_bearer = scheme.eq_ignore_ascii_case("Bearer") && self.hole == Hole::Bearer;
        if !scheme.eq_ignore_ascii_case("DPoP") && !is_bearer {
            return Err(Refusal::Token);
        }
        let claims = self.verifier.verify(token).await.map_err(|_| Refusal::Token)?;
        if is_bearer {
            return Ok(());
        }
        let jkt = match &claims["cnf"] {
            Value::Null if self.hole == Hole::Unbound => None,
            Value::Object(cnf) if cnf.len() == 1 || self.hole == Hole::Members => {
                let jkt = cnf.get("jkt").and_then(Value::as_str);
                Some(jkt.ok_or(Refusal::Token)?.to_owned())
            }
            _ => return Err(Refusal::Token),
        };
        let proof = match self.hole {
            Hole::Number => {
                let first = request.headers().get("dpop").and_then(|value| value.to_str().ok());
                first.and_then(|list| list.split(", ").next())
            }
            _ => only(request.headers(), "dpop"),
        };
        let proof = proof.ok_or(Refusal::Proof)?;
        self.check_proof(request, token, jkt.as_deref(), proof).ok_or(Refusal::Proof)?;
        self.check_nonce(proof, number)?;
        self.spend(request, proof).ok_or(Refusal::Proof)
    }

    /// `None` if the proof is refused.
    fn check_proof(
        &self,
        request: &Request<Body>,
        token: &str,
        jkt: Option<&str>,
        proof: &str,
    ) -> Option<()> {
        let check = |hole: Hole, is_right: bool| (is_right || self.hole == hole).then_some(());
        let (input, signature) = proof.rsplit_once('.')?;
        let (header, payload) = input.split_once('.')?;
        let read = |part: &str| {
            let bytes = URL_SAFE_NO_PAD.decode_to_vec(part).ok()?;
            let value: Value = serde_json::from_slice(&bytes).ok()?;
            value.is_object().then_some(value)
        };
        let (header, claims) = (read(header)?, read(payload)?);
        let signature = URL_SAFE_NO_PAD.decode_to_vec(signature).ok()?;
        for name in ["crit", "b64", "enc"] {
            header.get(name).is_none().then_some(())?;
        }
        check(Hole::Typ, header["typ"] == "dpop+jwt")?;
        let jwk = &header["jwk"];
        let is_valid = match (header["alg"].as_str(), jwk["kty"].as_str()?) {
            (Some("HS256"), "oct") if self.hole == Hole::SecretInJwk => {
                let secret = URL_SAFE_NO_PAD.decode_to_vec(jwk["k"].as_str()?).ok()?;
                let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
                hmac::verify(&key, input.as_bytes(), &signature).is_ok()
            }
            (alg, "EC") => {
                check(Hole::Alg, alg == Some("ES256"))?;
                for name in ["d", "p", "k"] {
                    check(Hole::PrivateKey, jwk.get(name).is_none())?;
                }
                let number = |name: &str| URL_SAFE_NO_PAD.decode_to_vec(jwk[name].as_str()?).ok();
                let point = [vec![4], number("x")?, number("y")?].concat();
                let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point);
                key.verify(input.as_bytes(), &signature).is_ok()
            }
            _ => return None,
        };
        check(Hole::Signature, is_valid)?;
        if let Some(jkt) = jkt {
            check(Hole::Key, jkt == thumbprint(jwk)?)?;
        }
        check(Hole::Jti, claims["jti"].as_str().is_some_and(|jti| !jti.is_empty()))?;
        let htm = claims["htm"].as_str().unwrap_or_default();
        let method = request.method().as_str();
        check(
            Hole::Method,
            htm == method || (self.hole == Hole::MethodCase && htm.eq_ignore_ascii_case(method)),
        )?;
        check(Hole::Address, self.is_address(request, claims["htu"].as_str()))?;
        let is_number = claims["iat"].is_number();
        let iat = claims["iat"].as_f64().unwrap_or_default();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        check(Hole::Time, is_number && iat > now - 60.0)?;
        check(Hole::Future, iat < now + 10.0 || self.hole == Hole::Time)?;
        let hash = URL_SAFE_NO_PAD.encode_to_string(digest(&SHA256, token.as_bytes()));
        let is_absent = claims.get("ath").is_none();
        check(Hole::Token, claims["ath"] == *hash || (is_absent && self.hole == Hole::TokenIfThere))
    }

    fn is_address(&self, request: &Request<Body>, htu: Option<&str>) -> bool {
        let Some(htu) = htu else { return false };
        let path = request.uri().path();
        match self.hole {
            Hole::Origin => htu.ends_with(path),
            Hole::Prefix => htu.starts_with(&format!("{URL}{path}")),
            Hole::Host => {
                let host = request.headers().get("host").and_then(|host| host.to_str().ok());
                htu == format!("{URL}{path}")
                    || host.is_some_and(|host| htu == format!("https://{host}{path}"))
            }
            _ => htu == format!("{URL}{path}"),
        }
    }

    fn check_nonce(&self, proof: &str, number: usize) -> Result<(), Refusal> {
        let Some(many) = self.nonce_for else { return Ok(()) };
        let nonce = format!("nonce-of-period-{:08}", number / many);
        let claims = claims(proof).ok_or(Refusal::Proof)?;
        let is_absent = claims.get("nonce").is_none();
        let is_right = claims["nonce"] == *nonce
            || self.hole == Hole::Nonce
            // Otherwise, no client would ever learn the nonce.
            || (is_absent && self.hole == Hole::NonceIfThere && number > 1);
        if is_right { Ok(()) } else { Err(Refusal::Nonce(nonce)) }
    }

    fn spend(&self, request: &Request<Body>, proof: &str) -> Option<()> {
        let jti = claims(proof)?["jti"].to_string();
        let name = match self.hole {
            Hole::Replay | Hole::Jti => return Some(()),
            Hole::ReplayOfText => proof.to_owned(),
            Hole::ReplayOfAddress => format!("{jti} {}", request.uri()),
            _ => jti,
        };
        self.seen.lock().unwrap().insert(name).then_some(())
    }
}

fn claims(proof: &str) -> Option<Value> {
    let payload = proof.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode_to_vec(payload).ok()?).ok()
}

/// The only value of a header.
fn only<'r>(headers: &'r HeaderMap, name: &str) -> Option<&'r str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    (values.next().is_none() && !value.contains(',')).then_some(value)
}

/// RFC 7638 §3.
fn thumbprint(jwk: &Value) -> Option<String> {
    let names: &[&str] = match jwk["kty"].as_str()? {
        "oct" => &["k", "kty"],
        _ => &["crv", "kty", "x", "y"],
    };
    let members: Option<Vec<_>> =
        names.iter().map(|name| Some(format!("\"{name}\":\"{}\"", jwk[name].as_str()?))).collect();
    let json = format!("{{{}}}", members?.join(","));
    Some(URL_SAFE_NO_PAD.encode_to_string(digest(&SHA256, json.as_bytes())))
}
