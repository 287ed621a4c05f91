use std::sync::Arc;

use axum_server::tls::TlsInfo;
use tower_jwt_auth::{
    ConfigError,
    proof::{ClientCertificate, MutualTls},
};

pub fn mutual_tls() -> Result<MutualTls, ConfigError> {
    MutualTls::required()
        .client_certificate(|head| {
            let tls = head.extensions().get::<Arc<TlsInfo>>()?;
            tls.peer_certificates.first().map(ClientCertificate::from_der)
        })
        .build()
}
