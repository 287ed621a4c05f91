//! What others expect of the layer: the contract of Tower, as tower-test checks it, that of
//! HTTP, as hyper's client sees it, also for MCP servers, and published vectors.

#[allow(dead_code, reason = "tests/it uses the rest")]
#[path = "../it/fixed.rs"]
mod fixed;
mod mcp;
#[path = "../it/requests.rs"]
mod requests;
mod server;
mod service;
#[allow(dead_code, reason = "tests/it uses the rest")]
#[path = "../it/support.rs"]
mod support;
mod vectors;
