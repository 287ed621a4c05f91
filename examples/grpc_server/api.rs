//! The layers of a service of gRPC. Copy this file.

use tonic::{
    service::Routes as Services,
    transport::{Server, server::Router},
};
use tonic_web::GrpcWebLayer;
use tower::layer::util::{Identity, Stack};
use tower_jwt_auth::{
    ConfigError, JwtAuthLayer, RegisteredClaims, RequireLayer, Verifier, authorize::Scopes,
    layer::Routes, response::Grpc,
};

use crate::{service::Shop, wire::OrdersServer};

/// The outermost layer first. Inside of gRPC-Web, all requests and answers are those of gRPC.
type Layers = (GrpcWebLayer, JwtAuthLayer<RegisteredClaims, Grpc>, RequireLayer);

/// The whole server.
pub(crate) fn server(verifier: Verifier) -> Result<Router<Stack<Layers, Identity>>, ConfigError> {
    // Load balancers ask for the health without a token.
    let auth = JwtAuthLayer::grpc(verifier).realm("shop").exempt_grpc_health();
    // Browsers speak gRPC-Web over HTTP/1.1 as well.
    let server = Server::builder().accept_http1(true);
    let mut server = server.layer((GrpcWebLayer::new(), auth, policies()?));
    Ok(server.add_routes(services()))
}

/// The scopes of each method. A method that is not named here is refused.
pub(crate) fn policies() -> Result<RequireLayer, ConfigError> {
    Routes::new()
        .route("/shop.v1.Orders/Get", Scopes::all_of(["orders:read"]))
        .route("/shop.v1.Orders/Watch", Scopes::all_of(["orders:watch"]))
        .public("/grpc.health.v1.Health/Check")
        .public("/grpc.health.v1.Health/Watch")
        .build()
}

/// The services, without any layer.
pub(crate) fn services() -> Services {
    // The server as a whole is healthy as soon as it answers.
    let (_, health) = tonic_health::server::health_reporter();
    Services::new(OrdersServer::new(Shop)).add_service(health)
}
