//! The example server with a real identity provider: `tests/idp`, which `tests/run`
//! installs and starts.

use std::env;

use serde_json::Value;

use super::process::{Server, refuses};
use crate::support::AUDIENCE;

const ALGORITHMS: [&str; 4] = ["RS256", "PS256", "ES256", "EdDSA"];

/// The provider that `tests/run` has started.
struct Idp {
    issuer: String,
    client: reqwest::Client,
}

impl Idp {
    fn new() -> Self {
        let issuer = env::var("IDP").expect("IDP is the provider's issuer: use `tests/run`");
        Self { issuer, client: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    async fn get(&self, path: &str) -> String {
        let response = self.client.get(format!("{}{path}", self.issuer)).send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        text
    }

    async fn token(&self, algorithm: &str, scope: &str) -> String {
        self.get(&format!("/test/token?alg={algorithm}&scope={scope}")).await
    }

    async fn rotate(&self, how: &str) {
        let url = format!("{}/test/rotate{how}", self.issuer);
        assert_eq!(self.client.post(url).send().await.unwrap().status(), 204);
    }

    async fn fetches(&self) -> u64 {
        let hits: Value = serde_json::from_str(&self.get("/test/hits").await).unwrap();
        hits["/jwks"].as_u64().unwrap_or_default()
    }

    fn server(&self, variables: &[(&str, &str)]) -> Server {
        let all = [("ISSUER", &*self.issuer), ("AUDIENCE", AUDIENCE)];
        let all: Vec<_> = all.into_iter().chain(variables.iter().copied()).collect();
        Server::start(&all)
    }
}

// One test: the provider is one, and its keys rotate.
#[tokio::test]
#[ignore = "needs the identity provider in tests/idp, which tests/run starts"]
async fn a_real_provider_is_understood() {
    let idp = Idp::new();
    let server = idp.server(&[("JWKS_COOLDOWN_SECS", "1")]);
    let strict = idp.server(&[("ACCESS_TOKENS_ONLY", "1"), ("JWKS_COOLDOWN_SECS", "1")]);

    let mut before = Vec::new();
    for algorithm in ALGORITHMS {
        let token = idp.token(algorithm, "read").await;
        for server in [&server, &strict] {
            let (status, me) = server.me(&token).await;
            assert_eq!(status, 200, "{algorithm}: {me}");
            assert_eq!((&me["sub"], &me["client_id"]), (&"service".into(), &"service".into()));
            assert_eq!((&me["scope"], &me["iss"]), (&"read".into(), &(*idp.issuer).into()));
            assert_eq!(server.asked(server.get("/admin").bearer_auth(&token)).await.0, 403);
        }
        let admin = idp.token(algorithm, "admin").await;
        assert_eq!(server.asked(server.get("/admin").bearer_auth(admin)).await.0, 200);
        before.push(token);
    }

    // The ID token's audience is a client of another name, or of the very same one.
    let id_token = idp.get("/test/id-token").await;
    assert_eq!(strict.me(&id_token).await.0, 401);
    let other = idp.server(&[("AUDIENCE", "https://other.example.com")]);
    assert_eq!(other.me(&id_token).await.0, 401);

    // Whose authority nobody knows is no provider.
    if idp.issuer.starts_with("https:") {
        let issuer = [("ISSUER", &*idp.issuer), ("AUDIENCE", AUDIENCE)];
        let output = refuses(&[&issuer[..], &[("SSL_CERT_FILE", "")]].concat());
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains("cannot be reached: invalid peer certificate"), "{text}");
    }

    // New keys beside the old ones: the first new token passes in its own request.
    idp.rotate("?keep=1").await;
    let fetches = idp.fetches().await;
    let first = idp.token("RS256", "read").await;
    assert_eq!(server.me(&first).await.0, 200);
    assert_eq!(idp.fetches().await, fetches + 1);
    for (algorithm, old) in ALGORITHMS.iter().zip(&before) {
        assert_eq!(server.me(old).await.0, 200, "{algorithm}: still published");
        let new = idp.token(algorithm, "read").await;
        assert_eq!(server.me(&new).await.0, 200, "{algorithm}: new");
    }

    // The old ones go with the next fetch.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    idp.rotate("").await;
    let after = idp.token("EdDSA", "read").await;
    assert_eq!(server.me(&after).await.0, 200);
    for (algorithm, old) in ALGORITHMS.iter().zip(before.iter().chain([&first])) {
        assert_eq!(server.me(old).await.0, 401, "{algorithm}: gone");
    }
}
