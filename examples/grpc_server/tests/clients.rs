//! Each refusal as clients that others wrote read it, over HTTP/2 and as gRPC-Web, inside and outside of
//! the layer of tonic-web.

use std::{
    env,
    io::Write,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tokio::task;
use tonic_web::GrpcWebLayer;
use tower_jwt_auth::{
    JwtAuthLayer, RequireLayer, Verifier,
    proof::{DPoP, Nonces},
    response::{Grpc, GrpcWeb},
    testing::{TestDenylist, TestIssuer, TestProofKey},
};

use crate::{
    GET, api,
    servers::{Address, serve, serve_axum, with},
};

/// A type of claims that no layer reads.
struct Other;

/// The order of the layers.
#[derive(Clone, Copy, Debug)]
enum Order {
    /// gRPC-Web is the outer one.
    Inside,
    /// The refusal is one of gRPC-Web, with its status in the headers.
    Outside,
    /// gRPC-Web is between the layer and the policies, which have a format of their own.
    Between,
    /// The same, with its status in the body.
    OutsideInBody,
}

/// Services that differ in what refuses: the usual one, one whose denylist fails, and one without the
/// layer that it needs.
struct Services {
    usual: Address,
    unavailable: Address,
    failed: Address,
    issuer: TestIssuer,
    key: TestProofKey,
}

impl Services {
    async fn start(order: Order) -> Self {
        let issuer = TestIssuer::new();
        let dpop = || {
            let dpop = DPoP::optional().public_url("https://shop.example");
            dpop.nonces(Nonces::new([7; 32]).unwrap()).build().unwrap()
        };
        let list = TestDenylist::new();
        list.fail();
        let usual = issuer.verifier_builder().dpop(dpop()).build().unwrap();
        let unavailable = issuer.verifier_builder().denylist(list).build().unwrap();
        let failed = issuer.verifier();
        let other = RequireLayer::for_claims(|_: &tower_jwt_auth::Claims<Other>| true);
        Self {
            usual: start(order, usual, api::policies().unwrap()).await,
            unavailable: start(order, unavailable, api::policies().unwrap()).await,
            failed: start(order, failed, other).await,
            issuer,
            key: TestProofKey::new(),
        }
    }

    /// The calls, by name.
    fn calls(&self) -> Value {
        let token = || self.issuer.token().subject("ada").scopes(["orders:read"]);
        let bearer = |token: String| json!({ "authorization": format!("Bearer {token}") });
        let bound = token().bound_to(&self.key).sign();
        let proof = self.key.proof("POST", format!("https://shop.example{GET}")).token(&bound);
        let proof = json!({ "authorization": format!("DPoP {bound}"), "dpop": proof.sign() });
        let call = |name: &str, service: &Address, metadata: Value| {
            json!({
                "name": name, "url": service.url(), "metadata": metadata,
            })
        };
        json!([
            call("accepted", &self.usual, bearer(token().sign())),
            call("no token", &self.usual, json!({})),
            call("expired", &self.usual, bearer(token().expired().sign())),
            call("scope", &self.usual, bearer(self.issuer.token().sign())),
            call("nonce", &self.usual, proof),
            call("unavailable", &self.unavailable, bearer(token().sign())),
            call("failed", &self.failed, bearer(token().sign())),
        ])
    }
}

async fn start<C>(order: Order, verifier: Verifier, require: RequireLayer<C>) -> Address
where
    C: Send + Sync + 'static,
{
    let auth = JwtAuthLayer::grpc(verifier);
    let web = GrpcWebLayer::new();
    match order {
        Order::Inside => serve(with((web, auth, require))).await,
        Order::Outside => {
            let auth: JwtAuthLayer<_, Grpc> = auth;
            serve(with((auth, require, web))).await
        }
        Order::Between => serve(with((auth, web, require.respond_with(Grpc::new())))).await,
        Order::OutsideInBody => {
            let router = api::services().into_axum_router().layer(web);
            let auth = auth.respond_with(GrpcWeb::new());
            serve_axum(router.layer(require).layer(auth)).await
        }
    }
}

/// A call, and what a client must have read: the code, the message, and a part of each of these metadata.
type Expected = (&'static str, u8, &'static str, &'static [(&'static str, &'static str)]);

const EXPECTED: [Expected; 7] = [
    ("accepted", 0, "", &[]),
    ("no token", 16, "this request needs a token, and has none", &[(CHALLENGE, "Bearer")]),
    (
        "expired",
        16,
        "the access token is not valid here, or not any more",
        &[(CHALLENGE, "error=\"invalid_token\"")],
    ),
    ("scope", 7, "the access token does not allow this", &[(CHALLENGE, "scope=\"orders:read\"")]),
    (
        "nonce",
        16,
        "the DPoP proof must have the nonce of this server",
        &[(CHALLENGE, "error=\"use_dpop_nonce\""), ("dpop-nonce", "")],
    ),
    ("unavailable", 14, "the token cannot be checked now", &[("retry-after", "")]),
    ("failed", 13, "the token could not be checked", &[]),
];

const CHALLENGE: &str = "www-authenticate";

/// Has a program make all calls. Gives what it has read otherwise than it is meant.
async fn faults(program: &str, script: &str, client: &str, order: Order) -> Vec<String> {
    let services = Services::start(order).await;
    let input = json!({ "client": client, "path": GET, "calls": services.calls() });
    let mut command = Command::new(program);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/interop");
    command
        .arg(script)
        .current_dir(folder)
        .env("NO_PROXY", "127.0.0.1")
        .env("no_proxy", "127.0.0.1");
    let said = task::spawn_blocking(move || {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    });
    let said = said.await.unwrap();
    assert!(said.status.success(), "{client}, {order:?}");
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(said.as_object().unwrap().len(), EXPECTED.len());
    let mut faults = Vec::new();
    for (name, code, message, metadata) in EXPECTED {
        let read = &said[name];
        let has = |(name, part): &(&str, &str)| {
            let value = read["metadata"][*name].as_str();
            value.is_some_and(|value| !value.is_empty() && value.contains(part))
        };
        let is_answered = read["answer"] == json!({ "id": "3", "owner": "ada" });
        if read["code"] != code
            || read["message"] != message
            || is_answered != (code == 0)
            || !metadata.iter().all(has)
        {
            faults.push(format!("{client}, {order:?}, {name}: {read}"));
        }
    }
    faults
}

fn node() -> String {
    env::var("NODE").expect("NODE is Node.js, 20 or newer")
}

fn python() -> String {
    env::var("PYTHON").expect("PYTHON is a Python with grpcio")
}

/// Has a program make all calls to services with the layers in each order.
async fn check(program: String, script: &str, client: &str) {
    let mut all = Vec::new();
    for order in [Order::Inside, Order::Outside, Order::Between, Order::OutsideInBody] {
        all.extend(faults(&program, script, client, order).await);
    }
    assert!(all.is_empty(), "{all:#?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PYTHON, a Python with tests/interop/requirements.txt, which tests/run --install brings"]
async fn grpcio_reads_each_refusal() {
    check(python(), "grpc_client.py", "grpcio").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs NODE, and tests/interop/node_modules, which tests/run --install brings"]
async fn grpc_js_reads_each_refusal() {
    check(node(), "grpc_client.mjs", "grpc-js").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs NODE, and tests/interop/node_modules, which tests/run --install brings"]
async fn connect_web_reads_each_refusal() {
    check(node(), "grpc_client.mjs", "connect-web").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs NODE, and tests/interop/node_modules, which tests/run --install brings"]
async fn protobuf_ts_reads_each_refusal_in_binary() {
    check(node(), "grpc_client.mjs", "protobuf-ts binary").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs NODE, and tests/interop/node_modules, which tests/run --install brings"]
async fn protobuf_ts_reads_each_refusal_in_base64() {
    check(node(), "grpc_client.mjs", "protobuf-ts text").await;
}
