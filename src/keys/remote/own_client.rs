//! The built-in HTTP client.

use std::{env, future::Future, pin::Pin, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use reqwest::{Certificate, Client, ClientBuilder, Identity, Proxy, redirect};
use url::Url;
use zeroize::Zeroizing;

use super::{
    http::{HttpClient, ResponseBody},
    http_hosts::is_loopback,
};
use crate::error::{BoxError, ConfigError};

/// The settings of the built-in client.
#[derive(Default)]
pub(super) struct ClientSettings {
    pub(super) proxy: Option<String>,
    pub(super) root_certificates: Option<Vec<u8>>,
    /// The certificate chain, then the key.
    pub(super) client_certificate: Option<Zeroizing<Vec<u8>>>,
}

impl ClientSettings {
    pub(super) fn are_default(&self) -> bool {
        self.proxy.is_none()
            && self.root_certificates.is_none()
            && self.client_certificate.is_none()
    }

    /// Sets them on the client that fetches from this URL.
    fn apply(&self, mut builder: ClientBuilder, url: &Url) -> Result<ClientBuilder, ConfigError> {
        if let Some(proxy) = &self.proxy {
            let is_http = |url: &Url| matches!(url.scheme(), "http" | "https");
            let proxy_url = Url::parse(proxy).ok().filter(is_http);
            if url.scheme() == "http" && proxy_url.as_ref().is_some_and(|proxy| !is_loopback(proxy))
            {
                return Err(ConfigError::Settings(
                    "a proxy would see and could change keys that are fetched by `http`, use \
                     `https` or leave out the proxy"
                        .into(),
                ));
            }
            let proxy = proxy_url.and_then(|url| Proxy::all(url).ok());
            builder = builder.proxy(proxy.ok_or(ConfigError::Settings(
                "`proxy` must be a URL such as `http://proxy.example.com:3128`".into(),
            ))?);
        }
        if let Some(pem) = &self.root_certificates {
            let certificates = Certificate::from_pem_bundle(pem);
            let certificates = certificates.ok().filter(|all| !all.is_empty());
            builder = builder.tls_certs_only(certificates.ok_or(ConfigError::MalformedKey(
                "`root_certificates` must be PEM certificates",
            ))?);
        }
        if let Some(pem) = &self.client_certificate {
            builder = builder.identity(Identity::from_pem(pem).map_err(|_| {
                ConfigError::MalformedKey(
                    "`client_certificate` must be a PEM certificate chain and its private key",
                )
            })?);
        }
        Ok(builder)
    }
}

/// A client that sends one request and does no more: it follows no redirects, uses no proxy of
/// the environment, does not decompress or retry, and keeps no connection.
pub(super) struct OwnClient(Client);

impl OwnClient {
    /// Makes a client for documents at or behind this URL.
    pub(super) fn new(
        settings: &ClientSettings,
        url: &Url,
        (connect_timeout, timeout): (Duration, Duration),
    ) -> Result<Self, ConfigError> {
        let bare = || bare(connect_timeout, timeout);
        // On loopback there is no TLS, and so no need of certificates.
        let client = settings.apply(bare(), url)?.build().or_else(|error| match url.scheme() {
            "http" if settings.are_default() => bare().tls_certs_only([]).build(),
            _ => Err(error),
        });
        client.map(Self).map_err(|error| {
            ConfigError::Settings(format!(
                "no HTTPS client can be made, install the system's CA certificates or set \
                 `root_certificates`: {}",
                cause(&error)
            ))
        })
    }
}

impl HttpClient for OwnClient {
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<ResponseBody>, BoxError>> + Send>> {
        let client = self.0.clone();
        Box::pin(async move {
            let response = client.execute(request.try_into()?).await?;
            Ok(Response::<reqwest::Body>::from(response).map(ResponseBody::new))
        })
    }
}

fn bare(connect_timeout: Duration, timeout: Duration) -> ClientBuilder {
    Client::builder()
        // Rustls, even if the features of the build offer another.
        .tls_backend_rustls()
        .connect_timeout(connect_timeout)
        .timeout(timeout)
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .referer(false)
        .pool_max_idle_per_host(0)
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
}

/// The variable of the environment that names a proxy for URLs of this scheme, if one is set:
/// this client does not use it.
pub(super) fn unused_proxy(scheme: &str) -> Option<&'static str> {
    let names = match scheme {
        "https" => ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"],
        _ => ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"],
    };
    names.into_iter().find(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// Whether a request of this client took too long.
pub(super) fn is_timeout(error: &BoxError) -> bool {
    error.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_timeout)
}

/// The deepest cause of an error, such as "connection refused". The errors above it repeat the
/// URL.
pub(super) fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    // The text of this client's own error has the URL.
    if cause.downcast_ref::<reqwest::Error>().is_some() {
        return "the request failed".into();
    }
    cause.to_string().chars().take(200).collect()
}
