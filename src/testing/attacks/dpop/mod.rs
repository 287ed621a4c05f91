//! Attacks on a route that takes tokens with DPoP proofs (RFC 9449).

mod keys;
mod place;
mod replay;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use base64_simd::URL_SAFE_NO_PAD;
use http::{Method, Uri, header::AUTHORIZATION};

use super::{Attack, Forge, Head, with_parts};
use crate::{
    alg::Algorithm,
    attack::{
        CONFIRMATIONS, Check, FORMS, Members, PROOF_ADDRESSES, PROOF_CLAIMS, PROOF_HEADERS, Parts,
        ProofSetup,
    },
    digest::sha256,
    issue::SigningKey,
    random::unique_id,
    testing::{
        issuer::TestIssuer,
        keys::{self as keys_of_tests, Use},
        proof::TestProofKey,
    },
};

/// A client that proves to have a key, and the service that it knows; cheap to clone.
#[derive(Clone)]
pub(super) struct Client(Arc<Inner>);

struct Inner {
    /// The public URL of the service, without a slash at its end.
    url: Box<str>,
    key: TestProofKey,
    jwk: String,
    other_jwk: String,
    /// Its clock is that of the proofs.
    issuer: TestIssuer,
}

/// A request that needs a proof.
#[derive(Clone, Copy)]
pub(super) struct Sent<'s> {
    pub(super) method: &'s Method,
    /// Without the query.
    pub(super) path: &'s str,
    /// The last one of the service.
    pub(super) nonce: Option<&'s str>,
}

/// The proof of an attack. It is made when the request is sent, because it has the address, the time and
/// the nonce of that.
#[derive(Clone)]
pub(super) struct Proof {
    client: Client,
    token: Box<str>,
    other_token: Box<str>,
    make: Arc<Make>,
}

/// The values of the headers `DPoP`. `None` if there is nothing to change in the proof of this request.
type Make = dyn Fn(&Draft<'_>) -> Option<Vec<String>> + Send + Sync;

/// A right proof that is not signed yet.
struct Draft<'d> {
    proof: &'d Proof,
    sent: Sent<'d>,
    now: i64,
    header: Members,
    claims: Members,
}

impl Client {
    /// # Panics
    ///
    /// The text is not an absolute URL.
    pub(super) fn new(url: &str, key: TestProofKey, issuer: &TestIssuer) -> Self {
        let is_absolute = url.parse::<Uri>().is_ok_and(|uri| {
            uri.scheme().is_some() && uri.authority().is_some() && uri.query().is_none()
        });
        assert!(
            is_absolute && !url.contains('#'),
            "{url:?} is not a public URL: write it as `https://api.example.com`"
        );
        let other = TestProofKey::of(stranger(key.key.algorithm()));
        Self(Arc::new(Inner {
            url: url.trim_end_matches('/').into(),
            jwk: key.public_jwk().to_string(),
            other_jwk: other.public_jwk().to_string(),
            key,
            issuer: issuer.clone(),
        }))
    }

    pub(super) fn url(&self) -> &str {
        &self.0.url
    }

    pub(super) fn key(&self) -> &TestProofKey {
        &self.0.key
    }

    /// A key of the same algorithm that no token names.
    fn other(&self) -> SigningKey {
        stranger(self.0.key.key.algorithm())
    }

    /// The attack with a right proof: of the token in `Authorization`, which is there as `DPoP`, or else of
    /// the good token.
    pub(super) fn prove(&self, attack: Attack, forge: &Forge) -> Attack {
        let token = attack.head.token.clone();
        let Attack { mut head, .. } = attack;
        if let Some(token) = &token {
            head.headers.remove(AUTHORIZATION);
            head = head.header(AUTHORIZATION, credentials(token));
        }
        let proof = self.proof(&token.unwrap_or_else(|| forge.good()), forge, right);
        Attack { head, proof: Some(proof), ..attack }
    }

