//! The last questions, which may have to wait: is the token revoked, and what do the
//! application's rules say?

use super::{Claims, Config, Verifier, claims::Held};
use crate::{
    error::{Error, ErrorKind},
    revocation::NotRevoked,
    step::Step,
};

impl<C: Send + Sync + 'static> Verifier<C> {
    /// Asks the denylist, then the application's rules.
    #[inline]
    pub(super) fn finish(
        &self,
        config: &Config<C>,
        claims: Held<C>,
    ) -> Step<Result<Claims<C>, Error>> {
        match config.revocations.check(claims.registered()) {
            Step::Ready(Ok(not_revoked)) => config.ask_rules(claims.release(not_revoked)),
            Step::Ready(Err(error)) => Step::Ready(Err(error)),
            answer @ Step::Pending(_) => self.finish_later(claims, answer),
        }
    }

    #[cold]
    fn finish_later(
        &self,
        claims: Held<C>,
        answer: Step<Result<NotRevoked, Error>>,
    ) -> Step<Result<Claims<C>, Error>> {
        let verifier = self.clone();
        Step::pending(async move {
            let claims = claims.release(answer.await?);
            // Of a verifier of several issuers, each is asked by itself.
            let Some(config) = verifier.config() else { return Err(ErrorKind::Failed.into()) };
            config.ask_rules(claims).await
        })
    }
}

impl<C: Send + Sync + 'static> Config<C> {
    #[inline]
    fn ask_rules(&self, claims: Claims<C>) -> Step<Result<Claims<C>, Error>> {
        match self.user_rules.check(&claims) {
            Ok(()) => self.user_rules.ask(claims),
            Err(error) => Step::Ready(Err(error)),
        }
    }
}
