//! Why no attack was sent: a valid request that the service refuses.

use http::{Method, Response, StatusCode};

use super::options::Options;
use crate::{
    error::{ErrorKind, ProofFault},
    testing::{assertions, grpc_status::grpc_code},
};

/// A valid request, and the service that must accept it.
pub(super) struct Valid<'r> {
    pub(super) options: &'r Options,
    pub(super) method: &'r Method,
    pub(super) path: &'r str,
    /// The cookie, if the token is in it.
    pub(super) cookie: Option<&'r str>,
}

impl Valid<'_> {
    /// Why the answer is no acceptance, and what to write. `None` if it is one.
    pub(super) fn fault<R>(&self, answer: &Result<Response<R>, String>) -> Option<String> {
        let (method, path) = (self.method, self.path);
        let place = match self.cookie {
            Some(name) => format!(" in the cookie `{name}`, from a page of the same origin,"),
            None => String::new(),
        };
        let response = match answer {
            Ok(response) => response,
            Err(error) => {
                return Some(format!(
                    "a valid token{place} made the service fail for `{method} {path}`: {error}"
                ));
            }
        };
        if self.options.is_accepted(response) {
            return None;
        }
        let error = response.extensions().get::<crate::error::Error>();
        let status = response.status();
        let advice = match error {
            Some(error) => self.advice_for(error.kind()),
            None => self.advice_for_status(status),
        };
        let grpc = grpc_code(response).map(|code| format!(" with `grpc-status: {code}`"));
        let grpc = grpc.unwrap_or_default();
        let report = assertions::report(response);
        Some(format!(
            "a valid token{place} got {status}{grpc} for `{method} {path}`\n  instead: {advice}\n{}",
            report.trim_end()
        ))
    }

    /// The option to set after a refusal by this crate.
    fn advice_for(&self, kind: &ErrorKind) -> String {
        match kind.name() {
            "missing_layer" => {
                "put a `JwtAuthLayer` for this type of claims around the route".into()
            }
            "issuer"
            | "audience"
            | "unknown_key"
            | "signature"
            | "algorithm_not_allowed"
            | "keys_not_tried" => self.trust(),
            "expired" | "not_yet_valid" | "issued_in_future" | "too_old" => {
                "give the issuer and the service the same clock, with `TestIssuer::with_clock(…)` \
                 and `.clock(…)`"
                    .into()
            }
            "cross_site" => {
                "set the origin of the service with `.origin(…)`, as in its `public_origin` or \
                 `trusted_origin`"
                    .into()
            }
            "dpop_proof"
            | "dpop_scheme"
            | "dpop_nonce"
            | "not_sender_constrained"
            | "sender_constrained"
            | "certificate" => self.advice_for_proof(kind),
            "missing_token" if self.cookie.is_some() => {
                "name the cookie that the service reads with `.cookie(…)`".into()
            }
            "missing_token" if self.options.dpop.is_some() => Self::without_dpop(),
            "missing_token" => {
                "if the service reads the token only from a cookie, set `.cookie(…)` and \
                 `.without_authorization()`; if only from another place, move it there with \
                 `.requests(…)`"
                    .into()
            }
            "unavailable" | "keys_unavailable" | "key_pending" => {
                "have the stores and the keys of the service answer".into()
            }
            _ => "set the scopes and the claims that the route needs with `.token(…)`".into(),
        }
    }

    /// The option to set after a refusal of a proof, or of a token without one.
    fn advice_for_proof(&self, kind: &ErrorKind) -> String {
        let has_dpop = self.options.dpop.is_some();
        match kind {
            ErrorKind::DpopProof(ProofFault::Uri) => {
                "give `.dpop(…)` the URL at which clients reach the path `/` of the service, as its \
                 `public_url` has it; a layer within `Router::nest` needs `original_uri`"
                    .into()
            }
            ErrorKind::DpopProof(ProofFault::Algorithm) => {
                "give `.proof_key(…)` a key for an algorithm that the service accepts".into()
            }
            ErrorKind::DpopProof(ProofFault::Time) => {
                "give the issuer and the service the same clock, with `TestIssuer::with_clock(…)` \
                 and `.clock(…)`"
                    .into()
            }
            ErrorKind::Certificate(_) => {
                "put the client certificate into each request with `.requests(…)`, as the server \
                 does"
                    .into()
            }
            ErrorKind::SenderConstrained if has_dpop => Self::without_dpop(),
            ErrorKind::NotSenderConstrained if has_dpop => {
                "bind the token to a certificate, too, with `TestToken::bound_to_certificate`, and put \
                 that into each request with `.requests(…)`"
                    .into()
            }
            ErrorKind::NotSenderConstrained => {
                "the service takes only bound tokens: set its public URL with `.dpop(…)`, or bind \
                 the token to a certificate with `TestToken::bound_to_certificate`"
                    .into()
            }
            ErrorKind::DpopScheme if !has_dpop => {
                "leave the binding of the token to the run: set the public URL of the service with \
                 `.dpop(…)`"
                    .into()
            }
            _ if has_dpop => "the service refuses a right proof: see the reason below".into(),
            _ => "set the public URL of the service with `.dpop(…)`, or leave `cnf` out of the token".into(),
        }
    }

    fn without_dpop() -> String {
        "the verifier of the service needs `.dpop(…)`; if it takes no proofs, leave `.dpop(…)` out of \
         the run"
            .into()
    }

    /// The option to set after an answer that is not of this crate.
    fn advice_for_status(&self, status: StatusCode) -> String {
        let of_method =
            if self.cookie.is_some() { "the method of `.cookie(…)`" } else { "`.method(…)`" };
        match status.as_u16() {
            404 => format!("give `run` a path of the service, `{}` has nothing there", self.path),
            405 => format!("set {of_method} to one of the route, `{}` is none", self.method),
            400 | 411 | 413 | 415 | 422 | 426 | 428 => {
                "send what the route takes: a body with `.json(…)` or `.content(…)`, or any request \
                 with `.requests(…)`"
                    .into()
            }
            401 | 403 => format!("the answer is not of this crate: {}", self.trust()),
            300..400 => {
                "a status of `.refusal(…)` must not be one that the route gives to a valid token; \
                 if it has refused the token, set what it needs with `.token(…)`"
                    .into()
            }
            500.. => "look for the fault of the handler in the log of the service".into(),
            _ => "send what the route accepts with `.token(…)`, `.method(…)` and `.requests(…)`".into(),
        }
    }

    fn trust(&self) -> String {
        format!(
            "the service must trust the keys of this `TestIssuer`, with the issuer {:?} and the \
             audience {:?}",
            self.options.issuer.issuer(),
            self.options.issuer.audience()
        )
    }
}
