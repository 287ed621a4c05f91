//! The stores in SQLite against what every store must do, and the server when clients are slow.

mod examples;
mod sessions;
#[allow(dead_code, reason = "tests/it uses the rest")]
#[path = "../../../tests/it/slow_clients.rs"]
mod slow_clients;
#[allow(dead_code, reason = "the server uses the rest")]
#[path = "../store.rs"]
mod store;
