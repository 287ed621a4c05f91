//! A watch on a token: it is told of the end, and registered until it leaves.

use std::{sync::Arc, task::Waker};

use tokio::time::Instant;

use super::{
    watched::{Ended, Look, Watched, WatchedToken},
    watchers::Watchers,
};

/// One of those who wait for the end of a token. The watchers are those of the denylist, if it tells of
/// revocations. They are arguments, because a stream takes less memory so.
pub(crate) struct Watch {
    watched: Arc<Watched>,
    id: u32,
    /// The version of the token that the denylist was last asked about; 0 before the first time.
    pub(crate) asked: u32,
}

impl Watch {
    /// Watches a token from now on. Ask the denylist afterwards: a revocation that came before is not
    /// told.
    pub(crate) fn new(token: WatchedToken, watchers: Option<&Watchers>) -> Self {
        let watched = Arc::new(Watched::new(token));
        let mut state = watched.lock();
        let id = state.join();
        if let Some(watchers) = watchers {
            watchers.add(state.token.ids(), &watched);
        }
        drop(state);
        Self { watched, id, asked: 0 }
    }

    /// Another watch on the same token.
    pub(crate) fn join(&self) -> Self {
        let id = self.watched.lock().join();
        Self { watched: Arc::clone(&self.watched), id, asked: 0 }
    }

    /// It does not watch any more. Call it once, at the end.
    pub(crate) fn leave(&self, watchers: Option<&Watchers>) {
        let mut state = self.watched.lock();
        let (is_last, waker) = state.leave(self.id);
        if let Some(watchers) = watchers
            && is_last
        {
            watchers.remove(state.token.ids(), None, &self.watched);
        }
        // A waker may own code of others.
        drop(state);
        drop(waker);
    }

    /// Looks at the token at this time, in seconds since 1970, and has this waker woken when it ends
    /// otherwise than by its time, or when another one takes its place. Also says whether this is the first
    /// look since it has ended.
    pub(crate) fn look(&self, now: i64, waker: Option<&Waker>) -> (Look, bool) {
        let mut state = self.watched.lock();
        let (look, wakers) = state.look(now);
        let former = match (&look, waker) {
            (Look::Valid { .. }, Some(waker)) => state.wake_later(self.id, waker),
            _ => None,
        };
        let is_first = state.notice();
        // A waker may run code of others.
        drop(state);
        drop(former);
        wakers.wake();
        (look, is_first)
    }

    /// The token: a copy, since a denylist that is asked about it may tell of a revocation at once.
    pub(crate) fn token(&self) -> WatchedToken {
        self.watched.lock().token.clone()
    }

    /// The denylist has said that the token is not revoked.
    pub(crate) fn confirm(&self) {
        let mut state = self.watched.lock();
        if state.is_version(self.asked) {
            state.confirm();
        }
    }

    /// When the denylist last said so.
    pub(crate) fn confirmed(&self) -> Instant {
        self.watched.lock().confirmed()
    }

    /// Ends the token, unless another one has taken its place since the denylist was asked.
    pub(crate) fn end(&self, why: Ended) {
        let mut state = self.watched.lock();
        if state.is_version(self.asked) {
            let wakers = state.end(why);
            drop(state);
            wakers.wake();
        }
    }

    /// Puts another token in the place of this one, unless it has ended at this time or `check` refuses
    /// it.
    pub(crate) fn renew<E: From<Ended>>(
        &self,
        now: i64,
        token: WatchedToken,
        watchers: Option<&Watchers>,
        check: impl FnOnce(&WatchedToken, &WatchedToken) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut state = self.watched.lock();
        if let (Look::Ended(ended), wakers) = state.look(now) {
            drop(state);
            wakers.wake();
            return Err(ended.into());
        }
        check(&state.token, &token)?;
        if let Some(watchers) = watchers {
            watchers.add(token.ids(), &self.watched);
        }
        let (old, wakers) = state.replace(token);
        if let Some(watchers) = watchers {
            watchers.remove(old.ids(), Some(state.token.ids()), &self.watched);
        }
        drop(state);
        wakers.wake();
        Ok(())
    }
}
