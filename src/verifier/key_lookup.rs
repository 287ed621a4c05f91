//! Looks for the key of a token that no present key fits, and waits for the fetch.

use std::{sync::Arc, time::Duration};

use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::{
    binding::{OwnedPresented, Presented},
    claims::Claims,
    engine::{Engine, Failure, MissingKey},
    pipeline,
};
use crate::{
    error::{Error, ErrorKind},
    keys::{AskedSource, Deadline, KeyAnswer, PendingKey, name_of},
    maybe_ready::MaybeReady,
};

/// A search for a key.
pub(super) struct KeyLookup {
    missing: MissingKey,
    /// When the request stops waiting; `None` if it has not waited so far.
    first_deadline: Option<Deadline>,
}

impl KeyLookup {
    pub(super) fn new(missing: MissingKey) -> Self {
        Self { missing, first_deadline: None }
    }

    /// Fetches the key if the token passes every check that needs none; otherwise refuses it.
    #[cold]
    pub(super) fn begin<C>(
        self,
        engine: &Arc<Engine<C>>,
        token: &str,
        presented: Presented<'_>,
    ) -> MaybeReady<Result<Claims<C>, Error>>
    where
        C: DeserializeOwned + Send + Sync + 'static,
    {
        let (issuer, name) = match precheck_without_key(engine, token) {
            Ok(found) => found,
            Err(error) => return MaybeReady::Ready(Err(error)),
        };
        let (mut waits, mut refusal) = (Vec::new(), Refusal(self.missing.error));
        for keys in self.missing.may_have_it {
            if keys.issuer().is_some_and(|bound| issuer.as_deref() != Some(bound)) {
                continue;
            }
            match keys.ask(&name, self.first_deadline) {
                KeyAnswer::Wait(waiting) => waits.push(waiting),
                other => refusal.add_answer(&other),
            }
        }
        if waits.is_empty() {
            return MaybeReady::Ready(Err(refusal.0));
        }
        let (engine, token) = (Arc::clone(engine), Zeroizing::new(token.to_owned()));
        let (first_deadline, presented) = (self.first_deadline, presented.by_value());
        MaybeReady::pending(async move {
            wait(engine, waits, &token, &presented, first_deadline, refusal).await
        })
    }
}

/// Waits for the fetches, one after the other, and verifies again after each.
async fn wait<C>(
    engine: Arc<Engine<C>>,
    waits: Vec<PendingKey>,
    token: &str,
    presented: &OwnedPresented,
    first_deadline: Option<Deadline>,
    mut refusal: Refusal,
) -> Result<Claims<C>, Error>
where
    C: DeserializeOwned + Send + Sync + 'static,
{
    let deadline = waits.first().map(PendingKey::deadline);
    let any_began_before = waits.iter().any(PendingKey::began_before);
    let (mut may_have_it, mut ended) = (Vec::new(), Vec::new());
    for mut waiting in waits {
        let mut outcome = waiting.done().await;
        match engine.verify(token) {
            Ok((claims, _)) => {
                return presented.with(|presented| engine.finish(claims, presented)).await;
            }
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::KeyMissing(missing)) => {
                refusal.set_reason(missing.error);
                may_have_it = missing.may_have_it;
            }
        }
        // It was found, and is gone: other keys have taken its place.
        if matches!(outcome, KeyAnswer::Found) && may_have_it.iter().any(AskedSource::is_by_id) {
            outcome = KeyAnswer::Later { retry_after: SOON };
        }
        refusal.add_answer(&outcome);
        if let KeyAnswer::Unknown = outcome
            && !waiting.began_before()
        {
            ended.push(waiting);
        }
    }
    // A fetch that began before may have missed the key. So the key is looked for once more, up
    // to the same deadline.
    if any_began_before && first_deadline.is_none() && !refusal.is_server_fault() {
        let missing = MissingKey { error: refusal.0, may_have_it };
        let again = KeyLookup { missing, first_deadline: deadline };
        return presented.with(|presented| again.begin(&engine, token, presented)).await;
    }
    ended.iter().for_each(PendingKey::remember_missing);
    Err(refusal.0)
}

/// Checks all that can be checked without a key, except the application's type, and returns the
/// token's issuer and the name of its key. Neither is verified.
fn precheck_without_key<C>(
    engine: &Engine<C>,
    whole: &str,
) -> Result<(Option<String>, String), Error> {
    let token = engine.parse(whole)?;
    let (kid, payload) = pipeline::check_form(token, |header| {
        let checked = engine.checks.check_header(header);
        checked.map_err(|error| engine.checks.explain_header(error, header))?;
        engine.checks.required_header.check(token)?;
        if header.algorithm().is_symmetric() {
            // Secrets are not published.
            return Err(Error::new(ErrorKind::UnknownKey));
        }
        Ok(header.kid().map(name_of))
    })
    .map_err(|error| engine.checks.unverified(error))?;
    // The issuers that the sources are bound to are compared later, one by one.
    let checked = pipeline::check_claims(&engine.checks, payload, |_| Ok::<_, Error>(()))
        .map_err(|error| engine.checks.unverified(error))?;
    // Without an id, no key can be named, so each token asks for its own.
    let name = kid.unwrap_or_else(|| text_of_signature(whole));
    Ok((checked.registered.issuer().map(String::from), name))
}

/// The beginning of a token's signature, which no other token has.
fn text_of_signature(token: &str) -> String {
    let signature = token.rsplit('.').next().unwrap_or_default();
    format!("token {}", signature.get(..43).unwrap_or(signature))
}

/// Why a token without a known key is refused: `KeysUnavailable` if a source cannot be asked,
/// `KeyPending` if one is asked later, else the reason of the keys that are there.
struct Refusal(Error);

impl Refusal {
    /// Replaces the reason by that of the present keys, unless a source cannot be asked.
    fn set_reason(&mut self, error: Error) {
        if !self.is_server_fault() {
            self.0 = error;
        }
    }

    /// Replaces the reason if a source cannot be asked, or only later.
    #[cold]
    fn add_answer<W>(&mut self, answer: &KeyAnswer<W>) {
        match *answer {
            KeyAnswer::Unavailable { retry_after } => {
                self.0 = ErrorKind::KeysUnavailable { retry_after }.into();
            }
            KeyAnswer::Later { retry_after } if !self.is_server_fault() => {
                self.0 = ErrorKind::KeyPending { retry_after }.into();
            }
            KeyAnswer::Later { .. }
            | KeyAnswer::Unknown
            | KeyAnswer::Found
            | KeyAnswer::Wait(_) => {}
        }
    }

    fn is_server_fault(&self) -> bool {
        self.0.is_server_fault()
    }
}

/// When to ask again for a key that was found and is gone.
const SOON: Duration = Duration::from_secs(1);
