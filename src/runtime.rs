//! The tokio runtime that a call is made on.

use std::{panic, time::Duration};

use tokio::{runtime::Handle, time::sleep};

/// The runtime that this is called on, if there is one and it has a timer. Without a timer, tokio
/// panics where a time-out begins.
pub(crate) fn runtime_with_timer() -> Option<Handle> {
    let runtime = Handle::try_current().ok()?;
    panic::catch_unwind(|| drop(sleep(Duration::ZERO))).is_ok().then_some(runtime)
}
