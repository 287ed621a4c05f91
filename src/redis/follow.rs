//! The task that keeps the copy of the denylist: it reads the whole list, then follows.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use redis::{
    aio::MultiplexedConnection,
    streams::{StreamId, StreamReadReply},
};
use tokio::time::sleep;

use super::{
    denylist::Shared,
    entry::{self, REVOKE},
    link::Failure,
};
use crate::{observe, revocation::Revocation};

/// A connection of its own, and how far the changes were read.
pub(super) struct Follower {
    connection: MultiplexedConnection,
    /// The id of the last change.
    position: String,
    /// Its number. The next one has the next number: if not, some are missing.
    count: u64,
}

/// Follows until it is aborted.
pub(super) async fn run(shared: Arc<Shared>, mut follower: Option<Follower>) {
    let mut lost = false;
    let mut pause = SHORTEST_PAUSE;
    loop {
        let outcome = match follower.take() {
            Some(follower) => follower.follow(&shared).await.map(|follower| (follower, true)),
            None => Follower::begin(&shared).await.map(|follower| (follower, false)),
        };
        match outcome {
            Ok((next, followed)) => {
                follower = Some(next);
                // A server may take connections and serve none.
                if followed {
                    if lost {
                        observe::denylist_followed();
                    }
                    (lost, pause) = (false, SHORTEST_PAUSE);
                }
            }
            Err(failure) => {
                if !lost {
                    observe::denylist_lost(&failure);
                }
                lost = true;
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

impl Follower {
    /// Connects, and reads the whole list.
    pub(super) async fn begin(shared: &Shared) -> Result<Self, Failure> {
        let link = shared.redis.link();
        let connection = link.dedicated(BLOCK + link.timeout()).await?;
        let mut follower = Self { connection, position: String::new(), count: 0 };
        follower.read_all(shared).await?;
        Ok(follower)
    }

    /// First how far the changes are, then the list: what changes meanwhile is read twice.
    async fn read_all(&mut self, shared: &Shared) -> Result<(), Failure> {
        let (sent, keys) = (shared.elapsed(), &shared.keys);
        let mut pipe = redis::pipe();
        // A write, which a replica refuses: one that has lost its primary knows nothing new.
        pipe.atomic().set_nx(&keys.count, 0).ignore().get(&keys.count);
        pipe.cmd("XREVRANGE").arg(&keys.changes).arg("+").arg("-").arg("COUNT").arg(1);
        let (count, last): (u64, Vec<Change>) = pipe.query_async(&mut self.connection).await?;
        self.count = count;
        self.position = last.into_iter().next().map_or_else(|| "0-0".to_owned(), |(id, _)| id);

        let mut found: HashMap<String, Revocation> = HashMap::new();
        let mut cursor = 0;
        loop {
            let mut scan = redis::cmd("HSCAN");
            scan.arg(&keys.entries).arg(cursor).arg("COUNT").arg(PAGE);
            let (next, page): (u64, Vec<(String, String)>) =
                scan.query_async(&mut self.connection).await?;
            for (name, entry) in page {
                found.insert(name, entry::read(&entry)?);
            }
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        shared.view.insert_all(found.values().cloned()).map_err(|_| FULL)?;
        self.write_back(shared, &found).await?;
        shared.knows_all(sent);
        Ok(())
    }

    /// Writes what the copy has and the store has not.
    async fn write_back(
        &mut self,
        shared: &Shared,
        found: &HashMap<String, Revocation>,
    ) -> Result<(), Failure> {
        // If it fails, the connection ends, and with the next one it is done anew.
        shared.unsaved.store(false, Ordering::Release);
        let is_missing = |one: &Revocation| !found.get(&one.key()).is_some_and(|it| it.covers(one));
        let missing: Vec<_> = shared.view.revocations().into_iter().filter(is_missing).collect();
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
    async fn follow(mut self, shared: &Shared) -> Result<Self, Failure> {
        let (sent, keys) = (shared.elapsed(), &shared.keys);
        let mut pipe = redis::pipe();
        pipe.get(&keys.count).cmd("XREAD").arg("COUNT").arg(PAGE).arg("BLOCK");
        pipe.arg(BLOCK.as_millis()).arg("STREAMS").arg(&keys.changes).arg(&self.position);
        let (count, changes): (Option<u64>, Option<StreamReadReply>) =
            pipe.query_async(&mut self.connection).await?;
        let count = count.unwrap_or_default();
        let changes = changes.map(|reply| reply.keys).unwrap_or_default();
        let changes: Vec<StreamId> = changes.into_iter().flat_map(|stream| stream.ids).collect();
        // Fewer than there were: it has lost its data.
        let mut whole = count >= self.count;
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
        if !whole || shared.unsaved.load(Ordering::Acquire) {
            self.read_all(shared).await?;
        } else if all {
            shared.knows_all(sent);
        }
        Ok(self)
    }
}

/// An id, and what is said under it.
type Change = (String, HashMap<String, String>);

/// How long the store holds an answer back while there is nothing new.
pub(super) const BLOCK: Duration = Duration::from_millis(500);

/// How many changes or entries are read at a time.
const PAGE: usize = 1000;

/// How many entries are written at a time.
const AT_ONCE: usize = 100;

const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

const FULL: Failure = Failure::Foreign("there are more revocations than the copy has room for");
const UNREADABLE: Failure = Failure::Foreign("a change of the denylist cannot be read");
const UNWRITABLE: Failure = Failure::Foreign("a revocation cannot be written");
