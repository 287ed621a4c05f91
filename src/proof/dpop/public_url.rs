//! The addresses at which clients know the service.

use std::{fmt, ops::Deref};

use http::{Uri, header};

use crate::{
    error::ConfigError,
    http_url::{self, Address, Origin},
    request_head::RequestHead,
};

/// The addresses at which clients reach the service.
#[derive(Clone, Debug, Default)]
pub(super) struct PublicUrls {
    urls: Vec<PublicUrl>,
    trusts_host: bool,
    original_uri: OriginalUri,
}

/// An address that leads to the service's path `/`.
#[derive(Clone, Debug)]
struct PublicUrl {
    origin: Origin,
    /// Normal, and without the slash at its end.
    prefix: Box<str>,
}

impl PublicUrls {
    pub(super) fn add(&mut self, url: &str) -> Result<(), ConfigError> {
        let Some(Address { origin, path, has_more: false }) = http_url::parse(url) else {
            return Err(ConfigError::InvalidName(
                "a public URL is absolute, in ASCII, and has no user information, query or \
                 fragment, such as `https://api.example.com`",
            ));
        };
        if !origin.is_https() && !origin.is_loopback() {
            return Err(ConfigError::InvalidName(
                "a public URL is `https`, `http` is for loopback only: give the URL at which \
                 clients reach the proxy that terminates TLS",
            ));
        }
        let prefix = path.strip_suffix('/').unwrap_or(&path).into();
        self.urls.push(PublicUrl { origin, prefix });
        Ok(())
    }

    pub(super) fn trusts_host(&self) -> bool {
        self.trusts_host
    }

    pub(super) fn trust_host(&mut self) {
        self.trusts_host = true;
    }

    pub(super) fn set_original_uri<T: Deref<Target = Uri> + Send + Sync + 'static>(&mut self) {
        self.original_uri = OriginalUri(extension::<T>);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.urls.is_empty() && !self.trusts_host
    }

    /// Whether this `htu` is an address of the request.
    pub(super) fn has(&self, htu: &str, request: RequestHead<'_>) -> bool {
        let uri = self.original_uri.0(request).unwrap_or(request.uri());
        // `CONNECT` has an authority and no path (RFC 9110 §9.3.6).
        let path = uri.path_and_query().and_then(|target| http_url::normal_path(target.path()));
        let (Some(claimed), Some(path)) = (http_url::parse(htu), path) else { return false };
        let is_public = self
            .urls
            .iter()
            .any(|url| url.origin == claimed.origin && url.leads_to(&claimed.path, &path));
        is_public
            || (self.trusts_host
                && claimed.path == path
                && host_of(request).is_some_and(|origin| origin == claimed.origin))
    }
}

impl PublicUrl {
    /// Whether a public path is that of a path of the service. A router or a proxy makes `/` of the
    /// prefix itself, with a slash behind it or without.
    fn leads_to(&self, public: &str, path: &str) -> bool {
        let rest = public.strip_prefix(&*self.prefix);
        rest == Some(path) || (rest == Some("") && path == "/")
    }
}

/// The origin that a request names. `None` if it names none or several.
fn host_of(request: RequestHead<'_>) -> Option<Origin> {
    if let Some(authority) = request.uri().authority() {
        return Origin::of_host(authority.as_str());
    }
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts.next()?.to_str().ok()?;
    hosts.next().is_none().then(|| Origin::of_host(host)).flatten()
}

/// Finds the address of a request before a router has shortened it.
#[derive(Clone, Copy)]
struct OriginalUri(for<'r> fn(RequestHead<'r>) -> Option<&'r Uri>);

impl Default for OriginalUri {
    fn default() -> Self {
        Self(|_| None)
    }
}

impl fmt::Debug for OriginalUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OriginalUri(..)")
    }
}

fn extension<T: Deref<Target = Uri> + Send + Sync + 'static>(
    request: RequestHead<'_>,
) -> Option<&Uri> {
    request.extensions().get::<T>().map(|uri| &**uri)
}
