//! The event of a refusal shows expected and seen values.

use super::pipeline::Checks;
use crate::{
    claims::{RawClaims, RegisteredClaims, Times},
    error::{Detail, Error, ErrorKind, list},
    observe,
    rules::Types,
    shown::shown,
    token::Header,
};

impl Checks {
    /// Adds what the claims are, and what they should be.
    #[cold]
    pub(super) fn explain_claims(&self, error: Error, raw: &RawClaims<'_>, now: i64) -> Error {
        if !observe::tells_refusals() {
            return error;
        }
        let mut detail = self.explain_times(error.kind(), raw.times, now);
        match error.kind() {
            ErrorKind::Issuer => detail.seen = raw.iss.as_deref().map(|iss| shown(iss).into()),
            ErrorKind::Audience => {
                detail.expected = self.rules.audiences.as_deref().map(|names| list(texts(names)));
                detail.seen = raw.aud.as_ref().map(|aud| list(aud.iter()));
            }
            _ => {}
        }
        if self.log.subject {
            detail.subject = raw.sub.as_deref().map(|subject| shown(subject).into());
        }
        error.with_detail(detail)
    }

    /// Says how far the time of a token is from now, and which issuers are trusted.
    #[cold]
    pub(super) fn explain_times(&self, kind: &ErrorKind, times: Times, now: i64) -> Detail {
        let issuers = self.issuers();
        let age =
            |age: i64| times.iat.map(|iat| now.saturating_sub(iat.floor().saturating_add(age)));
        let to_come = |time: i64| time.saturating_sub(now);
        Detail {
            late_by: match kind {
                ErrorKind::Expired => times.exp.map(|exp| now.saturating_sub(exp.floor())),
                ErrorKind::TooOld => self.rules.max_age.and_then(age),
                _ => None,
            },
            early_by: match kind {
                ErrorKind::NotYetValid => times.nbf.map(|nbf| to_come(nbf.ceil())),
                ErrorKind::IssuedInFuture => times.iat.map(|iat| to_come(iat.ceil())),
                _ => None,
            },
            expected: issuers.clone().filter(|_| *kind == ErrorKind::Issuer),
            issuer: issuers,
            ..Detail::default()
        }
    }

    /// Adds the issuer that the key is bound to, and that of the token.
    #[cold]
    pub(super) fn explain_bound(&self, error: Error, raw: &RawClaims<'_>, bound: &str) -> Error {
        if !observe::tells_refusals() {
            return error;
        }
        error.with_detail(Detail {
            issuer: Some(shown(bound).into()),
            expected: Some(shown(bound).into()),
            seen: raw.iss.as_deref().map(|iss| shown(iss).into()),
            ..Detail::default()
        })
    }

    /// Adds what is told of a token that was verified.
    #[cold]
    pub(super) fn explain_verified(&self, error: Error, claims: &RegisteredClaims) -> Error {
        if !observe::tells_refusals() {
            return error;
        }
        let mut detail = self.explain_times(error.kind(), claims.times(), self.now());
        if let Some(of_proof) = error.detail() {
            (detail.expected, detail.seen) = (of_proof.expected.clone(), of_proof.seen.clone());
            (detail.late_by, detail.early_by) = (of_proof.late_by, of_proof.early_by);
        }
        if self.log.subject {
            detail.subject = claims.subject().map(|subject| shown(subject).into());
        }
        error.with_detail(detail)
    }

    /// Adds which issuers are trusted, and if the option is on, the issuer of a token that was not
    /// verified.
    #[cold]
    pub(super) fn explain_unverified_issuer(&self, error: Error, issuer: &str) -> Error {
        if !observe::tells_refusals() {
            return error;
        }
        let issuers = self.issuers();
        error.with_detail(Detail {
            issuer: issuers.clone(),
            expected: issuers,
            seen: self.log.unverified.then(|| shown(issuer).into()),
            ..Detail::default()
        })
    }

    /// Adds what the client is, and what it should be.
    #[cold]
    pub(super) fn explain_client(
        &self,
        error: Error,
        claims: &RegisteredClaims,
        client: Option<&str>,
    ) -> Error {
        if !observe::tells_refusals() {
            return error;
        }
        let subject = self.log.subject.then(|| claims.subject()).flatten();
        error.with_detail(Detail {
            issuer: self.issuers(),
            expected: Some(list(self.clients.iter().map(String::as_str))),
            seen: client.map(|client| shown(client).into()),
            subject: subject.map(|subject| shown(subject).into()),
            ..Detail::default()
        })
    }

    /// Adds what a header should have, and if the option is on, what it has: it was not verified.
    #[cold]
    pub(super) fn explain_header(&self, error: Error, header: &Header<'_>) -> Error {
        if !observe::tells_refusals() {
            return error;
        }
        let (expected, seen) = match error.kind() {
            ErrorKind::AlgorithmNotAllowed => {
                (Some(self.algorithm_names()), Some(header.algorithm().name()))
            }
            ErrorKind::TokenType => (Some(self.types()), header.typ()),
            ErrorKind::UnknownKey | ErrorKind::Signature => (None, header.kid()),
            _ => (None, None),
        };
        error.with_detail(Detail {
            issuer: self.issuers(),
            expected,
            seen: seen.filter(|_| self.log.unverified).map(|seen| shown(seen).into()),
            ..Detail::default()
        })
    }

    /// Adds the issuers whose rules were asked.
    #[cold]
    pub(super) fn explain_issuer(&self, error: Error) -> Error {
        if !observe::tells_refusals() {
            return error;
        }
        error.with_detail(Detail { issuer: self.issuers(), ..Detail::default() })
    }

    /// The trusted issuers, if they are limited.
    fn issuers(&self) -> Option<Box<str>> {
        self.rules.issuers.as_deref().map(|names| list(texts(names)))
    }

    fn algorithm_names(&self) -> Box<str> {
        list(self.algorithms.iter().map(|algorithm| algorithm.name()))
    }

    fn types(&self) -> Box<str> {
        match &self.rules.types {
            Types::Usual => "none, JWT, at+jwt".into(),
            Types::Only(types) => list(types.iter().map(|typ| &**typ)),
        }
    }

    /// An error of a token that nobody has verified, without its values unless they are asked
    /// for.
    #[cold]
    pub(super) fn unverified(&self, error: Error) -> Error {
        let error = if self.log.unverified { error } else { error.without_values() };
        let is_explained = error.detail().is_some_and(|detail| detail.issuer.is_some());
        if is_explained || !observe::tells_refusals() {
            return error;
        }
        let is_of_algorithm = *error.kind() == ErrorKind::AlgorithmNotAllowed;
        let seen = error.detail().and_then(|detail| detail.seen.clone());
        error.with_detail(Detail {
            issuer: self.issuers(),
            expected: is_of_algorithm.then(|| self.algorithm_names()),
            seen,
            ..Detail::default()
        })
    }
}

fn texts<T: AsRef<str>>(texts: &[T]) -> impl Iterator<Item = &str> {
    texts.iter().map(AsRef::as_ref)
}
