//! TLS to the server, with cryptography that is named here: a provider that another crate has
//! installed for the process is not used, and none is installed.

use std::{fmt, io, sync::Arc};

use rustls_platform_verifier::Verifier;
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::aws_lc_rs::default_provider,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    },
};
use zeroize::Zeroizing;

use crate::error::ConfigError;

/// The configuration of TLS, not yet parsed.
#[derive(Clone, Default)]
pub(super) struct TlsSettings {
    /// Certificate authorities in PEM that are trusted instead of the system's.
    pub(super) roots: Option<Vec<u8>>,
    /// The client's certificate chain and its private key, in PEM.
    pub(super) client: Option<(Vec<u8>, Zeroizing<Vec<u8>>)>,
}

impl TlsSettings {
    pub(super) fn is_empty(&self) -> bool {
        self.roots.is_none() && self.client.is_none()
    }
}

/// Makes TLS connections to one server.
pub(super) struct Tls {
    connector: TlsConnector,
    host: Box<str>,
    port: u16,
    name: ServerName<'static>,
}

impl Tls {
    pub(super) fn new(host: &str, port: u16, settings: &TlsSettings) -> Result<Self, ConfigError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            ConfigError::Store(
                "the host in the Redis address must be a DNS name or an IP address, for TLS"
                    .to_owned(),
            )
        })?;
        let provider = Arc::new(default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(wrong("TLS cannot be set up"))?;
        let builder = match &settings.roots {
            Some(pem) => builder.with_root_certificates(roots(pem)?),
            None => {
                let verifier = Verifier::new(provider).map_err(wrong(NO_ROOTS))?;
                builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
            }
        };
        let config = match &settings.client {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let key = PrivateKeyDer::from_pem_slice(key)
                    .map_err(|_| malformed("the client's private key for Redis is not in PEM"))?;
                builder
                    .with_client_auth_cert(certificates(chain, "the client certificate")?, key)
                    .map_err(wrong(
                    "the client certificate for Redis and its private key do not fit each other",
                ))?
            }
        };
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Self { connector, host: host.into(), port, name })
    }

    /// Connects and completes the handshake.
    pub(super) async fn connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect((&*self.host, self.port)).await?;
        stream.set_nodelay(true)?;
        self.connector.connect(self.name.clone(), stream).await
    }
}

fn roots(pem: &[u8]) -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem, "the root certificate")? {
        roots.add(certificate).map_err(wrong("a root certificate for Redis cannot be used"))?;
    }
    Ok(roots)
}

fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(malformed(&format!("{what} for Redis is not PEM with a `CERTIFICATE`"))),
    }
}

fn malformed(what: &str) -> ConfigError {
    ConfigError::Store(what.to_owned())
}

/// Wraps an error of rustls, whose text contains nothing of a key.
fn wrong<E: fmt::Display>(what: &'static str) -> impl Fn(E) -> ConfigError {
    move |error| ConfigError::Store(format!("{what}: {error}"))
}

const NO_ROOTS: &str = "the certificate authorities of the system cannot be read, install them or \
                        set your own with `.root_certificates(…)`";
