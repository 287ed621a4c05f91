//! The task that keeps the copy of the denylist: it reads the whole list, then follows.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use redis::{
    aio::MultiplexedConnection,
    streams::{StreamId, StreamReadReply},
};
use tokio::{
    task::{spawn_blocking, yield_now},
    time::sleep,
};

use super::{
    denylist::Shared,
    entry::{self, BEGIN, Keys, REVOKE},
    failure::Failure,
    server::{Role, proven},
};
use crate::{issue::random::unique_id, revocation::Revocation};

/// A connection of its own, and how far the changes were read.
pub(super) struct Follower {
    connection: MultiplexedConnection,
    /// The id of the last change.
    position: String,
    /// Its number. The next one has the next number: if not, some are missing.
    count: u64,
    /// Since when the list has been whole, in milliseconds by the clock of the store.
    since: u64,
    /// From when on others have had the time to write back what a new list lacks.
    ready: Instant,
}

/// Follows until it is aborted.
pub(super) async fn run(shared: Arc<Shared>, mut follower: Option<Follower>) {
    let mut pause = SHORTEST_PAUSE;
    // What is read again is compared with how far it once was.
    let mut count = follower.as_ref().map_or(0, |follower| follower.count);
    loop {
        let outcome = match follower.take() {
            Some(follower) => follower.follow(&shared).await.map(|follower| (follower, true)),
            None => Follower::begin(&shared, count).await.map(|follower| (follower, false)),
        };
        match outcome {
            Ok((next, followed)) => {
                count = next.count;
                follower = Some(next);
                // A server may take connections and serve none.
                if followed {
                    shared.outage.followed();
                    pause = SHORTEST_PAUSE;
                }
            }
            Err(failure) => {
                shared.outage.not_followed(&failure);
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

impl Follower {
    /// Connects, and reads the whole list. So many changes were seen before.
    pub(super) async fn begin(shared: &Shared, count: u64) -> Result<Self, Failure> {
        let link = shared.redis.link();
        let connection = link.dedicated(BLOCK + link.timeout()).await?;
        let (position, ready) = (String::new(), Instant::now());
        let mut follower = Self { connection, position, count, since: 0, ready };
        if !shared.tried.load(Ordering::Relaxed) {
            follower.try_out(shared).await?;
            shared.tried.store(true, Ordering::Relaxed);
        }
        follower.read_all(shared).await?;
        Ok(follower)
    }

    /// Tries the script and the commands that are not used at once, on keys of their own.
    async fn try_out(&mut self, shared: &Shared) -> Result<(), Failure> {
        let id = unique_id().map_err(|_| NO_RANDOM)?;
        let keys = Keys::for_trial(shared.redis.prefix(), &id);
        REVOKE.load_async(&mut self.connection).await?;
        let mut pipe = proven(&keys.nothing);
        // The first of them is over when the second one comes, which deletes it.
        for revocation in [Revocation::token("", "over", i64::MIN), Revocation::token("", "", 0)] {
            let command = keys.revoke_loaded(&revocation, shared.now());
            pipe.add_command(command.map_err(|_| UNWRITABLE)?).ignore();
        }
        pipe.cmd("TIME").ignore().get(&keys.since).ignore().exists(&keys.writing).ignore();
        pipe.pset_ex(&keys.writing, 1, 1).ignore().cmd("HLEN").arg(&keys.entries).ignore();
        pipe.cmd("HMGET").arg(&keys.entries).arg("").ignore();
        pipe.cmd("HSCAN").arg(&keys.entries).arg(0).ignore();
        pipe.cmd("XREAD").arg("STREAMS").arg(&keys.changes).arg("0-0").ignore();
        pipe.del(&keys.all()).ignore();
        let (role,): (Role,) = pipe.query_async(&mut self.connection).await?;
        role.check()
    }

    /// First how far the changes are, then the list: what changes meanwhile is read twice.
    async fn read_all(&mut self, shared: &Shared) -> Result<(), Failure> {
        let (sent, asked, keys) = (shared.elapsed(), Instant::now(), &shared.keys);
        // It writes, which a replica refuses, and a primary without the replicas that it needs.
        let mut begin = BEGIN.key(&keys.count);
        begin.key(&keys.since).key(&keys.changes).arg(self.count);
        let (count, since, now, position): (u64, u64, u64, String) =
            begin.invoke_async(&mut self.connection).await?;
        (self.count, self.since, self.position) = (count, since, position);
        let left = shared.write_back().saturating_sub(Duration::from_millis(now - since.min(now)));
        self.ready = asked + left;

        // What is in the copy is written back by the end of this.
        shared.unsaved().clear();
        let knew_nothing = shared.view.is_empty();
        // Of the right size at once: to grow, it would move all of them.
        let length: usize =
            redis::cmd("HLEN").arg(&keys.entries).query_async(&mut self.connection).await?;
        let mut covered = HashSet::with_capacity(if knew_nothing { 0 } else { length });
        let mut cursor = 0;
        loop {
            let mut scan = redis::cmd("HSCAN");
            scan.arg(&keys.entries).arg(cursor).arg("COUNT").arg(SCANNED);
            let (next, page): (u64, Vec<(String, String)>) =
                scan.query_async(&mut self.connection).await?;
            // Some at a time, so that no request on this thread waits for long.
            for some in page.chunks(AT_ONCE) {
                let read: Result<Vec<_>, _> =
                    some.iter().map(|(_, entry)| entry::read(entry)).collect();
                shared.view.insert_page(read?, &mut covered).map_err(|_| FULL)?;
                yield_now().await;
            }
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        if !knew_nothing {
            let view = shared.view.clone();
            let missing = spawn_blocking(move || view.not_covered(&covered)).await;
            let missing = missing.map_err(|_| Failure::NoRuntime)?;
            self.write_back(shared, missing).await?;
        }
        // The list may have been lost, or the server demoted, while it was read.
        let mut pipe = proven(&keys.nothing);
        pipe.get(&keys.since).exists(&keys.writing);
        let (role, since, writing): (Role, Option<u64>, bool) =
            pipe.query_async(&mut self.connection).await?;
        role.check()?;
        if since == Some(self.since) && !writing {
            self.knows_all(shared, sent);
        }
        Ok(())
    }

    /// Writes back what the list has lost. As long as somebody does, it is ready for nobody; and
    /// of many machines that do, none writes what another one has written.
    async fn write_back(
        &mut self,
        shared: &Shared,
        missing: Vec<Revocation>,
    ) -> Result<(), Failure> {
        let keys = &shared.keys;
        for some in missing.chunks(AT_ONCE) {
            let mut pipe = redis::pipe();
            let quiet = u64::try_from(QUIET.as_millis()).unwrap_or(u64::MAX);
            pipe.pset_ex(&keys.writing, 1, quiet).ignore();
            let names: Vec<_> = some.iter().map(Revocation::key).collect();
            pipe.cmd("HMGET").arg(&keys.entries).arg(names);
            let (found,): (Vec<Option<String>>,) = pipe.query_async(&mut self.connection).await?;
            let says_as_much = |found: Option<&String>, one: &Revocation| {
                found.and_then(|entry| entry::read(entry).ok()).is_some_and(|found| {
                    found.until() >= one.until() && found.before() >= one.before()
                })
            };
            let pairs = some.iter().zip(found.iter().map(Option::as_ref));
            let left = pairs.filter(|(one, found)| !says_as_much(*found, one));
            self.write(shared, left.map(|(one, _)| one.clone()).collect()).await?;
        }
        Ok(())
    }

    /// The copy is as new as this, unless others may still write back what it lacks.
    fn knows_all(&self, shared: &Shared, sent: u64) {
        if Instant::now() >= self.ready {
            shared.knows_all(sent);
        }
    }

    /// Writes what the store may not have. If that fails, the connection ends, and with the
    /// next one it is done anew.
    async fn write(&mut self, shared: &Shared, missing: Vec<Revocation>) -> Result<(), Failure> {
        for some in missing.chunks(AT_ONCE) {
            REVOKE.load_async(&mut self.connection).await?;
            let mut pipe = redis::pipe();
            for revocation in some {
                let command = shared.keys.revoke_loaded(revocation, shared.now());
                pipe.add_command(command.map_err(|_| UNWRITABLE)?).ignore();
            }
            pipe.query_async::<()>(&mut self.connection).await?;
        }
        Ok(())
    }

    /// Waits for changes, for a while.
    pub(super) async fn follow(mut self, shared: &Shared) -> Result<Self, Failure> {
        let unsaved = std::mem::take(&mut *shared.unsaved());
        self.write(shared, unsaved).await?;
        let (sent, keys) = (shared.elapsed(), &shared.keys);
        let mut pipe = proven(&keys.nothing);
        pipe.get(&keys.count).cmd("XREAD").arg("COUNT").arg(PAGE).arg("BLOCK");
        pipe.arg(BLOCK.as_millis()).arg("STREAMS").arg(&keys.changes).arg(&self.position);
        // Behind the wait, so that a list that was lost meanwhile is noticed at once.
        pipe.get(&keys.since).exists(&keys.writing);
        let (role, count, changes, since, writing): (
            Role,
            Option<u64>,
            Option<StreamReadReply>,
            Option<u64>,
            bool,
        ) = pipe.query_async(&mut self.connection).await?;
        role.check()?;
        let count = count.unwrap_or_default();
        let changes = changes.map(|reply| reply.keys).unwrap_or_default();
        let changes: Vec<StreamId> = changes.into_iter().flat_map(|stream| stream.ids).collect();
        // Fewer than there were, or another list: it has lost its data.
        let mut whole = count >= self.count && since == Some(self.since);
        let all = changes.len() < PAGE;
        let mut new = Vec::new();
        for change in changes {
            whole &= change.get("count") == Some(self.count.saturating_add(1));
            if !whole {
                break;
            }
            let entry: String = change.get("entry").ok_or(UNREADABLE)?;
            new.push(entry::read(&entry)?);
            self.count = self.count.saturating_add(1);
            self.position = change.id;
        }
        shared.view.insert_all(new).map_err(|_| FULL)?;
        // More than were read, and no others there.
        whole &= !all || count <= self.count;
        if !whole || shared.read_again.swap(false, Ordering::Relaxed) {
            self.read_all(shared).await?;
        } else if all && !writing {
            self.knows_all(shared, sent);
        }
        shared.seen.store(self.count, Ordering::Relaxed);
        Ok(self)
    }
}

/// How long the store holds an answer back while there is nothing new.
pub(super) const BLOCK: Duration = Duration::from_millis(250);

/// For how long after the last page that was written back others may write the next one.
const QUIET: Duration = Duration::from_secs(2);

/// How many changes are read at a time.
const PAGE: usize = 1000;

/// How many entries the server is asked for at a time: while it looks for them, it does nothing
/// else, and what it sends is read in one piece.
const SCANNED: usize = 250;

/// How many entries are taken in or written at a time.
const AT_ONCE: usize = 100;

const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(1);

const FULL: Failure = Failure::Foreign("there are more revocations than the copy has room for");
const UNREADABLE: Failure = Failure::Foreign("a change of the denylist cannot be read");
const UNWRITABLE: Failure = Failure::Foreign("a revocation cannot be written");
const NO_RANDOM: Failure = Failure::Foreign("the system has no random bytes");
