//! The reasons for which a store does not answer, with hints for the operator.

use std::{error::Error as StdError, fmt};

use redis::{ErrorKind, RedisError};

use crate::error::ConfigError;

/// The reason for which there is no answer. It contains nothing of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server has closed the connection.
    Closed,
    /// There was no answer in time.
    Late,
    /// The code does not run on a tokio runtime.
    NoRuntime,
    /// The server answers with this error code. The rest of the error is left out, because it
    /// may repeat the command.
    Refused(String),
    /// A fault of the network or of TLS.
    Io(String),
    /// The data is not what this crate wrote.
    Foreign(&'static str),
    /// The server cannot keep a store.
    Unsuitable(Unsuitable),
    /// The store is empty, and other machines may be about to write back what they know.
    Young,
}

/// A kind of server that cannot keep a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsuitable {
    ClusterNode,
    Replica,
    Sentinel,
}

impl Failure {
    /// Whether another connection may succeed.
    pub(super) fn is_of_the_connection(&self) -> bool {
        match self {
            Self::Closed | Self::Late | Self::Io(_) => true,
            // The server stays a replica, but its name may lead to another server by now.
            Self::Unsuitable(_) => true,
            Self::Refused(code) => code == "READONLY",
            Self::NoRuntime | Self::Foreign(_) | Self::Young => false,
        }
    }
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        if error.is_connection_dropped() && !error.is_connection_refusal() {
            return Self::Closed;
        }
        if error.is_timeout() {
            return Self::Late;
        }
        match error.kind() {
            ErrorKind::Io => {
                let source = StdError::source(&error).map(ToString::to_string);
                Self::Io(source.unwrap_or_else(|| error.category().to_owned()))
            }
            ErrorKind::Parse => Self::Io("its answer is malformed".to_owned()),
            ErrorKind::UnexpectedReturnType => FOREIGN,
            ErrorKind::AuthenticationFailed => Self::Refused("WRONGPASS".to_owned()),
            // The client library says nothing else about it.
            _ if error.to_string().contains("switch database") => {
                Self::Refused("SELECT".to_owned())
            }
            kind => {
                let category = error.category().to_owned();
                let code = match kind {
                    ErrorKind::Server(_) | ErrorKind::Extension => code(error),
                    _ => None,
                };
                Self::Refused(code.unwrap_or(category))
            }
        }
    }
}

/// The code of the first error that the server gave. If a transaction was aborted, it is the
/// error of the command that aborted it.
fn code(error: RedisError) -> Option<String> {
    let errors = error.into_server_errors()?;
    let is_cause = |code: &str| code != "EXECABORT";
    let (_, error) =
        errors.iter().find(|(_, error)| is_cause(error.code())).or_else(|| errors.first())?;
    let code = error.code();
    if code == "ERR" {
        // The error of a script has its code only in the text, at least before Redis 7.
        let text = error.details().unwrap_or_default();
        let known = HINTS.iter().map(|(code, _)| *code).find(|code| has_word(text, code));
        let known =
            known.or_else(|| text.contains("executing the script can't").then_some("NOPERM"));
        let known = known.or_else(|| text.starts_with("ACL failure in script").then_some("NOPERM"));
        return Some(named(known.unwrap_or(code), text));
    }
    Some(named(code, error.details().unwrap_or_default()))
}

/// The code with the command that the user may not run, if the server names it: it is the name of
/// a command and nothing that was sent.
fn named(code: &str, details: &str) -> String {
    let command = details.split_once(" run the '").and_then(|(_, rest)| rest.split_once('\''));
    let is_name = |name: &str| {
        name.len() <= 32
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"|-".contains(&byte))
    };
    match command {
        Some((name, _)) if code == "NOPERM" && is_name(name) => {
            format!("{code} for the command `{name}`")
        }
        _ => code.to_owned(),
    }
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| part == word)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the Redis server has closed the connection"),
            Self::Late => f.write_str("the Redis server does not answer in time"),
            Self::NoRuntime => {
                f.write_str("the stores in Redis require a tokio runtime with a timer")
            }
            Self::Refused(code) => {
                write!(f, "the Redis server refuses with {code}")?;
                match HINTS.iter().find(|(known, _)| code.split(' ').next() == Some(*known)) {
                    Some((_, hint)) => write!(f, ": {hint}"),
                    None => Ok(()),
                }
            }
            Self::Io(what) => {
                write!(f, "the Redis server cannot be reached: {what}")?;
                match what.contains("UnknownIssuer") {
                    true => {
                        f.write_str("; set its certificate authority with `.root_certificates(…)`")
                    }
                    false => Ok(()),
                }
            }
            Self::Foreign(what) => f.write_str(what),
            Self::Unsuitable(what) => f.write_str(match what {
                Unsuitable::ClusterNode => CLUSTER,
                Unsuitable::Replica => REPLICA,
                Unsuitable::Sentinel => {
                    "the Redis server is a Sentinel, which stores nothing: connect to the primary \
                     that it names"
                }
            }),
            Self::Young => f.write_str(
                "the denylist in Redis is new or has lost its data: it is not used for one \
                 `stale_after` (default 5 s), so that other machines can write back what they know",
            ),
        }
    }
}

