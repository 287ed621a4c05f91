//! The checks of RFC 9449 §4.3, in the order of their cost; the replay store comes last, so that a
//! proof that fails another check is not spent.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use super::{Inner, claims::ProofClaims, header, key_cache::Name, nonces::Accepted, time};
use crate::{
    digest::Thumbprint,
    error::{Detail, Error, ErrorKind, ProofFault, StoreError},
    keys::{Authentic, ProofKey},
    maybe_ready::MaybeReady,
    observe,
    proof::{Insertion, PresentedProof},
    request_head::RequestHead,
    token::{Compact, DecodeBuf},
};

/// The key and the token that a proof must be for.
#[derive(Clone, Copy, Default)]
pub(super) struct Expected<'a> {
    /// The key; `None` if any will do.
    pub(super) jkt: Option<&'a Thumbprint>,
    /// The token that `ath` is the hash of.
    pub(super) token: Option<&'a str>,
}

/// Checks the proof of a request, and gives the thumbprint of its key.
pub(super) fn check(
    dpop: &Arc<Inner>,
    request: RequestHead<'_>,
    expected: Expected<'_>,
    now: i64,
) -> MaybeReady<Result<Thumbprint, Error>> {
    match check_but_replay(dpop, request, expected, now) {
        Ok(proof) => proof.spend(),
        Err(error) => MaybeReady::Ready(Err(error)),
    }
}

/// A proof that has passed all checks but that of the replay.
pub(crate) struct UnspentProof {
    dpop: Arc<Inner>,
    proof: PresentedProof,
    /// Whether a layer around this one has spent it for this request.
    is_spent: bool,
}

impl UnspentProof {
    /// The thumbprint of its key.
    #[cfg(feature = "issue")]
    pub(super) fn key(&self) -> Thumbprint {
        self.proof.key
    }

    /// Asks the replay store, if there is one, and gives the thumbprint of the key.
    pub(crate) fn spend(self) -> MaybeReady<Result<Thumbprint, Error>> {
        let Self { dpop, proof, is_spent } = self;
        let Some(store) = dpop.store.as_ref().filter(|_| !is_spent) else {
            return MaybeReady::Ready(Ok(proof.key));
        };
        let answer = store.insert(proof);
        answer.map(move |answer| verdict(&dpop, proof, answer))
    }
}

/// Says that a layer has accepted the proof of a request; it is in the request's extensions. Another
/// layer within, which checks proofs by a clone of the same [`DPoP`], makes all checks again but that of
/// the replay.
#[derive(Clone)]
pub(crate) struct SpentProof {
    dpop: Arc<Inner>,
    proof: HeaderValue,
}

impl SpentProof {
    /// Of a request whose proof was accepted.
    pub(super) fn of(dpop: &Arc<Inner>, request: RequestHead<'_>) -> Option<Self> {
        dpop.store.as_ref()?;
        let proof = request.headers().get(DPOP)?.clone();
        Some(Self { dpop: Arc::clone(dpop), proof })
    }

    /// Whether it is this proof, and was checked by this one.
    fn is(&self, dpop: &Arc<Inner>, proof: &str) -> bool {
        Arc::ptr_eq(&self.dpop, dpop) && *self.proof.as_bytes() == *proof.as_bytes()
    }
}

/// The nonce of a request's proof, which was accepted, if it is still one of ours.
pub(super) fn nonce_of(dpop: &Inner, request: RequestHead<'_>, now: i64) -> Option<Accepted> {
    let nonces = dpop.nonces.as_ref()?;
    let payload = Compact::parse(proof_text(request).ok()?, LONGEST).ok()?.payload().ok()?;
    nonces.check(&ProofClaims::parse(&payload).ok()?.nonce?, now)
}

/// All checks but that of the replay.
pub(super) fn check_but_replay(
    dpop: &Arc<Inner>,
    request: RequestHead<'_>,
    expected: Expected<'_>,
    now: i64,
) -> Result<UnspentProof, Error> {
    let text = proof_text(request)?;
    let proof = Compact::parse(text, LONGEST).map_err(|error| {
        refused(match error.kind() {
            ErrorKind::Unsigned => ProofFault::Algorithm,
            _ => ProofFault::Malformed,
        })
    })?;
    let payload = proof.payload().map_err(|_| refused(ProofFault::Malformed))?;
    let read = || {
        let bytes = proof.header_bytes().map_err(|_| refused(ProofFault::Malformed))?;
        header::key_of(&bytes, dpop.algorithms).map_err(refused)
    };
    dpop.keys.with(&Name::of(proof.header_text()), read, |key| {
        if expected.jkt.is_some_and(|jkt| !jkt.is(key.thumbprint())) {
            return Err(refused(ProofFault::OtherKey));
        }
        let authentic = authentic(proof, key).map_err(refused)?;
        let claims = ProofClaims::parse(&payload).map_err(refused)?;
        let expires_at = check_claims(dpop, &authentic, &claims, request, expected.token, now)?;
        let id = id_of(key.thumbprint(), &claims.jti, dpop.service_name.as_deref());
        let spent = request.extensions().get::<SpentProof>();
        Ok(UnspentProof {
            dpop: Arc::clone(dpop),
            proof: PresentedProof { key: *key.thumbprint(), id, now, expires_at },
            is_spent: spent.is_some_and(|spent| spent.is(dpop, text)),
        })
    })
}

