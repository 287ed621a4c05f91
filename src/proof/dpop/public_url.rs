//! The addresses at which clients know the service.

use std::{fmt, ops::Deref};

use http::{Uri, header, uri::PathAndQuery};

use crate::{
    error::{ConfigError, Detail, list},
    http_url::{self, Address, Origin},
    request_head::RequestHead,
    shown::shown,
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
    /// As it was given, without the slash at its end.
    text: Box<str>,
}

impl PublicUrls {
    pub(super) fn add(&mut self, url: &str) -> Result<(), ConfigError> {
        let Some(Address { origin, path, has_more: false }) = http_url::parse(url) else {
            return Err(refused(url, fault(url)));
        };
        if !origin.is_https() && !origin.is_loopback() {
            return Err(refused(
                url,
                "it must be `https`, and `http` is for loopback only: give the URL at which clients \
                 reach the proxy that terminates TLS",
            ));
        }
        let prefix = path.strip_suffix('/').unwrap_or(&path).into();
        let text = url.strip_suffix('/').unwrap_or(url).into();
        self.urls.push(PublicUrl { origin, prefix, text });
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
        let path = self.path_of(request).and_then(http_url::request_path);
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

impl PublicUrls {
    /// The path of a request as the client sent it. `CONNECT` has an authority and no path (RFC 9110
    /// §9.3.6).
    fn path_of<'r>(&self, request: RequestHead<'r>) -> Option<&'r str> {
        let uri = self.original_uri.0(request).unwrap_or(request.uri());
        uri.path_and_query().map(PathAndQuery::path)
    }

    /// The values of `htu` that would be right, and the one that it has, without its query.
    #[cold]
    pub(super) fn explain(&self, htu: &str, request: RequestHead<'_>) -> Detail {
        let path = self.path_of(request).unwrap_or_default();
        let expected: Vec<_> = self.urls.iter().map(|url| format!("{}{path}", url.text)).collect();
        let seen = htu.split(['?', '#']).next().unwrap_or_default();
        Detail {
            expected: (!expected.is_empty()).then(|| list(expected.iter().map(String::as_str))),
            seen: Some(shown(seen).into()),
            ..Detail::default()
        }
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

/// The URL is shown, unless it may have a password in it.
fn refused(url: &str, fault: &str) -> ConfigError {
    ConfigError::PublicUrl(match url.contains('@') {
        true => format!("the public URL cannot be used: {fault}"),
        false => format!("the public URL {url:?} cannot be used: {fault}"),
    })
}

/// The fault of a URL, and the way to mend it.
fn fault(url: &str) -> &'static str {
    let rest = url.split_once("://").map(|(_, rest)| rest);
    let authority = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    if rest.is_none() {
        "it must begin with a scheme, such as `https://api.example.com`"
    } else if !authority.is_ascii() {
        "its host has letters that are not ASCII: write the form that begins with `xn--`, such as \
         `https://xn--bcher-kva.example` for `https://bücher.example`"
    } else if authority.contains('@') {
        "it must have no user name or password"
    } else if url.contains(['?', '#']) {
        "it must have no query and no fragment"
    } else if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        "it has a blank, or a character that is not ASCII: write it percent-encoded, such as `%C3%A4`"
    } else {
        "it must be an `https` URL with a host, such as `https://api.example.com`"
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
