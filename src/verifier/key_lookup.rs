//! A token whose key is not known: whether one may come, and the wait for it.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::{
    claims::Claims,
    engine::{Engine, Failure},
    pipeline,
};
use crate::{
    claims::RawClaims,
    error::{Error, ErrorKind},
    keys::{Deadline, KeyAnswer, PendingFetch, RemoteKeys},
    maybe_ready::MaybeReady,
    token::{Compact, DecodeBuf},
};

/// A key that is looked for.
pub(super) struct KeyLookup {
    /// The answer if nothing is found.
    error: Error,
    /// The sources that may have it.
    may_have_it: Vec<RemoteKeys>,
    /// Until when somebody waits for it who has looked before.
    waited: Option<Deadline>,
}

impl KeyLookup {
    pub(super) fn new(error: Error, may_have_it: Vec<RemoteKeys>) -> Self {
        Self { error, may_have_it, waited: None }
    }

    /// Looks for the key of a token that is in order as far as can be known without it; others
    /// are refused for what is wrong with them.
    #[cold]
    pub(super) fn begin<C>(
        self,
        engine: &Arc<Engine<C>>,
        token: &str,
    ) -> MaybeReady<Result<Claims<C>, Error>>
    where
        C: DeserializeOwned + Send + Sync + 'static,
    {
        let (issuer, name) = match precheck_without_key(engine, token) {
            Ok(found) => found,
            Err(error) => return MaybeReady::Ready(Err(error)),
        };
        let (mut waits, mut unknown) = (Vec::new(), Unknown(self.error));
        for keys in self.may_have_it {
            if keys.issuer().is_some_and(|bound| issuer.as_deref() != Some(bound)) {
                continue;
            }
            match keys.ask(&name, self.waited) {
                KeyAnswer::Wait(waiting) => waits.push(waiting),
                other => unknown.note(&other),
            }
        }
        if waits.is_empty() {
            return MaybeReady::Ready(Err(unknown.0));
        }
        let (engine, token) = (Arc::clone(engine), Zeroizing::new(token.to_owned()));
        MaybeReady::pending(async move { wait(engine, waits, &token, self.waited, unknown).await })
    }
}

/// Waits for the fetches, one after the other, and looks again after each.
async fn wait<C>(
    engine: Arc<Engine<C>>,
    waits: Vec<PendingFetch>,
    token: &str,
    waited: Option<Deadline>,
    mut unknown: Unknown,
) -> Result<Claims<C>, Error>
where
    C: DeserializeOwned + Send + Sync + 'static,
{
    let deadline = waits.first().map(PendingFetch::deadline);
    let shared = waits.iter().any(PendingFetch::is_shared);
    let (mut last, mut ended) = (Vec::new(), Vec::new());
    for mut waiting in waits {
        let outcome = waiting.done().await;
        match engine.verify(token) {
            Ok((claims, _)) => return engine.finish(claims).await,
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::KeyMissing(lookup)) => {
                unknown.is(lookup.error);
                last = lookup.may_have_it;
            }
        }
        unknown.note(&outcome);
        if let KeyAnswer::Unknown = outcome
            && !waiting.is_shared()
        {
            ended.push(waiting);
        }
    }
    // A fetch may have begun before the key was there: once more, if there is the time, and no
    // longer than before.
    if shared && waited.is_none() && !unknown.is_server_fault() {
        let again = KeyLookup { error: unknown.0, may_have_it: last, waited: deadline };
        return again.begin(&engine, token).await;
    }
    ended.iter().for_each(PendingFetch::lacks);
    Err(unknown.0)
}

/// The issuer of a token and the name of its key, if all that can be checked without a key is in
/// order. It is evidence of nothing.
fn precheck_without_key<C>(
    engine: &Engine<C>,
    whole: &str,
) -> Result<(Option<String>, String), Error> {
    let token = Compact::parse(whole, engine.max_token_len)?;
    let mut buf = DecodeBuf::new();
    let header = token.header(&mut buf)?;
    engine.checks.check_header(&header)?;
    if header.algorithm().is_symmetric() {
        // Secrets are not published.
        return Err(Error::new(ErrorKind::UnknownKey));
    }
    // A malformed signature is bad with every key.
    token.signature(&mut DecodeBuf::new())?;
    let payload = pipeline::payload_text(token)?;
    let mut raw = RawClaims::default();
    pipeline::read_claims(&payload, &engine.checks.rules, &mut raw)?;
    engine.checks.rules.check(&raw, engine.checks.now())?;
    engine.checks.bindings.check(&raw)?;
    // Without an id, nobody can say which key it is: each token asks for its own.
    let signature = || text_of_signature(whole);
    let name = header.kid().map_or_else(signature, |kid| format!("id {kid}"));
    Ok((raw.iss.map(String::from), name))
}

/// The begin of a token's signature, which no other token has.
fn text_of_signature(token: &str) -> String {
    let signature = token.rsplit('.').next().unwrap_or_default();
    format!("token {}", signature.get(..43).unwrap_or(signature))
}

/// Why a token is refused whose key is not there: `KeysUnavailable` if a source cannot be asked,
/// `KeyPending` if one is asked later, or else what is wrong by the keys that are there.
struct Unknown(Error);

impl Unknown {
    /// Takes the reason that the present keys give.
    fn is(&mut self, error: Error) {
        if !self.is_server_fault() {
            self.0 = error;
        }
    }

    #[cold]
    fn note(&mut self, asked: &KeyAnswer) {
        match *asked {
            KeyAnswer::Unavailable { retry_after } => {
                self.0 = ErrorKind::KeysUnavailable { retry_after }.into();
            }
            KeyAnswer::Later { retry_after } if !self.is_server_fault() => {
                self.0 = ErrorKind::KeyPending { retry_after }.into();
            }
            KeyAnswer::Later { .. } | KeyAnswer::Unknown | KeyAnswer::Wait(_) => {}
        }
    }

    fn is_server_fault(&self) -> bool {
        self.0.is_server_fault()
    }
}
