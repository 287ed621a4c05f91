//! Tokens of any content, good and bad.

use std::{fmt, time::Duration};

use base64_simd::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    jws::{add_confirmation, joined, json_of, members, sign, signed},
    keys::{self, Use},
    proof::TestProofKey,
};
use crate::{
    alg::Algorithm,
    digest::Thumbprint,
    issue::SigningKey,
    proof::ClientCertificate,
    random::{hmac_sha256, unique_id},
    rules::seconds,
};

/// A token that is to be signed, made by [`TestIssuer::token`](super::TestIssuer::token).
///
/// Each method changes one thing, so a token that is refused is refused for that. `Debug` shows
/// names of claims, and no values.
///
/// # Defaults
///
/// - header: `typ` is `at+jwt`, and `alg` and `kid` are those of the issuer's key
/// - `iss` and `aud`: those of the issuer; `sub`: `user`; `client_id`: `client`
/// - `iat`: now; `exp`: in 15 minutes; both by the issuer's clock
/// - `jti`: random
/// - all other claims: none
///
/// So [`access_tokens_only`](crate::verifier::VerifierBuilder::access_tokens_only) accepts it, too.
///
/// # Example: one thing at a time
/// ```
/// use tower_jwt_auth::testing::{TestIssuer, TestToken, assert_accepted, assert_refused};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let issuer = TestIssuer::new();
/// let verifier = issuer.verifier();
/// let good = || issuer.token().subject("ada").claim("tenant", "acme");
///
/// assert_accepted(&verifier.verify(&good().sign()).await);
/// for (bad, kind) in [
///     (good().expired(), "expired"),
///     (good().without("sub"), "missing_claim"),
///     (good().claim("aud", 7), "malformed_claims"),
///     (good().wrong_key(), "signature"),
///     (good().unsigned(), "unsigned"),
/// ] {
///     assert_refused(&verifier.verify(&bad.sign()).await, kind);
/// }
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a token does nothing until it is signed"]
pub struct TestToken {
    pub(super) issuer: Box<str>,
    pub(super) now: i64,
    pub(super) key: SigningKey,
    pub(super) header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
    signature: Signature,
    tampered: bool,
}

/// How a token is signed.
#[derive(Clone, Copy, Debug)]
enum Signature {
    /// By the key of the issuer.
    Right,
    /// By a key that nobody has published.
    Stranger,
    /// By a key for this algorithm.
    Algorithm(Algorithm),
    /// With the public key as a shared secret.
    PublicKey,
    /// Not at all.
    None,
}

impl TestToken {
    pub(super) fn new(issuer: &str, audience: &str, now: i64, key: SigningKey) -> Self {
        let id = unique_id().expect("the system has random bytes");
        let header = json!({"typ": "at+jwt", "alg": key.algorithm().name(), "kid": key.kid()});
        let claims = json!({
            "iss": issuer,
            "sub": "user",
            "aud": audience,
            "client_id": "client",
            "exp": now.saturating_add(QUARTER),
            "iat": now,
            "jti": id,
        });
        Self {
            issuer: issuer.into(),
            now,
            key,
            header: members(header),
            claims: members(claims),
            signature: Signature::Right,
            tampered: false,
        }
    }

    /// Sets the subject: `sub`.
    pub fn subject(self, subject: impl Into<String>) -> Self {
        self.claim("sub", subject.into())
    }

    /// Sets the scopes: `scope`, with spaces between them (RFC 8693 §4.2).
    pub fn scopes<S: AsRef<str>>(self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.claim("scope", joined(scopes))
    }

    /// Sets the authentication context of the login: `acr`.
    pub fn acr(self, acr: impl Into<String>) -> Self {
        self.claim("acr", acr.into())
    }

    /// Sets the methods of the login: `amr`.
    pub fn amr<S: Into<String>>(self, methods: impl IntoIterator<Item = S>) -> Self {
        let methods: Vec<String> = methods.into_iter().map(Into::into).collect();
        self.claim("amr", methods)
    }

