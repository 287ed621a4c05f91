//! A token whose key is not known: whether one may come, and the wait for it.

use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::{
    Claims, Config, Verifier,
    pipeline::{self, Failure},
};
use crate::{
    error::{Error, ErrorKind},
    keys::{Asked, Deadline, Waiting},
    step::Step,
};

impl<C: DeserializeOwned + Send + Sync + 'static> Verifier<C> {
    /// Looks for the key of a token that is in order as far as can be known without
    /// it; others are refused for what is wrong with them. `error` is the answer if
    /// none is to be had.
    #[cold]
    pub(super) fn look_for_keys(
        &self,
        config: &Config<C>,
        token: &str,
        error: Error,
        deadline: Option<Deadline>,
    ) -> Step<Result<Claims<C>, Error>> {
        if config.keys.remote().is_empty() {
            return Step::Ready(Err(error));
        }
        let issuer = match pipeline::plausible(config, token) {
            Ok(issuer) => issuer,
            Err(error) => return Step::Ready(Err(error)),
        };
        let (mut waits, mut unavailable) = (Vec::new(), None);
        for asked in config.keys.ask(issuer.as_deref(), deadline) {
            match asked {
                Asked::Wait(waiting) => waits.push(waiting),
                Asked::Unknown => {}
                Asked::Unavailable { retry_after } => unavailable = Some(retry_after),
            }
        }
        if !waits.is_empty() {
            let (verifier, token) = (self.clone(), Zeroizing::new(token.to_owned()));
            return Step::pending(async move { verifier.wait(waits, &token, deadline).await });
        }
        Step::Ready(Err(match unavailable {
            Some(retry_after) => ErrorKind::KeysUnavailable { retry_after }.into(),
            None => error,
        }))
    }

    async fn wait(
        &self,
        waits: Vec<Waiting>,
        token: &str,
        waited: Option<Deadline>,
    ) -> Result<Claims<C>, Error> {
        let deadline = waits.first().map(Waiting::deadline);
        let mut unavailable = None;
        for waiting in waits {
            if let Err(retry_after) = waiting.done().await {
                unavailable = Some(retry_after);
            }
        }
        let Some(config) = self.config() else { return Err(ErrorKind::UnknownKey.into()) };
        match pipeline::verify(config, token) {
            Ok(claims) => config.user_rules.ask(claims).await,
            Err(Failure::Final(error)) => Err(error),
            Err(Failure::Undecided(error)) => match unavailable {
                Some(retry_after) => Err(ErrorKind::KeysUnavailable { retry_after }.into()),
                // The fetch may have begun before the key was there: once more, if
                // the cool-down allows it, and no longer than before.
                None if waited.is_none() => {
                    self.look_for_keys(config, token, error, deadline).await
                }
                None => Err(error),
            },
        }
    }
}