    /// A request with this token as `DPoP`, and with these proofs.
    fn attack(
        &self,
        (name, check, description): (&str, Check, &str),
        token: &str,
        forge: &Forge,
        make: impl Fn(&Draft<'_>) -> Option<Vec<String>> + Send + Sync + 'static,
    ) -> Attack {
        let head = Head::default().header(AUTHORIZATION, credentials(token));
        let attack = Attack::new(name.to_owned(), check, description.to_owned(), head);
        Attack { proof: Some(self.proof(token, forge, make)), ..attack }
    }

    fn proof(
        &self,
        token: &str,
        forge: &Forge,
        make: impl Fn(&Draft<'_>) -> Option<Vec<String>> + Send + Sync + 'static,
    ) -> Proof {
        let other_token = forge.other().into();
        Proof { client: self.clone(), token: token.into(), other_token, make: Arc::new(make) }
    }
}

/// Requests with a fault of the proof, or of what the token is bound to. The tokens of `forge` are bound
/// to the key of the client, those of `unbound` are not.
pub(super) fn attacks(client: &Client, forge: &Forge, unbound: &Forge) -> Vec<Attack> {
    let good = &*forge.good();
    let mut all = place::attacks(client, forge, unbound);
    for case in PROOF_HEADERS {
        let about = (case.name, case.check, case.description);
        all.push(client.attack(about, good, forge, |draft| {
            let mut header = draft.header.clone();
            (case.change)(&mut header, &draft.setup());
            (header != draft.header).then(|| vec![draft.signed(&header, &draft.claims)])
        }));
    }
    for case in PROOF_CLAIMS.iter().chain(PROOF_ADDRESSES) {
        let about = (case.name, case.check, case.description);
        all.push(client.attack(about, good, forge, |draft| {
            let mut claims = draft.claims.clone();
            (case.change)(&mut claims, &draft.setup());
            (claims != draft.claims).then(|| vec![draft.signed(&draft.header, &claims)])
        }));
    }
    // A proof has the form of a token. One form repeats `sub`, which is no claim of a proof.
    for case in FORMS.iter().filter(|case| !case.name.starts_with("f05")) {
        let (_, form) = case.name.split_once('_').unwrap_or_default();
        let description = case.description.replace("the token", "the proof");
        let description = format!("a fault of the proof: {description}");
        let about = (&*format!("d01_{form}"), Check::Proof, &*description);
        all.push(client.attack(about, good, forge, |draft| {
            draft.with_parts(&draft.header, &draft.claims, case.change).map(|proof| vec![proof])
        }));
    }
    let jkt = |key: &SigningKey| TestProofKey::of(key.clone()).jkt().to_string();
    for case in CONFIRMATIONS {
        let mut claims = forge.claims.clone();
        claims.set("cnf", (case.change)(&jkt(&client.key().key), &jkt(&client.other())));
        let token = forge.signed(&forge.header, &claims);
        all.push(client.attack((case.name, case.check, case.description), &token, forge, right));
    }
    all.extend(keys::attacks(client, forge));
    all.extend(replay::attacks(client, forge));
    all
}

/// A token that no route accepts which wants all tokens to be bound.
pub(super) fn unbound(client: &Client, forge: &Forge, unbound: &Forge) -> Vec<Attack> {
    place::unbound(client, forge, unbound)
}

/// A bound token with a right proof, in this cookie.
pub(super) fn in_cookie(client: &Client, forge: &Forge, head: Head) -> Attack {
    let description = "a bound token is in the cookie, with a right proof";
    let attack = Attack::new("d03_bound_token_in_cookie", Check::Binding, description, head);
    Attack { proof: Some(client.proof(&forge.good(), forge, right)), ..attack }
}

/// The right proof.
fn right(draft: &Draft<'_>) -> Option<Vec<String>> {
    Some(vec![draft.right()])
}

impl Proof {
    /// The values of the headers `DPoP`. `None` if the attack is not one on this request.
    pub(super) fn values(&self, sent: Sent<'_>) -> Option<Vec<String>> {
        (self.make)(&Draft::new(self, sent))
    }
}

impl<'d> Draft<'d> {
    fn new(proof: &'d Proof, sent: Sent<'d>) -> Self {
        let inner = &*proof.client.0;
        let now = inner.issuer.now();
        let (mut header, mut claims) = (Members::default(), Members::default());
        header.set_text("typ", "dpop+jwt");
        header.set_text("alg", inner.key.key.algorithm().name());
        header.set("jwk", &*inner.jwk);
        claims.set_text("jti", &unique_id().expect("the system has random bytes"));
        claims.set_text("htm", sent.method.as_str());
        claims.set_text("htu", &format!("{}{}", inner.url, sent.path));
        claims.set("iat", now.to_string());
        claims.set_text("ath", &ath(&proof.token));
        if let Some(nonce) = sent.nonce {
            claims.set_text("nonce", nonce);
        }
        Self { proof, sent, now, header, claims }
    }

    fn setup(&self) -> ProofSetup<'_> {
        let inner = &*self.proof.client.0;
        ProofSetup {
            jwk: &inner.jwk,
            other_jwk: &inner.other_jwk,
            url: &inner.url,
            path: self.sent.path,
            method: self.sent.method.as_str(),
            token: &self.proof.token,
            other_token: &self.proof.other_token,
            nonce: self.sent.nonce,
            now: self.now,
        }
    }

    fn right(&self) -> String {
        self.signed(&self.header, &self.claims)
    }

    /// Another right proof.
    fn other(&self) -> String {
        let mut claims = self.claims.clone();
        claims.set_text("jti", &unique_id().expect("the system has random bytes"));
        self.signed(&self.header, &claims)
    }

    /// A proof that the key of the client has signed.
    fn signed(&self, header: &Members, claims: &Members) -> String {
        self.with_parts(header, claims, |parts| parts.token())
    }

    /// A right proof with this `htu`.
    fn with_address(&self, htu: &str) -> String {
        let mut claims = self.claims.clone();
        claims.set_text("htu", htu);
        self.signed(&self.header, &claims)
    }

    fn with_parts<T>(
        &self,
        header: &Members,
        claims: &Members,
        make: impl FnOnce(&Parts<'_>) -> T,
    ) -> T {
        with_parts(&self.proof.client.0.key.key, header, claims, make)
    }

    /// A proof with this signature over its first two parts.
    fn with_signature(&self, header: &Members, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
        let sign = |input: &str| URL_SAFE_NO_PAD.encode_to_string(sign(input.as_bytes()));
        Parts { header, claims: &self.claims, sign: &sign }.token()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("url", &self.0.url).field("key", &self.0.key).finish()
    }
}

fn credentials(token: &str) -> String {
    format!("DPoP {token}")
}

fn stranger(algorithm: Algorithm) -> SigningKey {
    keys_of_tests::of("https://another-client.test", algorithm, Use::Stranger)
}

/// The hash of a token (RFC 9449 §4.2).
fn ath(token: &str) -> String {
    URL_SAFE_NO_PAD.encode_to_string(sha256(&[token.as_bytes()]))
}
