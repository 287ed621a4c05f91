//! The key or the certificate that a session is bound to (RFC 9449 §5, RFC 8705 §4).

use http::{Response, request::Parts};

use crate::{
    claims::{Confirmation, RegisteredClaims},
    error::{CertificateFault, Error, ErrorKind, ProofFault},
    issue::Body,
    proof::{DPoP, MutualTls},
    refresh::{Login, Session},
    request_head::RequestHead,
    response::DPOP_NONCE,
    verifier::find_claims,
};

/// The proofs that sessions may be bound to.
#[derive(Clone, Debug, Default)]
pub(super) struct BindingProofs {
    pub(super) dpop: Option<DPoP>,
    pub(super) mutual_tls: Option<MutualTls>,
}

impl BindingProofs {
    /// Binds a login to what its request proves to have. Without a proof, the login is not bound,
    /// unless it must be.
    pub(super) async fn bind(
        &self,
        login: Login,
        request: RequestHead<'_>,
        now: i64,
    ) -> Result<Login, Error> {
        let must = self.dpop.as_ref().is_some_and(DPoP::is_required);
        match must || (self.dpop.is_some() && request.headers().contains_key(DPOP)) {
            true => self.bind_to_key(login, request, now).await,
            false => self.bind_to_certificate(login, request),
        }
    }

    /// The same for a login that must be bound to a key.
    pub(super) async fn bind_to_key(
        &self,
        login: Login,
        request: RequestHead<'_>,
        now: i64,
    ) -> Result<Login, Error> {
        let login = self.bind_to_certificate(login, request)?;
        let dpop = self.dpop.as_ref().ok_or(ErrorKind::Failed)?;
        // It comes last, because the proof is spent.
        Ok(login.jkt(dpop.check_without_token(request, now).await?))
    }

    fn bind_to_certificate(&self, login: Login, request: RequestHead<'_>) -> Result<Login, Error> {
        let Some(mutual_tls) = &self.mutual_tls else { return Ok(login) };
        match mutual_tls.find(request) {
            Ok(thumbprint) => Ok(login.x5t_s256(thumbprint)),
            Err(CertificateFault::Missing) if !mutual_tls.is_required() => Ok(login),
            Err(fault) => Err(ErrorKind::Certificate(fault).into()),
        }
    }

    /// Checks that a client has the key and the certificate that the session is bound to. The error is
    /// that of the proof, or `invalid_grant` if it is of another key.
    ///
    /// The session does not change: a client that has only the token must neither use the session nor
    /// end it.
    pub(super) async fn proven(
        &self,
        session: &Session,
        request: Option<RequestHead<'_>>,
        now: i64,
    ) -> Result<Option<Confirmation>, Error> {
        let Some(bound) = session.confirmation.as_deref() else { return Ok(None) };
        let refused = |cause: &'static str| Error::with_source(ErrorKind::RefreshToken, cause);
        let request = request.ok_or_else(|| refused(NO_REQUEST))?;
        let Self { dpop, mutual_tls } = self;
        if let Some(expected) = &bound.x5t_s256 {
            let mutual_tls = mutual_tls.as_ref().ok_or_else(|| refused(NO_MUTUAL_TLS))?;
            mutual_tls.check(request, expected).map_err(|fault| {
                Error::with_source(
                    ErrorKind::RefreshToken,
                    ErrorKind::Certificate(fault).to_string(),
                )
            })?;
        }
        if let Some(expected) = &bound.jkt {
            let dpop = dpop.as_ref().ok_or_else(|| refused(NO_DPOP))?;
            let checked = match is_proven_to_layer(session, request) {
                true => dpop.check_spent(request, expected, now),
                false => dpop.check_key(request, expected, now).await,
            };
            checked.map_err(|error| match error.kind() {
                ErrorKind::DpopProof(ProofFault::OtherKey) => refused(OTHER_KEY),
                _ => error,
            })?;
        }
        Ok(Some(*bound))
    }

    /// Adds the nonce for the next proof to an answer, if that of this one is soon too old (RFC 9449
    /// §8.2).
    pub(super) fn add_nonce(
        &self,
        session: &Session,
        request: &Parts,
        answer: &mut Response<Body>,
        now: i64,
    ) {
        if let Some(dpop) = &self.dpop
            && session.jkt().is_some()
            && let Some(nonce) = dpop.fresh_nonce(request.into(), now)
        {
            answer.headers_mut().insert(DPOP_NONCE, nonce);
        }
    }
}

/// Whether a layer has accepted the proof of this request, with an access token of this session. Then it
/// is spent.
fn is_proven_to_layer(session: &Session, request: RequestHead<'_>) -> bool {
    let claims = find_claims::<RegisteredClaims>(request.extensions());
    claims.is_ok_and(|claims| {
        claims.session_id() == Some(session.id()) && claims.proof_of_possession().jkt().is_some()
    })
}

const DPOP: &str = "dpop";

const OTHER_KEY: &str = "the proof is signed by another key than that of the session";
const NO_REQUEST: &str = "the session is bound to its client, and the request that proves it was not \
                          given: use `refresh_for_request`";
const NO_DPOP: &str = "the session is bound to a key: set `.dpop(…)`";
const NO_MUTUAL_TLS: &str = "the session is bound to a certificate: set `.mutual_tls(…)`";