    /// Sets the time of the login, in whole seconds before now: `auth_time`.
    pub fn logged_in(self, ago: Duration) -> Self {
        let auth_time = self.now.saturating_sub(seconds(ago));
        self.claim("auth_time", auth_time)
    }

    /// Sets a claim to any JSON value. A registered claim may get a value that it cannot have.
    ///
    /// # Panics
    ///
    /// The value cannot be written as JSON.
    pub fn claim(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        self.claims.insert(name.into(), json_of(value));
        self
    }

    /// Sets all claims that a value of the application's type has: the members of its JSON object.
    ///
    /// # Panics
    ///
    /// The value cannot be written as a JSON object.
    pub fn claims(mut self, claims: impl Serialize) -> Self {
        self.claims.extend(members(json_of(claims)));
        self
    }

    /// Leaves a claim out.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Sets the time until the token expires, in whole seconds from now: `exp`.
    pub fn expires_in(self, time: Duration) -> Self {
        let exp = self.now.saturating_add(seconds(time));
        self.claim("exp", exp)
    }

    /// Makes a token that was issued two hours ago and expired an hour ago: `iat` and `exp`.
    /// Refused as [`Expired`](crate::ErrorKind::Expired).
    pub fn expired(self) -> Self {
        let now = self.now;
        self.claim("iat", now.saturating_sub(2 * HOUR)).claim("exp", now.saturating_sub(HOUR))
    }

    /// Makes a token that is valid in an hour: `nbf` and `exp`. Refused as
    /// [`NotYetValid`](crate::ErrorKind::NotYetValid).
    pub fn not_yet_valid(self) -> Self {
        let now = self.now;
        self.claim("nbf", now.saturating_add(HOUR)).claim("exp", now.saturating_add(2 * HOUR))
    }

    /// Makes a token that was issued in an hour: `iat` and `exp`. Refused as
    /// [`IssuedInFuture`](crate::ErrorKind::IssuedInFuture).
    pub fn issued_in_future(self) -> Self {
        let now = self.now;
        self.claim("iat", now.saturating_add(HOUR)).claim("exp", now.saturating_add(2 * HOUR))
    }

    /// Sets another issuer, whose token this key has signed: `iss`. Refused as
    /// [`Issuer`](crate::ErrorKind::Issuer).
    pub fn wrong_issuer(self) -> Self {
        self.claim("iss", "https://another-issuer.test")
    }

    /// Sets the audience of another service: `aud`. Refused as
    /// [`Audience`](crate::ErrorKind::Audience).
    pub fn wrong_audience(self) -> Self {
        self.claim("aud", "https://another-api.test")
    }

    /// Sets `typ`, such as `JWT`, `at+jwt` or `logout+jwt`.
    pub fn token_type(self, typ: impl Into<String>) -> Self {
        self.header("typ", typ.into())
    }

    /// Sets `kid`. The key remains that of the issuer, so a verifier whose key has no id accepts the token.
    pub fn key_id(self, kid: impl Into<String>) -> Self {
        self.header("kid", kid.into())
    }

    /// Leaves `kid` out.
    pub fn without_key_id(self) -> Self {
        self.without_header("kid")
    }

    /// Sets a parameter of the header to any JSON value. The signature is not affected: with
    /// another `alg`, it is that of an algorithm that the header does not name.
    ///
    /// # Panics
    ///
    /// The value cannot be written as JSON.
    pub fn header(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        self.header.insert(name.into(), json_of(value));
        self
    }

