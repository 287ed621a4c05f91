//! Verifies another token for a stream that is open already.

use std::{any::Any, sync::Arc};

use serde::de::DeserializeOwned;

use super::{
    binding::Presented,
    claims::Claims,
    engine::{Engine, Failure},
    key_lookup::KeyLookup,
    origin::{FreshClaims, VerifyAgain},
};
use crate::{error::Error, maybe_ready::MaybeReady, request_head::RequestHead, source::RawToken};

impl<C: DeserializeOwned + Send + Sync + 'static> VerifyAgain for Engine<C> {
    fn verify_again(
        self: Arc<Self>,
        token: &RawToken<'_>,
        request: Option<RequestHead<'_>>,
    ) -> MaybeReady<Result<FreshClaims, Error>> {
        let presented = Presented::new(token, request.as_ref());
        let text = match token.text() {
            Ok(text) => text,
            Err(error) => return MaybeReady::Ready(Err(error)),
        };
        let answer = match self.verify(text) {
            Ok((claims, _)) => self.finish(claims, presented),
            Err(Failure::Final(error)) => MaybeReady::Ready(Err(error)),
            Err(Failure::KeyMissing(missing)) => {
                KeyLookup::new(missing).begin(&self, text, presented)
            }
        };
        answer.map(|answer| answer.map(fresh))
    }
}

fn fresh<C: Send + Sync + 'static>(claims: Claims<C>) -> FreshClaims {
    let registered: Box<dyn Any + Send> = Box::new(claims.to_registered());
    FreshClaims { registered: claims.to_shared(), forms: [Box::new(claims), registered] }
}
