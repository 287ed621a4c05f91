//! What is known of the provider from one fetch to the next.

use std::{fmt, time::Duration};

use http::HeaderValue;
use tokio::time::Instant;
use url::Url;

use super::{
    discover,
    fetch::{self, Fetched, Fetcher},
};
use crate::error::{ConfigError, FetchError, FetchErrorKind};

/// Where keys are fetched from.
#[derive(Clone)]
pub(super) enum Location {
    /// From here.
    Keys(Url),
    /// From where this issuer says.
    Issuer { issuer: Box<str>, url: Url },
}

impl Location {
    pub(super) fn keys(url: &str) -> Result<Self, ConfigError> {
        discover::address(url).map(Self::Keys).map_err(|_| {
            ConfigError::InvalidUrl(
                "the address of a JWK set is an `https` URL (`http` on loopback alone) without a \
                 user, a password and a fragment",
            )
        })
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

    /// The address that an error names where no other is known.
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

/// A provider, as it is met again and again.
pub(super) struct Provider {
    location: Location,
    discovered: Option<(Url, Instant)>,
    etag: Option<HeaderValue>,
}

impl Provider {
    pub(super) fn new(location: Location) -> Self {
        Self { location, discovered: None, etag: None }
    }

    /// Fetches the document of the keys, or learns that it is the one that was
    /// [taken](Self::took) last.
    pub(super) async fn fetch(&mut self, fetcher: &Fetcher) -> Result<(Url, Fetched), FetchError> {
        let url = self.keys_url(fetcher).await?;
        let fetched = fetcher.get(&url, self.etag.as_ref()).await;
        match fetched {
            Ok(fetched) => Ok((url, fetched)),
            Err(error) => {
                // Perhaps they have moved.
                self.discovered = None;
                Err(error)
            }
        }
    }

    /// The last document was taken, and had this `ETag`.
    pub(super) fn took(&mut self, etag: Option<HeaderValue>) {
        self.etag = etag;
    }

    async fn keys_url(&mut self, fetcher: &Fetcher) -> Result<Url, FetchError> {
        let (issuer, url) = match &self.location {
            Location::Keys(url) => return Ok(url.clone()),
            Location::Issuer { issuer, url } => (issuer, url),
        };
        if let Some((url, since)) = &self.discovered
            && since.elapsed() < DISCOVER_AGAIN
        {
            return Ok(url.clone());
        }
        let found = discover(fetcher, issuer, url).await?;
        if self.discovered.as_ref().is_none_or(|(before, _)| *before != found) {
            self.etag = None;
        }
        self.discovered = Some((found.clone(), Instant::now()));
        Ok(found)
    }
}

async fn discover(fetcher: &Fetcher, issuer: &str, url: &Url) -> Result<Url, FetchError> {
    let [first, second] = discover::metadata_urls(url);
    let (url, answer) = match fetcher.get(&first, None).await {
        Err(error) if is_elsewhere(error.kind()) => match fetcher.get(&second, None).await {
            // Neither is there: the first is what most providers have.
            Err(other) if is_elsewhere(other.kind()) => return Err(error),
            answer => (second, answer?),
        },
        answer => (first, answer?),
    };
    let Fetched::New { body, .. } = answer else {
        return Err(fetch::error(&url, FetchErrorKind::NotMetadata));
    };
    discover::keys_url(&body, issuer).map_err(|kind| fetch::error(&url, kind))
}

/// Whether the provider is there, and has no such document.
fn is_elsewhere(kind: &FetchErrorKind) -> bool {
    matches!(kind, FetchErrorKind::Status(400..500))
}

/// Issuers hardly ever move their keys.
const DISCOVER_AGAIN: Duration = Duration::from_secs(24 * 3600);
