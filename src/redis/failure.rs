//! Why a store does not answer, and what to do about it.

use std::{error::Error as StdError, fmt};

use redis::{ErrorKind, RedisError};

/// Why there is no answer. It holds nothing of what was asked, nor of who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server has closed the connection.
    Closed,
    /// There was no answer in time.
    Late,
    /// There is no tokio runtime here.
    NoRuntime,
    /// The server answers with this error code. The rest of an error is left out: it may
    /// repeat what the server was sent.
    Refused(String),
    /// A fault of the network or of TLS.
    Io(String),
    /// The data is not what this crate wrote.
    Foreign(&'static str),
    /// The server is not one that a store can be kept on.
    Unsuitable(Unsuitable),
    /// The store is empty, and other machines may be about to write back what they know.
    Young,
}

/// What a server is that no store can be kept on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsuitable {
    ClusterNode,
    Replica,
    Sentinel,
}

impl Failure {
    /// Whether another connection may do better.
    pub(super) fn is_of_the_connection(&self) -> bool {
        match self {
            Self::Closed | Self::Late | Self::Io(_) => true,
            // A replica stays one. Its name may belong to another server by now.
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
            ErrorKind::Parse => Self::Io("what it sends cannot be read".to_owned()),
            ErrorKind::UnexpectedReturnType => {
                Self::Foreign("the store gives an answer that Redis does not give")
            }
            ErrorKind::AuthenticationFailed => Self::Refused("WRONGPASS".to_owned()),
            // All that the client library says of it.
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

/// The code of the first error that the server gave. A transaction that was aborted names
/// the command that did it.
fn code(error: RedisError) -> Option<String> {
    let errors = error.into_server_errors()?;
    let is_cause = |code: &str| code != "EXECABORT";
    let (_, error) =
        errors.iter().find(|(_, error)| is_cause(error.code())).or_else(|| errors.first())?;
    let code = error.code();
    if code == "ERR" {
        // What a script runs into is told by its text, before Redis 7 in any case.
        let text = error.details().unwrap_or_default();
        let known = HINTS.iter().map(|(code, _)| *code).find(|code| has_word(text, code));
        let known =
            known.or_else(|| text.contains("executing the script can't").then_some("NOPERM"));
        let known = known.or_else(|| text.starts_with("ACL failure in script").then_some("NOPERM"));
        return Some(known.unwrap_or(code).to_owned());
    }
    Some(code.to_owned())
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| part == word)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the Redis server has closed the connection"),
            Self::Late => f.write_str("the Redis server does not answer in time"),
            Self::NoRuntime => f.write_str("the store needs a tokio runtime"),
            Self::Refused(code) => {
                write!(f, "the Redis server refuses with {code}")?;
                match HINTS.iter().find(|(known, _)| known == code) {
                    Some((_, hint)) => write!(f, ": {hint}"),
                    None => Ok(()),
                }
            }
            Self::Io(what) => {
                write!(f, "the Redis server cannot be reached: {what}")?;
                match what.contains("UnknownIssuer") {
                    true => f.write_str("; name its authority with `.root_certificates(…)`"),
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
                 `stale_after` (default 5 s), in which other machines write back what they know",
            ),
        }
    }
}

impl StdError for Failure {}

const CLUSTER: &str = "the Redis server is a node of a cluster, and redirections are not followed: \
                       connect to a server that runs without `cluster-enabled`";
const REPLICA: &str = "the Redis server is a replica: connect to the primary";

/// What to do about the errors of a server.
const HINTS: [(&str, &str); 18] = [
    ("NOAUTH", "it wants a password, write it into the address: `redis://user:password@host`"),
    (
        "WRONGPASS",
        "the user name or the password in the address is wrong, or the server has no password",
    ),
    (
        "NOPERM",
        "the user lacks a right, grant it `+@read +@write +@scripting +@transaction +@connection \
         -@dangerous +time +role +info` on the keys `~prefix:*` and `~{prefix:deny}:*`",
    ),
    ("SELECT", "the database in the address is not there, or the user lacks `+@connection`"),
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
        "it is a primary that has lost its replicas, and takes no writes \
         (`min-replicas-to-write`): bring a replica back",
    ),
    ("MISCONF", "it cannot write to its disk, and takes no writes: make room on it"),
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
    }
}
