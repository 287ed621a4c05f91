//! The key or the certificate that a session is bound to (RFC 9449 §5, RFC 8705 §4).

use http::{HeaderMap, Response, request::Parts};

use crate::{
    claims::{Confirmation, RegisteredClaims},
    error::{Error, ErrorKind, InvalidRequest, ProofFault},
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
    /// Whether a request comes with a proof, good or bad, that may bind a session.
    pub(super) fn has_proof(&self, headers: &HeaderMap) -> bool {
        self.dpop.is_some() && headers.contains_key(DPOP)
    }

    /// Binds a login to what its request proves to have. Without a proof, the login is not bound,
    /// unless it must be.
    pub(super) async fn bind(
        &self,
        login: Login,
        request: RequestHead<'_>,
        now: i64,
    ) -> Result<Login, Error> {
        let must = self.dpop.as_ref().is_some_and(DPoP::is_required);
        match must || self.has_proof(request.headers()) {
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
        Ok(match mutual_tls.verify_token_request(request)? {
            Some(thumbprint) => login.x5t_s256(thumbprint),
            None => login,
        })
    }

    /// Checks a login whose tokens go into cookies, and so are bound only to what the application has
    /// said of it. A proof is neither ignored, nor is it spent in vain.
    pub(super) fn check_cookies(&self, login: &Login, headers: &HeaderMap) -> Result<(), Error> {
        let bound = login.confirmation();
        if self.has_proof(headers) {
            return Err(ErrorKind::DpopProof(ProofFault::Cookies).into());
        }
        if self.wants_jkt(bound.as_ref()) {
            let kind = ErrorKind::DpopProof(ProofFault::Missing);
            return Err(Error::with_source(kind, COOKIES_WITHOUT_KEY));
        }
        if self.wants_x5t(bound.as_ref()) {
            let kind = ErrorKind::InvalidRequest(InvalidRequest::ClientCertificate);
            return Err(Error::with_source(kind, COOKIES_WITHOUT_CERTIFICATE));
        }
        Ok(())
    }

    /// Checks that the tokens of a new session can be used and refreshed.
    pub(super) fn check_new(&self, session: &Session) -> Result<(), Error> {
        let bound = session.confirmation.as_deref();
        let reason = match (session.jkt(), session.x5t_s256()) {
            (Some(_), _) if self.dpop.is_none() => NO_DPOP,
            (_, Some(_)) if self.mutual_tls.is_none() => NO_MUTUAL_TLS,
            _ if self.wants_jkt(bound) => MUST_HAVE_KEY,
            _ if self.wants_x5t(bound) => MUST_HAVE_CERTIFICATE,
            _ => return Ok(()),
        };
        Err(ErrorKind::Issue { reason: reason.into() }.into())
    }

    /// Checks that the next tokens of a session can be used. A session that is not bound, and must be, is
    /// from before that was required.
    pub(super) fn check_known(&self, session: &Session) -> Result<(), Error> {
        let bound = session.confirmation.as_deref();
        match self.wants_jkt(bound) || self.wants_x5t(bound) {
            true => Err(Error::with_source(ErrorKind::RefreshToken, FROM_BEFORE)),
            false => Ok(()),
        }
    }

    /// Whether a key is required and missing.
    fn wants_jkt(&self, bound: Option<&Confirmation>) -> bool {
        self.dpop.as_ref().is_some_and(DPoP::is_required)
            && bound.is_none_or(|bound| bound.jkt.is_none())
    }

    /// Whether a certificate is required and missing.
    fn wants_x5t(&self, bound: Option<&Confirmation>) -> bool {
        self.mutual_tls.as_ref().is_some_and(MutualTls::is_required)
            && bound.is_none_or(|bound| bound.x5t_s256.is_none())
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
const NO_DPOP: &str = "the session is bound to a key (`Login::jkt`), and nothing checks proofs: set \
                       `.dpop(…)`";
const NO_MUTUAL_TLS: &str = "the session is bound to a certificate (`Login::x5t_s256`), and nothing \
                             checks certificates: set `.mutual_tls(…)`";
const MUST_HAVE_KEY: &str = "every token must be bound to a key (`DPoP::required`): use \
                             `open_for_request`, or `Login::jkt`";
const MUST_HAVE_CERTIFICATE: &str = "every token must be bound to a certificate \
                                     (`MutualTls::required`): use `open_for_request`, or \
                                     `Login::x5t_s256`";
const FROM_BEFORE: &str = "every token must be bound (`required()`), and the session is not: the user \
                           must log in again";
const COOKIES_WITHOUT_KEY: &str = "the tokens would be in cookies, which are not bound to a key, and every token must be \
     (`DPoP::required`): a client that is not a browser sends a proof, and `Accept: application/json`; \
     for browsers, set `.dpop_in_browsers()`, or make proofs optional";
const COOKIES_WITHOUT_CERTIFICATE: &str = "the tokens would be in cookies, which are not bound to a certificate, and every token must be \
     (`MutualTls::required`): a client that is not a browser sends `Accept: application/json`; for \
     browsers, make certificates optional";
