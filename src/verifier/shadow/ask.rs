//! Asks the shadow rules about a token.

use std::{fmt, sync::Arc};

use super::{
    ShadowRule,
    verdict::{KeptVerdict, RuleSet, SeenHeader},
};
use crate::{
    alg::AlgorithmSet,
    claims::{RawClaims, Reading, RegisteredClaims, Times},
    clock::{Clock, unix_seconds},
    error::{Detail, list},
    maybe_ready::MaybeReady,
    observe::{self, Observed, Pace, ShadowOutcome, ShadowRefusal, ShadowReport},
    rules::{Rules, Types},
    shown::shown,
    token::{Compact, DecodeBuf, RequiredHeader},
    verifier::rule::AsyncRule,
};

/// The shadow rules of a verifier. Those that are not set accept everything.
#[derive(Debug)]
pub(in crate::verifier) struct Shadow {
    pub(super) rules: Rules,
    pub(super) algorithms: Option<AlgorithmSet>,
    pub(super) required_header: RequiredHeader,
    /// The clients whose tokens are accepted; all if it is empty.
    pub(super) clients: Box<[String]>,
    pub(super) refuse_confirmation: bool,
    pub(super) refuse_integer_subject: bool,
    /// The trusted issuers of the verifier, for events.
    pub(super) issuers: Option<Box<str>>,
    pub(super) asked: Box<[AskedRule]>,
    /// Whether one of them depends on the time.
    pub(super) asks_time: bool,
    pub(in crate::verifier) observed: Observed,
}

/// A rule that is set, and the events of its refusals.
pub(super) struct AskedRule {
    rule: ShadowRule,
    pace: Pace,
}

impl fmt::Debug for AskedRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.rule, f)
    }
}

impl From<ShadowRule> for AskedRule {
    fn from(rule: ShadowRule) -> Self {
        Self { rule, pace: Pace::default() }
    }
}

impl Shadow {
    /// The verdict on a token that was verified, as far as it does not depend on the time.
    #[cold]
    pub(in crate::verifier) fn judge(
        &self,
        token: Compact<'_>,
        claims: &RegisteredClaims,
    ) -> KeptVerdict {
        let mut refused = RuleSet::default();
        let seen = self.judge_header(token, &mut refused);
        self.with_raw(claims, |raw, is_integer| {
            refused
                .insert_if(is_integer && self.refuse_integer_subject, ShadowRule::MalformedClaims);
            refused.insert_if(
                self.rules.issuers.is_some() && self.rules.check_issuer(raw).is_err(),
                ShadowRule::Issuer,
            );
            refused.insert_if(self.rules.check_audience(raw).is_err(), ShadowRule::Audience);
            refused.insert_if(self.rules.missing(raw).next().is_some(), ShadowRule::MissingClaim);
            refused.insert_if(raw.events && !self.rules.events, ShadowRule::SecurityEvent);
            refused.insert_if(
                !raw.cnf.is_absent() && self.refuse_confirmation,
                ShadowRule::SenderConstrained,
            );
        });
        let is_client = |client| self.clients.contains(&client);
        refused.insert_if(
            !self.clients.is_empty() && !claims.client().is_some_and(is_client),
            ShadowRule::Client,
        );
        KeptVerdict::new(refused, seen)
    }

    /// Also gives the values of the header that events of refusals have.
    fn judge_header(&self, token: Compact<'_>, refused: &mut RuleSet) -> Option<Box<SeenHeader>> {
        let mut seen = None;
        let mut buf = DecodeBuf::new();
        // A token with a malformed header was refused.
        if let Ok(header) = token.header(&mut buf) {
            let is_refused = |all: AlgorithmSet| !all.contains(header.algorithm());
            refused.insert_if(self.algorithms.is_some_and(is_refused), ShadowRule::Algorithm);
            let is_typed = self.rules.types != Types::Usual;
            refused.insert_if(
                is_typed && self.rules.check_type(header.typ()).is_err(),
                ShadowRule::TokenType,
            );
            if refused.contains(ShadowRule::Algorithm) || refused.contains(ShadowRule::TokenType) {
                let (algorithm, typ) = (header.algorithm(), header.typ());
                seen =
                    Some(Box::new(SeenHeader { algorithm, typ: typ.map(|typ| shown(typ).into()) }));
            }
        }
        refused.insert_if(self.required_header.check(token).is_err(), ShadowRule::HeaderParameter);
        seen
    }

