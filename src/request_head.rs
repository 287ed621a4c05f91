//! A request without its body.

use std::fmt;

use http::{Extensions, HeaderMap, Method, Request, Uri, Version, request::Parts};

/// A request without its body, by reference: what a
/// [condition on requests](crate::RequireLayer::for_request) sees besides the claims.
#[derive(Clone, Copy)]
pub struct RequestHead<'r> {
    method: &'r Method,
    uri: &'r Uri,
    version: Version,
    headers: &'r HeaderMap,
    extensions: &'r Extensions,
}

impl<'r> RequestHead<'r> {
    /// The method.
    #[must_use]
    pub fn method(&self) -> &'r Method {
        self.method
    }

    /// The address, as the service gets it. Inside of axum's `Router::nest`, it lacks the prefix:
    /// the whole one is the extension `OriginalUri`.
    #[must_use]
    pub fn uri(&self) -> &'r Uri {
        self.uri
    }

    /// The HTTP version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The headers. `Authorization` and `Cookie` are marked sensitive.
    #[must_use]
    pub fn headers(&self) -> &'r HeaderMap {
        self.headers
    }

    /// The extensions, such as axum's `OriginalUri` and `MatchedPath`.
    #[must_use]
    pub fn extensions(&self) -> &'r Extensions {
        self.extensions
    }
}

impl<'r, B> From<&'r Request<B>> for RequestHead<'r> {
    fn from(request: &'r Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            version: request.version(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }
}

impl<'r> From<&'r Parts> for RequestHead<'r> {
    fn from(parts: &'r Parts) -> Self {
        Self {
            method: &parts.method,
            uri: &parts.uri,
            version: parts.version,
            headers: &parts.headers,
            extensions: &parts.extensions,
        }
    }
}

/// Shows the method only: a token may be in the address or in a header.
impl fmt::Debug for RequestHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead").field("method", self.method).finish_non_exhaustive()
    }
}
