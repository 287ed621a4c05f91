//! The event of a stream that ends with its token.

/// A [stream](crate::validity) has ended with its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamEnd {
    /// The [name of the end](crate::validity::ValidityEnd::name): `expired`, `revoked` or `unchecked`.
    pub reason: &'static str,
}

impl StreamEnd {
    /// Creates an event. Use it in tests of your observer.
    #[must_use]
    pub const fn new(reason: &'static str) -> Self {
        Self { reason }
    }
}
