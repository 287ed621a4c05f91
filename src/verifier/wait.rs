//! A token whose key is not known: whether one may come, and the wait for it.

use std::time::Duration;

use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::{
    Claims, Config, Verifier,
    pipeline::{self, Failure},
};
use crate::{
    error::{Error, ErrorKind},
    keys::{Asked, Deadline, Places, Waiting},
    step::Step,
};

/// What is looked for.
pub(super) struct Look {
    /// The answer if nothing is found.
    pub(super) error: Error,
    /// The sources that may have it.
    pub(super) places: Places,
    /// Until when somebody waits for it who has looked before.
    pub(super) waited: Option<Deadline>,
}

impl<C: DeserializeOwned + Send + Sync + 'static> Verifier<C> {
    /// Looks for the key of a token that is in order as far as can be known without
    /// it; others are refused for what is wrong with them.
    #[cold]
    pub(super) fn look_for_keys(
        &self,
        config: &Config<C>,
        token: &str,
        look: Look,
    ) -> Step<Result<Claims<C>, Error>> {
        let issuer = match pipeline::plausible(config, token) {
            Ok(issuer) => issuer,
            Err(error) => return Step::Ready(Err(error)),
        };
        let (mut waits, mut unavailable) = (Vec::new(), None);
        for asked in config.keys.ask(look.places, issuer.as_deref(), look.waited) {
            match asked {
                Asked::Wait(waiting) => waits.push(waiting),
                Asked::Unknown => {}
                Asked::Unavailable { retry_after } => unavailable = Some(retry_after),
            }
        }
        if waits.is_empty() {
            return Step::Ready(Err(verdict(look.error, unavailable)));
        }
        let (verifier, token) = (self.clone(), Zeroizing::new(token.to_owned()));
        Step::pending(async move { verifier.wait(waits, &token, look.waited, unavailable).await })
    }

    /// Waits for the fetches, one after the other, and looks again after each.
    async fn wait(
        &self,
        waits: Vec<Waiting>,
        token: &str,
        waited: Option<Deadline>,
        mut unavailable: Option<Duration>,
    ) -> Result<Claims<C>, Error> {
        let deadline = waits.first().map(Waiting::deadline);
        let shared = waits.iter().any(Waiting::is_shared);
        let Some(config) = self.config() else { return Err(ErrorKind::UnknownKey.into()) };
        let mut last = None;
        for waiting in waits {
            match waiting.done().await {
                Ok(()) => {}
                Err(retry_after) => unavailable = Some(retry_after),
            }
            match pipeline::verify(config, token) {
                Ok((claims, _)) => return self.finish(config, claims).await,
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Undecided(error, places)) => last = Some((error, places)),
            }
        }
        match (last, unavailable) {
            // The fetch may have begun before the key was there: once more, if the
            // cool-down allows it, and no longer than before.
            (Some((error, places)), None) if shared && waited.is_none() => {
                self.look_for_keys(config, token, Look { error, places, waited: deadline }).await
            }
            (last, unavailable) => {
                let error = last.map(|(error, _)| error);
                Err(verdict(error.unwrap_or_else(|| ErrorKind::UnknownKey.into()), unavailable))
            }
        }
    }
}

/// Where some source cannot be asked, nobody knows.
#[cold]
fn verdict(error: Error, unavailable: Option<Duration>) -> Error {
    match unavailable {
        Some(retry_after) => ErrorKind::KeysUnavailable { retry_after }.into(),
        None => error,
    }
}
