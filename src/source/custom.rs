//! A function that finds the token.

use std::fmt;

use http::{HeaderMap, HeaderName, Method, Uri};

/// A function that finds the token, and the places that it looks at.
pub(super) struct CustomSource {
    find: Box<Find>,
    /// Whether the function reads the cookie of a name.
    pub(super) cookies: Option<Box<IsOurs>>,
    /// The headers that the function reads.
    pub(super) headers: Vec<HeaderName>,
}

type Find = dyn Fn(&Method, &Uri, &HeaderMap) -> Option<String> + Send + Sync;
type IsOurs = dyn Fn(&str) -> bool + Send + Sync;

impl CustomSource {
    pub(super) fn new<F>(find: F) -> Self
    where
        F: Fn(&Method, &Uri, &HeaderMap) -> Option<String> + Send + Sync + 'static,
    {
        Self { find: Box::new(find), cookies: None, headers: Vec::new() }
    }

    pub(super) fn find(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<String> {
        (self.find)(method, uri, headers)
    }

    pub(super) fn reads_cookie(&self, name: &str) -> bool {
        self.cookies.as_ref().is_some_and(|is_ours| is_ours(name))
    }

    pub(super) fn strip_headers(&self, headers: &mut HeaderMap) {
        for name in &self.headers {
            headers.remove(name);
        }
    }
}

impl fmt::Debug for CustomSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomSource").field("headers", &self.headers).finish_non_exhaustive()
    }
}
