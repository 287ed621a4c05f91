//! Certificates, a client, and what each case expects.

use std::{net::SocketAddr, sync::Arc};

use axum::{Router, http::StatusCode, routing::get};
use bytes::Bytes;
use http_body_util::Empty;
use hyper::{Request, client::conn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        crypto::{CryptoProvider, aws_lc_rs},
        pki_types::{CertificateDer, PrivateKeyDer},
        server::danger::ClientCertVerifier,
        sign::{CertifiedKey, SingleCertAndKey},
    },
};
use tower_jwt_auth::{
    JwtAuthLayer,
    proof::{ClientCertificate, MutualTls},
    testing::TestIssuer,
};

/// A certificate and its key.
pub struct Identity {
    pub certificate: CertificateDer<'static>,
    pub key: KeyPair,
}

impl Identity {
    fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).unwrap()
    }

    /// As a token names it.
    pub fn thumbprint(&self) -> String {
        ClientCertificate::from_der(&self.certificate).thumbprint().to_string()
    }
}

/// An authority, the server, and three clients, one of them self-signed.
pub struct Party {
    pub authority: CertificateDer<'static>,
    pub server: Identity,
    pub client: Identity,
    pub other: Identity,
    pub self_signed: Identity,
}

impl Party {
    pub fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let signed = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new([name.to_owned()]).unwrap();
            let certificate = params.signed_by(&key, &issuer).unwrap();
            Identity { certificate: certificate.into(), key }
        };
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(["self.example".to_owned()]).unwrap();
        let self_signed = Identity { certificate: own.self_signed(&key).unwrap().into(), key };
        Self {
            server: signed("127.0.0.1"),
            client: signed("client.example"),
            other: signed("other.example"),
            authority: authority.into(),
            self_signed,
        }
    }

    /// A server that has its certificates of clients verified so.
    pub fn server_config(&self, verifier: Arc<dyn ClientCertVerifier>) -> Arc<ServerConfig> {
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![self.server.certificate.clone()], self.server.key())
            .unwrap();
        Arc::new(config)
    }

    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.clone()).unwrap();
        roots
    }

    /// Connects with this certificate, from this address.
    pub async fn connect(
        &self,
        server: SocketAddr,
        identity: Option<&Identity>,
        protocol: &str,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots());
        let mut config = match identity {
            None => config.with_no_client_auth(),
            // Without a look at whether the key is that of the certificate: a thief has none.
            Some(identity) => {
                let key = aws_lc_rs::sign::any_supported_type(&identity.key()).unwrap();
                let key = CertifiedKey::new(vec![identity.certificate.clone()], key);
                config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key)))
            }
        };
        config.alpn_protocols = vec![protocol.into()];
        let stream = TcpStream::connect(server).await?;
        let name = server.ip().into();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }
}

pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// A route that needs a token with its proof.
pub fn app(issuer: &TestIssuer, mutual_tls: MutualTls) -> Router {
    let verifier = issuer.verifier_builder().mutual_tls(mutual_tls).build().unwrap();
    Router::new().route("/", get(async || "ok")).layer(JwtAuthLayer::new(verifier))
}

/// A token that is bound to this certificate.
pub fn bound(issuer: &TestIssuer, identity: &Identity) -> String {
    bound_to(issuer, &identity.thumbprint())
}

pub fn bound_to(issuer: &TestIssuer, thumbprint: &str) -> String {
    issuer.token().claim("cnf", json!({ "x5t#S256": thumbprint })).sign()
}

/// One connection.
pub enum Connection {
    Http1(conn::http1::SendRequest<Empty<Bytes>>),
    Http2(conn::http2::SendRequest<Empty<Bytes>>),
}

impl Connection {
    pub async fn open(
        party: &Party,
        server: SocketAddr,
        identity: Option<&Identity>,
        http2: bool,
    ) -> Self {
        if http2 {
            let stream = party.connect(server, identity, "h2").await.unwrap();
            let executor = TokioExecutor::new();
            let (send, connection) =
                conn::http2::handshake(executor, TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            Self::Http2(send)
        } else {
            let stream = party.connect(server, identity, "http/1.1").await.unwrap();
            let (send, connection) = conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            Self::Http1(send)
        }
    }

    /// Without TLS, from this address.
    pub async fn plain(server: SocketAddr, from: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(from).unwrap();
        let stream = socket.connect(server).await.unwrap();
        let (send, connection) = conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self::Http1(send)
    }

    /// The status of a request with this token, and its challenge.
    pub async fn get(&mut self, token: &str, headers: &[(&str, &str)]) -> (StatusCode, String) {
        let mut request = Request::get("https://127.0.0.1/")
            .header("host", "127.0.0.1")
            .header("authorization", format!("Bearer {token}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Empty::new()).unwrap();
        let response = match self {
            Self::Http1(send) => {
                *request.uri_mut() = "/".parse().unwrap();
                send.ready().await.unwrap();
                send.send_request(request).await
            }
            Self::Http2(send) => {
                request.headers_mut().remove("host");
                send.ready().await.unwrap();
                send.send_request(request).await
            }
        };
        let response = response.unwrap();
        let challenge = response.headers().get("www-authenticate");
        let challenge = challenge.map_or("", |value| value.to_str().unwrap()).to_owned();
        (response.status(), challenge)
    }
}

/// The cases of each server. `self_signed` says whether it takes such certificates.
pub async fn all_cases(
    party: &Party,
    issuer: &TestIssuer,
    server: SocketAddr,
    http2: bool,
    self_signed: bool,
) {
    let open = |identity| Connection::open(party, server, identity, http2);
    let mine = bound(issuer, &party.client);
    let others = bound(issuer, &party.other);

    // One connection, several requests.
    let mut connection = open(Some(&party.client)).await;
    for _ in 0..2 {
        accepted(connection.get(&mine, &[]).await);
        refused(connection.get(&others, &[]).await);
        refused(connection.get(&issuer.token().sign(), &[]).await);
        let hex = hex(&party.client);
        refused(connection.get(&bound_to(issuer, &hex), &[]).await);
    }
    // Nobody is believed in a header where the connection says who the client is.
    let mut connection = open(Some(&party.other)).await;
    let header = format!(":{}:", base64(&party.client.certificate));
    refused(connection.get(&mine, &[("client-cert", &header)]).await);
    accepted(connection.get(&others, &[]).await);

    let mut connection = open(None).await;
    refused(connection.get(&mine, &[]).await);

    if self_signed {
        let own = bound(issuer, &party.self_signed);
        let mut connection = open(Some(&party.self_signed)).await;
        accepted(connection.get(&own, &[]).await);
        refused(connection.get(&mine, &[]).await);
    }
}

pub fn accepted((status, challenge): (StatusCode, String)) {
    assert_eq!(status, StatusCode::OK, "{challenge}");
}

pub fn refused((status, challenge): (StatusCode, String)) {
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
}

pub fn hex(identity: &Identity) -> String {
    let thumbprint = ClientCertificate::from_der(&identity.certificate).thumbprint();
    thumbprint.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn base64(der: &[u8]) -> String {
    to_pem(der).lines().filter(|line| !line.starts_with('-')).collect()
}

pub fn to_pem(der: &[u8]) -> String {
    pem::encode(&pem::Pem::new("CERTIFICATE", der))
}
