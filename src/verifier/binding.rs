//! Whether the sender of a token has shown that it is theirs.

use http::Request;
use zeroize::Zeroizing;

use crate::{
    claims::{Confirmation, RawClaims, RawConfirmation},
    error::{ConfigError, Error, ErrorKind, ProofFault},
    maybe_ready::MaybeReady,
    proof::{DPoP, MutualTls, UnspentProof},
    request_head::RequestHead,
    source::{RawToken, TokenLocation},
};

/// The proofs that a verifier checks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proofs {
    pub(crate) dpop: Option<DPoP>,
    pub(crate) mutual_tls: Option<MutualTls>,
}

impl Proofs {
    pub(crate) fn are_none(&self) -> bool {
        self.dpop.is_none() && self.mutual_tls.is_none()
    }

    /// Whether a token with this confirmation can be accepted, given a proof.
    fn are_for(&self, confirmation: Option<&Confirmation>) -> Result<(), ErrorKind> {
        let has = |method: fn(&Confirmation) -> bool| confirmation.is_some_and(method);
        let (jkt, x5t) = (has(|it| it.jkt.is_some()), has(|it| it.x5t_s256.is_some()));
        if jkt && self.dpop.is_none() || x5t && self.mutual_tls.is_none() {
            return Err(ErrorKind::SenderConstrained);
        }
        let wants_jkt = self.dpop.as_ref().is_some_and(DPoP::is_required);
        let wants_x5t = self.mutual_tls.as_ref().is_some_and(MutualTls::is_required);
        if wants_jkt && !jkt || wants_x5t && !x5t {
            return Err(ErrorKind::NotSenderConstrained);
        }
        Ok(())
    }

    /// Checks the proofs of a bound token, up to the replay of a DPoP proof.
    #[cold]
    fn check(
        &self,
        confirmation: &Confirmation,
        presented: Presented<'_>,
        now: i64,
    ) -> Result<Unspent, Error> {
        let refused = |kind: ErrorKind| Err(Error::new(kind));
        // Without the request, nobody has shown anything.
        let Some(request) = presented.request else {
            return refused(ErrorKind::SenderConstrained);
        };
        if let Some(x5t) = &confirmation.x5t_s256 {
            let Some(mutual_tls) = &self.mutual_tls else {
                return refused(ErrorKind::SenderConstrained);
            };
            if let Err(fault) = mutual_tls.check(*request, x5t) {
                return refused(ErrorKind::Certificate(fault));
            }
        }
        match (&confirmation.jkt, presented.is_dpop()) {
            // The scheme says that there is a key, and the token names none.
            (None, true) => refused(ErrorKind::NotSenderConstrained),
            (None, false) => Ok(Unspent(None)),
            (Some(_), false) => refused(ErrorKind::DpopScheme),
            (Some(jkt), true) => {
                let Some(dpop) = &self.dpop else {
                    return refused(ErrorKind::SenderConstrained);
                };
                // A verified token is text.
                let Ok(token) = presented.token.text() else {
                    return refused(ErrorKind::DpopProof(ProofFault::AccessToken));
                };
                dpop.check(*request, token, jkt, now).map(|proof| Unspent(Some(proof)))
            }
        }
    }
}

/// The rule for tokens that are bound to their sender.
#[derive(Debug, Default)]
pub(crate) struct Bindings {
    /// Takes a bound token as if it were not.
    pub(crate) ignored: bool,
    proofs: Proofs,
}

/// Evidence that a token has no confirmation but one that can be checked. Only [`Bindings::check`]
/// makes it.
#[derive(Debug)]
pub(crate) struct Confirmable(());

/// Evidence that a token is not bound to a sender, or bound to this one. Only [`Bindings`] makes it,
/// for each request anew.
#[derive(Debug)]
pub(crate) struct Binding(());

/// The proofs of a request that have passed all checks but that of the replay. The denylist is asked
/// before a proof is spent: if it does not answer, the client may send the same proof again.
pub(super) struct Unspent(Option<UnspentProof>);

impl Unspent {
    /// Asks whether the DPoP proof was sent before, if there is one.
    pub(super) fn spend(self) -> MaybeReady<Result<Binding, Error>> {
        match self.0 {
            Some(proof) => proof.spend().map(|answer| answer.map(|_| Binding(()))),
            None => MaybeReady::Ready(Ok(Binding(()))),
        }
    }
}

impl Bindings {
    /// # Errors
    ///
    /// Proofs would be checked, and a setting says that they are ignored.
    pub(super) fn new(ignored: bool, proofs: Proofs) -> Result<Self, ConfigError> {
        if ignored && !proofs.are_none() {
            return Err(ConfigError::Conflict(
                "`.ignore_confirmation()` takes bound tokens without a proof, and `.dpop(…)` or \
                 `.mutual_tls(…)` checks it: leave one of them out",
            ));
        }
        Ok(Self { ignored, proofs })
    }

