//! The engines of several issuers: picked by a token's issuer, and resolved if they are missing.

use std::{fmt, sync::Arc};

use super::{
    pattern::IssuerPattern,
    peek,
    resolve::{
        Begun, Resolution, ResolutionSender, Resolver, Resolving, SOON, keys_unavailable,
        unknown_issuer,
    },
    table::{LoadedEngine, Table},
};
use crate::{
    clock::{Clock, unix_seconds},
    error::{Detail, Error, ErrorKind},
    rules::seconds,
    runtime::runtime_with_timer,
    shown::shown,
    token::Compact,
    verifier::{binding::Proofs, engine::Engine, pipeline},
};

/// The engines of several issuers.
pub(in crate::verifier) struct IssuerEngines<C> {
    table: Table<C>,
    resolver: Option<Resolver<C>>,
    max_token_len: usize,
    clock: Box<dyn Clock>,
    /// Shows issuers of tokens that nobody has verified in events.
    log_unverified: bool,
    /// The proofs that layers ask for.
    proofs: Proofs,
}

impl<C> IssuerEngines<C> {
    /// An empty table.
    pub(super) fn new(
        resolver: Option<Resolver<C>>,
        max_token_len: usize,
        clock: Box<dyn Clock>,
        log_unverified: bool,
        proofs: Proofs,
    ) -> Self {
        Self { table: Table::new(), resolver, max_token_len, clock, log_unverified, proofs }
    }

    /// Adds an engine for these issuers, in place of those that they have.
    pub(super) fn add(&self, issuers: &[Arc<str>], engine: &Arc<Engine<C>>) {
        self.table.add(issuers, engine);
    }

    /// The proofs that are the same for all issuers.
    pub(in crate::verifier) fn proofs(&self) -> &Proofs {
        &self.proofs
    }

    /// Removes an issuer, and says whether it was there. The resolver may be asked for it again.
    pub(super) fn remove(&self, issuer: &str) -> bool {
        if let Some(resolver) = &self.resolver {
            resolver.forget(issuer);
        }
        self.table.remove(issuer)
    }

    /// The issuers that are there, in no order.
    pub(in crate::verifier) fn names(&self) -> Vec<String> {
        self.table.names()
    }

    /// The issuer that a token claims to have. It is not verified: use it only to pick the
    /// engine.
    pub(in crate::verifier) fn issuer_of(&self, token: &str) -> Result<Box<str>, Error> {
        // Whether it may be padded, the engine decides.
        let token = Compact::parse(token, self.max_token_len)?.without_padding()?;
        pipeline::unverified_issuer(token)
    }

    /// The engine of an issuer, if it is known.
    pub(in crate::verifier) fn get(&self, issuer: &str) -> Option<Arc<Engine<C>>> {
        self.table.get(issuer)
    }

    /// Whether issuers that are not there may be resolved.
    pub(in crate::verifier) fn are_resolved(&self) -> bool {
        self.resolver.is_some()
    }

    /// The issuers that may be resolved.
    pub(in crate::verifier) fn patterns(&self) -> Vec<IssuerPattern> {
        self.resolver.as_ref().map(|resolver| resolver.allowed().to_vec()).unwrap_or_default()
    }

    /// Whether events show issuers that nobody has verified.
    pub(in crate::verifier) fn log_unverified(&self) -> bool {
        self.log_unverified
    }

    /// The resolver, if it may be asked for this issuer.
    fn resolver(&self, issuer: &str) -> Result<&Resolver<C>, Error> {
        let resolver = self.resolver.as_ref().filter(|resolver| resolver.allows(issuer));
        resolver.ok_or_else(|| self.unknown_issuer(issuer))
    }

    #[cold]
    fn unknown_issuer(&self, issuer: &str) -> Error {
        let seen = self.log_unverified.then(|| shown(issuer).into());
        unknown_issuer().with_detail(Detail { seen, ..Detail::default() })
    }

    pub(in crate::verifier) fn now(&self) -> i64 {
        unix_seconds(self.clock.now())
    }
}

