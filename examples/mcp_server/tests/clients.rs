//! The server as a process, with the provider of `tests/idp`, the clients of the TypeScript SDK and the
//! scenarios of the conformance package. `tests/run` brings what they need.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
};

use serde_json::json;
use tokio::task;

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the server. Gives the URL of the MCP server, too.
fn start(issuer: &str) -> (Process, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp_server"));
    command.env_clear().env("BIND", "127.0.0.1:0").env("ISSUER", issuer);
    let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let process = Process(process);
    let url = line.trim_end().rsplit(' ').next().unwrap().to_owned();
    assert!(url.ends_with("/mcp"), "{line}");
    (process, url)
}

/// Runs a script of `tests/mcp`, and gives what it said.
async fn run(script: &str) -> String {
    let issuer = env::var("IDP").expect("IDP is the provider's issuer: use `tests/run`");
    let node = env::var("NODE").expect("NODE is Node.js, 20 or newer");
    let (_process, url) = start(&issuer);
    let given = json!({ "issuer": issuer, "url": url }).to_string();
    let mut command = Command::new(node);
    command.arg(script).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/mcp"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let output = task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(given.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    });
    let output = output.await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{script}: {said}");
    said
}

/// How many cases a script has had.
fn count(said: &str) -> u32 {
    said.split(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
#[ignore = "needs IDP, NODE and tests/mcp/node_modules, which tests/run brings"]
async fn clients_of_others_log_in_and_step_up() {
    assert!(count(&run("clients.mjs").await) >= 13);
}

#[tokio::test]
#[ignore = "needs IDP, NODE and tests/mcp/node_modules, which tests/run brings"]
async fn the_scenarios_of_the_conformance_package_pass() {
    assert!(count(&run("conformance.mjs").await) >= 7);
}
