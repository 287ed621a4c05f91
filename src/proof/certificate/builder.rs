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
    ///
    /// Together with [`DPoP::required`](crate::proof::DPoP::required), every token must be bound to both,
    /// and every request needs both proofs. To accept either, make both optional, and require one of them
    /// with [`sender_constrained`](crate::authorize::sender_constrained).
    pub fn required() -> MutualTlsBuilder {
        MutualTlsBuilder::new(true)
    }
}

/// Builds a [`MutualTls`]; made by [`MutualTls::optional`] and [`MutualTls::required`].
///
/// # Defaults
///
/// - the certificate: the extension [`ClientCertificate`] of the request, or
///   `Option<ClientCertificate>`
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
    /// Default: the extension [`ClientCertificate`], or `Option<ClientCertificate>`.
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
    pub fn client_certificate<F>(self, find: F) -> Self
    where
        F: Fn(RequestHead<'_>) -> Option<ClientCertificate> + Send + Sync + 'static,
    {
        self.set(|builder| match builder.function.replace(Box::new(find)) {
            None => Ok(()),
            Some(_) => Err(ConfigError::Conflict(
                "mutual TLS has a function for the certificate already, call \
                 `.client_certificate(…)` once",
            )),
        })
    }

    /// Takes the certificate from the header of a proxy that ends TLS, if a
    /// [trusted proxy](Self::trusted_proxy) has sent it.
    ///
    /// # Security
    ///
    /// The proxy must remove the header from what clients send: see [`ProxyHeader`].
    pub fn proxy_header(self, header: ProxyHeader) -> Self {
        self.set(|builder| match builder.header.replace(header) {
            None => Ok(()),
            Some(_) => Err(ConfigError::Conflict(
                "mutual TLS reads one header of a proxy, call `.proxy_header(…)` once",
            )),
        })
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
    pub fn peer<F>(self, find: F) -> Self
    where
        F: Fn(RequestHead<'_>) -> Option<IpAddr> + Send + Sync + 'static,
    {
        self.set(|builder| match builder.peer.replace(Box::new(find)) {
            None => Ok(()),
            Some(_) => Err(ConfigError::Conflict(
                "mutual TLS knows where the address of the peer is, call `.peer(…)` or \
                 `.peer_extension()` once",
            )),
        })
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
    /// - The name of the header is not valid, or a network is malformed or too wide.
    /// - A proxy's header without trusted proxies, or trusted proxies or a peer without a header.
    /// - Both a header and a function, or two headers, functions or peers.
    ///
    /// It cannot know whether requests have the extension with the address of the peer. If one lacks it,
    /// its header is not believed, and the event of the refusal says what to add.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d10_what_is_not_safe_cannot_be_built() {
        let error = |builder: MutualTlsBuilder| builder.build().unwrap_err().to_string();
        let header = || MutualTls::required().proxy_header(ProxyHeader::client_cert());
        let none: [&str; 0] = [];
        for (builder, part) in [
            (header(), "`.trusted_proxy("),
            (header().trusted_proxies(none), "`.trusted_proxy("),
            (header().trusted_proxy("10.0.0.1").trusted_proxies(none), "`.trusted_proxy("),
            (header().trusted_proxy("0.0.0.0/0"), "trust_everyone_who_can_connect"),
            (header().trusted_proxy("::/0"), "trust_everyone_who_can_connect"),
            (header().trusted_proxy("proxy").trusted_proxy("0.0.0.0/0"), "must be an IP address"),
            (header().trusted_proxy("10.0.0.1").client_certificate(|_| None), "two sources"),
            (
                header().trusted_proxy("10.0.0.1").dangerous().trust_everyone_who_can_connect(),
                "leave out one of the two",
            ),
            (MutualTls::required().trusted_proxy("10.0.0.1"), "add `.proxy_header("),
            (MutualTls::required().peer(|_| None), "add `.proxy_header("),
            (
                MutualTls::required().dangerous().trust_everyone_who_can_connect(),
                "add `.proxy_header(",
            ),
            (
                MutualTls::required().client_certificate(|_| None).trusted_proxy("10.0.0.1"),
                "add `.proxy_header(",
            ),
            // The last one would count, and the first one would be forgotten silently.
            (
                header().trusted_proxy("10.0.0.1").proxy_header(ProxyHeader::envoy()),
                "call `.proxy_header(…)` once",
            ),
            (
                header().trusted_proxy("10.0.0.1").peer(|_| None).peer(|_| None),
                "call `.peer(…)` or",
            ),
            (
                MutualTls::required().client_certificate(|_| None).client_certificate(|_| None),
                "call `.client_certificate(…)` once",
            ),
        ] {
            let error = error(builder);
            assert!(error.contains(part), "{error}");
        }
        assert!(MutualTls::required().build().unwrap().is_required());
        assert!(!MutualTls::optional().build().unwrap().is_required());
    }

    #[test]
    fn d10_a_header_with_another_meaning_cannot_be_built() {
        let build = |header| {
            MutualTls::required().proxy_header(header).trusted_proxy("10.0.0.1").build().map(drop)
        };
        for name in [
            "authorization",
            "Cookie",
            "HOST",
            "proxy-authorization",
            "dpop",
            "x-forwarded-for",
            "forwarded",
            "content-type",
            "accept",
            "sec-fetch-site",
            "if-none-match",
        ] {
            for header in [ProxyHeader::nginx(name), ProxyHeader::haproxy(name)] {
                let error = build(header).unwrap_err().to_string();
                assert!(error.contains("another meaning"), "{name}: {error}");
            }
        }
        for name in ["", "a b", "a:", "ü"] {
            let error = build(ProxyHeader::nginx(name)).unwrap_err();
            assert!(matches!(error, ConfigError::InvalidName(_)), "{name}");
            assert!(error.to_string().contains("a header name"), "{name}: {error}");
        }
        for name in ["ssl-client-cert", "X-SSL-CERT", "x-client-cert"] {
            assert_eq!(build(ProxyHeader::nginx(name)), Ok(()), "{name}");
        }
    }
}