/// The only value of the only header `DPoP`.
fn proof_text(request: RequestHead<'_>) -> Result<&str, Error> {
    let mut proofs = request.headers().get_all(DPOP).iter();
    let proof = proofs.next().ok_or_else(|| refused(ProofFault::Missing))?;
    if proofs.next().is_some() || proof.as_bytes().contains(&b',') {
        return Err(refused(ProofFault::Several));
    }
    proof.to_str().map_err(|_| refused(ProofFault::Malformed))
}

fn authentic(proof: Compact<'_>, key: &ProofKey) -> Result<Authentic, ProofFault> {
    let mut buf = DecodeBuf::new();
    let signature = proof.signature(&mut buf).map_err(|_| ProofFault::Malformed)?;
    key.verify(proof.signing_input(), signature).ok_or(ProofFault::Signature)
}

/// Checks the claims of a proof whose signature is valid, and gives the time at which it stops being
/// accepted.
fn check_claims(
    dpop: &Inner,
    _: &Authentic,
    claims: &ProofClaims<'_>,
    request: RequestHead<'_>,
    token: Option<&str>,
    now: i64,
) -> Result<i64, Error> {
    if *claims.htm != *request.method().as_str() {
        return Err(refused(ProofFault::Method));
    }
    if !dpop.urls.has(&claims.htu, request) {
        let explain = || dpop.urls.explain(&claims.htu, request);
        return Err(explained(ProofFault::Uri, explain));
    }
    if let Some(token) = token {
        let ath = claims.ath.as_ref().ok_or_else(|| refused(ProofFault::Claim("ath")))?;
        let hash = Thumbprint::of(&[token.as_bytes()]);
        if !Thumbprint::from_base64url(ath).is_some_and(|ath| ath.is(&hash)) {
            return Err(refused(ProofFault::AccessToken));
        }
    }
    let outside = |fault| explained(fault, || dpop.window.explain(claims, now));
    time::check_validity(claims, dpop.window, now).map_err(outside)?;
    let Some(nonces) = &dpop.nonces else {
        return dpop.window.check(claims.iat, now).map_err(outside);
    };
    let by_iat = match nonces.accepts_any_client_clock() {
        true => None,
        false => Some(dpop.window.check(claims.iat, now).map_err(outside)?),
    };
    let nonce = claims.nonce.as_ref().and_then(|nonce| nonces.check(nonce, now));
    let nonce = nonce.ok_or_else(|| new_nonce(nonces.make(now)))?;
    Ok(by_iat.unwrap_or(dpop.window.after_nonce(nonce.until)))
}

/// The name of a proof in the store. The key comes first: the `jti` of another key is another name. The
/// bytes behind it keep proofs with and without the name of a service apart.
fn id_of(key: &Thumbprint, jti: &str, service: Option<&str>) -> Thumbprint {
    match service {
        None => Thumbprint::of(&[key.as_bytes(), b"\0", jti.as_bytes()]),
        Some(name) => {
            let length = (name.len() as u64).to_be_bytes();
            Thumbprint::of(&[key.as_bytes(), b"\x01", &length, name.as_bytes(), jti.as_bytes()])
        }
    }
}

fn verdict(
    dpop: &Inner,
    proof: PresentedProof,
    answer: Result<Insertion, StoreError>,
) -> Result<Thumbprint, Error> {
    let answer = answer.and_then(|insertion| match insertion {
        Insertion::Full { retry_after } => Err(StoreError::from(Error::with_source(
            ErrorKind::Unavailable { retry_after },
            "the replay store has no room for another live proof",
        ))),
        insertion => Ok(insertion),
    });
    match dpop.outage.record("DPoP replay store", answer)? {
        Insertion::Inserted => Ok(proof.key),
        Insertion::TooManyOfKey { retry_after } => {
            Err(Error::new(ErrorKind::TooManyProofs { retry_after }))
        }
        Insertion::Replayed | Insertion::Full { .. } => Err(refused(ProofFault::Replayed)),
    }
}

#[cold]
fn refused(fault: ProofFault) -> Error {
    Error::new(ErrorKind::DpopProof(fault))
}

/// The refusal of a proof with the values that the operator needs. They are those of the sender.
#[cold]
fn explained(fault: ProofFault, explain: impl FnOnce() -> Detail) -> Error {
    let error = refused(fault);
    if observe::tells_refusals() { error.with_detail(explain()) } else { error }
}

#[cold]
fn new_nonce(nonce: Box<str>) -> Error {
    Error::new(ErrorKind::DpopNonce { nonce })
}

const DPOP: HeaderName = HeaderName::from_static("dpop");

/// Far above a proof with an RSA key of 4096 bits, in bytes.
pub(super) const LONGEST: usize = 4096;