impl<C: Send + Sync + 'static> IssuerEngines<C> {
    /// The engine of an issuer, if it is known. If it is due to be resolved again, it serves on
    /// meanwhile.
    #[inline]
    pub(in crate::verifier) fn load(self: &Arc<Self>, issuer: &str) -> Option<LoadedEngine<C>> {
        let found = self.table.find(issuer, || self.now())?;
        if found.is_old {
            self.renew(issuer);
        }
        Some(found.engine)
    }

    /// Asks for the issuer of a token that could be a valid one.
    #[cold]
    pub(in crate::verifier) fn resolve(
        self: &Arc<Self>,
        issuer: &str,
        token: &str,
    ) -> Result<Resolving<C>, Error> {
        let resolver = self.resolver(issuer)?;
        // This comes before a place is taken: made-up names could take all places.
        if resolver.known.as_ref().is_some_and(|known| !known(issuer)) {
            return Err(self.unknown_issuer(issuer));
        }
        peek::plausible(token, self.max_token_len, self.now())?;
        // One that was resolved before, and may not be used any more, is not made up.
        let is_new = self.table.get(issuer).is_none();
        let result = self.ask(resolver, issuer, is_new)?;
        Resolving::new(&result)
    }

    /// Asks again for an issuer that is there, and does not wait for the answer.
    #[cold]
    fn renew(self: &Arc<Self>, issuer: &str) {
        // If it cannot be asked for now, the next request will try.
        let _ = self.resolver(issuer).and_then(|resolver| self.ask(resolver, issuer, false));
    }

    /// Asks for an issuer, unless that is already under way.
    fn ask(
        self: &Arc<Self>,
        resolver: &Resolver<C>,
        issuer: &str,
        is_new: bool,
    ) -> Result<Arc<ResolutionSender<C>>, Error> {
        let runtime = runtime_with_timer().ok_or_else(|| keys_unavailable(SOON))?;
        let result = match resolver.begin(issuer, is_new, || self.now())? {
            Begun::Before(result) => return Ok(result),
            Begun::Now(result) => result,
        };
        // The lock of `begin` is free again: a runtime that is shutting down drops the task right
        // here, and the task takes the lock when it is dropped.
        let (engines, sender) = (Arc::clone(self), Arc::clone(&result));
        let resolution = RunningResolution { engines, issuer: issuer.into(), result: sender };
        runtime.spawn(resolution.run());
        Ok(result)
    }
}

impl<C> fmt::Debug for IssuerEngines<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuers")
            .field("names", &self.table.names())
            .field("resolver", &self.resolver)
            .finish_non_exhaustive()
    }
}

/// A resolution that is under way. It ends when this is dropped.
struct RunningResolution<C> {
    engines: Arc<IssuerEngines<C>>,
    issuer: Box<str>,
    result: Arc<ResolutionSender<C>>,
}

impl<C: Send + Sync + 'static> RunningResolution<C> {
    async fn run(self) {
        let Some(resolver) = &self.engines.resolver else { return };
        let resolution = resolver.resolve(&self.issuer).await.and_then(|engine| {
            let checked = engine.checks.bindings.check_among(&self.engines.proofs);
            checked.map(|()| engine).map_err(|error| Error::with_source(ErrorKind::Failed, error))
        });
        self.keep(resolver, &resolution);
        self.result.send_replace(Some(resolution));
    }

    /// Keeps the answer, unless the issuer was removed meanwhile. The lock is held until all is
    /// kept, so that a later removal finds it.
    fn keep(&self, resolver: &Resolver<C>, resolution: &Resolution<C>) {
        let (table, now, limits) = (&self.engines.table, self.engines.now(), &resolver.limits);
        let mut state = resolver.state();
        if !state.is_under_way(&self.issuer, &self.result) {
            return;
        }
        match resolution {
            Ok(engine) => {
                let times = (now, now.saturating_add(seconds(limits.lifetime)));
                if !table.keep(&self.issuer, engine, times, limits.max_resolved) {
                    resolver.tell_no_room();
                }
            }
            Err(error) => {
                if !error.is_server_fault() {
                    table.drop_resolved(&self.issuer);
                }
                resolver.refuse(&mut state, &self.issuer, error, now);
            }
        }
    }
}

impl<C> Drop for RunningResolution<C> {
    fn drop(&mut self) {
        if let Some(resolver) = &self.engines.resolver {
            let mut state = resolver.state();
            if state.is_under_way(&self.issuer, &self.result) {
                if self.result.borrow().is_none() {
                    // The function has panicked.
                    resolver.count_miss(&mut state, &self.issuer);
                }
                state.end(&self.issuer);
            }
        }
    }
}