impl StdError for Failure {}

/// The error of a builder that could not use the store.
pub(super) fn unusable(failure: impl fmt::Display, prefix: &str) -> ConfigError {
    // The rights on keys, to be copied: `~prefix:*` and `~{prefix:deny}:*`.
    let failure = failure.to_string().replace("prefix:", &format!("{prefix}:"));
    ConfigError::Store(format!(
        "the stores in Redis cannot be used: {failure}; to start anyway, call `.lazy()`"
    ))
}

/// The answer to a command has another type than that of Redis.
pub(super) const FOREIGN: Failure = Failure::Foreign(
    "the server's answer does not fit the command: the address must be that of Redis or Valkey",
);

const CLUSTER: &str = "the Redis server is a node of a cluster, and redirections are not followed: \
                       connect to a server that runs without `cluster-enabled`";
const REPLICA: &str = "the Redis server is a replica: connect to the primary";

/// Hints for the error codes of a server.
const HINTS: [(&str, &str); 18] = [
    ("NOAUTH", "it requires a password, add it to the address: `redis://user:password@host`"),
    (
        "WRONGPASS",
        "the user name or the password in the address is wrong, or the server has no password",
    ),
    (
        "NOPERM",
        "the user lacks a right, grant it `+@read +@write +@scripting +@transaction +@connection \
         -@dangerous +time +role +info` on the keys `~prefix:*` and `~{prefix:deny}:*`",
    ),
    ("SELECT", "the database in the address does not exist, or the user lacks `+@connection`"),
    ("OOM", "it is out of memory, raise `maxmemory`"),
    ("MOVED", CLUSTER),
    ("ASK", CLUSTER),
    ("CROSSSLOT", CLUSTER),
    ("CLUSTERDOWN", CLUSTER),
    ("TRYAGAIN", CLUSTER),
    ("READONLY", REPLICA),
    ("MASTERDOWN", "it is a replica that has lost its primary: connect to the primary"),
    (
        "NOREPLICAS",
        "it is a primary that has lost its replicas, and accepts no writes \
         (`min-replicas-to-write`): bring a replica back",
    ),
    ("MISCONF", "it cannot write to its disk, and accepts no writes: make room on the disk"),
    ("LOADING", "it is loading its data, wait until it has started"),
    ("BUSY", "another script keeps it busy: end it with `SCRIPT KILL`"),
    ("UNBLOCKED", "it has become a replica"),
    ("UNKILLABLE", "another script keeps it busy"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn told(code: &str, detail: &str) -> String {
        Failure::from(redis::make_extension_error(code.to_owned(), Some(detail.to_owned())))
            .to_string()
    }

    #[test]
    fn p01_an_error_has_nothing_of_what_was_sent() {
        let text = "unknown command 'AUTH', with args beginning with: 'hunter2'";
        assert_eq!(told("ERR2", text), "the Redis server refuses with ERR2");
        assert_eq!(told("ERR", text), "the Redis server refuses with ERR");
    }

    #[test]
    fn an_error_says_what_is_wrong_and_what_to_do() {
        for (code, hint) in HINTS {
            let said = told(code, "");
            assert!(said.contains(code) && said.ends_with(hint), "{said}");
        }
        for (text, code) in [
            ("The user executing the script can't run this command or subcommand", "NOPERM"),
            ("ACL failure in script: User x has no permissions to run the 'time'", "NOPERM"),
            ("Error running script (call to f_1): @user_script:1: -OOM command not", "OOM"),
            ("Error running script (call to f_1): @user_script:1: -READONLY You", "READONLY"),
        ] {
            assert!(told("ERR", text).contains(code), "{text}");
        }
        let said = told("NOPERM", "User x has no permissions to run the 'client|info' command");
        assert!(said.contains("NOPERM for the command `client|info`: the user lacks"), "{said}");
        let said = told("NOPERM", "User x has no permissions to run the 'a b' command");
        assert!(said.contains("with NOPERM: the user lacks") && !said.contains("a b"), "{said}");
    }

    #[test]
    fn the_rights_are_those_of_the_configured_prefix() {
        let failure = Failure::Refused("NOPERM".to_owned());
        let said = unusable(failure, "shop").to_string();
        assert!(said.contains("`~shop:*` and `~{shop:deny}:*`"), "{said}");
    }
}
