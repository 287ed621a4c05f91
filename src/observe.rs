//! What is told to the outside of the process: every event, and nothing of a
//! token in any of them.
//!
//! | event | level |
//! |---|---|
//! | a request without a token; a request that passes without claims | debug |
//! | a request or a token that was refused | info |
//! | a fault of the server, and its cause | error |

use crate::error::Error;

/// A request was refused.
#[cfg(feature = "tracing")]
pub(crate) fn refused(error: &Error) {
    use std::error::Error as _;

    let kind = error.kind().name();
    if error.is_server_fault() {
        let cause = error.source().map(tracing::field::display);
        tracing::error!(kind, reason = %error, cause, "request not decided");
    } else if error.is_missing_token() {
        tracing::debug!(kind, reason = %error, "request refused");
    } else {
        tracing::info!(kind, reason = %error, "request refused");
    }
}

/// A request was refused.
#[cfg(not(feature = "tracing"))]
pub(crate) fn refused(error: &Error) {
    let _ = error.kind().name();
}

/// A request passes without claims, as the layer's mode has it.
#[cfg(feature = "tracing")]
pub(crate) fn passed(error: &Error) {
    if error.is_server_fault() {
        refused(error);
    } else {
        let kind = error.kind().name();
        tracing::debug!(kind, reason = %error, "request passes without claims");
    }
}

/// A request passes without claims, as the layer's mode has it.
#[cfg(not(feature = "tracing"))]
pub(crate) fn passed(error: &Error) {
    refused(error);
}
