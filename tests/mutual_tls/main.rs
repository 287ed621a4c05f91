//! Tokens that are bound to client certificates, over TLS: the recipes of the guide
//! `sender-constrained.md` with the clients that a server has to tell apart.

use std::{net::SocketAddr, sync::Arc};

use axum::Router;
use tokio::net::TcpListener;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{server::WebPkiClientVerifier, server::danger::ClientCertVerifier},
};
use tower_jwt_auth::{proof::MutualTls, testing::TestIssuer};

use crate::{
    recipes::any_certificate::AnyCertificate,
    support::{Connection, Party, all_cases, app, bound, provider, refused},
};

mod browser;
mod proxies;
mod recipes {
    pub mod any_certificate;
    #[allow(dead_code, reason = "applications read the address")]
    pub mod axum_listener;
    pub mod axum_server;
    pub mod hyper;
    pub mod tonic;
}
mod support;

/// The extension that the recipe of hyper adds.
fn from_extension() -> MutualTls {
    MutualTls::required().build().unwrap()
}

fn any_certificate() -> Arc<dyn ClientCertVerifier> {
    Arc::new(AnyCertificate(provider()))
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Serves with hyper's recipe.
async fn serve_hyper(acceptor: TlsAcceptor, app: Router) -> SocketAddr {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(recipes::hyper::serve(stream, acceptor.clone(), app.clone()));
        }
    });
    address
}

#[tokio::test]
async fn d09_axum_with_a_listener() {
    let (party, issuer) = (Party::new(), TestIssuer::new());
    let (tcp, address) = listener().await;
    let acceptor = TlsAcceptor::from(party.server_config(any_certificate()));
    let listener = recipes::axum_listener::TlsListener::new(tcp, acceptor);
    let app = app(&issuer, recipes::axum_listener::mutual_tls().unwrap());
    tokio::spawn(recipes::axum_listener::serve(listener, app));

    // A client that never ends its handshake delays nobody.
    let _slow = tokio::net::TcpStream::connect(address).await.unwrap();
    all_cases(&party, &issuer, address, false, true).await;
    all_cases(&party, &issuer, address, true, true).await;
}

#[tokio::test]
async fn d09_axum_server() {
    let (party, issuer) = (Party::new(), TestIssuer::new());
    let mut config = Arc::unwrap_or_clone(party.server_config(any_certificate()));
    config.alpn_protocols = vec!["h2".into(), "http/1.1".into()];
    let (listener, address) = listener().await;
    let config = axum_server::tls_rustls::RustlsConfig::from_config(Arc::new(config));
    let app = app(&issuer, recipes::axum_server::mutual_tls().unwrap());
    let listener = listener.into_std().unwrap();
    let server = axum_server::from_tcp_rustls(listener, config).unwrap();
    tokio::spawn(server.serve(app.into_make_service()));

    all_cases(&party, &issuer, address, false, true).await;
    all_cases(&party, &issuer, address, true, true).await;
}

#[tokio::test]
async fn d09_hyper() {
    let (party, issuer) = (Party::new(), TestIssuer::new());
    let acceptor = TlsAcceptor::from(party.server_config(any_certificate()));
    let address = serve_hyper(acceptor, app(&issuer, from_extension())).await;
    all_cases(&party, &issuer, address, false, true).await;
    all_cases(&party, &issuer, address, true, true).await;
}

#[tokio::test]
async fn d09_tonic() {
    use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig, server::TcpIncoming};

    let (party, issuer) = (Party::new(), TestIssuer::new());
    let (listener, address) = listener().await;
    let tls = ServerTlsConfig::new()
        .identity(Identity::from_pem(
            support::to_pem(&party.server.certificate),
            party.server.key.serialize_pem(),
        ))
        .client_ca_root(Certificate::from_pem(support::to_pem(&party.authority)))
        .client_auth_optional(true);
    let app = app(&issuer, recipes::tonic::mutual_tls().unwrap());
    let server = Server::builder()
        .tls_config(tls)
        .unwrap()
        .add_routes(tonic::service::Routes::from(app))
        .serve_with_incoming(TcpIncoming::from(listener));
    tokio::spawn(server);

    all_cases(&party, &issuer, address, true, false).await;
}

#[tokio::test]
async fn d09_an_authority_may_be_demanded_by_the_server() {
    let (party, issuer) = (Party::new(), TestIssuer::new());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(party.roots()), provider());
    let verifier = verifier.allow_unauthenticated().build().unwrap();
    let acceptor = TlsAcceptor::from(party.server_config(verifier));
    let address = serve_hyper(acceptor, app(&issuer, from_extension())).await;
    all_cases(&party, &issuer, address, false, false).await;
}

/// Without the check of the handshake's signature, a copy of the certificate would be enough.
#[tokio::test]
async fn d09_a_copy_of_the_certificate_without_its_key_is_no_handshake() {
    let (mut party, issuer) = (Party::new(), TestIssuer::new());
    let acceptor = TlsAcceptor::from(party.server_config(any_certificate()));
    let address = serve_hyper(acceptor, app(&issuer, from_extension())).await;

    let token = bound(&issuer, &party.client);
    std::mem::swap(&mut party.client.key, &mut party.other.key);
    let Ok(mut stream) = party.connect(address, Some(&party.client), "http/1.1").await else {
        return;
    };
    // With TLS 1.3, the client sees the refusal when it reads.
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let request = format!("GET / HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\r\n");
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer).await;
    assert!(read.is_err() && answer.is_empty(), "{read:?} {}", String::from_utf8_lossy(&answer));
}

/// A server that asks no client for a certificate.
#[tokio::test]
async fn d09_no_certificate_is_asked_for() {
    let (party, issuer) = (Party::new(), TestIssuer::new());
    let verifier = tokio_rustls::rustls::server::WebPkiClientVerifier::no_client_auth();
    let acceptor = TlsAcceptor::from(party.server_config(verifier));
    let address = serve_hyper(acceptor, app(&issuer, from_extension())).await;
    let mut connection = Connection::open(&party, address, Some(&party.client), false).await;
    refused(connection.get(&bound(&issuer, &party.client), &[]).await);
}

#[test]
fn the_guide_has_the_code_of_the_recipes() {
    let guide = include_str!("../../docs/guides/sender-constrained.md");
    for recipe in [
        include_str!("recipes/any_certificate.rs"),
        include_str!("recipes/axum_listener.rs"),
        include_str!("recipes/axum_server.rs"),
        include_str!("recipes/hyper.rs"),
        include_str!("recipes/tonic.rs"),
    ] {
        // The guide has it without `pub`, which the modules of the tests need.
        let code = recipe.replace("pub async fn", "async fn").replace("pub ", "");
        assert!(guide.contains(code.trim_end()), "not in the guide:\n{code}");
    }
}