    /// Leaves a parameter of the header out.
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    /// Signs with this algorithm, and names it in `alg`: with the key of the issuer if it fits, and
    /// otherwise with a key that nobody has published. `kid` stays as it is.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.signature = Signature::Algorithm(algorithm);
        self.header("alg", algorithm.name())
    }

    /// Signs with another key than the one that `kid` names, of the same type. Refused as
    /// [`Signature`](crate::ErrorKind::Signature).
    pub fn wrong_key(mut self) -> Self {
        self.signature = Signature::Stranger;
        self
    }

    /// Binds the token to the key of a client (`cnf.jkt`, RFC 9449 §6.1), beside what it is bound to
    /// already.
    pub fn bound_to(self, key: &TestProofKey) -> Self {
        self.confirmed_by("jkt", key.jkt())
    }

    /// Binds the token to a client certificate (`cnf.x5t#S256`, RFC 8705 §3.1), beside what it is bound
    /// to already.
    pub fn bound_to_certificate(self, certificate: &ClientCertificate) -> Self {
        self.confirmed_by("x5t#S256", certificate.thumbprint())
    }

    fn confirmed_by(mut self, method: &str, thumbprint: Thumbprint) -> Self {
        add_confirmation(&mut self.claims, method, thumbprint);
        self
    }

    /// Changes the subject after the token was signed. Refused as
    /// [`Signature`](crate::ErrorKind::Signature).
    pub fn tampered(mut self) -> Self {
        self.tampered = true;
        self
    }

    /// Makes a token without a signature: `alg` is `none`. Refused as
    /// [`Unsigned`](crate::ErrorKind::Unsigned).
    pub fn unsigned(mut self) -> Self {
        self.signature = Signature::None;
        self.header("alg", "none")
    }

    /// Signs by `HS256` with the PEM text of the public key as the secret, which everybody has (RFC
    /// 8725 §2.1). Refused as [`AlgorithmNotAllowed`](crate::ErrorKind::AlgorithmNotAllowed).
    ///
    /// # Panics
    ///
    /// At [`sign`](Self::sign), if the issuer has no public key.
    pub fn hs256_with_public_key(mut self) -> Self {
        self.signature = Signature::PublicKey;
        self.header("alg", "HS256")
    }

    /// Signs the token. It is the text behind `Bearer`.
    ///
    /// # Panics
    ///
    /// See [`hs256_with_public_key`](Self::hs256_with_public_key).
    #[must_use]
    pub fn sign(self) -> String {
        let (header, claims) = (Value::from(self.header), Value::from(self.claims.clone()));
        let token = signed(header.to_string().as_bytes(), claims.to_string().as_bytes(), |input| {
            let stranger = |algorithm| keys::of(&self.issuer, algorithm, Use::Stranger);
            match self.signature {
                Signature::Right => sign(&self.key, input),
                Signature::Stranger => sign(&stranger(self.key.algorithm()), input),
                Signature::Algorithm(algorithm) => {
                    match self.key.clone().with_algorithm(algorithm) {
                        Ok(key) => sign(&key, input),
                        Err(_) => sign(&stranger(algorithm), input),
                    }
                }
                Signature::PublicKey => {
                    let pem = self.key.public_pem();
                    let pem = pem.expect("the issuer has a shared secret, and no public key");
                    hmac_sha256(pem.as_bytes(), input).to_vec()
                }
                Signature::None => Vec::new(),
            }
        });
        if !self.tampered {
            return token;
        }
        let mut claims = self.claims;
        claims.insert("sub".into(), "admin".into());
        let payload = URL_SAFE_NO_PAD.encode_to_string(Value::from(claims).to_string());
        let mut parts = token.split('.');
        let (header, signature) = (parts.next().unwrap_or_default(), parts.nth(1));
        format!("{header}.{payload}.{}", signature.unwrap_or_default())
    }
}

impl fmt::Debug for TestToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |map: &Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
        f.debug_struct("TestToken")
            .field("header", &names(&self.header))
            .field("claims", &names(&self.claims))
            .field("signature", &self.signature)
            .finish_non_exhaustive()
    }
}

/// In seconds.
const QUARTER: i64 = 15 * 60;
const HOUR: i64 = 60 * 60;
