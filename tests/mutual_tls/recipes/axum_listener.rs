use std::{io, net::SocketAddr, time::Duration};

use axum::{
    Router,
    extract::connect_info::{ConnectInfo, Connected},
    serve::{IncomingStream, Listener},
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tower_jwt_auth::{
    ConfigError,
    proof::{ClientCertificate, MutualTls},
};

/// Ends TLS for `axum::serve`. A slow handshake does not delay others.
pub struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    handshakes: JoinSet<Option<(TlsStream<TcpStream>, SocketAddr)>>,
}

impl TlsListener {
    pub fn new(tcp: TcpListener, acceptor: TlsAcceptor) -> Self {
        Self { tcp, acceptor, handshakes: JoinSet::new() }
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                (stream, address) = Listener::accept(&mut self.tcp), if self.handshakes.len() < 1000 => {
                    let handshake = self.acceptor.accept(stream);
                    self.handshakes.spawn(async move {
                        let stream = time::timeout(Duration::from_secs(10), handshake).await;
                        Some((stream.ok()?.ok()?, address))
                    });
                }
                Some(done) = self.handshakes.join_next() => {
                    if let Ok(Some(connection)) = done {
                        return connection;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

/// What the service knows of a connection.
#[derive(Clone)]
pub struct Peer {
    pub address: SocketAddr,
    pub certificate: Option<ClientCertificate>,
}

impl Connected<IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        let (_, tls) = stream.io().get_ref();
        let client = tls.peer_certificates().and_then(|chain| chain.first());
        Self {
            address: *stream.remote_addr(),
            certificate: client.map(ClientCertificate::from_der),
        }
    }
}

pub fn mutual_tls() -> Result<MutualTls, ConfigError> {
    MutualTls::required()
        .client_certificate(|head| {
            head.extensions().get::<ConnectInfo<Peer>>()?.certificate.clone()
        })
        .build()
}

pub async fn serve(listener: TlsListener, app: Router) -> io::Result<()> {
    axum::serve(listener, app.into_make_service_with_connect_info::<Peer>()).await
}
