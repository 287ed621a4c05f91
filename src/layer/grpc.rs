//! Layers for services of gRPC.

use super::{JwtAuthLayer, gate::Gate};
use crate::{response::Grpc, verifier::Verifier};

impl<C> JwtAuthLayer<C, Grpc> {
    /// A layer for a service of gRPC: it wants a token in `Authorization` and nowhere else, and answers
    /// refusals as [`Grpc`] says.
    ///
    /// It is [`new`](JwtAuthLayer::new) with `respond_with(Grpc::new())`. Add no
    /// [`source`](Self::source): a client of gRPC has no cookies, and its metadata can always have
    /// `authorization`.
    ///
    /// Put it on the server of tonic, `Server::builder().layer(…)`, or around an axum router with services
    /// of tonic. A method finds the [`Claims`](crate::Claims) in `request.extensions()`.
    ///
    /// # Example
    /// ```
    /// use tower_jwt_auth::JwtAuthLayer;
    /// # use tower_jwt_auth::{Key, Verifier};
    /// # let verifier = Verifier::builder()
    /// #     .any_issuer().any_audience().keys(Key::hs256([7; 32])).build()?;
    /// let layer = JwtAuthLayer::grpc(verifier).exempt_grpc_health();
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    ///
    /// # Security
    ///
    /// A refusal has the HTTP status 200: see [`Grpc`](Grpc#security).
    pub fn grpc(verifier: Verifier<C>) -> Self {
        JwtAuthLayer::of(Gate::new(verifier), Grpc::new()).with(|gate| gate.own_format = true)
    }
}

impl<C, R, M> JwtAuthLayer<C, R, M> {
    /// Lets requests to `Check` and `Watch` of the [health service] pass, without claims: kubelets and
    /// load balancers have no token. Their token, if they have one, is not verified. Default: they are
    /// refused without a token.
    ///
    /// Only these two paths are exempt, compared byte for byte: `/grpc.health.v1.Health/Check` and
    /// `/grpc.health.v1.Health/Watch`. A [`RequireLayer`](super::RequireLayer) inside still refuses them.
    /// In a table of [`Routes`], make them public as well.
    ///
    /// # Security
    ///
    /// Every client can read whether a service is up, and open a stream of `Watch`.
    ///
    /// [health service]: https://github.com/grpc/grpc/blob/master/doc/health-checking.md
    /// [`Routes`]: crate::layer#structs
    pub fn exempt_grpc_health(self) -> Self {
        self.exempt(HEALTH)
    }

    /// Lets requests to the [reflection service] pass, v1 and v1alpha, without claims. Their token, if
    /// they have one, is not verified. Default: they are refused without a token.
    ///
    /// Only these two paths are exempt, compared byte for byte:
    /// `/grpc.reflection.v1.ServerReflection/ServerReflectionInfo` and the same of `v1alpha`.
    ///
    /// # Security
    ///
    /// Every client can read the names of all services, methods and messages. `grpcurl` and others can send
    /// a token with their questions: then it is not needed. [`lint`](Self::lint) reports it.
    ///
    /// [reflection service]: https://github.com/grpc/grpc/blob/master/doc/server-reflection.md
    pub fn exempt_grpc_reflection(self) -> Self {
        self.exempt(REFLECTION)
    }

    fn exempt(self, paths: [&'static str; 2]) -> Self {
        self.with(|gate| gate.exempt.extend(paths))
    }
}

impl<C> Gate<C> {
    /// Whether everybody can ask the reflection service.
    pub(super) fn exempts_reflection(&self) -> bool {
        REFLECTION.iter().all(|path| self.exempt.contains(path))
    }
}

const HEALTH: [&str; 2] = ["/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"];

const REFLECTION: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];
