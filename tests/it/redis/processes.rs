//! Two processes of a resource server, which accept the proofs of the same clients and share a Redis.

use std::{
    env,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use axum::{Router, routing::get};
use reqwest::{Client, Response};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinSet};
use tower_jwt_auth::{
    Algorithm, JwtAuthLayer, Verifier,
    proof::DPoP,
    redis::Redis,
    testing::{TestProof, TestProofKey},
};

use super::Server;
use crate::support::{AUDIENCE, ISSUER, claims_with, key};

/// Where clients know the service, whichever process answers.
const PUBLIC: &str = "https://api.example.com";

/// The variable that makes this program a server; it has the address of Redis.
const ROLE: &str = "SERVES_PROOFS_WITH_REDIS";

/// Not a test: the server, in a process that [`Process::start`] starts. It ends with its stdin.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "is started by the test of this file"]
async fn server() {
    let Ok(redis) = env::var(ROLE) else { return };
    let redis = Redis::builder(redis).prefix("test").build().await.unwrap();
    let store = redis.replay_store().build().await.unwrap();
    let dpop = DPoP::required().public_url(PUBLIC).replay_store(store).build().unwrap();
    // Its secret is the same in all processes.
    let keys = key(Algorithm::HS256).key();
    let verifier: Verifier = Verifier::builder()
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .keys(keys)
        .dpop(dpop)
        .build()
        .unwrap();
    let app = Router::new().route("/me", get(async || "me")).layer(JwtAuthLayer::new(verifier));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("\nlistening on http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let end = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    end.await.unwrap().unwrap();
}

struct Process {
    child: Child,
    url: String,
}

impl Process {
    fn start(redis: &Server) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["redis::processes::server", "--exact", "--ignored", "--nocapture"])
            .env(ROLE, redis.url())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("listening on ").map(|url| format!("{url}/me")));
        Self { url: url.expect("it does not listen"), child }
    }

    async fn ask(&self, token: &str, proof: &str) -> Response {
        let request = Client::builder().no_proxy().build().unwrap().get(&self.url);
        let request = request.header("authorization", format!("DPoP {token}"));
        request.header("dpop", proof).send().await.unwrap()
    }

    async fn status(&self, token: &str, proof: &str) -> u16 {
        self.ask(token, proof).await.status().as_u16()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn d02_a_proof_is_accepted_by_one_of_two_processes() {
    let mut redis = Server::start();
    redis.establish("test");
    let [one, other] = [(), ()].map(|()| Arc::new(Process::start(&redis)));
    let (client, stranger) = (TestProofKey::new(), TestProofKey::new());
    let bound = |client: &TestProofKey| {
        let cnf = json!({ "jkt": client.jkt().to_string() });
        let claims = json!({ "exp": 4_000_000_000_u64, "iat": null, "cnf": cnf });
        key(Algorithm::HS256).token(&claims_with(claims))
    };
    let proof = |client: &TestProofKey, token: &str| -> TestProof {
        client.proof("GET", format!("{PUBLIC}/me")).token(token)
    };
    let token = bound(&client);

    // In either order.
    let (first, second) = (proof(&client, &token).sign(), proof(&client, &token).sign());
    assert_eq!(one.status(&token, &first).await, 200);
    assert_eq!(other.status(&token, &first).await, 401);
    assert_eq!(other.status(&token, &second).await, 200);
    assert_eq!(one.status(&token, &second).await, 401);

    // A refusal elsewhere does not spend it.
    let third = proof(&client, &token).sign();
    assert_eq!(one.status(&bound(&stranger), &third).await, 401);
    assert_eq!(other.status(&token, &third).await, 200);

    // The same `jti` of another key is another proof.
    let same = |client: &TestProofKey, token: &str| proof(client, token).claim("jti", "x").sign();
    assert_eq!(one.status(&token, &same(&client, &token)).await, 200);
    let others = bound(&stranger);
    assert_eq!(other.status(&others, &same(&stranger, &others)).await, 200);
    assert_eq!(other.status(&token, &same(&client, &token)).await, 401);

    // All at once.
    for _ in 0..5 {
        let proof = proof(&client, &token).sign();
        let mut all = JoinSet::new();
        for number in 0..20 {
            let (process, token, proof) =
                (Arc::clone([&one, &other][number % 2]), token.clone(), proof.clone());
            all.spawn(async move { process.status(&token, &proof).await });
        }
        let statuses = all.join_all().await;
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 19, "{statuses:?}");
    }

    // A process that was started afterwards.
    drop(one);
    let later = Process::start(&redis);
    assert_eq!(later.status(&token, &first).await, 401);

    // Without Redis nothing is accepted, and it is not the client's fault.
    redis.kill();
    for process in [&later, &*other] {
        let answer = process.ask(&token, &proof(&client, &token).sign()).await;
        assert_eq!(answer.status(), 503);
        assert!(answer.headers().contains_key("retry-after"));
        assert!(!answer.headers().contains_key("www-authenticate"));
    }
    redis.restart();
    let mut status = 503;
    for _ in 0..200 {
        status = other.status(&token, &proof(&client, &token).sign()).await;
        if status != 503 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(status, 200);
    // What was on its disk is known.
    assert_eq!(other.status(&token, &first).await, 401);
}
