//! The example server, with clients that others wrote, forged proofs, and client certificates through
//! nginx; the tokens are those of the provider in `tests/idp`. Each script there says how many cases it
//! has.

use std::{
    env,
    io::Write,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tokio::task;

use super::process::{Server, free_address};
use crate::support::{AUDIENCE, b64};

/// Starts a server for each set of variables, runs the script with their addresses, and gives the number
/// of its cases.
async fn run(script: &str) -> u32 {
    let issuer = env::var("IDP").expect("IDP is the provider's issuer: use `tests/run`");
    let node = env::var("NODE").expect("NODE is Node.js, 20 or newer");
    let nginx = free_address().replace("127.0.0.1", "https://localhost");
    let secret = b64([7; 32]);
    let all: [(&str, &[(&str, &str)]); 6] = [
        ("optional", &[("DPOP", "optional"), ("TOKEN_COOKIE", "at")]),
        ("required", &[("DPOP", "required")]),
        ("nonces", &[("DPOP", "optional"), ("DPOP_NONCE_SECRET", &secret)]),
        ("proxied", &[("DPOP", "optional"), ("PUBLIC_URL", "https://api.example.com")]),
        ("off", &[]),
        (
            "certificates",
            &[
                ("DPOP", "optional"),
                ("PUBLIC_URL", &nginx),
                ("MTLS_HEADER", "x-ssl-client-cert"),
                ("MTLS_TRUSTED", "127.0.0.1/32"),
            ],
        ),
    ];
    let mut given = json!({ "issuer": issuer, "proxy": nginx });
    let mut servers = Vec::new();
    for (name, variables) in all {
        let address = free_address();
        let url = format!("http://{address}");
        let usual = [
            ("ISSUER", &*issuer),
            ("AUDIENCE", AUDIENCE),
            ("BIND", &address),
            ("PUBLIC_URL", &url),
        ];
        servers.push(Server::start(&[&usual, variables].concat()));
        given[name] = Value::from(url);
    }

    let mut command = Command::new(node);
    command.arg(script).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/idp"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let output = task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(given.to_string().as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    });
    let output = output.await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{script}: {said}");
    said.split(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
#[ignore = "needs IDP, NODE and tests/idp/node_modules, which tests/run brings"]
async fn d01_forged_proofs_are_refused() {
    assert!(run("proofs.mjs").await >= 307);
}

#[tokio::test]
#[ignore = "needs IDP, NODE and tests/idp/node_modules, which tests/run brings"]
async fn clients_of_others_make_proofs() {
    assert!(run("clients.mjs").await >= 44);
}

#[tokio::test]
#[ignore = "needs IDP, NODE, NGINX_SERVER and tests/idp/node_modules, which tests/run brings"]
async fn d10_certificates_of_curl_pass_through_nginx() {
    assert!(run("certificates.mjs").await >= 16);
}
