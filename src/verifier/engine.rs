//! Verifies the tokens of one issuer, or of several that share keys and rules.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::{
    binding::{Binding, Bindings, Presented},
    cache::{CachedToken, EngineId},
    claims::{Claims, UnreleasedClaims},
    pipeline::{self, AttemptError, Checks},
    rule::UserRules,
};
use crate::{
    error::{Error, ErrorKind},
    keys::{AskedSource, Generation, KeySources, StillTrusted, is_id},
    maybe_ready::MaybeReady,
    observe::Observers,
    revocation::Revocations,
    token::{Compact, DecodeBuf},
};

/// Keys, rules, and who else is asked.
pub(super) struct Engine<C> {
    pub(super) id: EngineId,
    pub(super) keys: KeySources,
    pub(super) checks: Checks,
    pub(super) user_rules: UserRules<C>,
    pub(super) revocations: Revocations,
    pub(super) max_token_len: usize,
    /// Whether the parts of a token may be padded.
    pub(super) any_padding: bool,
    /// Whether its tokens may be kept.
    pub(super) is_cached: bool,
}

/// Why a token does not pass.
pub(super) enum Failure {
    /// And never will.
    Final(Error),
    /// As far as the keys that are there can tell: others may come.
    KeyMissing(MissingKey),
}

/// A key that is not known.
pub(super) struct MissingKey {
    /// The error if it is not found.
    pub(super) error: Error,
    /// The sources that may have it.
    pub(super) may_have_it: Vec<AskedSource>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

impl<C: DeserializeOwned + 'static> Engine<C> {
    /// Verifies a token up to what may have to be waited for; also says which keys vouch for it.
    #[inline]
    pub(super) fn verify(&self, token: &str) -> Result<(UnreleasedClaims<C>, Generation), Failure> {
        let token = self.parse(token)?;
        let issuer = match self.keys.are_by_issuer() {
            true => Some(pipeline::unverified_issuer(token)?),
            false => None,
        };
        if let Some(issuer) = issuer.as_deref()
            && !self.checks.rules.trusts(issuer)
        {
            let error = Error::new(ErrorKind::Issuer);
            return Err(Failure::Final(self.checks.explain_unverified_issuer(error, issuer)));
        }
        let mut refusal = None;
        let mut may_have_it = Vec::new();
        for source in self.keys.of(issuer.as_deref()) {
            let loaded = source.load();
            let Some(trusted) = loaded.trusted() else {
                #[cfg(feature = "remote")]
                may_have_it.extend(source.remote().map(AskedSource::Remote));
                continue;
            };
            match pipeline::attempt(&self.checks, token, trusted) {
                Ok(claims) => {
                    loaded.note_expiry(token, claims.registered().expires_at());
                    return Ok((claims, trusted.generation()));
                }
                Err(AttemptError::Token(error)) => return Err(Failure::Final(error)),
                Err(AttemptError::BoundToAnother(error)) => refusal = Some(error),
                Err(AttemptError::Keys(miss)) => {
                    #[cfg(feature = "remote")]
                    if miss.may_be_published {
                        may_have_it.extend(source.remote().map(AskedSource::Remote));
                    }
                    refusal.get_or_insert(miss.error);
                }
            }
        }
        if !self.keys.by_id().is_empty()
            && let Some(verified) = self.verify_by_id(token, &mut refusal, &mut may_have_it)?
        {
            return Ok(verified);
        }
        let error = refusal.unwrap_or_else(|| Error::new(ErrorKind::UnknownKey));
        if !may_have_it.is_empty() {
            return Err(Failure::KeyMissing(MissingKey { error, may_have_it }));
        }
        Err(Failure::Final(error))
    }

