//! Tokens and keys of this crate, as the libraries of others see them: `tests/interop`,
//! which `tests/run --install` brings.

use std::{
    env,
    io::Write,
    process::{Command, Stdio},
};

use axum::Router;
use serde_json::json;
use tokio::{net::TcpListener, task};
use tower_jwt_auth::{
    Algorithm,
    issue::{Grant, SigningKey, TokenIssuer},
};

use super::tokens::changed;
use crate::support::{AUDIENCE, ISSUER};

const ALGORITHMS: [&str; 6] = ["RS256", "PS256", "ES256", "ES384", "EdDSA", "HS256"];
const SECRET: [u8; 32] = *b"0123456789abcdefghijklmnopqrstuv";

/// Issues one token of each algorithm, publishes the keys, and has a program verify all.
async fn check(program: &str, script: &str) {
    let key = |name: &str| match name {
        "HS256" => SigningKey::hs256(SECRET).unwrap(),
        name => SigningKey::generate(Algorithm::from_name(name).unwrap()).unwrap(),
    };
    let keys = ALGORITHMS.map(key);
    let issuer = |signing: &SigningKey| {
        let builder = TokenIssuer::builder().issuer(ISSUER).audience(AUDIENCE);
        let others = keys.iter().filter(|key| key.kid() != signing.kid()).cloned();
        let builder = others.fold(builder.key(signing.clone()), |all, key| all.published_key(key));
        builder.build().unwrap()
    };
    let tokens = keys.each_ref().map(|key| {
        let grant = Grant::new("ada").claims(&json!({"name": "Ada"}));
        let good = issuer(key).issue(grant).unwrap();
        let payload = good.as_str().find('.').unwrap() + 30;
        let changed = changed(good.as_str(), payload);
        json!({"alg": key.algorithm().name(), "good": good.as_str(), "changed": changed})
    });

    let router = Router::new().route_service("/jwks", issuer(&keys[0]).jwks_service());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let jwks = format!("http://{}/jwks", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let secret = SECRET.map(|byte| format!("{byte:02x}")).concat();
    let given = json!({
        "issuer": ISSUER, "audience": AUDIENCE, "jwks": jwks, "secret": secret, "tokens": tokens,
    });
    let mut command = Command::new(program);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop");
    command.arg(script).current_dir(folder).env("NO_PROXY", "127.0.0.1");
    let said = task::spawn_blocking(move || {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(given.to_string().as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    });
    let said = said.await.unwrap();
    server.abort();
    assert!(said.status.success());
    let said = String::from_utf8(said.stdout).unwrap();
    assert_eq!(said.lines().collect::<Vec<_>>(), ALGORITHMS);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PYTHON, a Python with tests/interop/requirements.txt, which tests/run --install brings"]
async fn pyjwt_verifies() {
    check(&env::var("PYTHON").expect("PYTHON is a Python with PyJWT"), "verify.py").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs NODE, and tests/interop/node_modules, which tests/run --install brings"]
async fn jose_verifies() {
    check(&env::var("NODE").expect("NODE is Node.js, 20 or newer"), "verify.mjs").await;
}
