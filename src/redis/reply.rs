//! The replies of the server about the denylist, with names for their parts.

use redis::{
    FromRedisValue, ParsingError, Value,
    streams::{StreamId, StreamReadReply},
};

use super::server::Role;

/// The reply of `begin.lua`. Times are in milliseconds by the clock of the server.
pub(super) struct ListState {
    /// The number of changes that there were.
    pub(super) count: u64,
    /// The time since which the list has been whole.
    pub(super) since: u64,
    pub(super) now: u64,
    /// The id of the last change.
    pub(super) position: String,
    /// Whether the list has lost something.
    pub(super) lost: bool,
}

impl FromRedisValue for ListState {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let (count, since, now, position, lost) = FromRedisValue::from_redis_value(value)?;
        Ok(Self { count, since, now, position, lost })
    }
}

/// A page of the list, from `HSCAN`.
pub(super) struct Page {
    /// The cursor of the next page; 0 after the last one.
    pub(super) next: u64,
    /// Names, and the entries of these names.
    pub(super) entries: Vec<(String, String)>,
}

impl FromRedisValue for Page {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let ((next, entries),) = FromRedisValue::from_redis_value(value)?;
        Ok(Self { next, entries })
    }
}

/// The changes after a position, and the state of the list after them.
pub(super) struct Changes {
    pub(super) role: Role,
    pub(super) count: u64,
    pub(super) ids: Vec<StreamId>,
    pub(super) since: Option<u64>,
    /// Whether somebody writes back what the list has lost.
    pub(super) is_held: bool,
}

impl FromRedisValue for Changes {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let (role, count, streams, since, is_held): (
            _,
            Option<u64>,
            Option<StreamReadReply>,
            _,
            _,
        ) = FromRedisValue::from_redis_value(value)?;
        let streams = streams.map(|reply| reply.keys).unwrap_or_default();
        let ids = streams.into_iter().flat_map(|stream| stream.ids).collect();
        Ok(Self { role, count: count.unwrap_or_default(), ids, since, is_held })
    }
}

/// Entries by their names, and the state of the list that they are from.
pub(super) struct Found {
    /// The time of the server, in milliseconds.
    pub(super) now: u64,
    pub(super) since: Option<u64>,
    pub(super) count: u64,
    /// Whether somebody writes back what the list has lost.
    pub(super) is_held: bool,
    pub(super) entries: Vec<Option<String>>,
}

impl FromRedisValue for Found {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let (time, since, count, is_held, entries): ((u64, u64), _, Option<u64>, _, _) =
            FromRedisValue::from_redis_value(value)?;
        let now = time.0.saturating_mul(1000).saturating_add(time.1 / 1000);
        Ok(Self { now, since, count: count.unwrap_or_default(), is_held, entries })
    }
}