    /// Reads the payload again, and says whether its subject is a number.
    fn with_raw(&self, claims: &RegisteredClaims, then: impl FnOnce(&RawClaims<'_>, bool)) {
        let mut is_integer = false;
        for integer_subject in [false, true] {
            let mut raw = RawClaims::default();
            let reading = Reading { integer_subject, ..self.rules.reading() };
            // A payload that is malformed otherwise was refused.
            if raw.read(claims.payload(), reading).is_ok() {
                return then(&raw, is_integer);
            }
            is_integer = true;
        }
    }

    /// The rules that refuse a token at this time, of those that depend on it.
    fn judge_times(&self, times: Times, now: i64) -> RuleSet {
        let (rules, mut refused) = (&self.rules, RuleSet::default());
        refused
            .insert_if(times.exp.is_some_and(|exp| rules.is_past(exp, now)), ShadowRule::Expired);
        refused.insert_if(
            times.nbf.is_some_and(|nbf| rules.is_early(nbf, now)),
            ShadowRule::NotYetValid,
        );
        refused.insert_if(
            times.iat.is_some_and(|iat| rules.is_early(iat, now)),
            ShadowRule::IssuedInFuture,
        );
        let without_age = rules.max_age.is_some() && times.iat.is_none();
        refused.insert_if(without_age || rules.is_too_old(times, now), ShadowRule::TooOld);
        refused
    }

    /// The shadow rules as the last rule of a verifier: it lets every token pass.
    pub(in crate::verifier) fn into_rule<C>(self: Arc<Self>) -> Arc<AsyncRule<C>> {
        Arc::new(move |claims, clock| {
            self.ask(claims.registered(), claims.kept_verdict(), clock);
            MaybeReady::Ready(Ok(()))
        })
    }

    /// Asks about a token that passes, and reports the answers.
    fn ask(&self, claims: &RegisteredClaims, kept: &KeptVerdict, clock: &dyn Clock) {
        let mut now = None;
        let mut times = RuleSet::default();
        if self.asks_time {
            let time = unix_seconds(clock.now());
            (now, times) = (Some(time), self.judge_times(claims.times(), time));
        }
        let refused = kept.with_times(times);
        for AskedRule { rule, pace } in &self.asked {
            let outcome = match refused.contains(*rule) {
                true => ShadowOutcome::Refused,
                false => ShadowOutcome::Accepted,
            };
            let report = ShadowReport::new(*rule, outcome);
            self.observed.tell("", |observer, _| observer.shadow(&report));
            if outcome == ShadowOutcome::Refused {
                observe::shadow_refused(*rule, pace, || {
                    self.explain(*rule, claims, kept.seen(), now)
                });
            }
        }
    }

    /// The values in the event of a refusal. The claims are those of a verified token.
    #[cold]
    fn explain(
        &self,
        rule: ShadowRule,
        claims: &RegisteredClaims,
        header: Option<&SeenHeader>,
        now: Option<i64>,
    ) -> ShadowRefusal {
        let mut detail = Detail { issuer: self.issuers.clone(), ..Detail::default() };
        let (times, now) = (claims.times(), now.unwrap_or_default());
        match rule {
            ShadowRule::Algorithm => {
                let names = self.algorithms.iter().flat_map(|all| all.iter());
                detail.expected = Some(list(names.map(|algorithm| algorithm.name())));
                detail.seen = header.map(|header| header.algorithm.name().into());
            }
            ShadowRule::TokenType => {
                if let Types::Only(types) = &self.rules.types {
                    detail.expected = Some(list(types.iter().map(|typ| &**typ)));
                }
                // Without a `typ`, nothing was seen.
                detail.seen = header.and_then(|header| header.typ.clone());
            }
            ShadowRule::HeaderParameter => {
                detail.expected = Some(list(self.required_header.iter().map(|(name, _)| name)));
            }
            ShadowRule::Issuer => {
                let issuers = self.rules.issuers.as_deref().unwrap_or_default();
                detail.expected = Some(list(issuers.iter().map(|one| &**one)));
                detail.seen = claims.issuer().map(|issuer| shown(issuer).into());
            }
            ShadowRule::Audience => {
                let audiences = self.rules.audiences.as_deref().unwrap_or_default();
                detail.expected = Some(list(audiences.iter().map(|one| &**one)));
                detail.seen = Some(list(claims.audience().iter()));
            }
            ShadowRule::Client => {
                detail.expected = Some(list(self.clients.iter().map(String::as_str)));
            }
            ShadowRule::MissingClaim => {
                self.with_raw(claims, |raw, _| {
                    detail.expected = Some(list(self.rules.missing(raw)));
                });
            }
            ShadowRule::Expired => {
                detail.late_by = times.exp.map(|exp| now.saturating_sub(exp.floor()));
            }
            ShadowRule::TooOld => {
                let max_age = self.rules.max_age.unwrap_or_default();
                let end = |iat: i64| iat.saturating_add(max_age);
                detail.late_by = times.iat.map(|iat| now.saturating_sub(end(iat.floor())));
            }
            ShadowRule::NotYetValid => {
                detail.early_by = times.nbf.map(|nbf| nbf.ceil().saturating_sub(now));
            }
            ShadowRule::IssuedInFuture => {
                detail.early_by = times.iat.map(|iat| iat.ceil().saturating_sub(now));
            }
            ShadowRule::SecurityEvent
            | ShadowRule::SenderConstrained
            | ShadowRule::MalformedClaims => {}
        }
        let client = claims.client().map(|client| shown(&client).into());
        ShadowRefusal { detail, client }
    }
}
