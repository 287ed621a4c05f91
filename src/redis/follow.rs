//! The task that keeps the copy of the denylist: it reads the whole list, and then follows the
//! changes.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use redis::aio::MultiplexedConnection;
use tokio::{
    task::{spawn_blocking, yield_now},
    time::sleep,
};

use super::{
    copy::{BLOCK, LONGEST_PAUSE, LocalCopy},
    entry::{self, BEGIN, Keys, REVOKE},
    failure::Failure,
    reply::{Changes, ListState, Page},
    server::{Role, proven},
};
use crate::{random::unique_id, revocation::Revocation};

/// A connection that blocks, and the position in the stream of changes.
pub(super) struct Follower {
    connection: MultiplexedConnection,
    /// The id of the last change that was read.
    position: String,
    /// The time from which others have had time to write back what a new list lacks.
    ready: Instant,
    /// When the list was read for which the copy has no room.
    full: Option<Instant>,
}

/// Follows until the task is aborted.
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
                copy.report(false);
                // A server may accept connections and then not answer.
                if followed {
                    if is_full {
                        copy.outage.not_followed(&FULL);
                    } else if copy.is_fresh() {
                        // A list that has lost data is not trusted at once.
                        copy.outage.followed();
                    }
                    pause = SHORTEST_PAUSE;
                }
            }
            Err(failure) => {
                copy.outage.not_followed(&failure);
                copy.report(false);
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

    /// Tries, on separate keys, the script and the commands that are not used at once.
    async fn try_out(&mut self, copy: &LocalCopy) -> Result<(), Failure> {
        let id = unique_id().map_err(|_| NO_RANDOM)?;
        let keys = Keys::for_trial(copy.redis.prefix(), &id);
        REVOKE.load_async(&mut self.connection).await?;
        let mut pipe = proven(&keys.nothing);
        // The first has expired when the second is written, which deletes the first.
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

    /// Reads the whole list into the copy, and writes back the entries that the list has lost.
    ///
    /// The position in the stream is read first, so changes in the meantime are read twice.
    async fn read_all(&mut self, copy: &LocalCopy) -> Result<(), Failure> {
        let reading = self.begin_reading(copy).await?;
        let covered = self.scan(copy, &reading).await?;
        if !reading.knew_nothing {
            self.write_back(copy, &reading, covered).await?;
        }
        copy.progress.holds_left.store(0, Ordering::Relaxed);
        self.full = copy.is_full().then(Instant::now);
        self.finish_reading(copy, &reading).await
    }

    async fn begin_reading(&mut self, copy: &LocalCopy) -> Result<Reading, Failure> {
        let (sent, asked, keys) = (copy.elapsed(), Instant::now(), &copy.keys);
        let (progress, knew_nothing) = (&copy.progress, copy.view.is_empty());
        // The script writes. A replica refuses that, and so does a primary without the replicas
        // that it must have.
        let mut begin = BEGIN.key(&keys.count);
        begin.key(&keys.since).key(&keys.changes).key(&keys.writing);
        begin.arg(progress.seen.load(Ordering::Relaxed));
        begin.arg(if knew_nothing { 0 } else { copy.hold_millis() });
        let list: ListState = begin.invoke_async(&mut self.connection).await?;
        // The next reading compares with this, even if this one fails.
        progress.seen.store(list.count, Ordering::Relaxed);
        let before = progress.since.swap(list.since, Ordering::Relaxed);
        let is_another = before != 0 && before != list.since;
        if !knew_nothing && (list.lost || is_another) {
            progress.holds_left.store(MOST_HOLDS, Ordering::Relaxed);
        }
        let holds_left = progress.holds_left.load(Ordering::Relaxed);
        progress.holds_left.store(holds_left.saturating_sub(1), Ordering::Relaxed);
        self.position = list.position;
        let age = Duration::from_millis(list.now - list.since.min(list.now));
        self.ready = asked + copy.write_back_period().saturating_sub(age);
        // This reading writes back everything that is in the copy.
        copy.unsaved().clear();
        copy.clear_full();
        Ok(Reading { sent, since: list.since, knew_nothing, hold: holds_left > 0 })
    }

    /// Adds the whole list to the copy. Gives the hashes of the entries that need not be written
    /// back.
    async fn scan(&mut self, copy: &LocalCopy, reading: &Reading) -> Result<HashSet<u64>, Failure> {
        let keys = &copy.keys;
        // Allocated at once, because a set that grows moves all its entries.
        let length: usize =
            redis::cmd("HLEN").arg(&keys.entries).query_async(&mut self.connection).await?;
        let mut covered = HashSet::with_capacity(if reading.knew_nothing { 0 } else { length });
        let mut cursor = 0;
        loop {
            let mut pipe = redis::pipe();
            if reading.hold {
                pipe.pset_ex(&keys.writing, 1, copy.hold_millis()).ignore();
            }
            pipe.cmd("HSCAN").arg(&keys.entries).arg(cursor).arg("COUNT").arg(SCANNED);
            let page: Page = pipe.query_async(&mut self.connection).await?;
            // A few at a time, so that no request on this thread waits for long.
            for some in page.entries.chunks(AT_ONCE) {
                let read: Result<Vec<_>, _> =
                    some.iter().map(|(_, entry)| entry::read(entry)).collect();
                if copy.view.insert_page(read?, &mut covered).is_err() {
                    copy.mark_full();
                }
                yield_now().await;
            }
            cursor = page.next;
            if cursor == 0 {
                return Ok(covered);
            }
        }
    }

    /// Writes the entries of the copy that the list does not cover. No machine uses the list
    /// until this is done.
    async fn write_back(
        &mut self,
        copy: &LocalCopy,
        reading: &Reading,
        covered: HashSet<u64>,
    ) -> Result<(), Failure> {
        let view = copy.view.clone();
        let missing = spawn_blocking(move || view.not_covered(&covered)).await;
        for some in missing.map_err(|_| Failure::NoRuntime)?.chunks(AT_ONCE) {
            let left = self.still_missing(copy, some).await?;
            if !left.is_empty() && reading.hold {
                let mut hold = redis::pipe();
                hold.pset_ex(&copy.keys.writing, 1, copy.hold_millis()).ignore();
                hold.query_async::<()>(&mut self.connection).await?;
            }
            self.write(copy, left).await?;
        }
        Ok(())
    }

    /// Leaves out the revocations that another machine has written back in the meantime.
    async fn still_missing(
        &mut self,
        copy: &LocalCopy,
        some: &[Revocation],
    ) -> Result<Vec<Revocation>, Failure> {
        let names: Vec<_> = some.iter().map(Revocation::key).collect();
        let mut ask = redis::cmd("HMGET");
        ask.arg(&copy.keys.entries).arg(names);
        let found: Vec<Option<String>> = ask.query_async(&mut self.connection).await?;
        let covers = |found: Option<&String>, one: &Revocation| {
            found.and_then(|entry| entry::read(entry).ok()).is_some_and(|found| {
                found.keep_until() >= one.keep_until() && found.issued_until() >= one.issued_until()
            })
        };
        let pairs = some.iter().zip(found.iter().map(Option::as_ref));
        let left = pairs.filter(|(one, found)| !covers(*found, one));
        Ok(left.map(|(one, _)| one.clone()).collect())
    }

    /// Marks the copy as fresh if the server is still a primary with the same list.
    async fn finish_reading(&mut self, copy: &LocalCopy, reading: &Reading) -> Result<(), Failure> {
        let mut pipe = proven(&copy.keys.nothing);
        pipe.get(&copy.keys.since).exists(&copy.keys.writing);
        let (role, since, is_held): (Role, Option<u64>, bool) =
            pipe.query_async(&mut self.connection).await?;
        role.check()?;
        if since == Some(reading.since) && !is_held {
            self.mark_fresh(copy, reading.sent);
        }
        Ok(())
    }

    /// Marks the copy as fresh, unless others may still write back entries that it lacks.
    fn mark_fresh(&self, copy: &LocalCopy, sent: u64) {
        if Instant::now() >= self.ready {
            copy.mark_fresh(sent);
        }
    }

    /// Writes revocations to the store. If that fails, the connection ends, and the next one
    /// starts with a reading, which writes them back.
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

    /// Waits for changes for a while, and adds them to the copy.
    pub(super) async fn follow(mut self, copy: &LocalCopy) -> Result<Self, Failure> {
        let unsaved = std::mem::take(&mut *copy.unsaved());
        self.write(copy, unsaved).await?;
        let sent = copy.elapsed();
        let changes = self.next_changes(copy).await?;
        let (are_all, is_held) = (changes.ids.len() < PAGE, changes.is_held);
        let is_whole = self.take_in(copy, changes)?;
        let has_room_again = self.full.is_some_and(|since| since.elapsed() > TRIED_AGAIN);
        if !is_whole || has_room_again || copy.read_again.swap(false, Ordering::Relaxed) {
            self.read_all(copy).await?;
        } else if copy.is_full() {
            self.full.get_or_insert_with(Instant::now);
        } else if are_all && !is_held {
            self.mark_fresh(copy, sent);
        }
        Ok(self)
    }

    async fn next_changes(&mut self, copy: &LocalCopy) -> Result<Changes, Failure> {
        let keys = &copy.keys;
        let mut pipe = proven(&keys.nothing);
        pipe.get(&keys.count).cmd("XREAD").arg("COUNT").arg(PAGE).arg("BLOCK");
        pipe.arg(BLOCK.as_millis()).arg("STREAMS").arg(&keys.changes).arg(&self.position);
        // After the wait, so that a list that was lost during it is noticed at once.
        pipe.get(&keys.since).exists(&keys.writing);
        let changes: Changes = pipe.query_async(&mut self.connection).await?;
        changes.role.check()?;
        Ok(changes)
    }

    /// Adds changes to the copy. Says whether none is missing; otherwise the list has lost data,
    /// or more has changed than the stream keeps.
    fn take_in(&mut self, copy: &LocalCopy, changes: Changes) -> Result<bool, Failure> {
        let (progress, are_all) = (&copy.progress, changes.ids.len() < PAGE);
        let mut seen = progress.seen.load(Ordering::Relaxed);
        let since = Some(progress.since.load(Ordering::Relaxed));
        // Fewer changes than before, or another list: the server has lost data.
        let mut is_whole = changes.count >= seen && changes.since == since;
        let mut new = Vec::new();
        for change in changes.ids {
            // Changes are numbered: if this one is not the next, some are missing.
            is_whole &= change.get("count") == Some(seen.saturating_add(1));
            if !is_whole {
                break;
            }
            let entry: String = change.get("entry").ok_or(UNREADABLE)?;
            new.push(entry::read(&entry)?);
            seen = seen.saturating_add(1);
            self.position = change.id;
        }
        if copy.view.insert_all(new).is_err() {
            copy.mark_full();
        }
        progress.seen.store(seen, Ordering::Relaxed);
        // The stream had fewer changes than were made.
        is_whole &= !are_all || changes.count <= seen;
        Ok(is_whole)
    }
}

/// A reading of the whole list.
struct Reading {
    /// When it began, by the clock of the copy.
    sent: u64,
    /// The time since which the list has been whole.
    since: u64,
    /// Whether the copy was empty.
    knew_nothing: bool,
    /// Whether other machines wait until this one has written back what the list has lost.
    hold: bool,
}

/// The number of readings, of a list that has lost something, for which other machines wait.
const MOST_HOLDS: u8 = 20;

/// The time after which a list is read again for which the copy had no room.
const TRIED_AGAIN: Duration = Duration::from_secs(10);

/// The number of changes that are read at a time.
const PAGE: usize = 1000;

/// The number of entries that are requested from the server at a time. The server does nothing
/// else while it looks for them, and its reply is read in one piece.
const SCANNED: usize = 250;

/// The number of entries that are added or written at a time.
const AT_ONCE: usize = 100;

const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

pub(super) const FULL: Failure = Failure::Foreign(
    "the denylist in Redis has more revocations than the copy has room for: raise `max_revocations`",
);
const UNREADABLE: Failure = Failure::Foreign(
    "a change of the denylist in Redis is malformed: nothing else may write to the keys of its \
     prefix",
);
const UNWRITABLE: Failure = Failure::Foreign("a revocation cannot be serialized");
const NO_RANDOM: Failure = Failure::Foreign("the operating system has no random bytes");
