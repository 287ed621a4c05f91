//! The service over HTTP/2 with tonic's client, and its refusals with clients that others wrote.

#[path = "../api.rs"]
mod api;
mod clients;
mod program;
mod servers;
#[path = "../service.rs"]
mod service;
#[path = "../wire.rs"]
mod wire;

use std::time::Duration;

use http::uri::PathAndQuery;
use prost::Message;
use tonic::{Code, Request, Status, Streaming, client::Grpc, transport::Channel};
use tonic_prost::ProstCodec;
use tower_jwt_auth::{
    revocation::{MemoryDenylist, Revocation},
    testing::{TestClock, TestIssuer},
};

use self::{
    servers::{Address, serve},
    wire::{GetRequest, Order, WatchRequest},
};

pub(crate) const GET: &str = "/shop.v1.Orders/Get";
const WATCH: &str = "/shop.v1.Orders/Watch";

/// The example's service, its clock and its denylist.
struct Setup {
    clock: TestClock,
    issuer: TestIssuer,
    list: MemoryDenylist,
    address: Address,
}

impl Setup {
    async fn start() -> Self {
        let clock = TestClock::new();
        let issuer = TestIssuer::new().with_clock(clock.clone());
        let list = MemoryDenylist::builder().clock(clock.clone()).build().unwrap();
        let verifier = issuer.verifier_builder().denylist(list.clone()).build().unwrap();
        let address = serve(api::server(verifier).unwrap()).await;
        Self { clock, issuer, list, address }
    }

    fn token(&self, subject: &str) -> String {
        let token = self.issuer.token().subject(subject).claim("sid", subject);
        let token = token.scopes(["orders:read", "orders:watch"]);
        token.expires_in(Duration::from_secs(300)).sign()
    }

    async fn client(&self) -> Grpc<Channel> {
        let channel = Channel::from_shared(self.address.url()).unwrap();
        let mut client = Grpc::new(channel.connect().await.unwrap());
        client.ready().await.unwrap();
        client
    }

    async fn get(&self, id: u64, token: Option<&str>) -> Result<Order, Status> {
        self.call(GET, GetRequest { id }, token).await
    }

    async fn call<M, A>(
        &self,
        path: &'static str,
        message: M,
        token: Option<&str>,
    ) -> Result<A, Status>
    where
        M: Message + 'static,
        A: Message + Default + 'static,
    {
        let request = with_token(message, token);
        let codec = ProstCodec::<M, A>::default();
        let path = PathAndQuery::from_static(path);
        Ok(self.client().await.unary(request, path, codec).await?.into_inner())
    }

    async fn watch(&self, token: &str) -> Streaming<Order> {
        let request = with_token(WatchRequest {}, Some(token));
        let codec = ProstCodec::<WatchRequest, Order>::default();
        let path = PathAndQuery::from_static(WATCH);
        let answer = self.client().await.server_streaming(request, path, codec).await;
        answer.unwrap().into_inner()
    }
}

fn with_token<M>(message: M, token: Option<&str>) -> Request<M> {
    let mut request = Request::new(message);
    if let Some(token) = token {
        let value = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    request
}

#[tokio::test]
async fn the_client_of_tonic_reads_each_refusal() {
    let setup = Setup::start().await;
    let ada = setup.token("ada");
    let own = setup.get(3, Some(&ada)).await.unwrap();
    assert_eq!(own, Order { id: 3, owner: "ada".into() });

    let status = setup.get(3, None).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert_eq!(status.message(), "this request needs a token, and has none");
    assert_eq!(status.metadata().get("www-authenticate").unwrap(), "Bearer realm=\"shop\"");

    let expired = setup.issuer.token().expired().sign();
    let status = setup.get(3, Some(&expired)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    let challenge = status.metadata().get("www-authenticate").unwrap().to_str().unwrap();
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");

    let poor = setup.issuer.token().subject("ada").sign();
    let status = setup.get(3, Some(&poor)).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    let challenge = status.metadata().get("www-authenticate").unwrap().to_str().unwrap();
    assert!(challenge.contains("scope=\"orders:read\""), "{challenge}");

    // By the method itself.
    let status = setup.get(4, Some(&ada)).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    // By the table, which is asked first: the service has no such method either.
    let status =
        setup.call::<_, Order>("/shop.v1.Orders/Drop", GetRequest { id: 3 }, Some(&ada)).await;
    assert_eq!(status.unwrap_err().code(), Code::PermissionDenied);
    let status = setup.call::<_, Order>("/shop.v1.Orders/Drop", GetRequest { id: 3 }, None).await;
    assert_eq!(status.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn the_health_needs_no_token() {
    use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
    let setup = Setup::start().await;
    let ask = |path| {
        let question = HealthCheckRequest { service: String::new() };
        setup.call::<_, HealthCheckResponse>(path, question, None)
    };
    assert_eq!(ask("/grpc.health.v1.Health/Check").await.unwrap().status, 1);
    let status = ask("/grpc.health.v1.Health/List").await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let setup = Setup::start().await;
    let mut ada = setup.watch(&setup.token("ada")).await;
    let mut grace = setup.watch(&setup.token("grace")).await;
    assert_eq!(ada.message().await.unwrap().unwrap().owner, "ada");
    assert_eq!(grace.message().await.unwrap().unwrap().owner, "grace");
    let until = setup.clock.unix_seconds() + 3600;
    let session = Revocation::session(setup.issuer.issuer(), "grace", until);
    setup.list.insert(session).unwrap();
    assert_eq!(end(&mut grace).await.message(), "the token was revoked");
    setup.clock.advance(Duration::from_secs(360));
    let end = end(&mut ada).await;
    assert_eq!((end.code(), end.message()), (Code::Unauthenticated, "the token has expired"));
    assert_eq!(end.metadata().get("validity-end").unwrap(), "expired");
}

/// The status of a stream, after the orders that were under way. It comes before the next two of them.
async fn end(stream: &mut Streaming<Order>) -> Status {
    for _ in 0..2 {
        match stream.message().await {
            Ok(order) => assert!(order.is_some(), "it ends without an error"),
            Err(status) => return status,
        }
    }
    panic!("it does not end");
}