    /// The proofs that are checked.
    pub(super) fn proofs(&self) -> &Proofs {
        &self.proofs
    }

    /// Whether a verifier with them may be one of several issuers whose layers check these proofs. Each
    /// method of the verifier must be the very same: layers ask for it, and see the request only for it.
    pub(super) fn check_among(&self, all: &Proofs) -> Result<(), ConfigError> {
        let dpop = match (&self.proofs.dpop, &all.dpop) {
            (Some(own), Some(all)) => own.is(all),
            (Some(_), None) => false,
            (None, all) => !all.as_ref().is_some_and(DPoP::is_required),
        };
        let mutual_tls = match (&self.proofs.mutual_tls, &all.mutual_tls) {
            (Some(own), Some(all)) => own.is(all),
            (Some(_), None) => false,
            (None, all) => !all.as_ref().is_some_and(MutualTls::is_required),
        };
        let takes_all = self.ignored && !all.are_none();
        if dpop && mutual_tls && !takes_all {
            return Ok(());
        }
        Err(ConfigError::Conflict(
            "the proofs of a verifier among several issuers must be those of `Issuers::builder()`: \
             give `.dpop(dpop.clone())` and `.mutual_tls(mutual_tls.clone())` to both, and do not \
             ignore confirmations there",
        ))
    }

    /// A token with a confirmation of any other kind is refused, because nothing here can check it
    /// (RFC 9449 §7.1, RFC 8705 §3).
    #[inline]
    pub(super) fn check(&self, claims: &RawClaims<'_>) -> Result<Confirmable, Error> {
        if self.ignored {
            return Ok(Confirmable(()));
        }
        let confirmation = match &claims.cnf {
            RawConfirmation::Absent => None,
            RawConfirmation::Known(confirmation) => Some(confirmation),
            RawConfirmation::Other => return Err(Error::new(ErrorKind::SenderConstrained)),
        };
        self.proofs.are_for(confirmation)?;
        Ok(Confirmable(()))
    }

    /// The evidence for a token that is bound to nobody, and was not sent as if it were.
    #[inline]
    pub(super) fn of_bearer(
        confirmation: Option<&Confirmation>,
        presented: Presented<'_>,
    ) -> Option<Binding> {
        (confirmation.is_none() && !presented.is_dpop()).then_some(Binding(()))
    }

    /// Checks the proofs of a request, up to the replay.
    #[cold]
    pub(super) fn prove(
        &self,
        confirmation: Option<&Confirmation>,
        presented: Presented<'_>,
        now: i64,
    ) -> Result<Unspent, Error> {
        match confirmation {
            Some(confirmation) => self.proofs.check(confirmation, presented, now),
            // Nobody asks for the proof of such a token, if bindings are ignored.
            None if self.ignored => Ok(Unspent(None)),
            None => Err(Error::new(ErrorKind::NotSenderConstrained)),
        }
    }
}

/// A token as it was presented.
#[derive(Clone, Copy)]
pub(crate) struct Presented<'r> {
    token: &'r RawToken<'r>,
    /// The request, if it is known and proofs are checked. By reference, because a bearer token brings
    /// none along.
    request: Option<&'r RequestHead<'r>>,
}

impl<'r> Presented<'r> {
    #[inline]
    pub(crate) fn new(token: &'r RawToken<'r>, request: Option<&'r RequestHead<'r>>) -> Self {
        Self { token, request }
    }

    #[inline]
    fn is_dpop(&self) -> bool {
        self.token.location() == TokenLocation::DPoP
    }

    /// The same by value: a verification that waits outlives the request.
    #[cold]
    pub(super) fn by_value(self) -> OwnedPresented {
        let (token, location) = (self.token.as_bytes(), self.token.location());
        let request = self.request.map(|head| {
            let mut request = Request::new(());
            *request.method_mut() = head.method().clone();
            *request.uri_mut() = head.uri().clone();
            *request.version_mut() = head.version();
            *request.headers_mut() = head.headers().clone();
            *request.extensions_mut() = head.extensions().clone();
            request
        });
        OwnedPresented { token: Zeroizing::new(token.to_vec()), location, request }
    }
}

/// A token as it was presented, by value.
pub(super) struct OwnedPresented {
    token: Zeroizing<Vec<u8>>,
    location: TokenLocation,
    request: Option<Request<()>>,
}

impl OwnedPresented {
    /// Does this with the token as it was presented.
    pub(super) fn with<T>(&self, work: impl FnOnce(Presented<'_>) -> T) -> T {
        let request = self.request.as_ref().map(RequestHead::from);
        let token = RawToken::of_credentials(&self.token, self.location);
        work(Presented::new(&token, request.as_ref()))
    }
}
