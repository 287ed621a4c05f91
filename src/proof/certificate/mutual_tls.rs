//! The check of a client's certificate.

use std::{fmt, net::IpAddr, sync::Arc};

use super::{client_certificate::ClientCertificate, network::Network, proxy_header::Header};
use crate::{
    digest::Thumbprint,
    error::{CertificateFault, Error, ErrorKind, InvalidRequest},
    observe,
    request_head::RequestHead,
};

/// Accepts tokens that are bound to a client certificate, from the client that has it: mutual TLS
/// (RFC 8705 §3).
///
/// Such a token has `{"x5t#S256": …}` in its claim `cnf`. The certificate of the request must have that
/// hash. The request's certificate comes from the first of these that is configured:
///
/// 1. a function of your own ([`client_certificate`](super::MutualTlsBuilder::client_certificate))
/// 2. the header of a trusted proxy ([`proxy_header`](super::MutualTlsBuilder::proxy_header))
/// 3. else the extension [`ClientCertificate`] of the request, or `Option<ClientCertificate>`
///
/// The dates, the names and the issuer of the certificate are not judged here (RFC 8705 §7): which
/// certificates may connect is a matter of the TLS server, and self-signed ones are legal (§2.2).
///
/// A clone is cheap.
///
/// # Example: TLS ends in this service
/// ```
/// use tower_jwt_auth::proof::MutualTls;
///
/// // The acceptor puts a `ClientCertificate` into the extensions of each request.
/// let mutual_tls = MutualTls::optional().build()?;
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
///
/// # Example: TLS ends at nginx
/// ```
/// use std::net::SocketAddr;
///
/// use axum::extract::ConnectInfo;
/// use tower_jwt_auth::proof::{MutualTls, ProxyHeader};
///
/// let mutual_tls = MutualTls::required()
///     .proxy_header(ProxyHeader::nginx("x-ssl-client-cert"))
///     .trusted_proxy("10.0.3.0/24")
///     // For `axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>())`.
///     .peer_extension::<ConnectInfo<SocketAddr>>()
///     .build()?;
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
///
/// # Security
///
/// A header is believed only if the peer of the connection is a trusted proxy. From any other peer
/// it is ignored, and the token is refused. A bound token is never accepted without its
/// certificate: not in optional mode either.
#[derive(Clone)]
pub struct MutualTls(pub(super) Arc<Settings>);

pub(super) struct Settings {
    pub(super) required: bool,
    pub(super) source: Source,
}

/// The place of a request's certificate.
pub(super) enum Source {
    Extension,
    Function(Box<FindCertificate>),
    Header { header: Header, proxies: Proxies },
}

/// The peers whose header is believed.
pub(super) enum Proxies {
    Everyone,
    Within { networks: Box<[Network]>, peer: Box<FindPeer> },
}

