use std::{convert::Infallible, error::Error};

use hyper::{Request, body::Incoming, service::Service};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tower_jwt_auth::proof::ClientCertificate;

/// Serves one connection. Spawn it for each that is accepted, with a limit for the time.
pub async fn serve<S, B>(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    service: S,
) -> Result<(), Box<dyn Error + Send + Sync>>
where
    S: tower::Service<Request<Incoming>, Response = hyper::Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: hyper::body::Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let stream = acceptor.accept(stream).await?;
    let client = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let certificate = client.map(ClientCertificate::from_der);
    let service = TowerToHyperService::new(service);
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(certificate.clone());
        service.call(request)
    });
    let server = auto::Builder::new(TokioExecutor::new());
    server.serve_connection(TokioIo::new(stream), service).await
}