    /// Verifies a token with the keys that are looked up by their ids: with the one that it names.
    #[inline(never)]
    fn verify_by_id(
        &self,
        token: Compact<'_>,
        refusal: &mut Option<Error>,
        may_have_it: &mut Vec<AskedSource>,
    ) -> Result<Option<(UnreleasedClaims<C>, Generation)>, Error> {
        let mut buf = DecodeBuf::new();
        let header = token.header(&mut buf).map_err(|error| self.checks.unverified(error))?;
        let Some(id) = header.kid().filter(|id| is_id(id)) else { return Ok(None) };
        for source in self.keys.by_id() {
            let Some(key) = source.find(id) else {
                may_have_it.push(AskedSource::ById(source.clone()));
                continue;
            };
            match pipeline::attempt(&self.checks, token, key.trusted()) {
                Ok(claims) => {
                    source.note_verified(&key);
                    return Ok(Some((claims, key.trusted().generation())));
                }
                Err(AttemptError::Token(error)) => return Err(error),
                Err(AttemptError::BoundToAnother(error)) => *refusal = Some(error),
                Err(AttemptError::Keys(miss)) => {
                    refusal.get_or_insert(miss.error);
                }
            }
        }
        Ok(None)
    }
}

impl<C> Engine<C> {
    /// Cuts a token into its parts.
    #[inline]
    pub(super) fn parse<'t>(&self, token: &'t str) -> Result<Compact<'t>, Error> {
        let token = Compact::parse(token, self.max_token_len)?;
        if self.any_padding { token.without_padding() } else { Ok(token) }
    }

    /// The trusted issuers; `None` if every issuer is trusted.
    pub(super) fn issuers(&self) -> Option<&[Arc<str>]> {
        self.checks.rules.issuers.as_deref()
    }

    /// Has the keys and the denylist tell these observers, under the name of this issuer if it must
    /// not be their own.
    pub(super) fn observe(&self, observers: &Observers, issuer: Option<&str>) {
        if !observers.is_empty() {
            self.keys.observe(observers, issuer);
            self.revocations.observe(observers);
            self.checks.origin.observe(observers, issuer);
            if let Some(shadow) = &self.checks.shadow {
                shadow.observed.set(observers, issuer);
            }
        }
    }

    /// The trusted issuer of this name, as the engine keeps it.
    pub(super) fn named(&self, issuer: &str) -> Option<&Arc<str>> {
        self.issuers()?.iter().find(|own| ***own == *issuer)
    }
}

