//! The checks that a server can keep a store.

use redis::{FromRedisValue, ParsingError, Pipeline, Value, aio::MultiplexedConnection, cmd};

use super::failure::{FOREIGN, Failure, Unsuitable};
use crate::observe;

/// Refuses a replica, a Sentinel and a node of a cluster.
pub(super) async fn check(connection: &mut MultiplexedConnection) -> Result<(), Failure> {
    let role: Role = cmd("ROLE").query_async(connection).await?;
    role.check()?;
    let info = info(connection, "server").await?;
    match info.as_deref().and_then(mode) {
        Some("cluster") => Err(Failure::Unsuitable(Unsuitable::ClusterNode)),
        // Without the right to see it, the first command on a key of another node fails.
        _ => Ok(()),
    }
}

/// Whether the server may evict keys: an evicted revocation lets a token in again.
pub(super) enum Eviction {
    Never,
    By(String),
    Unknown,
}

impl Eviction {
    /// Warns the operator.
    pub(super) fn tell(&self) {
        match self {
            Self::Never => {}
            Self::By(policy) => observe::store_may_evict(policy),
            Self::Unknown => observe::eviction_not_checked(),
        }
    }
}

pub(super) async fn eviction(connection: &mut MultiplexedConnection) -> Result<Eviction, Failure> {
    let info = info(connection, "memory").await?;
    Ok(match info.as_deref().and_then(|info| field(info, "maxmemory_policy")) {
        Some("noeviction") => Eviction::Never,
        Some(policy) => Eviction::By(policy.to_owned()),
        None => Eviction::Unknown,
    })
}

/// Begins a pipeline with the proof that the server is a primary that accepts writes: its
/// [`Role`], which is the first answer, and a write that changes nothing. A replica refuses that
/// write, and so does a primary that lacks the replicas that it must have.
///
/// Without the proof, a replica that has lost its primary would answer for ever from old data.
pub(super) fn proven(key: &str) -> Pipeline {
    let mut pipe = redis::pipe();
    pipe.cmd("ROLE").cmd("DEL").arg(key).ignore();
    pipe
}

/// The role that a server claims to have.
#[derive(Debug)]
pub(super) struct Role(Option<Failure>);

impl Role {
    /// Refuses every server that is not a primary.
    pub(super) fn check(&self) -> Result<(), Failure> {
        self.0.clone().map_or(Ok(()), Err)
    }
}

impl FromRedisValue for Role {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let role = match &value {
            Value::Array(parts) => parts.first(),
            _ => None,
        };
        let role = match role {
            Some(Value::BulkString(bytes)) => &**bytes,
            Some(Value::SimpleString(text)) => text.as_bytes(),
            _ => b"",
        };
        Ok(Self(match role {
            b"master" => None,
            b"slave" => Some(Failure::Unsuitable(Unsuitable::Replica)),
            b"sentinel" => Some(Failure::Unsuitable(Unsuitable::Sentinel)),
            _ => Some(FOREIGN),
        }))
    }
}

/// A section of `INFO`; `None` if the user lacks the right to it, or the command was renamed.
async fn info(
    connection: &mut MultiplexedConnection,
    section: &str,
) -> Result<Option<String>, Failure> {
    match cmd("INFO").arg(section).query_async(connection).await.map_err(Failure::from) {
        Ok(info) => Ok(Some(info)),
        Err(Failure::Refused(_)) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// The mode in which a server runs. Valkey 8 has another name for the field.
fn mode(info: &str) -> Option<&str> {
    field(info, "redis_mode").or_else(|| field(info, "server_mode"))
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(one, _)| *one == name)
        .map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_primary_is_taken() {
        let role = |name: &str| {
            let value = Value::Array(vec![Value::BulkString(name.into()), Value::Int(0)]);
            Role::from_redis_value(value).unwrap().check()
        };
        assert_eq!(role("master"), Ok(()));
        assert_eq!(role("slave"), Err(Failure::Unsuitable(Unsuitable::Replica)));
        assert_eq!(role("sentinel"), Err(Failure::Unsuitable(Unsuitable::Sentinel)));
        assert!(role("").is_err());
        assert!(Role::from_redis_value(Value::Nil).unwrap().check().is_err());
    }

    #[test]
    fn a_field_of_info_is_found_by_its_whole_name() {
        let info = "# Server\r\nredis_mode_x:a\r\nredis_mode:cluster\r\n";
        assert_eq!(field(info, "redis_mode"), Some("cluster"));
        assert_eq!(field(info, "mode"), None);
        assert_eq!(mode(info), Some("cluster"));
        assert_eq!(mode("# Server\r\nserver_mode:cluster\r\n"), Some("cluster"));
        assert_eq!(mode("# Server\r\nserver_mode:standalone\r\n"), Some("standalone"));
    }
}
