//! Why a store could not be asked.

use std::{error::Error as StdError, fmt, time::Duration};

use super::{BoxError, Error, ErrorKind};

/// A store did not answer, or not as it should; nothing is known then, and the client
/// is answered 503.
///
/// Every [`std::error::Error`] becomes one by `?`. Its text goes to the log and not to
/// the client.
pub struct StoreError(BoxError);

impl StoreError {
    /// The message.
    pub fn new(cause: impl Into<BoxError>) -> Self {
        Self(cause.into())
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for StoreError {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error.0.downcast::<Self>() {
            // Of this crate: it keeps its meaning, unless that is a client's fault.
            Ok(ours) if ours.is_server_fault() => *ours,
            Ok(other) => Self::with_source(ErrorKind::Unavailable { retry_after: SOON }, other),
            Err(cause) => Self::with_source(ErrorKind::Unavailable { retry_after: SOON }, cause),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreError({})", self.0)
    }
}

/// Stores come back soon, or not by themselves.
const SOON: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_kept_and_not_printed() {
        let error = Error::from(StoreError::new("hunter2"));
        assert!(matches!(error.kind(), ErrorKind::Unavailable { .. }));
        assert!(!error.to_string().contains("hunter2"));
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("hunter2"));
        let ours = Error::from(StoreError::from(Error::new(ErrorKind::Clock)));
        assert_eq!(*ours.kind(), ErrorKind::Clock);
        let theirs = Error::from(StoreError::from(Error::new(ErrorKind::Expired)));
        assert!(matches!(theirs.kind(), ErrorKind::Unavailable { .. }));
    }
}
