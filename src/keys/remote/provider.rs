//! Finds and fetches the document of the keys, and remembers its URL and `ETag` for the next fetch.

use std::{fmt, time::Duration};

use http::HeaderValue;
use tokio::time::Instant;
use url::Url;

use super::{
    discover,
    fetch::{self, Fetched, Fetcher},
};
use crate::error::{ConfigError, FetchError, FetchErrorKind};

/// The place that keys are fetched from.
#[derive(Clone)]
pub(super) enum Location {
    /// The URL of a JWK set.
    Keys(Url),
    /// The metadata of this issuer.
    Issuer { issuer: Box<str>, url: Url },
}

impl Location {
    pub(super) fn keys(url: &str) -> Result<Self, ConfigError> {
        let url = discover::address(url).map_err(|what| ConfigError::InvalidUrl(what.into()))?;
        Ok(Self::Keys(url))
    }

    pub(super) fn discovered(issuer: &str) -> Result<Self, ConfigError> {
        Ok(Self::Issuer { url: discover::issuer(issuer)?, issuer: issuer.into() })
    }

    pub(super) fn issuer(&self) -> Option<&str> {
        match self {
            Self::Keys(_) => None,
            Self::Issuer { issuer, .. } => Some(issuer),
        }
    }

    /// The address that errors name if no other is known.
    pub(super) fn url(&self) -> &Url {
        match self {
            Self::Keys(url) | Self::Issuer { url, .. } => url,
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&fetch::shown(self.url()))
    }
}

/// A provider, and the results of its last fetch.
pub(super) struct Provider {
    location: Location,
    discovered: Option<Discovered>,
    etag: Option<HeaderValue>,
}

struct Discovered {
    url: Url,
    /// When the metadata was read.
    at: Instant,
    /// Whether a fetch from this URL has failed.
    failed: bool,
}

impl Provider {
    pub(super) fn new(location: Location) -> Self {
        Self { location, discovered: None, etag: None }
    }

    /// Fetches the document of the keys, or learns that it is the one [adopted](Self::adopted)
    /// last. Reads the issuer's metadata first if its URL is not known, was read some time ago,
    /// or if `discover` is set.
    pub(super) async fn fetch(
        &mut self,
        fetcher: &Fetcher,
        discover: bool,
    ) -> Result<(Url, Fetched), FetchError> {
        let url = self.keys_url(fetcher, discover).await?;
        let fetched = fetcher.get(&url, self.etag.as_ref()).await?;
        Ok((url, fetched))
    }

    /// Notes that the last document is in use, and its `ETag`.
    pub(super) fn adopted(&mut self, etag: Option<HeaderValue>) {
        self.etag = etag;
    }

    /// Notes that the last fetch brought nothing usable: perhaps the keys have moved.
    pub(super) fn failed(&mut self) {
        if let Some(discovered) = &mut self.discovered {
            discovered.failed = true;
        }
    }

    async fn keys_url(&mut self, fetcher: &Fetcher, again: bool) -> Result<Url, FetchError> {
        let (issuer, url) = match &self.location {
            Location::Keys(url) => return Ok(url.clone()),
            Location::Issuer { issuer, url } => (issuer, url),
        };
        let known = self.discovered.as_ref().filter(|known| !known.failed);
        if let Some(known) = known
            && !again
            && known.at.elapsed() < ASKED_AGAIN
        {
            return Ok(known.url.clone());
        }
        let found = match (discover(fetcher, issuer, url).await, known) {
            (Ok(found), _) => found,
            // The keys may still be at the URL of a while ago.
            (Err(error), Some(known)) if is_unreachable(error.kind()) => known.url.clone(),
            (Err(error), _) => return Err(error),
        };
        if self.discovered.as_ref().is_none_or(|known| known.url != found) {
            self.etag = None;
        }
        self.discovered =
            Some(Discovered { url: found.clone(), at: Instant::now(), failed: false });
        Ok(found)
    }
}

async fn discover(fetcher: &Fetcher, issuer: &str, url: &Url) -> Result<Url, FetchError> {
    let [first, second] = discover::metadata_urls(url);
    match metadata(fetcher, issuer, url, &first).await {
        // If neither exists, the error names the first: most providers have that one.
        Err(error) if is_elsewhere(error.kind()) => {
            match metadata(fetcher, issuer, url, &second).await {
                Err(other) if is_elsewhere(other.kind()) => Err(error),
                answer => answer,
            }
        }
        answer => answer,
    }
}

async fn metadata(
    fetcher: &Fetcher,
    issuer: &str,
    issuer_url: &Url,
    url: &Url,
) -> Result<Url, FetchError> {
    let body = match fetcher.get(url, None).await? {
        Fetched::New { body, .. } => body,
        Fetched::Unchanged { .. } => Vec::new(),
    };
    let keys_url = discover::keys_url(&body, issuer, issuer_url, &fetcher.http_hosts);
    keys_url.map_err(|kind| fetch::error(url, kind))
}

/// Whether the provider answers but does not have this document: it says so, or it answers
/// every request with some page.
fn is_elsewhere(kind: &FetchErrorKind) -> bool {
    match kind {
        FetchErrorKind::Status(status) => (400..500).contains(status) && *status != 429,
        FetchErrorKind::NotMetadata => true,
        _ => false,
    }
}

fn is_unreachable(kind: &FetchErrorKind) -> bool {
    matches!(
        kind,
        FetchErrorKind::Status(_) | FetchErrorKind::Transport(_) | FetchErrorKind::Timeout
    )
}

/// How old the metadata may be if keys are fetched for a token: the provider may have moved the
/// keys, and still serve old ones at the former URL.
const ASKED_AGAIN: Duration = Duration::from_secs(60);
