//! Whether a missing key may come.

use std::{convert::Infallible, time::Duration};

use tokio::time::Instant;

/// The answer of a source to a request whose key is missing. `W` is what the request waits for.
pub(crate) enum KeyAnswer<W = Infallible> {
    /// A fetch or a lookup may bring it.
    Wait(W),
    /// The source cannot be asked.
    Unavailable { retry_after: Duration },
    /// The source will be asked later.
    Later { retry_after: Duration },
    /// The source does not have it.
    Unknown,
    /// The source has brought it.
    Found,
}

impl<W> KeyAnswer<W> {
    pub(super) fn map<T>(self, map: impl FnOnce(W) -> T) -> KeyAnswer<T> {
        match self {
            Self::Wait(wait) => KeyAnswer::Wait(map(wait)),
            Self::Unavailable { retry_after } => KeyAnswer::Unavailable { retry_after },
            Self::Later { retry_after } => KeyAnswer::Later { retry_after },
            Self::Unknown => KeyAnswer::Unknown,
            Self::Found => KeyAnswer::Found,
        }
    }
}

/// When a request stops waiting.
pub(crate) type Deadline = Instant;

/// The name of a missing key with this id, for [`id_of`]. Keys without an id have other names.
pub(crate) fn name_of(id: &str) -> String {
    format!("id {id}")
}

/// The id in such a name.
pub(super) fn id_of(name: &str) -> Option<&str> {
    name.strip_prefix("id ")
}