impl<C: Send + Sync + 'static> Engine<C> {
    /// The answer to a token that was verified before; none if its keys are not trusted any
    /// more, or are stale and may be back in a moment.
    #[inline]
    pub(super) fn verify_cached(
        self: &Arc<Self>,
        cached: &CachedToken<C>,
        presented: Presented<'_>,
    ) -> Option<MaybeReady<Result<Claims<C>, Error>>> {
        let registered = cached.registered();
        let trusted = self.still_trusts(cached)?;
        Some(match self.checks.rules.check_again(registered, self.checks.now()) {
            Ok(within) => self.finish(cached.claims().revalidate(trusted, within), presented),
            Err(error) => MaybeReady::Ready(Err(self.checks.explain_verified(error, registered))),
        })
    }

    /// Whether a cached token will not pass any more.
    pub(super) fn is_over(&self, cached: &CachedToken<C>) -> bool {
        let (registered, now) = (cached.registered(), self.checks.now());
        self.checks.rules.is_over(registered, now) || self.still_trusts(cached).is_none()
    }

    /// Whether the keys that vouched for a token may still be used.
    #[inline]
    fn still_trusts(&self, cached: &CachedToken<C>) -> Option<StillTrusted> {
        // Nobody else asks for the issuer, which takes a while to find.
        let issuer = match self.keys.are_by_issuer() {
            true => cached.registered().issuer(),
            false => None,
        };
        self.keys.still_trust(issuer, cached.generation())
    }

    /// The last questions, which may have to wait: is the token that of the sender, is it revoked, and
    /// what do the application's rules say?
    #[inline]
    pub(super) fn finish(
        self: &Arc<Self>,
        claims: UnreleasedClaims<C>,
        presented: Presented<'_>,
    ) -> MaybeReady<Result<Claims<C>, Error>> {
        match Bindings::of_bearer(claims.registered().confirmation(), presented) {
            Some(binding) => self.ask_denylist(claims, binding),
            None => self.check_proof(claims, presented),
        }
    }

    #[cold]
    fn check_proof(
        self: &Arc<Self>,
        claims: UnreleasedClaims<C>,
        presented: Presented<'_>,
    ) -> MaybeReady<Result<Claims<C>, Error>> {
        let (bindings, now) = (&self.checks.bindings, self.checks.now());
        let proven = bindings.prove(claims.registered().confirmation(), presented, now);
        let unspent = match proven {
            Ok(unspent) => unspent,
            Err(error) => {
                let error = self.checks.explain_verified(error, claims.registered());
                return MaybeReady::Ready(Err(error));
            }
        };
        let answer = self.revocations.check(claims.registered());
        self.after(answer, claims, |engine, claims, not_revoked| {
            engine.after(unspent.spend(), claims, |engine, claims, binding| {
                engine.ask_rules(claims.into_claims(binding, not_revoked))
            })
        })
    }

    #[inline]
    fn ask_denylist(
        self: &Arc<Self>,
        claims: UnreleasedClaims<C>,
        binding: Binding,
    ) -> MaybeReady<Result<Claims<C>, Error>> {
        match self.revocations.check(claims.registered()) {
            MaybeReady::Ready(Ok(not_revoked)) => {
                self.ask_rules(claims.into_claims(binding, not_revoked))
            }
            answer => self.after(answer, claims, |engine, claims, not_revoked| {
                engine.ask_rules(claims.into_claims(binding, not_revoked))
            }),
        }
    }

    /// Goes on when somebody has answered, which is at once if the answer is ready. The claims move for
    /// it, so a bearer token whose denylist has answered does without.
    #[cold]
    fn after<T: 'static>(
        self: &Arc<Self>,
        answer: MaybeReady<Result<T, Error>>,
        claims: UnreleasedClaims<C>,
        next: impl FnOnce(&Arc<Self>, UnreleasedClaims<C>, T) -> MaybeReady<Result<Claims<C>, Error>>
        + Send
        + 'static,
    ) -> MaybeReady<Result<Claims<C>, Error>> {
        match answer {
            MaybeReady::Ready(Ok(evidence)) => next(self, claims, evidence),
            MaybeReady::Ready(Err(error)) => {
                MaybeReady::Ready(Err(self.checks.explain_verified(error, claims.registered())))
            }
            MaybeReady::Pending(answer) => {
                let engine = Arc::clone(self);
                MaybeReady::pending(async move {
                    let answer = answer.await;
                    let evidence = answer.map_err(|error| {
                        engine.checks.explain_verified(error, claims.registered())
                    })?;
                    next(&engine, claims, evidence).await
                })
            }
        }
    }

    #[inline]
    fn ask_rules(self: &Arc<Self>, claims: Claims<C>) -> MaybeReady<Result<Claims<C>, Error>> {
        match self.user_rules.check(&claims) {
            Ok(()) if self.user_rules.later().is_empty() => MaybeReady::Ready(Ok(claims)),
            Ok(()) => self.ask_later_rules(claims),
            Err(error) => {
                MaybeReady::Ready(Err(self.checks.explain_verified(error, claims.registered())))
            }
        }
    }

    /// Asks the rules that may wait, one after the other. The answer is ready if theirs are.
    #[inline(never)]
    fn ask_later_rules(
        self: &Arc<Self>,
        claims: Claims<C>,
    ) -> MaybeReady<Result<Claims<C>, Error>> {
        for (place, rule) in self.user_rules.later().iter().enumerate() {
            match rule(&claims, &*self.checks.clock) {
                MaybeReady::Ready(Ok(())) => {}
                MaybeReady::Ready(Err(error)) => {
                    let error = self.checks.explain_verified(error, claims.registered());
                    return MaybeReady::Ready(Err(error));
                }
                MaybeReady::Pending(verdict) => {
                    let engine = Arc::clone(self);
                    return MaybeReady::pending(async move {
                        let explain =
                            |error| engine.checks.explain_verified(error, claims.registered());
                        verdict.await.map_err(explain)?;
                        for rule in engine.user_rules.later().iter().skip(place).skip(1) {
                            rule(&claims, &*engine.checks.clock).await.map_err(explain)?;
                        }
                        Ok(claims)
                    });
                }
            }
        }
        MaybeReady::Ready(Ok(claims))
    }
}