pub(super) type FindCertificate =
    dyn Fn(RequestHead<'_>) -> Option<ClientCertificate> + Send + Sync;
pub(super) type FindPeer = dyn Fn(RequestHead<'_>) -> Option<IpAddr> + Send + Sync;

impl MutualTls {
    /// Finds the client certificate of a request for a token, at a token endpoint of your own (RFC 8705
    /// §3), and gives its thumbprint: bind the token to it by
    /// [`Grant::x5t_s256`](crate::issue::Grant::x5t_s256). [`Sessions`](crate::sessions::Sessions) do this
    /// by themselves.
    ///
    /// `None` if certificates are [optional](Self::optional), and the request has no certificate, or only
    /// one in the header of a peer that is not a trusted proxy: that header is ignored, with an event.
    ///
    /// It says that the client has the key of this certificate, and not who the client is: that is for
    /// the endpoint to decide, such as by the certificate that it knows of the client (RFC 8705 §2).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) with
    /// [`InvalidRequest::ClientCertificate`](crate::error::InvalidRequest::ClientCertificate): the certificate is
    /// missing and [required](Self::required), or the header of a trusted proxy cannot be read, or the
    /// address of the peer is not known. Answer 400 `invalid_request` (RFC 6749 §5.2).
    ///
    /// # Example
    /// ```
    /// # #[cfg(feature = "issue")]
    /// # mod endpoint {
    /// use http::request::Parts;
    /// use tower_jwt_auth::{Error, issue::{AccessToken, Grant, TokenIssuer}, proof::MutualTls};
    ///
    /// fn issue(
    ///     issuer: &TokenIssuer,
    ///     mutual_tls: &MutualTls,
    ///     request: &Parts,
    ///     client: &str, // which has authenticated
    /// ) -> Result<AccessToken, Error> {
    ///     let mut grant = Grant::new(client).client_id(client);
    ///     if let Some(certificate) = mutual_tls.verify_token_request(request)? {
    ///         grant = grant.x5t_s256(certificate);
    ///     }
    ///     issuer.issue(grant)
    /// }
    /// # }
    /// ```
    pub fn verify_token_request<'r>(
        &self,
        request: impl Into<RequestHead<'r>>,
    ) -> Result<Option<Thumbprint>, Error> {
        match self.find(request.into()) {
            Ok(thumbprint) => Ok(Some(thumbprint)),
            Err(CertificateFault::Missing) if !self.is_required() => Ok(None),
            // Anybody can send the header. It says nothing, and so binds nothing.
            Err(CertificateFault::UntrustedProxy) if !self.is_required() => {
                observe::certificate_ignored();
                Ok(None)
            }
            Err(fault) => {
                let kind = ErrorKind::InvalidRequest(InvalidRequest::ClientCertificate);
                Err(Error::with_source(kind, fault.to_string()))
            }
        }
    }

    /// Whether both are clones of one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether a header is believed whoever sends it.
    pub(crate) fn trusts_everyone(&self) -> bool {
        matches!(self.0.source, Source::Header { proxies: Proxies::Everyone, .. })
    }

    /// Whether every token must be bound to a certificate.
    pub(crate) fn is_required(&self) -> bool {
        self.0.required
    }

    /// The thumbprint of the certificate that the request comes with.
    pub(crate) fn find(&self, head: RequestHead<'_>) -> Result<Thumbprint, CertificateFault> {
        let found = match &self.0.source {
            Source::Extension => {
                let extensions = head.extensions();
                let optional = || extensions.get::<Option<ClientCertificate>>()?.as_ref();
                let found = extensions.get::<ClientCertificate>().or_else(optional);
                found.map(ClientCertificate::thumbprint)
            }
            Source::Function(find) => find(head).map(|certificate| certificate.thumbprint()),
            Source::Header { header, proxies } => {
                if header.is_in(head) {
                    proxies.check(head)?;
                }
                header.read(head)?
            }
        };
        found.ok_or(CertificateFault::Missing)
    }

    /// Checks that the request comes with the certificate that a token is bound to.
    pub(crate) fn check(
        &self,
        head: RequestHead<'_>,
        expected: &Thumbprint,
    ) -> Result<(), CertificateFault> {
        let found = self.find(head)?;
        found.is(expected).then_some(()).ok_or(CertificateFault::Other)
    }
}

impl Proxies {
    /// Whether the peer of the connection may speak for a client.
    fn check(&self, head: RequestHead<'_>) -> Result<(), CertificateFault> {
        let Self::Within { networks, peer } = self else { return Ok(()) };
        let peer = peer(head).ok_or(CertificateFault::UnknownPeer)?;
        let trusted = networks.iter().any(|network| network.contains(peer));
        trusted.then_some(()).ok_or(CertificateFault::UntrustedProxy)
    }
}

impl fmt::Debug for MutualTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { required, source } = &*self.0;
        f.debug_struct("MutualTls").field("required", required).field("source", source).finish()
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Extension => f.write_str("Extension"),
            Self::Function(_) => f.write_str("Function"),
            Self::Header { header, proxies } => {
                f.debug_struct("Header").field("header", header).field("proxies", proxies).finish()
            }
        }
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everyone => f.write_str("Everyone"),
            Self::Within { networks, .. } => f.debug_tuple("Within").field(networks).finish(),
        }
    }
}
