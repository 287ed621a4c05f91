//! The configuration of mutual TLS.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    ops::Deref,
    sync::Arc,
};

use super::{
    client_certificate::ClientCertificate,
    mutual_tls::{FindCertificate, FindPeer, MutualTls, Proxies, Settings, Source},
    network::Network,
    proxy_header::ProxyHeader,
};
use crate::{error::ConfigError, request_head::RequestHead};

impl MutualTls {
    /// Starts to build a check in which a token need not be bound: one without `x5t#S256` passes as a
    /// bearer token, and one with it needs its certificate.
    pub fn optional() -> MutualTlsBuilder {
        MutualTlsBuilder::new(false)
    }

    /// Starts to build a check in which every token must be bound to a certificate. Others are
    /// refused.
    pub fn required() -> MutualTlsBuilder {
        MutualTlsBuilder::new(true)
    }
}

/// Builds a [`MutualTls`]; made by [`MutualTls::optional`] and [`MutualTls::required`].
///
/// # Defaults
///
/// - the certificate: the extension [`ClientCertificate`] of the request
/// - with a proxy's header: no trusted proxies, so that `build` is an error without one
/// - the address of the peer: the extension [`SocketAddr`] of the request
#[must_use = "a builder does nothing until it is built"]
pub struct MutualTlsBuilder {
    required: bool,
    function: Option<Box<FindCertificate>>,
    header: Option<ProxyHeader>,
    networks: Vec<Network>,
    everyone: bool,
    peer: Option<Box<FindPeer>>,
    error: Option<ConfigError>,
}

impl MutualTlsBuilder {
    fn new(required: bool) -> Self {
        Self {
            required,
            function: None,
            header: None,
            networks: Vec::new(),
            everyone: false,
            peer: None,
            error: None,
        }
    }

