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
    copy::{BLOCK, LONGEST_PAUSE, LocalCopy},
    entry::{self, BEGIN, Keys, REVOKE},
    failure::Failure,
    server::{Role, proven},
};
use crate::{random::unique_id, revocation::Revocation};

/// A connection of its own, and the place in the stream of changes.
pub(super) struct Follower {
    connection: MultiplexedConnection,
    /// The id of the last change that was read.
    position: String,
    /// From when on others have had the time to write back what a new list lacks.
    ready: Instant,
    /// When the list was read that the copy has no room for.
    full: Option<Instant>,
}

/// Follows until it is aborted.
pub(super) async fn run(copy: Arc<LocalCopy>, mut follower: Option<Follower>) {
    let mut pause = SHORTEST_PAUSE;
    loop {
        let outcome = match follower.take() {
            Some(follower) => follower.follow(&copy).await.map(|follower| (follower, true)),
            None => Follower::begin(&copy).await.map(|follower| (follower, false)),
        };
        match outcome {
            Ok((next, followed)) => {
                let is_full = next.full.is_some();
                follower = Some(next);
                // A server may take connections and serve none.
                if followed {
                    if is_full {
                        copy.outage.not_followed(&FULL);
                    } else {
                        copy.outage.followed();
                    }
                    pause = SHORTEST_PAUSE;
                }
            }
            Err(failure) => {
                copy.outage.not_followed(&failure);
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

impl Follower {
    /// Connects, and reads the whole list.
    pub(super) async fn begin(copy: &LocalCopy) -> Result<Self, Failure> {
        let connection = copy.redis.connection();
        let connection = connection.dedicated(BLOCK + connection.timeout()).await?;
        let (position, ready) = (String::new(), Instant::now());
        let mut follower = Self { connection, position, ready, full: None };
        if !copy.tried.load(Ordering::Relaxed) {
            follower.try_out(copy).await?;
            copy.tried.store(true, Ordering::Relaxed);
        }
        follower.read_all(copy).await?;
        Ok(follower)
    }

    /// Tries the script and the commands that are not used at once, on keys of their own.
    async fn try_out(&mut self, copy: &LocalCopy) -> Result<(), Failure> {
        let id = unique_id().map_err(|_| NO_RANDOM)?;
        let keys = Keys::for_trial(copy.redis.prefix(), &id);
        REVOKE.load_async(&mut self.connection).await?;
        let mut pipe = proven(&keys.nothing);
        // The first of them is over when the second one comes, which deletes it.
        for revocation in [Revocation::token("", "over", i64::MIN), Revocation::token("", "", 0)] {
            let command = keys.revoke_loaded(&revocation, copy.now());
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
    async fn read_all(&mut self, copy: &LocalCopy) -> Result<(), Failure> {
        let (sent, asked, keys) = (copy.elapsed(), Instant::now(), &copy.keys);
        let (progress, knew_nothing) = (&copy.progress, copy.view.is_empty());
        // It writes, which a replica refuses, and a primary without the replicas that it needs.
        let mut begin = BEGIN.key(&keys.count);
        begin.key(&keys.since).key(&keys.changes).key(&keys.writing);
        begin.arg(progress.seen.load(Ordering::Relaxed));
        begin.arg(if knew_nothing { 0 } else { quiet() });
        let (count, since, now, position, lost): (u64, u64, u64, String, bool) =
            begin.invoke_async(&mut self.connection).await?;
        // The next one compares with this, also if this one does not get to the end.
        progress.seen.store(count, Ordering::Relaxed);
        let before = progress.since.swap(since, Ordering::Relaxed);
        let is_another = before != 0 && before != since;
        if !knew_nothing && (lost || is_another) {
            progress.claims.store(MOST_CLAIMS, Ordering::Relaxed);
        }
        let claims = progress.claims.load(Ordering::Relaxed);
        progress.claims.store(claims.saturating_sub(1), Ordering::Relaxed);
        self.position = position;
        let left = copy.write_back().saturating_sub(Duration::from_millis(now - since.min(now)));
        self.ready = asked + left;

        // What is in the copy is written back by the end of this.
        copy.unsaved().clear();
        copy.has_room();
        // Of the right size at once: to grow, it would move all of them.
        let length: usize =
            redis::cmd("HLEN").arg(&keys.entries).query_async(&mut self.connection).await?;
        let mut covered = HashSet::with_capacity(if knew_nothing { 0 } else { length });
        let mut cursor = 0;
        loop {
            let mut pipe = redis::pipe();
            if claims > 0 {
                pipe.pset_ex(&keys.writing, 1, quiet()).ignore();
            }
            pipe.cmd("HSCAN").arg(&keys.entries).arg(cursor).arg("COUNT").arg(SCANNED);
            let ((next, page),): ((u64, Vec<(String, String)>),) =
                pipe.query_async(&mut self.connection).await?;
            // Some at a time, so that no request on this thread waits for long.
            for some in page.chunks(AT_ONCE) {
                let read: Result<Vec<_>, _> =
                    some.iter().map(|(_, entry)| entry::read(entry)).collect();
                if copy.view.insert_page(read?, &mut covered).is_err() {
                    copy.has_no_room();
                }
                yield_now().await;
            }
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        if !knew_nothing {
            let view = copy.view.clone();
            let missing = spawn_blocking(move || view.not_covered(&covered)).await;
            let missing = missing.map_err(|_| Failure::NoRuntime)?;
            self.write_back(copy, missing, claims > 0).await?;
        }
        progress.claims.store(0, Ordering::Relaxed);
        self.full = copy.is_full().then(Instant::now);
        // The list may have been lost, or the server demoted, while it was read.
        let mut pipe = proven(&keys.nothing);
        pipe.get(&keys.since).exists(&keys.writing);
        let (role, still, writing): (Role, Option<u64>, bool) =
            pipe.query_async(&mut self.connection).await?;
        role.check()?;
        if still == Some(since) && !writing {
            self.knows_all(copy, sent);
        }
        Ok(())
    }

    /// Writes back what the list has lost. As long as somebody does, it is ready for nobody; and
    /// of many machines that do, none writes what another one has written.
    async fn write_back(
        &mut self,
        copy: &LocalCopy,
        missing: Vec<Revocation>,
        claims: bool,
    ) -> Result<(), Failure> {
        let keys = &copy.keys;
        for some in missing.chunks(AT_ONCE) {
            let names: Vec<_> = some.iter().map(Revocation::key).collect();
            let mut ask = redis::cmd("HMGET");
            ask.arg(&keys.entries).arg(names);
            let found: Vec<Option<String>> = ask.query_async(&mut self.connection).await?;
            let says_as_much = |found: Option<&String>, one: &Revocation| {
                found.and_then(|entry| entry::read(entry).ok()).is_some_and(|found| {
                    found.until() >= one.until() && found.before() >= one.before()
                })
            };
            let pairs = some.iter().zip(found.iter().map(Option::as_ref));
            let left = pairs.filter(|(one, found)| !says_as_much(*found, one));
            let left: Vec<_> = left.map(|(one, _)| one.clone()).collect();
            if !left.is_empty() && claims {
                let mut claim = redis::pipe();
                claim.pset_ex(&keys.writing, 1, quiet()).ignore();
                claim.query_async::<()>(&mut self.connection).await?;
            }
            self.write(copy, left).await?;
        }
        Ok(())
    }

    /// The copy is as new as this, unless others may still write back what it lacks.
    fn knows_all(&self, copy: &LocalCopy, sent: u64) {
        if Instant::now() >= self.ready {
            copy.knows_all(sent);
        }
    }

    /// Writes what the store may not have. If that fails, the connection ends, and with the
    /// next one it is done anew.
    async fn write(&mut self, copy: &LocalCopy, missing: Vec<Revocation>) -> Result<(), Failure> {
        for some in missing.chunks(AT_ONCE) {
            REVOKE.load_async(&mut self.connection).await?;
            let mut pipe = redis::pipe();
            for revocation in some {
                let command = copy.keys.revoke_loaded(revocation, copy.now());
                pipe.add_command(command.map_err(|_| UNWRITABLE)?).ignore();
            }
            pipe.query_async::<()>(&mut self.connection).await?;
        }
        Ok(())
    }

    /// Waits for changes, for a while.
    pub(super) async fn follow(mut self, copy: &LocalCopy) -> Result<Self, Failure> {
        let unsaved = std::mem::take(&mut *copy.unsaved());
        self.write(copy, unsaved).await?;
        let (sent, keys) = (copy.elapsed(), &copy.keys);
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
        let progress = &copy.progress;
        let mut seen = progress.seen.load(Ordering::Relaxed);
        // Fewer than there were, or another list: it has lost its data.
        let mut whole = count >= seen && since == Some(progress.since.load(Ordering::Relaxed));
        let all = changes.len() < PAGE;
        let mut new = Vec::new();
        for change in changes {
            // The next one has the next number: if not, some are missing.
            whole &= change.get("count") == Some(seen.saturating_add(1));
            if !whole {
                break;
            }
            let entry: String = change.get("entry").ok_or(UNREADABLE)?;
            new.push(entry::read(&entry)?);
            seen = seen.saturating_add(1);
            self.position = change.id;
        }
        if copy.view.insert_all(new).is_err() {
            copy.has_no_room();
        }
        progress.seen.store(seen, Ordering::Relaxed);
        // More than were read, and no others there.
        whole &= !all || count <= seen;
        let has_room_again = self.full.is_some_and(|since| since.elapsed() > TRIED_AGAIN);
        if !whole || has_room_again || copy.read_again.swap(false, Ordering::Relaxed) {
            self.read_all(copy).await?;
        } else if copy.is_full() {
            self.full.get_or_insert_with(Instant::now);
        } else if all && !writing {
            self.knows_all(copy, sent);
        }
        Ok(self)
    }
}

/// For how long the list counts as one that somebody writes back to, after the last step of that:
/// longer than it takes to connect again.
const QUIET: Duration = Duration::from_secs(3);

fn quiet() -> u64 {
    u64::try_from(QUIET.as_millis()).unwrap_or(u64::MAX)
}

/// How often a list that has lost something may be read with others kept waiting for it.
const MOST_CLAIMS: u8 = 20;

/// When a list is read again that the copy had no room for.
const TRIED_AGAIN: Duration = Duration::from_secs(10);

/// How many changes are read at a time.
const PAGE: usize = 1000;

/// How many entries the server is asked for at a time: while it looks for them, it does nothing
/// else, and what it sends is read in one piece.
const SCANNED: usize = 250;

/// How many entries are taken in or written at a time.
const AT_ONCE: usize = 100;

const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

pub(super) const FULL: Failure =
    Failure::Foreign("there are more revocations than the copy has room for");
const UNREADABLE: Failure = Failure::Foreign("a change of the denylist cannot be read");
const UNWRITABLE: Failure = Failure::Foreign("a revocation cannot be written");
const NO_RANDOM: Failure = Failure::Foreign("the system has no random bytes");
