//! The tokio runtime that a call is made on.

use std::{panic, time::Duration};

use tokio::{runtime::Handle, time::sleep};

/// The runtime that this is called on, if there is one and it has a timer. Without a timer, tokio
/// panics where a time-out begins, and has no other way to ask. So with `panic = "abort"`, the
/// process ends here; the crate docs say that the runtime must have a timer. The answer is not kept:
/// a thread may enter several runtimes, and tokio names them only from 1.49 on.
pub(crate) fn runtime_with_timer() -> Option<Handle> {
    let runtime = Handle::try_current().ok()?;
    panic::catch_unwind(|| drop(sleep(Duration::ZERO))).is_ok().then_some(runtime)
}
