//! One bounded `GET`.

use std::{
    pin::pin,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use headers::{Age, CacheControl, Date, Expires, HeaderMapExt};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use http_body::Body;
use http_body_util::BodyExt;
use url::Url;

use super::{
    authorization::Authorization,
    http::HttpClient,
    http_hosts::HttpHosts,
    own_client::{cause, is_timeout},
};
use crate::error::{BoxError, FetchError, FetchErrorKind};

/// Fetches documents.
pub(super) struct Fetcher {
    pub(super) client: Box<dyn HttpClient>,
    /// The most bytes of a document.
    pub(super) max_body: usize,
    /// The hosts that may be asked over `http`.
    pub(super) http_hosts: HttpHosts,
    pub(super) authorization: Option<Authorization>,
    /// The variable of the environment that names a proxy, if one does and none is used.
    pub(super) unused_proxy: Option<&'static str>,
}

/// An answer.
pub(super) enum Fetched {
    /// A new document.
    New { body: Vec<u8>, etag: Option<HeaderValue>, fresh: Option<Duration> },
    /// The document of the given `ETag` is still current (RFC 9110 §15.4.5).
    Unchanged { fresh: Option<Duration> },
}

impl Fetcher {
    /// Gets a document, or learns that it is still that of `etag`. The caller sets the
    /// time-out.
    pub(super) async fn get(
        &self,
        url: &Url,
        etag: Option<&HeaderValue>,
    ) -> Result<Fetched, FetchError> {
        self.try_get(url, etag).await.map_err(|kind| self.error(url, kind))
    }

    /// An error at this address, with what may be the reason for it.
    #[cold]
    pub(super) fn error(&self, url: &Url, kind: FetchErrorKind) -> FetchError {
        let note = match &kind {
            // The text is that of rustls, where the first bytes of the answer are no TLS record.
            FetchErrorKind::Transport(cause) if cause.contains("InvalidContentType") => Some(
                "the server does not speak TLS on this port: configure the port of `https`".into(),
            ),
            FetchErrorKind::Timeout | FetchErrorKind::Transport(_) => {
                self.unused_proxy.map(|name| {
                    format!(
                        "`{name}` is set in the environment and is not used, set the proxy with \
                         `RemoteKeysBuilder::proxy`"
                    )
                })
            }
            FetchErrorKind::Status(401 | 403)
                if self.authorization.as_ref().is_some_and(|one| !one.is_for(url)) =>
            {
                Some(
                    "`RemoteKeysBuilder::authorization` sends nothing to this origin, which is \
                     not the configured one: configure the address of the keys with \
                     `RemoteKeys::at(…).issuer(…)`"
                        .into(),
                )
            }
            FetchErrorKind::Status(401 | 403) if self.authorization.is_none() => Some(
                "if the server requires credentials, give them with \
                 `RemoteKeysBuilder::authorization`"
                    .into(),
            ),
            _ => None,
        };
        error(url, kind).with_note(note)
    }

    async fn try_get(
        &self,
        url: &Url,
        etag: Option<&HeaderValue>,
    ) -> Result<Fetched, FetchErrorKind> {
        // The parsers of `url` and `http` may differ about a URL that metadata names.
        let uri: Uri = url.as_str().parse().map_err(|_| failure("the URL is malformed".into()))?;
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static(ACCEPTED));
        // Without this header, the server may use any coding (RFC 9110 §12.5.3).
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(etag) = etag {
            headers.insert(header::IF_NONE_MATCH, etag.clone());
        }
        if let Some(authorization) = &self.authorization
            && authorization.is_for(url)
        {
            let value = authorization.value().await;
            let value = value.map_err(|error| FetchErrorKind::Authorization(cause(&*error).into()));
            request.headers_mut().insert(header::AUTHORIZATION, value?);
        }
        let response = self.client.send(request).await.map_err(failure)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if etag.is_some() => {
                return Ok(Fetched::Unchanged { fresh: freshness(response.headers()) });
            }
            status if status.is_redirection() && status != StatusCode::NOT_MODIFIED => {
                return Err(FetchErrorKind::Redirect);
            }
            status => return Err(FetchErrorKind::Status(status.as_u16())),
        }
        let headers = response.headers();
        let mut codings = headers.get_all(header::CONTENT_ENCODING).iter();
        if let Some(coding) = codings.find(|coding| !is_identity(coding)) {
            return Err(FetchErrorKind::Encoded(name_of(coding)));
        }
        let fresh = freshness(headers);
        let etag = headers.get(header::ETAG).filter(|etag| etag.len() <= LONGEST_ETAG).cloned();

        let too_large = FetchErrorKind::TooLarge { limit: self.max_body };
        let mut stream = pin!(response.into_body());
        if stream.size_hint().lower() > self.max_body as u64 {
            return Err(too_large);
        }
        let mut body = Vec::new();
        while let Some(frame) = stream.frame().await {
            // Trailers are of no interest.
            let Ok(chunk) = frame.map_err(failure)?.into_data() else { continue };
            if body.len().saturating_add(chunk.len()) > self.max_body {
                return Err(too_large);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Fetched::New { body, etag, fresh })
    }
}

