//! Credentials for the requests that fetch keys.

use std::{future::Future, pin::Pin};

use http::HeaderValue;
use url::{Origin, Url};

use crate::error::BoxError;

/// Gives the value of `Authorization` for one request.
pub(super) type AuthorizationFn =
    Box<dyn Fn() -> Pin<Box<dyn Future<Output = HeaderResult> + Send>> + Send + Sync>;

type HeaderResult = Result<HeaderValue, BoxError>;

/// Credentials, and the only origin that they are sent to.
pub(super) struct Authorization {
    value: AuthorizationFn,
    origin: Origin,
}

impl Authorization {
    /// Credentials for the origin of the configured URL.
    pub(super) fn new(value: AuthorizationFn, url: &Url) -> Self {
        Self { value, origin: url.origin() }
    }

    /// Whether the credentials are sent with a request for this URL.
    pub(super) fn is_for(&self, url: &Url) -> bool {
        self.origin == url.origin()
    }

    /// The value for the next request, marked as sensitive.
    pub(super) async fn value(&self) -> HeaderResult {
        let mut value = (self.value)().await?;
        value.set_sensitive(true);
        Ok(value)
    }
}
