use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};
use tower_jwt_auth::{
    ConfigError,
    proof::{ClientCertificate, MutualTls},
};

pub fn mutual_tls() -> Result<MutualTls, ConfigError> {
    MutualTls::required()
        .client_certificate(|head| {
            let chain = head.extensions().get::<TlsConnectInfo<TcpConnectInfo>>()?.peer_certs()?;
            chain.first().map(ClientCertificate::from_der)
        })
        .build()
}