/// An error at this address.
#[cold]
pub(super) fn error(url: &Url, kind: FetchErrorKind) -> FetchError {
    FetchError::new(shown(url), kind)
}

fn is_identity(coding: &HeaderValue) -> bool {
    let mut codings = coding.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    codings.all(|one| one.is_empty() || one.eq_ignore_ascii_case(b"identity"))
}

/// The name of a coding for an error, if it looks like a name.
fn name_of(coding: &HeaderValue) -> Box<str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_., ".contains(c);
    let name = coding.to_str().ok().filter(|name| name.len() <= 32 && name.chars().all(is_name));
    name.map_or_else(|| "of an unknown name".into(), |name| format!("`{name}`").into())
}

/// A URL for errors and logs: without its query, which may hold secrets, and shortened, because
/// metadata may contain any URL.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    // A parsed URL is ASCII.
    let mut text = String::from(url);
    if text.len() > LONGEST_SHOWN {
        text = text.chars().take(LONGEST_SHOWN).chain(['…']).collect();
    }
    text
}

#[cold]
fn failure(error: BoxError) -> FetchErrorKind {
    if is_timeout(&error) {
        FetchErrorKind::Timeout
    } else {
        FetchErrorKind::Transport(cause(&*error).into())
    }
}

/// The freshness lifetime that the response states (RFC 9111 §4.2.1).
fn freshness(headers: &HeaderMap) -> Option<Duration> {
    if let Some(control) = headers.typed_get::<CacheControl>() {
        if control.no_store() || control.no_cache() {
            return Some(Duration::ZERO);
        }
        if let Some(max_age) = control.max_age() {
            let age = headers.typed_get::<Age>().map_or(0, |age| age.as_secs());
            return Some(max_age.saturating_sub(Duration::from_secs(age)));
        }
    }
    // An invalid date counts as one in the past (RFC 9111 §5.3).
    headers.get(header::EXPIRES)?;
    let Some(expires) = headers.typed_get::<Expires>() else { return Some(Duration::ZERO) };
    let (expires, date) = (SystemTime::from(expires), headers.typed_get::<Date>()?.into());
    Some(expires.duration_since(date).unwrap_or_default())
}

const ACCEPTED: &str = "application/jwk-set+json, application/json;q=0.9";

const LONGEST_SHOWN: usize = 200;

/// More than any `ETag` in use.
const LONGEST_ETAG: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(headers: &[(&'static str, &str)]) -> Option<u64> {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                (http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
            })
            .collect();
        freshness(&headers).map(|time| time.as_secs())
    }

    #[test]
    fn an_answer_says_how_long_it_is_good_for() {
        const DATE: (&str, &str) = ("date", "Tue, 24 Nov 2026 12:00:00 GMT");
        const EXPIRES: (&str, &str) = ("expires", "Tue, 24 Nov 2026 13:00:00 GMT");
        assert_eq!(fresh(&[]), None);
        assert_eq!(fresh(&[("cache-control", "public, max-age=300")]), Some(300));
        assert_eq!(fresh(&[("cache-control", "max-age=300"), ("age", "100")]), Some(200));
        assert_eq!(fresh(&[("cache-control", "max-age=300"), ("age", "900")]), Some(0));
        assert_eq!(fresh(&[("cache-control", "no-store, max-age=300")]), Some(0));
        assert_eq!(fresh(&[("cache-control", "no-cache")]), Some(0));
        assert_eq!(fresh(&[DATE, EXPIRES]), Some(3600));
        assert_eq!(fresh(&[DATE, EXPIRES, ("cache-control", "max-age=5")]), Some(5));
        assert_eq!(fresh(&[EXPIRES, ("date", EXPIRES.1)]), Some(0));
        assert_eq!(fresh(&[DATE, ("expires", "0")]), Some(0));
        for odd in ["max-age=-1", "max-age=x", "max-age=99999999999999999999999", "=,;"] {
            assert_eq!(fresh(&[("cache-control", odd)]), None, "{odd}");
        }
    }
}
