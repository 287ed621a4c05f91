//! A token whose key is not known: whether one may come, and the wait for it.

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
        let (issuer, name) = match pipeline::plausible(config, token) {
            Ok(found) => found,
            Err(error) => return Step::Ready(Err(error)),
        };
        let (mut waits, mut unknown) = (Vec::new(), Unknown(look.error));
        for asked in config.keys.ask(look.places, issuer.as_deref(), &name, look.waited) {
            match asked {
                Asked::Wait(waiting) => waits.push(waiting),
                other => unknown.note(&other),
            }
        }
        if waits.is_empty() {
            return Step::Ready(Err(unknown.0));
        }
        let (verifier, token) = (self.clone(), Zeroizing::new(token.to_owned()));
        Step::pending(async move { verifier.wait(waits, &token, look.waited, unknown).await })
    }

    /// Waits for the fetches, one after the other, and looks again after each.
    async fn wait(
        &self,
        waits: Vec<Waiting>,
        token: &str,
        waited: Option<Deadline>,
        mut unknown: Unknown,
    ) -> Result<Claims<C>, Error> {
        let deadline = waits.first().map(Waiting::deadline);
        let shared = waits.iter().any(Waiting::is_shared);
        let Some(config) = self.config() else { return Err(ErrorKind::UnknownKey.into()) };
        let mut last = Places::default();
        let mut ended = Vec::new();
        for mut waiting in waits {
            let outcome = waiting.done().await;
            match pipeline::verify(config, token) {
                Ok((claims, _)) => return self.finish(config, claims).await,
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Undecided(error, places)) => {
                    unknown.is(error);
                    last = places;
                }
            }
            unknown.note(&outcome);
            if let Asked::Unknown = outcome
                && !waiting.is_shared()
            {
                ended.push(waiting);
            }
        }
        // A fetch may have begun before the key was there: once more, if there is the time, and
        // no longer than before.
        if shared && waited.is_none() && !unknown.is_server_fault() {
            let look = Look { error: unknown.0, places: last, waited: deadline };
            return self.look_for_keys(config, token, look).await;
        }
        ended.iter().for_each(Waiting::lacks);
        Err(unknown.0)
    }
}

/// Why a token is refused whose key is not there. Where some source cannot be asked, nobody
/// knows; where one is asked later, nobody knows yet.
struct Unknown(Error);

impl Unknown {
    /// What is wrong with the token by the keys that are there.
    fn is(&mut self, error: Error) {
        if !self.is_server_fault() {
            self.0 = error;
        }
    }

    #[cold]
    fn note(&mut self, asked: &Asked) {
        match *asked {
            Asked::Unavailable { retry_after } => {
                self.0 = ErrorKind::KeysUnavailable { retry_after }.into();
            }
            Asked::Later { retry_after } if !self.is_server_fault() => {
                self.0 = ErrorKind::KeyPending { retry_after }.into();
            }
            Asked::Later { .. } | Asked::Unknown | Asked::Wait(_) => {}
        }
    }

    fn is_server_fault(&self) -> bool {
        self.0.is_server_fault()
    }
}