    /// Finds the certificate of a request with a function of your own.
    ///
    /// Use it where the certificate is in another extension than [`ClientCertificate`], such as axum's
    /// `ConnectInfo` or tonic's `TlsConnectInfo`. It must come from the TLS connection: for a header,
    /// use [`proxy_header`](Self::proxy_header), which also asks who has sent it.
    ///
    /// Default: the extension [`ClientCertificate`].
    ///
    /// # Example: axum's `ConnectInfo`
    /// ```
    /// use axum::extract::ConnectInfo;
    /// use tower_jwt_auth::proof::{ClientCertificate, MutualTls};
    ///
    /// /// What `Connected` reads of each connection.
    /// #[derive(Clone)]
    /// struct Peer {
    ///     certificate: Option<ClientCertificate>,
    /// }
    ///
    /// let mutual_tls = MutualTls::required()
    ///     .client_certificate(|head| {
    ///         head.extensions().get::<ConnectInfo<Peer>>()?.certificate.clone()
    ///     })
    ///     .build()?;
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn client_certificate<F>(mut self, find: F) -> Self
    where
        F: Fn(RequestHead<'_>) -> Option<ClientCertificate> + Send + Sync + 'static,
    {
        self.function = Some(Box::new(find));
        self
    }

    /// Takes the certificate from the header of a proxy that ends TLS, if a
    /// [trusted proxy](Self::trusted_proxy) has sent it.
    ///
    /// # Security
    ///
    /// The proxy must remove the header from what clients send: see [`ProxyHeader`].
    pub fn proxy_header(mut self, header: ProxyHeader) -> Self {
        self.header = Some(header);
        self
    }

    /// Adds a network of proxies whose header is believed, such as `10.0.3.0/24` or `fd00:3::/64`, or
    /// the address of one proxy. It is that of the connection's peer, and never one that is in a
    /// header such as `X-Forwarded-For`.
    ///
    /// An IPv4 peer of a socket for IPv6 (`::ffff:10.0.3.1`) counts as `10.0.3.1`.
    ///
    /// # Security
    ///
    /// Every program that can connect from that network can claim every certificate. Name the proxies
    /// as exactly as you can. A network that is wider than any private one is an error.
    pub fn trusted_proxy(self, network: impl AsRef<str>) -> Self {
        let network = Network::parse(network.as_ref());
        self.set(|builder| {
            builder.networks.push(network?);
            Ok(())
        })
    }

    /// Sets the networks of proxies whose header is believed, in place of those that were added: see
    /// [`trusted_proxy`](Self::trusted_proxy). An empty list is an error.
    pub fn trusted_proxies(mut self, networks: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.networks.clear();
        networks.into_iter().fold(self, |builder, network| builder.trusted_proxy(network))
    }

    /// Finds the address of the connection's peer with a function of your own.
    ///
    /// It must be the address of the TCP connection. An address that is in a header is one that a
    /// client can make up. `None` trusts nobody.
    ///
    /// Default: the extension [`SocketAddr`] of the request. For axum's `ConnectInfo`, there is
    /// [`peer_extension`](Self::peer_extension).
    ///
    /// # Example: the address in an own extension
    /// ```
    /// use std::net::IpAddr;
    ///
    /// use tower_jwt_auth::proof::{MutualTls, ProxyHeader};
    ///
    /// #[derive(Clone)]
    /// struct Connection {
    ///     peer: IpAddr,
    /// }
    ///
    /// let mutual_tls = MutualTls::required()
    ///     .proxy_header(ProxyHeader::envoy())
    ///     .trusted_proxy("127.0.0.1")
    ///     .peer(|head| Some(head.extensions().get::<Connection>()?.peer))
    ///     .build()?;
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn peer<F>(mut self, find: F) -> Self
    where
        F: Fn(RequestHead<'_>) -> Option<IpAddr> + Send + Sync + 'static,
    {
        self.peer = Some(Box::new(find));
        self
    }

    /// Finds the address of the connection's peer in this extension, which has a [`SocketAddr`] in it.
    /// For axum, it is `ConnectInfo<SocketAddr>`, and the server is started with
    /// `into_make_service_with_connect_info::<SocketAddr>()`.
    ///
    /// # Example
    /// ```
    /// use std::net::SocketAddr;
    ///
    /// use axum::extract::ConnectInfo;
    /// use tower_jwt_auth::proof::{MutualTls, ProxyHeader};
    ///
    /// let mutual_tls = MutualTls::required()
    ///     .proxy_header(ProxyHeader::client_cert())
    ///     .trusted_proxies(["127.0.0.1", "::1"])
    ///     .peer_extension::<ConnectInfo<SocketAddr>>()
    ///     .build()?;
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn peer_extension<E>(self) -> Self
    where
        E: Deref<Target = SocketAddr> + Send + Sync + 'static,
    {
        self.peer(|head| head.extensions().get::<E>().map(|address| address.ip()))
    }

    /// Opens the settings that take protection away.
    pub fn dangerous(self) -> DangerousMutualTlsBuilder {
        DangerousMutualTlsBuilder(self)
    }

    /// Builds it.
    ///
    /// # Errors
    ///
    /// The name of the header is not valid, or a network is malformed or too wide. Or a proxy's header without trusted proxies,
    /// proxies or a peer without a header, or both a header and a function.
    pub fn build(self) -> Result<MutualTls, ConfigError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let proxied = self.everyone || self.peer.is_some() || !self.networks.is_empty();
        let source = match (self.function, self.header) {
            (Some(_), Some(_)) => {
                return Err(ConfigError::Conflict(
                    "the client certificate has two sources: leave out `.client_certificate(…)` or \
                     `.proxy_header(…)`",
                ));
            }
            (_, None) if proxied => {
                return Err(ConfigError::Conflict(
                    "trusted proxies and the address of the peer count only for a proxy's header: \
                     add `.proxy_header(…)`, or leave them out",
                ));
            }
            (None, None) => Source::Extension,
            (Some(function), None) => Source::Function(function),
            (None, Some(header)) => {
                let proxies = match (self.everyone, self.networks.is_empty()) {
                    (true, true) => Proxies::Everyone,
                    (true, false) => {
                        return Err(ConfigError::Conflict(
                            "`.trust_everyone_who_can_connect()` makes trusted proxies \
                             meaningless: leave out one of the two",
                        ));
                    }
                    (false, true) => {
                        return Err(ConfigError::Conflict(
                            "the header of a proxy needs to know the proxy, or any client could \
                             send it: name its network with `.trusted_proxy(\"10.0.3.0/24\")`",
                        ));
                    }
                    (false, false) => Proxies::Within {
                        networks: self.networks.into(),
                        peer: self.peer.unwrap_or_else(|| Box::new(socket_address)),
                    },
                };
                Source::Header { header: header.into_header()?, proxies }
            }
        };
        Ok(MutualTls(Arc::new(Settings { required: self.required, source })))
    }

    fn set(mut self, set: impl FnOnce(&mut Self) -> Result<(), ConfigError>) -> Self {
        let result = set(&mut self);
        if let (None, Err(error)) = (&self.error, result) {
            self.error = Some(error);
        }
        self
    }
}

impl fmt::Debug for MutualTlsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MutualTlsBuilder")
            .field("required", &self.required)
            .field("header", &self.header)
            .field("networks", &self.networks)
            .finish_non_exhaustive()
    }
}

/// The settings of a [`MutualTlsBuilder`] that take protection away.
#[derive(Debug)]
#[must_use = "call one of its methods"]
pub struct DangerousMutualTlsBuilder(MutualTlsBuilder);

impl DangerousMutualTlsBuilder {
    /// Believes the proxy's header whoever sends it.
    ///
    /// It is for a service that listens where only the proxy can connect, and where a peer has no
    /// address to compare, such as a Unix socket in a directory of the proxy.
    ///
    /// # Security
    ///
    /// Everybody who can connect can claim every certificate, so a stolen token works with a copy of
    /// its certificate, which is no secret.
    pub fn trust_everyone_who_can_connect(mut self) -> MutualTlsBuilder {
        self.0.everyone = true;
        self.0
    }
}

/// The extension of servers that put the plain address there.
fn socket_address(head: RequestHead<'_>) -> Option<IpAddr> {
    head.extensions().get::<SocketAddr>().map(SocketAddr::ip)
}
